package journey

import (
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// TestWhateverMakesUntrueWhatThePersonWasToldIsToBeToldToThem: each line of the table by a journey of which it is so,
// and by one that is nearly the same and of which it is not.
func TestWhateverMakesUntrueWhatThePersonWasToldIsToBeToldToThem(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(sequence int64) Subscribed {
		return Subscribed{At: sequence, When: now.Add(time.Duration(sequence) * time.Minute)}
	}
	of := func(o Offer) *JourneyState { return &JourneyState{Offers: map[string]Offer{"o1": o}} }
	session := func(a Appointment) Offer {
		return Offer{Sent: at(1), Accepted: at(2), Appointments: map[string]Appointment{"a1": a}}
	}
	called := Appointment{Booked: at(3), Ended: at(4), How: wasCancelled}
	rung := called
	rung.RingBy = now
	afterHold := of(session(rung))
	afterHold.Resumed = Subscribed{At: 9, When: now.Add(time.Hour)}
	afterClosing := of(session(rung))
	afterClosing.Resumed, afterClosing.Reopened = afterHold.Resumed, afterHold.Resumed
	neverBooked := called
	neverBooked.Booked = Subscribed{}
	for what, cases := range map[string][2]*JourneyState{
		"an organisation that knew said no, or gave them back": {
			of(Offer{Sent: at(1), EndedAt: at(2), How: "declined"}), of(Offer{EndedAt: at(2), How: "declined"})},
		"another organisation is asked in its place": {
			of(Offer{Sent: at(1), PassedOn: at(2)}), of(Offer{Sent: at(1), PassedOn: at(2), Accepted: at(3)})},
		"no organisation is left, so that the window is lost": {
			&JourneyState{Exhausted: at(2)}, &JourneyState{Exhausted: at(2), ToldUpTo: 2}},
		"a session was called off, or has another time": {of(session(called)),
			of(session(neverBooked))},
		"a session was called off while they were on hold, and nobody could tell them": {afterHold, afterClosing},
	} {
		if !slices.ContainsFunc(untrue, func(one struct {
			what  string
			since func(k *JourneyState) []Subscribed
		}) bool {
			return one.what == what && len(one.since(cases[0])) == 1
		}) {
			t.Errorf("not found: %s", what)
		}
		if n := len(cases[0].changes()); n != 1 {
			t.Errorf("%s: %d changes", what, n)
		}
		if n := len(cases[1].changes()); n != 0 {
			t.Errorf("nearly %s: %d changes", what, n)
		}
		cases[0].told()
		if len(cases[0].changes()) > 0 {
			t.Errorf("%s: it is told, and to be told again", what)
		}
	}
	if len(untrue) != 5 {
		t.Errorf("the table has %d lines: each has a case here", len(untrue))
	}
}

// TestThePersonIsToldWhenAServiceAnswersOtherwise, in whatever order its answers come; the same answer again, and
// silence, are nothing new.
func TestThePersonIsToldWhenAServiceAnswersOtherwise(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answers []string
		told    bool
	}{"yes, then no": {[]string{"yes", "no"}, true}, "no, then yes": {[]string{"no", "yes"}, true},
		"a list, then a place": {[]string{"waiting", "yes"}, true}, "no again": {[]string{"no", "no"}, false},
		"no reply, then no": {[]string{"no-reply", "no"}, false}, "no, then no reply": {[]string{"no", "no-reply"},
			false},
		"once": {[]string{"no"}, false}} {
		for _, backwards := range []bool{false, true} {
			s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
			s.discharge()
			s.consent(false, schemas.PurposeFollowUp)
			from := len(s.events)
			for _, answer := range tc.answers {
				s.say(schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: "liaison", Answer: answer,
					By: string(schemas.SendingTeam)})
			}
			answers := slices.Clone(s.events[from:])
			if backwards {
				slices.Reverse(answers)
			}
			tell(t, r, append(slices.Clone(s.events[:from]), answers...))
			open := strings.Join(openStepsOf(r, time.UTC), " ")
			if strings.Contains(open, stepTellPerson) != tc.told {
				t.Errorf("%s, backwards %t: %s", name, backwards, open)
			}
			if !tc.told {
				continue
			}
			step := theStep(t, r, stepTellPerson)
			if err := at(3).done(r, step.ID, withoutNext(at(3).now), ofRole(schemas.SendingTeam)); err != nil {
				t.Fatal(err)
			}
			if open := strings.Join(openStepsOf(r, time.UTC), " "); strings.Contains(open, stepTellPerson) {
				t.Errorf("%s: they were told, and %s is open", name, open)
			}
			tell(t, r, []flow.Event{s.say(schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: "liaison",
				Answer: tc.answers[0], By: string(schemas.SendingTeam)})})
			theStep(t, r, stepTellPerson) // and back again
		}
	}
}
