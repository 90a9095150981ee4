package record

import (
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// Under 18, or while the age is not known, nothing leaves and nobody is rung until a named young people's clinician
// has recorded who may answer, whose phone it is and who may know. Until then a yes is no yes.

// Adult is the age in years from which a person answers for themselves.
const Adult = 18

// MayConsent is what a young people's clinician recorded about who may answer for somebody under 18, or of unknown age.
// Who decided is whoever is signed in in that role, and is kept beside it: nobody names a clinician for them. All of it
// is kept sealed; events say the basis alone, as MayAnswer.
type MayConsent struct {
	// Basis is gillick or parental-responsibility.
	Basis string `json:"basis"`
	// WhosePhone says whose the contact is; MayKnow who may know, and who not.
	WhosePhone string `json:"whosePhone"`
	MayKnow    string `json:"mayKnow"`
}

// Fault says what is wrong with a record, or nothing.
func (m *MayConsent) Fault() string {
	missing := func(text string) bool { return strings.TrimSpace(text) == "" }
	switch {
	case m.Answers() == "":
		return "The basis of mayConsent is not known. Use gillick where the young person may answer themselves, or " +
			"parental-responsibility."
	case missing(m.WhosePhone) || missing(m.MayKnow):
		return "Say whose phone it is in whosePhone, and who may know in mayKnow of mayConsent: nobody is rung " +
			"before both are known."
	}
	return ""
}

// Answers is who may answer by the record, as events say it; empty where the basis is none.
func (m *MayConsent) Answers() string {
	return map[string]string{"gillick": schemas.AnswersPerson,
		"parental-responsibility": schemas.AnswersParent}[m.Basis]
}

// MayAnswer is who may answer for the person of one visit. Competence is judged for one decision at one time, so a
// record holds for the visits it was made about: whoever comes back is looked at again.
type MayAnswer struct {
	Version
	Who string `json:"who"`
	// Person is the record that the visit was about then. It does not cross a merge.
	Person string `json:"person"`
}

func (m MayAnswer) holdsFor(person string) bool { return m.Who != "" && m.Person == person }

// Let takes a clinician's record over and says what it lifts.
func (v *Visit) Let(answer string, said Version) schemas.DischargeCorrectedData {
	v.RowVersion++
	v.MayAnswer = MayAnswer{Version: said, Who: answer, Person: v.Person}
	v.Published.Flags = Without(v.Published.Flags, []string{schemas.FlagUnder18, schemas.FlagAgeUnknown})
	return schemas.DischargeCorrectedData{Visit: v.ID, Flags: OrNone(v.Published.Flags), MayAnswer: answer}
}

// EndsAtAdult is the last local day of a yes that somebody with parental responsibility gave: at the latest the day
// before the person is 18. until is what was said, empty for no end; where no birth date is known it stays.
func EndsAtAdult(until, birthDate string) string {
	born, err := time.Parse(time.DateOnly, birthDate)
	if err != nil {
		return until
	}
	eve := born.AddDate(Adult, 0, -1).Format(time.DateOnly)
	if until == "" || until > eve {
		return eve
	}
	return until
}

// ComeOfAge says on the journeys of somebody who has turned 18 that how they may be reached is to be asked of them,
// where somebody with parental responsibility answered until now: the contact may be theirs, and is no longer taken
// for confirmed.
func (w *UnitOfWork) ComeOfAge(person *Person) []Emission {
	if !slices.ContainsFunc(w.visitsOf(person),
		func(v *Visit) bool { return v.MayAnswer.Who == schemas.AnswersParent }) {
		return nil
	}
	return w.questionContact([]*Person{person})
}

// Guard is what stands between a journey's person and a yes.
type Guard struct {
	// First: a clinician decides first who may answer.
	First bool
	// Answers is who may, as a clinician recorded; empty for an adult.
	Answers string
}

// fault says why somebody's yes cannot be taken, or nothing. A no is taken from anybody.
func (g Guard) fault(a Answer) string {
	switch {
	case a.State != ConsentGiven:
	case g.First:
		return "The person is under 18, or their age is not known. First a young people's clinician records who may " +
			"consent, signed in as themselves: mayConsent, alone or with this answer."
	case g.Answers != "" && a.Giver != g.Answers:
		return "A young people's clinician recorded that another may consent: " + g.Answers +
			". Send giver as that, or a new mayConsent."
	}
	return ""
}
