package threshold

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"footbridge/libs/calendar"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// mostKept bounds, in characters, what is kept of a service's words or of what somebody was told.
const mostKept = 500

// year bounds, in days, how far back an answer may be dated; what was told, ten times as far.
const year = 366

var (
	// manyDigits is a run of digits with at most two other marks between them: a telephone number, an NHS number, a
	// date of birth, a record number.
	manyDigits  = regexp.MustCompile(`[0-9](?:[\s().+/:-]{0,2}[0-9]){5,}`)
	writtenDate = regexp.MustCompile(
		`(?i)\b[0-9]{1,2}(?:st|nd|rd|th)?\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,?\s+[0-9]{2,4}\b`)
	postcode   = regexp.MustCompile(`(?i)\b[a-z]{1,2}[0-9][a-z0-9]? ?[0-9][a-z]{2}\b`)
	address    = regexp.MustCompile(`(?i)@|https?://|\bwww\.`)
	titledName = regexp.MustCompile(`\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sister|Nurse)\.?\s+\p{Lu}`)
	initials   = regexp.MustCompile(`\b\p{Lu}\.\s?\p{Lu}\.`)
)

// wordsFault says why words may not be kept here, or "". Free text about a person belongs in intake's vault alone; what
// may be kept is what a service says of itself. No check can tell a name from any other word: this one refuses what
// has the shape of an identifier, and the field's description asks for the service's words about itself.
func wordsFault(words string) string {
	switch {
	case utf8.RuneCountInString(words) > mostKept:
		return fmt.Sprintf("is longer than %d characters; keep the sentence that says what the service offers",
			mostKept)
	case strings.ContainsFunc(words, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }):
		return "holds control characters; send plain text"
	case manyDigits.MatchString(words), writtenDate.MatchString(words):
		return "holds a number or a date that could identify somebody; leave it out"
	case postcode.MatchString(words), address.MatchString(words):
		return "holds an address; leave it out"
	case titledName.MatchString(words), initials.MatchString(words):
		return "names somebody; write what the service said of itself, and of nobody"
	}
	return ""
}

// Asked is a request that a service was asked.
type Asked struct {
	Service string `json:"service"`
	// AnswerBy is the local day by whose working hours an answer is hoped for; empty is two working days on.
	AnswerBy criteria.Day `json:"answerBy,omitempty"`
	// Spoken says that somebody has talked with the service since it answered: then it may be asked again though
	// nothing has changed.
	Spoken bool `json:"spoken,omitempty"`
}

// Answered is what a service answered.
type Answered struct {
	Service string `json:"service"`
	Answer  string `json:"answer"`
	// Words are the service's own, about itself.
	Words      string `json:"words,omitempty"`
	AnsweredBy string `json:"answeredBy,omitempty"`
	Side       string `json:"side,omitempty"`
	Axis       string `json:"axis,omitempty"`
	// Reason is why it said no, as a code (declineReasons); needed for a no, and for nothing else.
	Reason string       `json:"reason,omitempty"`
	On     criteria.Day `json:"on,omitempty"` // the local day it answered; empty is today
}

// Overriding is a human's decision about one door.
type Overriding struct {
	Service     string              `json:"service"`
	Eligibility schemas.Eligibility `json:"door"`
	Reason      string              `json:"reason"`
}

// overrideReasons are the reasons that may be given, as codes with their words: free text about somebody has no place
// here.
var overrideReasons = map[string]string{
	"agreed-with-the-service":  "The service agreed to it in a conversation.",
	"clinical-decision":        "A clinician decided so together with the person.",
	"the-person-asked":         "The person asked for it.",
	"the-person-said-no":       "The person does not want this service.",
	"criteria-are-out-of-date": "What the service publishes is no longer how it works.",
	"reasonable-adjustment":    "An adjustment was agreed that makes it possible.",
	"facts-are-wrong":          "What was known here is not how it is.",
	"not-safe-for-the-person":  "The person would not be safe there.",
}

// OverrideReasons are the codes, sorted.
func OverrideReasons() []string {
	reasons := make([]string, 0, len(overrideReasons))
	for reason := range overrideReasons {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	return reasons
}

// Fault is one thing in a request that cannot be taken: the field, why, and what to do.
type Fault struct {
	Field string `json:"field"`
	Why   string `json:"why"`
}

type faultList []Fault

func (f *faultList) check(ok bool, field, format string, args ...any) {
	if !ok {
		*f = append(*f, Fault{field, fmt.Sprintf(format, args...)})
	}
}

func (f *faultList) oneOf(field, value, kind string, optional bool) {
	f.check(optional && value == "" || slices.Contains(schemas.Values(kind), value), field, "is %q; use one of %s",
		value, strings.Join(schemas.Values(kind), ", "))
}

func (f *faultList) day(field string, day, from, to criteria.Day) {
	if day == "" {
		return
	}
	first, _ := calendar.ParseDay(from)
	last, _ := calendar.ParseDay(to)
	_, err := calendar.Between(day, first, last)
	f.check(err == nil, field, "is %q; use a local day from %s to %s", day, from, to)
}

// knows says whether a service is in the set, or had a door in the last decision though it no longer is.
func knows(set *criteria.Directory, service string, last *criteria.Decision) bool {
	if _, ok := set.Document(service); ok {
		return true
	}
	return last != nil && slices.ContainsFunc(last.Eligibilities,
		func(door schemas.ServiceEligibility) bool { return door.Service == service })
}

const notInDirectory = "is %q, which is not in the directory; take an id from /api/services"

func (a Asked) faults(set *criteria.Directory, last *criteria.Decision, today criteria.Day) []Fault {
	var f faultList
	f.check(knows(set, a.Service, last), "service", notInDirectory, a.Service)
	f.day("answerBy", a.AnswerBy, today, criteria.AddDays(today, 31))
	return f
}

func (a Answered) faults(set *criteria.Directory, last *criteria.Decision, today criteria.Day) []Fault {
	var f faultList
	f.check(knows(set, a.Service, last), "service", notInDirectory, a.Service)
	f.oneOf("answer", a.Answer, "answer", false)
	f.oneOf("answeredBy", a.AnsweredBy, "answering-role", a.Answer == criteria.StateNoReply)
	f.oneOf("side", a.Side, "side", true)
	f.day("on", a.On, criteria.AddDays(today, -year), today)
	f.check(a.Answer != criteria.StateNoReply || a.Words == "" && a.AnsweredBy == "" && a.Side == "", "answer",
		"is no-reply, and yet something was said; record what it was instead")
	f.check(a.Side == "" || a.Answer == criteria.StateNo, "side", "goes with a no: it says where the request lies "+
		"outside of the service's range")
	if a.Answer == criteria.StateNo {
		f.check(criteria.DeclineWords(a.Reason) != "", "reason", "is %q; a no says why by a code: %s", a.Reason,
			criteria.DeclineCodes())
	} else {
		f.check(a.Reason == "", "reason", "goes with a no")
	}
	lies := criteria.SideOf(a.Reason)
	f.check(lies == "" || a.Side == "" || a.Side == lies, "side", "is %q, and the reason is %q; say the same by both",
		a.Side, a.Reason)
	f.check(a.Axis == "" || a.Side != "", "axis", "goes with a side")
	f.check(a.Axis == "" || slices.Contains(set.Axes(), a.Axis), "axis", "is %q; the directory's axes are %s", a.Axis,
		strings.Join(set.Axes(), ", "))
	why := wordsFault(a.Words)
	f.check(why == "", "words", "%s", why)
	return f
}

func (o Overriding) faults(set *criteria.Directory, last *criteria.Decision) []Fault {
	var f faultList
	f.check(knows(set, o.Service, last), "service", notInDirectory, o.Service)
	f.check(o.Eligibility == schemas.Eligible || o.Eligibility == schemas.NotEligible, "door",
		"is %q; use open or not-open", o.Eligibility)
	_, ok := overrideReasons[o.Reason]
	f.check(ok, "reason", "is %q; use one of %s", o.Reason, strings.Join(OverrideReasons(), ", "))
	return f
}

// mayAsk says why a service may not be asked now, or "". A door that was tried in this episode is tried again after
// silence, where a fact that its criteria read has changed, or after a conversation: the person is not passed around.
func mayAsk(k JourneyState, d criteria.Decision, ask Asked, now time.Time) string {
	if ask.Spoken {
		return ""
	}
	i := slices.IndexFunc(d.Tried, func(t criteria.Tried) bool { return t.Service == ask.Service })
	if i < 0 {
		return ""
	}
	tried := d.Tried[i]
	switch {
	case tried.AskAgain:
		return ""
	case tried.Said == criteria.StateAsked && now.Before(k.AnswerBy[ask.Service]):
		return fmt.Sprintf("It was asked on %s, and its answer is hoped for by %s. Talk with the service, and send "+
			"spoken: true, to ask again before.", tried.On, k.AnswerBy[ask.Service].Format(time.DateOnly))
	case tried.Said == criteria.StateAsked:
		return "" // silence
	}
	return fmt.Sprintf("It answered %q on %s, and nothing that its criteria read has changed since. Talk with the "+
		"service first, and send spoken: true.", tried.Said, tried.On)
}

// answerHour is the local hour by which an answer is hoped for; answerDays in how many working days.
const (
	answerHour = 17
	answerDays = 2
)

// answerBy is by when an answer is hoped for.
func (a Asked) answerBy(today calendar.Day, holidays *calendar.Holidays, zone *time.Location) time.Time {
	if day, err := calendar.ParseDay(a.AnswerBy); err == nil {
		return day.At(answerHour, 0, zone)
	}
	return holidays.AddWorking(today, answerDays, calendar.MondayToFriday).At(answerHour, 0, zone)
}

// seenToBy is by when somebody sees to a line that reaches nobody: the end of the next working day.
func seenToBy(today calendar.Day, holidays *calendar.Holidays, zone *time.Location) time.Time {
	return holidays.AddWorking(today, 1, calendar.MondayToFriday).At(answerHour, 0, zone)
}

func (k *JourneyState) ask(a Asked, on criteria.Day, by time.Time) {
	facts := k.Facts
	k.Answers = append(k.Answers, criteria.Answer{Service: a.Service, On: on, Said: criteria.StateAsked, Facts: &facts})
	answerBy := map[string]time.Time{a.Service: by}
	for service, at := range k.AnswerBy {
		if service != a.Service {
			answerBy[service] = at
		}
	}
	k.AnswerBy = answerBy
}

// tried says whether a service was asked, or answered, in this journey before.
func (k *JourneyState) tried(service string) bool {
	return slices.ContainsFunc(k.Answers, func(a criteria.Answer) bool { return a.Service == service })
}

func (k *JourneyState) answer(a Answered, on criteria.Day, questioned bool) criteria.Answer {
	facts := k.Facts
	said := criteria.Answer{Service: a.Service, On: on, Said: a.Answer, Words: strings.TrimSpace(a.Words),
		By:   strings.ReplaceAll(a.AnsweredBy, "-", " "),
		Axis: a.Axis, Side: cmp.Or(a.Side, criteria.SideOf(a.Reason)), Reason: a.Reason, Questioned: questioned,
		Facts: &facts}
	k.Answers = append(k.Answers, said)
	return said
}

func (k *JourneyState) override(o Overriding, on criteria.Day, role string) {
	kept := slices.DeleteFunc(slices.Clone(k.Overrides),
		func(before criteria.Override) bool { return before.Service == o.Service })
	k.Overrides = append(kept, criteria.Override{Service: o.Service, Eligibility: o.Eligibility, On: on,
		By: strings.ReplaceAll(role, "-", " "), Reason: overrideReasons[o.Reason]})
}

// TellingWhat is an 'I was told…' as it comes in.
type TellingWhat struct {
	Criterion   string       `json:"criterion"`
	Words       string       `json:"words"`
	Told        string       `json:"told"` // the role of who was told
	On          criteria.Day `json:"on,omitempty"`
	Days        int          `json:"days,omitempty"`
	Scope       []string     `json:"scope,omitempty"`
	DidNotRefer bool         `json:"didNotRefer,omitempty"`
}

// toldRoles are who can have been told something; a name is never kept.
var toldRoles = []string{"nurse", "doctor", "gp", "social-worker", "support-worker", "teacher", "police-officer",
	"navigator", "carer", "the-person", "other"}

func (t TellingWhat) faults(set *criteria.Directory, service string, today criteria.Day) []Fault {
	var f faultList
	_, hasCriterion := set.Criterion(service, t.Criterion)
	f.check(hasCriterion, "criterion",
		"is %q, which is none of this service's criteria; take its id from /api/services", t.Criterion)
	f.check(slices.Contains(toldRoles, t.Told), "told", "is %q; use one of %s", t.Told, strings.Join(toldRoles, ", "))
	f.check(strings.TrimSpace(t.Words) != "", "words", "is missing: say what you were told")
	why := wordsFault(t.Words)
	f.check(why == "", "words", "%s", why)
	f.day("on", t.On, criteria.AddDays(today, -10*year), today)
	f.check(t.Days >= 0 && t.Days <= 10*year, "days", "is %d; use how far back the condition was said to look, in days",
		t.Days)
	f.check(len(t.Scope) <= 20 && !slices.ContainsFunc(t.Scope, func(s string) bool {
		return !criteria.IsCode(s) || len(s) > 60
	}),
		"scope", "is not a list of codes in lower case with hyphens, such as any-self-harm")
	return f
}

func (t TellingWhat) report(service, id string, today criteria.Day) criteria.ToldReport {
	on := t.On
	if on == "" {
		on = today
	}
	return criteria.ToldReport{Service: service, Told: criteria.Told{ID: id, On: on, By: t.Told, Criterion: t.Criterion,
		Words: strings.TrimSpace(t.Words),
		Terms: criteria.Terms{Days: t.Days, Scope: t.Scope}, DidNotRefer: t.DidNotRefer}}
}

// LineReport says that a published number or link reaches nobody, or that it works again.
type LineReport struct {
	Line   string `json:"line"` // as the directory publishes it
	Mended bool   `json:"mended,omitempty"`
}

// faults: a line is one of those published, so that nothing else is kept. One that was reported may be mended though
// it is published no longer.
func (l LineReport) faults(set *criteria.Directory, service string) []Fault {
	var f faultList
	f.check(l.Mended || slices.Contains(set.PublishedLines(service), l.Line), "line",
		"is not published for this service; it publishes %s", strings.Join(set.PublishedLines(service), ", "))
	return f
}
