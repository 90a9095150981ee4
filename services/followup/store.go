package followup

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
)

// record is a journey's row with its open offer.
type record struct {
	flow.Row[JourneyState]
	Status Status
	Open   *Offer
	Past   []Offer // those that have ended, in the order in which they were raised
	// LookAt is when it is looked at again, since no partner was left; nil where it is not.
	LookAt *time.Time
}

// lookAt has it looked at again at a time, or before where that was said already; the zero time is never.
func (r *record) lookAt(at time.Time) {
	if !at.IsZero() && (r.LookAt == nil || at.Before(*r.LookAt)) {
		r.LookAt = &at
	}
}

var store = flow.Store[JourneyState, record]{
	Row: func(r *record) *flow.Row[JourneyState] { return &r.Row },
	New: func() *record { return &record{Status: Waiting} },
	Columns: []flow.Column[record]{
		flow.Col("organisation", "text", func(r *record) string { return r.State.Sender }),
		flow.Col("person", "text", func(r *record) string { return r.State.Person }),
		flow.Col("status", "text", func(r *record) string { return string(r.Status) }),
		flow.Col("look_at", "timestamptz", func(r *record) *time.Time { return r.LookAt }),
	},
	Select: "s.status, s.look_at",
	Into:   func(r *record) []any { return []any{&r.Status, &r.LookAt} },
	Read:   loadOffers,
}

func loadOffers(q flow.Queuer, journeys []string, records map[string]*record) {
	q.Queue(`select o.id::text, o.journey::text, o.organisation, o.person, o.partner::text, o.visit, o.left_on::text,
		o.first_day::text,
			o.last_day::text, o.late, o.answer_by, o.consent, o.state, o.because, o.placed_at, o.sent_at,
			o.accepted_at, o.ended_at, o.yes_by,
			o.book_by, o.nudged, o.not_kept, o.paused, o.late_yes, o.answered_upto, o.deleted_at, o.kept_because,
			o.due_at,
			o.place_week::text, o.late_said::text, o.may_know, o.kept, o.spread, o.introduced, a.id::text, a.starts_at,
			a.on_day::text,
			a.channel, a.minutes, a.booked_at
		from offer o left join appointment a on a.offer = o.id and a.state = 'booked'
		where o.journey = any($1::uuid[]) order by o.id`, journeys).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
				o, err := scanOffer(row)
				if r, ok := records[o.Journey]; ok && err == nil {
					if o.open() {
						r.Open = &o
					} else {
						r.Past = append(r.Past, o)
					}
				}
				return struct{}{}, err
			})
			return err
		})
}

func scanOffer(row pgx.CollectableRow) (o Offer, err error) {
	var left, first, last, kept string
	var week, lateSaid *string
	var session struct {
		id, on, channel    *string
		startsAt, bookedAt *time.Time
		minutes            *int
	}
	var placed, sent, accepted, ended, yesBy, bookBy, deleted, due *time.Time
	if err := row.Scan(&o.ID, &o.Journey, &o.Organisation, &o.Person, &o.Partner, &o.Visit, &left, &first, &last,
		&o.Window.Late, &o.AnswerBy,
		&o.Consent, &o.State, &o.Because, &placed, &sent, &accepted, &ended, &yesBy, &bookBy, &o.Nudged, &o.NotKept,
		&o.Paused, &o.LateYes,
		&o.AnsweredUpTo, &deleted, &o.KeptBecause, &due, &week, &lateSaid, &o.MayKnow, &kept, &o.Spread, &o.Introduced,
		&session.id, &session.startsAt, &session.on, &session.channel, &session.minutes,
		&session.bookedAt); err != nil {
		return o, fmt.Errorf("reading an offer: %w", err)
	}
	for into, from := range map[*time.Time]*time.Time{&o.PlacedAt: placed, &o.SentAt: sent, &o.AcceptedAt: accepted,
		&o.EndedAt: ended,
		&o.YesBy:   yesBy, &o.BookBy: bookBy, &o.DeletedAt: deleted, &o.DueAt: due} {
		if from != nil {
			*into = *from
		}
	}
	if kept != "" {
		o.Kept = strings.Fields(kept)
	}
	days := map[*calendar.Day]string{&o.LeftOn: left, &o.Window.First: first, &o.Window.Last: last}
	if week != nil {
		days[&o.PlacedWeek] = *week
	}
	if lateSaid != nil {
		days[&o.LateSaid] = *lateSaid
	}
	if session.id != nil {
		o.Session = &Appointment{ID: *session.id, StartsAt: *session.startsAt, Channel: *session.channel,
			Minutes: *session.minutes,
			State:   stateBooked, BookedAt: *session.bookedAt}
		days[&o.Session.Day] = *session.on
	}
	return o, readDays(o.ID, days)
}

// readDays reads the days of an offer.
func readDays(offer string, days map[*calendar.Day]string) (err error) {
	for into, text := range days {
		if *into, err = calendar.ParseDay(text); err != nil {
			return fmt.Errorf("reading offer %s: %w", offer, err)
		}
	}
	return nil
}

// changeOffers queues how offers that were there before stand now.
func changeOffers(q flow.Queuer, offers []*Offer) {
	if len(offers) == 0 {
		return
	}
	var c struct {
		ids, lefts, firsts, lasts, consents, states, because, weeks, nudged, kept, organisations, people, known, whats,
		introduced, lateSaid []string
		answers []time.Time
		placed, sent, accepted, ended, yesBy, bookBy, deleted,
		due []*time.Time
		notKept []int
		late, paused,
		lateYes []bool
		answeredUpTo []int64
	}
	for _, o := range offers {
		c.ids, c.lefts, c.firsts, c.lasts = append(c.ids, o.ID), append(c.lefts, o.LeftOn.String()),
			append(c.firsts, o.Window.First.String()), append(c.lasts, o.Window.Last.String())
		c.consents, c.states, c.because = append(c.consents, o.Consent), append(c.states, o.State),
			append(c.because, o.Because)
		c.weeks, c.nudged, c.kept = append(c.weeks, o.placedIn()), append(c.nudged, o.Nudged),
			append(c.kept, o.KeptBecause)
		c.answers, c.notKept, c.answeredUpTo = append(c.answers, o.AnswerBy), append(c.notKept, o.NotKept),
			append(c.answeredUpTo, o.AnsweredUpTo)
		c.placed, c.sent, c.accepted, c.ended = append(c.placed, orNull(o.PlacedAt)), append(c.sent, orNull(o.SentAt)),
			append(c.accepted, orNull(o.AcceptedAt)), append(c.ended, orNull(o.EndedAt))
		c.yesBy, c.bookBy, c.deleted, c.due = append(c.yesBy, orNull(o.YesBy)), append(c.bookBy, orNull(o.BookBy)),
			append(c.deleted, orNull(o.DeletedAt)), append(c.due, orNull(o.DueAt))
		c.organisations, c.people = append(c.organisations, o.Organisation), append(c.people, o.Person)
		c.known, c.whats = append(c.known, o.MayKnow), append(c.whats, strings.Join(o.Kept, " "))
		c.introduced, c.lateSaid = append(c.introduced, o.Introduced), append(c.lateSaid, dayOrEmpty(o.LateSaid))
		c.late, c.paused, c.lateYes = append(c.late, o.Window.Late), append(c.paused, o.Paused),
			append(c.lateYes, o.LateYes)
	}
	q.Queue(`update offer o set left_on = n.left_on::date, first_day = n.first_day::date, last_day = n.last_day::date,
		late = n.late,
			answer_by = n.answer_by, consent = n.consent, state = n.state, because = n.because, placed_at = n.placed_at,
			place_week = nullif(n.place_week, '')::date, sent_at = n.sent_at, accepted_at = n.accepted_at, ended_at =
			n.ended_at, yes_by = n.yes_by,
			book_by = n.book_by, nudged = n.nudged, not_kept = n.not_kept, paused = n.paused, late_yes = n.late_yes,
			answered_upto = n.answered_upto, deleted_at = n.deleted_at, kept_because = n.kept_because, due_at =
			n.due_at,
			organisation = n.organisation, person = n.person, may_know = n.may_know, kept = n.kept, introduced =
			n.introduced, late_said = nullif(n.late_said, '')::date
		from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
		$9::text[], $10::text[],
			$11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[],
			$16::timestamptz[],
			$17::timestamptz[], $18::timestamptz[], $19::timestamptz[], $20::integer[], $21::bigint[], $22::boolean[],
			$23::boolean[],
			$24::boolean[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[])
			as n(id, left_on, first_day, last_day, consent, state, because, place_week, nudged, kept_because,
			answer_by, placed_at, sent_at,
				accepted_at, ended_at, yes_by, book_by, deleted_at, due_at, not_kept, answered_upto, late, paused,
				late_yes, organisation, person, may_know, kept, introduced, late_said)
		where o.id = n.id`, c.ids, c.lefts, c.firsts, c.lasts, c.consents, c.states, c.because, c.weeks, c.nudged,
		c.kept, c.answers, c.placed,
		c.sent, c.accepted, c.ended, c.yesBy, c.bookBy, c.deleted, c.due, c.notKept, c.answeredUpTo, c.late, c.paused,
		c.lateYes, c.organisations, c.people, c.known, c.whats, c.introduced, c.lateSaid)
}

func dayOrEmpty(day calendar.Day) string {
	if day == 0 {
		return ""
	}
	return day.String()
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// saveAppointments queues the appointments of offers that have changed: what has ended first, since one stands at a
// time.
func saveAppointments(q flow.Queuer, offers []*Offer) {
	var ids, states []string
	var at []time.Time
	for _, o := range offers {
		for _, a := range o.ended {
			ids, states, at = append(ids, a.ID), append(states, a.State), append(at, a.EndedAt)
		}
	}
	if len(ids) > 0 {
		q.Queue(`update appointment a set state = n.state, ended_at = n.ended_at
			from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as n(id, state, ended_at) where a.id = n.id
			and a.state = 'booked'`, ids, states, at)
	}
	for _, o := range offers {
		if s := o.Session; s != nil && s.fresh {
			q.Queue(`insert into appointment (id, offer, journey, starts_at, on_day, channel, minutes, state, booked_at)
				values ($1::text::uuid, $2::text::uuid, $3::text::uuid, $4, $5::text::date, $6, $7, 'booked', $8)`,
				s.ID, o.ID, o.Journey, s.StartsAt, s.Day.String(), s.Channel, s.Minutes, s.BookedAt)
		}
	}
}

// raiseOffers queues new offers.
func raiseOffers(q flow.Queuer, offers []*Offer, at time.Time) {
	if len(offers) == 0 {
		return
	}
	var c struct {
		ids, journeys, organisations, people, partners, visits, lefts, firsts, lasts, consents, weeks []string
		lates, paused, spread                                                                         []bool
		answers                                                                                       []time.Time
		placed, due                                                                                   []*time.Time
	}
	for _, o := range offers {
		c.ids, c.journeys, c.organisations = append(c.ids, o.ID), append(c.journeys, o.Journey),
			append(c.organisations, o.Organisation)
		c.people, c.partners, c.visits = append(c.people, o.Person), append(c.partners, o.Partner),
			append(c.visits, o.Visit)
		c.lefts, c.firsts, c.lasts = append(c.lefts, o.LeftOn.String()), append(c.firsts, o.Window.First.String()),
			append(c.lasts, o.Window.Last.String())
		c.lates, c.answers, c.consents = append(c.lates, o.Window.Late), append(c.answers, o.AnswerBy),
			append(c.consents, o.Consent)
		c.paused, c.placed, c.due, c.weeks = append(c.paused, o.Paused), append(c.placed, orNull(o.PlacedAt)),
			append(c.due, orNull(o.DueAt)), append(c.weeks, o.placedIn())
		c.spread = append(c.spread, o.Spread)
	}
	q.Queue(`insert into offer (id, journey, organisation, person, partner, visit, left_on, first_day, last_day, late,
			answer_by, consent, state, raised_at, because, paused, placed_at, place_week, due_at, spread)
		select id, journey, organisation, person, partner, visit, left_on::date, first_day::date, last_day::date, late,
			answer_by, consent, 'raised', $13, '', paused, placed_at, nullif(place_week, '')::date, due_at, spread
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
			$9::text[], $10::boolean[], $11::timestamptz[], $12::text[], $14::boolean[], $15::timestamptz[],
			$16::text[], $17::timestamptz[], $18::boolean[])
			as n(id, journey, organisation, person, partner, visit, left_on, first_day, last_day, late, answer_by,
			consent, paused, placed_at,
				place_week, due_at, spread)`,
		c.ids, c.journeys, c.organisations, c.people, c.partners, c.visits, c.lefts, c.firsts, c.lasts, c.lates,
		c.answers, c.consents, at,
		c.paused, c.placed, c.weeks, c.due, c.spread)
}

// dueOffers queues the finding of offers whose time has come, the longest ago first; aside are those left out.
func dueOffers(q flow.Queuer, now time.Time, limit int, aside []string, into func(offer, journey, state string)) {
	q.Queue(`select id::text, journey::text, state from offer
		where due_at <= $1 and ended_at is null and not id::text = any($3) order by due_at, id limit $2`, now, limit,
		aside).
		Query(func(rows pgx.Rows) error {
			var offer, journey, state string
			_, err := pgx.ForEachRow(rows, []any{&offer, &journey, &state}, func() error {
				into(offer, journey, state)
				return nil
			})
			return err
		})
}

// offersUndeleted queues the finding of offers that ended before a moment, and whose partners have not said what they
// did with what they knew, nor been asked.
func offersUndeleted(q flow.Queuer, before time.Time, limit int, aside []string, into func(offer, journey string)) {
	q.Queue(`select id::text, journey::text from offer where ended_at < $1 and accepted_at is not null
			and deleted_at is null and nudged <> 'deletion' and not id::text = any($3) order by ended_at, id limit $2`,
		before, limit, aside).
		Query(func(rows pgx.Rows) error {
			var offer, journey string
			_, err := pgx.ForEachRow(rows, []any{&offer, &journey}, func() error {
				into(offer, journey)
				return nil
			})
			return err
		})
}
