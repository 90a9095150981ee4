package bridging

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
)

// record is a journey's row with the plan that stands.
type record struct {
	flow.Row[JourneyState]
	Plan *Plan
}

var store = flow.Store[JourneyState, record]{
	Row: func(r *record) *flow.Row[JourneyState] { return &r.Row },
	Columns: []flow.Column[record]{
		flow.Col("organisation", "text", func(r *record) string { return r.State.Sender }),
		flow.Col("person", "text", func(r *record) string { return r.State.Person }),
	},
	Read: func(q flow.Queuer, journeys []string, records map[string]*record) {
		q.Queue(`select p.id::text, p.journey::text, p.organisation, p.person, p.state, p.because, p.waiting_on, p.every_days,
				p.minutes, p.started_at is not null, p.callers, p.not_callers, coalesce(c.id::text, ''), coalesce(c.on_day::text, ''), c.due_at
			from plan p left join lateral (select id, on_day, due_at from call where plan = p.id and ended_at is null limit 1) c on true
			where p.journey = any($1::uuid[]) and p.ended_at is null`, journeys).
			Query(func(rows pgx.Rows) error { return scanPlans(rows, records) })
	},
}

func scanPlans(rows pgx.Rows, records map[string]*record) error {
	var p Plan
	var callID, on string
	var due *time.Time
	into := []any{&p.ID, &p.Journey, &p.Organisation, &p.Person, &p.State, &p.Because, &p.WaitingOn, &p.EveryDays,
		&p.Minutes, &p.Started, &p.Only, &p.Never, &callID, &on, &due}
	_, err := pgx.ForEachRow(rows, into, func() error {
		loaded := p
		p.WaitingOn, p.Only, p.Never = nil, nil, nil // the next row must not write into this one's lists
		if callID != "" {
			day, err := calendar.ParseDay(on)
			if err != nil {
				return fmt.Errorf("reading call %s: %w", callID, err)
			}
			loaded.Call = &Call{ID: callID, Plan: p.ID, Journey: p.Journey, Organisation: p.Organisation, On: day, DueAt: *due}
		}
		if r, ok := records[p.Journey]; ok {
			r.Plan = &loaded
		}
		return nil
	})
	return err
}

// planColumns are plans as one array a column. Lists travel as JSON: an array of arrays must not be ragged.
type planColumns struct {
	ids, journeys, organisations, people, states, because, waits, only, never []string
	every, minutes                                                            []int32
	started                                                                   []bool
}

func columnsOf(plans []Plan) (planColumns, error) {
	var c planColumns
	for _, p := range plans {
		var lists [3]string
		for i, list := range [][]string{p.WaitingOn, p.Only, p.Never} {
			text, err := json.Marshal(append([]string{}, list...))
			if err != nil {
				return c, fmt.Errorf("writing plan %s: %w", p.ID, err)
			}
			lists[i] = string(text)
		}
		c.ids, c.journeys, c.organisations = append(c.ids, p.ID), append(c.journeys, p.Journey), append(c.organisations, p.Organisation)
		c.people, c.states, c.because = append(c.people, p.Person), append(c.states, string(p.State)), append(c.because, p.Because)
		c.waits, c.only, c.never = append(c.waits, lists[0]), append(c.only, lists[1]), append(c.never, lists[2])
		c.started = append(c.started, p.Started)
		c.every, c.minutes = append(c.every, int32(p.EveryDays)), append(c.minutes, int32(p.Minutes))
	}
	return c, nil
}

// openPlans queues new plans.
func openPlans(q flow.Queuer, plans []Plan, at time.Time) error {
	if len(plans) == 0 {
		return nil
	}
	c, err := columnsOf(plans)
	q.Queue(`insert into plan (id, journey, organisation, person, state, because, waiting_on, callers, not_callers, every_days, minutes,
			proposed_at, started_at)
		select id, journey, organisation, person, state, because, array(select jsonb_array_elements_text(waits::jsonb)),
			array(select jsonb_array_elements_text(callers::jsonb)), array(select jsonb_array_elements_text(not_callers::jsonb)),
			every_days, minutes, $13::timestamptz, case when started then $13::timestamptz end
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::integer[],
			$11::integer[], $12::boolean[])
			as n(id, journey, organisation, person, state, because, waits, callers, not_callers, every_days, minutes, started)`,
		c.ids, c.journeys, c.organisations, c.people, c.states, c.because, c.waits, c.only, c.never, c.every, c.minutes, c.started, at)
	return err
}

// updatePlans queues how plans stand now. When a plan started first is kept.
func updatePlans(q flow.Queuer, plans []Plan, at time.Time) error {
	if len(plans) == 0 {
		return nil
	}
	c, err := columnsOf(plans)
	q.Queue(`update plan p
		set state = n.state, because = n.because, waiting_on = array(select jsonb_array_elements_text(n.waits::jsonb)),
			callers = array(select jsonb_array_elements_text(n.callers::jsonb)), not_callers = array(select jsonb_array_elements_text(n.not_callers::jsonb)),
			started_at = case when n.started then coalesce(p.started_at, $8::timestamptz) end,
			ended_at = case when n.state = 'ended' then $8::timestamptz end
		from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
			as n(id, state, because, waits, callers, not_callers, started)
		where p.id = n.id`, c.ids, c.states, c.because, c.waits, c.only, c.never, c.started, at)
	return err
}

// cancelCalls queues that calls will not be made. It comes before scheduleCalls: a plan has one call ahead of it.
func cancelCalls(q flow.Queuer, calls []Call, at time.Time) {
	if len(calls) == 0 {
		return
	}
	var ids []string
	for _, c := range calls {
		ids = append(ids, c.ID)
	}
	q.Queue(`update call set state = 'cancelled', ended_at = $2 where id = any($1::uuid[])`, ids, at)
}

// scheduleCalls queues new calls.
func scheduleCalls(q flow.Queuer, calls []Call, at time.Time) {
	if len(calls) == 0 {
		return
	}
	var ids, plans, journeys, organisations, days []string
	var due []time.Time
	for _, c := range calls {
		ids, plans, journeys = append(ids, c.ID), append(plans, c.Plan), append(journeys, c.Journey)
		organisations, days, due = append(organisations, c.Organisation), append(days, c.On.String()), append(due, c.DueAt)
	}
	q.Queue(`insert into call (id, plan, journey, organisation, due_at, on_day, state, scheduled_at)
		select id, plan, journey, organisation, due_at, on_day::date, 'scheduled', $7
		from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[])
			as n(id, plan, journey, organisation, due_at, on_day)`, ids, plans, journeys, organisations, due, days, at)
}
