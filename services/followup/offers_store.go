package followup

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// visible are the arguments by which a statement is narrowed to what somebody may see: whether they are a partner,
// which, and else of which organisations.
func visible(who principal.Principal) []any {
	scope := schemas.ScopeOf(schemas.Role(who.Role), who.Organisation, who.Subject)
	return []any{outside(who), who.Organisation, scope.Organisations}
}

// outside says whether somebody speaks for a partner: by its system, as a worker, or by the link in a mail to it.
func outside(who principal.Principal) bool {
	role := schemas.Role(who.Role)
	return role == schemas.Partner || role == schemas.OfferLink
}

// findOffer queues the finding of an offer's journey and partner. A partner sees its own, once they have left for it; a
// link finds the one that it is to.
func findOffer(q flow.Queuer, who principal.Principal, id string, into func(journey, partner string)) {
	if schemas.Role(who.Role) == schemas.OfferLink && who.Subject != id {
		return
	}
	q.Queue(`select journey::text, partner::text from offer where id = $1::text::uuid
		and case when $2 then partner::text = $3 and sent_at is not null else organisation = any($4) end`,
		append([]any{id}, visible(who)...)...).
		Query(func(rows pgx.Rows) error {
			var journey, partner string
			_, err := pgx.ForEachRow(rows, []any{&journey, &partner}, func() error {
				into(journey, partner)
				return nil
			})
			return err
		})
}

// findTaken queues the finding of the journeys, another than one, whose offers a partner has taken on.
func findTaken(q flow.Queuer, who principal.Principal, partner, other string, into func(journey string)) {
	q.Queue(`select journey::text from offer where partner = $1::text::uuid and journey <> $2::text::uuid
		and ended_at is null
			and placed_at is not null and state in ('accepted', 'waiting', 'booked', 'not-kept')
			and case when $3 then partner::text = $4 else organisation = any($5) end order by journey`,
		append([]any{partner, other}, visible(who)...)...).
		Query(func(rows pgx.Rows) error {
			var journey string
			_, err := pgx.ForEachRow(rows, []any{&journey}, func() error {
				into(journey)
				return nil
			})
			return err
		})
}

// listed is one offer of a list.
type listed struct {
	Offer
	facts schemas.Facts
}

// listOffers queues a page of the offers that stand; to a partner also of those that are over and of which it has not
// said what it did with what it knew: whoever looks before a session that was called off has to see it.
func listOffers(q flow.Queuer, who principal.Principal, after []string, limit int, into func([]listed)) error {
	afterAt, afterID := time.Time{}, clock.LowestID
	if len(after) == 2 {
		var err error
		if afterAt, err = time.Parse(time.RFC3339Nano, after[0]); err != nil {
			return httpx.NewProblem(400, "The cursor is not one of this list. Begin again without it.")
		}
		afterID = after[1]
	}
	partner, role := who.Organisation, schemas.Role(who.Role)
	if role == schemas.Partner && !clock.IsID(partner) {
		into(nil)
		return nil
	}
	const columns = `select o.id::text, o.journey::text, o.organisation, o.partner::text, o.first_day::text,
		o.last_day::text, o.late, o.answer_by,
			o.consent, o.state, o.sent_at, o.paused, o.yes_by, o.book_by, o.not_kept, coalesce(s.known -> 'facts',
			'{}')::text, o.accepted_at, o.ended_at, o.because, o.introduced, a.id::text, a.starts_at, a.on_day::text,
			a.channel, a.minutes
		from offer o join journey_state s on s.journey = o.journey
			left join appointment a on a.offer = o.id and a.state = 'booked'
		where (o.answer_by, o.id) > ($1, $2::text::uuid) `
	query, whose := columns+`and o.ended_at is null and o.organisation = any($4) order by o.answer_by, o.id limit $3`,
		any(schemas.ScopeOf(role, who.Organisation, who.Subject).Organisations)
	if role == schemas.Partner {
		const own = `and o.partner = $4::text::uuid and o.sent_at is not null and o.ended_at is `
		query, whose = `(`+columns+own+`null order by o.answer_by, o.id limit $3) union all (`+columns+own+`not null
			and o.accepted_at is not null and o.deleted_at is null order by o.answer_by, o.id limit $3)
			order by 8, 1 limit $3`, partner
	}
	q.Queue(query, afterAt, afterID, limit, whose).
		Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, scanListed)
			into(all)
			return err
		})
	return nil
}

func scanListed(row pgx.CollectableRow) (l listed, err error) {
	var first, last, known string
	var sent, yesBy, bookBy, accepted, ended, startsAt *time.Time
	var session, on, channel *string
	var minutes *int
	if err := row.Scan(&l.ID, &l.Journey, &l.Organisation, &l.Partner, &first, &last, &l.Window.Late, &l.AnswerBy,
		&l.Consent, &l.State, &sent,
		&l.Paused, &yesBy, &bookBy, &l.NotKept, &known, &accepted, &ended, &l.Because, &l.Introduced, &session,
		&startsAt, &on, &channel, &minutes); err != nil {
		return l, fmt.Errorf("reading an offer of a list: %w", err)
	}
	for into, from := range map[*time.Time]*time.Time{&l.SentAt: sent, &l.YesBy: yesBy, &l.BookBy: bookBy,
		&l.AcceptedAt: accepted, &l.EndedAt: ended} {
		if from != nil {
			*into = *from
		}
	}
	days := map[*calendar.Day]string{&l.Window.First: first, &l.Window.Last: last}
	if session != nil {
		l.Session = &Appointment{ID: *session, StartsAt: *startsAt, Channel: *channel, Minutes: *minutes,
			State: stateBooked}
		days[&l.Session.Day] = *on
	}
	if err := readDays(l.ID, days); err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(known), &l.facts)
}

// loadQuestions queues the questions about an offer, the oldest first.
func loadQuestions(q flow.Queuer, _ principal.Principal, offer string, into *[]questionShown) {
	q.Queue(`select id::text, about, asked_at, reply from offer_question where offer = $1::text::uuid
		order by asked_at, id`, offer).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s questionShown, err error) {
				return s, row.Scan(&s.Question, &s.About, &s.AskedAt, &s.Reply)
			})
			return err
		})
}

// saveQuestion queues a question, or its answer.
func saveQuestion(q flow.Queuer, offer string, s questionShown, now time.Time) {
	q.Queue(`insert into offer_question (id, offer, about, asked_at, reply)
		values ($1::text::uuid, $2::text::uuid, $3, $4, $5)
		on conflict (id) do update set reply = excluded.reply, answered_at = $6`, s.Question, offer, s.About, s.AskedAt,
		s.Reply, now)
}
