// Package sim lets a whole real system live through weeks with made-up people, on a clock of its own.
//
// In: a scenario (which partners there are, who works when) and a seed. A World is drawn from them: who comes to A&E
// when, what the hospital's systems send of it, and what people will answer when they are asked. Actors then do what
// people and systems outside do, by the interfaces that are there for them and by no other: the hospital sends HL7 v2
// over MLLP and CloudEvents; staff, callers and partners work through their lists by the requests that each step, call
// and offer names. The driver moves the clock from one hour in which something can happen to the next, waits until
// everything that follows has happened, and checks at each what must always hold.
//
// Out: what became of everyone, as a Report, and a log of JSON lines (docs/simulator.md) of everything that was put in
// and everything that was seen from outside, for whoever wants to count again.
//
// It promises: the same scenario and seed are the same world; people's answers hang on nobody else and on no order; all
// people, numbers and places are made up. It does not promise that two runs of a world end alike in every detail: where
// two people want one partner's last place, who gets it hangs on which request came first.
package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// System is the running system as a simulation reaches it: what people and systems outside reach, and its clock.
type System interface {
	// Ask sends one request as somebody. An error means that there was no answer.
	Ask(ctx context.Context, who Who, r Request) (Answer, error)
	// Follow reads server-sent events as somebody, after the last that they had, until the stream or ctx ends.
	Follow(ctx context.Context, who Who, path, last string, take func(id string, event []byte)) error
	// MLLP is where the hospital sends, as host:port.
	MLLP() string
	// MoveTo moves the clock and returns when all that follows has happened; Settle waits for that alone, and Taken
	// until every service has taken in what the others have said, without what falls due.
	MoveTo(ctx context.Context, at time.Time) error
	Settle(ctx context.Context) error
	Taken(ctx context.Context) error
	// News are the events that were published since it was last asked.
	News() []flow.Event
}

// Who asks: somebody of an organisation in a role, of a team where that is not what everybody of the role is. Without a
// role it is whoever holds a link.
type Who struct {
	Organisation string
	Role         schemas.Role
	Subject      string
	Team         string
}

// Request is one request.
type Request struct {
	Method, Path string
	Body         []byte
	ContentType  string // application/json where it is empty
	Header       map[string]string
}

// Answer is what a request was answered with.
type Answer struct {
	Status int
	Body   []byte
}

// KnownPartner is a partner as the system knows it.
type KnownPartner struct{ ID, Service, Name string }

// Config is what a simulation needs.
type Config struct {
	System   System
	Database *pgxpool.Pool // is read, for what must always hold
	Scenario *Scenario
	Partners []KnownPartner
	// Breaker breaks things meanwhile; nil where nothing is to be broken. It is used only on a system that is marked as
	// a test.
	Breaker Breaker
	// Organisation is the hospital's ODS code.
	Organisation string
	// Out is where the log is written; empty: nowhere.
	Out string
	// Progress is told of each day.
	Progress io.Writer
}

// Run simulates all days of a scenario.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Breaker != nil {
		if err := CheckTest(ctx, cfg.Database); err != nil {
			return nil, err
		}
	}
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	for n := 0; n < cfg.Scenario.days; n++ {
		n += int(r.leaps(n))
		if err := r.day(ctx, cfg.Scenario.first, n); err != nil {
			return nil, fmt.Errorf("day %d: %w", n, err)
		}
	}
	if err := r.conclude(ctx); err != nil {
		return nil, err
	}
	r.report.Took = time.Since(began).Round(time.Millisecond)
	return r.report, r.log.err
}

// problem is what a refusal says.
func (a Answer) problem() string {
	var p struct{ Title, Detail string }
	if json.Unmarshal(a.Body, &p) != nil || p.Detail == "" {
		return fmt.Sprintf("%d", a.Status)
	}
	return fmt.Sprintf("%d %s", a.Status, p.Detail)
}

// ok says whether a request was done.
func (a Answer) ok() bool { return a.Status >= 200 && a.Status < 300 }

// read asks for something and reads the answer into a value.
func (r *run) read(ctx context.Context, who Who, path string, into any) error {
	answer, err := r.cfg.System.Ask(ctx, who, Request{Method: http.MethodGet, Path: path,
		Header: map[string]string{schemas.ReasonHeader: "to ring them about what they would like"}})
	if err != nil {
		return err
	}
	if !answer.ok() {
		return fmt.Errorf("asking %s as a %s: %s", path, who.Role, answer.problem())
	}
	return json.Unmarshal(answer.Body, into)
}

// page is one page of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// all reads a list to its end.
func all[T any](ctx context.Context, r *run, who Who, path string) (items []T, err error) {
	err = pages(ctx, r, who, path, 200, func(some []T) (more bool, err error) {
		items = append(items, some...)
		return true, nil
	})
	return items, err
}

// pages reads a list page by page, for as long as more of it is wanted.
func pages[T any](ctx context.Context, r *run, who Who, path string, limit int,
	take func([]T) (more bool, err error)) error {
	joined := "?"
	if strings.Contains(path, "?") {
		joined = "&"
	}
	for cursor := ""; ; {
		var p page[T]
		at := fmt.Sprintf("%s%slimit=%d", path, joined, limit)
		if cursor != "" {
			at += "&cursor=" + cursor
		}
		if err := r.read(ctx, who, at, &p); err != nil {
			return err
		}
		if more, err := take(p.Items); err != nil || !more {
			return err
		}
		if p.Next == cursor && cursor != "" {
			return fmt.Errorf("asking %s: the page after %q is that page again", path, cursor)
		}
		if cursor = p.Next; cursor == "" {
			return nil
		}
	}
}
