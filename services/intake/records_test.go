package intake

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/schemas"
)

func TestJourneysOfRecordsThatTurnOutToBeOnePersonAreAHumansToJoin(t *testing.T) {
	t.Parallel()
	w, one, two := newWard(t), newHospital(), newHospital()
	two.patient, two.number = "L43", "V2"
	for _, h := range []*hospital{one, two} {
		w.take(h.message("A04", reason("248062006", "", "SCT")))
		w.take(h.message("A03"))
	}
	w.take(withTraced(one.message("A08")))
	if w.count(schemas.DischargeRecorded) != 2 || w.count(schemas.PersonMerged) != 0 {
		t.Fatalf("said %+v", w.said)
	}
	w.take(withTraced(two.message("A08")))
	w.take(withTraced(two.message("A08"))) // once
	told := map[string]schemas.PersonMergedData{}
	for _, say := range w.said {
		if d, ok := say.Data.(schemas.PersonMergedData); ok {
			told[say.Journey] = d
			if d.Confirmed || d.Person == d.Other {
				t.Errorf("said %+v", d)
			}
		}
	}
	if len(told) != 2 || w.count(schemas.PersonMerged) != 2 {
		t.Errorf("told %+v", told)
	}
}

func TestANoAndAStopCountForEveryRecordOfOneVerifiedNumber(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, one, two := p.dial(t), newHospital(), newHospital()
	two.patient, two.number = "L43", "V2"
	two.at = one.at.Add(time.Minute)
	var journeys []string
	for _, h := range []*hospital{one, two} {
		send(t, client, h.message("A04", reason("248062006", "", "SCT")))
		send(t, client, h.message("A03"))
	}
	rows, err := p.site.db.Admin().Query(t.Context(), `select v.journey::text from intake.visit v
		where v.journey is not null order by v.number`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		journeys = append(journeys, id)
	}
	rows.Close()
	if len(journeys) != 2 {
		t.Fatalf("%d journeys", len(journeys))
	}
	say := func(journey, state string) {
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
			`{"answers":[{"purpose":"follow-up","state":"`+state+`"}],"how":"spoken"}`)
	}
	stands := func(journey string) string {
		return p.must(t, http.StatusOK, liaison, "GET", "/api/journeys/"+journey+"/consent", "")
	}
	say(journeys[0], "given")
	say(journeys[1], "declined")
	if !strings.Contains(stands(journeys[0]), `"state":"given"`) {
		t.Fatal("a stranger's no counts")
	}
	send(t, client, withTraced(one.message("A08")))
	send(t, client, withTraced(two.message("A08")))
	if got := stands(journeys[0]); strings.Contains(got, `"state":"given"`) ||
		!strings.Contains(got, `"state":"declined"`) {
		t.Errorf("a no under the other record: %s", got)
	}
	if got := stands(journeys[1]); strings.Contains(got, `"state":"given"`) {
		t.Errorf("a yes crossed unconfirmed: %s", got)
	}
	var person string
	if err := p.site.db.Admin().QueryRow(t.Context(), `select person::text from intake.journey where id = $1::uuid`,
		journeys[1]).Scan(&person); err != nil {
		t.Fatal(err)
	}
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+person+"/contact-stopped", `{"reason":"asked us to"}`)
	if seen := p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+journeys[0]+"/identity", "", ReasonHeader,
		"to ring them back"); !strings.Contains(seen, `"contactStopped":true`) {
		t.Errorf("contact goes on under the other record: %s", seen)
	}
}
