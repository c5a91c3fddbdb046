package guard

import "github.com/prometheus/client_golang/prometheus"

// Metrics are a tier's door counters, MQTT and HTTP.
type Metrics struct {
	Connections  prometheus.Gauge
	Accepted     prometheus.Counter
	Turned       *prometheus.CounterVec // by reason
	Frames       *prometheus.CounterVec // refused, by reason
	Logins       prometheus.Counter
	Messages     *prometheus.CounterVec // by verdict
	Throttled    prometheus.Counter
	Ends         *prometheus.CounterVec // by cause
	Sent         prometheus.Counter
	SendRefused  prometheus.Counter
	AcceptErrors prometheus.Counter
	Panics       prometheus.Counter
	Requests     *prometheus.CounterVec // HTTP beats, by answer
}

// NewMetrics registers the counters under prefix, hbmesh_relay or
// hbmesh_broker; reg may be nil.
func NewMetrics(reg prometheus.Registerer, prefix string) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "_" + name, Help: help}, []string{label})
	}
	m := &Metrics{
		Connections:  prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "_door_connections", Help: "MQTT connections that are open now, admitted or not."}),
		Accepted:     counter("door_accepted_total", "Connections that were accepted."),
		Turned:       vec("door_turned_away_total", "Connections that were turned away, by reason.", "reason"),
		Frames:       vec("door_refused_frames_total", "MQTT frames that were refused before they were parsed, by reason.", "reason"),
		Logins:       counter("door_failed_logins_total", "Failed logins, MQTT and HTTP."),
		Messages:     vec("door_messages_total", "MQTT messages of clients, by verdict.", "verdict"),
		Throttled:    counter("door_throttled_total", "Times that a connection above its rate was made to wait."),
		Ends:         vec("door_ended_total", "Ends of admitted MQTT connections, by cause.", "cause"),
		Sent:         counter("door_sent_total", "MQTT messages that were sent to clients."),
		SendRefused:  counter("door_send_refused_total", "MQTT messages to clients that were dropped: gone, slow or not subscribed."),
		AcceptErrors: counter("door_accept_errors_total", "Errors of accept, after which the door tried again."),
		Panics:       counter("door_panics_total", "Faults in the MQTT library that were caught."),
		Requests:     vec("http_beats_total", "HTTP beats, by status of the answer.", "status"),
	}
	if reg != nil {
		reg.MustRegister(m.Connections, m.Accepted, m.Turned, m.Frames, m.Logins, m.Messages, m.Throttled,
			m.Ends, m.Sent, m.SendRefused, m.AcceptErrors, m.Panics, m.Requests)
	}
	return m
}
