// Package load measures what the pipeline costs, as ratios within one run: the real binary with all its services,
// next to a hand-written reference that makes the same rows and the same events with none of the machinery, and next
// to the version that one would write first, one message, one transaction. docs/performance.md says how and what came
// out.
//
// Every variant gets the same bytes over the same door and runs on the same kind of broker, the same tables and the
// same PostgreSQL, each time on a fresh copy. A unit counts when both its last events have been read by an ordered
// consumer and the timeline's service has acknowledged both; the lines are then counted in the table.
package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Options say what is measured. Zero values are those of the command.
type Options struct {
	Binary           string // bin/footbridge
	Rounds           int
	Units, OpenUnits int
	Quick, Million   bool
	Stored           int    // journeys that Million stores first
	Profile          string // a file for a CPU profile of the service
	Markdown         string // a file to put the table into
	Only             string // one variant
	Log              string // a file for what the processes log
	Before           string // another build of the binary, to compare with
	Cost             bool   // statements and CPU by part, and nothing else
}

// Part is one of this program's own processes, by its first argument; nil for anything else.
func Part(name string) func(ctx context.Context, args []string) error {
	switch name {
	case partBroker:
		return func(ctx context.Context, args []string) error { return Broker(ctx, args[0], args[1]) }
	case nameReference:
		return runReference
	case nameSameRows:
		return runSameRows
	case nameStraightforward:
		return runStraightforward
	case nameEcho:
		return runEcho
	case nameEchoRows:
		return runEchoRows
	case nameFlowAlone:
		return runFlowAlone
	case nameIdeal:
		return runIdeal
	}
	return nil
}

// The variants.
const (
	nameFootbridge      = "footbridge"
	nameReference       = "reference"
	nameSameRows        = "same-rows"
	nameStraightforward = "straightforward"
	nameBefore          = "before"
	nameWithoutTraces   = "without-traces"
)

func (b *bench) variants() []variant {
	all := []variant{{name: nameFootbridge, start: startBinary(b.Binary)},
		{name: nameWithoutTraces, start: startBinary(b.Binary, "FOOTBRIDGE_NO_TRACES=true")},
		{name: nameReference, start: startHandWritten(nameReference)},
		{name: nameSameRows, start: startHandWritten(nameSameRows)},
		{name: nameStraightforward, start: startHandWritten(nameStraightforward), once: true}}
	all = append(all, b.aloneVariants()...)
	if b.Before != "" {
		all = append(all, variant{name: nameBefore, start: startBinary(b.Before)})
	}
	return slices.DeleteFunc(all, func(v variant) bool {
		return !b.measures(v.name)
	})
}

// startBinary starts a build of the program, with settings beside those that all have ("NAME=value").
func startBinary(binary string, more ...string) func(ctx context.Context, s *stage, adminURL, natsURL string) (*child,
	addresses, error) {
	return func(ctx context.Context, s *stage, adminURL, natsURL string) (*child, addresses, error) {
		return s.startFootbridge(ctx, binary, adminURL, natsURL, more...)
	}
}

// bench is one run of everything.
type bench struct {
	Options
	out     io.Writer
	stage   *stage
	results map[string]*result // by variant

	loadAtStart  float64
	empty, onTop []throughput // of the real binary, on nothing and on stored journeys
	mllp         map[string][]mllpPair
	parse, scan  float64 // bytes a second
}

// mllpPair is one round at an MLLP door: many connections, and one alone.
type mllpPair struct{ many, one mllpResult }

// result gathers what was measured of one variant.
type result struct {
	Closed    []throughput
	Open      []latency
	Memory    map[string]int64 // peak by part
	Footprint footprint        // of the first closed loop
	Units     float64          // in it
}

// emptyDatabase is the template of each run: migrated, with the day's partitions, and nothing in it.
const emptyDatabase = "empty"

// Run measures and reports to w as it goes.
func Run(ctx context.Context, o Options, w io.Writer) error {
	_, err := run(ctx, o, w)
	return err
}

func run(ctx context.Context, o Options, w io.Writer) (*bench, error) {
	if o.Quick {
		o.Rounds, o.Units, o.OpenUnits = 1, 300, 100
	}
	var err error
	if o.Binary, err = filepath.Abs(o.Binary); err != nil {
		return nil, err
	}
	if o.Before != "" {
		if o.Before, err = filepath.Abs(o.Before); err != nil {
			return nil, err
		}
	}
	b := &bench{Options: o, out: w, results: map[string]*result{}, mllp: map[string][]mllpPair{},
		loadAtStart: loadAverage()}
	b.say("starting PostgreSQL (load average %.1f)", b.loadAtStart)
	if b.stage, err = newStage(ctx, b.Log, b.settings()); err != nil {
		return nil, err
	}
	defer b.stage.close()
	if err := b.measure(ctx); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, b.stage.logTail())
	}
	if b.Cost {
		return b, nil
	}
	return b, b.report()
}

// settings are the server's: those of the design's measurements, and more where statements are counted.
func (b *bench) settings() map[string]string {
	settings := maps.Clone(postgresSettings)
	if b.Cost {
		maps.Copy(settings, costSettings)
	}
	return settings
}

// measures says whether a variant is asked for.
func (b *bench) measures(name string) bool {
	return b.Only == "" || slices.Contains(strings.Split(b.Only, ","), name)
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

func (b *bench) measure(ctx context.Context) error {
	b.say("looking at what one unit writes")
	if err := b.look(ctx); err != nil {
		return err
	}
	if b.Cost {
		return b.cost(ctx)
	}
	if err := b.prepareAlone(ctx); err != nil {
		return fmt.Errorf("making the tables of libs/flow alone: %w", err)
	}
	for round := range b.Rounds {
		for _, v := range b.variants() {
			if v.once && round > 0 {
				continue
			}
			if err := b.one(ctx, v, round); err != nil {
				return fmt.Errorf("measuring %s: %w", v.name, err)
			}
		}
	}
	if err := b.doors(ctx); err != nil {
		return fmt.Errorf("measuring MLLP: %w", err)
	}
	if !b.Million {
		return nil
	}
	b.say("storing %d journeys", b.Stored)
	if err := b.fill(ctx, storedDatabase, b.Stored); err != nil {
		return fmt.Errorf("storing journeys: %w", err)
	}
	for range b.Rounds {
		if err := b.growth(ctx); err != nil {
			return fmt.Errorf("measuring on top of stored journeys: %w", err)
		}
	}
	return nil
}

// storedDatabase holds the stored journeys.
const storedDatabase = "stored"

// growth measures once on nothing and once on top of what is stored.
func (b *bench) growth(ctx context.Context) error {
	v := variant{name: nameFootbridge, start: startBinary(b.Binary)}
	for _, on := range []struct {
		template string
		results  *[]throughput
	}{{emptyDatabase, &b.empty}, {storedDatabase, &b.onTop}} {
		r, err := b.stage.begin(ctx, v, on.template, max(50, b.Units/20))
		if err != nil {
			return err
		}
		t, err := r.closed(ctx, b.Units)
		r.end(ctx)
		if err != nil {
			return err
		}
		b.say("on %-8s %7.0f units/s  %.2f CPU s per 1,000  load %.1f", on.template, t.rate(), t.cpuPer1000(), t.Load)
		*on.results = append(*on.results, t)
	}
	return nil
}

// doors measures the MLLP doors of the real binary and of the echo, and parsing.
func (b *bench) doors(ctx context.Context) error {
	if !b.measures("mllp") {
		return nil
	}
	var err error
	if b.parse, b.scan, err = parsing(); err != nil {
		return err
	}
	many, one := max(20, b.Units/2), max(20, b.Units/5)
	for range b.Rounds {
		for _, name := range b.doorNames() {
			pair, err := b.door(ctx, name, many, one)
			if err != nil {
				return err
			}
			b.say("MLLP     %-16s %7.0f messages/s, alone p50 %.2f ms  load %.1f", name, pair.many.Rate,
				ms(pair.one.P50), loadAverage())
			b.mllp[name] = append(b.mllp[name], pair)
		}
	}
	return nil
}

func (b *bench) doorNames() []string {
	if b.Before != "" {
		return []string{nameFootbridge, nameEcho, nameEchoRows, nameBefore}
	}
	return []string{nameFootbridge, nameEcho, nameEchoRows}
}

func (b *bench) door(ctx context.Context, name string, many, one int) (pair mllpPair, err error) {
	s := b.stage
	addr := ""
	if name == nameEcho || name == nameEchoRows {
		adminURL, err := s.database(ctx, name, emptyDatabase)
		if err != nil {
			return pair, err
		}
		defer func() { _ = s.drop(ctx, name) }()
		c, err := s.start(name, nil, s.self, name, adminURL)
		if err != nil {
			return pair, err
		}
		defer c.stop()
		if addr, err = c.line(); err != nil {
			return pair, err
		}
	} else {
		binary := b.Binary
		if name == nameBefore {
			binary = b.Before
		}
		r, err := s.begin(ctx, variant{name: name, start: startBinary(binary)}, emptyDatabase, 0)
		if err != nil {
			return pair, err
		}
		defer r.end(ctx)
		before := r.meter.cpu()
		defer func() {
			b.say("MLLP     %-16s %.2f CPU s", name, total(spent(before, r.meter.cpu())))
		}()
		addr = r.at.mllp
	}
	if _, err := measureMLLP(addr, connections, many/5); err != nil { // warms up
		return pair, err
	}
	if pair.many, err = measureMLLP(addr, connections, many); err != nil {
		return pair, err
	}
	pair.one, err = measureMLLP(addr, 1, one)
	return pair, err
}

// look makes the template, then runs one unit through the real binary and captures what it has written.
func (b *bench) look(ctx context.Context) error {
	s := b.stage
	first := variant{name: nameFootbridge, start: startBinary(b.Binary)}
	r, err := s.begin(ctx, first, "", 0)
	if err != nil {
		return err
	}
	r.service.stop() // so that nobody is connected
	r.service = nil
	if err := r.forget(ctx); err != nil {
		r.end(ctx)
		return err
	}
	if _, err := s.database(ctx, emptyDatabase, r.database); err != nil {
		r.end(ctx)
		return err
	}
	r.end(ctx)
	if r, err = s.begin(ctx, first, emptyDatabase, 0); err != nil {
		return err
	}
	defer r.end(ctx)
	const some = 200 // how many steps a journey gets depends on what arrives together; the mean is taken
	sent, err := r.sender.closed(ctx, some)
	if err != nil {
		return err
	}
	if err := r.watcher.await(ctx, some); err != nil {
		return err
	}
	c, err := capture(ctx, r.adminURL, sent[0].journey)
	if err != nil {
		return err
	}
	content, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(s.captureFile(), content, 0o600)
}

// forget removes what belongs to the process and the broker that were, so that a copy is as before the first start.
func (r *running) forget(ctx context.Context) error {
	db, err := pgx.Connect(ctx, r.adminURL)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(ctx) }()
	for _, name := range speakers() {
		for _, table := range []string{"outbox_stream", "outbox_writer"} {
			if _, err := db.Exec(ctx, "delete from "+pgx.Identifier{name, table}.Sanitize()); err != nil {
				return fmt.Errorf("cleaning the template: %w", err)
			}
		}
	}
	return nil
}

func (s *stage) captureFile() string { return filepath.Join(s.dir, "unit.json") }

// logTail is the end of what the processes have logged.
func (s *stage) logTail() string {
	content, _ := os.ReadFile(s.log)
	return string(content[max(0, len(content)-3000):])
}

func (b *bench) one(ctx context.Context, v variant, round int) error {
	template, units := emptyDatabase, b.Units
	if v.alone {
		template, units = aloneTemplate, 5*b.Units // they are as much faster, and CPU time is counted in hundredths
	}
	r, err := b.stage.begin(ctx, v, template, max(50, b.Units/20))
	if err != nil {
		return err
	}
	defer r.end(ctx)
	if b.results[v.name] == nil {
		b.results[v.name] = &result{Memory: map[string]int64{}}
	}
	result := b.results[v.name]
	before, err := footprintOf(ctx, r.adminURL, r.conn)
	if err != nil {
		return err
	}
	var profiled <-chan error
	if b.Profile != "" && v.name == nameFootbridge && round == 0 {
		profiled = b.profile(ctx, r.at.ops, b.Profile)
	}
	r.meter.watchMemory(ctx)
	t, err := r.closed(ctx, units)
	if err != nil {
		return err
	}
	if profiled != nil {
		if err := <-profiled; err != nil {
			return err
		}
	}
	for part, bytes := range r.meter.memory() {
		result.Memory[part] = max(result.Memory[part], bytes)
	}
	b.say("round %d  %-16s %7.0f units/s  %.2f CPU s per 1,000 (service %.2f, broker %.2f, PostgreSQL %.2f)  load %.1f",
		round+1, v.name, t.rate(), t.cpuPer1000(),
		t.CPU[partService]/t.Units*1000, t.CPU[partBroker]/t.Units*1000, t.CPU[partPostgres]/t.Units*1000, t.Load)
	result.Closed = append(result.Closed, t)
	if round == 0 {
		after, err := footprintOf(ctx, r.adminURL, r.conn)
		if err != nil {
			return err
		}
		result.Footprint, result.Units = after.since(before), t.Units
	}
	l, err := r.open200(ctx, b.OpenUnits, openRate)
	if err != nil {
		return err
	}
	b.say("round %d  %-16s at %d/s: accept p50 %.1f p99 %.1f ms, whole p50 %.1f p99 %.1f ms  %.2f CPU s per 1,000  "+
		"load %.1f", round+1, v.name, openRate,
		ms(l.AcceptP50), ms(l.AcceptP99), ms(l.P50), ms(l.P99), l.CPUPer1000, l.Load)
	result.Open = append(result.Open, l)
	return nil
}

// openRate is the open loop's units a second.
const openRate = 200
