package intake

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// followUpOf is what was told last of follow-up on each journey.
func (w *ward) followUpOf() map[string]schemas.Type {
	told := map[string]schemas.Type{}
	for _, say := range w.said {
		if d, ok := say.Data.(schemas.ConsentData); ok && slices.Contains(d.Purposes, schemas.PurposeFollowUp) &&
			d.Organisation == "" {
			told[say.Journey] = say.Type
		}
	}
	return told
}

// says is a report of one visit of one person that passes on an answer to follow-up, said when they left or earlier.
func (h *hospital) says(given bool, said time.Time) []byte {
	h.control++
	return fmt.Appendf(nil,
		`{"specversion":"1.0","id":"R%d","source":"/hospitals/rxx","type":%q,"time":%q,"datacontenttype":"application/json",
		"data":{"organisation":"RXX","visit":%q,"inScope":true,"leftAt":%q,"person":{"localId":%q,"birthDate":"1990-04-01"},
		"consents":[{"purpose":"follow-up","given":%t,"how":"spoken"}]}}`,
		h.control, schemas.DischargeReported, said.UTC().Format(time.RFC3339), h.number,
		h.at.UTC().Format(time.RFC3339), h.patient, given)
}

func TestANoThatComesByMergingHoldsTheYesOfTheJourneyThatSurvives(t *testing.T) {
	t.Parallel()
	w, p, q := newWard(t), newHospital(), newHospital()
	p.patient, p.number = "L43", "V2"
	w.take(p.says(false, p.at))
	journeyQ := w.take(q.says(true, q.at)).Journey
	w.take(q.message("A40", giveUp("L43")))
	told := w.followUpOf()
	if told[journeyQ] != schemas.ConsentLapsed || len(told) != 2 {
		t.Errorf("told %v", told)
	}
}

func TestAnOlderReportArrivingLaterOverrulesNoNoAndIsAskedAbout(t *testing.T) {
	t.Parallel()
	w, h := newWard(t), newHospital()
	journey := w.take(h.says(false, h.at)).Journey
	older := h.says(true, h.at.Add(-time.Hour))
	w.take(older)
	if told := w.followUpOf(); told[journey] != schemas.ConsentDeclined || w.count(schemas.ConsentGiven) != 0 {
		t.Errorf("told %v", told)
	}
	asked := slices.ContainsFunc(w.said, func(s record.Emission) bool {
		d, ok := s.Data.(schemas.PreferencesChangedData)
		return ok && slices.Equal(d.Questions, []string{record.QuestionAnswer})
	})
	if !asked {
		t.Error("nobody asks the person")
	}
}

func TestAnAnswerIsKeptUntilAJourneyStandsToHangItOn(t *testing.T) {
	t.Parallel()
	w, h := newWard(t), newHospital()
	report := replaceOnce(string(h.says(false, h.at)), `"inScope":true`, `"inScope":false`)
	if settled := w.take([]byte(report)); settled.Journey != "" {
		t.Fatalf("raised %+v", settled)
	}
	journey := w.take(h.message("A08", diagnosis("X61.8", "", "ICD10"))).Journey
	if told := w.followUpOf(); journey == "" || told[journey] != schemas.ConsentDeclined {
		t.Errorf("journey %q, told %v", journey, told)
	}
}

// Whatever is reported of one or two records, in any order, again and again, and merged at any point: what is told ends
// the same, a no that was not said before a yes is told of both, and nothing stands of more than one visit of an
// attendance.
func TestNoNoIsOutrunInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		base := newHospital()
		left := base.at
		var messages [][]byte
		var newestYes, newestNo time.Time
		for range rapid.IntRange(1, 5).Draw(r, "reports") {
			given, said := rapid.Bool().Draw(r, "given"),
				left.Add(-time.Duration(rapid.IntRange(0, 3).Draw(r, "before"))*time.Hour)
			messages = append(messages, base.says(given, said))
			if given && said.After(newestYes) {
				newestYes = said
			} else if !given && said.After(newestNo) {
				newestNo = said
			}
		}
		want := schemas.ConsentGiven
		if !newestNo.IsZero() && !newestYes.After(newestNo) {
			want = schemas.ConsentDeclined
		}
		other := newHospital()
		other.patient, other.number = "L43", "V2"
		merged := rapid.Bool().Draw(r, "merged")
		if merged {
			messages = append(messages, other.says(rapid.Bool().Draw(r, "theirs"), left),
				base.message("A40", giveUp("L43")))
		}
		for range rapid.IntRange(0, 3).Draw(r, "resent") {
			messages = append(messages, rapid.SampledFrom(messages).Draw(r, "again"))
		}
		ends := map[string]bool{}
		for range 2 {
			w := newWard(t)
			w.now = left.Add(time.Duration(rapid.IntRange(1, 90).Draw(r, "late")) * 24 * time.Hour)
			for _, i := range drawOrder(r, len(messages)) {
				w.take(messages[i])
			}
			told := slices.Compact(slices.Sorted(maps.Values(typesOf(w.followUpOf(), w.standing()))))
			if merged { // a no of the journey's own record ends, another's holds: whose it is follows the arrival
				told = slices.DeleteFunc(told, func(one string) bool { return one != string(schemas.ConsentGiven) })
			}
			ends[fmt.Sprint(told)] = true
			if n := total(w.standing()); n != 1 {
				r.Fatalf("%d stand of one attendance", n)
			}
			if !merged && !reflect.DeepEqual(told, []string{string(want)}) {
				r.Fatalf("told %v, want %s", told, want)
			}
			if merged && want == schemas.ConsentDeclined &&
				slices.Contains(w.standsFor("local:L42"), record.ConsentGiven) {
				r.Fatal("a no was outrun by merging")
			}
		}
		if len(ends) > 1 {
			r.Fatalf("ends differ: %v", ends)
		}
	})
}

// typesOf are what was told of the journeys that stand. What has lapsed is as if nothing had been said.
func typesOf(told map[string]schemas.Type, standing map[string]int) map[string]string {
	texts := map[string]string{}
	for journey := range standing {
		if texts[journey] = string(told[journey]); told[journey] == schemas.ConsentLapsed {
			texts[journey] = ""
		}
	}
	return texts
}

// standsFor is how follow-up stands on each journey of a person.
func (w *ward) standsFor(key string) (stands []record.ConsentState) {
	person := w.unit.Persons[key]
	people := w.unit.PeopleOf(person)
	for _, j := range w.unit.SortedJourneys() {
		if slices.Contains(people.IDs, j.Person) {
			stands = append(stands, people.AnswerStates(j.Person,
				"2026-11-27")[record.Question{Purpose: schemas.PurposeFollowUp, Towards: ""}])
		}
	}
	return stands
}

// told are the types of the events of a journey, in order, as they are in the outbox.
func (p *process) told(t *testing.T, journey string) (types []string) {
	t.Helper()
	rows, err := p.site.db.Admin().Query(t.Context(), `select payload::jsonb ->> 'type' from intake.outbox
		where payload::jsonb ->> 'subject' = $1 order by payload::jsonb ->> 'sequence'`, journey)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		if err := rows.Scan(&kind); err != nil {
			t.Fatal(err)
		}
		types = append(types, kind[len(schemas.TypePrefix):])
	}
	return types
}

func TestWhatAMergeByHandAndItsUndoingChangeIsToldToThoseWhoAct(t *testing.T) {
	t.Parallel()
	for _, swapped := range []bool{false, true} {
		p := newSite(t).start()
		one, a := p.discharge(t, "V1", "L1", "1990-04-01")
		two, b := p.discharge(t, "V2", "L2", "1990-04-01")
		say := func(journey, state string) {
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
				`{"answers":[{"purpose":"follow-up","state":"`+state+`"}],"how":"spoken"}`)
		}
		say(one, "declined")
		say(two, "given")
		p.must(t, http.StatusOK, guide, "POST", "/api/people/"+a+"/contact-stopped", `{"reason":"asked us to"}`)
		into, from := b, a
		if swapped {
			into, from = a, b
		}
		do := func(path string) {
			p.must(t, http.StatusOK, guide, "POST", "/api/people/"+into+path,
				`{"other":"`+from+`","reason":"compared"}`)
		}
		before := len(p.told(t, two))
		do("/merge")
		do("/merge") // twice
		told := p.told(t, two)[before:]
		if !slices.Contains(told, "consent.lapsed.v1") || !slices.Contains(told, "person.contact-stopped.v1") {
			t.Errorf("swapped %t: merging told %v", swapped, told)
		}
		if n := len(slices.DeleteFunc(slices.Clone(told), func(k string) bool {
			return k != "consent.lapsed.v1" && k != "person.contact-stopped.v1"
		})); n != 2 {
			t.Errorf("swapped %t: merging twice told %v", swapped, told)
		}
		before = len(p.told(t, two))
		stopped := len(p.told(t, one))
		do("/unmerge")
		if told := p.told(t, two)[before:]; !slices.Contains(told, "consent.given.v1") ||
			!slices.Contains(told, "person.contact-resumed.v1") {
			t.Errorf("swapped %t: undoing told %v", swapped, told)
		}
		if told := p.told(t, one)[stopped:]; slices.Contains(told, "person.contact-resumed.v1") {
			t.Errorf("swapped %t: the stop of the record it was said of was lifted: %v", swapped, told)
		}
	}
}

func TestANoOfAnotherRecordThatIsTakenBackByUndoingLeavesTheQuestionOpen(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	one, a := p.discharge(t, "V1", "L1", "1990-04-01")
	two, b := p.discharge(t, "V2", "L2", "1990-04-01")
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+one+"/consent",
		`{"answers":[{"purpose":"follow-up","state":"declined"}]}`)
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+b+"/merge",
		`{"other":"`+a+`","reason":"compared","confirm":true}`)
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+b+"/unmerge", `{"other":"`+a+`","reason":"two people"}`)
	told := p.told(t, two)
	if !slices.Contains(told, "consent.lapsed.v1") || told[len(told)-1] != "consent.lapsed.v1" {
		t.Errorf("told %v", told)
	}
}
