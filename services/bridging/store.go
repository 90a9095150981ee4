package bridging

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
)

// record is a journey's row with the plan that stands. entered is what somebody has just written down about a call of
// callPlan.
type record struct {
	flow.Row[JourneyState]
	Plan     *Plan
	entered  *Try
	callPlan string
	partners partners // as they stand, where somebody asks for a call
}

var store = flow.Store[JourneyState, record]{
	Row: func(r *record) *flow.Row[JourneyState] { return &r.Row },
	Columns: []flow.Column[record]{
		flow.Col("organisation", "text", func(r *record) string { return r.State.Sender }),
		flow.Col("person", "text", func(r *record) string { return r.State.Person }),
	},
	Read: func(q flow.Queuer, journeys []string, records map[string]*record) {
		q.Queue(standingPlans, journeys).Query(func(rows pgx.Rows) error { return scanPlans(rows, records) })
	},
}

// standingPlans reads the plans of journeys that have not ended, each with the call ahead of it: by conditions that one
// index alone has.
const standingPlans = `select p.id::text, p.journey::text, p.organisation, p.person, p.state, p.because, p.waiting_on,
	p.every_days,
		p.minutes, p.monthly, p.started_at is not null, coalesce(p.anchor::text, ''), p.team, coalesce(p.look_on::text,
		''), p.callers, p.not_callers, p.caller, coalesce(c.id::text, ''),
		coalesce(c.nominal, c.on_day)::text, c.on_day::text, c.due_at, coalesce(c.team, ''), coalesce(c.try, 0),
		coalesce(c.sequence, 0),
		coalesce(c.late, false), coalesce(c.claim_of, ''), coalesce(c.claim_mark, ''), c.claim_until
	from plan p left join lateral (select * from call where plan = p.id and state = 'scheduled' limit 1) c on true
	where p.journey = any($1::uuid[]) and p.state <> 'ended'`

func scanPlans(rows pgx.Rows, records map[string]*record) error {
	var p Plan
	var c Call
	var anchor, look string
	var nominal, on *string
	var due, until *time.Time
	into := []any{&p.ID, &p.Journey, &p.Organisation, &p.Person, &p.State, &p.Because, &p.WaitingOn, &p.EveryDays,
		&p.Minutes, &p.Monthly, &p.Started, &anchor, &p.Team, &look, &p.Only, &p.Never, &p.Caller, &c.ID, &nominal, &on,
		&due, &c.Team, &c.Try, &c.Sequence, &c.Late,
		&c.Claim.Of, &c.Claim.Mark, &until}
	_, err := pgx.ForEachRow(rows, into, func() error {
		loaded := p
		p.WaitingOn, p.Only, p.Never = nil, nil, nil // the next row must not write into this one's lists
		var err error
		if anchor != "" {
			if loaded.Anchor, err = calendar.ParseDay(anchor); err != nil {
				return fmt.Errorf("reading plan %s: %w", p.ID, err)
			}
		}
		if look != "" {
			if loaded.LookOn, err = calendar.ParseDay(look); err != nil {
				return fmt.Errorf("reading plan %s: %w", p.ID, err)
			}
		}
		if c.ID != "" {
			if loaded.Call, err = callOf(c, p, *nominal, *on, *due, until); err != nil {
				return err
			}
		}
		if r, ok := records[p.Journey]; ok {
			r.Plan = &loaded
		}
		return nil
	})
	return err
}

func callOf(c Call, p Plan, nominal, on string, due time.Time, until *time.Time) (*Call, error) {
	c.Plan, c.Journey, c.Organisation, c.DueAt = p.ID, p.Journey, p.Organisation, due
	if until != nil {
		c.Claim.Until = *until
	}
	var err error
	if c.Nominal, err = calendar.ParseDay(nominal); err == nil {
		c.On, err = calendar.ParseDay(on)
	}
	if err != nil {
		return nil, fmt.Errorf("reading call %s: %w", c.ID, err)
	}
	return &c, nil
}

// planColumns are plans as one array a column. Lists travel as JSON: an array of arrays must not be ragged.
type planColumns struct {
	ids, journeys, organisations, people, states, because, waits, only, never []string
	anchors, teams, looks                                                     []string
	every, minutes                                                            []int32
	started, monthly                                                          []bool
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
		c.ids, c.journeys, c.organisations = append(c.ids, p.ID), append(c.journeys, p.Journey),
			append(c.organisations, p.Organisation)
		c.people, c.states, c.because = append(c.people, p.Person), append(c.states, string(p.State)),
			append(c.because, p.Because)
		c.waits, c.only, c.never = append(c.waits, lists[0]), append(c.only, lists[1]), append(c.never, lists[2])
		c.started, c.monthly, c.teams = append(c.started, p.Started), append(c.monthly, p.Monthly),
			append(c.teams, p.Team)
		anchor := ""
		if p.Anchor != 0 {
			anchor = p.Anchor.String()
		}
		c.anchors = append(c.anchors, anchor)
		look := ""
		if p.LookOn != 0 {
			look = p.LookOn.String()
		}
		c.looks = append(c.looks, look)
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
	q.Queue(`insert into plan (id, journey, organisation, person, state, because, waiting_on, callers, not_callers,
		every_days, minutes,
			proposed_at, started_at, monthly, anchor, team, look_on, told)
		select id, journey, organisation, person, state, because, array(select jsonb_array_elements_text(waits::jsonb)),
			array(select jsonb_array_elements_text(callers::jsonb)), array(select
			jsonb_array_elements_text(not_callers::jsonb)),
			every_days, minutes, $13::timestamptz, case when started then $13::timestamptz
			end, monthly, nullif(anchor, '')::date, team, nullif(look, '')::date,
			state <> 'paused' or because in ('nobody-rings', 'no-time')
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
		$9::text[], $10::integer[],
			$11::integer[], $12::boolean[], $14::boolean[], $15::text[], $16::text[], $17::text[])
			as n(id, journey, organisation, person, state, because, waits, callers, not_callers, every_days, minutes,
			started, monthly, anchor, team, look)`,
		c.ids, c.journeys, c.organisations, c.people, c.states, c.because, c.waits, c.only, c.never, c.every, c.minutes,
		c.started, at, c.monthly, c.anchors, c.teams, c.looks)
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
			callers = array(select jsonb_array_elements_text(n.callers::jsonb)), not_callers = array(select
			jsonb_array_elements_text(n.not_callers::jsonb)),
			started_at = case when n.started then coalesce(p.started_at, $8::timestamptz) end,
			ended_at = case when n.state = 'ended' then $8::timestamptz end,
			every_days = n.every_days, minutes = n.minutes, monthly = n.monthly, anchor = nullif(n.anchor, '')::date,
			team = n.team,
			caller = case when p.team = n.team then p.caller else '' end, look_on = nullif(n.look, '')::date,
			told = p.told or n.state <> 'paused' or n.because in ('nobody-rings', 'no-time')
		from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
		$9::integer[], $10::integer[], $11::boolean[],
			$12::text[], $13::text[], $14::text[])
			as n(id, state, because, waits, callers, not_callers, started, every_days, minutes, monthly, anchor, team,
			look)
		where p.id = n.id`, c.ids, c.states, c.because, c.waits, c.only, c.never, c.started, at, c.every, c.minutes,
		c.monthly, c.anchors, c.teams, c.looks)
	return err
}

// placePlans queues that plans and the calls ahead of them are another organisation's, as their journeys are.
func placePlans(q flow.Queuer, plans []Plan) {
	if len(plans) == 0 {
		return
	}
	var ids, organisations []string
	for _, p := range plans {
		ids, organisations = append(ids, p.ID), append(organisations, p.Organisation)
	}
	q.Queue(`with n as (select id, organisation from unnest($1::uuid[], $2::text[]) as t(id, organisation)),
		ahead as (update call c set organisation = n.organisation from n where c.plan = n.id and c.state = 'scheduled')
		update plan p set organisation = n.organisation from n where p.id = n.id`, ids, organisations)
}

// callColumns are calls as one array a column.
type callColumns struct {
	ids, plans, journeys, organisations, teams, nominal, days, states []string
	due, act                                                          []time.Time
	tries, sequences                                                  []int32
}

func callsOf(calls []Call) (c callColumns) {
	for _, one := range calls {
		c.ids, c.plans, c.journeys = append(c.ids, one.ID), append(c.plans, one.Plan), append(c.journeys, one.Journey)
		c.organisations, c.teams, c.states = append(c.organisations, one.Organisation), append(c.teams, one.Team),
			append(c.states, one.State)
		c.nominal, c.days, c.due = append(c.nominal, one.Nominal.String()), append(c.days, one.On.String()),
			append(c.due, one.DueAt)
		c.act, c.tries, c.sequences = append(c.act, one.DueAt.Add(-remindBefore)), append(c.tries, int32(one.Try)),
			append(c.sequences, int32(one.Sequence))
	}
	return c
}

// cancelCalls queues that calls will not be made. It comes before scheduleCalls: a plan has one call ahead of it.
func cancelCalls(q flow.Queuer, calls []Call, at time.Time) {
	if len(calls) > 0 {
		c := callsOf(calls)
		endTimers(q, c.ids)
		q.Queue(`update call set state = 'cancelled', ended_at = $2, sequence = sequence + 1, team = n.team
			from unnest($1::uuid[], $3::text[]) as n(id, team) where call.id = n.id`, c.ids, at, c.teams)
	}
}

// finishCalls queues how calls have ended. Nobody rings any more.
func finishCalls(q flow.Queuer, calls []Call, at time.Time) {
	if len(calls) > 0 {
		c := callsOf(calls)
		endTimers(q, c.ids)
		q.Queue(`update call set state = n.state, ended_at = $3, claim_of = '', claim_mark = '', claim_until = null
			from unnest($1::uuid[], $2::text[]) as n(id, state) where call.id = n.id`, c.ids, c.states, at)
	}
}

// moveCalls queues when calls are made now, and which try it is.
func moveCalls(q flow.Queuer, calls []Call) {
	if len(calls) > 0 {
		c := callsOf(calls)
		endTimers(q, c.ids)
		q.Queue(`update call set nominal = n.nominal::date, on_day = n.on_day::date, due_at = n.due_at, try = n.try,
			sequence = n.sequence,
				team = n.team, caller = case when call.team = n.team then call.caller else '' end,
				late = false, claim_of = '', claim_mark = '', claim_until = null
			from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::integer[], $6::integer[], $7::text[])
				as n(id, nominal, on_day, due_at, try, sequence, team) where call.id = n.id`,
			c.ids, c.nominal, c.days, c.due, c.tries, c.sequences, c.teams)
		setTimers(q, c)
	}
}

// scheduleCalls queues new calls.
func scheduleCalls(q flow.Queuer, calls []Call, at time.Time) {
	if len(calls) == 0 {
		return
	}
	c := callsOf(calls)
	q.Queue(`insert into call (id, plan, journey, organisation, due_at, on_day, state, scheduled_at, nominal, try, team)
		select id, plan, journey, organisation, due_at, on_day::date, 'scheduled', $7, nominal::date, try, team
		from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $8::text[],
		$9::integer[], $10::text[])
			as n(id, plan, journey, organisation, due_at, on_day, nominal, try, team)`,
		c.ids, c.plans, c.journeys, c.organisations, c.due, c.days, at, c.nominal, c.tries, c.teams)
	setTimers(q, c)
}

// setTimers queues when something is to be done about calls first. A timer is locked before its call, by everybody.
func setTimers(q flow.Queuer, c callColumns) {
	q.Queue(`insert into timer (call, act_at) select call, act_at
		from unnest($1::uuid[], $2::timestamptz[]) as n(call, act_at)`, c.ids, c.act)
}

// endTimers queues that nothing fires of calls any more.
func endTimers(q flow.Queuer, calls []string) {
	q.Queue(`delete from timer where call = any($1::uuid[])`, calls)
}

// sayEnded queues how a call that has ended stands by what was written down about it later.
func sayEnded(q flow.Queuer, id, state string) {
	q.Queue(`update call set state = $2 where id = $1::uuid and ended_at is not null and state <> 'cancelled'
		and state <> $2`, id, state)
}
