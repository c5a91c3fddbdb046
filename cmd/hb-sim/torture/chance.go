package torture

import "time"

// chance is the one source of chance of a world: splitmix64 (Steele, Lea and
// Flood 2014).
type chance struct{ x uint64 }

func (c *chance) next() uint64 {
	c.x += 0x9e3779b97f4a7c15
	z := c.x
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number of [0, n); n is above 0.
func (c *chance) below(n int) int { return int(c.next() % uint64(n)) } //nolint:gosec // n is above 0

// between is a duration of [a, b), to the microsecond.
func (c *chance) between(a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + time.Duration(c.next()%uint64((b-a)/time.Microsecond+1))*time.Microsecond //nolint:gosec // b is above a
}

// unit is a number of [0, 1).
func (c *chance) unit() float64 { return float64(c.next()>>11) / (1 << 53) }

// one says yes once in n times.
func (c *chance) one(n int) bool { return c.next()%uint64(n) == 0 } //nolint:gosec // n is above 0

// bits are 128 of them.
func (c *chance) bits() (b [16]byte) {
	for i := 0; i < 16; i += 8 {
		x := c.next()
		for k := range 8 {
			b[i+k] = byte(x >> (8 * k))
		}
	}
	b[0] |= 1
	return b
}
