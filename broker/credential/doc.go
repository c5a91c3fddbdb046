// Package credential says who may do what at a region's doors: the keys of
// HTTP clients and the logins of relays.
//
//	hbk_<id>_<secret> ──► Grant (HTTP: x-api-key)   ──┐
//	                                                  ├─► snapshot ◄── join ◄── table (set#<b>, refreshed)
//	store/relay + password ──► Relay (MQTT)         ──┘            ◄── configuration (static)
//
// A key's text is shown once, when it is made; the table keeps its SHA-256.
// The text has 160 random bits, so a fast hash is enough: nobody guesses it,
// and whoever reads the table cannot use what is there. Both regions write
// their own item of a key, a revocation is an item that stays, and the join of
// all items is the same in any order: a key that one region revoked is revoked.
// What is joined never shrinks, so a refresh that overtakes a revocation
// cannot bring the key back.
package credential
