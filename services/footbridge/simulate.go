package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/footbridge/sim"
	"footbridge/services/gateway"
	"footbridge/services/threshold/criteria"
)

type simFlags struct {
	Days       int    `env:"DAYS" default:"14" help:"how many days are simulated"`
	Discharges int    `env:"DISCHARGES" default:"50" help:"how many people leave A&E after self-harm in that time"`
	Seed       int    `env:"SEED" default:"1" help:"the same seed is the same world"`
	Scenario   string `env:"SCENARIO" placeholder:"FILE" help:"who works when and which partners there are (YAML, docs/simulator.md); empty: a small place"`
	Chaos      bool   `env:"CHAOS" help:"break things meanwhile: messages come twice, streams are deleted, processes are killed, the clock jumps"`
	Out        string `env:"OUT" placeholder:"DIR" help:"write log, summary (JSON), page (HTML) and pictures (SVG) here; empty: nowhere"`
}

// simulate runs a whole system of its own on a clock of its own, has made-up people live through some weeks in it, and
// tells what became of them. It brings its own servers, so that it meets no system that anybody uses.
func simulate(ctx context.Context, args []string) error {
	o, err := loadAlone[simFlags](args)
	if err != nil {
		return shown(err)
	}
	scenario, err := sim.ReadScenario(o.Own.Scenario)
	if err == nil {
		err = scenario.Span(o.Own.Days, o.Own.Discharges, uint64(o.Own.Seed))
	}
	if err != nil {
		return service.Usage{Err: err}
	}
	held := clock.NewHeldAlone(scenario.Begins().Add(-time.Hour))
	end, err := o.asSimulation(held, scenario)
	if err != nil {
		return err
	}
	defer end()
	if err := o.check(serviceNames()...); err != nil {
		return err
	}
	if err := o.makeKeys(); err != nil {
		return err
	}
	var found error
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err = run(working, &o.Config, serviceNames(), func(p *process) {
		p.runner.Add("simulation", func(ctx context.Context, h *service.Health) error {
			h.Ready()
			found = p.simulated(ctx, held, scenario, o.Own)
			stop(nil)
			<-ctx.Done()
			return nil
		})
	})
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		err = nil
	}
	return errors.Join(found, err)
}

// asSimulation makes of a configuration that of a system for a simulation alone: its own broker and state in a folder
// that goes with it, everybody made up, ports that are free. end removes what it made.
func (o *options[T]) asSimulation(held *clock.Held, scenario *sim.Scenario) (end func(), err error) {
	if o.NATSURL != "" || o.DatabaseURL != "" || len(o.DatabaseURLs) > 0 {
		return nil, service.Usage{Err: errors.New("a simulation brings its own servers, so that it meets no system " +
			"that " +
			"anybody uses: leave out FOOTBRIDGE_NATS_URL, FOOTBRIDGE_DATABASE_URL and " +
			"FOOTBRIDGE_<SERVICE>_DATABASE_URL")}
	}
	folder, err := os.MkdirTemp("", "footbridge-sim-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the simulation's state: %w", err)
	}
	o.StateDir, o.Keys, o.KEKFile = folder, "", ""
	o.Tokens = filepath.Join(folder, "tokens.yaml")
	token := make([]byte, 24)
	_, _ = rand.Read(token)
	o.simulation = hex.EncodeToString(token)
	line := fmt.Sprintf("tokens:\n  - {sha256: %s, organisation: %s, role: %s, subject: sim-hospital, source: %s}\n",
		principal.HashToken(o.simulation), o.Organisation, schemas.System, sim.Source)
	err = errors.Join(os.WriteFile(o.Tokens, []byte(line), 0o600), o.directoryOf(scenario, folder), o.freePorts())
	o.development, o.LogText, o.quiet, o.clock = true, true, true, held
	// Each connection plans each statement for itself, and again on each new day; nobody reads traces here.
	o.Connections, o.NoTraces = 4, true
	// Rates are by the machine's clock, and a day passes here in less than a second.
	o.rates = gateway.Rates{Systems: unbounded, People: unbounded, Unknown: unbounded, Guests: unbounded,
		AllGuests: unbounded, Knocks: unbounded, Codes: unbounded, AllCodes: unbounded}
	o.OutwardAllow = append(o.OutwardAllow, "127.0.0.0/8")
	return func() { _ = os.RemoveAll(folder) }, err
}

// unbounded is more requests a second than anybody sends.
const unbounded = 1e6

// directoryOf has the system use a scenario's directory, with its partners.
func (o *options[T]) directoryOf(scenario *sim.Scenario, folder string) error {
	from := criteria.ExampleFiles()
	if given := orElse(scenario.Directory, o.Directory); given != "" {
		from = os.DirFS(given)
	}
	o.Directory = filepath.Join(folder, "directory")
	return scenario.WriteDirectory(o.Directory, from)
}

// simulated starts the simulation in a system that runs.
func (p *process) simulated(ctx context.Context, held *clock.Held, scenario *sim.Scenario, f simFlags) error {
	s, stop, err := p.simSystem(ctx, held)
	if err != nil {
		return err
	}
	defer stop()
	all, err := p.partners()
	if err != nil {
		return err
	}
	var partners []sim.KnownPartner
	for _, partner := range all {
		partners = append(partners, sim.KnownPartner{ID: partner.ID, Service: partner.Service, Name: partner.Name})
	}
	run := sim.Config{System: s, Database: s.db, Scenario: scenario, Partners: partners,
		Organisation: p.cfg.Organisation, Out: f.Out, Progress: os.Stdout}
	if f.Chaos {
		if err := sim.MarkAsTest(ctx, s.db); err != nil { // it was made for this run, and goes with it
			return err
		}
		run.Breaker, s.chaos = s, true
	}
	report, err := sim.Run(ctx, run)
	if err != nil {
		return err
	}
	return report.Conclude(os.Stdout, f.Out)
}

// session is one of somebody who is signed in, and when it was last used.
type session struct {
	cookie *http.Cookie
	used   time.Time
}

// signedInFor is for how long nothing may be done in a session before another is begun: less than the gateway allows.
const signedInFor = 25 * time.Minute

// simSystem is this process as a simulation reaches it from outside.
type simSystem struct {
	*process
	held *clock.Held
	db   *pgxpool.Pool
	conn *bus.Conn

	mu      sync.Mutex
	cookies map[principal.Principal]session
	seen    map[string]bool // ids of events on the bus since mark
	news    []flow.Event
	mark    time.Time
	chaos   bool            // things are broken on purpose: what fails is tried again
	deleted bool            // the stream was deleted on purpose, and was not yet there again
	lost    []string        // durables that were deleted on purpose, until they are there again
	resent  map[string]bool // ids of events on the bus since it was there again; nil where all is as usual
	heard   time.Time       // when an event last came, by the machine's clock
	arrived atomic.Int64    // events on the bus so far, each once
}

func (p *process) simSystem(ctx context.Context, held *clock.Held) (s *simSystem, stop func(), err error) {
	s = &simSystem{process: p, held: held, cookies: map[principal.Principal]session{}, seen: map[string]bool{},
		mark: held.Now()}
	admin, _, err := p.cfg.adminDatabase()
	if err != nil {
		return nil, nil, err
	}
	if s.db, err = pg.Open(ctx, admin, pg.OpenConfig{MaxConns: 2, Wait: 30 * time.Second}); err != nil {
		return nil, nil, fmt.Errorf("opening the simulation's database: %w", err)
	}
	login, err := p.cfg.login(ownerName, "simulation")
	if err == nil {
		s.conn, err = bus.Connect(ctx, login)
	}
	if err != nil {
		s.db.Close()
		return nil, nil, err
	}
	stop = func() { s.conn.Close(); s.db.Close() }
	events, _ := p.cfg.streams()
	sub, err := s.conn.NATS.Subscribe(events.Subjects[0], s.published)
	if err == nil {
		err = errors.Join(sub.SetPendingLimits(-1, -1), s.conn.NATS.Flush())
	}
	if err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("listening to events: %w", err)
	}
	return s, stop, nil
}

// begin counts as seen what services wrote as they began: it may have been published before anybody listened.
func (s *simSystem) begin(ctx context.Context) error {
	ids, err := sim.Written(ctx, s.db, stateful(), s.mark)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.seen[id] = true
	}
	return err
}

func (s *simSystem) published(msg *nats.Msg) {
	e, err := flow.Unmarshal(msg.Data)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	if s.resent != nil {
		s.resent[e.ID] = true
	}
	if !s.seen[e.ID] {
		s.seen[e.ID] = true
		s.news = append(s.news, e)
		s.arrived.Add(1)
	}
}

// News are the events that were published since it was last asked.
func (s *simSystem) News() []flow.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.news
	s.news = nil
	return news
}

// MLLP is where the hospital sends.
func (s *simSystem) MLLP() string { return s.cfg.MLLPAddr }

// MoveTo moves the clock, and returns when all that follows from that has happened.
func (s *simSystem) MoveTo(ctx context.Context, at time.Time) error {
	s.mu.Lock()
	s.mark = s.held.Now()
	for id := range s.seen { // with chaos events are published again at any time
		if s.chaos {
			break
		}
		if made, ok := clock.IDTime(id); ok && made.Before(s.mark.Add(-time.Hour)) {
			delete(s.seen, id)
		}
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	return s.looked(ctx, at)
}

// Ask sends one request as somebody who is signed in, or as the hospital's system; once more where their session had
// ended, as days pass here in less than a second, and again where something is broken on purpose.
func (s *simSystem) Ask(ctx context.Context, who sim.Who, r sim.Request) (answer sim.Answer, err error) {
	began := time.Now()
	for {
		answer, err = s.ask(ctx, who, r)
		if err == nil && answer.Status == http.StatusUnauthorized {
			s.signedOut(who)
			answer, err = s.ask(ctx, who, r)
		}
		if !s.chaos || err == nil && answer.Status < http.StatusInternalServerError || ctx.Err() != nil ||
			time.Since(began) > settleWithin {
			return answer, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// signedOut forgets the session of somebody.
func (s *simSystem) signedOut(who sim.Who) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cookies, principalOf(who))
}

func principalOf(who sim.Who) principal.Principal {
	return principal.Principal{Organisation: who.Organisation, Role: string(who.Role), Subject: who.Subject,
		Team: who.Team}
}

func (s *simSystem) ask(ctx context.Context, who sim.Who, r sim.Request) (sim.Answer, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, "http://"+s.cfg.HTTPAddr+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return sim.Answer{}, err
	}
	if len(r.Body) > 0 {
		request.Header.Set("Content-Type", orElse(r.ContentType, "application/json"))
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	if err := s.sign(request, who); err != nil {
		return sim.Answer{}, err
	}
	response, err := ownSystem.Do(request)
	if err != nil {
		return sim.Answer{}, fmt.Errorf("asking %s: %w", r.Path, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	return sim.Answer{Status: response.StatusCode, Body: body}, err
}

// Follow reads server-sent events as somebody who is signed in, until the stream or ctx ends.
func (s *simSystem) Follow(ctx context.Context, who sim.Who, path, last string,
	take func(id string, event []byte)) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.cfg.HTTPAddr+path, nil)
	if err != nil {
		return err
	}
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	if err := s.sign(request, who); err != nil {
		return err
	}
	response, err := ownStreams.Do(request)
	if err != nil {
		return fmt.Errorf("following %s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		if response.StatusCode == http.StatusUnauthorized {
			s.signedOut(who) // the session ended meanwhile; the next is begun by asking again
			return nil
		}
		return fmt.Errorf("following %s: %s", path, response.Status)
	}
	id, lines := "", bufio.NewScanner(response.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			take(id, []byte(value))
		}
	}
	return nil // a stream that breaks off is followed again
}

// sign says in a request who is asking: a system by its token, a person by the session that they began; who has no
// role is nobody.
func (s *simSystem) sign(request *http.Request, who sim.Who) error {
	switch who.Role {
	case "":
		return nil
	case schemas.System:
		request.Header.Set("Authorization", "Bearer "+s.cfg.simulation)
		return nil
	}
	p := principalOf(who)
	s.mu.Lock()
	one, now := s.cookies[p], s.held.Now()
	s.mu.Unlock()
	cookie := one.cookie
	if cookie == nil || now.Sub(one.used) > signedInFor {
		page := signedIn{}
		if err := s.sessions.Begin(page, request, p); err != nil {
			return err
		}
		var err error
		if cookie, err = http.ParseSetCookie(http.Header(page).Get("Set-Cookie")); err != nil {
			return fmt.Errorf("signing in as a %s: %w", who.Role, err)
		}
	}
	s.mu.Lock()
	s.cookies[p] = session{cookie, now}
	s.mu.Unlock()
	request.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	return nil
}

// settleWithin is how long everything may take that follows from one move of the clock.
const settleWithin = 10 * time.Minute

// Settle waits until nothing is under way and nothing falls due at the time that the clock shows: every event is
// published and taken in, every loop has looked since and found nothing.
func (s *simSystem) Settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	if err := s.resolved(ctx); err != nil {
		return err
	}
	return s.looked(ctx, s.held.Now())
}

// Taken waits until every event that was written is published and taken in, and looks at nothing that falls due.
func (s *simSystem) Taken(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	return s.resolved(ctx)
}

// looked moves the clock and waits until all loops have looked at it, again for as long as anything comes of it.
func (s *simSystem) looked(ctx context.Context, at time.Time) error {
	for {
		found, arrived := s.held.Found(), s.arrived.Load()
		s.held.MoveTo(at)
		if err := s.until(ctx, "a loop looks at the clock", func() (bool, error) {
			return s.held.Settled(), nil
		}); err != nil {
			return err
		}
		if err := s.resolved(ctx); err != nil {
			return err
		}
		if s.held.Found() == found && s.arrived.Load() == arrived {
			return nil
		}
	}
}

// resolved waits until every event that was written is on the bus, and every reader has taken it in.
func (s *simSystem) resolved(ctx context.Context) error {
	events, _ := s.cfg.streams()
	return s.until(ctx, "events are published and taken in", func() (bool, error) {
		arrived := s.arrived.Load()
		unread, err := s.conn.Unread(ctx, events.Name)
		if err != nil || unread > 0 {
			return false, err
		}
		if !s.thereAgain(ctx, events.Name) {
			return false, nil
		}
		ids, err := sim.Written(ctx, s.db, stateful(), s.mark)
		if err == nil && s.sentAgain(ids) {
			return false, nil // and is to be taken in
		}
		return err == nil && s.allSeen(ids) && s.arrived.Load() == arrived, err
	})
}

// allSeen says whether all these events have been on the bus: after the stream was deleted, on the new one.
func (s *simSystem) allSeen(ids []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if !s.seen[id] || s.resent != nil && !s.resent[id] {
			return false
		}
	}
	return true
}

// until asks again and again until something is so.
func (s *simSystem) until(ctx context.Context, what string, is func() (bool, error)) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 8*time.Millisecond) {
		switch so, err := is(); {
		case err != nil && !s.chaos:
			return err
		case err == nil && so:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s at %s: %w; %s", what, s.held.Now().Format(time.RFC3339),
				context.Cause(ctx), s.notReady())
		case <-time.After(pause):
		}
	}
}

// notReady names what does not work at present.
func (s *simSystem) notReady() string {
	var all []string
	for name, why := range s.runner.Readiness().Reasons {
		all = append(all, name+": "+why)
	}
	return strings.Join(slices.Sorted(slices.Values(all)), "; ")
}
