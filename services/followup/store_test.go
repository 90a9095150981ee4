package followup

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

var now = time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)

func migrated() pg.Service {
	return pg.Service{Name: Name, Migrations: []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()},
		{Name: Name, FS: Migrations()}}}
}

func started(t *testing.T) (*Service, *testkit.DB, *pgxpool.Pool) {
	t.Helper()
	db := testkit.Database(t, migrated())
	pool := db.Pool(Name)
	var partners []PartnerConfig
	for _, p := range partnersAB() {
		partners = append(partners, PartnerConfig{Partner: p, Organisation: "charity-" + p.Service})
	}
	s, err := New(context.Background(), Config{Pool: pool, Partners: partners, Zone: london(t)})
	if err != nil {
		t.Fatal(err)
	}
	return s, db, pool
}

// applyBatch applies a batch now.
func applyBatch(s *Service, pool *pgxpool.Pool, events []flow.Event) ([]flow.Emission, error) {
	return shape(s, pool).Deliver(now, events...)
}

func event(journey string, at int64, typ schemas.Type, data any) flow.Event {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return flow.Event{ID: clock.NewID(now), Type: string(typ), Subject: journey, Sequence: flow.FormatSequence(at),
		Time: now, Correlation: clock.NewID(now), Data: text}
}

func discharged(journey string) flow.Event {
	return event(journey, 1, schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: clock.NewRandomID(),
		Organisation: "RXX", Visit: "v", LeftOn: "2026-11-02"})
}

func decided(journey string) flow.Event {
	return event(journey, 1, schemas.PathwayDecided, doorsOf(thirdSector("svc-a", schemas.EligibleIf)))
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	if err := pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestABatchOfDischargesIsStoredAndReadBack(t *testing.T) {
	t.Parallel()
	s, db, pool := started(t)
	var first, second, third []flow.Event
	for range 300 {
		journey := clock.NewID(now)
		first = append(first, discharged(journey))
		second = append(second, decided(journey),
			event(journey, 2, schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"follow-up"}}))
		third = append(third, event(journey, 3, schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"}))
	}
	for i, batch := range [][]flow.Event{first, second, third, third} {
		emitted, err := applyBatch(s, pool, batch)
		if err != nil {
			t.Fatal(err)
		}
		if want := []int{0, 300, 300, 0}[i]; len(emitted) != want {
			t.Errorf("batch %d emitted %d events, want %d", i, len(emitted), want)
		}
		if i == 1 {
			assertOffers(t, pool)
			if got := count(t, db.Pool(pg.Sentinel),
				`select count(*) from followup.held where state = 'offer-raised'`); got != 300 {
				t.Errorf("the sentinel sees %d offers", got)
			}
		}
	}
	if got := count(t, pool, `select count(*) from offer where state = 'withdrawn' and because = 'discharge-withdrawn'
		and ended_at = $1`, now); got != 300 {
		t.Errorf("%d offers were withdrawn", got)
	}
	if got := count(t, pool, `select count(*) from journey_state where version = 2 and status = 'paused'
		and organisation = 'RXX'`); got != 300 {
		t.Errorf("%d journeys are paused at version 2", got)
	}
}

func assertOffers(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	got := count(t, pool, `select count(*) from offer where organisation = 'RXX' and partner = $1
		and first_day = '2026-11-09'
		and last_day = '2026-11-16' and left_on = '2026-11-02' and not late and consent = 'given' and answer_by = $2`,
		partnerA, time.Date(2026, 11, 5, 17, 0, 0, 0, time.UTC))
	if got != 300 {
		t.Errorf("%d offers are as they should be", got)
	}
}

func TestALoadedOfferIsTheOneThatWasStored(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey := clock.NewID(now)
	if _, err := applyBatch(s, pool, []flow.Event{discharged(journey), decided(journey)}); err != nil {
		t.Fatal(err)
	}
	r := shape(s, pool).Load(t, journey)
	if r == nil || r.Open == nil || r.Open.LeftOn != day(t, "2026-11-02") ||
		r.Open.Window != (Window{First: day(t, "2026-11-09"), Last: day(t, "2026-11-16")}) ||
		r.Open.State != "raised" || r.Version != 1 || !reflect.DeepEqual(r.State.Open, map[string]int64{"svc-a": 1}) {
		t.Errorf("got %+v with %+v", r, r.Open)
	}
}

func TestTwoReplicasThatHearHalvesOfAJourneyAtOnceRaiseOneOffer(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	var halves [2][]flow.Event
	for i := range 400 {
		journey := clock.NewID(now)
		halves[i%2] = append(halves[i%2], discharged(journey))
		halves[1-i%2] = append(halves[1-i%2], decided(journey))
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range halves {
		wg.Go(func() {
			for len(halves[i]) > 0 && errs[i] == nil {
				n := min(20, len(halves[i]))
				_, errs[i] = applyBatch(s, pool, halves[i][:n])
				halves[i] = halves[i][n:]
			}
		})
	}
	wg.Wait()
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	if got := count(t, pool, `select count(distinct journey) from offer where ended_at is null`); got != 400 {
		t.Errorf("%d of 400 journeys have an offer", got)
	}
	if got := count(t, pool, `select count(*) from offer`); got != 400 {
		t.Errorf("%d offers for 400 journeys", got)
	}
}

// TestThePlacesOfAWeekAreCountedByTheirOwnIndexFromTheFirstRow is about a count that is made before each batch, by a
// plan that was made while nothing was stored: it read every offer there was.
func TestThePlacesOfAWeekAreCountedByTheirOwnIndexFromTheFirstRow(t *testing.T) {
	t.Parallel()
	_, _, pool := started(t)
	plan := testkit.Plan(t, pool, selectWeek, `text`, `'2026-11-02'`)
	if !strings.Contains(plan, "Index Only Scan using offer_taken_in") || !strings.Contains(plan, "Index Cond") {
		t.Errorf("not by what is asked for:\n%s", plan)
	}
}

func TestTheDatabaseRefusesASecondOfferAndAWindowThatEndsBeforeItBegins(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey := clock.NewID(now)
	if _, err := applyBatch(s, pool, []flow.Event{discharged(journey), decided(journey)}); err != nil {
		t.Fatal(err)
	}
	w := windowOf(day(t, "2026-11-02"), day(t, "2026-11-03"))
	for name, o := range map[string]Offer{
		"a second offer": {ID: clock.NewID(now), Journey: journey, Partner: partnerB, Window: w, Consent: "not-asked"},
		"a window that ends before it begins": {ID: clock.NewID(now), Journey: journey, Partner: partnerB,
			Window:  Window{First: 9, Last: 8},
			Consent: "not-asked"},
	} {
		batch := &pgx.Batch{}
		raiseOffers(batch, []*Offer{&o}, now)
		if err := pool.SendBatch(context.Background(), batch).Close(); !pg.IsUnique(err, "offer_stands") &&
			!pg.IsCheck(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPartnersAreStoredAgainAtEachStart(t *testing.T) {
	t.Parallel()
	_, _, pool := started(t)
	p := PartnerConfig{Partner: partnersAB()[0], Organisation: "charity-moved"}
	p.Name = "Another name"
	if _, err := New(context.Background(), Config{Pool: pool, Partners: []PartnerConfig{p}}); err != nil {
		t.Fatal(err)
	}
	if got := count(t, pool, `select count(*) from partner where organisation = 'charity-moved'
		and name = 'Another name' and works[2] and not works[1]`); got != 1 {
		t.Error("the partner was not renewed")
	}
	for name, bad := range map[string]PartnerConfig{
		"no id":       {Partner: Partner{Service: "s", Works: p.Works}, Organisation: "o"},
		"no week":     {Partner: Partner{ID: partnerA, Service: "s"}, Organisation: "o"},
		"no services": {Partner: Partner{ID: partnerA, Works: p.Works}, Organisation: "o"},
	} {
		if _, err := New(context.Background(), Config{Partners: []PartnerConfig{bad}}); err == nil {
			t.Errorf("%s: it started", name)
		}
	}
}

// TestEmissionsMeetTheirSchemas holds what is said against the published form.
func TestEmissionsMeetTheirSchemas(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey, other := clock.NewID(now), clock.NewID(now)
	emitted, err := applyBatch(s, pool, []flow.Event{discharged(journey), decided(journey), discharged(other),
		event(other, 1, schemas.PathwayDecided, schemas.PathwayDecidedData{})})
	if err != nil {
		t.Fatal(err)
	}
	more, err := applyBatch(s, pool,
		[]flow.Event{event(journey, 2, schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, e := range append(emitted, more...) {
		said[e.Type] = true
		if faults := schemas.Validate(e.Data); len(faults) > 0 {
			t.Errorf("%s: %v", e.Type, faults)
		}
	}
	if len(said) != 3 {
		t.Errorf("said only %v", said)
	}
}

func TestAnOfferOfAPlacedJourneyIsThatOrganisations(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey := clock.NewID(now)
	placed := event(journey, 2, schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v",
		Organisation: "RYY"})
	for _, batch := range [][]flow.Event{{discharged(journey), decided(journey)}, {placed}} {
		if _, err := applyBatch(s, pool, batch); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(t, pool, `select count(*) from offer where organisation = 'RYY' and state = 'raised'
		and ended_at is null`); got != 1 {
		t.Error("the offer is still the organisation's that the journey was before")
	}
}
