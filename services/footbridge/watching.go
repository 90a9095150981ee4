package main

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"

	"footbridge/libs/clock"
	"footbridge/services/journey"
)

// showSentinel makes a gauge of the seconds for which no sentinel has held its lease: 0 while one watches. It is read
// from the database with each reading, by journey's processes, so that it does not vanish together with the sentinel;
// where the database does not answer it goes on growing from what was read last.
func showSentinel(meter metric.Meter, pool *pgxpool.Pool, clock clock.Clock) error {
	var mu sync.Mutex
	until := clock.Now() // where none ever looked: since this process began
	_, err := meter.Float64ObservableGauge("footbridge.sentinel.away", metric.WithUnit("s"),
		metric.WithDescription("seconds since a sentinel last held its lease; 0 while one watches"),
		metric.WithFloat64Callback(func(ctx context.Context, o metric.Float64Observer) error {
			mu.Lock()
			defer mu.Unlock()
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			now := clock.Now()
			if read, err := journey.SentinelUntil(ctx, pool, now); err == nil && !read.IsZero() {
				until = read
			}
			o.Observe(max(0, now.Sub(until).Seconds()))
			return nil
		}))
	return err
}
