package console

import (
	"time"

	"footbridge/schemas"
)

// The pages for somebody who asks for themselves. They may be on a phone that others look at: nothing in address or
// title says what it is about, the page can be left at one press, and it says the same to everybody.

// leaveTo is where 'leave this page' goes: a page that anybody might be looking at.
const leaveTo = "https://www.bbc.co.uk/weather"

const ownTitle = "Ask for support"

var ownUnder18 = []option{{Code: "yes", Words: "Yes", Hint: "Somebody from the young people’s team looks at it " +
	"first. They decide with you who may know."}, {Code: "no", Words: "No"},
	{Code: "not-known", Words: "I would rather not say"}}

var talkOptions = []option{{Code: "in-person", Words: "In person"}, {Code: "video", Words: "By video"},
	{Code: "phone", Words: "By phone"}, {Code: "text", Words: "By text"}}

var workerOptions = []option{{Code: "any", Words: "Anybody"}, {Code: "woman", Words: "A woman"},
	{Code: "man", Words: "A man"}}

// ownForm asks as little as it takes to be in touch.
func ownForm() form {
	return form{Sections: []section{
		{"What may we call you?", "", []question{
			text("given", "First name", "The name you like to be called by.").completed("given-name"),
			text("family", "Family name",
				"You can leave this out. It helps us not to mix you up with somebody else.").completed("family-name"),
			date("birth", "Date of birth", "You can leave this out. For example, 27 3 1990").completed("bday"),
			one("under18", "Are you under 18?", "", ownUnder18...),
		}},
		{"How is it safe to reach you?", "We use only what you say here, and say nothing about the reason to anybody " +
			"else who answers.", []question{
			one("channel", "What is safe?", "", channelOptions("None of these is safe for me")...),
			text("place", "Which number or address?", "If none is safe: where could we meet you, or who could pass "+
				"on word? A GP practice or a hostel, for example."),
			choice("from", "From which hour?", "", hourOptions(0, 23)...),
			choice("to", "Until which hour?", "If you choose none, we keep to between 10am and 7pm.",
				hourOptions(1, 24)...),
			some("leave", "May we leave word?", "", option{Code: "yes", Words: "You may leave a short message. It " +
				"will not say what it is about"}),
		}},
		{"What would suit you?", "You can leave these out.", []question{
			some("talk", "How do you like to talk?", "", talkOptions...),
			one("worker", "Whom would you like to talk to?", "", workerOptions...),
			some("interpreter", "Would an interpreter help?", "",
				option{Code: "yes", Words: "Yes. We will ask which language when we are in touch"}),
		}},
	}}
}

// readOwn reads what somebody asks for themselves.
func readOwn(a *answers, now time.Time) referral {
	r := referral{Route: "self",
		Person: schemas.ReportedPerson{GivenName: a.text("given", 200), FamilyName: a.text("family", 200),
			BirthDate: a.date("birth")},
		Under18: a.needed("under18", "Say whether you are under 18, or that you would rather not say",
			codesOf(ownUnder18)...),
		SafeContact: a.reach("Choose what is safe for you, or that none of these is",
			"Write the number or address, or how else word could reach you"),
	}
	if r.Person.GivenName == "" && r.Person.FamilyName == "" {
		a.matter("given", "Write a name that we may call you by")
	}
	checkBirth(a, r.Person.BirthDate, now)
	if age, known := ageOn(r.Person.BirthDate, now.In(a.zone)); known && (age < 18) != (r.Under18 == "yes") &&
		(r.Under18 == "yes" || r.Under18 == "no") {
		a.matter("under18", "This does not fit your date of birth: please look at both")
	}
	r.Facts.Channels = a.some("talk", codesOf(talkOptions)...)
	if len(r.Facts.Channels) == 0 {
		r.Facts.Channels = nil
	}
	if worker := a.one("worker", codesOf(workerOptions)...); worker != "" {
		r.Facts.WorkerGender = &worker
	}
	if yes := a.ticked("interpreter"); yes {
		r.Facts.InterpreterNeeded = &yes
	}
	return r
}
