package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

var clinician = principal.Principal{Organisation: "RXX", Role: string(schemas.YoungPeoplesClinician),
	Subject: "dev-clinician"}

func (s *services) answerConsent() {
	s.mux.HandleFunc("GET /api/journeys/"+firstID+"/consent", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpx.WriteJSON(w, http.StatusOK, consentOf{ClinicianFirst: true, MayAnswer: schemas.AnswersParent,
			Answers: []consentAnswer{{schemas.PurposeFollowUp, peersID, "given"},
				{schemas.PurposeFollowUp, "", "declined"},
				{schemas.PurposeBridging, "", "not-asked"}}})
	})
	s.mux.HandleFunc("POST /api/journeys/"+firstID+"/consent", func(w http.ResponseWriter, r *http.Request) {
		body, _ := httpx.ReadBody(w, r, 16<<10)
		who, _ := principal.From(r.Context())
		s.changes, s.asked = append(s.changes, change{r.URL.Path, r.Header.Get("Idempotency-Key"), string(body)}), who
		if s.refuse != nil {
			httpx.WriteProblem(w, r, s.refuse)
			return
		}
		_ = httpx.WriteJSON(w, http.StatusOK, map[string]string{})
	})
}

func clinicianAnswers() url.Values {
	return url.Values{"request": {"k1"}, "action": {"a1"}, "does": {"/api/journeys/" + firstID + "/consent"},
		"a1.mayConsent.basis":      {"gillick"},
		"a1.mayConsent.whosePhone": {"her own, after 4pm"}, "a1.mayConsent.mayKnow": {"her mother; not school"}}
}

func TestAClinicianRecordsWhoMayBeAskedInTheirOwnName(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.answerConsent()
	if page := f.page(t, "/journeys/"+firstID, clinician); !strings.Contains(page, `href="/journeys/`+firstID+
		`/clinician"`) {
		t.Error("the journey does not lead to the form")
	}
	form := f.page(t, "/journeys/"+firstID+"/clinician", clinician)
	for _, words := range []string{"Who answers for what they want?", "Whose phone is it?",
		"Who may know, and who must not?", "somebody with parental responsibility answers"} {
		if !strings.Contains(form, words) {
			t.Errorf("the form does not say %q", words)
		}
	}
	for range 2 {
		w := f.ask(t, "POST", "/journeys/"+firstID+"/clinician", clinicianAnswers(), clinician)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/journeys/"+firstID+"?said=clinician" {
			t.Fatalf("answered %d to %q", w.Code, w.Header().Get("Location"))
		}
	}
	want := change{"/api/journeys/" + firstID + "/consent", "k1",
		`{"mayConsent":{"basis":"gillick","mayKnow":"her mother; not school","whosePhone":"her own, after 4pm"}}`}
	for _, got := range f.services.changes {
		if got != want || f.services.asked != clinician {
			t.Errorf("sent %+v as %+v", got, f.services.asked)
		}
	}
	if page := f.page(t, "/journeys/"+firstID+"?said=clinician", clinician); !strings.Contains(page,
		"It is recorded who may be asked") || strings.Contains(page, "her own, after 4pm") {
		t.Error("the page that follows does not say that it is recorded, or repeats it")
	}
}

func TestAClinicianIsLedToWhatIsMissingAndLosesNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.answerConsent()
	for missing, link := range map[string]string{"basis": `#a1.mayConsent.basis-1">`,
		"whosePhone": `#a1.mayConsent.whosePhone">`, "mayKnow": `#a1.mayConsent.mayKnow">`} {
		entered := clinicianAnswers()
		entered.Del("a1.mayConsent." + missing)
		w := f.ask(t, "POST", "/journeys/"+firstID+"/clinician", entered, clinician)
		if page := w.Body.String(); w.Code != http.StatusUnprocessableEntity ||
			!strings.Contains(page, `<a href="`+link) || !strings.Contains(page, `name="request" value="k1"`) ||
			missing != "whosePhone" && !strings.Contains(page, "her own, after 4pm") {
			t.Errorf("without %s: %d %s", missing, w.Code, page)
		}
	}
	if len(f.services.changes) > 0 {
		t.Errorf("sent on %v", f.services.changes)
	}
	f.services.refuse = httpx.NewProblem(http.StatusServiceUnavailable, "No.")
	if w := f.ask(t, "POST", "/journeys/"+firstID+"/clinician", clinicianAnswers(),
		clinician); w.Code != http.StatusServiceUnavailable ||
		!strings.Contains(w.Body.String(), "her own, after 4pm") {
		t.Errorf("what could not be kept is lost: %d", w.Code)
	}
}

func TestTheCliniciansFormIsNotThereForWhomItDoesNotConcern(t *testing.T) {
	t.Parallel()
	f := start(t) // to intake the person is an adult, or another organisation's
	for _, method := range []string{"GET", "POST"} {
		if w := f.ask(t, method, "/journeys/"+firstID+"/clinician", clinicianAnswers(),
			clinician); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	if page := f.page(t, "/journeys/"+firstID, clinician); strings.Contains(page, "/clinician") {
		t.Error("the journey leads to a form that is not there")
	}
}
