package bridging

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

func london(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestCallsFallOnWorkingDaysAtAllowedHours(t *testing.T) {
	t.Parallel()
	for today, want := range map[string]string{
		"2026-11-02": "2026-11-16", // a fortnight on, a Monday
		"2026-11-07": "2026-11-23", // that would be a Saturday
		"2026-12-11": "2026-12-29", // that would be Christmas Day, then a weekend and Boxing Day's substitute
		"2026-03-20": "2026-04-07", // that would be Good Friday, then Easter Monday
		"2026-10-16": "2026-10-30", // the clocks go back in between
	} {
		day, err := calendar.ParseDay(today)
		if err != nil {
			t.Fatal(err)
		}
		on, at, _ := Agreement{}.place("0193a000-0000-7000-8000-000000000001", Agreement{}.next(day, day), 1, nil,
			london(t))
		local := at.In(london(t))
		if on.String() != want || local.Format("2006-01-02") != want {
			t.Errorf("from %s: got %s at %s, want %s", today, on, local, want)
		}
	}
}

func TestCallsOfADayAreSpreadOverItsAllowedHours(t *testing.T) {
	t.Parallel()
	zone, day := london(t), calendar.DayOf(time.Date(2026, 3, 25, 12, 0, 0, 0, time.UTC), london(t))
	slots := map[string]int{}
	for i := range 2000 {
		_, at, _ := Agreement{}.place(fmt.Sprintf("0193a000-0000-7000-8000-%012d", i), day, 1, nil, zone)
		local := at.In(zone)
		slots[local.Format("15:04")]++
		if local.Hour() < 10 || local.Add(10*time.Minute).Format("15:04") > "19:00" {
			t.Fatalf("a call at %s", local)
		}
	}
	if len(slots) != 36 {
		t.Errorf("calls fall on %d quarters of an hour, want all 36", len(slots))
	}
}

// waiting is a discharge of somebody who waits on a service.
func waiting(flags ...string) *JourneyState {
	var k JourneyState
	k.addRecorded(1, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v", Flags: flags})
	k.addWaits("svc-w")
	return &k
}

func TestHowAPlanShouldStand(t *testing.T) {
	t.Parallel()
	calls := schemas.ConsentData{Purposes: []string{schemas.PurposeBridging}}
	for name, tc := range map[string]struct {
		reconcile func(k *JourneyState)
		flags     []string
		state     State
		because   string
	}{
		"nobody has asked the person yet": {func(*JourneyState) {}, nil, Proposed, ""},
		"the person said yes": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: true})
		}, nil, Active, ""},
		"the person said no": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: false})
		}, nil, Ended, "person"},
		"a yes to something else": {func(k *JourneyState) {
			k.addConsent(schemas.ConsentData{Purposes: []string{"follow-up"}}, schemas.Answered{At: 2, Yes: true})
		}, nil, Proposed, ""},
		"under 18: nobody is rung": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: true})
		}, []string{"under-18"}, Proposed, ""},
		"age unknown: nobody is rung": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: true})
		}, []string{"age-unknown"}, Proposed, ""},
		"a death was reported": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: true})
			k.Contact.Apply(schemas.Answered{At: 3})
		}, nil, Paused, "contact-stopped"},
		"a death was reported, and a yes comes after it": {func(k *JourneyState) {
			k.Contact.Apply(schemas.Answered{At: 2})
			k.addConsent(calls, schemas.Answered{At: 3, Yes: true})
		}, nil, Paused, "contact-stopped"},
		"the discharge was cancelled": {func(k *JourneyState) { k.Visits.Withdraw(2, "v") }, nil, Paused,
			"discharge-withdrawn"},
		"a person's no outlasts a death's end": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: false})
			k.Contact.Apply(schemas.Answered{At: 3})
			k.Contact.Apply(schemas.Answered{At: 4, Yes: true})
		}, nil, Ended, "person"},
		"the person waits on nothing":       {func(k *JourneyState) { k.Waits = nil }, nil, None, ""},
		"the person falls between services": {func(k *JourneyState) { k.Waits = nil; k.Gap = true }, nil, Proposed, ""},
		"a service put them on its list": {func(k *JourneyState) {
			k.Waits = nil
			k.addAnswered(schemas.ServiceAnsweredData{Service: "svc-w", Answer: "waiting"})
		}, nil, Proposed, ""},
		"a service said no": {func(k *JourneyState) {
			k.Waits = nil
			k.addAnswered(schemas.ServiceAnsweredData{Service: "svc-w", Answer: "no"})
		}, nil, None, ""},
		"a ward has the person": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: true})
			k.Take(schemas.Transition{At: 1, Held: true})
		}, nil, Paused, "held"},
		"released from the ward": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: true})
			k.Take(schemas.Transition{At: 2})
			k.Take(schemas.Transition{At: 1, Held: true})
		}, nil, Active, ""},
		"the journey is closed": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: true})
			k.Close(1, schemas.JourneyClosedData{})
		}, nil, Ended, "journey-closed"},
		"closed after a death": {func(k *JourneyState) {
			k.Contact.Apply(schemas.Answered{At: 2})
			k.Close(1, schemas.JourneyClosedData{})
		}, nil, Ended, "journey-closed"},
		"reopened asks for a yes": {func(k *JourneyState) {
			k.addConsent(calls, schemas.Answered{At: 2, Yes: true})
			k.Take(schemas.Transition{At: 2})
			k.Close(1, schemas.JourneyClosedData{AnsweredUpTo: 2})
		}, nil, Proposed, ""},
		"reopened, and a yes since": {func(k *JourneyState) {
			k.Close(1, schemas.JourneyClosedData{AnsweredUpTo: 2})
			k.Take(schemas.Transition{At: 2})
			k.addConsent(calls, schemas.Answered{At: 3, Yes: true})
		}, nil, Active, ""},
		"the discharge has not arrived": {func(k *JourneyState) { k.PersonAt = 0 }, nil, None, ""},
	} {
		k := waiting(tc.flags...)
		tc.reconcile(k)
		if state, because := desired(k, 0); state != tc.state || because != tc.because {
			t.Errorf("%s: got %q because %q", name, state, because)
		}
	}
}

const aJourney = "0193a000-0000-7000-8000-000000000001"

// A no to one partner ends nothing else, and a yes to one lets that one alone ring.
func TestWhoMayRingIsWhoThePersonSaidYesTo(t *testing.T) {
	t.Parallel()
	to := func(organisation string) schemas.ConsentData {
		return schemas.ConsentData{Purposes: []string{schemas.PurposeBridging}, Organisation: organisation}
	}
	for name, tc := range map[string]struct {
		say         func(k *JourneyState)
		state       State
		only, never []string
	}{
		"a no to one": {func(k *JourneyState) { k.addConsent(to("a"), schemas.Answered{At: 2, Yes: false}) }, Proposed,
			nil, nil},
		"a yes to one": {func(k *JourneyState) { k.addConsent(to("a"), schemas.Answered{At: 2, Yes: true}) }, Active,
			[]string{"a"}, nil},
		"a yes to any": {func(k *JourneyState) { k.addConsent(to(""), schemas.Answered{At: 2, Yes: true}) }, Active,
			nil, nil},
		"a yes to any but one": {func(k *JourneyState) {
			k.addConsent(to(""), schemas.Answered{At: 2, Yes: true})
			k.addConsent(to("a"), schemas.Answered{At: 3, Yes: false})
		}, Active, nil, []string{"a"}},
		"the no heard first": {func(k *JourneyState) {
			k.addConsent(to("a"), schemas.Answered{At: 3, Yes: false})
			k.addConsent(to(""), schemas.Answered{At: 2, Yes: true})
		}, Active, nil, []string{"a"}},
		"a yes to one, a no to another": {func(k *JourneyState) {
			k.addConsent(to("a"), schemas.Answered{At: 2, Yes: true})
			k.addConsent(to("b"), schemas.Answered{At: 3, Yes: false})
		}, Active, []string{"a"}, nil},
		"a no to all, then a yes to one": {func(k *JourneyState) {
			k.addConsent(to(""), schemas.Answered{At: 2, Yes: false})
			k.addConsent(to("a"), schemas.Answered{At: 3, Yes: true})
		}, Active, []string{"a"}, nil},
		"a yes to one, then a no to all": {func(k *JourneyState) {
			k.addConsent(to("a"), schemas.Answered{At: 2, Yes: true})
			k.addConsent(to(""), schemas.Answered{At: 3, Yes: false})
		}, Ended, nil, nil},
		"a yes to one is taken back by it": {func(k *JourneyState) {
			k.addConsent(to("a"), schemas.Answered{At: 2, Yes: true})
			k.addConsent(to("a"), schemas.Answered{At: 3, Yes: false})
		}, Proposed, nil, nil},
		"a yes to any, and one must not know": {func(k *JourneyState) {
			k.addConsent(to(""), schemas.Answered{At: 2, Yes: true})
			k.Bar(1, []string{"a", "RXX"})
		}, Active, nil, []string{"a"}},
		"a yes to one, which must not know now": {func(k *JourneyState) {
			k.addConsent(to("a"), schemas.Answered{At: 2, Yes: true})
			k.Bar(1, []string{"a"})
		}, Paused, []string{"a"}, []string{"a"}}, // nobody may
		"a yes to one, before it was closed": {func(k *JourneyState) {
			k.addConsent(to("a"), schemas.Answered{At: 2, Yes: true})
			k.Close(1, schemas.JourneyClosedData{AnsweredUpTo: 2})
			k.Take(schemas.Transition{At: 2})
		}, Proposed, nil, nil},
	} {
		k := waiting()
		tc.say(k)
		c := reconcile(k, nil, aJourney, moment{zone: time.UTC})
		if tc.state == Ended {
			if state, _ := desired(k, 0); state != Ended || c.Open != nil {
				t.Errorf("%s: %q, %+v", name, state, c)
			}
			continue
		}
		if c.Open == nil || c.Open.State != tc.state || !slices.Equal(c.Open.Only, tc.only) ||
			!slices.Equal(c.Open.Never, tc.never) {
			t.Errorf("%s: %+v", name, c.Open)
		}
	}
}

// teller says events of one journey, numbering them as their service would.
type teller struct {
	events []flow.Event
	said   map[string]int64
}

func (s *teller) say(source string, typ schemas.Type, data any) {
	if s.said == nil {
		s.said = map[string]int64{}
	}
	s.said[source]++
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	s.events = append(s.events, flow.Event{
		ID: fmt.Sprintf("event-%d", len(s.events)), Type: string(typ), Subject: aJourney, Correlation: "first",
		Sequence: flow.FormatSequence(s.said[source]), Time: time.Date(2026, 11, 2, 9, len(s.events), 0, 0, time.UTC),
		Data: text,
	})
}

func tell(t testing.TB, zone *time.Location, r *record, batches ...[]flow.Event) []flow.Emission {
	s := &Service{zone: zone}
	var all []flow.Emission
	for _, batch := range batches {
		emissions, err := s.handler().Apply(&pgx.Batch{}, time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC),
			map[string]*record{aJourney: r}, batch)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, emissions...)
	}
	return all
}

func typesOf(emissions []flow.Emission) []schemas.Type {
	var types []schemas.Type
	for _, e := range emissions {
		types = append(types, schemas.Type(e.Type))
	}
	return types
}

func TestAYesStartsThePlanAndSchedulesItsFirstCall(t *testing.T) {
	t.Parallel()
	var s teller
	s.say("intake", schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX",
		Visit: "v"})
	s.say("threshold", schemas.PathwayDecided, schemas.PathwayDecidedData{Waits: []string{"svc-w"}})
	s.say("intake", schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"}})
	s.say("intake", schemas.ContactStopped, schemas.ContactStoppedData{})
	s.say("intake", schemas.ContactResumed, schemas.ContactStoppedData{})
	r := store.Fresh(aJourney)
	var said [][]schemas.Type
	for i := range s.events {
		said = append(said, typesOf(tell(t, london(t), r, s.events[i:i+1])))
	}
	want := [][]schemas.Type{nil, {schemas.BridgingProposed}, {schemas.BridgingStarted, schemas.CallScheduled},
		{schemas.BridgingPaused}, {schemas.BridgingResumed, schemas.CallScheduled}}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("got %v", said)
	}
	if r.Version != 6 {
		t.Errorf("six events, but version %d", r.Version)
	}
	if got := typesOf(tell(t, london(t), store.Fresh(aJourney), s.events[:3])); !slices.Equal(got, want[2]) {
		t.Errorf("with consent given already, one batch says %v", got)
	}
}

func TestAPlanPausesWhileHeldAndEndsWithTheJourney(t *testing.T) {
	t.Parallel()
	var s teller
	s.say("intake", schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX",
		Visit: "v"})
	s.say("threshold", schemas.PathwayDecided, schemas.PathwayDecidedData{Waits: []string{"svc-w"}})
	s.say("intake", schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"}})
	s.say("journey", schemas.JourneyHeld, schemas.JourneyHeldData{})
	s.say("journey", schemas.JourneyReleased, schemas.JourneyReleasedData{})
	s.say("journey", schemas.JourneyClosed, schemas.JourneyClosedData{AnsweredUpTo: 2})
	s.say("journey", schemas.JourneyReopened, schemas.JourneyReopenedData{})
	s.say("intake", schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"}})
	r := store.Fresh(aJourney)
	tell(t, london(t), r, s.events[:3])
	var said [][]schemas.Type
	for i := 3; i < len(s.events); i++ {
		said = append(said, typesOf(tell(t, london(t), r, s.events[i:i+1])))
	}
	want := [][]schemas.Type{{schemas.BridgingPaused}, {schemas.BridgingResumed, schemas.CallScheduled},
		{schemas.BridgingEnded}, {schemas.BridgingProposed},
		{schemas.BridgingStarted, schemas.CallScheduled}}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("got %v", said)
	}
}

type ending struct {
	State            State
	Because, Waiting string
	Organisations    [2]string // of the plan, and of its call
	Due              time.Time
	JourneyState     JourneyState
}

func endOf(r *record) ending {
	e := ending{JourneyState: r.State}
	if p := r.Plan; p != nil {
		e.State, e.Because, e.Waiting, e.Organisations[0] = p.State, p.Because, fmt.Sprint(p.WaitingOn), p.Organisation
		if p.Call != nil {
			e.Due, e.Organisations[1] = p.Call.DueAt, p.Call.Organisation
		}
	}
	return e
}

func TestAnyOrderOfAJourneysEventsEndsInTheSamePlan(t *testing.T) {
	t.Parallel()
	zone := london(t)
	rapid.Check(t, func(rt *rapid.T) {
		events := story(rt)
		inOrder, asTheyCame, oneByOne := store.Fresh(aJourney), store.Fresh(aJourney), store.Fresh(aJourney)
		tell(t, zone, inOrder, events)
		shuffled := rapid.Permutation(events).Draw(rt, "arrival")
		shuffled = append(shuffled, shuffled[:rapid.IntRange(0, len(shuffled)).Draw(rt, "repeated")]...)
		cut := rapid.IntRange(0, len(shuffled)).Draw(rt, "batch")
		tell(t, zone, asTheyCame, shuffled[:cut], shuffled[cut:])
		for i := range shuffled {
			tell(t, zone, oneByOne, shuffled[i:i+1])
		}
		want := endOf(inOrder)
		if got := endOf(asTheyCame); !reflect.DeepEqual(got, want) {
			rt.Fatalf("in order: %+v\nas they came: %+v", want, got)
		}
		if got := endOf(oneByOne); !reflect.DeepEqual(got, want) {
			rt.Fatalf("in order: %+v\none by one: %+v", want, got)
		}
	})
}

func story(t *rapid.T) []flow.Event {
	var s teller
	visit := rapid.SampledFrom([]string{"v1", "v2"})
	flags := rapid.SampledFrom([][]string{nil, {}, {schemas.FlagUnder18}, {schemas.FlagAgeUnknown},
		{schemas.FlagMerged}, {schemas.FlagPossibleDouble}})
	purposes := rapid.SampledFrom([][]string{{"follow-up"}, {"bridging"}, {"follow-up", "bridging"}})
	waits := rapid.SampledFrom([][]string{nil, {"svc-w"}, {"svc-x", "svc-w"}})
	for range rapid.IntRange(1, 9).Draw(t, "events") {
		switch rapid.IntRange(0, 15).Draw(t, "kind") {
		case 15: // followup's sessions: agreed on, moved, called off, held
			id := rapid.SampledFrom([]string{"session-1", "session-2"}).Draw(t, "session")
			on := (calendar.DayOf(now, time.UTC) + calendar.Day(rapid.IntRange(0, 30).Draw(t, "on"))).String()
			switch rapid.IntRange(0, 4).Draw(t, "becomes") {
			case 0:
				s.say("followup", schemas.AppointmentKept, schemas.AppointmentKeptData{Appointment: id})
			case 1:
				s.say("followup", schemas.AppointmentNotKept, schemas.AppointmentNotKeptData{Appointment: id})
			case 2:
				s.say("followup", schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Appointment: id})
			default:
				s.say("followup", schemas.AppointmentBooked, schemas.AppointmentBookedData{Appointment: id, On: on})
			}
		case 0, 1:
			s.say("intake", schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX",
				Visit: visit.Draw(t, "visit"), Flags: flags.Draw(t, "flags")})
		case 2:
			s.say("intake", schemas.DischargeCorrected,
				schemas.DischargeCorrectedData{Organisation: rapid.SampledFrom([]string{"", "", "RYY", "RZZ"}).Draw(t,
					"placed"),
					Visit: visit.Draw(t, "visit"), Flags: flags.Draw(t, "flags")})
		case 3:
			s.say("intake", schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: visit.Draw(t, "visit"),
				Reason: "recoded"})
		case 4:
			s.say("intake", rapid.SampledFrom([]schemas.Type{schemas.ConsentGiven, schemas.ConsentGiven,
				schemas.ConsentDeclined, schemas.ConsentWithdrawn, schemas.ConsentLapsed}).Draw(t, "answer"),
				schemas.ConsentData{Purposes: purposes.Draw(t, "purposes"),
					Organisation: rapid.SampledFrom([]string{"", "", "RXX", "RYY"}).Draw(t, "to")})
		case 5:
			s.say("intake", rapid.SampledFrom([]schemas.Type{schemas.ContactStopped, schemas.ContactResumed}).Draw(t,
				"contact"),
				schemas.ContactStoppedData{})
		case 6:
			s.say("threshold", schemas.GapFound, schemas.GapFoundData{})
		case 8:
			s.say("journey", schemas.JourneyClosed,
				schemas.JourneyClosedData{AnsweredUpTo: rapid.IntRange(0, int(s.said["intake"])).Draw(t, "answered")})
		case 9:
			s.say("journey", rapid.SampledFrom([]schemas.Type{schemas.JourneyHeld, schemas.JourneyReleased,
				schemas.JourneyReopened}).Draw(t, "turn"), schemas.JourneyHeldData{})
		case 12: // two records are joined, or parted: what stands of either counts for both, or no more
			if rapid.Bool().Draw(t, "merged") {
				s.say("intake", schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v1",
					Flags: []string{schemas.FlagMerged}})
				s.say("intake", schemas.ConsentDeclined, schemas.ConsentData{Purposes: []string{"bridging"},
					AsBefore: true})
			} else {
				s.say("intake", schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v1",
					Flags: []string{}})
				s.say("intake", schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"},
					AsBefore: true})
			}
		case 13: // a death is reported, and taken back: who comes back is asked again
			s.say("intake", schemas.ContactStopped, schemas.ContactStoppedData{})
			if rapid.Bool().Draw(t, "reversed") {
				s.say("intake", schemas.ContactResumed, schemas.ContactResumedData{})
			}
		case 14:
			s.say("intake", schemas.PreferencesChanged,
				schemas.PreferencesChangedData{Reachable: rapid.Bool().Draw(t, "reachable"),
					Hours: rapid.SampledFrom([]*schemas.ContactHours{nil, {}, {FromHour: 12, ToHour: 14},
						{FromHour: 17, ToHour: 21}}).Draw(t, "hours"),
					MustNotKnow: rapid.SampledFrom([][]string{nil, {}, {"RYY"}, {schemas.Everybody}}).Draw(t,
						"must not know")})
		case 7:
			s.say("threshold", schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: "svc-y",
				Answer: rapid.SampledFrom([]string{"waiting", "no"}).Draw(t, "said")})
		default:
			s.say("threshold", schemas.PathwayDecided, schemas.PathwayDecidedData{Waits: waits.Draw(t, "waits")})
		}
	}
	return s.events
}

// A yes that lapsed, by its last day or since a merge holds it, and that was given again: the plan goes on, and who
// plans by it hears so.
func TestAPlanWhoseYesLapsedGoesOnByANewYes(t *testing.T) {
	t.Parallel()
	zone := london(t)
	today := calendar.DayOf(time.Date(2026, 11, 2, 9, 0, 0, 0, zone), zone)
	consent := schemas.ConsentData{Purposes: []string{schemas.PurposeBridging}}
	k := waiting()
	k.addConsent(consent, schemas.Answered{At: 2, Yes: true})
	started := reconcile(k, nil, "j", moment{today: today, zone: zone})
	k.addConsent(consent, schemas.Answered{At: 3, Lapsed: true})
	lapsed := reconcile(k, started.Open, "j", moment{today: today, zone: zone})
	if lapsed.Changes == nil || lapsed.Changes.State != Proposed || !lapsed.Propose {
		t.Fatalf("a lapsed yes makes of the plan %+v", lapsed)
	}
	k.addConsent(consent, schemas.Answered{At: 4, Yes: true})
	again := reconcile(k, lapsed.Changes, "j", moment{today: today, zone: zone})
	if again.Changes == nil || again.Changes.State != Active || !again.Resume || again.Schedule == nil {
		t.Errorf("a new yes makes of the plan %+v", again)
	}
}

// What the person said of the hours in which their telephone is safe holds for calls too, whatever was agreed before
// and in whatever order it is heard.
func TestCallsAreWithinTheHoursThatThePersonNamed(t *testing.T) {
	t.Parallel()
	zone := london(t)
	days := []string{"mon", "wed"}
	hours := func(from, to int) schemas.ContactHours { return schemas.ContactHours{FromHour: from, ToHour: to} }
	for name, tc := range map[string]struct {
		agreed []Window
		hours  schemas.ContactHours
		want   []Window
	}{
		"none named":        {[]Window{{days, 9, 12}}, schemas.ContactHours{}, []Window{{days, 9, 12}}},
		"as usual":          {nil, hours(17, 21), []Window{{usual[0].Days, 17, 19}}},
		"less than agreed":  {[]Window{{days, 9, 12}}, hours(11, 15), []Window{{days, 11, 12}}},
		"at other hours":    {[]Window{{days, 9, 12}}, hours(20, 22), []Window{{days, 20, 22}}},
		"some of two apart": {[]Window{{days, 9, 12}, {days, 15, 17}}, hours(14, 18), []Window{{days, 15, 17}}},
	} {
		k := waiting()
		k.Agreed.Windows = tc.agreed
		k.Ring(5, &tc.hours)
		k.Ring(4, &schemas.ContactHours{FromHour: 1, ToHour: 2})
		if got := k.agreed().windows(); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: rung within %v, want %v", name, got, tc.want)
		}
	}
	today := calendar.DayOf(time.Date(2026, 11, 2, 9, 0, 0, 0, zone), zone)
	k := waiting()
	k.addConsent(schemas.ConsentData{Purposes: []string{schemas.PurposeBridging}}, schemas.Answered{At: 2, Yes: true})
	first := reconcile(k, nil, "j", moment{today: today, zone: zone})
	k.Ring(6, &schemas.ContactHours{FromHour: 20, ToHour: 21})
	first.Open.Call = first.Schedule
	moved := reconcile(k, first.Open, "j", moment{today: today, zone: zone})
	if moved.Move == nil || moved.Move.DueAt.In(zone).Hour() != 20 {
		t.Errorf("a call that is planned already stays: %+v", moved)
	}
}

// A call is made on a day and within the hours that are allowed, and is over by their end: by the local clock, before
// and after a day changes and the clocks do.
func TestACallIsOverByTheEndOfTheHours(t *testing.T) {
	t.Parallel()
	zone := london(t)
	late := Agreement{Windows: []Window{{Days: []string{"sat"}, FromHour: 22, ToHour: 24}}, Minutes: 15}
	for at, want := range map[string][2]bool{ // by the usual hours, and on Saturdays from ten until midnight
		"2026-11-17T09:59": {}, "2026-11-17T10:00": {true}, "2026-11-17T18:50": {true}, "2026-11-17T18:51": {},
		"2026-11-17T19:00": {}, "2026-11-21T12:00": {}, "2026-11-21T21:59": {}, "2026-11-21T22:00": {false, true},
		"2026-11-21T23:45": {false, true}, "2026-11-21T23:46": {}, "2026-11-22T00:05": {}, "2026-11-22T22:30": {},
		"2026-10-24T23:30": {false, true}, "2026-10-25T00:30": {}, "2026-10-26T10:00": {true}, // the clocks go back
		"2027-03-27T23:30": {false, true}, "2027-03-28T00:30": {}, "2027-03-29T18:50": {true}, // and forward
	} {
		local, err := time.ParseInLocation("2006-01-02T15:04", at, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{(Agreement{}).may(local.UTC(), zone), late.may(local.UTC(), zone)}; got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}
