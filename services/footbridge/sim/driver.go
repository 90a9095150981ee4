package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// run is one simulation under way.
type run struct {
	cfg      Config
	world    *World
	zone     *time.Location
	log      *log
	report   *Report
	hospital *hospital
	teams    []*team
	callers  *team
	partners []*partner

	now      time.Time // what the clock was last moved to
	journeys map[string]*followed
	offers   map[string]*offered
	calls    map[string]*call
	told     told
}

// followed is a journey as it was seen from outside.
type followed struct {
	id     string
	person *Person // nil until somebody has looked who it is
	looked bool
	// session and calls are what the person was last recorded to have said; nil where they have not been asked.
	session, calls  *bool
	contacted       time.Time // when a human first reached them
	tries           int
	newest          *offered
	vain            int            // tries since they last answered
	kinds           map[string]int // how often each kind of step was tried or done
	closing, closed string         // what was said when it was closed, and that it is
	band            string         // where they stand, at the last look
	events          map[schemas.Type]int
	raised          int
	partners        []string // which an offer was ever prepared for
	recorded        bool     // preferences and contact
	fromHour        int      // the hours at which they said that they may be rung; 0 where they named none
	toHour          int
	window          window
	watched         bool      // the sentinel has said that it is in the void
	late            time.Time // when it was first seen there, and the sentinel had not said so yet
	next, nextOwner string    // what comes next, at the last look
}

// offered is an offer as it was seen on the bus.
type offered struct {
	id, journey, partner string
	nth                  int // of the journey
}

type call struct {
	id, journey string
	due         time.Time
}

func newRun(cfg Config) (*run, error) {
	l, err := newLog(cfg.Out)
	if err != nil {
		return nil, fmt.Errorf("writing the log: %w", err)
	}
	r := &run{cfg: cfg, world: NewWorld(cfg.Scenario), zone: cfg.Scenario.zone, log: l,
		journeys: map[string]*followed{}, offers: map[string]*offered{}, calls: map[string]*call{}}
	r.hospital = &hospital{run: r, waiting: r.world.Messages}
	r.report = newReport(cfg, r.world)
	for _, t := range cfg.Scenario.Teams {
		one := &team{run: r, Team: t, who: whoOf(cfg.Organisation, t.Name)}
		if t.Name == callersTeam {
			r.callers = one
			continue
		}
		r.teams = append(r.teams, one)
	}
	for _, p := range cfg.Scenario.Partners {
		i := slices.IndexFunc(cfg.Partners, func(k KnownPartner) bool { return k.Service == p.ID })
		if i < 0 {
			return nil, fmt.Errorf("the system does not know the partner %s", p.ID)
		}
		r.partners = append(r.partners, newPartner(r, p, cfg.Partners[i].ID))
	}
	return r, nil
}

func (r *run) close() {
	r.hospital.hangUp()
	for _, p := range r.partners {
		if p.shut != nil {
			p.shut()
		}
	}
	r.log.close()
}

// prepare lets partners say how they work, before the first day.
func (r *run) prepare(ctx context.Context) error {
	if err := r.move(ctx, r.cfg.Scenario.Begins()); err != nil {
		return err
	}
	r.tellsWorld()
	for _, p := range r.partners {
		if err := p.prepare(ctx); err != nil {
			return fmt.Errorf("partner %s: %w", p.ID, err)
		}
	}
	return r.settle(ctx)
}

func (r *run) move(ctx context.Context, at time.Time) error {
	r.now = at
	if err := r.cfg.System.MoveTo(ctx, at); err != nil {
		return err
	}
	return r.observe(ctx)
}

func (r *run) settle(ctx context.Context) error {
	if err := r.cfg.System.Settle(ctx); err != nil {
		return err
	}
	return r.observe(ctx)
}

// taken waits until what has been sent has come to everybody; what falls due is not looked at.
func (r *run) taken(ctx context.Context) error {
	if err := r.cfg.System.Taken(ctx); err != nil {
		return err
	}
	return r.observe(ctx)
}

// day lives through one local day, hour by hour; hours in which nobody works and nothing comes are left out.
func (r *run) day(ctx context.Context, first calendar.Day, n int) error {
	day := first + calendar.Day(n)
	for hour := range 24 {
		at := day.At(hour, 0, r.zone)
		if !at.After(r.now) || !r.something(at) {
			continue
		}
		if err := r.hour(ctx, at); err != nil {
			return fmt.Errorf("%s: %w", at.In(r.zone).Format("2 January 15:04"), err)
		}
	}
	return r.spent("evenings", func() error { return r.evening(ctx, day) })
}

// something says whether anybody works at a time, or the hospital has sent something by then.
func (r *run) something(at time.Time) bool {
	if r.hospital.has(at) || at.In(r.zone).Hour() == 17 { // most of what is promised is promised by five o'clock
		return true
	}
	for _, t := range append(r.teams, r.callers) {
		if t != nil && t.atWork(at, r.zone) && (t.From > 0 || t.To < 24) {
			return true
		}
	}
	return false
}

// hour is one step of the clock, and what everybody does at it: first what comes from outside, then, when it has come
// to them, the hospital's staff, and when that has come to them the partners.
func (r *run) hour(ctx context.Context, at time.Time) error {
	if err := r.spent("moving the clock", func() error { return r.move(ctx, at) }); err != nil {
		return err
	}
	if err := r.actAll(ctx, r.taken, act{"the hospital", r.hospital.act}, act{"people", r.tell}); err != nil {
		return err
	}
	if err := r.breaks(ctx); err != nil {
		return err
	}
	if err := r.actAll(ctx, r.settle, act{"staff", r.teamsAct}, act{"callers", r.callersAct}); err != nil {
		return err
	}
	if err := r.actAll(ctx, r.settle, act{"partners", r.partnersAct}); err != nil {
		return err
	}
	return r.spent("checks", func() error { return r.check(ctx) })
}

// act is what some of those do who take part, and how many things they did.
type act struct {
	who string
	do  func(context.Context) (done int, err error)
}

// actAll lets some act, and waits until what follows from that has happened.
func (r *run) actAll(ctx context.Context, follows func(context.Context) error, acts ...act) error {
	did := 0
	for _, a := range acts {
		if err := r.spent(a.who, func() error {
			done, err := a.do(ctx)
			did += done
			return err
		}); err != nil {
			return err
		}
	}
	if did == 0 {
		return nil
	}
	return r.spent("what follows", func() error { return follows(ctx) })
}

// spent does something and notes on whom the machine's time went.
func (r *run) spent(on string, do func() error) error {
	began := time.Now()
	defer func() { r.report.Spent[on] += time.Since(began) }()
	return do()
}

func (r *run) teamsAct(ctx context.Context) (done int, err error) {
	for _, t := range r.teams {
		n, err := t.act(ctx)
		if err != nil {
			return done, fmt.Errorf("%s: %w", t.Name, err)
		}
		done += n
	}
	return done, nil
}

func (r *run) partnersAct(ctx context.Context) (done int, err error) {
	for _, p := range r.partners {
		n, err := p.act(ctx)
		if err != nil {
			return done, fmt.Errorf("partner %s: %w", p.ID, err)
		}
		done += n
	}
	return done, nil
}

// observe takes in what was published: the simulation's own record of who stands where.
func (r *run) observe(ctx context.Context) error {
	news := r.cfg.System.News()
	slices.SortStableFunc(news, func(a, b flow.Event) int { return cmp.Compare(a.ID, b.ID) })
	for _, e := range news {
		f := r.follow(e.Subject)
		kind := schemas.Type(e.Type)
		f.events[kind]++
		r.log.write(line{At: e.Time, Kind: "event", Journey: e.Subject, About: strings.TrimPrefix(e.Type,
			schemas.TypePrefix), Data: json.RawMessage(e.Data), Person: f.number(), From: e.Source, Seq: e.Sequence})
		if err := r.subscribe(kind, e, f); err != nil {
			return fmt.Errorf("reading %s: %w", e.Type, err)
		}
	}
	return nil
}

// subscribe notes what one event says.
func (r *run) subscribe(kind schemas.Type, e flow.Event, f *followed) error {
	if err := f.window.apply(kind, e.Data); err != nil {
		return err
	}
	switch kind {
	case schemas.OfferRaised:
		var d schemas.OfferRaisedData
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		f.raised++
		f.partners = append(f.partners, d.Partner)
		f.newest = &offered{d.Offer, e.Subject, d.Partner, f.raised}
		r.offers[d.Offer] = f.newest
	case schemas.OfferSent:
		r.sentOut(f)
	case schemas.CallScheduled:
		var d schemas.CallScheduledData
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		r.calls[d.Call] = &call{d.Call, e.Subject, d.DueAt}
		r.planned(r.calls[d.Call])
	case schemas.JourneyInVoid:
		return r.inVoid(e, f)
	case schemas.JourneyClosed:
		f.closed = cmp.Or(f.closing, "by the system")
	case schemas.JourneyReopened:
		f.closed = ""
	}
	return nil
}

func (r *run) follow(journey string) *followed {
	f := r.journeys[journey]
	if f == nil {
		f = &followed{id: journey, kinds: map[string]int{}, events: map[schemas.Type]int{}}
		r.journeys[journey] = f
	}
	return f
}

func (f *followed) number() *int {
	if f.person == nil {
		return nil
	}
	return &f.person.N
}

// fault is something that must never be.
func (r *run) fault(what, journey string) {
	f := r.follow(journey)
	r.log.write(line{At: r.now, Kind: "fault", Journey: journey, About: what, Person: f.number()})
	r.report.Faults = append(r.report.Faults, Fault{At: r.now.In(r.zone).Format("2006-01-02 15:04"), What: what,
		Journey: journey, Person: f.number()})
}
