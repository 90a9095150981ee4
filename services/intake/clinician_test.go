package intake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// eventsOf are the events of some types about a journey, in order.
func (p *process) eventsOf(t testing.TB, journey string, types ...schemas.Type) (all []flow.Event) {
	t.Helper()
	for _, e := range p.saidAll(t) {
		if e.Subject == journey && slices.Contains(types, schemas.Type(e.Type)) {
			all = append(all, e)
		}
	}
	return all
}

// corrections are the data of all discharge.corrected of a journey, in order.
func (p *process) corrections(t testing.TB, journey string) (all []schemas.DischargeCorrectedData) {
	t.Helper()
	for _, e := range p.eventsOf(t, journey, schemas.DischargeCorrected) {
		d, err := flow.Decode[schemas.DischargeCorrectedData](e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

const parent = `{"basis":"parental-responsibility","whosePhone":"a mother's","mayKnow":"a mother, nobody else"}`

func TestACliniciansRecordLiftsTheFlagAndSaysWhoMayAnswer(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	child, person := p.discharge(t, "V1", "L1", "2014-04-01")
	path := "/api/journeys/" + child + "/consent"
	yes := func(giver string) string {
		return `{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken","giver":"` + giver + `"}`
	}
	for claim, record := range map[string]string{
		"no basis":     strings.Replace(parent, "parental-responsibility", "family", 1),
		"whose phone":  strings.Replace(parent, "a mother's", "", 1),
		"who may know": strings.Replace(parent, "a mother, nobody else", "", 1),
	} {
		if status, answer := p.ask(t, doctor, "POST", path,
			`{"mayConsent":`+record+`}`); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", claim, status, answer)
		}
	}
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", path, yes("parental-responsibility"))
	own := principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: person}
	p.must(t, http.StatusForbidden, own, "POST", path, `{"mayConsent":`+parent+`}`)
	if answer := p.must(t, http.StatusOK, doctor, "POST", path, `{"mayConsent":`+parent+`}`); !strings.Contains(answer,
		`"mayAnswer":"parental-responsibility"`) {
		t.Errorf("recorded %s", answer)
	}
	said := p.corrections(t, child)
	if len(said) != 1 || said[0].Flags == nil || len(said[0].Flags) != 0 || said[0].MayAnswer != schemas.AnswersParent {
		t.Fatalf("said %+v", said)
	}
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", path, yes("person"))
	p.must(t, http.StatusOK, liaison, "POST", path, yes("parental-responsibility"))
	p.canariesIn(t, []string{"note", "visit", "outbox", "consent", "idempotency"}, "a mother")
	// A later message changes nothing about it; a new visit is looked at again.
	status, body := p.post(t, "application/cloudevents+json",
		report("again", `{"organisation":"RXX","visit":"V1","inScope":true,"leftAt":"2026-11-20T08:30:00Z",
		"person":{"localId":"L1","birthDate":"2014-04-01"}}`))
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	if said := p.corrections(t, child); len(said) != 2 || said[1].Flags != nil || said[1].MayAnswer != "" {
		t.Errorf("said %+v", said)
	}
	grown, _ := p.discharge(t, "V9", "L9", "1990-04-01")
	p.must(t, http.StatusNotFound, doctor, "POST", "/api/journeys/"+grown+"/consent", `{"mayConsent":`+parent+`}`)
}

// Who decided is whoever is signed in: nobody records a clinician's decision for them, in whatever name.
func TestNobodyButTheCliniciansThemselvesRecordWhoMayAnswer(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	child, person := p.discharge(t, "V1", "L1", "2014-04-01")
	grown, _ := p.discharge(t, "V2", "L2", "1990-04-01")
	path := "/api/journeys/" + child + "/consent"
	named := strings.Replace(parent, `{`, `{"clinician":"Dr Sample",`, 1)
	for who, want := range map[principal.Principal]int{liaison: http.StatusForbidden, guide: http.StatusForbidden,
		{Organisation: "RXX", Role: string(schemas.TreatingStaff),
			Subject: "t"}: http.StatusForbidden,
		{Organisation: "RXX", Role: string(schemas.Operator),
			Subject: "o"}: http.StatusForbidden,
		{Organisation: "self", Role: string(schemas.Person),
			Subject: person}: http.StatusForbidden,
		{Organisation: "RXX", Role: string(schemas.YoungPeoplesClinician), Subject: "system",
			Source: "/hospital"}: http.StatusForbidden,
		{Organisation: "RYY", Role: string(schemas.YoungPeoplesClinician),
			Subject: "elsewhere"}: http.StatusNotFound,
	} {
		p.must(t, want, who, "POST", path, `{"mayConsent":`+parent+`}`)
	}
	for _, who := range []principal.Principal{liaison, doctor} { // nor does a name in the body stand for anybody
		if status, answer := p.ask(t, who, "POST", path, `{"mayConsent":`+named+`}`); status/100 != 4 {
			t.Errorf("%s names a clinician: %d %s", who, status, answer)
		}
	}
	if said := p.corrections(t, child); len(said) > 0 {
		t.Fatalf("said %+v", said)
	}
	p.must(t, http.StatusOK, doctor, "POST", path, `{"mayConsent":`+parent+`}`)
	if n := p.count(t, `select count(*) from intake.note where kind = 'may-consent' and by_role = '`+recordedBy(doctor)+
		`'`); n != 1 {
		t.Error("who decided is not kept as who they are")
	}
	p.must(t, http.StatusOK, doctor, "GET", "/api/journeys/"+child+"/identity", "", ReasonHeader,
		"deciding who may answer")
	for _, part := range []string{"/identity", "/consent"} {
		p.must(t, http.StatusNotFound, doctor, "GET", "/api/journeys/"+grown+part, "", ReasonHeader,
			"deciding who may answer")
	}
	p.must(t, http.StatusNotFound, doctor, "POST", "/api/journeys/"+grown+"/contact",
		`{"noSafeChannel":true,"arrangement":"a slip"}`)
}

// Whoever recorded an answer is kept as who they are, by every way in; a role that a body names is nobody.
func TestWhoRecordedAnAnswerIsWhoeverWasSignedIn(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	path := "/api/journeys/" + journey + "/consent"
	p.must(t, http.StatusOK, liaison, "POST", path,
		`{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`)
	if seen := p.must(t, http.StatusOK, guide, "GET", path, ""); !strings.Contains(seen,
		`"recordedBy":"`+recordedBy(liaison)+`"`) {
		t.Errorf("a colleague sees %s", seen)
	}
	own := principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: person}
	if seen := p.must(t, http.StatusOK, own, "GET", path, ""); !strings.Contains(seen, `"recordedBy":"sending-team"`) ||
		strings.Contains(seen, liaison.Subject) {
		t.Errorf("the person sees %s", seen)
	}
	form := `{"organisation":"RXX","requestedAt":"2026-11-20T08:00:00Z","person":{"localId":"L7","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01"},
		"consents":[{"purpose":"bridging","given":false,"how":"spoken","recordedBy":"liaison-nurse"}]}`
	p.must(t, http.StatusAccepted, guide, "POST", "/api/referrals", form)
	status, body := p.post(t, "application/cloudevents+json",
		report("r2", `{"organisation":"RXX","visit":"V9","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
		"person":{"localId":"L9","familyName":"Examplewood","givenName":"Ash","birthDate":"1990-04-01"},
		"consents":[{"purpose":"bridging","given":false,"how":"spoken","recordedBy":"liaison-nurse"}]}`))
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	for claim, query := range map[string]string{
		"the navigator's form": `recorded_by = '` + recordedBy(guide) + `'`,
		"the hospital's event": `recorded_by like 'system:% reports liaison-nurse'`,
	} {
		if n := p.count(t, `select count(*) from intake.consent where purpose = 'bridging' and `+query); n != 1 {
			t.Errorf("%s: %d", claim, n)
		}
	}
}

func TestAYesReportedUnder18IsKeptInDoubtAndNobodyMayActOnIt(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	status, body := p.post(t, "application/cloudevents+json",
		report("r1", `{"organisation":"RXX","visit":"V1","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
		"person":{"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"2014-04-01"},
		"consents":[{"purpose":"follow-up","given":true,"how":"spoken","organisation":"`+ours.Organisation+
			`"},{"purpose":"bridging","given":false}]}`))
	var a eventAnswer
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded", "consent.declined")
	shown := p.must(t, http.StatusOK, liaison, "GET", "/api/journeys/"+a.Journey+"/consent", "")
	if !strings.Contains(shown, `"state":"in-doubt"`) || strings.Contains(shown, `"state":"given"`) ||
		!strings.Contains(shown, `"clinicianFirst":true`) {
		t.Errorf("shown %s", shown)
	}
	p.accept(t, a.Journey, "1", 1)
	p.must(t, http.StatusNotFound, ours, "GET", "/api/journeys/"+a.Journey+"/identity", "")
	p.must(t, http.StatusOK, doctor, "POST", "/api/journeys/"+a.Journey+"/consent", `{"mayConsent":`+parent+`}`)
	p.must(t, http.StatusNotFound, ours, "GET", "/api/journeys/"+a.Journey+"/identity", "")
	if types, _ := p.outbox(t); slices.Contains(types, "consent.given") {
		t.Error("a yes from before the clinician's record counted after it")
	}
}

func TestWhoTurns18AnswersForThemselvesFromThatDay(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	now := p.clock.Now().In(p.zone)
	in := func(days, years int) string { return now.AddDate(-years, 0, days).Format(time.DateOnly) }
	child, _ := p.discharge(t, "V1", "L1", in(5, 18))
	recorded, _ := p.discharge(t, "V2", "L2", in(5, 18))
	younger, _ := p.discharge(t, "V3", "L3", in(5, 15))
	p.must(t, http.StatusOK, doctor, "POST", "/api/journeys/"+recorded+"/consent", `{"mayConsent":`+parent+`}`)
	p.run(t, now.AddDate(0, 0, 4), p.reviewBirthdays)
	if said := p.corrections(t, child); len(said) > 0 {
		t.Fatalf("on the eve %+v", said)
	}
	for range 2 { // twice on one day is once
		p.run(t, now.AddDate(0, 0, 5), p.reviewBirthdays)
	}
	for journey, want := range map[string]struct {
		age, corrections int
		mayAnswer        string
		flags            bool
	}{child: {18, 1, schemas.AnswersPerson, true}, recorded: {18, 2, schemas.AnswersPerson, false},
		younger: {15, 1, "", false}} {
		said := p.corrections(t, journey)
		if len(said) != want.corrections {
			t.Errorf("said %+v", said)
			continue
		}
		last := said[len(said)-1]
		if last.Facts == nil || *last.Facts.Age != want.age || last.MayAnswer != want.mayAnswer ||
			(last.Flags != nil) != want.flags || len(last.Flags) > 0 {
			t.Errorf("said %+v, want %+v", last, want)
		}
	}
	yes := `{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+recorded+"/consent", yes)
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", "/api/journeys/"+younger+"/consent", yes)
}

func TestABirthdayIsForeseenWithoutSayingWhenItIs(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	now := p.clock.Now().In(p.zone)
	born := func(days int) string { return now.AddDate(-18, 0, days).Format(time.DateOnly) }
	soon, _ := p.discharge(t, "V1", "L1", born(5))
	later, _ := p.discharge(t, "V2", "L2", born(186))
	foreseen := func(journey string) string {
		var on string
		if err := p.site.db.Admin().QueryRow(t.Context(), `select coalesce(says #>> '{raised,facts,ageRisesOn}', '')
			from intake.visit where journey = $1::uuid`, journey).Scan(&on); err != nil {
			t.Fatal(err)
		}
		return on
	}
	is := func(journey string, days int) {
		t.Helper()
		on, err := time.Parse(time.DateOnly, foreseen(journey))
		birthday := now.AddDate(0, 0, days).Format(time.DateOnly)
		if past := record.DaysBetween(birthday, foreseen(journey)); err != nil || on.Weekday() != time.Monday ||
			past < 0 || past > 6 {
			t.Errorf("foreseen %q, %d days after %s", foreseen(journey), past, birthday)
		}
	}
	is(soon, 5)
	if on := foreseen(later); on != "" {
		t.Errorf("foreseen %q, over half a year ahead", on)
	}
	p.run(t, now.AddDate(0, 0, 4), p.reviewBirthdays)
	is(later, 186)
	if said := p.corrections(t, later); len(said) != 1 || said[0].Facts == nil || said[0].Facts.AgeRisesOn == nil ||
		said[0].Facts.Age != nil {
		t.Errorf("said %+v", said)
	}
	p.run(t, now.AddDate(0, 0, 5), p.reviewBirthdays)
	if said := p.corrections(t, soon); len(said) != 1 || *said[0].Facts.Age != 18 ||
		!slices.Contains(said[0].Retracted, "ageRisesOn") {
		t.Errorf("said %+v", said)
	}
	p.canaries(t, born(5), born(186))
	status, answer := p.post(t, "application/cloudevents+json",
		report("r-9", `{"organisation":"RXX","visit":"V9","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
		"person":{"localId":"L9"},"facts":{"ageRisesOn":"2026-12-07"}}`))
	var a eventAnswer
	if err := json.Unmarshal([]byte(answer), &a); err != nil || status != http.StatusAccepted ||
		foreseen(a.Journey) != "" {
		t.Errorf("a sender's own is taken: %d %s", status, answer)
	}
}

func TestAnAgeThatBecomesKnownLiftsTheFlag(t *testing.T) {
	t.Parallel()
	w, h := newWard(t), newHospital()
	h.birth = ""
	expect(t, w.outcomes(h.message("A01", reason("248062006", "", "SCT")), h.message("A03")), "joined not-ended",
		"raised-flagged age-unknown")
	h.birth = "19900401"
	expect(t, w.outcomes(h.message("A08")), "corrected ")
	last := w.said[len(w.said)-1]
	if d, ok := last.Data.(schemas.DischargeCorrectedData); !ok || d.Flags == nil || len(d.Flags) > 0 ||
		d.Facts == nil || d.Facts.Age == nil {
		t.Errorf("said %+v", last)
	}
}

// What a message about the person alone says of them counts for what stands, whenever it comes.
func TestABirthDateThatMakesAChildOfSomebodyIsShownAtOnce(t *testing.T) {
	t.Parallel()
	for trigger, number := range map[string]string{"A31": "V1", "A28": "", "A08": ""} {
		w, h := newWard(t), newHospital()
		expect(t, w.outcomes(h.message("A01", reason("248062006", "", "SCT")), h.message("A03")), "joined not-ended",
			"raised ")
		h.birth, h.number = "20140401", number
		expect(t, w.outcomes(h.message(trigger)), "corrected demographics")
		if w.count(schemas.DischargeRecorded) != 1 || w.count(schemas.DischargeCorrected) != 1 {
			t.Errorf("%s: said %+v", trigger, w.said)
		}
	}
}

// TestAParentalYesEndsTheDayTheyTurn18: it counts to the eve, then the person is asked; the contact that was recorded
// meanwhile is confirmed no more. Nobody with parental responsibility answers for an adult.
func TestAParentalYesEndsTheDayTheyTurn18(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	now := p.clock.Now().In(p.zone)
	journey, _ := p.discharge(t, "V1", "L1", now.AddDate(-18, 0, 5).Format(time.DateOnly))
	base := "/api/journeys/" + journey
	p.must(t, http.StatusOK, doctor, "POST", base+"/consent",
		`{"mayConsent":`+parent+`,"giver":"parental-responsibility","how":"spoken",
		"answers":[{"purpose":"follow-up","state":"given"},{"purpose":"bridging","state":"given"}]}`)
	p.must(t, http.StatusOK, doctor, "POST", base+"/contact",
		`{"channels":[{"channel":"phone","value":"07700 900099","confirmed":true}]}`)
	told := func(typ schemas.Type) (n int) { return len(p.eventsOf(t, journey, typ)) }
	at := func(days int) {
		for range 2 { // twice is once
			p.run(t, now.AddDate(0, 0, days), p.reviewBirthdays)
			p.run(t, now.AddDate(0, 0, days), p.lapseConsents)
		}
	}
	at(4)
	if told(schemas.ConsentLapsed) != 0 {
		t.Error("on the eve it counts no more")
	}
	questions := told(schemas.PreferencesChanged)
	at(5)
	if n := told(schemas.ConsentLapsed); n != 2 {
		t.Errorf("%d of two yeses are told to count no more", n)
	}
	if n := told(schemas.PreferencesChanged) - questions; n != 1 {
		t.Errorf("how they may be reached is asked %d times", n)
	}
	if n := p.count(t, `select count(*) from intake.contact_card where confirmed`); n != 0 {
		t.Error("what was recorded while a parent answered is confirmed still")
	}
	adult, _ := p.discharge(t, "V2", "L2", now.AddDate(-30, 0, 0).Format(time.DateOnly))
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", "/api/journeys/"+adult+"/consent",
		`{"giver":"parental-responsibility","how":"spoken","answers":[{"purpose":"follow-up","state":"given"}]}`)
}

// TestAYesWhoseLastDayIsOverIsToldToCountNoMore, once, and not where another was said since.
func TestAYesWhoseLastDayIsOverIsToldToCountNoMore(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	now := p.clock.Now().In(p.zone)
	until := now.AddDate(0, 0, 3).Format(time.DateOnly)
	over, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	renewed, _ := p.discharge(t, "V2", "L2", "1990-04-01")
	for _, journey := range []string{over, renewed} {
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
			`{"how":"spoken","answers":[{"purpose":"follow-up","state":"given","until":"`+until+`"}]}`)
	}
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+renewed+"/consent",
		`{"how":"spoken","answers":[{"purpose":"follow-up","state":"given"}]}`)
	for days, want := range []int{0, 0, 0, 0, 1, 1} {
		for range 2 {
			p.run(t, now.AddDate(0, 0, days), p.lapseConsents)
		}
		if n := len(p.eventsOf(t, over, schemas.ConsentLapsed)); n != want {
			t.Errorf("after %d days it was told %d times, not %d", days, n, want)
		}
	}
	if n := len(p.eventsOf(t, renewed, schemas.ConsentLapsed)); n != 0 {
		t.Error("one that was given again counts no more")
	}
}
