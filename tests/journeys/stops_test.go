package journeys

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
	"footbridge/services/intake"
	"footbridge/services/journey"
	"footbridge/tests/system"
)

// standing is one state of an offer or of a call, and how somebody comes to be in it: what is done on the Monday, and
// on the Thursday on which contact is stopped.
type standing struct {
	monday, thursday []deed
	undelivered      bool
	// ring is the step by which a navigator tells whoever is about to go; empty where nobody is.
	ring string
	// call: it is the calls that are looked at.
	call bool
	// answered: the partner has said no, or nothing.
	answered bool
	// anew: whoever is asked again, and answers, is offered what they were not before.
	anew bool
}

func consentTo(partner, state string) deed {
	answer := map[string]any{"purpose": "follow-up", "state": state}
	if partner != "" {
		answer["organisation"] = "{" + partner + "}"
	}
	return deed{As: "sending-team", Does: "consent", With: map[string]any{"answers": []any{answer}, "how": "spoken"}}
}

func consentToCalls(state string) deed {
	return deed{As: "sending-team", Does: "consent",
		With: map[string]any{"answers": []any{map[string]any{"purpose": "bridging", "state": state}}, "how": "spoken"}}
}

// aMonday is in November, at nine in the morning, with no holiday near.
var aMonday = time.Unix(1793610000, 0)

func after(days, hour, minute int) time.Time {
	return aMonday.Add(time.Duration(days*24+hour-9)*time.Hour + time.Duration(minute)*time.Minute)
}

// standings are all states that an offer or a call may be in.
func standings() map[string]standing {
	leaves, yes := deed{Does: "leaves"}, consentTo("first", "given")
	does := func(what string, with map[string]any) deed { return deed{As: "first", Does: what, With: with} }
	accept := does("accept", nil)
	session := func(at time.Time) deed {
		return does("appointment", map[string]any{"startsAt": at.Format(time.RFC3339), "channel": "video"})
	}
	went := func(with map[string]any) []deed { return []deed{does("outcome", with)} }
	past := []deed{leaves, yes, accept, session(after(1, 14, 0))}
	calls := func(on time.Time) []deed {
		return []deed{leaves, {As: "sending-team", Does: "plan",
			With: map[string]any{"firstOn": on.Format(time.DateOnly), "minutes": 60,
				"windows": []any{map[string]any{"days": []any{"thu", "fri"}, "fromHour": 10, "toHour": 11}}}},
			consentToCalls("given")}
	}
	claim := deed{As: "caller", Does: "claim"}
	thursdays := func(outcome map[string]any) standing { // there is no other day within three
		list := calls(after(3, 10, 0))
		list[1].With["windows"] = []any{map[string]any{"days": []any{"thu"}, "fromHour": 10, "toHour": 11}}
		return standing{monday: list, thursday: []deed{{As: "caller", Does: "call-outcome", With: outcome}}, call: true}
	}
	became := func(outcome, more, what string) standing {
		with := map[string]any{"outcome": outcome}
		if more != "" {
			with[more] = what
		}
		return thursdays(with)
	}
	return map[string]standing{
		"an offer that is prepared": {monday: []deed{leaves}},
		"one that may be sent":      {monday: []deed{leaves, yes}, undelivered: true},
		"one that was sent":         {monday: []deed{leaves}, thursday: []deed{yes}},
		"one that is there": {monday: []deed{leaves},
			thursday: []deed{yes, {As: "first", Does: "acknowledges"}}},
		"one that was accepted": {monday: []deed{leaves}, thursday: []deed{yes, accept}},
		"one that waits for the person": {monday: []deed{leaves},
			thursday: []deed{consentTo("", "given"), accept}},
		"one with a session tomorrow": {monday: []deed{leaves},
			thursday: []deed{yes, accept, session(after(4, 14, 0))}, ring: "ring-the-partner"},
		"one with a session next week": {monday: []deed{leaves},
			thursday: []deed{yes, accept, session(after(9, 14, 0))}},
		"one whose session took place":         {monday: past, thursday: went(map[string]any{"outcome": "kept"})},
		"one whose session did not take place": {monday: past, thursday: went(map[string]any{"outcome": "not-kept"})},
		"one whose session was called off": {monday: []deed{leaves}, thursday: append([]deed{yes, accept,
			session(after(9, 14, 0))}, went(map[string]any{"outcome": "cancelled"})...)},
		"one that is completed": {monday: past,
			thursday: went(map[string]any{"outcome": "kept", "next": "nothing-more"})},
		"one that was declined": {monday: []deed{leaves, yes,
			does("decline", map[string]any{"code": "22"})}, answered: true},
		"one that was handed back": {monday: []deed{leaves, yes, accept,
			does("hand-back", map[string]any{"reason": "worker-away"})}, answered: true},
		"one whose partner was silent":          {monday: []deed{leaves, yes}, answered: true},
		"one whose person could not be reached": {monday: []deed{leaves, consentTo("", "given"), accept}, anew: true},
		"a call that reached them":              became("reached", "answer", "same"),
		"one that nobody answered":              became("unanswered", "", ""),
		"one that somebody else answered":       became("someone-else-answered", "", ""),
		"one to a wrong number":                 became("wrong-number", "", ""),
		"one on which help was needed":          became("help-needed-now", "", ""),
		"one that was not made":                 became("not-made", "reason", "no-time"),
		"one that was called off": {monday: calls(after(3, 10, 0)), thursday: []deed{{As: "sending-team", Does: "plan",
			With: map[string]any{"pausedUntil": after(30, 0, 0).Format(time.DateOnly)}}}, call: true},
		"a plan that is proposed": {monday: []deed{leaves}, call: true},
		"a call next week":        {monday: calls(after(10, 10, 0)), call: true},
		"a call that is due":      {monday: calls(after(3, 10, 0)), call: true},
		"a call that somebody makes now": {monday: calls(after(3, 10, 0)), thursday: []deed{claim}, call: true,
			ring: "ring-the-caller"},
		"a call that is tried again tomorrow": {monday: calls(after(3, 10, 0)),
			thursday: []deed{claim, {As: "caller", Does: "call-outcome",
				With: map[string]any{"outcome": "unanswered"}}}, call: true},
	}
}

// stops are what stops contact, what lifts it, and what the person is asked again then.
var stops = []struct {
	name           string
	stop, lift     deed
	asked, untried bool
	// step is by which a human sees to it.
	step string
}{
	{name: "death", stop: deed{Does: "dies"}, lift: deed{As: "navigator", Does: "contact-resumed",
		With: map[string]any{"reason": "they rang themselves"}}, asked: true, step: "confirm-contact-stopped"},
	{name: "withdrawal", stop: deed{Does: "withdraws"}, asked: true, untried: true},
	{name: "hold", stop: deed{As: "navigator", Does: "hold",
		With: map[string]any{"place": "ward", "heldBy": "ward-team", "reviewOn": after(9, 0, 0).Format(time.DateOnly)}},
		lift: deed{As: "navigator", Does: "release"}, step: "review-the-hold"},
	{name: "merge", stop: deed{As: "navigator", Does: "merge",
		With: map[string]any{"other": "{other}", "reason": "one name, one address"}},
		lift: deed{As: "navigator", Does: "unmerge",
			With: map[string]any{"other": "{other}", "reason": "two people after all"}}, step: "confirm-merge"},
}

// TestWhateverStopsContactStopsItInEveryState: a death, a no, a hold, and a merge with somebody who said no that
// nobody confirmed, at every state of an offer and of a call. Without the clock going on nobody outside reads who the
// person is, is told of them, or rings; who is about to go is rung; and for days nothing goes out. What is lifted is
// as before.
func TestWhateverStopsContactStopsItInEveryState(t *testing.T) {
	t.Parallel()
	c := newCalendar(t)
	all := map[*everybodys]standing{}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range standings() {
			if !yield(name) {
				return
			}
		}
	})
	for _, name := range names {
		s := standings()[name]
		f := c.add(hardDays{Name: name, Partners: []string{"first"}, People: len(stops) + 1,
			Undelivered: s.undelivered})
		all[f] = s
	}
	c.begin(aMonday.Add(-time.Hour))
	everybody := func(do func(f *everybodys, s standing, p *onePerson, i int)) {
		for _, f := range c.files {
			for i := range stops {
				do(f, all[f], f.people[i], i)
			}
		}
	}
	deeds := func(of func(s standing) []deed) {
		for i, more := 0, true; more; i++ {
			more = false
			everybody(func(_ *everybodys, s standing, p *onePerson, _ int) {
				if list := of(s); i < len(list) {
					more = true
					p.does(c, list[i])
				}
			})
			c.Settle()
			c.hear()
		}
	}
	c.MoveTo(aMonday)
	for _, f := range c.files { // somebody else, who says no to everything
		stranger := f.people[len(stops)]
		stranger.leaves(c, deed{})
		stranger.does(c, consentTo("", "declined"))
		stranger.does(c, consentToCalls("declined"))
		for i := range stops {
			f.people[i].other = stranger.person
		}
	}
	deeds(func(s standing) []deed { return s.monday })
	c.MoveTo(after(3, 10, 0))
	c.hear()
	deeds(func(s standing) []deed { return s.thursday })

	if len(c.onFallbackList()) == 0 {
		t.Error("nobody is on the list for when the system is down")
	}
	before, plans := map[*onePerson][]string{}, map[*onePerson]string{}
	everybody(func(_ *everybodys, _ standing, p *onePerson, _ int) { before[p], plans[p] = p.outside(c), p.plan(c) })
	c.reached("followup", "offer", "appointment")
	c.reached("bridging", "plan", "call")
	news := map[*onePerson]int{}
	everybody(func(_ *everybodys, _ standing, p *onePerson, _ int) { news[p] = p.news(c) })
	everybody(func(_ *everybodys, s standing, p *onePerson, i int) { p.stopped(c, s, stops[i].stop) })
	c.Settle()
	c.hear()
	listed := c.onFallbackList()
	everybody(func(f *everybodys, s standing, p *onePerson, i int) {
		what := f.Name + ", " + stops[i].name
		if listed[p.journey] && slices.Contains([]string{"death", "hold"}, stops[i].name) {
			t.Errorf("%s: they are on the list for when the system is down", what)
		}
		if open := p.outside(c); len(open) > 0 {
			t.Errorf("%s: although contact is stopped there is %v", what, open)
		}
		if s.ring != "" && !p.hasStep(c, s.ring) {
			t.Errorf("%s: nobody is to tell who is about to go: %s", what, p.steps(c))
		}
		if slices.Contains(before[p], "told first") && p.news(c) == news[p] {
			t.Errorf("%s: the partner is told nothing", what)
		}
		if step := stops[i].step; step != "" && !p.hasStep(c, step) {
			t.Errorf("%s: nobody sees to it: %s", what, p.steps(c))
		}
		p.told, p.out = nil, nil
	})
	c.MoveTo(after(5, 12, 0))
	c.hear()
	everybody(func(f *everybodys, _ standing, p *onePerson, i int) {
		if open := p.outside(c); len(open) > 0 || len(p.out) > 0 {
			t.Errorf("%s, %s: days later there is %v, and %v went out", f.Name, stops[i].name, open, p.out)
		}
	})
	c.guarantee(c.Now())

	everybody(func(_ *everybodys, _ standing, p *onePerson, i int) {
		if stops[i].lift.Does != "" {
			p.does(c, stops[i].lift)
		}
	})
	c.Settle()
	c.hear()
	everybody(func(f *everybodys, s standing, p *onePerson, i int) {
		if stops[i].asked && stops[i].lift.Does != "" && !p.asks(c) {
			t.Errorf("%s, %s: it is lifted, and nobody asks the person: %s", f.Name, stops[i].name, p.steps(c))
		}
		if stops[i].asked {
			p.says(c, s, "given")
		}
	})
	c.Settle()
	c.hear()
	everybody(func(f *everybodys, s standing, p *onePerson, i int) {
		if s.anew && stops[i].asked {
			return
		}
		if s.call {
			if is := p.plan(c); is != plans[p] && !(stops[i].untried && plans[p] == "proposed") {
				t.Errorf("%s, %s: once it is lifted the calls are %q, and before they were %q", f.Name, stops[i].name,
					is, plans[p])
			}
			return
		}
		if stops[i].untried {
			return
		}
		switch is := p.outside(c); {
		case stops[i].name == "hold" && s.answered && len(is) > 0:
			// After a hold the window begins again, and whoever had said no may be asked again.
		case !slices.Equal(is, before[p]):
			t.Errorf("%s, %s: once it is lifted there is %v, and before there was %v; %s", f.Name, stops[i].name, is,
				before[p], p.steps(c))
		}
	})
	c.guarantee(c.Now())
	for _, f := range c.files {
		for _, fault := range f.faults {
			t.Errorf("%s: %s", f.Name, fault)
		}
	}
}

// onFallbackList are the journeys that the list for when the system is down would hold.
func (c *calendarOfDays) onFallbackList() map[string]bool {
	c.t.Helper()
	waiting, err := journey.WaitingUntil(c.t.Context(), c.DB.Pool(schemas.Journey), c.Now().AddDate(0, 1, 0))
	if err != nil {
		c.t.Fatal(err)
	}
	var ids []string
	for _, w := range waiting {
		ids = append(ids, w.Journey)
	}
	found, err := intake.Findable(c.t.Context(), c.DB.Pool(schemas.Intake), ids)
	if err != nil {
		c.t.Fatal(err)
	}
	on := map[string]bool{}
	for id := range found {
		on[id] = true
	}
	return on
}

// notWalked are states in which nobody is looked at, and why.
var notWalked = map[string]string{
	"call not-made":      "it is ours to make good, and planned for another day",
	"call asked-to-stop": "the person's own no has ended the calls, and nothing is left to stop",
	"plan ended":         "there is nothing left to stop",
}

// reached sees to it that somebody is in each state that the tables of a service know: one that is new is walked too.
func (c *calendarOfDays) reached(service string, tables ...string) {
	c.t.Helper()
	for _, table := range tables {
		var may, is []string
		if err := c.Admin().QueryRow(c.t.Context(), `select array(select m[1] from pg_constraint,
			regexp_matches(pg_get_constraintdef(oid), $3, 'g') m
			where conrelid = $1::text::regclass and conname = $2)`, service+"."+table,
			table+"_state_check", "'([a-z-]+)'::text").Scan(&may); err != nil || len(may) < 4 {
			c.t.Fatalf("the states of %s.%s: %v %v", service, table, may, err)
		}
		if err := c.Admin().QueryRow(c.t.Context(), `select array(select distinct state from `+service+`.`+table+
			`)`).Scan(&is); err != nil {
			c.t.Fatal(err)
		}
		for _, state := range may {
			if !slices.Contains(is, state) && notWalked[table+" "+state] == "" {
				c.t.Errorf("nobody's %s is %q: say in standings how somebody comes to that", table, state)
			}
		}
	}
}

// news is how much a person's partners were told of them.
func (p *onePerson) news(c *calendarOfDays) (n int) {
	c.t.Helper()
	if err := c.Admin().QueryRow(c.t.Context(), `select count(*) from delivery.partner_event
		where journey = $1::uuid`, p.journey).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// outside is what anybody outside may do at this moment.
func (p *onePerson) outside(c *calendarOfDays) []string {
	c.t.Helper()
	open := p.contact(c, journeyOfDays{})
	slices.Sort(open)
	return open
}

// stopped does what stops contact.
func (p *onePerson) stopped(c *calendarOfDays, s standing, d deed) {
	c.t.Helper()
	switch d.Does {
	case "dies":
		body := fmt.Sprintf(
			`{"specversion":"1.0","id":%q,"source":"uk.nhs.personal-demographics-service","type":"pds-death-notification-2","time":%q,"subject":%q}`,
			clock.NewRandomID(), c.Now().UTC().Format(time.RFC3339), invented(p.of.number*100+p.number))
		if got := c.AskWith(system.Token(schemas.System), http.MethodPost, "/api/signals", typeJSON,
			[]byte(body)); got.Status != http.StatusAccepted {
			p.fault("a death was answered %d %s", got.Status, got.Body)
		}
	case "withdraws":
		p.says(c, s, "withdrawn")
	default:
		p.does(c, d)
	}
}

// says is what the person says to all that they were asked in their state: no where they had not said yes.
func (p *onePerson) says(c *calendarOfDays, s standing, state string) {
	c.t.Helper()
	for _, d := range slices.Concat(s.monday, s.thursday, []deed{consentTo("", ""), consentToCalls("")}) {
		if d.Does != "consent" {
			continue
		}
		answer := d.With["answers"].([]any)[0].(map[string]any)
		said, given := state, answer["state"] == "given"
		switch {
		case state == "given" && !given:
			continue // they said nothing to it before
		case !given:
			said = "declined"
		}
		again := map[string]any{"purpose": answer["purpose"], "state": said}
		if of := answer["organisation"]; of != nil {
			again["organisation"] = of
		}
		p.does(c, deed{As: "sending-team", Does: "consent", With: map[string]any{"answers": []any{again},
			"how": "spoken"}})
	}
}

func (p *onePerson) hasStep(c *calendarOfDays, kind string) bool {
	for _, s := range p.stands(c).Steps {
		if s.Kind == kind {
			return true
		}
	}
	return false
}

// asks says that somebody is to ask the person what they would like.
func (p *onePerson) asks(c *calendarOfDays) bool {
	return p.hasStep(c, "ask-the-person") || p.hasStep(c, "ask-about-calls")
}

func (p *onePerson) steps(c *calendarOfDays) string {
	var all []string
	for _, s := range p.stands(c).Steps {
		all = append(all, s.Kind)
	}
	return strings.Join(all, ", ")
}

// plan is how the calls stand.
func (p *onePerson) plan(c *calendarOfDays) string {
	c.t.Helper()
	var plan struct{ State string }
	got := p.ask(c, string(schemas.Navigator), http.MethodGet, "/api/journeys/"+p.journey+"/plan", nil)
	if err := json.Unmarshal(got.Body, &plan); err != nil {
		c.t.Fatalf("a plan: %d %s", got.Status, got.Body)
	}
	return plan.State
}

// outward are what tells somebody outside of a person, or plans to.
var outward = []schemas.Type{schemas.OfferCleared, schemas.OfferSent, schemas.OfferNudged, schemas.AppointmentBooked,
	schemas.CallScheduled, schemas.CallClaimed}

func (p *onePerson) wentOut(e flow.Event) {
	if slices.Contains(outward, schemas.Type(e.Type)) {
		p.out = append(p.out, strings.TrimPrefix(e.Type, schemas.TypePrefix))
	}
}
