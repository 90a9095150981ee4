package bridging

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// storeHelp stores a request for help alone, in one statement that is its own transaction and needs nothing of what is
// known. A request that comes again under the same key is the one that was stored first.
func storeHelp(ctx context.Context, pool *pgxpool.Pool, h *Help, request *string) error {
	return pool.QueryRow(ctx, `insert into help (id, request, about, about_id, step, kind, at, asked_role, asked_by,
		asked_mark, person_knows, look_at)
		values ($1, $2, $3, $4, nullif($5, '')::uuid, $6, $7, $8, $9, $10, $11, $12)
		on conflict (request) do update set request = excluded.request
		returning id::text, kind, at, person_knows`,
		h.ID, request, h.About, h.AboutID, h.Step, h.Kind, h.At, h.Role, h.By, h.Mark, h.PersonKnows,
		h.At.Add(firstLook)).Scan(&h.ID, &h.Kind, &h.At, &h.PersonKnows)
}

// firstLook is for how long whoever takes a request has it alone, to tell those on call and answer with whom it told.
const firstLook = 10 * time.Second

// findJourneys queues which journeys requests are about, where that is known by now.
func findJourneys(q flow.Queuer, ids []string) {
	q.Queue(`update help h set journey = s.journey, of_organisation = s.organisation
		from journey_state s
		where h.id = any($1::uuid[]) and h.journey is null and s.journey = coalesce(
			case h.about when 'call' then (select journey from call where id = h.about_id)
				when 'offer' then (select journey from offer where id = h.about_id) end, h.about_id)`, ids)
}

const helpColumns = `id::text, about, about_id::text, coalesce(step::text, ''), kind, at, asked_role, asked_by, asked_mark, person_knows,
	coalesce(journey::text, ''), coalesce(of_organisation, ''), emitted, rung, round, look_at, taken_at, taken_role`

func scanHelp(rows pgx.Rows, each func(h *Help)) error {
	var h Help
	_, err := pgx.ForEachRow(rows, []any{&h.ID, &h.About, &h.AboutID, &h.Step, &h.Kind, &h.At, &h.Role, &h.By, &h.Mark,
		&h.PersonKnows,
		&h.Journey, &h.Of, &h.Emitted, &h.Rung, &h.Round, &h.LookAt, &h.TakenAt, &h.TakenRole}, func() error {
		one := h
		each(&one)
		h.LookAt, h.TakenAt = nil, nil
		return nil
	})
	return err
}

// lockHelp queues the locking of requests, in the order of their ids.
func lockHelp(q flow.Queuer, ids []string, each func(h *Help)) {
	q.Queue(`select `+helpColumns+` from help where id = any($1::uuid[]) order by id for update`, ids).
		Query(func(rows pgx.Rows) error { return scanHelp(rows, each) })
}

// dueHelp queues which requests are to be looked at.
func dueHelp(q flow.Queuer, now time.Time, limit int, aside []string, each func(id string)) {
	q.Queue(`select id::text from help where look_at <= $1 and id <> all($3::text[]::uuid[]) order by look_at, id
		limit $2 for update skip locked`, now, limit, aside).
		Query(func(rows pgx.Rows) error {
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error { each(id); return nil })
			return err
		})
}

// lockHelpOf queues the locking of one request that p may take on: of a journey of theirs, or, where it is about
// nothing that is known, one that was asked for by their own organisation.
func lockHelpOf(q flow.Queuer, p principal.Principal, id string, each func(h *Help)) {
	scope := scopeOf(p)
	q.Queue(`select `+helpColumns+
		` from help where id = $1::uuid and ($2 or coalesce(of_organisation, asked_by) = any($3)) for update`,
		id, scope.All, scope.Organisations).
		Query(func(rows pgx.Rows) error { return scanHelp(rows, each) })
}

func scopeOf(p principal.Principal) schemas.Scope {
	return schemas.ScopeOf(schemas.Role(p.Role), p.Organisation, p.Subject)
}

// saveHelp queues how requests stand.
func saveHelp(q flow.Queuer, all []*Help, takenMark string) {
	for _, h := range all {
		q.Queue(`update help set emitted = $2, rung = $3, round = $4, look_at = $5, taken_at = $6, taken_role = $7,
			person_knows = $8,
				taken_mark = case when $9 = '' then taken_mark else $9 end
			where id = $1`, h.ID, h.Emitted, h.Rung, h.Round, h.LookAt, h.TakenAt, h.TakenRole, h.PersonKnows,
			takenMark)
	}
}

// rotaOf queues the rotas of organisations, as whoever pages reads them.
func rotaOf(q flow.Queuer, organisations []string, each func(o OnCall)) {
	q.Queue(`select `+rotaColumns+` from rota where organisation = any($1) and ended_at is null order by rung, id`,
		organisations).
		Query(func(rows pgx.Rows) error { return scanRota(rows, each) })
}

const rotaColumns = `id::text, organisation, rung, who, channel, address, days, from_hour, to_hour, proven_at`

func scanRota(rows pgx.Rows, each func(o OnCall)) error {
	var o OnCall
	var days []int32
	_, err := pgx.ForEachRow(rows, []any{&o.ID, &o.Organisation, &o.Rung, &o.Who, &o.Channel, &o.Address, &days,
		&o.FromHour, &o.ToHour, &o.ProvenAt}, func() error {
		one := o
		one.Days = calendar.Weekdays{}
		for _, day := range days {
			one.Days[day] = true
		}
		each(one)
		o.ProvenAt, days = nil, nil
		return nil
	})
	return err
}

// rotaFor queues an organisation's own rota, with the version that changes with it.
func rotaFor(q flow.Queuer, p principal.Principal, version *int64, each func(o OnCall)) {
	q.Queue(`select coalesce((select version from rota_version where organisation = $1), 0)`, p.Organisation).
		QueryRow(func(row pgx.Row) error { return row.Scan(version) })
	rotaOf(q, []string{p.Organisation}, each)
}

// lockRota queues the locking of an organisation's rota.
func lockRota(q flow.Queuer, p principal.Principal) {
	q.Queue(`insert into rota_version (organisation, version) values ($1, 0) on conflict do nothing`, p.Organisation)
	q.Queue(`select 1 from rota_version where organisation = $1 for update`, p.Organisation)
}

// storeRota queues that an organisation's rota is this one. What was proven of a line that stays stays proven.
func storeRota(q flow.Queuer, organisation string, lines []OnCall, now time.Time) {
	q.Queue(`update rota_version set version = version + 1 where organisation = $1`, organisation)
	q.Queue(`update rota set ended_at = $2 where organisation = $1 and ended_at is null`, organisation, now)
	for i, o := range lines {
		var days []int32
		for day, works := range o.Days {
			if works {
				days = append(days, int32(day))
			}
		}
		q.Queue(`insert into rota (id, organisation, rung, who, channel, address, days, from_hour, to_hour, proven_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, (select max(proven_at) from rota where organisation = $2
			and channel = $5 and address = $6))`,
			clock.NewOrderedID(now, i), organisation, o.Rung, o.Who, o.Channel, o.Address, days, o.FromHour, o.ToHour)
	}
}

// storePages queues pages that are about to leave. Whoever stored them sends them at once; another does it from next
// on.
func storePages(q flow.Queuer, pages []Page, now, next time.Time) {
	for _, p := range pages {
		q.Queue(`insert into page (help, rota, round, rung, state, at, next_at) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict do nothing`,
			p.Help, p.Rota, p.Round, p.Rung, p.State, now, next)
	}
}

// savePage stores how a page went. Where none of its rung's could be handed over, the next rung is told at once.
func savePage(q flow.Queuer, p Page, next *time.Time, now time.Time) {
	q.Queue(`update page set state = $4, tries = $5, next_at = $6 where help = $1 and rota = $2 and round = $3
		and state = 'sending'`,
		p.Help, p.Rota, p.Round, p.State, p.Tries, next)
	switch p.State {
	case pageTold:
		q.Queue(`update rota set proven_at = $2 where id = $1`, p.Rota, now)
	case pageFailed:
		q.Queue(`update help set look_at = $2 where id = $1 and look_at is not null
			and not exists (select 1 from page where help = $1 and round = $3 and rung = $4 and state <> 'failed')`,
			p.Help, now, p.Round, p.Rung)
	}
}

const pageColumns = `p.help::text, p.rota::text, p.round, p.rung, r.who, r.channel, r.address, p.state, p.tries`

func scanPages(rows pgx.Rows, each func(p Page)) error {
	var p Page
	_, err := pgx.ForEachRow(rows, []any{&p.Help, &p.Rota, &p.Round, &p.Rung, &p.Who, &p.Channel, &p.Address, &p.State,
		&p.Tries}, func() error {
		each(p)
		return nil
	})
	return err
}

// duePages queues pages that nobody has handed over so far.
func duePages(q flow.Queuer, now time.Time, limit int, each func(p Page)) {
	q.Queue(`select `+pageColumns+
		` from page p join rota r on r.id = p.rota where p.next_at <= $1 order by p.next_at limit $2
		for update of p skip locked`, now, limit).
		Query(func(rows pgx.Rows) error { return scanPages(rows, each) })
}

// pagesOf queues whom a request was told to, for p, who may read it.
func pagesOf(q flow.Queuer, _ principal.Principal, help string, each func(p Page)) {
	q.Queue(`select `+pageColumns+
		` from page p join rota r on r.id = p.rota where p.help = $1::uuid order by p.round, p.rung, p.rota`, help).
		Query(func(rows pgx.Rows) error { return scanPages(rows, each) })
}

// storeKnows queues whether the person knows, said by whoever asked. It says nothing over again.
func storeKnows(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, id, knows string) error {
	tag, err := pool.Exec(ctx, `update help set person_knows = $3 where id = $1::uuid and asked_mark = $2`, id,
		p.Mark(), knows)
	if err == nil && tag.RowsAffected() == 0 {
		return errNoHelp
	}
	return err
}

// keepOffers queues which journeys offers are of that were raised: help may be asked from them.
func keepOffers(q flow.Queuer, raised []flow.Event) error {
	journeys := map[string]string{}
	for _, e := range raised {
		d, err := flow.Decode[schemas.OfferRaisedData](e)
		if err != nil {
			return err
		}
		journeys[d.Offer] = e.Subject
	}
	var ids, of []string
	for _, id := range slices.Sorted(maps.Keys(journeys)) {
		ids, of = append(ids, id), append(of, journeys[id])
	}
	q.Queue(`insert into offer (id, journey) select id, journey from unnest($1::uuid[], $2::uuid[]) as n(id, journey)
		on conflict do nothing`, ids, of)
	return nil
}

// flushed is flow.Tx as far as raising a request needs it.
type flusher interface {
	flow.Queuer
	Flush() error
}

var _ flusher = (*flow.Tx)(nil)

// gather locks requests with their journeys and reads the rotas of whose they are, or of host.
func gather(tx flusher, ids []string, host string) (all []*Help, records map[string]*record, rotas map[string][]OnCall,
	err error) {
	findJourneys(tx, ids)
	lockHelp(tx, ids, func(h *Help) { all = append(all, h) })
	if err := tx.Flush(); err != nil {
		return nil, nil, nil, fmt.Errorf("locking requests for help: %w", err)
	}
	organisations, journeys := []string{host}, []string{}
	for _, h := range all {
		organisations = append(organisations, h.Of, h.By)
		if h.Journey != "" && !h.Emitted {
			journeys = append(journeys, h.Journey)
		}
	}
	records, rotas = store.Load(tx, journeys), map[string][]OnCall{}
	rotaOf(tx, organisations, func(o OnCall) { rotas[o.Organisation] = append(rotas[o.Organisation], o) })
	return all, records, rotas, tx.Flush()
}

// readHelp queues the requests of pages.
func readHelp(q flow.Queuer, pages []Page, each func(h *Help)) {
	var ids []string
	for _, p := range pages {
		ids = append(ids, p.Help)
	}
	q.Queue(`select `+helpColumns+` from help where id = any($1::uuid[])`,
		ids).Query(func(rows pgx.Rows) error { return scanHelp(rows, each) })
}
