package threshold

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/flow/flowtest"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

func (w *world) shape() flowtest.Service[JourneyState, record] {
	return flowtest.Service[JourneyState, record]{Handler: w.handler(), Pool: w.pool, Tables: []string{"decision"}}
}

// commanded does what people and days do to a journey: a service is asked, answers, is opened or shut by hand, and a
// day comes on which a door may stand otherwise.
func (w *world) commanded(rt *rapid.T, at time.Time, journey string) {
	w.t.Helper()
	var records map[string]*record
	err := testkit.TwoTrips(w.pool, func(reads *pgx.Batch) { records = store.Load(reads, []string{journey}) },
		func(batch *pgx.Batch) error {
			r := records[journey]
			if r.Last == nil {
				return nil
			}
			today := calendar.DayOf(at, w.zone).String()
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				r.State.ask(Asked{Service: "adults"}, today, at.Add(48*time.Hour))
			case 1:
				r.State.answer(Answered{Service: "adults",
					Answer: rapid.SampledFrom([]string{"yes", "no", criteria.StateNoReply}).Draw(rt, "answer")}, today,
					false)
			case 2:
				r.State.override(Overriding{Service: "adults", Eligibility: schemas.Eligible,
					Reason: "clinical-decision"},
					today, "navigator")
			case 3:
				r.keep = ifChanged
			}
			_, err := w.handler().Commit(batch, at, []*record{r})
			return err
		})
	if err != nil {
		w.t.Fatal(err)
	}
}

// story draws what others could say about one journey, each with its sequence.
func story(t *rapid.T) (events []flow.Event) {
	said := map[string]int64{}
	say := func(typ schemas.Type, data any) {
		entry, _ := schemas.Lookup(typ)
		said[entry.By]++
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, flow.Event{ID: clock.NewID(time.Date(2026, 11, 2, 9, len(events), 0, 0, time.UTC)),
			Source: "/footbridge/" + entry.By, Type: string(typ), Subject: aJourney,
			Sequence: flow.FormatSequence(said[entry.By]), Correlation: "first", Data: text})
	}
	day := rapid.SampledFrom([]string{"2026-11-01", "2026-11-02", "2026-10-20"})
	facts := func() (f schemas.Facts) {
		if rapid.Bool().Draw(t, "known") {
			f.Age = new(rapid.IntRange(10, 70).Draw(t, "age"))
		}
		return f
	}
	for range rapid.IntRange(1, 8).Draw(t, "events") {
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0, 1:
			say(schemas.DischargeRecorded,
				schemas.DischargeRecordedData{Person: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "person"),
					Organisation: "RXX", LeftOn: day.Draw(t, "day"), Facts: facts()})
		case 2:
			known := facts()
			say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{LeftOn: day.Draw(t, "day"), Facts: &known,
				Organisation: rapid.SampledFrom([]string{"", "RYY"}).Draw(t, "placed"),
				Retracted:    rapid.SampledFrom([][]string{nil, {"age"}}).Draw(t, "back")})
		case 3:
			say(schemas.InformationSupplied, schemas.InformationSuppliedData{Facts: facts()})
		case 4:
			say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Reason: "recoded"})
		case 5:
			say(schemas.JourneyClosed, schemas.JourneyClosedData{})
		case 6:
			say(schemas.JourneyReleased, schemas.JourneyReleasedData{ReleasedOn: day.Draw(t, "from")})
		case 7:
			say(schemas.JourneyReopened, schemas.JourneyReopenedData{ReopenedOn: day.Draw(t, "from")})
		}
	}
	return events
}

// TestAnEventThatComesAgainChangesNothing: in any order, one to three times, together or alone, after every command and
// every day, after a closing and a reopening: what has been applied writes no row and emits nothing when it comes
// again.
func TestAnEventThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", nil))
	w.shape().AgainChangesNothing(t, w.now.at, story, w.commanded)
}

// TestEachTypeThatComesAgainChangesNothing: of every type that is subscribed to, its example.
func TestEachTypeThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", nil))
	w.shape().EachAgainChangesNothing(t, w.now.at, flowtest.Examples(schemas.SubscribedBy(Name), schemas.ExampleJSON))
}

func TestEveryTypeThatIsHeardIsUnderstood(t *testing.T) {
	t.Parallel()
	flowtest.Service[JourneyState, record]{Handler: flow.Handler[JourneyState,
		record]{Subscriptions: subscriptions}}.Understands(t, flowtest.Names(schemas.SubscribedBy(Name)))
}

func TestInWhateverOrderEventsComeTheSameIsKnown(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		events := story(rt)
		known := func(events []flow.Event) string {
			var k JourneyState
			for _, e := range events {
				if err := subscriptions.Apply(&k, e); err != nil {
					rt.Fatal(err)
				}
			}
			text, err := json.Marshal(k)
			if err != nil {
				rt.Fatal(err)
			}
			return string(text)
		}
		if inOrder, asTheyCame := known(events),
			known(rapid.Permutation(events).Draw(rt, "arrival")); inOrder != asTheyCame {
			rt.Fatalf("in order %s, as they came %s", inOrder, asTheyCame)
		}
	})
}

// TestAnEventThatChangesNoDoorIsNotSaid: facts that arrive and decide nothing otherwise are kept with the decision, and
// nobody is told the same again.
func TestAnEventThatChangesNoDoorIsNotSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", nil))
	w.discharge(aJourney, schemas.Facts{Age: new(30)})
	w.apply(aJourney, schemas.InformationSupplied, schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(31)}})
	if said := w.events(schemas.PathwayDecided); len(said) != 1 {
		t.Errorf("said %d times: %v", len(said), said)
	}
	var decisions int
	if err := w.pool.QueryRow(t.Context(), `select count(*) from decision`).Scan(&decisions); err != nil ||
		decisions != 2 {
		t.Errorf("%d decisions are kept, %v", decisions, err)
	}
}

// TestOnlyWhatIsOpenIsSaidAndOnlyWhenItIsOtherwise: an answer that closes what nobody was told is open is kept with a
// new decision, and the others hear nothing; one that opens, or is a place on a list, they hear at once.
func TestOnlyWhatIsOpenIsSaidAndOnlyWhenItIsOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", nil))
	w.discharge(aJourney, schemas.Facts{Age: new(17)})
	path := "/api/journeys/" + aJourney + "/answered"
	w.must("POST", path, `{"service": "adults", "answer": "no", "reason": "22", "answeredBy": "team"}`)
	if said := w.events(schemas.PathwayDecided); len(said) != 1 ||
		!strings.Contains(said[0], `"data":{"open":["navigator"]}`) {
		t.Fatalf("a door that was not open is not open: %v", said)
	}
	w.must("POST", path, `{"service": "adults", "answer": "waiting", "answeredBy": "team"}`)
	said := w.events(schemas.PathwayDecided)
	if len(said) != 2 || !strings.Contains(said[1], `"data":{"open":["adults","navigator"],"waits":["adults"]}`) {
		t.Errorf("a place on a list: %v", said)
	}
}

// TestTheLargestDirectorysDecisionIsStillAThinEvent decides by a set that grew too large for an event before.
func TestTheLargestDirectorysDecisionIsStillAThinEvent(t *testing.T) {
	t.Parallel()
	docs := []criteria.Document{lastResort()}
	for n := range 216 {
		doc := service(fmt.Sprintf("service-with-a-long-id-that-is-as-long-as-an-id-may-be-%09d", n),
			criteria.ThirdSector)
		for c := range 3 {
			criterion := include(fmt.Sprintf("c%d", c), []string{"age >= 18", "carer"}[n%2])
			criterion.Words = strings.Repeat("w", 1900)
			doc.Criteria = append(doc.Criteria, criterion)
		}
		docs = append(docs, doc)
	}
	w := newWorld(t, compiledSet(t, docs...))
	w.discharge(aJourney, schemas.Facts{Age: new(30)})
	said := w.events(schemas.PathwayDecided)
	if len(said) != 1 || len(said[0]) >= 8<<10 || len(said[0]) < 80*60 {
		t.Errorf("said %d times, in %d bytes", len(said), len(said[0]))
	}
	if doors := w.must("GET", "/api/journeys/"+aJourney+"/doors", "")["items"].([]any); len(doors) != 217 {
		t.Errorf("%d doors are shown", len(doors))
	}
}
