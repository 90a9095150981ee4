package journey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/schemas"
)

// SentinelConfig is what the sentinel needs. Fields with a default may be left zero.
type SentinelConfig struct {
	Owners Owners
	Zone   *time.Location
	Clock  clock.Clock
	Log    *slog.Logger
	// Tracer gets a span for each round.
	Tracer trace.Tracer

	// Flow gives out journey.in-void: a flow of service journey that need not hear anything, and runs beside.
	Flow *flow.Flow
	// Pool is logged in as journey; Held as footbridge_sentinel, which sees each service's view held and no more.
	Pool, OnHold *pgxpool.Pool
	// Services have a view held ("intake", "threshold", "followup", "bridging", "journey", "delivery").
	Services []string

	// Every is how often it looks (1 min). Settle is how long a thing may be held before its journey must be open
	// (5 min). Grace is how long a step may be overdue (4 h).
	Every, Decide, Grace time.Duration
	// Agree is for how long services may know differently of a journey: events are under way (30 min).
	Agree time.Duration
	// Slice is of how many journeys in a round what each service has held for longer is looked at again (1,000), and
	// half of them are read whole and compared: with 30,000 under way the one within half an hour, the other within an
	// hour, and no round takes longer the more is stored.
	Slice int
}

// Sentinel watches for the void, independently of the events that should prevent it: it reads tables, not the bus,
// and one process at a time does so, by a lease. Each finding opens one navigator's step and says journey.in-void,
// once.
type Sentinel struct {
	cfg    SentinelConfig
	flow   doer
	holder string
	// How far it has come; in memory, as it begins again from the first.
	journeys string               // the last journey of the slice before
	closed   string               // the last of those that are closed
	differ   map[string]differing // of what services did not know the same in the round before
	late     cursor               // the last step past its grace that was looked at
	services map[string]*reach    // of each service's view
	// Looked is called after each round, with what was found; for tests and status.
	Looked func(found int, err error)
	// LookedEverywhere is called after each round in which everything that it was to look at could be, by the one that
	// holds the lease: whoever waits for that outside hears nothing otherwise.
	LookedEverywhere func(at time.Time)
}

// reach is how far the sentinel has come with what one service holds.
type reach struct {
	upTo  time.Time // newer lines have not been looked at yet
	after string    // the journey that the slice before ended with
}

// NewSentinel makes a sentinel; Run starts it.
func NewSentinel(cfg SentinelConfig) (*Sentinel, error) {
	if err := cfg.Owners.Check(); err != nil {
		return nil, err
	}
	var err error
	if cfg.Zone, err = calendar.ZoneOr(cfg.Zone); err != nil {
		return nil, err
	}
	if len(cfg.Services) == 0 {
		cfg.Services = []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
			schemas.Delivery}
	}
	cfg.Every, cfg.Slice = cmp.Or(cfg.Every, time.Minute), cmp.Or(cfg.Slice, 1000)
	cfg.Decide, cfg.Grace = cmp.Or(cfg.Decide, 5*time.Minute), cmp.Or(cfg.Grace, grace)
	cfg.Agree = cmp.Or(cfg.Agree, 30*time.Minute)
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Tracer == nil {
		cfg.Tracer = noop.NewTracerProvider().Tracer("")
	}
	return &Sentinel{cfg: cfg, flow: cfg.Flow, holder: clock.NewRandomID(), journeys: clock.LowestID,
		closed: clock.LowestID, late: cursor{ID: clock.LowestID}, services: map[string]*reach{}}, nil
}

// Run looks each Every until ctx ends, and at once where a test or a simulation moves its clock by as much. Trouble is
// logged and waited out: a sentinel does not give up.
func (s *Sentinel) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	follower := clock.FollowerOf(s.cfg.Clock)
	defer follower.Leave()
	var looked time.Time
	for due := true; ; {
		moved := follower.Look()
		if now := s.cfg.Clock.Now(); due || !now.Before(looked.Add(s.cfg.Every)) {
			looked = now
			s.look(ctx)
		}
		follower.Looked()
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
			due = false
		case <-tick.C:
			due = true
		}
	}
}

// look is a round, and says what came of it.
func (s *Sentinel) look(ctx context.Context) {
	ctx, span := s.cfg.Tracer.Start(ctx, "look for the void")
	defer span.End()
	found, err := s.Round(ctx)
	span.SetAttributes(attribute.Int(schemas.AttrCount, found))
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("the sentinel could not look everywhere", schemas.AttrError, err, schemas.AttrRunbook,
			"sentinel.md")
	}
	if found > 0 {
		s.cfg.Log.Error("the void was found and a navigator's step opened", schemas.AttrCount, found,
			schemas.AttrRunbook, "void.md")
	}
	if s.Looked != nil {
		s.Looked(found, err)
	}
}

// Round looks once, if this process holds the lease or can have it. It returns how many findings were new. A service
// that cannot be read does not keep the others from being looked at.
func (s *Sentinel) Round(ctx context.Context) (found int, err error) {
	if s.cfg.Flow != nil {
		if err := s.cfg.Flow.ClockRight(); err != nil {
			return 0, err
		}
	}
	now := s.cfg.Clock.Now()
	mine, before, err := takeLease(ctx, s.cfg.Pool, s.holder, now, now.Add(min(3*s.cfg.Every, leaseAtMost)))
	if err != nil || !mine {
		return 0, err
	}
	keep := func(findings []finding) error {
		n, err := s.keep(ctx, findings)
		found += n
		return err
	}
	errs := []error{s.overdue(ctx, now, keep)}
	for _, service := range s.cfg.Services {
		errs = append(errs, s.onHoldBy(ctx, service, before, now, keep))
	}
	errs = append(errs, s.own(ctx, now, keep)) // what a step has just been opened beside needs no other
	if err := errors.Join(errs...); err != nil {
		return found, err
	}
	if err := noteLooked(ctx, s.cfg.Pool, s.holder, now); err != nil {
		return found, err
	}
	if s.LookedEverywhere != nil {
		s.LookedEverywhere(now)
	}
	return found, nil
}

// overdue looks at steps past their grace: what is new since the round before is found at once, however much it is; of
// what a take-over stands open for, a slice is looked at.
func (s *Sentinel) overdue(ctx context.Context, now time.Time, keep func([]finding) error) error {
	for {
		n, last, found, err := pastGrace(ctx, s.cfg.Pool, s.late, now.Add(-s.cfg.Grace), s.cfg.Slice)
		if err != nil {
			return err
		}
		if err := keep(found); err != nil {
			return err
		}
		if s.late = last; n < s.cfg.Slice {
			s.late = cursor{ID: clock.LowestID}
			return nil
		}
		if len(found) == 0 {
			return nil
		}
	}
}

// own looks at the next slice of journeys, whole: for those that nobody holds, for those whose stored row cannot be
// read, for what was changed by no way that there is, and for what other services know differently. Of those that are
// closed a tenth as many are looked at. No event and no hand can do anything about what is found here, so that a
// navigator's step is opened beside each.
func (s *Sentinel) own(ctx context.Context, now time.Time, keep func([]finding) error) error {
	limit := max(s.cfg.Slice/2, 1)
	live, err := s.nextWhole(ctx, &s.journeys, false, limit)
	if err != nil {
		return err
	}
	over, err := s.nextWhole(ctx, &s.closed, true, max(limit/10, 1))
	if err != nil {
		return err
	}
	findings, err := s.notDecoding(ctx, live, now)
	if err != nil {
		return err
	}
	for _, w := range live {
		findings = append(findings, w.amiss(s.cfg.Owners, now)...)
	}
	if err := keep(findings); err != nil {
		return err
	}
	return s.compareServices(ctx, append(live, over...), now, keep)
}

// nextWhole reads the slice after the one before, and begins again after the last.
func (s *Sentinel) nextWhole(ctx context.Context, after *string, closed bool, limit int) ([]whole, error) {
	all, err := readWhole(ctx, s.cfg.Pool, *after, closed, limit)
	if err != nil {
		return nil, err
	}
	if *after = clock.LowestID; len(all) == limit {
		*after = all[limit-1].ID
	}
	return all, nil
}

// notDecoding are the findings of journeys whose row does not decode, beside which no step stands yet.
func (s *Sentinel) notDecoding(ctx context.Context, all []whole, now time.Time) (findings []finding, err error) {
	var broken []record
	for _, w := range all {
		if w.Broken {
			broken = append(broken, w.record)
		}
	}
	if broken, err = withoutStepBeside(ctx, s.cfg.Pool, broken); err != nil {
		return nil, err
	}
	for _, r := range broken {
		findings = append(findings, finding{Key: fmt.Sprintf("unreadable/%s/%d", r.ID, r.Version), Journey: r.ID,
			Reason: voidNoStep, Since: now, Kind: stepMendWhatFailed, apart: true})
	}
	return findings, nil
}

// compareServices asks every service what it knows of these journeys, and of those of which something differed before.
// What differs in the same way for longer than events may be under way is found.
func (s *Sentinel) compareServices(ctx context.Context, these []whole, now time.Time,
	keep func([]finding) error) error {
	ids := map[string]bool{}
	for _, w := range these {
		ids[w.ID] = true
	}
	var again []string
	for _, d := range s.differ {
		if !ids[d.Journey] && !slices.Contains(again, d.Journey) {
			again = append(again, d.Journey)
		}
	}
	more, err := readThese(ctx, s.cfg.Pool, again)
	if err != nil {
		return err
	}
	all, err := s.differences(ctx, append(these, more...))
	differ := map[string]differing{}
	var findings []finding
	for _, d := range all {
		key := d.key()
		was, before := s.differ[key]
		if !before {
			was = differing{d, now}
		}
		differ[key] = was
		if now.Sub(was.since) >= s.cfg.Agree {
			findings = append(findings, finding{Key: key, Journey: d.Journey, Reason: voidDiffers, Since: was.since,
				Kind: stepFindWhatIsLost})
			s.cfg.Log.Error("services do not know the same of a journey", schemas.AttrJourney, d.Journey,
				schemas.AttrReason, d.Matter, schemas.AttrRunbook, "void.md")
		}
	}
	if err == nil { // a service that could not be asked makes nothing of what differed forgotten
		s.differ = differ
	}
	return errors.Join(err, keep(findings))
}

// differing is a difference, and since when it has been seen.
type differing struct {
	Difference
	since time.Time
}

// differences are of what services do not know the same of journeys at this moment. Each service is asked after
// journey's own rows were read; one that cannot be is left out.
func (s *Sentinel) differences(ctx context.Context, these []whole) ([]Difference, error) {
	if len(these) == 0 {
		return nil, nil
	}
	know := accounts{}
	var ids, asked []string
	var errs []error
	for _, w := range these {
		if w.Broken {
			continue
		}
		ids = append(ids, w.ID)
		for matter, value := range w.own() {
			know.add(w.ID, matter, Name, value)
		}
	}
	for _, service := range s.cfg.Services {
		if !compared(service) {
			continue
		}
		if service != Name {
			if err := readAccount(ctx, s.cfg.OnHold, service, ids, know); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		asked = append(asked, service)
	}
	return know.differences(asked), errors.Join(errs...)
}

// Differences are of what services do not know the same of these journeys at this moment: what is on its way too.
func (s *Sentinel) Differences(ctx context.Context, journeys []string) ([]Difference, error) {
	these, err := readThese(ctx, s.cfg.Pool, journeys)
	if err != nil {
		return nil, err
	}
	return s.differences(ctx, these)
}

// overlap is for how long a line is looked at as a new one: it may have been committed later than it says.
const overlap = time.Hour

// onHoldBy looks at what a service has come to hold since the round before, and at the next slice of what it holds. On
// the first round that is since a sentinel looked last, and a day at least.
func (s *Sentinel) onHoldBy(ctx context.Context, service string, before, now time.Time,
	keep func([]finding) error) error {
	settled := now.Add(-s.cfg.Decide)
	r := s.services[service]
	if r == nil {
		r = &reach{upTo: settled.Add(-24 * time.Hour), after: clock.LowestID}
		if !before.IsZero() && before.Before(r.upTo) {
			r.upTo = before
		}
		s.services[service] = r
	}
	pool := s.cfg.OnHold
	if service == Name {
		pool = s.cfg.Pool
	}
	see := func(rows []unseenRow) error {
		findings, err := s.judge(ctx, service, rows, settled)
		if err != nil {
			return err
		}
		return keep(findings)
	}
	if err := newlyHeld(ctx, pool, service, r.upTo.Add(-overlap), settled, see); err != nil {
		return err
	}
	r.upTo = settled
	return s.slice(ctx, pool, service, r, settled, see)
}

// slice looks at what a service holds on the next journeys. Nearly always these are as they should be, which is seen by
// their being read in the same order; what is left is judged line by line. What is held of intake may be on a journey
// that has been closed since, so that all are read; what the others hold, on one that has not.
func (s *Sentinel) slice(ctx context.Context, pool *pgxpool.Pool, service string, r *reach, settled time.Time,
	see func([]unseenRow) error) error {
	closedToo := service == schemas.Intake
	ids, err := following(ctx, s.cfg.Pool, r.after, !closedToo, s.cfg.Slice)
	if err != nil {
		return err
	}
	upTo := ""
	if len(ids) == s.cfg.Slice {
		upTo = ids[len(ids)-1]
	}
	there := make(map[string]bool, len(ids))
	for _, id := range ids {
		there[id] = true
	}
	err = heldOn(ctx, pool, service, r.after, upTo, func(rows []unseenRow) error {
		return see(slices.DeleteFunc(rows, func(row unseenRow) bool {
			return row.Since.After(settled) || row.ofJourney() && (row.State == sourceRecorded) == closedToo &&
				there[row.Journey]
		}))
	})
	if err != nil {
		return err
	}
	r.after = cmp.Or(upTo, clock.LowestID)
	return nil
}

// ofJourney says whether a line is one that needs its journey.
func (r unseenRow) ofJourney() bool {
	return r.State != sourceDead && r.State != sourceQuarantined && !r.amiss() && clock.IsID(r.Journey)
}

// amiss says that a line is a fault as it stands.
func (r unseenRow) amiss() bool { return strings.HasPrefix(r.State, sourceAmiss) }

// judge compares what a service holds with the journeys: what it holds must be on one that is open or held (or was
// closed too lately for the service to have let go), a discharge that
// was recorded must be on one (which may have been closed since), a message that was quarantined must have a step, and
// a dead letter is the void as it is.
func (s *Sentinel) judge(ctx context.Context, service string, rows []unseenRow, settled time.Time) ([]finding, error) {
	var begun, journeys, messages []string
	for _, r := range rows {
		switch {
		case r.State == sourceDead || r.amiss():
		case r.State == sourceQuarantined:
			messages = append(messages, r.Journey)
		case r.State == sourceRecorded:
			begun = append(begun, r.Journey)
		case clock.IsID(r.Journey):
			journeys = append(journeys, r.Journey)
		}
	}
	lost, err := unheld(ctx, s.cfg.Pool, journeys, false, settled)
	if err != nil {
		return nil, err
	}
	unopened, err := unheld(ctx, s.cfg.Pool, begun, true, settled)
	if err != nil {
		return nil, err
	}
	left, err := unread(ctx, s.cfg.Pool, messages, settled)
	if err != nil {
		return nil, err
	}
	var findings []finding
	for _, r := range rows {
		if r.State == sourceMail && r.Since.After(settled.Add(s.cfg.Decide-s.cfg.Grace)) {
			continue
		}
		if reason, kind := reasonOf(r, append(lost, unopened...), left); reason != "" {
			key := fmt.Sprintf("%s/%s/%s/%s/%d", reason, service, r.State, r.Journey, r.Since.Unix())
			findings = append(findings, finding{Key: key, Journey: r.Journey, Reason: reason, Since: r.Since,
				Kind: kind})
		}
	}
	return findings, nil
}

// States of the views that the sentinel treats apart.
const (
	sourceDead        = "dead-letter"
	sourceQuarantined = "message-quarantined"
	sourceRecorded    = "discharge-recorded"
	sourceAmiss       = "amiss-"
	sourceMail        = "amiss-mail" // as soon as it waits for longer than the grace
)

// Reasons of journey.in-void.
const (
	voidNoStep     = "no-step"
	voidOverdue    = "overdue"
	voidDeadLetter = "dead-letter"
	voidNotOpened  = "not-opened"
	voidDiffers    = "differs"
)

func reasonOf(r unseenRow, lost, left []string) (reason, kind string) {
	switch {
	case r.State == sourceDead:
		return voidDeadLetter, stepMendWhatFailed
	case r.amiss():
		return voidDiffers, stepMendWhatFailed
	case r.State == sourceQuarantined && slices.Contains(left, r.Journey):
		return voidNoStep, stepReadMessage
	case r.State != sourceQuarantined && slices.Contains(lost, r.Journey):
		return voidNotOpened, stepFindWhatIsLost
	}
	return "", ""
}

// keep opens a step for each finding that is new and says so, and returns for how many that has been committed.
func (s *Sentinel) keep(ctx context.Context, findings []finding) (found int, err error) {
	var errs []error
	for chunk := range slices.Chunk(findings, 200) {
		n, err := s.keepChunk(ctx, chunk)
		found += n
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}

// keepChunk keeps findings together; where that fails, one by one, so that one journey whose row cannot be read keeps
// no other from being seen. Of that one the step stands beside its journey, for a navigator as every other.
func (s *Sentinel) keepChunk(ctx context.Context, findings []finding) (found int, err error) {
	n, err := s.keepSome(ctx, findings)
	if pg.IsUnique(err) { // the journey was heard of at the same moment
		n, err = s.keepSome(ctx, findings)
	}
	if err == nil || ctx.Err() != nil || pg.IsInfrastructure(err) || errors.Is(err, flow.ErrOutcomeUnknown) {
		return n, err
	}
	var errs []error
	for _, f := range findings {
		n, err := s.keepSome(ctx, []finding{f})
		if err != nil && f.onJourney() && !pg.IsInfrastructure(err) {
			s.cfg.Log.Error("a journey's stored row cannot be used; a navigator's step is opened beside it",
				schemas.AttrJourney, f.Journey, schemas.AttrError, err, schemas.AttrRunbook, "void.md")
			f.apart, f.Kind = true, stepMendWhatFailed
			n, err = s.keepSome(ctx, []finding{f})
		}
		found += n
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}

// keepSome does it in one transaction, and counts nothing of one that was rolled back.
func (s *Sentinel) keepSome(ctx context.Context, findings []finding) (int, error) {
	found := 0
	err := s.flow.Do(ctx, func(tx *flow.Tx) error {
		steps, fresh := map[string]string{}, []string(nil)
		for _, f := range findings {
			steps[f.Key] = clock.NewID(tx.Now)
		}
		records := load(tx, journeysIn(findings))
		keepFindings(tx, findings, steps, tx.Now, func(keys []string) { fresh = keys })
		markFound(tx, findings, tx.Now.Add(-s.cfg.Grace), tx.Now)
		if err := tx.Flush(); err != nil {
			return err
		}
		found = len(fresh)
		w := writes{owners: s.cfg.Owners, zone: s.cfg.Zone, now: tx.Now, messages: map[string]Step{}}
		for _, f := range findings {
			w.void(records, f, steps[f.Key], slices.Contains(fresh, f.Key))
		}
		for _, e := range w.emissions {
			tx.Emit(e)
		}
		return w.store(tx)
	})
	if err != nil {
		return 0, err
	}
	return found, nil
}

// journeysIn returns the journeys that findings are about, sorted; a finding may also be about a message, or about an
// event whose subject is no journey at all.
func journeysIn(findings []finding) []string {
	ids := map[string]bool{}
	for _, f := range findings {
		if f.onJourney() {
			ids[f.Journey] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

func (f finding) onJourney() bool {
	return !f.apart && f.Kind != stepReadMessage && clock.IsID(f.Journey)
}

// awayAfter is for how long nobody may look before it counts as a time away: what fell overdue in it did so since this
// system was stopped, and is told apart.
const awayAfter = 30 * time.Minute

// soon is how long a navigator has for what the sentinel found.
const soon = 4 * time.Hour

// void opens the step of a finding, if it is new; a journey that was not known before needs its step either way.
func (w *writes) void(records map[string]*record, f finding, id string, fresh bool) {
	s := Step{ID: id, Kind: f.Kind, Basis: byHand + "sentinel/" + f.Key, Owner: w.owners.Navigator,
		DueAt: w.now.Add(soon), State: stateOpen,
		OpenedBy: "sentinel"}
	s.FirstDueAt = s.DueAt
	if !f.onJourney() {
		if fresh {
			s.About = aboutOf(f)
			w.opened = append(w.opened, s)
			w.emissions = append(w.emissions, w.inVoid(f, s, 1, ""))
		}
		return
	}
	r := records[f.Journey]
	if _, held := holding(r.Steps); !fresh && (held || r.State == journeyClosed) {
		return
	}
	s.Journey, s.Organisation = r.ID, r.Organisation
	r.Steps, w.opened = append(r.Steps, s), append(w.opened, s)
	if !slices.Contains(w.records, r) {
		w.records = append(w.records, r)
	}
	if fresh {
		r.Version++
		w.emissions = append(w.emissions, w.inVoid(f, s, r.Version, r.Correlation))
	}
}

// aboutOf is what a step without a journey is about: the message, or the finding itself.
func aboutOf(f finding) string {
	if f.Kind == stepReadMessage {
		return f.Journey
	}
	return f.Key
}

func (w *writes) inVoid(f finding, s Step, version int64, correlation string) flow.Emission {
	return flow.Emission{Type: string(schemas.JourneyInVoid), Journey: cmp.Or(f.Journey, "unknown"), Version: version,
		Correlation: correlation,
		Data:        schemas.JourneyInVoidData{Reason: f.Reason, Since: f.Since.In(w.zone), Next: nextOf(s, w.zone)}}
}
