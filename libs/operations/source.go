package operations

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// Paths at which a service answers for itself. They are no part of the surface: the gateway serves neither, and whoever
// gathers asks with the principal who asked for the figures.
const (
	FiguresPath = "/figures"
	RedrivePath = "/redrive"
)

// Answer is what one service says of itself.
type Answer struct {
	Service string    `json:"service"`
	At      time.Time `json:"at"`
	// Missing is why some figures could not be read, in words.
	Missing  string    `json:"missing,omitempty"`
	Readings []Reading `json:"readings"`
	// Hours and Days are how figures stood in the last 24 hours, by quarters of an hour, and in the last 7 days, by six
	// hours; where charts were asked for.
	Hours []flow.Sample `json:"hours,omitempty"`
	Days  []flow.Sample `json:"days,omitempty"`
}

// More reads the figures that a service has beside those of its exchange of events, of what a principal may see.
type More func(ctx context.Context, who principal.Principal, now time.Time) ([]Reading, error)

// Source answers for one service.
type Source struct {
	Service string
	Flow    *flow.Flow
	Pool    *pgxpool.Pool
	Clock   clock.Clock
	Log     *slog.Logger
	// More may be nil. Everybody is the principal for whom samples are read: one who sees all organisations.
	More     More
	Everyone principal.Principal
	// SeesAll says whether a role sees what is no human figure.
	SeesAll func(role string) bool
}

// answerWithin is how long a service may take to read its figures: what is not read by then is said to be missing.
const answerWithin = 1500 * time.Millisecond

// Answer reads the figures for a principal.
func (s *Source) Answer(ctx context.Context, who principal.Principal, charts bool) Answer {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	now := s.Clock.Now()
	a := Answer{Service: s.Service, At: now, Readings: []Reading{}}
	all := s.SeesAll(who.Role)
	if all {
		a.Readings = s.exchange(ctx, &a)
	}
	if s.More != nil {
		more, err := s.More(ctx, who, now)
		s.missing(&a, err)
		for _, r := range more {
			if all || KindOf(r.Name).Human {
				a.Readings = append(a.Readings, r)
			}
		}
	}
	if charts && all {
		var err error
		day := now.UTC().Truncate(6 * time.Hour)
		a.Hours, err = s.Flow.Samples(ctx, now.UTC().Truncate(quarter).Add(-24*time.Hour), now, quarter)
		s.missing(&a, err)
		a.Days, err = s.Flow.Samples(ctx, day.Add(-7*24*time.Hour), now, 6*time.Hour)
		s.missing(&a, err)
	}
	return a
}

const quarter = 15 * time.Minute

// missing notes that something could not be read. The error stays in the log: it may name what nobody should read.
func (s *Source) missing(a *Answer, err error) {
	if err == nil {
		return
	}
	a.Missing = "Its database did not answer in time, so that figures are missing."
	s.Log.Warn("figures could not be read", "error", err)
}

// exchange are the figures that every service has.
func (s *Source) exchange(ctx context.Context, a *Answer) []Reading {
	f, err := s.Flow.Figures(ctx)
	s.missing(a, err)
	all := []Reading{{Name: NotReady, Value: yes(f.NotReady != ""), Why: f.NotReady}}
	unread := Reading{Name: Unread}
	if f.Unread != nil || err != nil {
		unread.Value = 1
		if f.Unread != nil {
			unread.Why = f.Unread.Error()
		}
	}
	all = append(all, unread, Reading{Name: UnpublishedAge, Value: f.UnpublishedAge.Seconds()},
		Reading{Name: RowsAside, Value: float64(f.Aside)})
	if f.Unread == nil {
		all = append(all, waited(f)...)
	}
	if err == nil {
		all = append(all, Reading{Name: DaysAhead, Value: float64(f.DaysAhead)},
			Reading{Name: DatabaseBytes, Value: float64(f.Bytes)})
		if f.TooLarge >= 0 {
			all = append(all, Reading{Name: TooLarge, Value: float64(f.TooLarge)})
		}
	}
	return all
}

// waited are the figures of what waits for a service, or did in vain.
func waited(f flow.Figures) []Reading {
	age := Reading{Name: UnprocessedAge}
	if !f.Oldest.IsZero() {
		age.Value, age.Since = time.Since(f.Oldest).Seconds(), &f.Oldest
	}
	dead := Reading{Name: DeadLetters, Value: float64(f.Dead)}
	for i, letter := range f.Letters {
		if i == 0 {
			dead.Since = &letter.Since
		}
		dead.Lines = append(dead.Lines, Line{ID: letter.ID, Journey: letter.Journey, What: letter.Type,
			Since: &letter.Since, Why: letter.Reason, Amiss: true})
	}
	return []Reading{{Name: EventsWaiting, Value: float64(f.Waiting)}, age, dead,
		{Name: Parked, Value: float64(f.Parked)}}
}

func yes(so bool) float64 {
	if so {
		return 1
	}
	return 0
}

// ServeFigures is the handler of GET FiguresPath; charts=true asks for what the charts draw.
func (s *Source) ServeFigures(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, s.Answer(r.Context(), who, r.URL.Query().Get("charts") == "true"))
}

// Redriven asks for one dead letter to be tried again.
type Redriven struct {
	// Service is the one that could not apply it.
	Service string `json:"service"`
	// ID is the event's.
	ID string `json:"id"`
}

// ServeRedrive is the handler of POST RedrivePath: it puts a dead letter back in line, and keeps who asked for it.
func (s *Source) ServeRedrive(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	asked, _, err := httpx.ReadJSON[Redriven](w, r, 4<<10)
	if err != nil {
		return err
	}
	done, err := flow.RedriveBy(r.Context(), s.Pool, flow.Redriver{Role: who.Role, Organisation: who.Organisation,
		Subject: who.Subject}, s.Clock.Now(), asked.ID)
	if err != nil {
		return err
	}
	if !done {
		return httpx.NewProblem(http.StatusNotFound, "There is no such dead letter: it may have been put back in line "+
			"meanwhile. GET /api/operations lists those there are.")
	}
	s.Log.InfoContext(r.Context(), "a dead letter was put back in line")
	return httpx.WriteJSON(w, http.StatusOK, Redriven{Service: s.Service, ID: asked.ID})
}

// Keep keeps how the figures stand each minute, until ctx ends. A minute in which they cannot be read is left out: the
// charts show a gap there.
func (s *Source) Keep(ctx context.Context) {
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	var kept time.Time
	for {
		if now := s.Clock.Now(); !now.Truncate(time.Minute).Equal(kept) {
			if err := s.keep(ctx, now); err == nil {
				kept = now.Truncate(time.Minute)
			} else if ctx.Err() == nil {
				s.Log.Debug("keeping how the figures stand", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Source) keep(ctx context.Context, now time.Time) error {
	a := s.Answer(ctx, s.Everyone, false)
	figures := map[string]float64{}
	for _, r := range a.Readings {
		if k := KindOf(r.Name); k.Chart {
			figures[r.Name] = r.Value
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return s.Flow.KeepSample(ctx, now, figures)
}
