package intake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/hl7"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
)

// placed is a running intake of RXX that has an agreement with RYY besides, and with nobody else.
func placed(t testing.TB) *process {
	t.Helper()
	s := newSite(t)
	s.host, s.agreed = "RXX", []string{"RYY"}
	return s.start()
}

func navigatorOf(organisation string) principal.Principal {
	return principal.Principal{Organisation: organisation, Role: string(schemas.Navigator), Subject: "navigator-of-" +
		organisation}
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
			if ack := send(t, client, []byte(strings.ReplaceAll(string(m), "|RXX|",
				"|"+organisation+"|"))); ack.Code != "AA" {
				t.Fatalf("answered %+v", ack)
			}
		}
	},
	"events": func(t *testing.T, p *process, organisation string) {
		if status, body := p.post(t, "application/cloudevents+json",
			report("e-1", strings.Replace(reportData, "RXX", organisation, 1))); status != http.StatusAccepted {
			t.Fatalf("answered %d %s", status, body)
		}
	},
	"fhir": func(t *testing.T, p *process, organisation string) {
		server := httptest.NewServer(p.muxOf(organisation, "system", ""))
		defer server.Close()
		answer := p.askFHIR(t, http.MethodPost, server.URL+"/fhir/$process-message", newFHIRRequest().body(),
			"Content-Type", "application/fhir+json",
			"X-Request-Id", clock.NewRandomID(), "X-Correlation-Id", clock.NewRandomID())
		if answer.status != http.StatusOK {
			t.Fatalf("answered %d %s", answer.status, answer.body)
		}
	},
	"list": func(t *testing.T, p *process, organisation string) {
		p.must(t, http.StatusOK, navigatorOf(organisation), "POST", "/api/referrals/list",
			"visit,local_id,family_name,birth_date,left_at\nV2,L2,Samplewood,1991-04-01,2026-11-20T09:00:00Z\n",
			"Content-Type", "text/csv")
	},
	"form": func(t *testing.T, p *process, organisation string) {
		p.refer(t, principal.Principal{Organisation: organisation, Role: string(schemas.SendingTeam),
			Subject: "nurse-2"}, strings.ReplaceAll(sixAnswers, "RXX", organisation), "Idempotency-Key", "k1")
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
			if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "GET", "/api/facilities", "")),
				&list); err != nil || len(list.Items) != 1 {
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
			if len(corrections) != 1 || last.Organisation != "RYY" ||
				slices.Contains(last.Flags, schemas.FlagUnplaced) {
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
			if _, organisation, flags := p.beganAt(t); organisation != "RXX" ||
				slices.Contains(flags, schemas.FlagUnplaced) {
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
	if shown := p.must(t, http.StatusOK, guide, "GET", "/api/facilities", ""); !strings.Contains(shown,
		`"spelt":"Foxton General"`) {
		t.Errorf("a navigator sees %s", shown)
	}
	operator := principal.Principal{Organisation: "RXX", Role: string(schemas.Operator), Subject: "op"}
	if shown := p.must(t, http.StatusOK, operator, "GET", "/api/facilities", ""); strings.Contains(shown, "Foxton") ||
		!strings.Contains(shown, `"journeys":1`) {
		t.Errorf("an operator sees %s", shown)
	}
	// What comes later from there follows whoever it was placed with.
	var list struct{ Items []FacilityLine }
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "GET", "/api/facilities", "")), &list); err != nil {
		t.Fatal(err)
	}
	p.must(t, http.StatusOK, guide, "POST", fmt.Sprintf("/api/facilities/%s/place", list.Items[0].ID),
		`{"organisation":"RYY"}`)
	h, client := newHospital(), p.dial(t)
	h.number, h.patient, h.control = "V9", "L99", 50
	for _, m := range [][]byte{h.message("A01", reason("248062006", "", "SCT")), h.message("A03")} {
		if ack := send(t, client, []byte(strings.ReplaceAll(string(m), "|RXX|",
			"|foxton GENERAL|"))); ack.Code != "AA" {
			t.Fatalf("answered %+v", ack)
		}
	}
	if _, organisation, flags := p.beganAt(t); organisation != "RYY" || slices.Contains(flags, schemas.FlagUnplaced) {
		t.Errorf("later it began at %q with %v", organisation, flags)
	}
}

// TestAPlacingIsUndoneOnceInEveryService: what was placed with the wrong organisation is hidden again, by every way in.
func TestAPlacingIsUndoneOnceInEveryService(t *testing.T) {
	t.Parallel()
	for way, enter := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			p := placed(t)
			enter(t, p, "RZZ")
			journey, _, _ := p.beganAt(t)
			identity, because := "/api/journeys/"+journey+"/identity", []string{ReasonHeader, "called about tonight"}
			const place, unplace, why = "/api/facilities/RZZ/place", "/api/facilities/RZZ/unplace",
				`{"reason":"it is another hospital's site"}`
			p.must(t, http.StatusOK, guide, "POST", unplace, why) // nothing is placed yet, and nothing changes
			p.must(t, http.StatusOK, guide, "POST", place, `{"organisation":"RYY"}`)
			p.must(t, http.StatusUnprocessableEntity, guide, "POST", unplace, `{"reason":"x"}`)
			p.must(t, http.StatusNotFound, navigatorOf("RZZ"), "POST", unplace, why)
			if shown := p.must(t, http.StatusOK, guide, "GET", "/api/facilities?placed=true",
				""); !strings.Contains(shown, `"placed":"RYY"`) {
				t.Errorf("of those placed, a navigator sees %s", shown)
			}
			for range 2 {
				p.must(t, http.StatusOK, guide, "POST", unplace, why)
			}
			corrections := p.corrections(t, journey)
			last := corrections[len(corrections)-1]
			if len(corrections) != 2 || last.Organisation != "RXX" ||
				!slices.Contains(last.Flags, schemas.FlagUnplaced) {
				t.Errorf("said of it %+v, want once that it is RYY's and once that it is nobody's", corrections)
			}
			p.must(t, http.StatusConflict, guide, "GET", identity, "", because...)
			p.must(t, http.StatusNotFound, navigatorOf("RYY"), "GET", identity, "", because...)
			if shown := p.must(t, http.StatusOK, guide, "GET", "/api/facilities", ""); !strings.Contains(shown, "RZZ") {
				t.Errorf("to be placed: %s", shown)
			}
			// Placed with the right one, it is theirs.
			p.must(t, http.StatusOK, guide, "POST", place, `{"organisation":"RXX"}`)
			p.must(t, http.StatusOK, guide, "GET", identity, "", because...)
		})
	}
}

// TestWhoMustNotKnowFollowsWhoseAJourneyIs: an organisation that a record only presumed to be theirs excludes does not
// lose sight of its own journeys; where a journey is another's, it must not know.
func TestWhoMustNotKnowFollowsWhoseAJourneyIs(t *testing.T) {
	t.Parallel()
	p := placed(t)
	ways["mllp"](t, p, "RZZ")
	journey, _, _ := p.beganAt(t)
	other, otherPerson := p.discharge(t, "V2", "L2", "1990-04-01")
	var person string
	if err := p.pool.QueryRow(t.Context(), `select person::text from journey where id = $1::uuid`,
		journey).Scan(&person); err != nil {
		t.Fatal(err)
	}
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+other+"/contact", `{"mustNotKnow":["RYY"]}`)
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+person+"/merge",
		`{"other":"`+otherPerson+`","reason":"the same birth date"}`)
	expect := func(when string, want ...string) {
		t.Helper()
		if got, _ := p.barredOn(t, journey); !slices.Equal(got, want) {
			t.Errorf("%s: the journey was told %v, want %v", when, got, want)
		}
	}
	expect("merged", "RYY")
	p.must(t, http.StatusOK, guide, "POST", "/api/facilities/RZZ/place", `{"organisation":"RYY"}`)
	expect("placed with whom a record only presumed to be theirs excludes")
	p.must(t, http.StatusOK, guide, "POST", "/api/facilities/RZZ/unplace", `{"reason":"it is another hospital's site"}`)
	expect("taken back", "RYY")
}

// TestAFacilityIsReadFromWhereTheProfileSays: several organisations share a system whose MSH-4 is the same for all.
// What is about a person alone, without a visit, finds whoever was at any of them.
func TestAFacilityIsReadFromWhereTheProfileSays(t *testing.T) {
	t.Parallel()
	at := func(field, comp int, spelt string) change {
		return func(w *hl7.Writer) {
			w.Segment("PV1").Set(2, "E")
			w.Set(field, slices.Concat(slices.Repeat([]string{""}, comp-1), []string{spelt})...).Set(19, "V1").Set(45,
				morning.In(london).Format("20060102150405"))
		}
	}
	for name, c := range map[string]struct {
		from, msh4, organisation string
		where                    change
		flagged                  bool
	}{
		"PV1-3.4, mapped":                     {"[PV1-3.4]", "RXX", "RYY", at(3, 4, "Foxton general"), false},
		"PV1-39, mapped":                      {"[PV1-39, PV1-3.4]", "RXX", "RYY", at(39, 1, "FOXTON-GENERAL"), false},
		"the second field, the first empty":   {"[PV1-39, PV1-3.4]", "RXX", "RYY", at(3, 4, "Foxton General"), false},
		"a spelling that nobody has mapped":   {"[PV1-3.4]", "RXX", "RXX", at(3, 4, "Elsewhere House"), true},
		"MSH-4 where the field holds nothing": {"[PV1-3.4]", "RYY", "RYY", at(3, 1, "ED"), false},
		"MSH-4 alone, where it is not named":  {"[]", "RXX", "RXX", at(3, 4, "Foxton General"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := placed(t)
			base, err := os.ReadFile("reading/profiles/default.yaml")
			if err != nil {
				t.Fatal(err)
			}
			profile, err := reading.ReadProfile(base, []byte("profile: shared\nversion: 1\nsenders: "+
				"[EPR]\nfacilityFrom: "+c.from+"\nfacilities: {RYY: [Foxton General]}\n"))
			if err != nil {
				t.Fatal(err)
			}
			p.profiles.BySender["EPR"] = profile
			h, client := newHospital(), p.dial(t)
			for _, m := range [][]byte{h.message("A01", c.where, reason("248062006", "", "SCT")),
				h.message("A03", c.where)} {
				raw := strings.ReplaceAll(withoutFirstPV1(string(m)), "|RXX|", "|"+c.msh4+"|")
				if ack := send(t, client, []byte(raw)); ack.Code != "AA" {
					t.Fatalf("answered %+v to\n%s", ack, strings.ReplaceAll(raw, "\r", "\n"))
				}
			}
			journey, organisation, flags := p.beganAt(t)
			if organisation != c.organisation || slices.Contains(flags, schemas.FlagUnplaced) != c.flagged {
				t.Errorf("begun at %q with %v: %v", organisation, flags, p.ledgerNow(t))
			}
			died := strings.ReplaceAll(string(h.withPID(h.message("A31"), 30, "Y")), "|RXX|", "|"+c.msh4+"|")
			if at := strings.Index(died, "\rPV1"); at > 0 {
				died = died[:at+1]
			}
			if ack := send(t, client, []byte(died)); ack.Code != "AA" {
				t.Fatalf("answered %+v", ack)
			}
			if stopped := p.eventsOf(t, journey, schemas.ContactStopped); len(stopped) != 1 {
				t.Errorf("a death under the shared number stopped contact %d times", len(stopped))
			}
		})
	}
}

// withoutFirstPV1 leaves the PV1 that a change has added.
func withoutFirstPV1(raw string) string {
	first := strings.Index(raw, "\rPV1")
	second := strings.Index(raw[first+1:], "\rPV1") + first + 1
	return raw[:first] + raw[second:]
}
