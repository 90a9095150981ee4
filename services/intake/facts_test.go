package intake

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/schemas"
	"footbridge/services/intake/record"
)

func TestPreferencesForgetNothingAndNullTakesBack(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	path := "/api/journeys/" + journey + "/preferences"
	p.must(t, http.StatusOK, liaison, "POST", path, `{"language":"cy","channels":["video"]}`)
	if said := string(p.lastEvent(t, journey)); strings.Contains(said, `"age"`) || !strings.Contains(said, `"cy"`) ||
		strings.Contains(said, "takenBack") {
		t.Errorf("supplied %s", said)
	}
	p.must(t, http.StatusOK, liaison, "POST", path, `{"workerGender":"woman"}`)
	seen := p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+journey+"/identity", "", ReasonHeader,
		"checking what is kept of them")
	if !strings.Contains(seen, `"language":"cy"`) || !strings.Contains(seen, `"workerGender":"woman"`) ||
		!strings.Contains(seen, "video") {
		t.Errorf("wishes %s", seen)
	}
	p.must(t, http.StatusOK, liaison, "POST", path, `{"language":null}`)
	if said := string(p.lastEvent(t, journey)); !strings.Contains(said, `"takenBack": ["language"]`) ||
		strings.Contains(said, "workerGender") {
		t.Errorf("taken back %s", said)
	}
	if n := p.count(t, `select count(*) from intake.fact_said where way = 'preferences' and by_role = '`+
		recordedBy(liaison)+`'`); n != 4 {
		t.Errorf("%d facts are kept as they were said", n)
	}
}

func TestContactThatLeavesSomethingOutKeepsIt(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	path := "/api/journeys/" + journey + "/contact"
	p.must(t, http.StatusOK, liaison, "POST", path,
		`{"channels":[{"channel":"phone","value":"07700 900099","confirmed":true}],"neverTell":["an employer"]}`)
	p.must(t, http.StatusOK, liaison, "POST", path, `{"needs":["large-print"]}`)
	seen := func() string {
		return p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+journey+"/identity", "", ReasonHeader,
			"checking what is kept of them")
	}
	if got := seen(); !strings.Contains(got, "900099") || !strings.Contains(got, "an employer") ||
		!strings.Contains(got, "large-print") {
		t.Errorf("contact %s", got)
	}
	p.must(t, http.StatusOK, liaison, "POST", path, `{"noSafeChannel":true,"arrangement":"by way of the hostel"}`)
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", path,
		`{"channels":[{"channel":"phone","value":"07700 900099"}]}`)
	p.must(t, http.StatusOK, liaison, "POST", path, `{"neverTell":null}`)
	if got := seen(); strings.Contains(got, "employer") || !strings.Contains(got, `"noSafeChannel":true`) {
		t.Errorf("contact %s", got)
	}
}

// areaOf gives a ward a profile with areas.
func (w *ward) withAreas() *ward {
	w.profiles.Fallback.AreaOf = map[string]string{"TQ1": "E06000027", "EX1": "E07000041"}
	return w
}

// address puts a postcode where the hospital writes it.
func (h *hospital) livingAt(trigger, postcode string, changes ...change) []byte {
	end := "|" + h.birth + "||||%s||07700900123\r"
	return []byte(replaceOnce(string(h.message(trigger, changes...)), fmt.Sprintf(end, ""),
		fmt.Sprintf(end, "1 Some Street^^^^"+postcode)))
}

// A fact about a person has the same consequences by whichever message it comes.
func TestTheSameFactHasTheSameConsequencesByEveryWayIn(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*ward, *hospital, *hospital) {
		w, one, two := newWard(t).withAreas(), newHospital(), newHospital()
		two.patient, two.number, two.at = "L43", "V2", one.at.Add(48*time.Hour)
		w.now = one.at.Add(60 * time.Hour)
		w.take(one.livingAt("A04", "TQ1 4AB", reason("248062006", "", "SCT")))
		w.take(one.message("A03"))
		w.take(withTraced(two.message("A04", reason("248062006", "", "SCT"))))
		w.take(two.message("A03"))
		return w, one, two
	}
	verified := func(raw []byte) []byte { return withTraced(raw) }
	for way, trigger := range map[string]string{"A31": "A31", "A28": "A28", "A08 of the visit": "A08", "A40": "A40"} {
		t.Run("verified number by "+way, func(t *testing.T) {
			w, one, _ := begin(t)
			var changes []change
			if trigger == "A40" {
				changes = append(changes, giveUp("L99"))
			}
			w.take(verified(one.message(trigger, changes...)))
			if w.count(schemas.PersonMerged) != 2 {
				t.Errorf("%d told that two journeys are one person's", w.count(schemas.PersonMerged))
			}
		})
		t.Run("birth date by "+way, func(t *testing.T) {
			w, one, _ := begin(t)
			one.birth = "20140401"
			var changes []change
			if trigger == "A40" {
				changes = append(changes, giveUp("L99"))
			}
			w.take(one.message(trigger, changes...))
			if !slices.ContainsFunc(w.said, func(s record.Emission) bool {
				d, ok := s.Data.(schemas.DischargeCorrectedData)
				return ok && slices.Contains(d.Flags, schemas.FlagUnder18)
			}) {
				t.Error("nobody is told that they are a child")
			}
		})
	}
	for _, trigger := range []string{"A31", "A28", "A08", "A40"} {
		t.Run("address by "+trigger, func(t *testing.T) {
			w, one, _ := begin(t)
			var changes []change
			if trigger == "A40" {
				changes = append(changes, giveUp("L99"))
			}
			w.take(one.livingAt(trigger, "EX1 1AA", changes...))
			if !slices.ContainsFunc(w.said, func(s record.Emission) bool {
				d, ok := s.Data.(schemas.DischargeCorrectedData)
				return ok && d.Facts != nil && d.Facts.AreaResidence != nil && *d.Facts.AreaResidence == "E07000041" &&
					d.Facts.Age == nil
			}) {
				t.Error("where they live now is not told")
			}
		})
	}
	t.Run("another record's birth date, in either order", func(t *testing.T) {
		for _, swapped := range []bool{false, true} {
			w, one, two := newWard(t), newHospital(), newHospital()
			two.patient, two.number, two.birth = "L43", "V2", "20140401"
			into, from := one, two
			if swapped {
				into, from = two, one
			}
			w.take(one.message("A04", reason("248062006", "", "SCT")))
			w.take(one.message("A03"))
			w.take(two.message("A08"))
			w.take(into.message("A40", giveUp(from.patient)))
			flagged := false
			for _, v := range w.unit.Visits {
				flagged = flagged || slices.Contains(v.Published.Flags, schemas.FlagUnder18)
			}
			if !flagged {
				t.Errorf("swapped %t: a record that says they are a child counts for nothing", swapped)
			}
		}
	})
}

func TestANumberLearntByDemographicsAloneStopsContactWithSomebodyKnownDead(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, one, two := p.dial(t), newHospital(), newHospital()
	two.patient, two.number = "L43", "V2"
	for _, h := range []*hospital{one, two} {
		send(t, client, h.message("A04", reason("248062006", "", "SCT")))
		send(t, client, h.message("A03"))
	}
	send(t, client, deathOn(two.message("A31")))
	send(t, client, withTraced(two.message("A31")))
	before, _ := p.outbox(t)
	send(t, client, withTraced(one.message("A31")))
	after, _ := p.outbox(t)
	fresh := after[len(before):]
	if !slices.Contains(fresh, "person.merged") || !slices.Contains(fresh, "person.contact-stopped") {
		t.Errorf("said %v", fresh)
	}
}
