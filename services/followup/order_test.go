package followup

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

const aJourney = "0193a000-0000-7000-8000-000000000001"

// story draws the events that intake and threshold could say about one journey, each with its sequence.
func story(t *rapid.T) []flow.Event {
	var events []flow.Event
	said := map[string]int64{}
	say := func(source string, typ schemas.Type, data any) {
		said[source]++
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, flow.Event{
			ID: fmt.Sprintf("event-%d", len(events)), Type: string(typ), Subject: aJourney,
			Sequence: flow.FormatSequence(said[source]),
			Time:     time.Date(2026, 11, 2, 9, len(events), 0, 0, time.UTC), Correlation: "first", Data: text,
		})
	}
	day := rapid.SampledFrom([]string{"2026-11-01", "2026-11-02", "2026-10-20"})
	visit := rapid.SampledFrom([]string{"v1", "v2"})
	flags := rapid.SampledFrom([][]string{nil, {}, {schemas.FlagUnder18}, {schemas.FlagAgeUnknown},
		{schemas.FlagMerged}, {schemas.FlagPossibleDouble}, {schemas.FlagIndicatorUnknown}, {schemas.FlagUnplaced}})
	years := 15
	facts := rapid.SampledFrom([]schemas.Facts{{}, {Age: &years}})
	door := rapid.SampledFrom([]schemas.Eligibility{schemas.Eligible, schemas.EligibleIf, schemas.NotEligible})
	purposes := rapid.SampledFrom([][]string{{"follow-up"}, {"bridging"}, {"follow-up", "bridging"}})
	for range rapid.IntRange(1, 9).Draw(t, "events") {
		switch rapid.IntRange(0, 12).Draw(t, "kind") {
		case 11: // two records are joined, or parted: what stands of either counts for both, or no more
			merged := rapid.Bool().Draw(t, "merged")
			say("intake", schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v1",
				Flags: map[bool][]string{true: {schemas.FlagMerged}, false: {}}[merged]})
			say("intake", map[bool]schemas.Type{true: rapid.SampledFrom([]schemas.Type{schemas.ConsentLapsed,
				schemas.ConsentDeclined}).Draw(t, "held"), false: schemas.ConsentGiven}[merged],
				schemas.ConsentData{Purposes: []string{"follow-up"}, AsBefore: true})
			say("intake", schemas.PreferencesChanged, schemas.PreferencesChangedData{
				MustNotKnow: map[bool][]string{true: {partnersAB()[0].ID}, false: {}}[merged]})
		case 12: // a death is reported, and taken back: whoever comes back is asked again
			say("intake", schemas.ContactStopped, schemas.ContactStoppedData{})
			if rapid.Bool().Draw(t, "reversed") {
				say("intake", schemas.ContactResumed, schemas.ContactResumedData{})
				say("intake", schemas.ConsentLapsed, schemas.ConsentData{Purposes: []string{"follow-up"}})
			}
		case 0, 1:
			say("intake", schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX",
				Visit: visit.Draw(t, "visit"), LeftOn: day.Draw(t, "day"), Flags: flags.Draw(t, "flags"),
				Facts: facts.Draw(t, "facts")})
		case 2:
			known := facts.Draw(t, "facts")
			say("intake", schemas.DischargeCorrected,
				schemas.DischargeCorrectedData{Organisation: rapid.SampledFrom([]string{"", "", "RYY", "RZZ"}).Draw(t,
					"placed"), Visit: visit.Draw(t, "visit"),
					LeftOn: rapid.SampledFrom([]string{"", "2026-10-31"}).Draw(t, "day"), Flags: flags.Draw(t, "flags"),
					Facts: &known})
		case 3:
			say("intake", schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: visit.Draw(t, "visit"),
				Reason: "recoded"})
		case 4:
			say("intake", rapid.SampledFrom([]schemas.Type{schemas.ConsentGiven, schemas.ConsentGiven,
				schemas.ConsentDeclined, schemas.ConsentWithdrawn, schemas.ConsentLapsed}).Draw(t, "answer"),
				schemas.ConsentData{Purposes: purposes.Draw(t, "purposes"),
					Organisation: rapid.SampledFrom([]string{"", "", partnersAB()[0].ID}).Draw(t, "to")})
		case 5:
			say("intake", rapid.SampledFrom([]schemas.Type{schemas.ContactStopped, schemas.ContactResumed}).Draw(t,
				"contact"),
				schemas.ContactStoppedData{})
		case 6:
			say("journey", schemas.JourneyClosed,
				schemas.JourneyClosedData{AnsweredUpTo: rapid.IntRange(0, int(said["intake"])).Draw(t, "answered")})
		case 7:
			switch rapid.IntRange(0, 2).Draw(t, "turn") {
			case 0:
				say("journey", schemas.JourneyHeld, schemas.JourneyHeldData{})
			case 1:
				say("journey", schemas.JourneyReopened, schemas.JourneyReopenedData{ReopenedOn: day.Draw(t, "from")})
			default:
				say("journey", schemas.JourneyReleased, schemas.JourneyReleasedData{ReleasedOn: day.Draw(t, "from")})
			}
		case 8:
			say("intake", schemas.PreferencesChanged, schemas.PreferencesChangedData{
				Hours: rapid.SampledFrom([]*schemas.ContactHours{nil, {}, {FromHour: 10, ToHour: 13},
					{FromHour: 17, ToHour: 21}}).Draw(t, "hours"),
				MustNotKnow: rapid.SampledFrom([][]string{nil, {}, {partnersAB()[0].ID},
					{partnersAB()[0].ID, partnersAB()[1].ID}}).Draw(t, "barred")})
		default:
			say("threshold", schemas.PathwayDecided, doorsOf(
				thirdSector("svc-a", door.Draw(t, "a")), thirdSector("svc-b", door.Draw(t, "b"))))
		}
	}
	return events
}

// tell applies events one batch after the other to a journey that nothing is known of.
func tell(t *rapid.T, batches ...[]flow.Event) record {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{partners: partnersAB(), zone: zone}
	s.subscriptions = s.subscribe()
	r := store.Fresh(aJourney)
	for _, batch := range batches {
		if _, err := s.handler().Apply(&pgx.Batch{}, time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC),
			map[string]*record{aJourney: r}, batch); err != nil {
			t.Fatal(err)
		}
	}
	end := *r
	end.Version, end.Applied, end.Cause, end.Past = 0, nil, nil, nil
	if end.Open != nil {
		open := *end.Open
		open.ID = ""
		end.Open = &open
	}
	return end
}

func TestAnyOrderOfAJourneysEventsEndsInTheSameOffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := story(t)
		inOrder := tell(t, events)
		shuffled := rapid.Permutation(events).Draw(t, "arrival")
		shuffled = append(shuffled, shuffled[:rapid.IntRange(0, len(shuffled)).Draw(t, "repeated")]...)
		cut := rapid.IntRange(0, len(shuffled)).Draw(t, "batch")
		if got := tell(t, shuffled[:cut], shuffled[cut:]); !reflect.DeepEqual(got, inOrder) {
			t.Fatalf("arriving in order ends in\n%+v %+v\nbut as they came in\n%+v %+v", inOrder, inOrder.Open, got,
				got.Open)
		}
		var oneByOne [][]flow.Event
		for i := range shuffled {
			oneByOne = append(oneByOne, shuffled[i:i+1])
		}
		if got := tell(t, oneByOne...); !reflect.DeepEqual(got, inOrder) {
			t.Fatalf("arriving in order ends in\n%+v %+v\nbut one by one in\n%+v %+v", inOrder, inOrder.Open, got,
				got.Open)
		}
	})
}

func TestWithdrawnAndStoppedJourneysHaveNoOffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		end := tell(t, story(t))
		_, _, stands := end.State.Visits.Current()
		if (end.Status == Offered) != (end.Open != nil) || end.State.Transition.Closed && end.Open != nil ||
			(!stands && end.Open != nil) || (end.State.Contact.At > 0 && !end.State.Contact.Yes && end.Open != nil) {
			t.Fatalf("got %+v with offer %+v", end, end.Open)
		}
	})
}

func TestWhoMustNotKnowIsNeverAsked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		end := tell(t, story(t))
		if end.Open != nil && end.State.Bars(end.Open.Partner) {
			t.Fatalf("%v must not know, and the offer is %+v", end.State.Barred, end.Open)
		}
	})
}

func TestNoOfferCountsAsAgreedToBeforeTheCliniciansRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		end := tell(t, story(t))
		_, visit, _ := end.State.Visits.Current()
		flagged := slices.Contains(visit.Flags, schemas.FlagUnder18) ||
			slices.Contains(visit.Flags, schemas.FlagAgeUnknown)
		if end.Open != nil && flagged && (end.Open.Consent != consentNotAsked || end.Open.State != stateRaised) {
			t.Fatalf("%+v: somebody may act on the offer %+v", visit, end.Open)
		}
	})
}
