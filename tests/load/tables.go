package load

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/bus"
	"footbridge/schemas"
)

// services that keep tables, and that the hand-written variants do by hand. What delivery does beside them is counted
// apart.
var services = []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey}

// footprint is what a run has left behind, counted in tables, stream and consumers.
type footprint struct {
	rows       map[string]int64                 // by schema.table
	events     uint64                           // stored by the stream
	deliveries uint64                           // acknowledged by the services' consumers, redeliveries left out
	bytes      int64                            // of the database
	beside     struct{ rows, deliveries int64 } // delivery's own: no hand-written variant has them
}

func footprintOf(ctx context.Context, adminURL string, conn *bus.Conn) (footprint, error) {
	f := footprint{rows: map[string]int64{}}
	db, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return f, err
	}
	defer func() { _ = db.Close(ctx) }()
	rows, err := db.Query(ctx, `select array[schemaname, tablename]::text[] from pg_tables t where schemaname = any($1)
		and not exists (select from pg_inherits i where i.inhrelid = format('%I.%I', schemaname, tablename)::regclass)`,
		append(slices.Clone(services), schemas.Delivery))
	if err != nil {
		return f, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
	if err != nil {
		return f, err
	}
	for _, name := range names {
		var count int64
		if err := db.QueryRow(ctx, "select count(*) from "+pgx.Identifier(name).Sanitize()).Scan(&count); err != nil {
			return f, err
		}
		if name[0] == schemas.Delivery {
			f.beside.rows += count
			continue
		}
		f.rows[name[0]+"."+name[1]] = count
	}
	if err := db.QueryRow(ctx, `select pg_database_size(current_database())`).Scan(&f.bytes); err != nil {
		return f, err
	}
	return f, f.countStream(ctx, conn)
}

func (f *footprint) countStream(ctx context.Context, conn *bus.Conn) error {
	stream, err := conn.JS.Stream(ctx, streamName)
	if err != nil {
		return fmt.Errorf("looking at the stream: %w", err)
	}
	f.events = stream.CachedInfo().State.Msgs
	for _, name := range services {
		consumer, err := stream.Consumer(ctx, name)
		if err != nil {
			continue // it hears nothing
		}
		f.deliveries += consumer.CachedInfo().Delivered.Consumer
	}
	if consumer, err := stream.Consumer(ctx, schemas.Delivery); err == nil {
		f.beside.deliveries = int64(consumer.CachedInfo().Delivered.Consumer)
	}
	return nil
}

// since is what has been added after an earlier count.
func (f footprint) since(before footprint) footprint {
	diff := footprint{rows: map[string]int64{}, events: f.events - before.events,
		deliveries: f.deliveries - before.deliveries, bytes: f.bytes - before.bytes}
	diff.beside.rows, diff.beside.deliveries = f.beside.rows-before.beside.rows,
		f.beside.deliveries-before.beside.deliveries
	for table, n := range f.rows {
		if n != before.rows[table] {
			diff.rows[table] = n - before.rows[table]
		}
	}
	return diff
}

func (f footprint) allRows() int64 {
	sum := int64(0)
	for _, n := range f.rows {
		sum += n
	}
	return sum
}

// shown counts the journeys whose timeline has both final lines.
func shown(ctx context.Context, adminURL string) (int, error) {
	db, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close(ctx) }()
	var n int
	err = db.QueryRow(ctx, `select count(*) from (select journey from journey.timeline_entry where type = any($1)
		group by journey having count(distinct type) = 2) as both_lines`,
		[]string{string(schemas.OfferRaised), string(schemas.CallScheduled)}).Scan(&n)
	return n, err
}
