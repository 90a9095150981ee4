package intake

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"footbridge/schemas"
)

// standing is how a journey stands by the last that was told of each thing: whatever others act on.
func (p *process) standing(t testing.TB, journey string) map[string]string {
	t.Helper()
	is := map[string]string{}
	for _, e := range p.eventsOf(t, journey, schemas.DischargeRecorded, schemas.DischargeCorrected,
		schemas.ContactStopped, schemas.ContactResumed,
		schemas.ConsentGiven, schemas.ConsentDeclined, schemas.ConsentWithdrawn, schemas.ConsentLapsed,
		schemas.PreferencesChanged) {
		var d struct {
			Flags       *[]string `json:"flags"`
			MustNotKnow *[]string `json:"mustNotKnow"`
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			t.Fatal(err)
		}
		switch kind := schemas.Type(e.Type); {
		case kind == schemas.DischargeRecorded, kind == schemas.DischargeCorrected:
			if d.Flags != nil {
				is["under 18"] = map[bool]string{true: "yes", false: ""}[slices.Contains(*d.Flags, schemas.FlagUnder18)]
			}
		case kind == schemas.PreferencesChanged && d.MustNotKnow != nil:
			is["must not know"] = strings.Join(*d.MustNotKnow, " ")
		case kind == schemas.ContactStopped, kind == schemas.ContactResumed:
			is["contact"] = map[bool]string{true: "stopped", false: ""}[kind == schemas.ContactStopped]
		case strings.Contains(e.Type, ".consent."):
			is["consent"] = strings.TrimSuffix(strings.TrimPrefix(e.Type, schemas.TypePrefix+"consent."), ".v1")
		}
	}
	return is
}

// Whatever a merge changes, and its undoing, reaches everyone who acts on it, as an event on each journey at once: told
// of either record, merged in either order, and undone again, after which each has what was its own. What a hold of a
// journey changes for the other one is journey's: TestAHoldPausesEveryJourneyOfThePerson.
func TestWhateverAMergeOrItsUndoingChangesReachesEveryJourneyAtOnce(t *testing.T) {
	t.Parallel()
	consent := func(state string) func(p *process, t *testing.T, journey, person string) {
		return func(p *process, t *testing.T, journey, _ string) {
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
				`{"answers":[{"purpose":"follow-up","state":"`+state+`"}],"how":"spoken"}`)
		}
	}
	for name, tc := range map[string]struct {
		born         string
		say          func(p *process, t *testing.T, journey, person string)
		thing, joint string // how it stands on both while they are one
		apart        string // how it stands on the other one afterwards
		held         string // how it stands on the other one while they are one and nobody confirmed it, if otherwise
	}{
		"a no": {"", consent("declined"), "consent", "declined", "given", "lapsed"},
		"a stop": {"", func(p *process, t *testing.T, _, person string) {
			p.must(t, http.StatusOK, guide, "POST", "/api/people/"+person+"/contact-stopped",
				`{"reason":"asked us to"}`)
		}, "contact", "stopped", "", ""},
		"a death": {"", func(p *process, t *testing.T, _, _ string) {
			p.sendSignal(t, signal("pds-death-notification-2", "9990000107"))
		}, "contact", "stopped", "", ""},
		"under 18": {"2014-04-01", nil, "under 18", "yes", "", ""},
		"who must not know": {"", func(p *process, t *testing.T, journey, _ string) {
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/contact", `{"mustNotKnow":["RYY"]}`)
		}, "must not know", "RYY", "", ""},
	} {
		for _, swapped := range []bool{false, true} {
			t.Run(name+map[bool]string{false: " is given up", true: " survives"}[swapped], func(t *testing.T) {
				t.Parallel()
				p := newSite(t).start()
				born := cmp.Or(tc.born, "1990-04-01")
				status, body := p.post(t, "application/cloudevents+json",
					report("r1", `{"organisation":"RXX","visit":"V1","inScope":true,"leftAt":"2026-11-18T08:00:00Z",
					"person":{"localId":"L1","nhsNumber":"9990000107","nhsNumberVerified":true,"familyName":"Examplewood","givenName":"Rowan","birthDate":"`+born+`"}}`))
				var a eventAnswer
				if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusAccepted {
					t.Fatalf("%d %s", status, body)
				}
				one := a.Journey
				two, other := p.discharge(t, "V2", "L2", "1990-04-01")
				var person string
				if err := p.site.db.Admin().QueryRow(t.Context(), `select person::text from intake.journey
					where id = $1`, one).Scan(&person); err != nil {
					t.Fatal(err)
				}
				if tc.thing == "consent" {
					consent("given")(p, t, two, other)
				}
				if tc.say != nil {
					tc.say(p, t, one, person)
				}
				into, from := other, person
				if swapped {
					into, from = person, other
				}
				do := func(path string) {
					t.Helper()
					p.must(t, http.StatusOK, guide, "POST", "/api/people/"+into+path,
						`{"other":"`+from+`","reason":"compared"}`)
				}
				expectStanding := func(when, onOne, onTwo string) {
					t.Helper()
					if got := [2]string{p.standing(t, one)[tc.thing],
						p.standing(t, two)[tc.thing]}; got != [2]string{onOne, onTwo} {
						t.Errorf("%s: %s stands as %q, want %q and %q", when, tc.thing, got, onOne, onTwo)
					}
				}
				expectStanding("apart", tc.joint, tc.apart)
				do("/merge")
				expectStanding("merged", tc.joint, cmp.Or(tc.held, tc.joint))
				events := len(p.told(t, two))
				do("/merge") // once more
				for _, kind := range p.told(t, two)[events:] {
					if kind != "person.merged.v1" {
						t.Errorf("merging again told %s", kind)
					}
				}
				do("/unmerge")
				expectStanding("parted", tc.joint, tc.apart)
				do("/merge")
				expectStanding("merged anew", tc.joint, cmp.Or(tc.held, tc.joint))
			})
		}
	}
}

// A legal hold stands on the record that it was placed on: it is not lifted by way of one that was merged with it, and
// what was placed while they were one stands on both once they are parted.
func TestALegalHoldIsNotLiftedByWayOfAMergedRecord(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	one, a := p.discharge(t, "V1", "L1", "1990-04-01")
	two, b := p.discharge(t, "V2", "L2", "1990-04-01")
	hold := func(person, on string, want int) string {
		t.Helper()
		return p.must(t, want, guide, "POST", "/api/people/"+person+"/legal-hold", `{"on":`+on+`}`)
	}
	merge := func(path string) {
		t.Helper()
		p.must(t, http.StatusOK, guide, "POST", "/api/people/"+b+path, `{"other":"`+a+`","reason":"compared"}`)
	}
	erase := func(person string, want int) {
		t.Helper()
		p.must(t, want, guide, "POST", "/api/people/"+person+"/erase", `{"reason":"asked for by the person"}`)
	}
	p.close(t, one, two)
	hold(a, "true", http.StatusOK)
	merge("/merge")
	if refused := hold(b, "false", http.StatusConflict); !strings.Contains(refused, a) {
		t.Errorf("refused with %s", refused)
	}
	erase(b, http.StatusConflict)
	hold(b, "true", http.StatusOK)
	if still := hold(b, "false", http.StatusOK); !strings.Contains(still, `"held":true`) {
		t.Errorf("lifted %s", still)
	}
	erase(b, http.StatusConflict)
	hold(a, "false", http.StatusOK)
	erase(b, http.StatusAccepted)
	hold(b, "true", http.StatusOK) // of both
	merge("/unmerge")
	erase(a, http.StatusConflict)
	hold(b, "false", http.StatusOK)
	erase(a, http.StatusConflict)
	hold(a, "false", http.StatusOK)
	erase(a, http.StatusAccepted)
}

// A merge that a hospital reports is no human's word: a no of the other record holds a yes, so that nobody acts on it
// and nothing ends by it. It counts once a human has confirmed that they are one person, and is gone once that is
// undone.
func TestANoOfARecordThatNobodyConfirmedHoldsAYesAndEndsNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ path, want string }{
		"confirmed": {"/merge", "declined"}, "undone": {"/unmerge", "given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			one, a := p.discharge(t, "V1", "L1", "1990-04-01")
			two, b := p.discharge(t, "V2", "L2", "1990-04-01")
			p.answersFollowUp(t, two, "given")
			p.answersFollowUp(t, one, "declined")
			h := newHospital()
			h.patient = "L2"
			p.tell(t, p.dial(t), h.message("A40", giveUp("L1")))
			if got := p.standing(t, two)["consent"]; got != "lapsed" {
				t.Errorf("merged by a report, the yes stands as %q", got)
			}
			shown := p.must(t, http.StatusOK, liaison, "GET", "/api/journeys/"+two+"/consent", "")
			if !strings.Contains(shown, `"state":"declined","contested":true`) {
				t.Errorf("shown %s", shown)
			}
			p.must(t, http.StatusOK, guide, "POST", "/api/people/"+b+tc.path,
				`{"other":"`+a+`","reason":"compared","confirm":true}`)
			if got := p.standing(t, two)["consent"]; got != tc.want {
				t.Errorf("it stands as %q, want %q", got, tc.want)
			}
			if got := p.standing(t, one)["consent"]; got != "declined" {
				t.Errorf("the no of the other record stands as %q", got)
			}
		})
	}
}

// An answer that counts otherwise since two records were joined, or parted, is told as none that anybody gave: whoever
// waits for the person's word waits on. What somebody then answers is.
func TestNobodyAnswersByAMergeOrItsUndoing(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	one, a := p.discharge(t, "V1", "L1", "1990-04-01")
	two, b := p.discharge(t, "V2", "L2", "1990-04-01")
	p.answersFollowUp(t, two, "given")
	p.answersFollowUp(t, one, "declined")
	merge := func(path string) {
		t.Helper()
		p.must(t, http.StatusOK, guide, "POST", "/api/people/"+b+path,
			`{"other":"`+a+`","reason":"compared","confirm":true}`)
	}
	merge("/merge")
	merge("/unmerge")
	p.answersFollowUp(t, two, "withdrawn")
	var told []string
	for _, e := range p.eventsOf(t, two, schemas.ConsentGiven, schemas.ConsentDeclined, schemas.ConsentWithdrawn,
		schemas.ConsentLapsed) {
		var d schemas.ConsentData
		if err := json.Unmarshal(e.Data, &d); err != nil {
			t.Fatal(err)
		}
		what := strings.TrimSuffix(strings.TrimPrefix(e.Type, schemas.TypePrefix+"consent."), ".v1")
		if d.AsBefore {
			what += " as before"
		}
		told = append(told, what)
	}
	want := []string{"given", "declined as before", "given as before", "withdrawn"}
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// answersFollowUp records what the person of a journey said to a follow-up session.
func (p *process) answersFollowUp(t *testing.T, journey, state string) {
	t.Helper()
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
		`{"answers":[{"purpose":"follow-up","state":"`+state+`"}],"how":"spoken"}`)
}
