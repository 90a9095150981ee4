package load

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/schemas"
)

// libs/flow alone, beside what one would write by hand who knows how: one discharge in durably, three stages each with
// its row once, four events, all of it kept when the power fails. No rules, no sealing, no checks of who sends.
//
// The hand-written one keeps no outbox: after a crash it would make the events again from its rows, by a program that
// is not part of it. It knows neither fences, parking, redrive nor clocks, and every one of its rows is of one kind.
const (
	nameFlowAlone = "flow"
	nameIdeal     = "ideal"
)

// aloneTemplate is the template of its databases.
const aloneTemplate = "alone"

//go:embed migrations/*.sql
var aloneTables embed.FS

// stageAlone is one stage: what it subscribes to and what it emits.
type stageAlone struct {
	service     string
	takes, says schemas.Type
}

var stagesAlone = []stageAlone{
	{schemas.Intake, "", schemas.DischargeRecorded},
	{schemas.Threshold, schemas.DischargeRecorded, schemas.PathwayDecided},
	{schemas.Followup, schemas.PathwayDecided, schemas.OfferRaised},
	{schemas.Bridging, schemas.OfferRaised, schemas.CallScheduled},
}

// dataAlone is what each event says, about as much as a thin one does.
type dataAlone struct {
	Visit  string   `json:"visit"`
	At     string   `json:"at"`
	Facts  []string `json:"facts"`
	Serves string   `json:"serves"`
}

var someData = dataAlone{Visit: "0190a0b0-c0d0-7000-8000-000000000000", At: "2026-11-02T10:00:00Z",
	Facts: []string{"age", "area", "route", "assessment"}, Serves: "talking-therapies"}

const (
	insertUnits = `insert into unit (journey, at, body) select j, $2, b::jsonb
		from unnest($1::uuid[], $3::text[]) as t(j, b)`
	insertNewUnits = insertUnits + ` on conflict do nothing`
)

func (b *bench) aloneVariants() []variant {
	return []variant{{name: nameFlowAlone, start: startAlone(nameFlowAlone), alone: true},
		{name: nameIdeal, start: startAlone(nameIdeal), alone: true}}
}

func startAlone(name string) func(ctx context.Context, s *stage, adminURL, natsURL string) (*child, addresses, error) {
	return func(_ context.Context, s *stage, adminURL, natsURL string) (*child, addresses, error) {
		own, err := s.keys().Private(loadUser)
		if err != nil {
			return nil, addresses{}, err
		}
		c, err := s.start(partService, []string{"LOAD_BROKER_SEED=" + own.NATS}, s.self, name, adminURL, natsURL)
		if err != nil {
			return nil, addresses{}, err
		}
		at, err := c.line()
		return c, addresses{http: at}, err
	}
}

// prepareAlone makes the template: each stage's schema with flow's tables and its own.
func (b *bench) prepareAlone(ctx context.Context) error {
	adminURL, err := b.stage.database(ctx, aloneTemplate, "")
	if err != nil {
		return err
	}
	_, err = setUpAlone(ctx, adminURL)
	return err
}

func setUpAlone(ctx context.Context, adminURL string) (urls map[string]string, err error) {
	tables, err := fs.Sub(aloneTables, "migrations")
	if err != nil {
		return nil, err
	}
	sets := []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()}, {Name: "unit", FS: tables}}
	setup := pg.SetupConfig{Password: func(role string) string { return "load-" + role }}
	for _, s := range stagesAlone {
		setup.Services = append(setup.Services, pg.Service{Name: s.service, Migrations: sets})
	}
	if urls, err = pg.Setup(ctx, adminURL, setup); err != nil {
		return nil, err
	}
	for _, s := range stagesAlone {
		if err := pg.Migrate(ctx, adminURL, s.service, sets...); err != nil {
			return nil, err
		}
	}
	return urls, nil
}

// arrivalAlone is a discharge on its way in.
type arrivalAlone struct {
	journey string
	body    []byte
	stored  chan error
}

// serveAlone opens the front door; both variants have the same.
func serveAlone(ctx context.Context, arrivals chan<- *arrivalAlone) error {
	return serveHTTP(ctx, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var reported schemas.DischargeReportedData
		if err == nil {
			err = json.Unmarshal(body, &reported)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a := &arrivalAlone{journey: clock.NewID(time.Now()), body: body, stored: make(chan error, 1)}
		arrivals <- a
		if err := <-a.stored; err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		accepted(w, r.Header.Get("Ce-Id"), a.journey)
	})
}

// unitsOf are the columns of a batch of arrivals.
func unitsOf(batch []*arrivalAlone) (journeys, bodies []string) {
	for _, a := range batch {
		journeys, bodies = append(journeys, a.journey), append(bodies, string(a.body))
	}
	return journeys, bodies
}

func answer(batch []*arrivalAlone, err error) {
	for _, a := range batch {
		a.stored <- err
	}
}

// connectAlone connects as the user who may do anything, once for each stage as services do.
func connectAlone(ctx context.Context, natsURL, name string) (*bus.Conn, error) {
	return bus.Connect(ctx, bus.Config{URL: natsURL, Seed: os.Getenv("LOAD_BROKER_SEED"), Name: name})
}

var streamAlone = bus.Stream{Name: streamName, Subjects: []string{"footbridge.>"}, MaxAge: 720 * time.Hour,
	MaxBytes: -1}

// runFlowAlone is the process of the stages by libs/flow.
func runFlowAlone(ctx context.Context, args []string) error {
	urls, err := setUpAlone(ctx, args[0])
	if err != nil {
		return err
	}
	arrivals := make(chan *arrivalAlone, 1024)
	for _, s := range stagesAlone {
		conn, err := connectAlone(ctx, args[1], s.service)
		if err != nil {
			return err
		}
		if _, err := conn.EnsureStream(ctx, streamAlone); err != nil {
			return err
		}
		pool, err := pg.Open(ctx, urls[s.service], pg.OpenConfig{Service: s.service, MaxConns: 8})
		if err != nil {
			return err
		}
		cfg := flow.Config{Service: s.service, Pool: pool, Bus: conn, Stream: streamAlone}
		if s.takes != "" {
			cfg.Subjects, cfg.Handle = []string{s.takes.SubjectFilter()}, s.handle
			if _, err := conn.EnsureDurable(ctx, flow.Durable(streamName, s.service, cfg.Subjects)); err != nil {
				return err
			}
		}
		f, err := flow.New(ctx, cfg)
		if err != nil {
			return err
		}
		go func() { _ = f.Run(ctx) }()
		if s.takes == "" {
			for range referenceWorkers {
				go s.take(ctx, f, arrivals)
			}
		}
	}
	return serveAlone(ctx, arrivals)
}

// take is the front door's group commit.
func (s stageAlone) take(ctx context.Context, f *flow.Flow, arrivals <-chan *arrivalAlone) {
	for ctx.Err() == nil {
		batch := gather(ctx, arrivals)
		journeys, bodies := unitsOf(batch)
		answer(batch, f.Do(ctx, func(tx *flow.Tx) error {
			tx.Queue(insertUnits, journeys, tx.Now, bodies)
			for _, journey := range journeys {
				tx.Emit(flow.Emission{Type: string(s.says), Journey: journey, Version: 1, Data: someData})
			}
			return nil
		}))
	}
}

// handle applies a batch: units that are there already change nothing.
func (s stageAlone) handle(tx *flow.Tx, batch []flow.Event) func([]flow.Event) error {
	journeys := make([]string, len(batch))
	for i, e := range batch {
		journeys[i] = e.Subject
	}
	there := map[string]bool{}
	tx.Queue(`select journey::text from unit where journey = any($1::uuid[])`,
		journeys).Query(func(rows pgx.Rows) error {
		var journey string
		_, err := pgx.ForEachRow(rows, []any{&journey}, func() error { there[journey] = true; return nil })
		return err
	})
	return func(fresh []flow.Event) error {
		var units, bodies []string
		for _, e := range fresh {
			if there[e.Subject] {
				continue
			}
			there[e.Subject] = true
			units, bodies = append(units, e.Subject), append(bodies, string(e.Data))
			tx.Emit(flow.Emission{Type: string(s.says), Journey: e.Subject, Version: 1, Cause: &e, Data: someData})
		}
		if len(units) > 0 {
			tx.Queue(insertUnits, units, tx.Now, bodies)
		}
		return nil
	}
}

// ideal is the hand-written variant.
type ideal struct {
	pool *pgxpool.Pool
	bus  *bus.Conn
	data []byte
}

// runIdeal is its process.
func runIdeal(ctx context.Context, args []string) error {
	urls, err := setUpAlone(ctx, args[0])
	if err != nil {
		return err
	}
	arrivals := make(chan *arrivalAlone, 1024)
	for _, s := range stagesAlone {
		if err := startIdeal(ctx, s, urls[s.service], args[1], arrivals); err != nil {
			return fmt.Errorf("starting %s: %w", s.service, err)
		}
	}
	return serveAlone(ctx, arrivals)
}

func startIdeal(ctx context.Context, s stageAlone, databaseURL, natsURL string, arrivals <-chan *arrivalAlone) error {
	conn, err := connectAlone(ctx, natsURL, s.service)
	if err != nil {
		return err
	}
	if _, err := conn.EnsureStream(ctx, streamAlone); err != nil {
		return err
	}
	cfg, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return err
	}
	cfg.MaxConns, cfg.AfterConnect = 4, pg.TextUUIDs
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	data, err := json.Marshal(someData)
	if err != nil {
		return err
	}
	i := &ideal{pool: pool, bus: conn, data: data}
	if s.takes == "" {
		for range referenceWorkers {
			go i.take(ctx, s, arrivals)
		}
		return nil
	}
	consumer, err := conn.JS.CreateOrUpdateConsumer(ctx, streamName, jetstream.ConsumerConfig{Durable: s.service,
		FilterSubjects: []string{s.takes.SubjectFilter()}, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 4096,
		AckWait: time.Minute})
	if err != nil {
		return err
	}
	arrived := make(chan jetstream.Msg, 1024)
	for range referenceWorkers {
		go i.work(ctx, s, arrived)
	}
	_, err = consumer.Consume(func(msg jetstream.Msg) { arrived <- msg }, jetstream.PullMaxMessages(1024))
	return err
}

func (i *ideal) take(ctx context.Context, s stageAlone, arrivals <-chan *arrivalAlone) {
	for ctx.Err() == nil {
		batch := gather(ctx, arrivals)
		journeys, bodies := unitsOf(batch)
		_, err := i.pool.Exec(ctx, insertUnits, journeys, time.Now(), bodies)
		answer(batch, err)
		if err == nil {
			err = i.say(ctx, s, journeys, nil)
		}
		complain(ctx, s, err)
	}
}

func (i *ideal) work(ctx context.Context, s stageAlone, arrived <-chan jetstream.Msg) {
	for ctx.Err() == nil {
		batch := gather(ctx, arrived)
		if len(batch) == 0 {
			return
		}
		journeys, bodies, causes := make([]string, len(batch)), make([]string, len(batch)), make([]string, len(batch))
		for n, msg := range batch {
			subject := msg.Subject()
			journeys[n] = subject[strings.LastIndexByte(subject, '.')+1:]
			bodies[n], causes[n] = string(i.data), msg.Headers().Get(nats.MsgIdHdr)
		}
		_, err := i.pool.Exec(ctx, insertNewUnits, journeys, time.Now(), bodies)
		if err == nil {
			err = i.say(ctx, s, journeys, causes)
		}
		if err == nil {
			for _, msg := range batch {
				_ = msg.Ack()
			}
		}
		complain(ctx, s, err)
	}
}

// say publishes the events that follow and waits until the broker has them. Their ids follow from the unit, so that the
// broker knows one that comes again.
func (i *ideal) say(ctx context.Context, s stageAlone, journeys, causes []string) error {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	subject := strings.TrimPrefix(string(s.says), "care.") + "."
	waits := make([]jetstream.PubAckFuture, len(journeys))
	for n, journey := range journeys {
		id := journey + "/" + s.service
		cause := ""
		if causes != nil {
			cause = `,"causationid":"` + causes[n] + `"`
		}
		payload := make([]byte, 0, 640)
		payload = append(append(append(payload, `{"specversion":"1.0","id":"`...), id...),
			`","source":"/footbridge/`...)
		payload = append(append(append(payload, s.service...), `","type":"`...), s.says...)
		payload = append(append(append(payload, `","subject":"`...), journey...),
			`","datacontenttype":"application/json","time":"`...)
		payload = append(append(append(payload, now...), `","data":`...), i.data...)
		payload = append(append(append(payload, cause...), `,"correlationid":"`...), journey...)
		payload = append(payload, `","sequence":"000000000001"}`...)
		var err error
		waits[n], err = i.bus.JS.PublishMsgAsync(&nats.Msg{Subject: subject + journey, Data: payload,
			Header: nats.Header{nats.MsgIdHdr: {id}}})
		if err != nil {
			return err
		}
	}
	return stored(ctx, waits)
}

func complain(ctx context.Context, s stageAlone, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, nameIdeal, s.service, err)
	}
}

// doneAlone counts the units of which each stage has its row.
func doneAlone(ctx context.Context, adminURL string) (int, error) {
	db, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close(ctx) }()
	var n int
	err = db.QueryRow(ctx, `select count(*) from intake.unit join threshold.unit using (journey)
		join followup.unit using (journey) join bridging.unit using (journey)`).Scan(&n)
	return n, err
}
