package beat

import "strings"

// The topics of the LAN side, without the host that follows.
const (
	TopicBeat = "hb/v1/beat/"
	TopicGone = "hb/v1/gone/"
	TopicBye  = "hb/v1/bye/"
)

const (
	topicUp   = "hb/v1/up/"
	topicDown = "hb/v1/down/"
)

// LANKind is what a message on the LAN side means.
type LANKind uint8

// The kinds of messages on the LAN side.
const (
	LANBeat LANKind = iota + 1
	LANGone
	LANBye
)

// ParseLANTopic reads hb/v1/{beat,gone,bye}/{host}. ok is false for any other
// topic, and for one whose host is not valid.
func ParseLANTopic(topic string) (kind LANKind, host HostID, ok bool) {
	switch {
	case strings.HasPrefix(topic, TopicBeat):
		kind, topic = LANBeat, topic[len(TopicBeat):]
	case strings.HasPrefix(topic, TopicGone):
		kind, topic = LANGone, topic[len(TopicGone):]
	case strings.HasPrefix(topic, TopicBye):
		kind, topic = LANBye, topic[len(TopicBye):]
	default:
		return 0, "", false
	}
	if !validHostID(topic) {
		return 0, "", false
	}
	return kind, HostID(topic), true
}

// ReportTopic is where the relay publishes its births, reports and byes.
func (i Identity) ReportTopic() string { return topicUp + i.String() + "/report" }

// DeathTopic is where the relay's Last-Will goes, and nothing else.
func (i Identity) DeathTopic() string { return topicUp + i.String() + "/death" }

// DownFilter is the one subscription that a relay may make.
func (i Identity) DownFilter() string { return topicDown + i.String() + "/#" }

// AckTopic carries an Ack to the relay.
func (i Identity) AckTopic() string { return topicDown + i.String() + "/ack" }

// CommandTopic carries a Command to the relay.
func (i Identity) CommandTopic() string { return topicDown + i.String() + "/cmd" }
