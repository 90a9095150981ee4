package console

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// The page of the person. Whoever comes with the code and the word is not proven to be them, and others may look at the
// screen: the first view says the next step and its day alone, no hospital, purpose, name or address; what was said
// before is not read back; and what is said here is asked again by a human, in the way that was agreed before.

// ownLeave leads away from the page, and ends its session.
const ownLeave = schemas.OwnPath + "/leave"

const (
	codeTitle = "Enter your code"
	nextTitle = "What happens next"
	moreTitle = "More about this"
)

// codeProblem is said to whatever does not open: a wrong code or word, an ended and a stopped one, and a session that
// is over. It is one and the same.
var codeProblem = problemView{"This code and word do not open anything at present. Look at both again. If they are " +
	"right, the code may have ended: whoever gave it to you can give you a new one", "code"}

// codeForm asks for both.
func codeForm() []question {
	code := text("code", "Code",
		"12 letters and numbers, from your slip of paper. For example, 7K2M-4XQ9-W8TB").short(20)
	word := text("word", "Your word", "The word that you chose when you were given the code.").short(20)
	return []question{code, word}
}

// forPerson is what a kind of step is to the person: in few words that anybody may read over their shoulder, and in
// plain ones. You: it is something with them, not behind the scenes.
type forPerson struct {
	Short, Words string
	You          bool
}

var (
	isAsked = forPerson{"Somebody is in touch with you", "Somebody is in touch with you, in the way that was agreed, " +
		"to hear what you would like.", true}
	isArranged = forPerson{"Somebody is arranging the next step", "An organisation is being asked whether it has a " +
		"place for you. You need do nothing.", false}
	isBehind = forPerson{"Somebody is seeing to something for you", "Somebody sees to something for you. You need do " +
		"nothing.", false}
	isHelped = forPerson{"Somebody is seeing to what you asked for",
		"Somebody on call sees to the help that was asked for.", true}
	isService = forPerson{"Somebody is asking a service for you", "A service is being asked for support for you. You " +
		"need do nothing.", false}
)

// personSteps are kinds of steps that are not told by whether they ask the person something.
var personSteps = map[string]forPerson{
	"arrange-follow-up": {isArranged.Short, "Somebody is looking for an organisation that has a place for you. You " +
		"need do nothing.", false},
	"tell-the-partner": isArranged, "partner-answers": isArranged,
	"find-a-place": {"Somebody is in touch with you", "No organisation has a place for you yet. Somebody looks for " +
		"one, and agrees with you on what there is meanwhile.", true},
	"late-follow-up": isArranged, "may-know": isArranged, "answer-the-partner": isArranged,
	"partner-arranges": {"Somebody agrees on a time with you",
		"The organisation that has a place for you agrees on a time with you.", true},
	"session": {"You meet somebody, as agreed", "You meet, at the time that was agreed.", true},
	"ask-what-next": {"Somebody hears from you what comes next", "You are asked what comes next. It is for you to say.",
		true},
	"bridging-call": {"Somebody calls you, as agreed", "You get a short call, as agreed.", true},
	"another-time":  {"Somebody finds another time with you", "You are asked about another time.", true},
	"what-next":     {"Somebody decides with you what comes next", "You are asked what comes next.", true},
	"turns-18": {"Somebody agrees with you who is there for you later",
		"It is agreed with you who is there for you from 18 on.", true},
	"first-meeting-at-18": {"You meet somebody new", "You meet who is there for you from 18 on. Whoever knows you " +
		"stays until then.", true},
	"help-needed-now": isHelped, "help-safety": isHelped, "help-worse": isHelped,
	"bridge-the-gap": isService, "service-answers": isService, "ask-the-service-again": isService,
	"ask-the-service-why": isService, "share-the-assessment": isService,
}

// personStep is what a kind of step is to the person. One that a human named for themselves is told in no word of
// theirs.
func personStep(kind string) forPerson {
	if words, ok := personSteps[kind]; ok {
		return words
	}
	if k, known := schemas.StepKindOf(kind); known && k.Asks {
		return isAsked
	}
	return isBehind
}

// nextFor is the step that the first view speaks of: the first that is with the person, else the first at all. nil
// where nothing is planned.
func nextFor(steps []step) *step {
	steps = slices.Clone(steps)
	slices.SortStableFunc(steps, func(a, b step) int { return a.DueAt.Compare(b.DueAt) })
	if len(steps) == 0 {
		return nil
	}
	if i := slices.IndexFunc(steps, func(s step) bool { return personStep(s.Kind).You }); i >= 0 {
		return &steps[i]
	}
	return &steps[0]
}

// byDay says by which day something happens, and where that day is over, so.
func byDay(due, now time.Time, zone *time.Location) (words string, late bool) {
	return due.In(zone).Format("Monday 2 January"), now.After(due)
}

// personState says how a journey stands, to the person.
var personState = map[string]string{
	"open": "This is under way, and somebody holds the next step.",
	"held": "This waits while somebody else looks after you. Your place is kept, and a day is set to look again.",
	"closed": "This has come to its end. You can have it go on at any time: press the button below, or ask whoever " +
		"gave you the code.",
}

// holderName says who holds a step, to the person: a team by what it is, a partner by its name.
func (s *Console) holderName(owner string, services map[string]string) string {
	kind, id, _ := strings.Cut(owner, ":")
	if kind == schemas.OwnerPartner {
		if name := s.partnerName(id); name != "" {
			return name
		}
	}
	return holderName(owner, services)
}

// noOption is something that the person can say no to: its value names the purpose, and the organisation where it was
// said to one.
type noOption struct{ Purpose, Organisation, State string }

// nosOf are what the person can say no to.
func nosOf(answers []consentAnswer) (all []noOption) {
	for _, a := range answers {
		holds := a.State == "given" || a.State == "expiring"
		switch {
		case holds:
			all = append(all, noOption{a.Purpose, a.Organisation, "withdrawn"})
		case a.Organisation == "" && a.State != "declined" && a.State != "withdrawn":
			all = append(all, noOption{a.Purpose, "", "declined"})
		}
	}
	return all
}

func (o noOption) code() string { return o.Purpose + " " + o.Organisation }

// noWords say what a no is to.
func (s *Console) noWords(o noOption) string {
	words := sentenceCase(wordsFor(purposeWords, o.Purpose))
	if o.Organisation == "" {
		return words
	}
	return words + ", with " + cmp.Or(s.partnerName(o.Organisation), "one organisation")
}

// personForms are what can be said on the second view. entered fills what was sent and could not be taken.
type personForms struct {
	No, Suits, Contact, Words []question
}

var meetingHours = []option{{Code: "weekday-daytime", Words: "Weekdays, in the daytime"},
	{Code: "weekday-evening", Words: "Weekdays, in the evening"},
	{Code: "weekend-daytime", Words: "Weekends, in the daytime"},
	{Code: "weekend-evening", Words: "Weekends, in the evening"}}

func (s *Console) personForms(nos []noOption, entered url.Values, matters map[string]string) personForms {
	var options []option
	for _, o := range nos {
		options = append(options, option{Code: o.code(), Words: s.noWords(o)})
	}
	forms := personForms{
		Suits: []question{some("hours", "When does it suit you?", "", meetingHours...),
			some("talk", "How do you like to talk?", "", talkOptions...)},
		Contact: []question{one("channel", "What is new?", "", option{Code: "phone", Words: "A telephone number"},
			option{Code: "text", Words: "A number for texts"}, option{Code: "email", Words: "An email address"}),
			text("value", "The number or address", "").short(20)},
		Words: []question{text("words", "What would you like to add?", "It is not shown again here.")},
	}
	if len(options) > 0 {
		forms.No = []question{one("to", "What would you like to say no to?", "", options...)}
	}
	for _, group := range [][]question{forms.No, forms.Suits, forms.Contact, forms.Words} {
		for i, q := range group {
			group[i] = q.filled(entered, matters[q.Name])
		}
	}
	return forms
}

// personForm is one form of the second view, as its template shows it.
type personForm struct {
	Do, Heading, About, Button, Request string
	Questions                           []question
}

func formFor(do, heading, about, button, request string, questions []question) personForm {
	return personForm{do, heading, about, button, request, questions}
}

// Open says that something is to be looked at in it.
func (f personForm) Open() bool {
	return slices.ContainsFunc(f.Questions, func(q question) bool { return q.Error != "" })
}

// problems are the lines of the error summary, in the order of the page.
func (f personForms) problems() []problemView {
	return form{Sections: []section{{Questions: slices.Concat(f.No, f.Suits, f.Contact, f.Words)}}}.problems()
}

// personDone says what was done, after it.
var personDone = map[string]string{
	"no": "Your no is kept, and holds from now on. It costs you nothing, and you can change your mind. As others may " +
		"have your code, somebody asks you about it once, in the way that was agreed before.",
	"suits": "It is kept. Whoever plans something with you sees it.",
	"contact": "It is kept as a question: nobody uses it yet. Somebody asks you about it first, in the way that was " +
		"agreed before.",
	"words":  "Thank you. It is kept, and not shown here again.",
	"reopen": "It goes on. Somebody is in touch with you, in the way that was agreed.",
}
