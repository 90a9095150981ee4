package intake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// placed is a running intake of RXX that has an agreement with RYY besides, and with nobody else.
func placed(t testing.TB) *process {
	t.Helper()
	s := newSite(t)
	s.host, s.agreed = "RXX", []string{"RYY"}
	return s.start()
}

func navigatorOf(organisation string) principal.Principal {
	return principal.Principal{Organisation: organisation, Role: string(schemas.Navigator), Subject: "navigator-of-" + organisation}
}

// beganAt are the organisations and flags of what has begun, as all services hear it.
func (p *process) beganAt(t testing.TB) (journey, organisation string, flags []string) {
	t.Helper()
	for _, e := range p.saidAll(t) {
		if e.Type != string(schemas.DischargeRecorded) && e.Type != string(schemas.ReferralRequested) {
			continue
		}
		var d struct {
			Organisation string
			Flags        []string
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			t.Fatal(err)
		}
		journey, organisation, flags = e.Subject, d.Organisation, d.Flags
	}
	return journey, organisation, flags
}

// ways are how somebody reaches intake, each as an organisation.
var ways = map[string]func(t *testing.T, p *process, organisation string){
	"mllp": func(t *testing.T, p *process, organisation string) {
		h, client := newHospital(), p.dial(t)
		for _, m := range [][]byte{h.message("A01", reason("248062006", "", "SCT")), h.message("A03")} {
			if ack := send(t, client, []byte(strings.ReplaceAll(string(m), "|RXX|", "|"+organisation+"|"))); ack.Code != "AA" {
				t.Fatalf("answered %+v", ack)
			}
		}
	},
	"events": func(t *testing.T, p *process, organisation string) {
		if status, body := p.post(t, "application/cloudevents+json", report("e-1", strings.Replace(reportData, "RXX", organisation, 1))); status != http.StatusAccepted {
			t.Fatalf("answered %d %s", status, body)
		}
	},
	"fhir": func(t *testing.T, p *process, organisation string) {
		server := httptest.NewServer(p.muxOf(organisation, "system", ""))
		defer server.Close()
		answer := p.askFHIR(t, http.MethodPost, server.URL+"/fhir/$process-message", newFHIRRequest().body(), "Content-Type", "application/fhir+json",
			"X-Request-Id", clock.NewRandomID(), "X-Correlation-Id", clock.NewRandomID())
		if answer.status != http.StatusOK {
			t.Fatalf("answered %d %s", answer.status, answer.body)
		}
	},
	"list": func(t *testing.T, p *process, organisation string) {
		p.must(t, http.StatusOK, navigatorOf(organisation), "POST", "/api/referrals/list",
			"visit,local_id,family_name,birth_date,left_at\nV2,L2,Samplewood,1991-04-01,2026-11-20T09:00:00Z\n", "Content-Type", "text/csv")
	},
	"form": func(t *testing.T, p *process, organisation string) {
		p.refer(t, principal.Principal{Organisation: organisation, Role: string(schemas.SendingTeam), Subject: "nurse-2"}, strings.ReplaceAll(sixAnswers, "RXX", organisation), "Idempotency-Key", "k1")
	},
}

func TestWhatIsAgreedWithNobodyIsTheHostsToPlaceByEveryWayIn(t *testing.T) {
	t.Parallel()
	for way, enter := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			p := placed(t)
			enter(t, p, "RZZ")
			journey, organisation, flags := p.beganAt(t)
			if organisation != "RXX" || !slices.Contains(flags, schemas.FlagUnplaced) {
				t.Fatalf("begun at %q with %v, want the host and a flag", organisation, flags)
			}
			identity := "/api/journeys/" + journey + "/identity"
			because := []string{ReasonHeader, "called about tonight"}
			p.must(t, http.StatusConflict, guide, "GET", identity, "", because...)
			p.must(t, http.StatusNotFound, navigatorOf("RYY"), "GET", identity, "", because...)
			var list struct{ Items []FacilityLine }
			if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "GET", "/api/facilities", "")), &list); err != nil || len(list.Items) != 1 {
				t.Fatalf("%v: to be placed %+v", err, list)
			}
			one := list.Items[0]
			if one.ID != "RZZ" || one.Journeys != 1 || one.Sender == "" {
				t.Errorf("to be placed %+v", one)
			}
			place := "/api/facilities/" + one.ID + "/place"
			p.must(t, http.StatusNotFound, navigatorOf("RYY"), "POST", place, `{"organisation":"RYY"}`)
			p.must(t, http.StatusUnprocessableEntity, guide, "POST", place, `{"organisation":"RQQ"}`)
			for range 2 {
				p.must(t, http.StatusOK, guide, "POST", place, `{"organisation":"ryy"}`)
			}
			p.must(t, http.StatusConflict, guide, "POST", place, `{"organisation":"RXX"}`)
			corrections := p.corrections(t, journey)
			last := corrections[len(corrections)-1]
			if len(corrections) != 1 || last.Organisation != "RYY" || slices.Contains(last.Flags, schemas.FlagUnplaced) {
				t.Errorf("said of it %+v, want once that it is RYY's", corrections)
			}
			p.must(t, http.StatusNotFound, guide, "GET", identity, "", because...)
			p.must(t, http.StatusOK, navigatorOf("RYY"), "GET", identity, "", because...)
			if rest := p.must(t, http.StatusOK, guide, "GET", "/api/facilities", ""); strings.Contains(rest, "RZZ") {
				t.Errorf("still to be placed: %s", rest)
			}
		})
	}
}

func TestASpellingOfAnAgreedOrganisationIsThatOrganisation(t *testing.T) {
	t.Parallel()
	for _, spelling := range []string{"rxx", "R-XX", " R XX ", "r.x.x"} {
		t.Run(spelling, func(t *testing.T) {
			t.Parallel()
			p := placed(t)
			ways["mllp"](t, p, spelling)
			if _, organisation, flags := p.beganAt(t); organisation != "RXX" || slices.Contains(flags, schemas.FlagUnplaced) {
				t.Errorf("begun at %q with %v", organisation, flags)
			}
		})
	}
}

func TestAFacilityIsShownToNavigatorsAsItWasSpelt(t *testing.T) {
	t.Parallel()
	p := placed(t)
	ways["mllp"](t, p, "Foxton General")
	if _, organisation, flags := p.beganAt(t); organisation != "RXX" || !slices.Contains(flags, schemas.FlagUnplaced) {
		t.Errorf("begun at %q with %v", organisation, flags)
	}
	if shown := p.must(t, http.StatusOK, guide, "GET", "/api/facilities", ""); !strings.Contains(shown, `"spelt":"Foxton General"`) {
		t.Errorf("a navigator sees %s", shown)
	}
	operator := principal.Principal{Organisation: "RXX", Role: string(schemas.Operator), Subject: "op"}
	if shown := p.must(t, http.StatusOK, operator, "GET", "/api/facilities", ""); strings.Contains(shown, "Foxton") || !strings.Contains(shown, `"journeys":1`) {
		t.Errorf("an operator sees %s", shown)
	}
	// What comes later from there follows whoever it was placed with.
	var list struct{ Items []FacilityLine }
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "GET", "/api/facilities", "")), &list); err != nil {
		t.Fatal(err)
	}
	p.must(t, http.StatusOK, guide, "POST", fmt.Sprintf("/api/facilities/%s/place", list.Items[0].ID), `{"organisation":"RYY"}`)
	h, client := newHospital(), p.dial(t)
	h.number, h.patient, h.control = "V9", "L99", 50
	for _, m := range [][]byte{h.message("A01", reason("248062006", "", "SCT")), h.message("A03")} {
		if ack := send(t, client, []byte(strings.ReplaceAll(string(m), "|RXX|", "|foxton GENERAL|"))); ack.Code != "AA" {
			t.Fatalf("answered %+v", ack)
		}
	}
	if _, organisation, flags := p.beganAt(t); organisation != "RYY" || slices.Contains(flags, schemas.FlagUnplaced) {
		t.Errorf("later it began at %q with %v", organisation, flags)
	}
}
