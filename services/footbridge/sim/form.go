package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// filled is what somebody fills in for a step: what the person says, where it is about them, and what is usual
// elsewhere.
func (t *team) filled(s step, f *followed, action schemas.Action) map[string][]string {
	values := map[string][]string{}
	purpose := ""
	for _, field := range action.Fields {
		if field.Name == "answers.0.purpose" {
			purpose = field.Value
		}
	}
	for _, field := range action.Fields {
		if field.Value != "" {
			continue
		}
		if field.Name == "notSaid" && s.Kind == "find-out" && f.kinds[s.Kind] > 3 {
			values[field.Name] = field.Values
			continue
		}
		value, ok := t.field(s, f, action, field, purpose)
		if ok && (len(field.Values) == 0 || slices.Contains(field.Values, value)) {
			values[field.Name] = []string{value}
		} else if field.Required {
			values[field.Name] = []string{t.usual(field)}
		}
	}
	return values
}

// usual is what is filled in where nothing better is known.
func (t *team) usual(f schemas.Field) string {
	switch f.Kind {
	case "choice":
		return f.Values[0]
	case "yes-no":
		return "true"
	case "date":
		return calendar.DayOf(t.now, t.zone).String()
	case "time":
		return (calendar.DayOf(t.now, t.zone) + 1).At(12, 0, t.zone).Format(time.RFC3339)
	case "number":
		return "10"
	}
	return "duty-worker"
}

// field is what goes into one field, if anything does.
func (t *team) field(s step, f *followed, action schemas.Action, field schemas.Field, purpose string) (string, bool) {
	p := f.person
	unknown := s.Kind == "find-out" && f.kinds[s.Kind] > 3 // asked often, and never answered
	if fact, ok := strings.CutPrefix(field.Name, "facts."); ok {
		value, said := p.fact(fact)
		return value, said && !unknown
	}
	if strings.HasSuffix(action.Path, "/close") {
		return t.closing(s, f, field.Name)
	}
	next := map[string]string{"next.kind": "ring-again", "next.owner": duty, "decided": "try-later", "told": "phone",
		"how": "spoken", "found": "as-it-was", "reply": "yes", "channel": "phone", "channels.0.channel": "phone",
		"reason": "we compared what we know", "confirmedBy": "hospital", "mayConsent.basis": "gillick",
		"mayConsent.whosePhone": "their own", "mayConsent.mayKnow": "nobody else", "place": "ward",
		"heldBy":    "ward-team",
		"takesOver": "service:adult-team", "holder": "team:ed-liaison", "changed": "nothing-has-changed",
		"outcome": "reached"}
	switch field.Name {
	case "answers.0.state":
		return t.answer(p, purpose, s), true
	case "channels.0.value":
		if p == nil || p.Phone == "" {
			return "", false
		}
		return p.Phone, true
	case "noSafeChannel":
		return "true", p == nil || p.Phone == ""
	case "arrangement":
		return "the hostel passes on a time", p == nil || p.Phone == ""
	case "service":
		if s.Service != "" {
			return s.Service, true
		}
		return "community-team", true
	case "answer":
		return t.serviceAnswers(s, f), true
	}
	value, ok := next[field.Name]
	if strings.HasPrefix(field.Name, "channels.0.") && (p == nil || p.Phone == "") {
		return "", false
	}
	if field.Name == "reason" && strings.HasSuffix(action.Path, "/answered") {
		return map[string]string{"talking-therapies": "too-high", "community-team": "24"}[s.Service],
			t.serviceAnswers(s, f) == "no"
	}
	return value, ok && (field.Required || field.Name != "reason")
}

// answer is what the person says to a session or to calls.
func (t *team) answer(p *Person, purpose string, s step) string {
	yes := p != nil && (purpose == schemas.PurposeBridging && p.WantsCalls ||
		purpose != schemas.PurposeBridging && p.WantsSession)
	switch s.Kind {
	case "ask-about-partner":
		yes = yes && t.world.luck("this partner", p.N) < 92
	case "find-a-place": // whoever waited so long may not want it any more
		yes = yes && t.world.luck("still", p.N, calendar.DayOf(t.now, t.zone)) < 40
	}
	if yes {
		return "given"
	}
	return "declined"
}

// serviceAnswers is what a statutory service answers: the one that they harmed themselves too lately, the other that
// it is not what it is for, or yes.
func (t *team) serviceAnswers(s step, f *followed) string {
	luck := t.world.luck("service", s.Service, f.number() != nil && f.person != nil, numberOf(f))
	switch {
	case luck < 45:
		return "no"
	case luck < 75:
		return "waiting"
	}
	return "yes"
}

func numberOf(f *followed) int {
	if f.person == nil {
		return -1
	}
	return f.person.N
}

// closing is how a journey is brought to an end.
func (t *team) closing(s step, f *followed, field string) (string, bool) {
	p, today := f.person, calendar.DayOf(t.now, t.zone)
	reason, told := schemas.ClosedComplete, "phone"
	switch {
	case p != nil && p.gone(today):
		reason, told = schemas.ClosedDied, schemas.ToldNobody
	case f.session != nil && !*f.session && (f.calls == nil || !*f.calls):
		reason = schemas.ClosedSaidNo
	case s.Kind == "decide-how-to-reach", mayEnd(s) && f.vain > 2:
		reason, told = schemas.ClosedNotReached, "letter"
	case s.Kind == "decide-after-cancellation", s.Kind == "find-the-beginning":
		reason, told = schemas.ClosedInError, schemas.ToldNobody
	}
	switch field {
	case "reason":
		return reason, true
	case "told":
		return told, true
	case "wayBack":
		if reason == schemas.ClosedDied {
			return schemas.WayBackNone, true
		}
		return "our-number", true
	case "on":
		return today.String(), true
	case "personAgrees":
		return "true", reason == schemas.ClosedComplete || reason == schemas.ClosedSaidNo
	case "tried":
		return "phone", reason == schemas.ClosedNotReached
	}
	return "", false
}

// fact is what somebody says of themselves when they are asked.
func (p *Person) fact(name string) (string, bool) {
	if p == nil {
		return "", false
	}
	switch name {
	case "areaResidence", "areaStaying", "areaGP":
		return p.Area, true
	case "gender":
		return p.Gender, true
	case "registeredGP":
		return "true", true
	case "interpreterNeeded", "carer":
		return "false", true
	case "inEducation":
		return strconv.FormatBool(p.Age < 18), true
	case "language":
		return "en", true
	case "destination":
		return "home", true
	case "assessment":
		return "done", true
	case "channels":
		return "phone", true
	case "hours":
		return "weekday-daytime", true
	case "workerGender":
		return "any", true
	case "waitingOn":
		return p.WaitsOn, p.WaitsOn != ""
	}
	return "", false
}
