package intake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// lockFacilities queues that facilities which are agreed with no organisation are the host's to place, and reads whose
// they are. It comes before all other locks: placing one waits until what came from it is stored, and the reverse.
func (s *Service) lockFacilities(q queuer, batch []*inboundMessage, w *record.UnitOfWork) {
	first := map[string]*inboundMessage{}
	for _, a := range batch {
		if !s.isAgreed(a.Organisation) && first[a.Organisation] == nil {
			first[a.Organisation] = a
		}
	}
	if len(first) == 0 {
		return
	}
	var senders, messages []string
	facilities := slices.Sorted(maps.Keys(first))
	for _, facility := range facilities {
		senders, messages = append(senders, first[facility].Sender), append(messages, first[facility].id)
	}
	q.Queue(`insert into facility (organisation, host, sender, message, first_at)
		select organisation, $4, sender, message, $5 from unnest($1::text[], $2::text[], $3::uuid[]) as t(organisation,
		sender, message)
		order by organisation on conflict do nothing`, facilities, senders, messages, s.host, s.clock.Now())
	q.Queue(`select organisation, host, coalesce(placed, '') from facility where organisation = any($1)
		order by organisation for share`, facilities).
		Query(func(rows pgx.Rows) error { return scanHomes(rows, w) })
}

// findHomes queues whose the facilities are of all visits of those concerned.
func findHomes(q queuer, w *record.UnitOfWork) {
	q.Queue(`select organisation, host, coalesce(placed, '') from facility where organisation in (
			select v.organisation from person r cross join unnest(r.aliases || r.id) as owner join visit v
			on v.person = owner where` + affected + `)`).
		Query(func(rows pgx.Rows) error { return scanHomes(rows, w) })
}

// loadHomes reads whose some facilities are.
func loadHomes(tx *flow.Tx, facilities []string, w *record.UnitOfWork) error {
	if len(facilities) == 0 {
		return nil
	}
	tx.Queue(`select organisation, host, coalesce(placed, '') from facility where organisation = any($1)`, facilities).
		Query(func(rows pgx.Rows) error { return scanHomes(rows, w) })
	return tx.Flush()
}

func scanHomes(rows pgx.Rows, w *record.UnitOfWork) error {
	var facility string
	var h record.Home
	_, err := pgx.ForEachRow(rows, []any{&facility, &h.Host, &h.Placed},
		func() error { w.Homes[facility] = h; return nil })
	return err
}

// facilitiesWithin queues the reading of facilities that wait to be placed, or that were, within the principal's reach.
func facilitiesWithin(q queuer, who principal.Principal, placed bool, after string, limit int, lines *[]FacilityLine) {
	q.Queue(selectFacilities, after, scopeOf(who).All, scopeOf(who).Organisations, limit,
		placed).Query(func(rows pgx.Rows) (err error) {
		*lines, err = pgx.CollectRows(rows, scanFacility)
		return err
	})
}

// selectFacilities reads facilities after $1, all ($2) or those of a host ($3), up to $4: that were placed ($5), or
// wait.
const selectFacilities = `select f.organisation, f.sender, f.host, f.first_at, f.message::text, coalesce(f.placed, ''),
		(select count(distinct v.journey) from visit v where v.organisation = f.organisation and v.journey is not null)
	from facility f where (f.placed is not null) = $5 and f.organisation > $1 and ($2 or f.host = any($3))
	order by f.organisation limit $4`

func scanFacility(row pgx.CollectableRow) (l FacilityLine, err error) {
	return l, row.Scan(&l.ID, &l.Sender, &l.Host, &l.FirstAt, &l.Message, &l.Placed, &l.Journeys)
}

// decideFacility keeps whose a facility is by a human's word, or that nobody has agreed, where wanted is empty; and
// says how many journeys that moved. Once it is placed, it is placed elsewhere by undoing that first.
func (s *Service) decideFacility(tx *flow.Tx, who principal.Principal, facility, wanted, reason string) (journeys int,
	err error) {
	found, before, host := false, "", ""
	tx.Queue(`select coalesce(placed, ''), host from facility where organisation = $1 and ($2 or host = any($3))
		for update`,
		facility, scopeOf(who).All, scopeOf(who).Organisations).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&before, &host}, func() error { found = true; return nil })
		return err
	})
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	switch {
	case !found:
		return 0, noSuchFacility()
	case before == wanted:
		return 0, nil
	case before != "" && wanted != "":
		return 0, httpx.NewProblem(http.StatusConflict, "This facility is placed with %s already. Undo that first, "+
			"with POST /api/facilities/{id}/unplace.", before)
	}
	touched, err := whoseOthersExclude(tx, who, facility)
	if err != nil {
		return 0, err
	}
	return journeys, s.around(tx, who, touched, func(j *transaction) (map[string][]record.Question, error) {
		storePlacing(tx, facility, wanted, recordedBy(who), reason, tx.Now)
		journeys, err = moveVisits(tx, j, facility, cmp.Or(wanted, host), wanted == "")
		return nil, err
	})
}

// storePlacing queues whose a facility is now, beside who decided what about it before.
func storePlacing(q queuer, facility, wanted, by, reason string, now time.Time) {
	q.Queue(`update facility set placed = nullif($2, ''), placed_by = $3, placed_at = $4 where organisation = $1`,
		facility, wanted, by, now)
	q.Queue(`insert into facility_placing (id, facility, placed, decided_by, reason, at)
		values ($1, $2, nullif($3, ''), $4, $5, $6)`,
		clock.NewID(now), facility, wanted, by, reason, now)
}

// whoseOthersExclude are the people of a facility's journeys, one of whose records says that an organisation must not
// know: which ones count on a journey depends on whose it is.
func whoseOthersExclude(tx *flow.Tx, _ principal.Principal, facility string) (people []string, err error) {
	tx.Queue(`select distinct j.person::text from visit v join journey j on j.id = v.journey where v.organisation = $1
		and exists (select 1 from contact_card c where c.person = any(array(select records_of(j.person)))
		and c.must_not_know <> '{}') order by 1`, facility).
		Query(func(rows pgx.Rows) error { people, err = pgx.CollectRows(rows, pgx.RowTo[string]); return err })
	return people, tx.Flush()
}

// moveVisits says of every journey of a facility whose it is now, and whether who it is about is hidden. All of its
// visits are locked, those too of which nothing is raised yet: one may be raised at this moment.
func moveVisits(tx *flow.Tx, j *transaction, facility, home string, hidden bool) (int, error) {
	var visits []*record.Visit
	tx.Queue(`select id::text, organisation, number, version, says::text from visit where organisation = $1
		order by organisation, number for update`, facility).Query(func(rows pgx.Rows) (err error) {
		visits, err = scanned(rows)
		return err
	})
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	visits = slices.DeleteFunc(visits, func(v *record.Visit) bool { return v.Published.Journey == "" })
	journeys := map[string]bool{}
	for _, v := range visits {
		v.RowVersion++
		v.Published.Flags = record.Without(v.Published.Flags, []string{schemas.FlagUnplaced})
		if hidden {
			v.Published.Flags = append(v.Published.Flags, schemas.FlagUnplaced)
		}
		journeys[v.Published.Journey] = true
		j.change(v)
		j.tell(v.Published.Journey, record.JourneyEvent{Kind: schemas.DischargeCorrected,
			Data: schemas.DischargeCorrectedData{Visit: v.ID, Flags: record.OrNone(v.Published.Flags),
				Organisation: home}})
	}
	return len(journeys), nil
}

// Unplaced reads which facilities are agreed with no organisation, for whoever looks after the system.
func Unplaced(ctx context.Context, pool *pgxpool.Pool) ([]FacilityLine, error) {
	rows, err := pool.Query(ctx, selectFacilities, "", true, []string{}, 200, false)
	if err != nil {
		return nil, fmt.Errorf("reading facilities: %w", err)
	}
	return pgx.CollectRows(rows, scanFacility)
}
