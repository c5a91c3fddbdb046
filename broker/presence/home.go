package presence

import (
	"hash/fnv"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Home is the region that tells a store's incidents first: the highest random
// weight (rendezvous hashing, Thaler and Ravishankar 1998) over the configured
// regions. Liveness never moves it.
func Home(s beat.StoreID, regions []beat.Region) beat.Region {
	var home beat.Region
	var best uint64
	for _, r := range regions {
		h := fnv.New64a()
		h.Write([]byte(r))
		h.Write([]byte{'/'})
		h.Write([]byte(s))
		w := mix(h.Sum64())
		if home == "" || w > best || w == best && r < home {
			home, best = r, w
		}
	}
	return home
}

// mix spreads FNV's weak high bits (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
