package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Under 18, or while the age is not known, a young people's clinician records who may answer, whose phone it is and who
// may know, before anybody is in touch. A step asks for it; once that is over, the same form stands on a page of its
// own, for whoever comes back is looked at again.

// consentOf is how the answers of a journey's person stand.
type consentOf struct {
	ClinicianFirst bool            `json:"clinicianFirst"`
	MayAnswer      string          `json:"mayAnswer"` // who may answer by the last record
	Answers        []consentAnswer `json:"consent"`
}

// consentAnswer is how one answer stands.
type consentAnswer struct {
	Purpose      string `json:"purpose"`
	Organisation string `json:"organisation"`
	State        string `json:"state"`
}

var standsWords = map[string]string{schemas.AnswersPerson: "they answer themselves",
	schemas.AnswersParent: "somebody with parental responsibility answers"}

func (c *client) consent(ctx context.Context, p principal.Principal, journey string) (consentOf, error) {
	var found consentOf
	err := c.get(ctx, p, schemas.Intake, "/api/journeys/"+url.PathEscape(journey)+"/consent", &found)
	return found, err
}

// asksClinician says that the caller is a young people's clinician, the journey is of somebody whom that concerns, and
// no step of it asks already.
func (s *Console) asksClinician(ctx context.Context, p principal.Principal, j journey) bool {
	if !opens("GET", "/journeys/{id}/clinician", p.Role) ||
		slices.ContainsFunc(j.Steps, func(s step) bool { return s.Kind == "clinician-decides" }) {
		return false
	}
	_, err := s.client.consent(ctx, p, j.ID)
	return err == nil
}

type clinicianView struct {
	ID, Code string
	Stands   string // who answers by the last record
	Acts     actionsView
}

// clinicianPage shows the form. To whoever may not see the person's answers it is not there.
func (s *Console) clinicianPage(w http.ResponseWriter, r *http.Request) (actions []schemas.Action, show again,
	p principal.Principal, err error) {
	if p, err = principal.Need(r.Context()); err != nil {
		return nil, nil, p, err
	}
	id := r.PathValue("id")
	found, err := s.client.consent(r.Context(), p, id)
	if err != nil {
		return nil, nil, p, err
	}
	actions = schemas.SayWhoAnswers(schemas.Role(p.Role), schemas.StepAbout{IDs: map[string]string{"journey": id}})
	return actions, func(status int, f filledIn, more ...problemView) error {
		page := clinicianView{ID: id, Code: codeOf(id), Stands: standsWords[found.MayAnswer],
			Acts: formsOf("/journeys/"+url.PathEscape(id)+"/clinician", "Who may be asked", clock.NewRandomID(),
				actions, f)}
		return s.show(w, r, status, "clinician", view{Title: "Who may be asked", Here: "/journeys",
			Problems: append(page.Acts.problems(), more...), Page: page})
	}, p, nil
}

func (s *Console) showClinician(w http.ResponseWriter, r *http.Request) error {
	_, show, _, err := s.clinicianPage(w, r)
	if err != nil {
		return err
	}
	return show(http.StatusOK, filledIn{})
}

// recordClinician keeps the record, in the name of whoever is signed in. Sent twice, it is one.
func (s *Console) recordClinician(w http.ResponseWriter, r *http.Request) error {
	actions, show, p, err := s.clinicianPage(w, r)
	if err != nil {
		return err
	}
	return s.send(w, r, p, actions, show, "/journeys/"+url.PathEscape(r.PathValue("id"))+"?said=clinician")
}
