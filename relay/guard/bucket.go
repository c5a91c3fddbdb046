package guard

import "time"

// bucket is a token bucket that goes into debt: whoever takes waits until it
// is paid. It holds two seconds' worth.
type bucket struct {
	rate   float64 // a second; 0 is no limit
	tokens float64
	at     time.Time
}

func newBucket(perSecond int) bucket {
	return bucket{rate: float64(perSecond), tokens: 2 * float64(perSecond), at: time.Now()}
}

// take takes n and returns how long to wait.
func (b *bucket) take(n int) time.Duration {
	if b.rate == 0 || n == 0 {
		return 0
	}
	now := time.Now()
	b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*b.rate, 2*b.rate) - float64(n)
	b.at = now
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / b.rate * float64(time.Second))
}
