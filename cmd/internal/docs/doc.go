// Package docs holds docs/ and the README to the code: its tests fail when a
// metric, topic, route, setting, flag, JSON field or envelope key is missing
// from the reference, or stands there and does not exist; and when a link or a
// command leads nowhere.
package docs
