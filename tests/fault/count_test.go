package fault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/schemas"
)

// finding is something that was lost, done twice, or is otherwise not as it must be.
type finding struct {
	kind, what string // kind: lost, twice or wrong
	count      int
	examples   []string
}

// findings are gathered by name.
type findings []finding

func (f findings) of(kind string) (count int) {
	for _, one := range f {
		if one.kind == kind {
			count += one.count
		}
	}
	return count
}

func (f findings) String() string {
	var b strings.Builder
	for _, one := range f {
		fmt.Fprintf(&b, "%-5s  %5d  %s  e.g. %s\n", one.kind, one.count, one.what, strings.Join(one.examples, ", "))
	}
	return b.String()
}

// question is a query whose rows, one text each, are all wrong. Every %s in sql is the service's schema.
type question struct {
	kind, what, sql string
	args            []any
}

// questions are all that is asked of the database, given what the senders noted and which services hear.
func questions(book *logbook, hears []string) []question {
	book.mu.Lock()
	senders, ids, visits := make([]string, len(book.acks)), make([]string, len(book.acks)), []string{}
	for i, a := range book.acks {
		senders[i], ids[i] = a.sender, a.id
		if a.trigger {
			visits = append(visits, a.visit)
		}
	}
	book.mu.Unlock()
	all := []question{
		{"lost", "acknowledged, but not in the ledger", `select control_id
			from unnest($1::text[], $2::text[]) as noted(sender, control_id)
			where not exists (select 1 from intake.message m where m.control_id = noted.control_id
			and m.sender = noted.sender)`, []any{senders, ids}},
		{"twice", "in the ledger more than once without being marked as a duplicate", `select control_id
			from intake.message
			where outcome <> 'duplicate' and control_id <> ''
			group by organisation, sender, control_id having count(*) > 1`, nil},
		{"lost", "acknowledged visits without a journey", `select number from unnest($1::text[]) as noted(number)
			where not exists (select 1 from intake.visit v join journey.journey j on j.id = v.journey
			where v.number = noted.number)`, []any{visits}},
		{"wrong", "visits that share a journey", `select journey::text from intake.visit where journey is not null
			group by journey having count(*) > 1`, nil},
		{"twice", "visits that are there twice", `select number from intake.visit group by number having count(*) > 1`,
			nil},
		{"lost", "journeys without a decision", `select v.journey::text from intake.visit v where v.journey is not null
			and not exists (select 1 from threshold.decision d where d.journey = v.journey)`, nil},
		{"twice", "journeys with two decisions", `select journey::text from threshold.decision
			group by journey having count(*) > 1`, nil},
		{"lost", "journeys without an offer that stands", `select v.journey::text from intake.visit v
			where v.journey is not null
			and not exists (select 1 from followup.offer o where o.journey = v.journey and o.ended_at is null)`, nil},
		{"twice", "journeys with two offers", `select journey::text from followup.offer
			group by journey having count(*) > 1`, nil},
		{"twice", "journeys with two plans", `select journey::text from bridging.plan
			group by journey having count(*) > 1`, nil},
		{"wrong", "open journeys whose holding step is not open", `select j.id::text from journey.journey j
			left join journey.step s on s.id = j.holding_step and s.journey = j.id where j.state = 'open'
			and s.state is distinct from 'open'`, nil},
		{"wrong", "journeys that are not open", `select id::text from journey.journey where state <> 'open'`, nil},
		{"wrong", "journeys that arrived without their beginning", `select id::text from journey.journey
			where began_at is null`, nil},
		{"twice", "open steps of one kind for one journey", `select journey::text || ' ' || kind from journey.step
			where state = 'open' and journey is not null
			group by journey, kind, basis having count(*) > 1`, nil},
		{"twice", "findings of the sentinel said more than once", `select said.subject
			from (select subject, count(*) as times from ` + said(schemas.Journey) +
			` as said where type = $1 group by subject) as said
			left join (select coalesce(nullif(journey, ''), 'unknown') as journey, count(*) as times from journey.finding group by 1) as found on found.journey = said.subject
			where said.times > coalesce(found.times, 0)`, []any{string(schemas.JourneyInVoid)}},
		{"lost", "messages quarantined that no step was opened for", `select said.subject from ` +
			said(schemas.Intake) + ` as said
			where said.type = $1 and not exists (select 1 from journey.step s where s.about = said.subject)`,
			[]any{string(schemas.MessageQuarantined)}},
		{"wrong", "messages that wait for nobody any more and have an open step", `select s.about from journey.step s
			join intake.message m on m.id::text = s.about
			where s.state = 'open' and m.outcome <> 'quarantined'`, nil},
	}
	for _, service := range stateful {
		all = append(all,
			question{"twice", service + ": events said twice for one cause", `select type || ' of ' || subject from ` +
				said(service) + ` as said
				where type <> $1 group by type, subject, cause having count(*) > 1`,
				[]any{string(schemas.JourneyInVoid)}},
			question{"wrong", service + ": parked events", `select reason from ` + service + `.parked`, nil},
			question{"wrong", service + ": dead letters", `select reason from ` + service +
				`.letter where state = 'dead' and position($1::bytea in payload) = 0`, []any{[]byte(oddMark)}})
	}
	return append(all, deliveries(hears)...)
}

// said are the events in a service's outbox with their cause.
func said(service string) string {
	return `(select id, payload::jsonb->>'type' as type, payload::jsonb->>'subject' as subject,
		coalesce(payload::jsonb->>'causationid', '') as cause from ` + service + `.outbox)`
}

// reached is what a hearer's tables show once an event o has been applied: its own line, or a value that was set by it
// or by a later one. Nothing remembers deliveries; what cannot be told by a value is asked of the journey's row alone.
func reached(hearer string, t schemas.Type) string {
	const seq = `(o.payload::jsonb->>'sequence')::bigint`
	about := `(o.payload::jsonb->>'subject')`
	state := `exists (select 1 from ` + hearer + `.journey_state s where s.journey::text = ` + about
	value := func(path string) string { return state + ` and (s.known #>> '` + path + `')::bigint >= ` + seq + `)` }
	turns := []schemas.Type{schemas.JourneyHeld, schemas.JourneyReleased, schemas.JourneyClosed,
		schemas.JourneyReopened}
	begins := t == schemas.DischargeRecorded || t == schemas.ReferralRequested
	switch {
	case t == schemas.PartnerChanged && hearer == schemas.Intake:
		return `exists (select 1 from intake.partner_terms p where p.partner = ` + about + ` and p.said >= ` + seq + `)`
	case t == schemas.PartnerChanged:
		return `exists (select 1 from bridging.partner p where p.id::text = ` + about + ` and p.said >= ` + seq + `)`
	case hearer == schemas.Journey && (strings.Contains(string(t), ".message.") ||
		strings.Contains(string(t), ".service.line-")):
		return `exists (select 1 from journey.step s where s.about = ` + about + `)`
	case hearer == schemas.Journey:
		return `exists (select 1 from journey.timeline_entry t where t.event = o.id)`
	case hearer == schemas.Intake && strings.Contains(string(t), ".journey."):
		return `exists (select 1 from intake.journey j where j.id::text = ` + about + ` and j.state_at >= ` + seq + `)`
	case hearer == schemas.Intake && t == schemas.OfferExhausted:
		return `exists (select 1 from intake.journey j where j.id::text = ` + about + ` and j.exhausted >= ` + seq + `)`
	case hearer == schemas.Intake:
		return `exists (select 1 from intake.partner_offer p where p.journey::text = ` + about + `)`
	case hearer == schemas.Threshold && begins:
		return value("{begunAt}")
	case hearer == schemas.Threshold && slices.Contains(turns, t):
		return value("{turnedAt}")
	case hearer == schemas.Delivery && begins: // the stand reports no request by the person, who has nobody to be told
		return state +
			` and exists (select 1 from jsonb_each_text(s.known->'referrers') r where r.value::bigint >= ` + seq + `))`
	case begins:
		return state +
			` and exists (select 1 from jsonb_each(s.known->'visits') v where (v.value->>'recorded')::bigint >= ` +
			seq + `))`
	case hearer == schemas.Followup && t == schemas.PathwayDecided:
		return value("{decided}")
	case slices.Contains(turns, t):
		return value("{turn,at}")
	}
	return state + `)`
}

// deliveries ask, for each event type and each of its hearers, for events that were said and not applied.
func deliveries(hears []string) []question {
	var all []question
	for _, entry := range schemas.Registry() {
		if !entry.OnBus() || entry.By == schemas.Delivery { // it says little of what it does; its own tests count it
			continue
		}
		for _, hearer := range entry.To {
			if !slices.Contains(hears, hearer) {
				continue // named as a hearer of what it will need one day
			}
			all = append(all, question{"lost", fmt.Sprintf("%s: %s not applied", hearer, entry.Type), `select
				o.id::text from ` + entry.By + `.outbox o
				where o.subject like $1 and not ` + reached(hearer, entry.Type),
				[]any{strings.TrimSuffix(entry.Type.SubjectFilter(), "*") + "%"}})
		}
	}
	return all
}

// inspect asks all questions once.
func (s *stand) inspect(ctx context.Context, pool *pgxpool.Pool, book *logbook) (findings, error) {
	var found findings
	for _, q := range questions(book, s.hears) {
		rows, err := pool.Query(ctx, q.sql, q.args...)
		if err != nil {
			return nil, fmt.Errorf("asking for %s: %w", q.what, err)
		}
		wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("asking for %s: %w", q.what, err)
		}
		if len(wrong) > 0 {
			found = append(found, finding{q.kind, q.what, len(wrong), wrong[:min(3, len(wrong))]})
		}
	}
	return found, nil
}

// settled asks until nothing is wrong any more, at most for so long: an event may still be under way. What it
// returns is wrong for good.
func (s *stand) settled(ctx context.Context, pool *pgxpool.Pool, book *logbook, within time.Duration) (findings,
	error) {
	s.t.Helper()
	if _, err := pool.Exec(ctx, "analyze"); err != nil { // the questions join whole tables
		return nil, err
	}
	deadline := time.Now().Add(within)
	for told := time.Now(); ; {
		found, err := s.inspect(ctx, pool, book)
		if err != nil || len(found) == 0 || time.Now().After(deadline) {
			return found, err
		}
		if !slices.ContainsFunc(found, func(f finding) bool { return f.kind != "twice" }) {
			return found, nil // waiting undoes nothing
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			s.logf("not complete yet:\n%s", found)
		}
		pause(ctx, time.Second)
	}
}
