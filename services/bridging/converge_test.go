package bridging

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// drawTry is something that became of one of three calls.
func drawTry(t *rapid.T) Try {
	happened := now.Add(time.Duration(rapid.IntRange(0, 240).Draw(t, "hours")) * time.Hour)
	return Try{Call: fmt.Sprint("call-", rapid.IntRange(1, 3).Draw(t, "call")),
		Outcome: rapid.SampledFrom(outcomes).Draw(t, "outcome"),
		By:      rapid.SampledFrom(schemas.Values("stopped-by")).Draw(t, "by"), At: happened,
		Written: happened.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "late")) * time.Hour)}
}

// TestWhatIsWrittenDownInAnyOrderEndsInTheSame: events of a journey and what became of calls, in any order, with
// repetitions and delays, end in the same knowledge, the same plan, and the same standing of each call.
func TestWhatIsWrittenDownInAnyOrderEndsInTheSame(t *testing.T) {
	t.Parallel()
	zone := london(t)
	rapid.Check(t, func(rt *rapid.T) {
		var steps []func(k *JourneyState)
		for _, e := range story(rt) {
			steps = append(steps, func(k *JourneyState) {
				if err := subscriptions.Apply(k, e); err != nil {
					rt.Fatal(err)
				}
			})
		}
		seen := map[string]bool{}
		for range rapid.IntRange(0, 8).Draw(rt, "tries") {
			try := drawTry(rt)
			// one thing is written down once, whoever repeats it
			if key := try.Call + try.At.String() + try.Outcome; !seen[key] {
				seen[key] = true
				steps = append(steps, func(k *JourneyState) { k.addTry(try) })
			}
		}
		end := func(order []func(k *JourneyState)) string {
			var k JourneyState
			for _, step := range order {
				step(&k)
			}
			day := calendar.DayOf(now, zone) + 20
			state, because := desired(&k, day)
			text := fmt.Sprint(state, because)
			for i := range 3 {
				standing, ended, again := k.Agreed.standing(k.triesOf(fmt.Sprint("call-", i+1)), aJourney, k.busy(),
					zone)
				text += fmt.Sprint(" ", standing, ended, again)
			}
			known, err := json.Marshal(k)
			if err != nil {
				rt.Fatal(err)
			}
			return text + " " + string(known)
		}
		shuffled := rapid.Permutation(steps).Draw(rt, "order")
		shuffled = append(shuffled, shuffled[:rapid.IntRange(0, len(shuffled)).Draw(rt, "repeated")]...)
		if in, as := end(steps), end(shuffled); in != as {
			rt.Fatalf("in order: %s\nas they came: %s", in, as)
		}
	})
}

// TestNothingIsRungOutsideOfYesHoursAndStop lets events, callers, whoever records what was agreed, and the time do
// anything in any order, delayed and again: at every moment a plan has one call ahead where it runs and none where it
// does not, and whoever may ring may do so by the yes, within the hours, and with nothing that stops it.
func TestNothingIsRungOutsideOfYesHoursAndStop(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	rapid.Check(t, func(rt *rapid.T) {
		journey, at := clock.NewRandomID(), now
		events := story(rt)
		for i := range events {
			events[i].Subject, events[i].Sequence = journey,
				flow.FormatSequence(flow.ReadSequence(events[i].Sequence)+10)
		}
		d.at(at)
		if rapid.IntRange(0, 3).Draw(rt, "runs") > 0 { // most begin with a plan that runs
			d.apply(said(journey).events[:3]...)
		}
		for range rapid.IntRange(4, 16).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0, 1:
				d.apply(rapid.SliceOfN(rapid.SampledFrom(events), 1, 4).Draw(rt, "events")...)
			case 2:
				at = at.Add(time.Duration(rapid.IntRange(1, 30*24).Draw(rt, "hours")) * time.Hour)
				d.at(at)
				d.due("calls")
				d.due("plans")
			case 3:
				d.as(schemas.Navigator, "RXX", "navigator")
				do[planShown](d, "POST", "/api/journeys/"+journey+"/plan",
					rapid.SampledFrom([]string{`{"everyDays":3}`, `{"monthly":true}`,
						`{"windows":[{"days":["sun"],"fromHour":20,"toHour":22}]}`,
						`{"pausedUntil":"` + calendar.DayOf(at.AddDate(0, 0, 9), d.zone).String() + `"}`,
						`{"pausedUntil":""}`}).Draw(rt, "agreed"))
			default:
				at = d.ringing(rt, journey, at)
			}
			d.sound(rt, journey)
		}
	})
}

// ringing goes to the call ahead, tries to claim it, and writes an outcome down.
func (d *desk) ringing(rt *rapid.T, journey string, at time.Time) time.Time {
	var call string
	var due time.Time
	if err := d.pool.QueryRow(d.t.Context(),
		`select id::text, due_at from call where journey = $1 and ended_at is null`, journey).Scan(&call,
		&due); err != nil {
		return at
	}
	if due.After(at) && rapid.Bool().Draw(rt, "when due") {
		at = due.Add(time.Duration(rapid.IntRange(-20, 200).Draw(rt, "minutes")) * time.Minute)
		d.at(at)
	}
	team := d.row(rt, journey).State.Sender // a human may have placed it elsewhere
	d.as(schemas.Caller, team, "caller")
	_, status, _ := do[claimShown](d, "POST", "/api/calls/"+call+"/claim", "")
	r := d.row(rt, journey)
	_, visit, stands := r.State.Visits.Current()
	may := r.State.answers().To(team).Yes && (r.State.Contact.At == 0 || r.State.Contact.Yes) && stands &&
		!humanFirst(visit) && !r.State.Transition.Held && !r.State.Transition.Closed &&
		r.State.agreed().may(at, d.zone) && r.State.stopped() == "" && !r.State.broken() &&
		!at.Before(due.Add(-claimBefore)) && r.State.MayBeRung.Holds(at.In(d.zone), r.Plan.Minutes) &&
		!r.State.busy()[calendar.DayOf(at, d.zone)] && (team == r.State.Sender || !r.State.Bars(team))
	if status == http.StatusOK && !may {
		rt.Fatalf("rung at %s: %+v", at.In(d.zone), r.State)
	}
	if rapid.Bool().Draw(rt, "outcome") {
		body := rapid.SampledFrom([]string{`{"outcome":"reached","answer":"same"}`, `{"outcome":"unanswered"}`,
			`{"outcome":"someone-else-answered"}`, `{"outcome":"asked-to-stop","by":"somebody-else"}`,
			`{"outcome":"asked-to-stop","by":"person"}`, `{"outcome":"not-made","reason":"no-time"}`,
			`{"outcome":"wrong-number"}`}).Draw(rt, "body")
		theirs := r.Plan.Call.Team == team ||
			count(d.t, d.pool, `select count(*) from rang where call = $1 and team = $2`, call, team) > 0
		want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[theirs]
		if _, status, text := do[outcomeShown](d, "POST", "/api/calls/"+call+"/outcome",
			body); status != want {
			rt.Fatalf("%s: %d %s", body, status, text)
		}
	}
	return at
}

func (d *desk) row(rt *rapid.T, journey string) *record {
	var records map[string]*record
	err := d.flow.Do(d.t.Context(), func(tx *flow.Tx) error {
		records = store.Load(tx, []string{journey})
		return tx.Flush()
	})
	if err != nil {
		rt.Fatal(err)
	}
	return records[journey]
}

// sound says what holds at every moment.
func (d *desk) sound(rt *rapid.T, journey string) {
	r := d.row(rt, journey)
	ahead := count(d.t, d.pool, `select count(*) from call where journey = $1 and ended_at is null`, journey)
	running := r.Plan != nil && r.Plan.State == Active
	if want := map[bool]int{true: 1, false: 0}[running]; ahead != want {
		rt.Fatalf("%d calls ahead of %+v", ahead, r.Plan)
	}
	if !running || r.Plan.Call.On < calendar.DayOf(d.c.Now(), d.zone) {
		return
	}
	due := r.Plan.Call.DueAt.In(d.zone)
	if !r.State.agreed().may(due, d.zone) || !r.State.MayBeRung.Holds(due, r.Plan.Minutes) {
		rt.Fatalf("a call at %s, where %+v is agreed, and %+v safe", due, r.State.Agreed, r.State.MayBeRung)
	}
	if r.State.busy()[r.Plan.Call.On] {
		rt.Fatalf("a call at %s, on the day of a session: %+v", due, r.State.Appointments)
	}
}
