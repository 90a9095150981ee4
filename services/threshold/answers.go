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
)

// mostKept bounds, in characters, what is kept of a service's words or of what somebody was told.
const mostKept = 500

var (
	// manyDigits is a run of digits with at most two other marks between them: a telephone number, an NHS number, a
	// date of birth, a record number.
	manyDigits  = regexp.MustCompile(`[0-9](?:[\s().+/:-]{0,2}[0-9]){5,}`)
	writtenDate = regexp.MustCompile(`(?i)\b[0-9]{1,2}(?:st|nd|rd|th)?\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,?\s+[0-9]{2,4}\b`)
	postcode    = regexp.MustCompile(`(?i)\b[a-z]{1,2}[0-9][a-z0-9]? ?[0-9][a-z]{2}\b`)
	address     = regexp.MustCompile(`(?i)@|https?://|\bwww\.`)
	titledName  = regexp.MustCompile(`\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sister|Nurse)\.?\s+\p{Lu}`)
	initials    = regexp.MustCompile(`\b\p{Lu}\.\s?\p{Lu}\.`)
)

// wordsFault says why words may not be kept here, or "". Free text about a person belongs in intake's vault alone; what
// may be kept is what a service says of itself. No check can tell a name from any other word: this one refuses what
// has the shape of an identifier, and the field's description asks for the service's words about itself.
func wordsFault(words string) string {
	switch {
	case utf8.RuneCountInString(words) > mostKept:
		return fmt.Sprintf("is longer than %d characters; keep the sentence that says what the service offers", mostKept)
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
	AnswerBy Day `json:"answerBy,omitempty"`
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
	Reason string `json:"reason,omitempty"`
	On     Day    `json:"on,omitempty"` // the local day it answered; empty is today
}

// declineReasons are the reasons for a no, by code, with their words: those of the national list
// (dos-rejected-reasons-bars), and ours for what it lacks.
var declineReasons = map[string]string{
	"21":                      "transport",
	"22":                      "it is full",
	"23":                      "not clinically appropriate",
	"24":                      "it declines",
	"26":                      "the person's choice",
	"27":                      "it could not reach the person",
	"31":                      "no appointments",
	"32":                      "no suitable appointments",
	"40":                      "not eligible",
	"41":                      "a home visit is wanted",
	"42":                      "too far away",
	"99":                      "another reason",
	"threshold-not-published": "a condition that it does not publish",
	"too-high":                "more than it is for",
	"too-low":                 "less than it is for",
	"waiting-list-closed":     "its waiting list is closed",
}

// declineCodes lists the reasons for a no with their words, for whoever gave none that is known.
func declineCodes() string {
	codes := make([]string, 0, len(declineReasons))
	for _, code := range schemas.Values("decline-reason") {
		codes = append(codes, fmt.Sprintf("%s (%s)", code, declineReasons[code]))
	}
	return strings.Join(codes, ", ")
}

// sideOf is where the request lies that is declined for a reason, where the reason says so.
func sideOf(reason string) string {
	return map[string]string{"too-high": SideAbove, "too-low": SideBelow}[reason]
}

// mayNotDecline says whether a service has agreed never to decline for a reason.
func (d *Directory) mayNotDecline(service, reason string) bool {
	s := d.byID[service]
	return s != nil && s.doc.Agreement != nil && slices.Contains(s.doc.Agreement.NeverDeclinesFor, reason)
}

// Overriding is a human's decision about one door.
type Overriding struct {
	Service string       `json:"service"`
	Door    schemas.Door `json:"door"`
	Reason  string       `json:"reason"`
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
	f.check(optional && value == "" || slices.Contains(schemas.Values(kind), value), field, "is %q; use one of %s", value, strings.Join(schemas.Values(kind), ", "))
}

func (f *faultList) day(field string, day, from, to Day) {
	if day == "" {
		return
	}
	first, _ := calendar.ParseDay(from)
	last, _ := calendar.ParseDay(to)
	_, err := calendar.Between(day, first, last)
	f.check(err == nil, field, "is %q; use a local day from %s to %s", day, from, to)
}

// knows says whether a service is in the set, or had a door in the last decision though it no longer is.
func (d *Directory) knows(service string, last *Decision) bool {
	if _, ok := d.byID[service]; ok {
		return true
	}
	return last != nil && slices.ContainsFunc(last.Doors, func(door schemas.ServiceDoor) bool { return door.Service == service })
}

const notInDirectory = "is %q, which is not in the directory; take an id from /api/services"

func (a Asked) faults(set *Directory, last *Decision, today Day) []Fault {
	var f faultList
	f.check(set.knows(a.Service, last), "service", notInDirectory, a.Service)
	f.day("answerBy", a.AnswerBy, today, addDays(today, 31))
	return f
}

func (a Answered) faults(set *Directory, last *Decision, today Day) []Fault {
	var f faultList
	f.check(set.knows(a.Service, last), "service", notInDirectory, a.Service)
	f.oneOf("answer", a.Answer, "answer", false)
	f.oneOf("answeredBy", a.AnsweredBy, "answering-role", a.Answer == SaidNoReply)
	f.oneOf("side", a.Side, "side", true)
	f.day("on", a.On, addDays(today, -nearDays), today)
	f.check(a.Answer != SaidNoReply || a.Words == "" && a.AnsweredBy == "" && a.Side == "", "answer", "is no-reply, and yet something was said; record what it was instead")
	f.check(a.Side == "" || a.Answer == SaidNo, "side", "goes with a no: it says where the request lies outside of the service's range")
	if a.Answer == SaidNo {
		f.check(declineReasons[a.Reason] != "", "reason", "is %q; a no says why by a code: %s", a.Reason, declineCodes())
	} else {
		f.check(a.Reason == "", "reason", "goes with a no")
	}
	lies := sideOf(a.Reason)
	f.check(lies == "" || a.Side == "" || a.Side == lies, "side", "is %q, and the reason is %q; say the same by both", a.Side, a.Reason)
	f.check(a.Axis == "" || a.Side != "", "axis", "goes with a side")
	f.check(a.Axis == "" || slices.Contains(set.axes, a.Axis), "axis", "is %q; the directory's axes are %s", a.Axis, strings.Join(set.axes, ", "))
	why := wordsFault(a.Words)
	f.check(why == "", "words", "%s", why)
	return f
}

func (o Overriding) faults(set *Directory, last *Decision) []Fault {
	var f faultList
	f.check(set.knows(o.Service, last), "service", notInDirectory, o.Service)
	f.check(o.Door == schemas.DoorOpen || o.Door == schemas.DoorNotOpen, "door", "is %q; use open or not-open", o.Door)
	_, ok := overrideReasons[o.Reason]
	f.check(ok, "reason", "is %q; use one of %s", o.Reason, strings.Join(OverrideReasons(), ", "))
	return f
}

// mayAsk says why a service may not be asked now, or "". A door that was tried in this episode is tried again after
// silence, where a fact that its criteria read has changed, or after a conversation: the person is not passed around.
func mayAsk(k Known, d Decision, ask Asked, now time.Time) string {
	if ask.Spoken {
		return ""
	}
	i := slices.IndexFunc(d.Tried, func(t Tried) bool { return t.Service == ask.Service })
	if i < 0 {
		return ""
	}
	tried := d.Tried[i]
	switch {
	case tried.AskAgain:
		return ""
	case tried.Said == SaidAsked && now.Before(k.AnswerBy[ask.Service]):
		return fmt.Sprintf("It was asked on %s, and its answer is hoped for by %s. Talk with the service, and send spoken: true, to ask again before.", tried.On, k.AnswerBy[ask.Service].Format(time.DateOnly))
	case tried.Said == SaidAsked:
		return "" // silence
	}
	return fmt.Sprintf("It answered %q on %s, and nothing that its criteria read has changed since. Talk with the service first, and send spoken: true.", tried.Said, tried.On)
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

func (k *Known) ask(a Asked, on Day, by time.Time) {
	facts := k.Facts
	k.Answers = append(k.Answers, Answer{Service: a.Service, On: on, Said: SaidAsked, Facts: &facts})
	answerBy := map[string]time.Time{a.Service: by}
	for service, at := range k.AnswerBy {
		if service != a.Service {
			answerBy[service] = at
		}
	}
	k.AnswerBy = answerBy
}

// tried says whether a service was asked, or answered, in this journey before.
func (k *Known) tried(service string) bool {
	return slices.ContainsFunc(k.Answers, func(a Answer) bool { return a.Service == service })
}

func (k *Known) answer(a Answered, on Day, questioned bool) Answer {
	facts := k.Facts
	said := Answer{Service: a.Service, On: on, Said: a.Answer, Words: strings.TrimSpace(a.Words), By: strings.ReplaceAll(a.AnsweredBy, "-", " "),
		Axis: a.Axis, Side: cmp.Or(a.Side, sideOf(a.Reason)), Reason: a.Reason, Questioned: questioned, Facts: &facts}
	k.Answers = append(k.Answers, said)
	return said
}

func (k *Known) override(o Overriding, on Day, role string) {
	kept := slices.DeleteFunc(slices.Clone(k.Overrides), func(before Override) bool { return before.Service == o.Service })
	k.Overrides = append(kept, Override{Service: o.Service, Door: o.Door, On: on, By: strings.ReplaceAll(role, "-", " "), Reason: overrideReasons[o.Reason]})
}

// TellingWhat is an 'I was told…' as it comes in.
type TellingWhat struct {
	Criterion   string   `json:"criterion"`
	Words       string   `json:"words"`
	Told        string   `json:"told"` // the role of who was told
	On          Day      `json:"on,omitempty"`
	Days        int      `json:"days,omitempty"`
	Scope       []string `json:"scope,omitempty"`
	DidNotRefer bool     `json:"didNotRefer,omitempty"`
}

// toldRoles are who can have been told something; a name is never kept.
var toldRoles = []string{"nurse", "doctor", "gp", "social-worker", "support-worker", "teacher", "police-officer", "navigator", "carer", "the-person", "other"}

func (t TellingWhat) faults(set *Directory, service string, today Day) []Fault {
	var f faultList
	f.check(set.criterion(service, t.Criterion) != nil, "criterion", "is %q, which is none of this service's criteria; take its id from /api/services", t.Criterion)
	f.check(slices.Contains(toldRoles, t.Told), "told", "is %q; use one of %s", t.Told, strings.Join(toldRoles, ", "))
	f.check(strings.TrimSpace(t.Words) != "", "words", "is missing: say what you were told")
	why := wordsFault(t.Words)
	f.check(why == "", "words", "%s", why)
	f.day("on", t.On, addDays(today, -10*nearDays), today)
	f.check(t.Days >= 0 && t.Days <= 10*nearDays, "days", "is %d; use how far back the condition was said to look, in days", t.Days)
	f.check(len(t.Scope) <= 20 && !slices.ContainsFunc(t.Scope, func(s string) bool { return !codeShape.MatchString(s) || len(s) > 60 }),
		"scope", "is not a list of codes in lower case with hyphens, such as any-self-harm")
	return f
}

func (t TellingWhat) report(service, id string, today Day) ToldReport {
	on := t.On
	if on == "" {
		on = today
	}
	return ToldReport{Service: service, Told: Told{ID: id, On: on, By: t.Told, Criterion: t.Criterion, Words: strings.TrimSpace(t.Words),
		Terms: Terms{Days: t.Days, Scope: t.Scope}, DidNotRefer: t.DidNotRefer}}
}

// LineReport says that a published number or link reaches nobody, or that it works again.
type LineReport struct {
	Line   string `json:"line"` // as the directory publishes it
	Mended bool   `json:"mended,omitempty"`
}

// lines are the numbers, addresses and links that a service publishes.
func (d *Directory) lines(service string) []string {
	s := d.byID[service]
	if s == nil {
		return nil
	}
	var lines []string
	add := func(line string) {
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for _, phone := range s.doc.Service.Phones {
		add(phone.Number)
	}
	add(s.doc.Service.Email)
	add(s.doc.Service.URL)
	add(s.doc.Provenance.Link)
	for _, c := range s.doc.Criteria {
		add(c.Link)
	}
	return lines
}

// faults: a line is one of those published, so that nothing else is kept. One that was reported may be mended though
// it is published no longer.
func (l LineReport) faults(set *Directory, service string) []Fault {
	var f faultList
	f.check(l.Mended || slices.Contains(set.lines(service), l.Line), "line", "is not published for this service; it publishes %s", strings.Join(set.lines(service), ", "))
	return f
}
