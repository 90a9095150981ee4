package followup

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What a change of a partner's places leaves out stays as it was.
func TestWhatIsLeftOutOfAPartnersPlacesStays(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	path := "/api/partners/" + partnerA + "/capacity"
	s.ask(aNavigator, "PUT", path,
		`{"weekly":3,"atMost":2,"works":["mon","sat"],"channels":["phone"],"languages":["pl"],"workerGenders":["woman"],"areas":["e06000027","torbay"]}`, 200)
	got := s.ask(peer(partnerA), "PUT", path, `{"weekly":4}`, 200)
	if fmt.Sprint(got["capacity"]) != "map[access:[] areas:[E06000027 torbay] atMost:2 channels:[phone] groups:[] "+
		"hours:[] languages:[pl] weekly:4 workerGenders:[woman] works:[mon sat]]" {
		t.Errorf("after weekly alone: %v", got["capacity"])
	}
	got = s.ask(peer(partnerA), "PUT", path, `{"languages":[],"atMost":0}`, 200)
	if fmt.Sprint(got["capacity"]) != "map[access:[] areas:[E06000027 torbay] atMost:0 channels:[phone] groups:[] "+
		"hours:[] languages:[] weekly:4 workerGenders:[woman] works:[mon sat]]" {
		t.Errorf("after what was taken back: %v", got["capacity"])
	}
}

// An agreement is changed by navigators of the organisation that holds it: whoever recorded the first. A partner itself
// goes on changing its places.
func TestAPartnerIsChangedByWhoeverHoldsItsAgreement(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	base := "/api/partners/" + partnerA
	elsewhere := principal.Principal{Organisation: "RYY", Role: string(schemas.Navigator), Subject: "navigator"}
	const terms = `{"from":"2026-01-01","until":"2027-01-01","outwardName":"Northgate","safeguarding":"the desk"}`
	s.ask(aNavigator, "PUT", base+"/agreement", terms, 200)
	s.ask(elsewhere, "PUT", base+"/agreement", terms, 403)
	for what, body := range map[string]string{"/capacity": `{"weekly":4}`, "/holidays": `{"holidays":[]}`,
		"/pause": `{"until":""}`} {
		s.ask(elsewhere, "PUT", base+what, body, 403)
		s.ask(peer(partnerA), "PUT", base+what, body, 200)
		s.ask(aNavigator, "PUT", base+what, body, 200)
	}
	if got := s.ask(elsewhere, "GET", base, "", 200); got["actions"] != nil || got["heldElsewhere"] != true {
		t.Errorf("a navigator of another organisation is shown %v", got)
	}
	if got := s.ask(aNavigator, "GET", base, "", 200); got["actions"] == nil || got["heldElsewhere"] != nil {
		t.Errorf("whoever holds the agreement is shown %v", got)
	}
}

// A language is the same in any letter case, and of any region.
func TestALanguageIsTheSameHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	path := "/api/partners/" + partnerA + "/capacity"
	got := s.ask(aNavigator, "PUT", path, `{"languages":["PT-br","CY"]}`, 200)
	if fmt.Sprint(got["capacity"].(map[string]any)["languages"]) != "[pt-br cy]" {
		t.Errorf("kept as %v", got["capacity"])
	}
	for _, spoken := range []string{"pt", "PT", "pt-PT", "Cy", "en-GB"} {
		asked := schemas.Facts{Language: &spoken}
		if why := (Partner{Languages: []string{"pt-br", "cy"}}).offers(asked); why != "" {
			t.Errorf("%s: %s", spoken, why)
		}
	}
}

// Two people are two, however the name of one of them is written.
func TestNobodyTurnsSendingOnAloneUnderAnotherSpelling(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	path := "/api/organisations/RXX/going-live"
	named := func(subject string) principal.Principal {
		return principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: subject}
	}
	s.ask(named("anna"), "POST", path,
		`{"safetyOfficer":"appointed 3 May","hazardLog":"7","dpia":"DPIA-12","caldicott":"approved 1 June"}`, 202)
	s.ask(named("Anna"), "POST", path, confirmed, 409)
	s.ask(named("berta"), "POST", path, confirmed, 200)
}

// Whoever hands everything back waits for the journeys before it holds any partner: nobody who holds one of these waits
// for it in turn.
func TestHandingEverythingBackHoldsNoPartnerWhileItWaitsForAJourney(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	var offers, journeys []string
	for range 2 {
		journey := s.begins(yes(partnerA, schemas.ConsentGiven))
		s.due()
		offer, _ := s.brought(journey)
		s.ask(peer(partnerA), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
		offers, journeys = append(offers, offer), append(journeys, journey)
	}
	answered := make(chan string, 1)
	err := s.flow.Do(t.Context(), func(tx *flow.Tx) error {
		tx.Queue(`select from journey_state where journey = $1::uuid for update`, journeys[1])
		if err := tx.Flush(); err != nil {
			return err
		}
		s.as(peer(partnerA))
		go func() { answered <- s.post("/api/offers/"+offers[0]+"/hand-back", `{"reason":"closing","all":true}`) }()
		for {
			var waits bool
			if err := s.pool.QueryRow(t.Context(), `select exists (select from pg_stat_activity
				where datname = current_database() and wait_event_type = 'Lock')`).Scan(&waits); err != nil {
				return err
			}
			if waits {
				break
			}
			select {
			case answer := <-answered:
				return fmt.Errorf("it did not wait: %s", answer)
			default:
			}
		}
		tx.Queue(`select from partner for no key update nowait`)
		return tx.Flush()
	})
	if err != nil {
		t.Errorf("whoever holds a journey waits for its partner: %v", err)
	}
	if answer := <-answered; answer != "200 OK" {
		t.Error(answer)
	}
	for _, journey := range journeys {
		s.hasSaid(journey, "offer.handed-back", 1)
	}
}

// as sets who asks with post.
func (s *site) as(who principal.Principal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.who = who
}

// post sends a request, and returns the status.
func (s *site) post(path, body string) string {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.srv.Config.Handler.ServeHTTP(w, r)
	return w.Result().Status
}
