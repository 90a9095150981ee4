package console

import (
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// quarantinedView is one message with what deciding about it takes.
type quarantinedView struct {
	messageView
	Waiting   bool
	Due, Away string
	DueISO    string
	Late      bool
	Settled   string // when somebody had settled it
	Says      []factView
	Release   string // what a release does; empty where there is none for the reader
	Dismiss   string // the same of a dismissal
	Edit      bool   // what is known better may be put in
	Named     bool
	Who       []factView
	Form      form
	Open      bool // what to put in is shown open
	LookForm  form
	Request   string
	Taken     *takenView
}

// factView is one thing known, in words.
type factView struct{ Name, Words string }

func viewQuarantined(m message, role string, now time.Time, zone *time.Location) quarantinedView {
	v := quarantinedView{messageView: viewMessages([]message{m}, now, zone)[0], Named: m.Named}
	if m.SettledAt != nil {
		v.Settled = timeWords(*m.SettledAt, zone)
	}
	if m.Outcome == "quarantined" && m.SettledAt == nil {
		v.Waiting = true
		for _, r := range m.Can {
			switch {
			case r.Do == "release":
				v.Release, v.Edit, v.Form, v.Open = r.Words, len(r.With) > 0, editForm(r.With), r.Needs
			case role == string(schemas.Navigator):
				v.Dismiss = r.Words
			}
		}
	}
	if v.Waiting && m.DueAt != nil {
		v.Due, v.DueISO, v.Away, v.Late = timeWords(*m.DueAt, zone), m.DueAt.In(zone).Format(time.RFC3339),
			distance(now, *m.DueAt), now.After(*m.DueAt)
	}
	v.Says, v.Who = saysInWords(m.Says, zone), whoInWords(m.Who)
	return v
}

func saysInWords(says *messageSays, zone *time.Location) (facts []factView) {
	add := func(name, words string) {
		if words != "" {
			facts = append(facts, factView{name, words})
		}
	}
	if says == nil {
		return nil
	}
	add("Visit number", says.Visit)
	if says.ArrivedAt != nil {
		add("They came", timeWords(*says.ArrivedAt, zone))
	}
	if says.LeftAt != nil {
		add("They left", timeWords(*says.LeftAt, zone))
	}
	optional := func(name string, value *string, words map[string]string) {
		if value != nil {
			add(name, wordsFor(words, *value))
		}
	}
	optional("Assessment", says.Facts.Assessment, wordsOf(assessmentOptions))
	optional("Went to", says.Facts.Destination, nil)
	optional("Area where they live", says.Facts.AreaResidence, nil)
	optional("Gender", says.Facts.Gender, nil)
	return facts
}

func wordsOf(options []option) map[string]string {
	words := map[string]string{}
	for _, o := range options {
		words[o.Code] = o.Words
	}
	return words
}

func whoInWords(who *messageWho) (facts []factView) {
	if who == nil {
		return nil
	}
	number := who.NHSNumber
	if number != "" && !who.Verified {
		number += " (not verified)"
	}
	for _, f := range []factView{{"Name", strings.TrimSpace(who.GivenName + " " + who.FamilyName)},
		{"Date of birth", dayWords(who.BirthDate)},
		{"Hospital number", who.LocalID}, {"NHS number", number}} {
		if f.Words != "" {
			facts = append(facts, f)
		}
	}
	return facts
}

var genderOptions = []option{{Code: "", Words: "As it says"}, {Code: "woman", Words: "Woman"},
	{Code: "man", Words: "Man"}, {Code: "non-binary", Words: "Non-binary"},
	{Code: "not-said", Words: "Would rather not say"}}

// edits of a message, by what a release may bring.
var editQuestions = map[string][]question{
	"leftAt": {date("left", "On which day did they leave?", "For example, 27 3 2026"),
		text("left-at", "At what time, about?", "For example, 14:30").short(5)},
	"visit": {text("visit", "Visit number", "").short(20)},
	"facts": {text("area", "Area where they live", "The area’s code, such as E06000027. Never a postcode.").short(20),
		choice("gender", "Gender, as they state it", "", genderOptions...),
		choice("assessment", "The psychosocial assessment", "", append([]option{{Code: "", Words: "As it says"}},
			assessmentOptions...)...)},
}

// editForm is what somebody may know better than the message, what is needed first. The rest may be left out.
func editForm(with []string) form {
	var s section
	for _, name := range with {
		s.Questions = append(s.Questions, editQuestions[name]...)
	}
	return form{Sections: []section{s}}
}

// edits are what was put in, as the door takes them.
type edits struct {
	Facts  schemas.Facts `json:"facts,omitzero"`
	LeftAt *time.Time    `json:"leftAt,omitempty"`
	Visit  string        `json:"visit,omitempty"`
}

func readEdits(a *answers, now time.Time) edits {
	e := edits{LeftAt: a.moment("left", "left-at", "Enter both the day and the time they left. About is enough"),
		Visit: a.text("visit", 100)}
	if e.LeftAt != nil && e.LeftAt.After(now) {
		a.matter("left", "This is in the future: check the day and the time")
	}
	chosen := func(value string) *string {
		if value == "" {
			return nil
		}
		return &value
	}
	e.Facts.AreaResidence, e.Facts.Gender, e.Facts.Assessment = chosen(a.text("area", 40)),
		chosen(a.one("gender", codesOf(genderOptions)...)), chosen(a.one("assessment", codesOf(assessmentOptions)...))
	if faults := e.Facts.Validate(); len(faults) > 0 {
		a.matter("area", "Enter an area’s code, such as E06000027, and never a postcode")
	}
	return e
}

// byDue puts what waits in the order of the time promised.
func byDue(messages []message) []message {
	messages = slices.Clone(messages)
	slices.SortStableFunc(messages, func(a, b message) int {
		if a.DueAt == nil || b.DueAt == nil {
			return 0
		}
		return a.DueAt.Compare(*b.DueAt)
	})
	return messages
}
