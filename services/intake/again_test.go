package intake

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"footbridge/libs/flow"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// rowsOf are the rows in which intake keeps what others said, as they are stored.
func rowsOf(t testing.TB, admin *pgxpool.Pool, journey string) string {
	t.Helper()
	return testkit.Rows(t, admin, journey, "intake.journey where t.id = $1::uuid",
		"intake.partner_offer where t.journey = $1::uuid",
		"intake.yes_told where t.journey = $1::uuid")
}

// TestAnEventThatComesAgainChangesNothing: in any order, one to three times, after answers and stops, closings and
// reopenings: what has been applied writes no row and emits nothing when it comes again.
func TestAnEventThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	sequence, admin := map[bool]int64{}, p.site.db.Admin()
	emitted := func() (n int) {
		if err := admin.QueryRow(t.Context(), `select count(*) from intake.outbox`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	rapid.Check(t, func(rt *rapid.T) {
		var events []flow.Event
		for i := range rapid.IntRange(1, 8).Draw(rt, "events") {
			ours, at := rapid.Bool().Draw(rt, "by journey"), p.clock.Now().Add(time.Duration(i)*time.Minute)
			sequence[ours]++
			offer := offerID(rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "offer"))
			if ours {
				typ := rapid.SampledFrom([]schemas.Type{schemas.JourneyOpened, schemas.JourneyHeld,
					schemas.JourneyReleased, schemas.JourneyClosed, schemas.JourneyReopened}).Draw(rt, "turn")
				events = append(events, turned(journey, typ, sequence[ours], at))
				continue
			}
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0, 1:
				events = append(events, offerEvent(t, journey, schemas.OfferAccepted, sequence[ours], at,
					schemas.OfferAcceptedData{Offer: offer, Partner: "RYY",
						AgreementUntil: "2027-01-01", Transition: rapid.IntRange(0, int(sequence[true])).Draw(rt,
							"known")}))
			case 2:
				events = append(events, offerEvent(t, journey, schemas.OfferWithdrawn, sequence[ours], at,
					schemas.OfferWithdrawnData{Offer: offer, Reason: "person"}))
			case 3:
				events = append(events, offerEvent(t, journey, schemas.OfferExhausted, sequence[ours], at,
					schemas.OfferExhaustedData{LastDay: "2026-12-01"}))
			}
		}
		arrival := rapid.Permutation(events).Draw(rt, "arrival")
		for done := 0; done < len(arrival); {
			n := rapid.IntRange(1, len(arrival)-done).Draw(rt, "batch")
			p.hear(t, arrival[done:done+n]...)
			done += n
			again := rapid.SliceOfN(rapid.SampledFrom(arrival[:done]), 1, 3*done).Draw(rt, "again")
			before, said := rowsOf(t, admin, journey), emitted()
			p.hear(t, again...)
			if after := rowsOf(t, admin, journey); after != before || emitted() != said {
				rt.Fatalf("%d events come again; the rows were\n%s\nand are\n%s", len(again), before, after)
			}
		}
	})
}

// TestNoClockOfAnotherServiceOpensIdentity: whatever the clocks of the services that close, reopen and accept say, an
// acceptance and a yes from before a closing open nothing after it, and those from after the reopening do.
func TestNoClockOfAnotherServiceOpensIdentity(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]time.Duration{"an hour behind": -time.Hour, "an hour ahead": time.Hour,
		"right": 0, "years behind": -9000 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
			door := "/api/journeys/" + journey + "/identity"
			p.sayYes(t, journey, ours.Organisation)
			p.accept(t, journey, "1", 2)
			p.must(t, http.StatusOK, ours, "GET", door, "")
			at := p.clock.Now().Add(wrong)
			closed := p.closing(t, journey, 3, at)
			p.hear(t, closed, turned(journey, schemas.JourneyReopened, 4, at.Add(time.Second)))
			p.must(t, http.StatusNotFound, ours, "GET", door, "")
			p.sayYes(t, journey, ours.Organisation)
			p.must(t, http.StatusNotFound, ours, "GET", door, "")
			p.accept(t, journey, "2", 5)
			p.must(t, http.StatusOK, ours, "GET", door, "")
			p.hear(t, closed) // it comes again, after all of that
			p.must(t, http.StatusOK, ours, "GET", door, "")
		})
	}
}
