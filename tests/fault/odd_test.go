package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// oddSubject is where messages are published that nobody can read: every service that hears of discharges gets them.
const oddSubject = "footbridge.discharge.recorded.v1."

// withBus does something to the broker's contents as the owner of its streams.
func withBus(do func(ctx context.Context, conn *bus.Conn) error) func(ctx context.Context, s *stand) error {
	return func(ctx context.Context, s *stand) error {
		return asOwner(ctx, s, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			conn, err := s.owner(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			return do(ctx, conn)
		})
	}
}

// withDatabase does something to the database as its administrator.
func withDatabase(do func(ctx context.Context, conn *pgx.Conn) error) func(ctx context.Context, s *stand) error {
	return func(ctx context.Context, s *stand) error {
		return asOwner(ctx, s, func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, s.db.Server.TCPURL())
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
			return do(ctx, conn)
		})
	}
}

// publishNUL publishes a message with a NUL in its body, which no service can read.
func publishNUL(r *rand.Rand, _ *stand) injection {
	body := fmt.Sprintf("%s\x00%d", oddMark, r.Uint64())
	return injection{"message with a NUL published", "the stream", func(ctx context.Context, s *stand) error {
		return asOwner(ctx, s, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			conn, err := s.bus(ctx, schemas.Intake, bus.InboxOf(schemas.Intake))
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.JS.Publish(ctx, oddSubject+"odd", []byte(body))
			return err
		})
	}}
}

// oddMark begins what this suite publishes to be dead-lettered.
const oddMark = "published by the fault suite"

// purgeTheStream empties the stream under running services.
func purgeTheStream(_ *rand.Rand, _ *stand) injection {
	return injection{"stream purged", events.Name, withBus(func(ctx context.Context, conn *bus.Conn) error {
		stream, err := conn.JS.Stream(ctx, events.Name)
		if err != nil {
			return err
		}
		return stream.Purge(ctx)
	})}
}

// pauseDurable lets a durable consumer deliver nothing for ten seconds; in a long run every second time for 80, so that
// somebody must see it.
func pauseDurable(r *rand.Rand, s *stand) injection {
	service, lasts := pick(r, s.hears), 10*time.Second
	if r.IntN(2) == 0 && s.long {
		lasts = 80 * time.Second
	}
	return injection{"durable consumer paused", service, withBus(func(ctx context.Context, conn *bus.Conn) error {
		stream, err := conn.JS.Stream(ctx, events.Name)
		if err != nil {
			return err
		}
		_, err = stream.PauseConsumer(ctx, service, time.Now().Add(lasts))
		if err == jetstream.ErrConsumerNotFound {
			return nil // another fault has deleted it; it is made again
		}
		return err
	})}
}

// leaveTooLarge leaves an event in an outbox that the broker does not take, of a process that is no more.
func leaveTooLarge(r *rand.Rand, s *stand) injection {
	service := pick(r, stateful)
	return injection{"event above the broker's limit in an outbox", service, func(ctx context.Context, s *stand) error {
		id, writer := clock.NewID(s.now()), r.Int64N(1<<60)
		large, err := json.Marshal(map[string]string{"more": strings.Repeat("x", 2<<20)})
		if err != nil {
			return err
		}
		payload, err := flow.Marshal(flow.Event{ID: id, Source: "/footbridge/" + service,
			Type: "care.footbridge.fault.large.v1", Subject: id, Time: s.now(), Causation: id, Data: large})
		if err != nil {
			return err
		}
		return withDatabase(func(ctx context.Context, conn *pgx.Conn) error {
			return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `insert into `+service+
					`.outbox_writer (id, beats, closed, owner, synced_upto) values ($1, 1, false, $1, 0)`,
					writer); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `insert into `+service+
					`.outbox (id, writer, n, subject, payload) values ($1, $2, 1, $3, $4)`,
					id, writer, "footbridge.fault.large.v1."+id, string(payload))
				return err
			})
		})(ctx, s)
	}}
}

// takeLocks takes the advisory locks with the numbers of all writers, as any login may, for ten seconds.
func takeLocks(_ *rand.Rand, _ *stand) injection {
	return injection{"advisory locks taken by another login", "all writers",
		withDatabase(func(ctx context.Context, conn *pgx.Conn) error {
			for _, service := range slices.Clone(stateful) {
				if _, err := conn.Exec(ctx, `select pg_try_advisory_lock(id) from `+service+
					`.outbox_writer`); err != nil {
					return err
				}
			}
			pause(ctx, 10*time.Second)
			return nil
		})}
}

// leapAhead and leapBack set the clock of one process wrong while it runs, for a while.
func leapAhead(r *rand.Rand, s *stand) injection {
	return leap(r, s, "clock of a process leapt ahead", time.Hour)
}

func leapBack(r *rand.Rand, s *stand) injection {
	return leap(r, s, "clock of a process leapt back", -time.Hour)
}

func leap(r *rand.Rand, s *stand, kind string, hour time.Duration) injection {
	p, by := anyProcess(r, s), hour*time.Duration(pick(r, []int{2, 60 * 24, 100 * 24}))
	return injection{kind, fmt.Sprintf("%s by %v", p.name, by), func(ctx context.Context, _ *stand) error {
		p.busy.Lock()
		defer p.busy.Unlock()
		if err := os.WriteFile(p.clockFile(), []byte(by.String()), 0o600); err != nil {
			return err
		}
		pause(ctx, 12*time.Second)
		return os.Remove(p.clockFile())
	}}
}

// breakRows makes the stored rows of the newest journeys unreadable, in one service, for a while.
func breakRows(r *rand.Rand, _ *stand) injection {
	const broken, rows = `"unreadable"`, 20
	service := pick(r, []string{schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
		schemas.Delivery})
	table, key := service+".journey_state", "journey"
	if service == schemas.Journey {
		table, key = "journey.journey", "id"
	}
	return injection{"rows that do not decode", service, func(ctx context.Context, s *stand) error {
		var ids, were []string
		err := withDatabase(func(ctx context.Context, conn *pgx.Conn) error {
			return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				found, err := tx.Query(ctx, `select `+key+`::text, known::text from `+table+
					` where known::text <> $2 order by `+key+` desc limit $1 for update skip locked`, rows, broken)
				if err != nil {
					return err
				}
				var id, known string
				ids, were = nil, nil
				if _, err := pgx.ForEachRow(found, []any{&id, &known}, func() error {
					ids, were = append(ids, id), append(were, known)
					return nil
				}); err != nil {
					return err
				}
				_, err = tx.Exec(ctx, `update `+table+` set known = $2::text::jsonb where `+key+` = any($1::uuid[])`,
					ids, broken)
				return err
			})
		})(ctx, s)
		if err != nil {
			return err
		}
		pause(ctx, 12*time.Second)
		mending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		return withDatabase(func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `update `+table+
				` j set known = was.known::jsonb from unnest($1::uuid[], $2::text[]) as was(id, known)
				where j.`+key+` = was.id and j.known::text = $3`, ids, were, broken)
			return err
		})(mending, s)
	}}
}

// restoreAlone restores the schema of one service from a backup of some seconds before, as a site would: its processes
// stopped, the others running. intake is not among them: what only it was told is nowhere else (the runbook's step 5).
func restoreAlone(r *rand.Rand, _ *stand) injection {
	service := pick(r, []string{schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey})
	later := time.Duration(2+r.IntN(4)) * time.Second
	return injection{"one service restored alone", service, func(ctx context.Context, s *stand) error {
		for _, number := range []string{"/1", "/2"} { // one backup of a service at a time
			p := s.procs[service+number]
			p.busy.Lock()
			defer p.busy.Unlock()
		}
		var restore func(context.Context, testkit.Administrator) error
		if err := withDatabase(func(ctx context.Context, conn *pgx.Conn) (err error) {
			restore, err = testkit.BackupTo(ctx, conn, service)
			return err
		})(ctx, s); err != nil {
			return err
		}
		pause(ctx, later)
		for _, number := range []string{"/1", "/2"} {
			p := s.procs[service+number]
			p.takeDown(syscall.SIGTERM)
			defer p.bringUp("")
		}
		// half restored is no state to leave
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		if err := withDatabase(func(ctx context.Context, conn *pgx.Conn) error { return restore(ctx, conn) })(ctx,
			s); err != nil {
			return err
		}
		return asOwner(ctx, s, func(ctx context.Context) error {
			begin := exec.CommandContext(ctx, s.binary, "restored", service)
			begin.Env = s.environment(s.procs[service+"/1"])
			if out, err := begin.CombinedOutput(); err != nil {
				return fmt.Errorf("footbridge restored %s: %w: %s", service, err, out)
			}
			return nil
		})
	}}
}

// loginAway is for how long a login is away.
const loginAway = 3 * time.Second

// takeLogin takes a service's login to the database away for a while: nobody comes in with it, and whoever is in is put
// out.
func takeLogin(r *rand.Rand, _ *stand) injection { return takeLoginOf(pick(r, stateful)) }

func takeLoginOf(service string) injection {
	return injection{"database login away", service, func(ctx context.Context, s *stand) error {
		s.database.Lock()
		defer s.database.Unlock()
		may := func(ctx context.Context, what string) error {
			return withDatabase(func(ctx context.Context, conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, "alter role "+pgx.Identifier{pg.Role(service)}.Sanitize()+" "+what)
				if err == nil {
					_, err = conn.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`,
						pg.Role(service))
				}
				return err
			})(ctx, s)
		}
		if err := may(ctx, "nologin"); err != nil {
			return err
		}
		pause(ctx, loginAway)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute) // it is not left so
		defer cancel()
		return may(ctx, "login")
	}}
}
