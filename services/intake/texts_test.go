package intake

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

var texting = principal.Principal{Organisation: schemas.Delivery, Role: string(schemas.ServiceItself),
	Subject: schemas.Delivery}

// A text goes to a number that the person confirmed for texts, while everything that lets it go does; delivery alone
// may ask, and whoever looks sees that it was used.
func TestATextHasANumberWhileItMayGoAlone(t *testing.T) {
	t.Parallel()
	const textable = `{"channels":[{"channel":"text","value":"07700 900123","confirmed":true,"toHour":24,` +
		`"reminders":true}]}`
	type when struct {
		p               *process
		journey, person string
	}
	staff := func(path, body string) func(*testing.T, when) {
		return func(t *testing.T, w when) {
			path := strings.NewReplacer("JOURNEY", w.journey, "PERSON", w.person).Replace(path)
			w.p.must(t, http.StatusOK, guide, "POST", path, body)
		}
	}
	// born is that the hospital says another birth date, or none.
	born := func(day string) func(*testing.T, when) {
		return func(t *testing.T, w when) {
			status, body := w.p.post(t, "application/cloudevents+json", report("r-again-"+w.journey,
				`{"organisation":"RXX","visit":"V1","inScope":true,"leftAt":"2026-11-20T08:00:00Z",
				"person":{"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"`+day+`"}}`))
			if status != http.StatusAccepted {
				t.Fatal(status, body)
			}
		}
	}
	contact := func(body string) func(*testing.T, when) { return staff("/api/journeys/JOURNEY/contact", body) }
	for name, tc := range map[string]struct {
		do                     func(*testing.T, when)
		session, call, changed bool
	}{
		"nothing more": {func(*testing.T, when) {}, true, true, true},
		"not confirmed": {contact(`{"channels":[{"channel":"text","value":"07700 900123","toHour":24,` +
			`"reminders":true}]}`), false, false, false},
		"paused": {contact(strings.Replace(textable, `"confirmed"`, `"paused":true,"confirmed"`, 1)), false, false,
			false},
		"confirmed to be rung alone": {contact(`{"channels":[{"channel":"phone","value":"07700 900123","toHour":24,` +
			`"confirmed":true}]}`), false, false, false},
		"no reminders asked for": {contact(strings.Replace(textable, `,"reminders":true`, "", 1)), false, true, true},
		"no safe channel": {contact(`{"channels":[],"noSafeChannel":true,"arrangement":"at the hostel"}`),
			false, false, false},
		"contact stopped": {staff("/api/people/PERSON/contact-stopped", `{"reason":"asked for"}`), false, false, false},
		"held": {func(t *testing.T, w when) {
			w.p.hear(t, turned(w.journey, schemas.JourneyHeld, 7, w.p.clock.Now()))
		}, false, false, false},
		"a no to the partner": {staff("/api/journeys/JOURNEY/consent", `{"answers":[{"purpose":"follow-up",`+
			`"organisation":"`+ours.Organisation+`","state":"declined"}]}`), false, true, false},
		"a no to calls": {staff("/api/journeys/JOURNEY/consent",
			`{"answers":[{"purpose":"bridging","state":"declined"}]}`), true, false, true},
		"must not know":     {contact(`{"mustNotKnow":["` + ours.Organisation + `"]}`), false, true, false},
		"a child after all": {born("2014-04-01"), false, false, false},
		"a child after all, and the clinician's record": {func(t *testing.T, w when) {
			born("2014-04-01")(t, w)
			w.p.must(t, http.StatusOK, doctor, "POST", "/api/journeys/"+w.journey+"/consent",
				`{"mayConsent":{"basis":"gillick","whosePhone":"their own","mayKnow":"their mother"}}`)
		}, true, true, true},
		"handed back": {func(t *testing.T, w when) {
			w.p.hear(t, offerEvent(t, w.journey, schemas.OfferHandedBack, 3, w.p.clock.Now(),
				schemas.OfferHandedBackData{Offer: offerID("1"), Reason: "could-not-contact"}))
		}, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
			p.sayYes(t, journey, ours.Organisation)
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
				`{"answers":[{"purpose":"bridging","state":"given"}],"how":"spoken"}`)
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/contact", textable)
			p.acceptKnowing(t, journey, "1", 2, 0)
			tc.do(t, when{p, journey, person})
			for about, want := range map[string]bool{schemas.TextSession: tc.session, schemas.TextCall: tc.call,
				schemas.TextChanged: tc.changed} {
				to := askNumber(t, p, journey, about)
				if got := to.Number != ""; got != want {
					t.Errorf("%s: a number is given: %v, want %v", about, got, want)
				}
			}
		})
	}
}

func askNumber(t *testing.T, p *process, journey, about string) (to schemas.TextTo) {
	t.Helper()
	partner := ours.Organisation
	if about == schemas.TextCall {
		partner = ""
	}
	body, _ := json.Marshal(schemas.TextAsked{Journey: journey, Partner: partner, About: about})
	text := p.must(t, http.StatusOK, texting, "POST", schemas.TextNumbers, string(body))
	if err := json.Unmarshal([]byte(text), &to); err != nil {
		t.Fatal(err)
	}
	return to
}

// Nobody but delivery comes to where numbers are; that one was used is kept, and says nothing of the number.
func TestNobodyButDeliveryAsksForANumber(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	p.sayYes(t, journey, ours.Organisation)
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/contact",
		`{"channels":[{"channel":"text","value":"07700 900123","confirmed":true,"toHour":24}]}`)
	body := `{"journey":"` + journey + `","partner":"` + ours.Organisation + `","about":"changed"}`
	another := texting
	another.Subject = schemas.Gateway
	for _, who := range []principal.Principal{liaison, guide, caller, ours, another} {
		p.must(t, http.StatusNotFound, who, "POST", schemas.TextNumbers, body)
	}
	if to := askNumber(t, p, journey, schemas.TextChanged); to.Number != "07700 900123" {
		t.Errorf("delivery is given %+v", to)
	}
	var seen, with int
	if err := p.site.db.Admin().QueryRow(t.Context(), `select count(*) filter (where sees = 'number'),
		count(*) filter (where access_log::text like '%900123%') from intake.access_log where journey = $1::uuid`,
		journey).Scan(&seen, &with); err != nil || seen != 1 || with != 0 {
		t.Errorf("%d uses are kept, %d with the number: %v", seen, with, err)
	}
}

func TestATextWaitsForThePersonsHours(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 10, day, hour, minute, 0, 0, zone) }
	usual := record.Card{Channels: []record.Channel{{Channel: "text", Value: "x", Confirmed: true}}}
	evening := record.Card{Channels: []record.Channel{{Channel: "text", Value: "x", Confirmed: true, FromHour: 20,
		ToHour: 24}}}
	for name, tc := range map[string]struct {
		card      record.Card
		now, want time.Time
	}{
		"too early":                {usual, at(20, 9, 59), at(20, 10, 0)},
		"within":                   {usual, at(20, 10, 0), at(20, 10, 0)},
		"at their end":             {usual, at(20, 19, 0), at(21, 10, 0)},
		"before the clocks go":     {usual, at(24, 19, 30), at(25, 10, 0)},
		"their own, of an evening": {evening, at(20, 12, 0), at(20, 20, 0)},
		"until midnight":           {evening, at(20, 23, 59), at(20, 23, 59)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			channel, ok := tc.card.TextsTo(schemas.TextChanged)
			if got := channel.OpensAt(tc.now, zone); !ok || !got.Equal(tc.want) {
				t.Errorf("goes at %v, want %v", got, tc.want)
			}
		})
	}
}
