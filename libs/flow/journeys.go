package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Handler is the shape of a service: what it keeps of each journey (state K, in a row of its own record R), what each
// type of event changes of that, and what should follow. Everything else is here: rows are locked in the order of their
// ids, an event that changes no value writes nothing, a journey's events are reconciled once a batch, and what is
// emitted carries the row's version, the journey's correlation and the event that led to it.
type Handler[K, R any] struct {
	Store         Store[K, R]
	Subscriptions Subscriptions[K]
	// Rows are types of events that make rows with keys of their own, where there are none, and change no state: what
	// queues them. A type is here or in Subscriptions; where it is here, its journey is neither locked nor read.
	Rows map[string]func(q Queuer, events []Event) error
	// Reconcile brings records whose state has changed in line with what should be, each once, in the order of their
	// ids: in memory, and by Row.Emit. What it returns queues the service's own rows, after those of the journeys; nil
	// where there are none.
	Reconcile func(now time.Time, changed []*R) (effects func(q Queuer) error)
}

// Row is what a service knows of one journey, in its row, locked by the transaction that loaded it. A service's record
// embeds it.
type Row[K any] struct {
	Journey     string
	Version     int64 // of the last event that was emitted
	Correlation string
	State       K
	// Applied are the events of this batch that changed the state; Cause is the one by which what is emitted came
	// about: the last of them, unless the service says otherwise. Both are empty where a person or the time leads to
	// it.
	Applied []*Event
	Cause   *Event

	emissions []Emission
	fresh     bool     // has no row yet
	broken    error    // why its row does not decode
	before    Snapshot // by it an event that changes nothing is noticed
}

// Emit gives an event of this journey out when the transaction commits, with the row's next version.
func (r *Row[K]) Emit(typ string, data any) {
	r.Version++
	r.emissions = append(r.emissions, Emission{Type: typ, Journey: r.Journey, Version: r.Version, Cause: r.Cause,
		Correlation: r.Correlation, Data: data})
}

// EmitCounted gives an event out as Emit does, and runs after when it has committed.
func (r *Row[K]) EmitCounted(typ string, data any, after func()) {
	r.Emit(typ, data)
	r.emissions[len(r.emissions)-1].After = after
}

// EmitFirst gives out at once what a person did to the journey; what follows from it is caused by it.
func (r *Row[K]) EmitFirst(tx *Tx, typ string, data any) {
	r.Version++
	id := tx.Emit(Emission{Type: typ, Journey: r.Journey, Version: r.Version, Cause: r.Cause,
		Correlation: r.Correlation, Data: data})
	r.Cause = &Event{ID: id, Correlation: r.Correlation}
}

// Broken is why the journey's row does not decode, or nil. Nothing can be committed on one that does not.
func (r *Row[K]) Broken() error { return r.broken }

// Fresh says that the journey has no row yet.
func (r *Row[K]) Fresh() bool { return r.fresh }

// Subscriptions are what each type of event changes of a state.
type Subscriptions[K any] map[string]func(state *K, e Event) error

// Subscription is one line of them.
type Subscription[K any] struct {
	typ   string
	apply func(state *K, e Event) error
}

// Table puts lines together. A type that stands in it twice is a mistake of whoever writes it, and panics.
func Table[K any](lines ...Subscription[K]) Subscriptions[K] {
	table := Subscriptions[K]{}
	for _, line := range lines {
		if table[line.typ] != nil {
			panic("flow: two lines for " + line.typ)
		}
		table[line.typ] = line.apply
	}
	return table
}

// On is what a type of event changes, whose data is a D, by its sequence: what an older one said changes nothing.
func On[T ~string, K, D any](typ T, apply func(state *K, data D, sequence int64)) Subscription[K] {
	return OnEvent(typ, func(state *K, data D, sequence int64, _ Event) { apply(state, data, sequence) })
}

// OnEvent is On where the change depends on the event's time or type too.
func OnEvent[T ~string, K, D any](typ T, apply func(state *K, data D, sequence int64, e Event)) Subscription[K] {
	return Subscription[K]{string(typ), func(state *K, e Event) error {
		data, err := Decode[D](e)
		if err == nil {
			apply(state, data, ReadSequence(e.Sequence), e)
		}
		return err
	}}
}

// Apply lets an event change a state. A type without a line is an error.
func (s Subscriptions[K]) Apply(state *K, e Event) error {
	apply := s[e.Type]
	if apply == nil {
		return fmt.Errorf("event %s: %s is not subscribed to", e.ID, e.Type)
	}
	return apply(state, e)
}

// Handle is Config.Handle.
func (h Handler[K, R]) Handle(tx *Tx, batch []Event) func(fresh []Event) error {
	records := h.Load(tx, batch)
	return func(fresh []Event) error {
		emissions, err := h.Apply(tx, tx.Now, records, fresh)
		tx.emitAll(emissions)
		return err
	}
}

// Load queues the locking of the journeys whose state a batch may change; see Store.Load.
func (h Handler[K, R]) Load(q Queuer, batch []Event) map[string]*R {
	if len(h.Rows) > 0 {
		batch = slices.DeleteFunc(slices.Clone(batch), h.makesRows)
	}
	return h.Store.Load(q, Journeys(batch))
}

func (h Handler[K, R]) makesRows(e Event) bool { return h.Rows[e.Type] != nil }

// queueRows queues the rows that events make with keys of their own.
func (h Handler[K, R]) queueRows(q Queuer, fresh []Event) error {
	for _, typ := range slices.Sorted(maps.Keys(h.Rows)) {
		var of []Event
		for _, e := range fresh {
			if e.Type == typ {
				of = append(of, e)
			}
		}
		if len(of) == 0 {
			continue
		}
		if err := h.Rows[typ](q, of); err != nil {
			return err
		}
	}
	return nil
}

// Apply applies events to records that have been loaded, and commits those that they changed. A record whose row does
// not decode fails its own events: the batch is then done again one by one, and stops only its journey.
func (h Handler[K, R]) Apply(q Queuer, now time.Time, records map[string]*R, fresh []Event) ([]Emission, error) {
	for _, r := range records {
		row := h.Store.Row(r)
		row.Applied, row.Cause = nil, nil
	}
	if err := h.queueRows(q, fresh); err != nil {
		return nil, err
	}
	var changed []*R
	for i := range fresh {
		e := &fresh[i]
		if h.makesRows(*e) {
			continue
		}
		r, ok := records[e.Subject]
		if !ok {
			return nil, fmt.Errorf("event %s: its journey %q has not been loaded", e.ID, e.Subject)
		}
		did, err := h.apply(h.Store.Row(r), e)
		if err != nil {
			return nil, err
		}
		if did {
			changed = append(changed, r)
		}
	}
	return h.Commit(q, now, changed)
}

func (h Handler[K, R]) apply(row *Row[K], e *Event) (changed bool, err error) {
	if row.broken != nil {
		return false, row.broken
	}
	changed, err = row.before.Changed(&row.State, func() error { return h.Subscriptions.Apply(&row.State, *e) })
	if err != nil || !changed {
		return false, err
	}
	row.Applied, row.Cause = append(row.Applied, e), e
	if row.Correlation == "" {
		row.Correlation = e.Correlation
	}
	return true, nil
}

// Commit reconciles records, each once, in the order of their ids, queues their rows and what follows, and returns what
// is to be emitted. It is how events, people and due loops alike end a transaction.
func (h Handler[K, R]) Commit(q Queuer, now time.Time, changed []*R) (emissions []Emission, err error) {
	if len(changed) == 0 {
		return nil, nil
	}
	changed = slices.SortedFunc(slices.Values(changed),
		func(a, b *R) int { return strings.Compare(h.Store.Row(a).Journey, h.Store.Row(b).Journey) })
	changed = slices.Compact(changed)
	for _, r := range changed {
		if err := h.Store.Row(r).broken; err != nil {
			return nil, err
		}
	}
	effects := h.Reconcile(now, changed)
	if err := h.Store.Save(q, changed); err != nil { // what follows may name its journey's row
		return nil, err
	}
	if effects != nil {
		err = effects(q)
	}
	for _, r := range changed {
		row := h.Store.Row(r)
		emissions, row.emissions = append(emissions, row.emissions...), nil
	}
	return emissions, err
}

// Command commits records that a person or the time has changed, and gives out what follows.
func (h Handler[K, R]) Command(tx *Tx, changed ...*R) error {
	emissions, err := h.Commit(tx, tx.Now, changed)
	tx.emitAll(emissions)
	return err
}

func (tx *Tx) emitAll(emissions []Emission) {
	for _, e := range emissions {
		tx.Emit(e)
	}
}

// Queuer queues statements for the caller's next round trip: a Tx, or a pgx.Batch.
type Queuer interface {
	Queue(sql string, args ...any) *Query
}

// Store is where a service keeps its states: one row a journey, in the table journey_state with the columns journey,
// version, known (the state, as JSON) and correlation, and columns of the service's own.
type Store[K, R any] struct {
	Row func(*R) *Row[K]
	// New makes the record of a journey without a row; new(R) where nil.
	New func() *R
	// Columns are those of the service's own, which are written with each row.
	Columns []Column[R]
	// Select are further expressions, over journey_state as s and what Join adds, read into what Into points to. Loaded
	// is called when a row has been read.
	Select, Join string
	Into         func(*R) []any
	Loaded       func(*R) error
	// Read queues the reading of what else belongs to the records of these journeys; nil where there is nothing else.
	Read func(q Queuer, journeys []string, records map[string]*R)
}

// Column is one of a service's own columns.
type Column[R any] struct {
	name, typ, expression string
	gather                func([]*R) any
}

// Col is a column with its type and its value in a record.
func Col[R, V any](name, typ string, of func(*R) V) Column[R] {
	return Column[R]{name, typ, name, func(records []*R) any {
		values := make([]V, len(records))
		for i, r := range records {
			values[i] = of(r)
		}
		return values
	}}
}

// List is a column of the type text[], of words without spaces.
func List[R any](name string, of func(*R) []string) Column[R] {
	// arrays in an array must not be ragged
	c := Col(name, "text", func(r *R) string { return strings.Join(of(r), " ") })
	c.expression = "array_remove(string_to_array(" + name + ", ' '), '') as " + name
	return c
}

// Load queues the locking of journeys, in the order of their ids, and fills the map that it returns when the round trip
// is done. A journey that is not known yet gets a record without a row: of two transactions that make one at the same
// time, the second cannot store it and is done again. Handlers act for the system itself: no principal narrows what
// they see.
func (s Store[K, R]) Load(q Queuer, journeys []string) map[string]*R {
	records := make(map[string]*R, len(journeys))
	for _, journey := range journeys {
		records[journey] = s.Fresh(journey)
	}
	if len(journeys) == 0 {
		return records
	}
	q.Queue(s.selection()+` where s.journey = any($1::uuid[]) order by s.journey for update of s`, journeys).
		Query(func(rows pgx.Rows) error {
			return s.scan(rows, func(journey string, r *R) error { records[journey] = r; return nil })
		})
	if s.Read != nil {
		s.Read(q, journeys, records)
	}
	return records
}

// Lock queues the locking of rows that are there, by what follows the selection (over journey_state as s), and puts
// them into records. take, where it is not nil, gets each journey's id before what is in its row is read (Tx.Take). A
// row that does not decode is an error.
func (s Store[K, R]) Lock(q Queuer, records map[string]*R, take func(journey string), where string, args ...any) {
	q.Queue(s.selection()+` `+where, args...).Query(func(rows pgx.Rows) error {
		return s.scan(rows, func(journey string, r *R) error {
			if take != nil {
				take(journey)
			}
			records[journey] = r
			return s.Row(r).broken
		})
	})
}

// Fresh is the record of a journey that is not known yet.
func (s Store[K, R]) Fresh(journey string) *R {
	r := s.empty()
	row := s.Row(r)
	row.Journey, row.fresh = journey, true
	return r
}

func (s Store[K, R]) empty() *R {
	if s.New != nil {
		return s.New()
	}
	return new(R)
}

func (s Store[K, R]) selection() string {
	more := ""
	if s.Select != "" {
		more = ", " + s.Select
	}
	return `select s.journey::text, s.version, s.known::text, s.correlation` + more + ` from journey_state s ` + s.Join
}

// scan reads rows. One whose content does not decode is broken, and read all the same.
func (s Store[K, R]) scan(rows pgx.Rows, found func(journey string, r *R) error) error {
	defer rows.Close()
	for rows.Next() {
		r := s.empty()
		row := s.Row(r)
		var known string
		into := []any{&row.Journey, &row.Version, &known, &row.Correlation}
		if s.Into != nil {
			into = append(into, s.Into(r)...)
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(known), &row.State)
		if err == nil && s.Loaded != nil {
			err = s.Loaded(r)
		}
		if err != nil {
			row.broken = fmt.Errorf("reading what is known of journey %s: %w", row.Journey, err)
		}
		if err := found(row.Journey, r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Save queues the rows of records, the first of those that have none.
func (s Store[K, R]) Save(q Queuer, records []*R) error {
	if len(records) == 0 {
		return nil
	}
	columns, fault := s.columns(records)
	names, types, expressions, places, sets := make([]string, len(columns)), make([]string, len(columns)),
		make([]string, len(columns)), []string{}, []string{}
	args := make([]any, len(columns))
	for i, c := range columns {
		names[i], types[i], expressions[i], args[i] = c.name, fmt.Sprintf("$%d::%s[]", i+1, c.typ), c.expression,
			c.gather(records)
		if c.name != "fresh" {
			places, sets = append(places, c.name), append(sets, c.name+" = n."+c.name)
		}
	}
	stored := strings.Join(places, ", ")
	q.Queue(`with n as materialized (
			select `+strings.Join(expressions, ", ")+` from unnest(`+strings.Join(types, ", ")+`) as t(`+
		strings.Join(names, ", ")+`)
		), added as (
			insert into journey_state (`+stored+`) select `+stored+` from n where fresh
		)
		update journey_state s set `+strings.Join(sets[1:], ", ")+` from n where s.journey = n.journey and not n.fresh`,
		args...)
	return *fault
}

// columns are all columns of the table, the journey's id first, and whether each row is its first. The state of one
// that cannot be written is an error, known when the columns have been gathered.
func (s Store[K, R]) columns(records []*R) (columns []Column[R], fault *error) {
	fault = new(error)
	known := Col("known", "text", func(r *R) string {
		text, err := json.Marshal(&s.Row(r).State) // by its address: a copy would be made of it otherwise
		if err != nil {
			*fault = errors.Join(*fault, fmt.Errorf("writing what is known of journey %s: %w", s.Row(r).Journey, err))
		}
		return string(text)
	})
	known.expression = "known::jsonb"
	return append([]Column[R]{
		Col("journey", "uuid", func(r *R) string { return s.Row(r).Journey }),
		Col("version", "bigint", func(r *R) int64 { return s.Row(r).Version }),
		known,
		Col("correlation", "text", func(r *R) string { return s.Row(r).Correlation }),
		Col("fresh", "bool", func(r *R) bool { return s.Row(r).fresh }),
	}, s.Columns...), fault
}
