package console

import (
	"context"
	"net/http"
	"net/url"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

func (c *client) consent(ctx context.Context, p principal.Principal, journey string) (consentOf, error) {
	var found consentOf
	err := c.get(ctx, p, schemas.Intake, "/api/journeys/"+url.PathEscape(journey)+"/consent", &found)
	return found, err
}

func (c *client) letAnswer(ctx context.Context, p principal.Principal, journey, key string, record mayConsent) error {
	return c.call(ctx, p, schemas.Intake, http.MethodPost, "/api/journeys/"+url.PathEscape(journey)+"/consent", key, map[string]any{"mayConsent": record}, nil)
}

// asksClinician says that the caller is a young people's clinician and the journey is of somebody whom that concerns.
func (s *Console) asksClinician(ctx context.Context, p principal.Principal, j journey) bool {
	if p.Role != string(schemas.YoungPeoplesClinician) {
		return false
	}
	_, err := s.client.consent(ctx, p, j.ID)
	return err == nil
}

func (s *Console) showClinician(w http.ResponseWriter, r *http.Request) error {
	return s.clinicianPage(w, r, http.StatusOK, url.Values{}, nil)
}

// clinicianPage shows the form with what was entered. To whoever may not see the person's answers it is not there.
func (s *Console) clinicianPage(w http.ResponseWriter, r *http.Request, status int, entered url.Values, matters map[string]string, more ...problemView) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	found, err := s.client.consent(r.Context(), p, id)
	if err != nil {
		return err
	}
	page := clinicianView{form: clinicianForm().filled(entered, matters), ID: id, Code: codeOf(id), Stands: standsWords[found.MayAnswer]}
	page.Request = requestOf(entered)
	return s.show(w, r, status, "clinician", view{Title: "Who may be asked", Here: "journeys", Problems: append(page.problems(), more...), Page: page})
}

// recordClinician keeps the record, in the name of whoever is signed in. Sent twice, it is one.
func (s *Console) recordClinician(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	a := newAnswers(r.PostForm, s.zone)
	record := readClinician(a)
	if len(a.matters) > 0 {
		return s.clinicianPage(w, r, http.StatusUnprocessableEntity, r.PostForm, a.matters)
	}
	err = s.client.letAnswer(r.Context(), p, r.PathValue("id"), requestOf(r.PostForm), record)
	if again, shown := sentAgain(err, r.PostForm); shown != nil {
		return s.clinicianPage(w, r, again, r.PostForm, nil, *shown)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/journeys/"+url.PathEscape(r.PathValue("id"))+"?said=clinician", http.StatusSeeOther)
	return nil
}
