package intake

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/fhir"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// statedRecall is what docs/guides/integration-engineer.md says of the list: of the texts to be shown, so many in a
// hundred are.
const statedRecall = 89

type mentionSet struct{ Show, Missed, Leave []string }

func readMentions(t *testing.T) (set mentionSet) {
	t.Helper()
	raw, err := os.ReadFile("testdata/mentions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestTheListOfWordsFindsWhatItIsSaidToFind(t *testing.T) {
	t.Parallel()
	set := readMentions(t)
	profile := newWard(t).profiles.Fallback
	if profile.Mentions.Version == "" {
		t.Error("the list has no version")
	}
	found := 0
	for _, text := range set.Show {
		if profile.Mention(text) {
			found++
		} else {
			t.Errorf("not shown to a human: %q", text)
		}
	}
	for _, text := range set.Missed {
		if profile.Mention(text) {
			t.Errorf("%q is found now: move it", text)
		}
	}
	for _, text := range set.Leave {
		if profile.Mention(text) {
			t.Errorf("shown to a human, though it is of something else: %q", text)
		}
	}
	if recall := 100 * found / (len(set.Show) + len(set.Missed)); recall != statedRecall {
		t.Errorf("recall is %d in a hundred, the guide says %d", recall, statedRecall)
	}
}

// Reasons in words are read by one list, whichever way they come; each way returns the statement that it makes of one.
func TestReasonsInWordsAreReadAlikeByEveryWayIn(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	s := &Service{profiles: w.profiles}
	if err := s.setDefaults(); err != nil {
		t.Fatal(err)
	}
	quoted := func(text string) string { q, _ := json.Marshal(text); return string(q) }
	inFHIR := func(text, concept string) record.ClinicalEvent {
		f := newFHIRRequest()
		f.visit, f.ended = "V1", "2026-11-20T08:00:00Z"
		f.change = func(body string) string {
			return strings.Replace(body, `"encounter":{`, `"reasonCode":[`+strings.Replace(concept, "TEXT",
				quoted(text), 1)+`],"encounter":{`, 1)
		}
		bundle, issues := fhir.ReadAs[*fhir.Bundle]([]byte(f.body()), fhir.Limits{})
		if len(issues) > 0 {
			t.Fatalf("%q: %+v", text, issues)
		}
		message, fault := reading.ReadFHIR(bundle, w.profiles.Fallback, "RXX")
		if fault != nil {
			t.Fatalf("%q: %+v", text, fault)
		}
		statement, faults := s.clinicalEventOf(&fhirMessage{who: liaison, message: message}, "", w.now)
		if len(faults) > 0 {
			t.Fatalf("%q: %v", text, faults)
		}
		return statement
	}
	ways := map[string]func(text string) record.ClinicalEvent{
		"HL7 reason": func(text string) record.ClinicalEvent {
			return *w.read(newHospital().message("A08", reason("", text, ""))).ClinicalEvent
		},
		"HL7 diagnosis": func(text string) record.ClinicalEvent {
			return *w.read(newHospital().message("A08", diagnosis("", text, ""))).ClinicalEvent
		},
		"event": func(text string) record.ClinicalEvent {
			return *w.readEvent([]byte(report("e",
				`{"organisation":"RXX","visit":"V1","inScope":false,"person":{"localId":"L1"},"reasons":[`+quoted(text)+
					`]}`))).ClinicalEvent
		},
		"form": func(text string) record.ClinicalEvent {
			data, refusal := readForm(liaison, []byte(`{"person":{"localId":"L1"},"reasons":[`+quoted(text)+`]}`), "R1")
			if refusal != nil {
				t.Fatalf("%q: %v", text, refusal)
			}
			return s.submittedBy("form", w.now, data)
		},
		"list": func(text string) record.ClinicalEvent {
			rows, err := reading.ReadList("RXX",
				[]byte("visit,local_id,reason\nV1,L1,\""+strings.ReplaceAll(text, `"`, `""`)+"\"\n"), "")
			if err != nil || len(rows) != 1 || len(rows[0].Faults) > 0 {
				t.Fatalf("%q: %+v %v", text, rows, err)
			}
			return s.submittedBy(listSender, w.now, rows[0].Data)
		},
		"FHIR text":    func(text string) record.ClinicalEvent { return inFHIR(text, `{"text":TEXT}`) },
		"FHIR display": func(text string) record.ClinicalEvent { return inFHIR(text, `{"coding":[{"display":TEXT}]}`) },
	}
	asks := func(s record.ClinicalEvent) bool {
		return slices.ContainsFunc(s.Evidence, func(e record.Evidence) bool {
			return e.Verdict == record.VerdictAsk && slices.Contains(e.Because, "mention")
		})
	}
	set := readMentions(t)
	for way, read := range ways {
		for _, text := range set.Show {
			if !asks(read(text)) {
				t.Errorf("%s: %q is for no human", way, text)
			}
		}
		for _, text := range append(set.Leave, set.Missed...) {
			if asks(read(text)) {
				t.Errorf("%s: %q is put before a human", way, text)
			}
		}
	}
}

func TestAListOfAllAttendancesIsJudgedByItsReasons(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	list := "visit,local_id,birth_date,left_at,reason,in_scope,follow_up\n" +
		"V1,L1,1990-04-01,2026-11-20T08:00:00Z,\"cut to arm, deliberate\",,no\n" +
		"V2,L2,1990-04-01,2026-11-20T08:00:00Z,ankle injury,,\n" +
		"V3,L3,1990-04-01,2026-11-20T08:00:00Z,seen by liaison,yes,\n"
	var answer listAnswer
	if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, guide, "POST", "/api/referrals/list", list, "Content-Type",
		"text/csv")), &answer); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range answer.Rows {
		got = append(got, string(row.Result)+" "+row.Reason)
	}
	expect(t, got, "kept "+record.ReasonUndecided, "kept "+record.ReasonOutOfScope,
		"raised-now "+schemas.FlagNoSafeChannel)
	p.must(t, http.StatusOK, guide, "POST", "/api/messages/"+answer.Rows[0].Message+"/release", "")
	types, _ := p.outbox(t)
	if !slices.Contains(types, "discharge.recorded") || !slices.Contains(types, "consent.declined") {
		t.Errorf("released, it says %v", types)
	}
	p.canaries(t, "deliberate", "ankle")
}
