package httpx

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"footbridge/libs/clock"
)

// Limiter lets each caller send so many requests a second, with a burst. It lives in one process: with n replicas
// a caller gets n times the rate.
type Limiter struct {
	rate  rate.Limit
	burst int
	key   func(*http.Request) string
	clock clock.Clock

	mu      sync.Mutex
	callers map[string]*caller
	swept   time.Time
}

type caller struct {
	bucket *rate.Limiter
	seen   time.Time
}

// NewLimiter makes a limiter. key says who is asking: the principal, never an address that many share.
func NewLimiter(perSecond float64, burst int, c clock.Clock, key func(*http.Request) string) *Limiter {
	return &Limiter{rate: rate.Limit(perSecond), burst: burst, key: key, clock: c, callers: map[string]*caller{}}
}

// Check refuses a request beyond the rate with 429 and Retry-After in whole seconds.
func (l *Limiter) Check(r *http.Request) error {
	now := l.clock.Now()
	reservation := l.bucket(l.key(r), now).ReserveN(now, 1)
	wait := time.Duration(math.MaxInt64)
	if reservation.OK() {
		wait = reservation.DelayFrom(now)
	}
	if wait == 0 {
		return nil
	}
	reservation.CancelAt(now)
	seconds := int64(math.Ceil(min(wait, time.Hour).Seconds()))
	p := NewProblem(http.StatusTooManyRequests, "More requests came than the %g a second agreed. Wait %d s, then "+
		"send again.", float64(l.rate), seconds)
	p.Header = http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}}
	return p
}

// Wrap is Check before a handler.
func (l *Limiter) Wrap(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := l.Check(r); err != nil {
			return err
		}
		return next(w, r)
	}
}

func (l *Limiter) bucket(key string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	c := l.callers[key]
	if c == nil && len(l.callers) >= mostCallers {
		key = "" // so many at once are no callers of ours: they share what one gets
		c = l.callers[key]
	}
	if c == nil {
		c = &caller{bucket: rate.NewLimiter(l.rate, l.burst)}
		l.callers[key] = c
	}
	c.seen = now
	return c.bucket
}

// mostCallers bounds how many are told apart at a time.
const mostCallers = 50_000

// sweep forgets, once a minute, callers whose bucket has filled up again: a new one would be the same.
func (l *Limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for key, c := range l.callers {
		if c.bucket.TokensAt(now) >= float64(l.burst) && now.Sub(c.seen) >= time.Minute {
			delete(l.callers, key)
		}
	}
}
