package main

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"

	"footbridge/libs/clock"
	"footbridge/libs/operations"
	"footbridge/services/bridging"
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

// showWaiting makes gauges of the seconds for which help that was asked for should have been taken on by somebody on
// call, and for which nothing can be handed over by a channel: 0 while neither is so. They are read from the database
// with each reading, by bridging's processes; where it does not answer they go on growing from what was read last.
func showWaiting(meter metric.Meter, pool *pgxpool.Pool, clock clock.Clock) error {
	help, err := meter.Float64ObservableGauge("footbridge.help.overdue", metric.WithUnit("s"),
		metric.WithDescription("seconds since the first request for help should have been taken on that nobody has"))
	if err != nil {
		return err
	}
	down, err := meter.Float64ObservableGauge("footbridge.channel.down", metric.WithUnit("s"),
		metric.WithDescription("seconds since nothing can be handed over by a channel to those on call and callers"))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var last bridging.Waiting
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		mu.Lock()
		defer mu.Unlock()
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if read, err := bridging.WaitingNow(ctx, pool); err == nil {
			last = read
		}
		now := clock.Now()
		o.ObserveFloat64(help, operations.SecondsSince(&last.HelpDue, now))
		o.ObserveFloat64(down, operations.SecondsSince(&last.ChannelDown, now))
		return nil
	}, help, down)
	return err
}

// showVoid makes gauges of the journeys that have no next step in time, and of the seconds for which the first of them
// has had none: 0 while there is none. They are read from the database with each reading, by journey's processes; where
// it does not answer, the count stays as it was read last and the age goes on growing.
func showVoid(meter metric.Meter, pool *pgxpool.Pool, clock clock.Clock) error {
	journeys, err := meter.Int64ObservableGauge("footbridge.void.journeys",
		metric.WithDescription("journeys whose next step is past its time and its grace"))
	if err != nil {
		return err
	}
	age, err := meter.Float64ObservableGauge("footbridge.void.age", metric.WithUnit("s"),
		metric.WithDescription("seconds since the first of these journeys has had no next step in time; 0 without any"))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var last journey.Void
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		mu.Lock()
		defer mu.Unlock()
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		now := clock.Now()
		if read, err := journey.VoidAt(ctx, pool, now); err == nil {
			last = read
		}
		o.ObserveInt64(journeys, int64(last.Journeys))
		o.ObserveFloat64(age, operations.SecondsSince(&last.Since, now))
		return nil
	}, journeys, age)
	return err
}
