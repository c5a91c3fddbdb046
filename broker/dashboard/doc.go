// Package dashboard shows people and programs what a region knows: one live
// page, and the JSON API that hbctl speaks.
//
//	broker ──Source (memory)──► hub ──► GET /v1/events ──► the page
//	                    │        └─ Want: the stores that somebody looks at
//	                    ├─────► GET /v1/summary, regions, stores, hosts, incidents, notices
//	table ──Archive─────┼─────► GET /v1/history
//	credential ──Keys───┼─────► GET, POST, DELETE /v1/keys
//	operator ──Declarations, Rules ◄──► stores, silences, maintenance, pauses, acks, audit
//	broker ──Explainer──┼─────► GET /v1/explain
//	broker ◄──Operator──┘ ◄──── DELETE /v1/stores/{store}/hosts/{host}
//
// The page is written in web/src and built by web/build into assets, which are
// committed and embedded: the binary needs no other file and no other server.
// It is a client of the API and knows nothing that the API does not say.
//
// A page never holds the fleet: a live view carries a bounded list of stores,
// those with problems first, and how many there are in all.
package dashboard
