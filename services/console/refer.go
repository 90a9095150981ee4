package console

import (
	"slices"
	"time"

	"footbridge/libs/hl7"
	"footbridge/libs/written"
	"footbridge/schemas"
)

// referral is a request for support as POST /api/referrals takes it. Organisation, number and route are filled in
// there from who is asking.
type referral struct {
	Route       string                    `json:"route,omitempty"`
	Person      schemas.ReportedPerson    `json:"person"`
	Visit       string                    `json:"visit,omitempty"`
	LeftAt      *time.Time                `json:"leftAt,omitempty"`
	Facts       schemas.Facts             `json:"facts,omitzero"`
	Consents    []schemas.ReportedConsent `json:"consents,omitempty"`
	SafeContact *schemas.ReportedContact  `json:"safeContact,omitempty"`
	Under18     string                    `json:"under18,omitempty"`
	Told        []string                  `json:"told,omitempty"`
}

// referred is what a professional is answered.
type referred struct {
	Journey string   `json:"journey"`
	Outcome string   `json:"outcome"`
	Flags   []string `json:"flags"`
}

var yesNoUnknown = []option{{Code: "yes", Words: "Yes"}, {Code: "no", Words: "No"},
	{Code: "not-known", Words: "Not known"}}

var saidOptions = []option{{Code: "yes", Words: "Yes"}, {Code: "no", Words: "No, thank you"},
	{Code: "not-asked", Words: "Not asked yet"}}

var howOptions = []option{{Code: "spoken", Words: "Spoken"}, {Code: "written", Words: "Written"},
	{Code: "interpreter", Words: "Through an interpreter", Hint: "Not a relative or friend."}}

var assessmentOptions = []option{{Code: "done", Words: "Done"}, {Code: "offered", Words: "Offered, not done yet"},
	{Code: "declined", Words: "Offered, and they said no thank you"},
	{Code: "left-before", Words: "They left before it"}, {Code: "not-known", Words: "Not known"}}

var toldOptions = []option{{Code: "what-it-is", Words: "What the follow-up is, and what it is not"},
	{Code: "who-will-see-it", Words: "Who will see what they said"},
	{Code: "may-say-no", Words: "That they may say no at any time, and it costs them nothing"},
	{Code: "what-happens-next", Words: "What happens next"},
	{Code: "separate-from-hospital", Words: "That the hospital team’s own follow-up is separate"},
	{Code: "limits-of-confidentiality", Words: "When something would have to be passed on"}}

// referForm is a professional's six answers.
func referForm(partners []Partner) form {
	said := []question{
		one("follow-up", "A follow-up session with a partner organisation", "", saidOptions...),
		one("bridging", "Short calls while they wait for something else", "", saidOptions...),
		one(schemas.PurposeTellReferrer, "May your team know that they met, and that what comes next is agreed?",
			"Without a yes you hear whether a partner organisation is in touch with them, and no more.",
			saidOptions...),
	}
	if len(partners) > 0 {
		towards := []option{{Code: "", Words: "Any partner organisation"}}
		for _, p := range partners {
			towards = append(towards, option{Code: p.ID, Words: "Only " + p.Name})
		}
		said = append(said, choice("towards", "To whom did they say yes?", "", towards...))
	}
	said = append(said, one("how", "How did they say it?", "Needed where they said yes.", howOptions...))
	return form{Sections: []section{
		{"1. Who is it for?", "A number of your record, or their name and date of birth.", []question{
			text("local", "Hospital number", "").short(20),
			text("given", "Given names", ""),
			text("family", "Family name", ""),
			date("birth", "Date of birth", "For example, 27 3 1990"),
			text("nhs", "NHS number", "Leave it out if you do not have it.").digits().short(10),
			some("traced", "Is the NHS number verified?", "",
				option{Code: "yes", Words: "Our record shows this number as traced and verified"}),
			text("visit", "Visit number", "So that what the hospital’s system sends about the same visit is counted "+
				"once.").short(20),
			date("left", "On which day did they leave?", "Leave it out if there was no visit."),
			text("left-at", "At what time, about?", "For example, 14:30").short(5),
		}},
		{"2. How may they safely be reached?", "What they said themselves. No voicemail, text, letter or email goes " +
			"to anything else.", []question{
			one("channel", "What is safe?", "", channelOptions("Nothing is safe")...),
			text("place", "The number or address", "If nothing is safe: what you arranged instead. A time and place, "+
				"a slip with a number, or word by way of a hostel."),
			some("confirmed", "Did they say so themselves?", "",
				option{Code: "yes", Words: "They said that it is safe to use"}),
			choice("from", "From which hour?", "", hourOptions(0, 23)...),
			choice("to", "Until which hour?", "With no hours given: 10am to 7pm.", hourOptions(1, 24)...),
			some("leave", "May word be left there?", "",
				option{Code: "yes", Words: "A message that says nothing about the reason may be left"}),
		}},
		{"3. What did they say yes to?", "Silence is not a yes. A no closes no door.", said},
		{"4. Was there an assessment?", "",
			[]question{one("assessment", "The psychosocial assessment", "", assessmentOptions...)}},
		{"5. Are they under 18?", "", []question{one("under18", "Under 18", "If so, or if it is not known, the young "+
			"people’s team decides first and nobody rings before.", yesNoUnknown...)}},
		{"6. What were they told?", "",
			[]question{some("told", "They were told", "Tick what applies. Nothing, if nothing was.", toldOptions...)}},
	}}
}

// readReferral reads a professional's form. What is the matter with it stays in a.
func readReferral(a *answers, partners []Partner, now time.Time) referral {
	number, _ := written.NHSNumber(a.text("nhs", 40))
	r := referral{
		Person: schemas.ReportedPerson{LocalID: a.text("local", 100), GivenName: a.text("given", 200),
			FamilyName: a.text("family", 200), BirthDate: a.date("birth"),
			NHSNumber: number, NHSNumberVerified: a.ticked("traced")},
		Visit: a.text("visit", 100), LeftAt: a.moment("left", "left-at", "Enter both the day and the time they left. "+
			"About is enough"),
		SafeContact: a.reach("Choose what is safe, or that nothing is", "Enter the number or address, or what you "+
			"arranged instead"),
		Consents: readConsents(a, partners),
		Under18:  a.needed("under18", "Say whether they are under 18", codesOf(yesNoUnknown)...),
		Told:     a.some("told", codesOf(toldOptions)...),
	}
	r.SafeContact.Confirmed = a.ticked("confirmed")
	if assessment := a.needed("assessment", "Say what became of the assessment",
		codesOf(assessmentOptions)...); assessment != "" {
		r.Facts.Assessment = &assessment
	}
	checkWho(a, r.Person, now)
	if r.LeftAt != nil && r.LeftAt.After(now) {
		a.matter("left", "This is in the future: check the day and the time")
	}
	if age, known := ageOn(r.Person.BirthDate, now.In(a.zone)); known && (age < 18) != (r.Under18 == "yes") &&
		r.Under18 != "" {
		a.matter("under18", "This does not fit the date of birth: look at both")
	}
	return r
}

func checkWho(a *answers, who schemas.ReportedPerson, now time.Time) {
	if who.LocalID == "" && who.FamilyName == "" && who.GivenName == "" {
		a.matter("local", "Enter a hospital number, or a name")
	}
	checkBirth(a, who.BirthDate, now)
	switch {
	case who.NHSNumber != "" && !hl7.ValidNHSNumber(who.NHSNumber):
		a.matter("nhs", "This cannot be an NHS number: compare its ten digits with the record, or leave it out")
	case who.NHSNumber == "" && who.NHSNumberVerified:
		a.matter("nhs", "Enter the number that is verified, or take the tick away")
	}
}

func checkBirth(a *answers, birth string, now time.Time) {
	if birth != "" && (birth > now.Format(time.DateOnly) || birth < "1900-01-01") {
		a.matter("birth", "This cannot be a date of birth: check the year")
	}
}

// ageOn is the age in whole years on a day.
func ageOn(birth string, on time.Time) (int, bool) {
	born, err := time.Parse(time.DateOnly, birth)
	if err != nil {
		return 0, false
	}
	age := on.Year() - born.Year()
	if on.Month() < born.Month() || on.Month() == born.Month() && on.Day() < born.Day() {
		age--
	}
	return age, age >= 0
}

// readConsents are the agreements and refusals; what was not asked is none of them.
func readConsents(a *answers, partners []Partner) []schemas.ReportedConsent {
	towards := a.entered.Get("towards")
	if !slices.ContainsFunc(partners, func(p Partner) bool { return p.ID == towards }) {
		towards = ""
	}
	how := a.one("how", codesOf(howOptions)...)
	var said []schemas.ReportedConsent
	for _, purpose := range []string{schemas.PurposeFollowUp, schemas.PurposeBridging, schemas.PurposeTellReferrer} {
		answer := a.one(purpose, codesOf(saidOptions)...)
		if purpose != schemas.PurposeTellReferrer { // nobody has to be asked
			answer = a.needed(purpose, "Say what they answered about "+purposeWords[purpose], codesOf(saidOptions)...)
		}
		if answer == "yes" && how == "" {
			a.matter("how", "Say how they said yes")
		}
		if answer == "" || answer == "not-asked" {
			continue
		}
		consent := schemas.ReportedConsent{Purpose: purpose, Given: answer == "yes"}
		if consent.Given {
			consent.How = how
		}
		if consent.Given && purpose != schemas.PurposeTellReferrer {
			consent.Organisation = towards
		}
		said = append(said, consent)
	}
	return said
}
