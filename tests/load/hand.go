package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/pg"
	"footbridge/schemas"
)

// message is an event as the hand-written variants carry it.
type message struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	ContentType     string          `json:"datacontenttype"`
	Schema          string          `json:"dataschema"`
	Time            time.Time       `json:"time"`
	Correlation     string          `json:"correlationid"`
	Causation       string          `json:"causationid,omitempty"`
	Sequence        string          `json:"sequence"`
	TraceParent     string          `json:"traceparent,omitempty"`
	Data            json.RawMessage `json:"data"`
	visit, hospital string          // of a discharge on its way in
	answer          chan string
}

// handWritten is a hand-written variant: the same front door, rows, events and deliveries, with captured contents and
// without rules, locks, tracing, sealing, permissions or fencing. What follows a discharge is fixed.
type handWritten struct {
	*captured
	pool     *pgxpool.Pool
	bus      *bus.Conn
	sealed   []byte
	sameRows bool // those that the services write today; otherwise those of the frozen reference
}

const someTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// The tables, as the services' migrations made them, with indexes, checks and foreign keys.
var (
	tMessage = newTable("intake.message", "", "id uuid", "organisation text", "sender text", "received_at timestamptz",
		"door text", "control_id text",
		"content_hash bytea", "type text", "ack text", "outcome text", "reason text", "visit uuid", "journey uuid",
		"raw bytea", "trace text")
	tMessageKey = newTable("intake.message_key", "", "message uuid", "wrapped bytea")
	tReceipt    = newTable("intake.receipt", "on conflict do nothing", "sender text", "control_id text",
		"content_hash bytea", "message uuid", "received_at timestamptz")
	tPerson = newTable("intake.person", "", "id uuid", "organisation text", "aliases uuid[]", "deceased boolean",
		"anonymous boolean", "identity bytea", "said_at timestamptz", "said_seq bigint", "version bigint")
	tPersonKey    = newTable("intake.person_key", "", "person uuid", "wrapped bytea")
	tPersonLookup = newTable("intake.person_lookup", "on conflict do nothing", "hash bytea", "person uuid")
	tVisit        = newTable("intake.visit", "on conflict do nothing", "id uuid", "organisation text", "number text",
		"person uuid", "version bigint", "says jsonb", "journey uuid", "raised_at timestamptz", "withdrawn boolean")
	// Of a message of which nothing follows yet.
	tArrival = newTable("intake.message", "", "id uuid", "organisation text", "sender text", "received_at timestamptz",
		"door text", "control_id text",
		"content_hash bytea", "type text", "ack text", "outcome text", "reason text", "visit uuid", "raw bytea",
		"trace text")
	tVisitSeen = newTable("intake.visit", "on conflict do nothing", "id uuid", "organisation text", "number text",
		"person uuid", "version bigint", "says jsonb", "withdrawn boolean")
	tConsent = newTable("intake.consent", "on conflict do nothing", "message uuid", "organisation text",
		"person uuid", "journey uuid", "purpose text", "given boolean", "how text", "recorded_by text",
		"said_at timestamptz")

	tStated = newTable("intake.stated_facts", "", "person uuid", "facts jsonb", "way text", "by_role text",
		"message uuid", "said_at timestamptz", "received_at timestamptz")
	tIntakes = newTable("intake.journey", "on conflict do nothing", "id uuid", "person uuid", "told bigint",
		"first_event text", "opened_at timestamptz")
	tYes = newTable("intake.yes_told", "on conflict do nothing", "journey uuid", "towards text", "told bigint")

	tThreshold = newTable("threshold.journey_state", "on conflict do nothing", "journey uuid", "organisation text",
		"person text", "version bigint", "known jsonb", "correlation text", "decision uuid")
	tDecision = newTable("threshold.decision", "on conflict do nothing", "id uuid", "journey uuid",
		"organisation text", "directory text", "decided_at timestamptz", "cause uuid", "matrix json")

	tFollowup = newTable("followup.journey_state", "on conflict (journey) do update set version = excluded.version, "+
		"known = excluded.known, status = excluded.status",
		"journey uuid", "organisation text", "person text", "status text", "version bigint", "known jsonb",
		"correlation text")
	tOffer = newTable("followup.offer", "on conflict do nothing", "id uuid", "journey uuid", "organisation text",
		"person text", "partner uuid", "visit text",
		"left_on date", "first_day date", "last_day date", "late boolean", "answer_by timestamptz", "consent text",
		"state text", "raised_at timestamptz", "because text")

	tBridging = newTable("bridging.journey_state", "on conflict (journey) do update set version = excluded.version, "+
		"known = excluded.known",
		"journey uuid", "organisation text", "person text", "version bigint", "known jsonb", "correlation text")
	tPlan = newTable("bridging.plan", "on conflict do nothing", "id uuid", "journey uuid", "organisation text",
		"person text", "state text", "because text", "waiting_on text[]",
		"every_days bigint", "minutes bigint", "proposed_at timestamptz", "started_at timestamptz")
	tOffered = newTable("bridging.offer", "on conflict do nothing", "id uuid", "journey uuid")
	tCall    = newTable("bridging.call", "on conflict do nothing", "id uuid", "plan uuid", "journey uuid",
		"organisation text", "due_at timestamptz", "on_day date", "state text", "scheduled_at timestamptz")

	tJourney = newTable("journey.journey", "on conflict (id) do update set version = excluded.version, known = "+
		"excluded.known",
		"id uuid", "organisation text", "person text", "state text", "holding_step uuid", "version bigint",
		"known jsonb", "correlation text", "began_at timestamptz", "arrived_at timestamptz")
	tStep = newTable("journey.step", "on conflict do nothing", "id uuid", "journey uuid", "organisation text",
		"kind text", "basis text", "owner text", "added_owners text[]", "due_at timestamptz",
		"first_due_at timestamptz", "overdue_level bigint", "state text", "opened_at timestamptz", "opened_by text",
		"closed_at timestamptz?", "look_at timestamptz?", "closed_by text")
	tLine = newTable("journey.timeline_entry", "on conflict do nothing", "journey uuid", "event uuid", "type text",
		"at timestamptz", "sentence text", "details jsonb")
)

func tInbox(service string) *table {
	return newTable(service+".inbox", "on conflict do nothing", "id uuid")
}
func tOutbox(service string) *table {
	return newTable(service+".outbox", "on conflict do nothing", "id uuid", "writer bigint", "n bigint", "subject text",
		"payload text")
}

// startHandWritten starts one of the hand-written variants in a process of its own.
func startHandWritten(name string) func(ctx context.Context, s *stage, adminURL, natsURL string) (*child, addresses,
	error) {
	return func(_ context.Context, s *stage, adminURL, natsURL string) (*child, addresses, error) {
		own, err := s.keys().Private(loadUser)
		if err != nil {
			return nil, addresses{}, err
		}
		c, err := s.start(partService, []string{"LOAD_BROKER_SEED=" + own.NATS}, s.self, name, adminURL, natsURL,
			s.captureFile())
		if err != nil {
			return nil, addresses{}, err
		}
		at, err := c.line()
		return c, addresses{http: at}, err
	}
}

func newHandWritten(ctx context.Context, args []string, conns int32) (*handWritten, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("want a database URL, a broker URL and a file")
	}
	content, err := os.ReadFile(args[2])
	if err != nil {
		return nil, err
	}
	h := &handWritten{captured: &captured{}}
	if err := json.Unmarshal(content, h.captured); err != nil {
		return nil, err
	}
	h.sealed = make([]byte, max(h.Raw, h.Identity, h.Wrapped))
	for i := range h.sealed {
		h.sealed[i] = byte(i*i*31 + i>>3*17) // does not compress away
	}
	cfg, err := pgxpool.ParseConfig(args[0])
	if err != nil {
		return nil, err
	}
	cfg.MaxConns, cfg.AfterConnect = conns, pg.TextUUIDs
	if h.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	h.bus, err = bus.Connect(ctx, bus.Config{URL: args[1], Seed: os.Getenv("LOAD_BROKER_SEED"), Name: "hand"})
	if err != nil {
		return nil, err
	}
	_, err = h.bus.EnsureStream(ctx, bus.Stream{Name: streamName, Subjects: []string{"footbridge.>"},
		MaxAge: 720 * time.Hour, MaxBytes: -1})
	return h, err
}

// serve opens the front door and prints where it is. take returns when the discharge cannot be lost.
func (h *handWritten) serve(ctx context.Context, take func(m *message) (journey string, err error)) error {
	return serveHTTP(ctx, func(w http.ResponseWriter, r *http.Request) {
		var reported schemas.DischargeReportedData
		if err := json.NewDecoder(r.Body).Decode(&reported); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		journey, err := take(&message{ID: r.Header.Get("Ce-Id"), visit: reported.Visit,
			hospital: reported.Organisation})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		accepted(w, r.Header.Get("Ce-Id"), journey)
	})
}

// accepted says that a discharge cannot be lost any more.
func accepted(w http.ResponseWriter, id, journey string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"id":%q,"journey":%q}`, id, journey)
}

// serveHTTP listens on a free port, prints where, and serves until ctx ends.
func serveHTTP(ctx context.Context, handle http.HandlerFunc) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handle}
	fmt.Println(listener.Addr())
	go func() { <-ctx.Done(); _ = server.Close() }()
	_ = server.Serve(listener) // it ends when it is closed
	return nil
}

func (h *handWritten) event(kind schemas.Type, journey string, cause *message, now time.Time) *message {
	m := &message{SpecVersion: "1.0", ID: clock.NewID(now), Source: "/footbridge/" + h.By[string(kind)],
		Type: string(kind), Subject: journey,
		ContentType: "application/json", Schema: "urn:footbridge:schema:" + string(kind), Time: now,
		Sequence:    "000000000001",
		TraceParent: someTrace, Data: h.Data[string(kind)]}
	m.Correlation = m.ID
	if cause != nil {
		m.Correlation, m.Causation = cause.Correlation, cause.ID
	}
	return m
}

// said are the types a service says for a unit, in a fixed order.
func (h *handWritten) said(service string) []schemas.Type {
	var types []schemas.Type
	for kind, by := range h.By {
		if by == service {
			types = append(types, schemas.Type(kind))
		}
	}
	slices.Sort(types)
	return types
}

func subjectOf(m *message) string { return strings.TrimPrefix(m.Type, "care.") + "." + m.Subject }

// outboxOf writes the events down; it returns them as they are published.
func outboxOf(service string, out []*message) (*rows, []*nats.Msg, error) {
	r := &rows{table: tOutbox(service)}
	msgs := make([]*nats.Msg, len(out))
	for i, m := range out {
		payload, err := json.Marshal(m)
		if err != nil {
			return nil, nil, err
		}
		subject := subjectOf(m)
		r.add(m.ID, int64(1), int64(i), subject, string(payload))
		msgs[i] = &nats.Msg{Subject: subject, Data: payload,
			Header: nats.Header{"Nats-Msg-Id": {m.ID}, "Content-Type": {"application/cloudevents+json"}}}
	}
	return r, msgs, nil
}

// writes of a stage for a batch of events: the rows, and the events that follow.
type writesOf func(batch []*message, now time.Time) ([]*rows, []*message)

func (h *handWritten) stages() map[string]writesOf {
	return map[string]writesOf{
		schemas.Threshold: h.threshold, schemas.Followup: h.followup, schemas.Bridging: h.bridging,
		schemas.Journey: h.journey,
		schemas.Intake:  h.intakeHears,
	}
}

// intakeHears is what intake does about events: it notes that it has heard them.
func (h *handWritten) intakeHears(batch []*message, _ time.Time) ([]*rows, []*message) {
	inbox, _ := h.heard(schemas.Intake, batch)
	return []*rows{inbox}, nil
}

func (h *handWritten) intake(batch []*message, now time.Time) ([]*rows, []*message) {
	all := []*rows{{table: tMessage}, {table: tMessageKey}, {table: tReceipt}, {table: tPerson}, {table: tPersonKey},
		{table: tPersonLookup}, {table: tVisit}, {table: tConsent},
		{table: tStated}, {table: tIntakes}, {table: tYes}}
	var out []*message
	for _, m := range batch {
		id, person, visit, journey := clock.NewID(now), clock.NewRandomID(), clock.NewID(now), clock.NewID(now)
		m.Subject = journey
		hash := []byte(strings.ReplaceAll(person, "-", ""))
		all[0].add(id, m.hospital, source, now, "events", m.ID, hash, string(schemas.DischargeReported), "202",
			"raised", "", visit, journey, h.sealed[:h.Raw], someTrace[3:35])
		all[1].add(id, h.sealed[:h.Wrapped])
		all[2].add(source, m.ID, hash, id, now)
		all[3].add(person, m.hospital, "{}", false, false, h.sealed[:h.Identity], now, int64(1), int64(1))
		all[4].add(person, h.sealed[:h.Wrapped])
		all[5].add(hash, person)
		all[6].add(visit, m.hospital, m.visit, person, int64(1), h.Visit, journey, now, false)
		for _, purpose := range []string{schemas.PurposeFollowUp, schemas.PurposeBridging} {
			all[7].add(id, m.hospital, person, journey, purpose, true, "spoken", "liaison-nurse", now)
		}
		if h.sameRows {
			for _, f := range h.Stated {
				all[8].add(person, f.Facts, f.Way, "", id, now, now)
			}
			all[9].add(journey, person, int64(1), m.ID, now)
			all[10].add(journey, "", int64(1))
		}
		for _, kind := range h.said(schemas.Intake) {
			out = append(out, h.event(kind, journey, nil, now))
		}
	}
	return all, out
}

// heard is the inbox, and the journeys of a batch once each, in order.
func (h *handWritten) heard(service string, batch []*message) (inbox *rows, journeys []*message) {
	inbox = &rows{table: tInbox(service)}
	if !h.sameRows {
		for _, m := range batch {
			inbox.add(m.ID)
		}
	}
	journeys = slices.SortedFunc(slices.Values(batch),
		func(a, b *message) int { return strings.Compare(a.Subject, b.Subject) })
	return inbox, slices.CompactFunc(journeys, func(a, b *message) bool { return a.Subject == b.Subject })
}

func (h *handWritten) threshold(batch []*message, now time.Time) ([]*rows, []*message) {
	inbox, journeys := h.heard(schemas.Threshold, batch)
	state, decisions := &rows{table: tThreshold}, &rows{table: tDecision}
	matrix := h.InFull
	if h.sameRows {
		matrix = h.Matrix
	}
	var out []*message
	for _, m := range journeys {
		id := clock.NewID(now)
		state.add(m.Subject, organisation, m.ID, int64(1), h.Threshold, m.Correlation, id)
		decisions.add(id, m.Subject, organisation, h.Directory, now, m.ID, matrix)
		for _, kind := range h.said(schemas.Threshold) {
			out = append(out, h.event(kind, m.Subject, m, now))
		}
	}
	return []*rows{inbox, state, decisions}, out
}

func (h *handWritten) followup(batch []*message, now time.Time) ([]*rows, []*message) {
	inbox, journeys := h.heard(schemas.Followup, batch)
	state, offers := &rows{table: tFollowup}, &rows{table: tOffer}
	var out []*message
	for _, m := range journeys {
		state.add(m.Subject, organisation, m.ID, "offered", int64(1), h.Followup, m.Correlation)
	}
	for _, m := range batch {
		if m.Type == string(schemas.PathwayDecided) {
			day := now.Format(time.DateOnly)
			offers.add(clock.NewID(now), m.Subject, organisation, m.ID, h.Partner, m.ID, day, day, day, false, now,
				"given", "raised", now, "")
			out = append(out, h.event(schemas.OfferRaised, m.Subject, m, now))
		}
	}
	return []*rows{inbox, state, offers}, out
}

func (h *handWritten) bridging(batch []*message, now time.Time) ([]*rows, []*message) {
	inbox, journeys := h.heard(schemas.Bridging, batch)
	state, plans, calls := &rows{table: tBridging}, &rows{table: tPlan}, &rows{table: tCall}
	var out []*message
	for _, m := range journeys {
		state.add(m.Subject, organisation, m.ID, int64(2), h.Bridging, m.Correlation)
	}
	offered := &rows{table: tOffered}
	for _, m := range batch {
		if m.Type == string(schemas.OfferRaised) && h.sameRows {
			offered.add(m.ID, m.Subject)
		}
		if m.Type == string(schemas.PathwayDecided) {
			plan := clock.NewID(now)
			plans.add(plan, m.Subject, organisation, m.ID, "active", "", "{talking-therapies}", int64(14), int64(15),
				now, now)
			calls.add(clock.NewID(now), plan, m.Subject, organisation, now.AddDate(0, 0, 14), now.Format(time.DateOnly),
				"scheduled", now)
			for _, kind := range h.said(schemas.Bridging) {
				out = append(out, h.event(kind, m.Subject, m, now))
			}
		}
	}
	return []*rows{inbox, state, plans, calls, offered}, out
}

func (h *handWritten) journey(batch []*message, now time.Time) ([]*rows, []*message) {
	inbox, journeys := h.heard(schemas.Journey, batch)
	state, steps, lines := &rows{table: tJourney}, &rows{table: tStep}, &rows{table: tLine}
	var out []*message
	step := func(m *message, i int, open bool) {
		s, state := h.Steps[i], "done"
		closed, look := &now, (*time.Time)(nil)
		if open {
			state, closed, look = "open", nil, &now
		}
		steps.add(stepID(m.Subject, i), m.Subject, organisation, s.Kind, s.Basis, s.Owner, "{}", now, now, int64(0),
			state, now, m.ID, closed, look, "")
	}
	for _, m := range journeys {
		state.add(m.Subject, organisation, m.ID, "open", stepID(m.Subject, 0), int64(1), h.Journey, m.Correlation, now,
			now)
		step(m, 0, true)
	}
	for _, m := range batch {
		lines.add(m.Subject, m.ID, m.Type, m.Time, m.Type, h.Details[m.Type])
		switch schemas.Type(m.Type) {
		case schemas.DischargeRecorded:
			for _, kind := range h.said(schemas.Journey) {
				out = append(out, h.event(kind, m.Subject, m, now))
			}
		case schemas.CallScheduled:
			for i := 1; i < len(h.Steps); i++ {
				step(m, i, false)
			}
		}
	}
	return []*rows{inbox, state, steps, lines}, out
}

// stepID makes an id that is the same each time: a journey's id with another version digit.
func stepID(journey string, i int) string {
	return journey[:14] + string("4568abcdef"[i%10]) + journey[15:]
}
