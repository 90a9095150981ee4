package followup

import (
	"cmp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// partnerRow is a partner with what is shown of it and asked of nobody's offer.
type partnerRow struct {
	Partner
	Organisation, OutwardName, Safeguarding, DataContact string
	HeldBy                                               string // whose agreement it is, empty where there is none
	Version                                              int64
}

// loadPartners queues the reading of every partner that the directory lists, as it stands now. Locked, none of their
// places is taken and nothing of them changed by anybody else until the transaction ends.
func loadPartners(q flow.Queuer, locked bool, into *[]Partner) {
	lock := ""
	if locked {
		lock = " for no key update"
	}
	*into = nil
	q.Queue(partnerColumns + ` where listed order by id` + lock).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanPartner)
		for _, p := range all {
			*into = append(*into, p.Partner)
		}
		return err
	})
}

const partnerColumns = `select id::text, organisation, service, name, works, rank, agreement_from, agreement_until,
	weekly, at_most, away,
	paused_until, channels, languages, worker_genders, outward_name, safeguarding, version,
	changed_at, data_contact, hours, access, groups_of_own, areas, held_by from partner`

func scanPartner(row pgx.CollectableRow) (p partnerRow, err error) {
	var works []bool
	var from, until, paused, changed *time.Time
	var away []time.Time
	err = row.Scan(&p.ID, &p.Organisation, &p.Service, &p.Name, &works, &p.Rank, &from, &until, &p.Weekly, &p.AtMost,
		&away, &paused, &p.Channels,
		&p.Languages, &p.WorkerGenders, &p.OutwardName, &p.Safeguarding, &p.Version,
		&changed, &p.DataContact, &p.Hours, &p.Access, &p.Groups, &p.Areas, &p.HeldBy)
	if changed != nil {
		p.ChangedAt = *changed
	}
	copy(p.Works[:], works)
	p.Agreement, p.PausedUntil, p.Away = spanOf(from, until), dayOrNone(paused), spansOf(away)
	return p, err
}

// spanOf are the days of an agreement, nil where there is none.
func spanOf(from, until *time.Time) *Span {
	if from == nil || until == nil {
		return nil
	}
	return &Span{dayOf(*from), dayOf(*until)}
}

func dayOrNone(date *time.Time) calendar.Day {
	if date == nil {
		return 0
	}
	return dayOf(*date)
}

// spansOf are holidays, whose first and last days stand after each other.
func spansOf(away []time.Time) (spans []Span) {
	for i := 0; i+1 < len(away); i += 2 {
		spans = append(spans, Span{dayOf(away[i]), dayOf(away[i+1])})
	}
	return spans
}

// dayOf is a date of the database as a local day.
func dayOf(date time.Time) calendar.Day { return calendar.DayOf(date, time.UTC) }

// countPlaces queues how many places each partner has taken: now, and in the week that begins on a Monday. The partners
// are locked.
func countPlaces(q flow.Queuer, week calendar.Day, partners *[]Partner) {
	q.Queue(`select partner::text, count(*) filter (where ended_at is null),
			count(*) filter (where place_week = $1::text::date and (ended_at is null or accepted_at is not null))
		from offer where placed_at is not null and (ended_at is null or place_week = $1::text::date) group by partner`,
		week.String()).
		Query(func(rows pgx.Rows) error {
			var id string
			var held, taken int
			_, err := pgx.ForEachRow(rows, []any{&id, &held, &taken}, func() error {
				if i := slices.IndexFunc(*partners, func(p Partner) bool { return p.ID == id }); i >= 0 {
					(*partners)[i].Held, (*partners)[i].Week = held, taken
				}
				return nil
			})
			return err
		})
}

// selectWeek goes by offer_taken_in alone from the first row on: it is asked before each batch.
const selectWeek = `select partner::text, count(*) from offer where place_week = $1::text::date
	and (ended_at is null or accepted_at is not null) group by partner`

// countWeek queues how many places each partner has taken in the week that begins on a Monday, as far as is committed:
// to spread offers fairly, nobody is locked.
func countWeek(q flow.Queuer, week calendar.Day, partners *[]Partner) {
	q.Queue(selectWeek, week.String()).
		Query(func(rows pgx.Rows) error {
			var id string
			var taken int
			_, err := pgx.ForEachRow(rows, []any{&id, &taken}, func() error {
				if i := slices.IndexFunc(*partners, func(p Partner) bool { return p.ID == id }); i >= 0 {
					(*partners)[i].Week = taken
				}
				return nil
			})
			return err
		})
}

// placesOf queues the counting of the places of a partner that somebody may see.
func placesOf(q flow.Queuer, who principal.Principal, week calendar.Day, p *[]Partner) {
	if schemas.Role(who.Role) == schemas.Partner && (*p)[0].ID != who.Organisation {
		return
	}
	countPlaces(q, week, p)
}

// seedPartners queues that these are the partners the directory lists. One that is gone from it keeps its row, for its
// offers, and is asked no more. What people have changed of one stands.
func seedPartners(q flow.Queuer, partners []PartnerConfig, invented bool) {
	partners = slices.SortedFunc(slices.Values(partners),
		func(a, b PartnerConfig) int { return cmp.Compare(a.ID, b.ID) })
	ids := []string{}
	for _, p := range partners {
		ids = append(ids, p.ID)
		var from, until *string
		if p.Agreement != nil {
			first, last := p.Agreement.First.String(), p.Agreement.Last.String()
			from, until = &first, &last
		}
		q.Queue(`insert into partner (id, organisation, service, name, works, rank, agreement_from, agreement_until,
				held_by)
			values ($1::text::uuid, $2, $3, $4, $5, $6, $7::text::date, $8::text::date, $9)
			on conflict (id) do update set organisation = excluded.organisation, service = excluded.service, name =
			excluded.name,
				rank = excluded.rank, listed = true`,
			p.ID, p.Organisation, p.Service, p.Name, p.Works[:], p.Rank, from, until, p.HeldBy)
		q.Queue(`insert into partner_news (partner, invented) values ($1::text::uuid, $2)
			on conflict (partner) do update set invented = excluded.invented, unsaid = true
			where partner_news.invented <> excluded.invented`, p.ID, invented)
	}
	q.Queue(`update partner set listed = false where listed and not id::text = any($1)`, ids)
}

// lockPartner queues the reading of one partner that somebody may see, locked where it is to be changed.
func lockPartner(q flow.Queuer, who principal.Principal, id string, locked bool, into func(partnerRow)) {
	lock := ""
	if locked {
		lock = " for no key update"
	}
	q.Queue(partnerColumns+` where id = $1::text::uuid and ($2 or id::text = $3)`+lock, id,
		schemas.Role(who.Role) != schemas.Partner, who.Organisation).
		Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, scanPartner)
			for _, p := range all {
				into(p)
			}
			return err
		})
}

// listedPartners queues the reading of all partners that the directory lists, by name, for staff.
func listedPartners(q flow.Queuer, _ principal.Principal, into func(partnerRow)) {
	q.Queue(partnerColumns + ` where listed order by name, id`).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanPartner)
		for _, p := range all {
			into(p)
		}
		return err
	})
}

// savePartner queues a partner as it was changed, and has every offer looked at that waits for a partner.
func savePartner(q flow.Queuer, p partnerRow, now time.Time) {
	var from, until, paused *string
	if p.Agreement != nil {
		first, last := p.Agreement.First.String(), p.Agreement.Last.String()
		from, until = &first, &last
	}
	if p.PausedUntil != 0 {
		day := p.PausedUntil.String()
		paused = &day
	}
	away := []string{}
	for _, s := range p.Away {
		away = append(away, s.First.String(), s.Last.String())
	}
	q.Queue(`update partner set works = $2, agreement_from = $3::text::date, agreement_until = $4::text::date, weekly =
		$5, at_most = $6,
			away = $7::text[]::date[], paused_until = $8::text::date, channels = $9, languages = $10, worker_genders =
			$11, outward_name = $12,
			safeguarding = $13, version = $14, changed_at = $15, data_contact = $16, hours = $17, access = $18,
			groups_of_own = $19, areas = $20, held_by = $21
		where id = $1::text::uuid`, p.ID, p.Works[:], from, until, p.Weekly, p.AtMost, away, paused, list(p.Channels),
		list(p.Languages),
		list(p.WorkerGenders), p.OutwardName, p.Safeguarding, p.Version, now, p.DataContact,
		list(p.Hours), list(p.Access), list(p.Groups), list(p.Areas), p.HeldBy)
	q.Queue(`update partner_news set unsaid = true where partner = $1::text::uuid`, p.ID)
	wakeWaiting(q, now)
}

// partnerNews is what others are to be told of a partner.
type partnerNews struct {
	Partner
	version  int64
	invented bool
}

// unsaidPartners queues the locking of what others are to be told of partners, with how they stand. What somebody
// changes at the moment is left for the next time.
func unsaidPartners(q flow.Queuer, limit int, postponed []string, into func(partnerNews)) {
	q.Queue(`select p.id::text, p.agreement_from, p.agreement_until, p.paused_until, p.away, n.version, n.invented
		from partner_news n join partner p on p.id = n.partner where n.unsaid and not p.id::text = any($2)
		order by p.id limit $1 for update of n skip locked`, limit, postponed).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n partnerNews, err error) {
			var from, until, paused *time.Time
			var away []time.Time
			err = row.Scan(&n.ID, &from, &until, &paused, &away, &n.version, &n.invented)
			n.Agreement, n.PausedUntil, n.Away = spanOf(from, until), dayOrNone(paused), spansOf(away)
			return n, err
		})
		for _, n := range all {
			into(n)
		}
		return err
	})
}

// saidPartners queues that others have been told how partners stand.
func saidPartners(q flow.Queuer, ids []string) {
	q.Queue(`update partner_news set unsaid = false, version = version + 1 where partner = any($1::text[]::uuid[])`, ids)
}

// tellPartners queues that others are told again how every partner stands.
func tellPartners(q flow.Queuer) {
	q.Queue(`with n as (select partner from partner_news order by partner for update)
		update partner_news set unsaid = true from n where partner_news.partner = n.partner`)
}

func list(codes []string) []string { return append([]string{}, codes...) }

// wakeWaiting queues that offers which wait to be sent are looked at now, and those for whom no partner was left.
func wakeWaiting(q flow.Queuer, now time.Time) {
	q.Queue(`update offer set due_at = $1 where ended_at is null and state = 'raised' and placed_at is null
		and consent = 'given' and not paused
		and due_at > $1`, now)
	// One that is locked is being decided about; waiting for it while a partner is locked could wait for ever.
	q.Queue(`update journey_state set look_at = $1 where journey in (
		select journey from journey_state where status = 'exhausted' for update skip locked)`, now)
}

// exhaustedToLookAt queues the finding of journeys for which no partner was left and that are to be looked at again,
// locked; what another transaction has locked is left out.
func exhaustedToLookAt(q flow.Queuer, now time.Time, limit int, postponed []string, into func(journey string)) {
	q.Queue(`update journey_state set look_at = null where journey in (
			select journey from journey_state where look_at <= $1 and not journey::text = any($3)
			order by look_at, journey limit $2 for update skip locked)
		returning journey::text`, now, limit, postponed).
		Query(func(rows pgx.Rows) error {
			var journey string
			_, err := pgx.ForEachRow(rows, []any{&journey}, func() error {
				into(journey)
				return nil
			})
			return err
		})
}

// loadLive queues which organisations have turned outward sending on.
func loadLive(q flow.Queuer, into *[]string) {
	q.Queue(`select organisation from live where confirmed_at is not null`).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
}

// countLive queues for how many organisations outward sending is on.
func countLive(q flow.Queuer, _ principal.Principal, into *int) {
	q.Queue(`select count(*) from live where confirmed_at is not null`).QueryRow(func(row pgx.Row) error {
		return row.Scan(into)
	})
}

// askLive queues that somebody asks for outward sending to be turned on. What stands on is turned off until it is
// confirmed again: what it rests on has changed.
func askLive(q flow.Queuer, _ principal.Principal, organisation string, asked liveRests, by string, now time.Time) {
	q.Queue(`insert into live (organisation, safety_officer, hazard_log, dpia, caldicott, asked_by, asked_at,
		confirmed_by)
		values ($1, $2, $3, $4, $5, $6, $7, '')
		on conflict (organisation) do update set safety_officer = excluded.safety_officer, hazard_log =
		excluded.hazard_log, dpia = excluded.dpia,
			caldicott = excluded.caldicott, asked_by = excluded.asked_by, asked_at = excluded.asked_at, confirmed_by =
			'', confirmed_at = null, off_by = '', off_at = null`,
		organisation, asked.SafetyOfficer, asked.HazardLog, asked.DPIA, asked.Caldicott, by, now)
}

// confirmLive queues that somebody confirms it; on is whether it is turned on by that, or had been by them.
func confirmLive(q flow.Queuer, _ principal.Principal, organisation, by string, now time.Time, on *bool) {
	q.Queue(`update live set confirmed_by = case when confirmed_at is null then $2 else confirmed_by end,
			confirmed_at = coalesce(confirmed_at, $3) where organisation = $1 and asked_by <> $2 and off_at is null
		returning true`, organisation, by, now).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{on}, func() error { return nil })
		return err
	})
}

// readLive queues how outward sending stands for an organisation.
func readLive(q flow.Queuer, _ principal.Principal, organisation string, locked bool, into *liveShown) {
	lock := ""
	if locked {
		lock = " for update"
	}
	q.Queue(`select safety_officer, hazard_log, dpia, caldicott, asked_by, asked_at, confirmed_by, confirmed_at, off_by,
		off_at from live where organisation = $1`+lock, organisation).Query(func(rows pgx.Rows) error {
		var rests liveRests
		_, err := pgx.ForEachRow(rows, []any{&rests.SafetyOfficer, &rests.HazardLog, &rests.DPIA, &rests.Caldicott,
			&into.AskedBy, &into.AskedAt, &into.ConfirmedBy, &into.ConfirmedAt, &into.OffBy, &into.OffAt},
			func() error {
				into.Rests, into.On = &rests, into.ConfirmedAt != nil
				return nil
			})
		return err
	})
}

// offLive queues that somebody turns outward sending off. Who had asked for it and confirmed it has to do so again.
func offLive(q flow.Queuer, _ principal.Principal, organisation, by string, now time.Time) {
	q.Queue(`update live set confirmed_by = '', confirmed_at = null, off_by = $2, off_at = $3 where organisation = $1
		and off_at is null`, organisation, by, now)
}

// wakeLive queues that the offers of an organisation that stand are looked at, since outward sending has been turned on
// or off.
func wakeLive(q flow.Queuer, organisation string, now time.Time) {
	tellPartners(q)
	q.Queue(`update offer set due_at = $2 where id in (select id from offer where organisation = $1
		and ended_at is null and accepted_at is null order by id for no key update)`, organisation, now)
}
