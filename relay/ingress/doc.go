// Package ingress is a store's LAN door: what registers say by MQTT and HTTP,
// as events for the roster.
//
//	register ──MQTT──► guard.Door ──┐
//	                                ├─► Ingress ──► Sink (the relay)
//	register ──HTTP──► guard.Beats ─┘
//
// It knows topics, keys and who may be new; which host lives is the roster's
// to say. A message is acknowledged when the Sink has taken its event.
package ingress
