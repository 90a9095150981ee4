package console

import "footbridge/schemas"

// Under 18, or while the age is not known, a young people's clinician records who may answer, whose phone it is and who
// may know, before anybody is in touch. Only they see the form, and only for such a person; whoever is signed in is who
// decided.

// mayConsent is the record as intake takes it.
type mayConsent struct {
	Basis      string `json:"basis"`
	WhosePhone string `json:"whosePhone"`
	MayKnow    string `json:"mayKnow"`
}

// consentOf is how the answers of a journey's person stand.
type consentOf struct {
	ClinicianFirst bool   `json:"clinicianFirst"`
	MayAnswer      string `json:"mayAnswer"` // who may answer by the last record
}

var basisOptions = []option{
	{Code: "gillick", Words: "They do, themselves", Hint: "They are Gillick competent for this decision, now: they understand what is offered, and what follows from a yes or a no."},
	{Code: "parental-responsibility", Words: "Somebody with parental responsibility does", Hint: "Together with the young person, as far as they can take part."},
}

// mostClinician is how long each of the clinician's answers in words may be, in characters.
const mostClinician = 500

func clinicianForm() form {
	return form{Sections: []section{{Questions: []question{
		one("basis", "Who answers for what they want?", "For this time in hospital. Whoever comes back is looked at again.", basisOptions...),
		text("phone", "Whose phone is it?", "The number that may be rung: their own, or whose. For example: her own, not on school days before 4pm."),
		text("know", "Who may know, and who must not?", "For example: her mother may know that we ring; school must not."),
	}}}}
}

func readClinician(a *answers) mayConsent {
	record := mayConsent{Basis: a.needed("basis", "Choose who answers", codesOf(basisOptions)...), WhosePhone: a.text("phone", mostClinician), MayKnow: a.text("know", mostClinician)}
	if record.WhosePhone == "" {
		a.matter("phone", "Say whose phone it is, or that there is none")
	}
	if record.MayKnow == "" {
		a.matter("know", "Say who may know, and who must not. If nobody may, say so")
	}
	return record
}

type clinicianView struct {
	form
	ID, Code string
	Stands   string // who answers by the last record
}

var standsWords = map[string]string{schemas.AnswersPerson: "they answer themselves", schemas.AnswersParent: "somebody with parental responsibility answers"}
