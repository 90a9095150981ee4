package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/pg"
)

// letter is a message that could not be applied, as it arrived.
type letter struct {
	event  Event
	msg    jetstream.Msg
	reason string
}

// shown makes a text that arrived fit for a column, a log line and a terminal: without bytes that are no UTF-8,
// without control characters (PostgreSQL stores no NUL), and of bounded length. The message itself is kept as bytes.
func shown(text string) string {
	const most = 500
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if runes := []rune(clean); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return clean
}

// headersOf writes the headers of a message as they stand on the wire, in no particular order of names.
func headersOf(msg jetstream.Msg) []byte {
	out := bytes.Buffer{}
	for name, values := range msg.Headers() {
		for _, value := range values {
			out.WriteString(name + ": " + value + "\r\n")
		}
	}
	return append([]byte{}, out.Bytes()...)
}

// park puts an event that could not be applied aside, with the reason, to be tried again. One whose letter is there
// already is being tried, or waits for a human, or was applied by a retry: coming again changes nothing about that.
func (f *Flow) park(a delivery, reason error) error {
	ctx, cancel := context.WithTimeout(f.life, batchTime)
	defer cancel()
	event := a.event
	f.cfg.Log.Error("an event could not be applied and is parked", "footbridge.event.type", shown(event.Type),
		"footbridge.event.id", event.ID,
		"footbridge.journey", shown(event.Subject), keyRunbook, "dead-letters.md", "error", firstLine(reason))
	f.metrics.parkings.Add(ctx, 1)
	return f.Do(ctx, func(tx *Tx) error {
		tx.Queue(`insert into letter (event_id, type, journey, subject, headers, payload, reason, state, tries,
			next_try_at, since)
			values ($1, $2, $3, $4, $5, $6, $7, 'waiting', 0, $8, $9) on conflict do nothing`,
			event.ID, shown(event.Type), shown(event.Subject), []byte(a.msg.Subject()), headersOf(a.msg), a.msg.Data(),
			firstLine(reason),
			tx.Now.Add(f.cfg.ParkDelay), tx.Now)
		return nil
	})
}

// deadLetter makes dead letters of messages that no try can make good.
func (f *Flow) deadLetter(refused []letter) error {
	ctx, cancel := context.WithTimeout(f.life, batchTime)
	defer cancel()
	return f.Do(ctx, func(tx *Tx) error {
		for _, r := range refused {
			f.cfg.Log.Error("a message is a dead letter", "footbridge.event.type", shown(r.event.Type), keyRunbook,
				"dead-letters.md", "error", shown(r.reason))
			tx.Queue(`insert into letter (event_id, type, journey, subject, headers, payload, reason, state, tries,
				next_try_at, since)
				values ($1, $2, $3, $4, $5, $6, $7, 'dead', 0, $8, $8) on conflict do nothing`,
				r.event.ID, shown(r.event.Type), shown(r.event.Subject), []byte(r.msg.Subject()), headersOf(r.msg),
				append([]byte{}, r.msg.Data()...),
				shown(r.reason), tx.Now)
		}
		return nil
	})
}

// retryParked tries parked events again when their time has come, one at a time.
func (f *Flow) retryParked(ctx context.Context) {
	f.loop(ctx, "parked", time.Second, nil, func() (left, error) {
		again, err := f.retryOne(ctx)
		if again {
			return more, err
		}
		return nothing, err
	})
}

// waitingLetter is a letter whose next try is due.
type waitingLetter struct {
	id      string
	payload []byte
	tries   int
}

func (f *Flow) retryOne(ctx context.Context) (again bool, err error) {
	if err := f.ClockRight(); err != nil {
		return false, err
	}
	var l waitingLetter
	err = f.cfg.Pool.QueryRow(ctx, `select event_id::text, payload, tries from letter where state = 'waiting'
		and next_try_at <= $1
		order by next_try_at limit 1`, f.cfg.Clock.Now()).Scan(&l.id, &l.payload, &l.tries)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for parked events: %w", err)
	}
	event, err := Unmarshal(l.payload)
	if err != nil {
		return true, f.giveUp(ctx, l.id, err)
	}
	if reason := f.refuses(&event); reason != "" {
		if err := f.ClockRight(); err != nil {
			return false, err
		}
		return true, f.giveUp(ctx, l.id, errors.New(reason))
	}
	err = f.applyParked(l, event)
	if err == nil {
		return true, nil
	}
	if isInfrastructure(err) { // says nothing about the event; the others are not to wait for it
		_, putOff := f.cfg.Pool.Exec(ctx, `update letter set next_try_at = $2, reason = $3 where event_id = $1
			and state = 'waiting'`,
			l.id, f.cfg.Clock.Now().Add(f.cfg.ParkDelay), firstLine(err))
		return false, errors.Join(err, putOff)
	}
	return true, f.tryLater(ctx, l.id, l.tries+1, err)
}

// applyParked applies a parked event and says so in its letter, in one transaction, unless another process has done it.
// Where it has been applied meanwhile, because it came again or a human redrove it late, applying it once more changes
// nothing.
func (f *Flow) applyParked(l waitingLetter, event Event) error {
	ctx, cancel := context.WithTimeout(f.life, batchTime)
	defer cancel()
	ctx, span := f.startBatch(ctx, "retry", []Event{event})
	defer span.End()
	err := f.Do(ctx, func(tx *Tx) error {
		mine := false
		tx.Queue(`update letter set state = 'applied' where event_id = $1 and state = 'waiting' returning true`, l.id).
			Query(func(rows pgx.Rows) error { mine = rows.Next(); return nil })
		if _, err := f.decide(tx, []Event{event}); err != nil {
			return err
		}
		if !mine {
			return errElsewhere
		}
		return nil
	})
	if !errors.Is(err, errElsewhere) {
		failed(span, err)
	}
	return err
}

// errElsewhere: another process has taken the letter; this transaction must leave nothing behind.
var errElsewhere = errors.New("another process has taken this letter")

// tryLater puts the next try off, twice as long each time; after the last, the event is a dead letter.
func (f *Flow) tryLater(ctx context.Context, id string, tries int, reason error) error {
	if errors.Is(reason, errElsewhere) {
		return nil
	}
	if tries >= f.cfg.ParkTries {
		return f.giveUp(ctx, id, reason)
	}
	_, err := f.cfg.Pool.Exec(ctx, `update letter set tries = $2, next_try_at = $3, reason = $4 where event_id = $1
		and state = 'waiting'`,
		id, tries, f.cfg.Clock.Now().Add(f.cfg.ParkDelay<<tries), firstLine(reason))
	return err
}

func (f *Flow) giveUp(ctx context.Context, id string, reason error) error {
	_, err := f.cfg.Pool.Exec(ctx, `update letter set state = 'dead', reason = $2 where event_id = $1
		and state = 'waiting'`, id, firstLine(reason))
	if err == nil {
		f.cfg.Log.Error("an event could not be applied after the last try and is a dead letter", "footbridge.event.id",
			id, keyRunbook, "dead-letters.md", "error", firstLine(reason))
	}
	return err
}

// stuck says that an event alone meets trouble while the database answers others: then it is not the infrastructure.
func (f *Flow) stuck() bool {
	ctx, cancel := context.WithTimeout(f.life, 2*time.Second)
	defer cancel()
	_, err := pg.ServerTime(ctx, f.cfg.Pool)
	return err == nil
}

// firstLine keeps stacks out of tables and logs.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return shown(line)
}
