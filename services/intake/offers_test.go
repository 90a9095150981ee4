package intake

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// offerEvent is an event of the follow-up service about an offer; its id is made of a digit.
func offerEvent(t testing.TB, journey string, typ schemas.Type, sequence int64, at time.Time, data any) flow.Event {
	t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return flow.Event{ID: flow.FormatSequence(sequence), Source: "/footbridge/followup", Type: string(typ),
		Subject: journey, Sequence: flow.FormatSequence(sequence), Time: at, Data: text}
}

func offerID(digit string) string {
	return strings.Repeat(digit, 8) + "-1111-4111-8111-111111111111"
}

// accept tells intake that our partner has accepted an offer now, under an agreement of a year, and that the follow-up
// service knew all that intake knows of the journey.
func (p *process) accept(t testing.TB, journey, digit string, sequence int64) {
	t.Helper()
	var turn int
	if err := p.site.db.Admin().QueryRow(t.Context(), `select state_at from intake.journey where id = $1`,
		journey).Scan(&turn); err != nil {
		t.Fatal(err)
	}
	p.acceptKnowing(t, journey, digit, sequence, turn)
}

func (p *process) acceptKnowing(t testing.TB, journey, digit string, sequence int64, turn int) {
	t.Helper()
	now := p.clock.Now()
	p.hear(t, offerEvent(t, journey, schemas.OfferAccepted, sequence, now,
		schemas.OfferAcceptedData{Offer: offerID(digit), Partner: ours.Organisation,
			AgreementUntil: now.AddDate(1, 0, 0).Format(time.DateOnly), Transition: turn}))
}

func (p *process) sayYes(t testing.TB, journey, partner string) {
	t.Helper()
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
		`{"answers":[{"purpose":"follow-up","organisation":"`+partner+`","state":"given"}],"how":"spoken"}`)
}

// Every single thing that the rule asks for is needed, and each that ends or pauses reading does so, over the door.
func TestAPartnerReadsNothingWithoutAnyOneOfWhatItTakes(t *testing.T) {
	t.Parallel()
	type when struct {
		p               *process
		journey, person string
		at              time.Time
	}
	say := func(typ schemas.Type, data any) func(*testing.T, when) {
		return func(t *testing.T, w when) { p := w.p; p.hear(t, offerEvent(t, w.journey, typ, 3, w.at, data)) }
	}
	day := func(w when, days int) string { return w.at.AddDate(0, 0, days).Format(time.DateOnly) }
	// agreed is what followup says of a partner's agreement, with days from today, in the order of what it said
	agreed := func(t *testing.T, w when, sequence int64, partner string, first, last int) {
		w.p.hear(t, offerEvent(t, offerID("9"), schemas.PartnerChanged, sequence, w.at,
			schemas.PartnerChangedData{Partner: partner, AgreementFrom: day(w, first), AgreementUntil: day(w, last)}))
	}
	for name, tc := range map[string]struct {
		do    func(*testing.T, when)
		reads bool
	}{
		"nothing more": {func(*testing.T, when) {}, true},
		"agreement ended since": {func(t *testing.T, w when) {
			agreed(t, w, 2, ours.Organisation, -30, -1)
			agreed(t, w, 1, ours.Organisation, -30, 30) // older news, later
		}, false},
		"agreement moved to next week": {func(t *testing.T, w when) {
			agreed(t, w, 1, ours.Organisation, 7, 30)
		}, false},
		"another's agreement ended": {func(t *testing.T, w when) {
			agreed(t, w, 1, theirs.Organisation, -30, -1)
		}, true},
		"agreement renewed": {func(t *testing.T, w when) {
			say(schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offerID("1"), Partner: ours.Organisation,
				AgreementUntil: day(w, -1)})(t, w)
			agreed(t, w, 1, ours.Organisation, -30, 30)
		}, true},
		"handed back": {say(schemas.OfferHandedBack, schemas.OfferHandedBackData{Offer: offerID("1"),
			Reason: "could-not-contact"}), false},
		"declined": {say(schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: offerID("1"),
			Reason: "no-place"}), false},
		"withdrawn": {say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offerID("1"),
			Reason: "person"}), false},
		"another one withdrawn": {say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offerID("2"),
			Reason: "person"}), true},
		"nobody left": {say(schemas.OfferExhausted, schemas.OfferExhaustedData{LastDay: "2026-12-01"}),
			false},
		"held": {func(t *testing.T, w when) {
			w.p.hear(t, turned(w.journey, schemas.JourneyHeld, 3, w.at))
		}, false},
		"released": {func(t *testing.T, w when) {
			w.p.hear(t, turned(w.journey, schemas.JourneyHeld, 3, w.at), turned(w.journey, schemas.JourneyReleased, 4,
				w.at))
		}, true},
		"completed 14 days ago": {func(t *testing.T, w when) {
			say(schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: offerID("1"),
				CompletedOn: day(w, -14)})(t, w)
		}, true},
		"completed 15 days ago": {func(t *testing.T, w when) {
			say(schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: offerID("1"),
				CompletedOn: day(w, -15)})(t, w)
		}, false},
		"deletion confirmed": {func(t *testing.T, w when) {
			say(schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: offerID("1"),
				CompletedOn: day(w, -1)})(t, w)
			say(schemas.OfferDeletionConfirmed, schemas.OfferDeletionConfirmedData{Offer: offerID("1")})(t, w)
		}, false},
		"agreement over": {func(t *testing.T, w when) {
			say(schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offerID("1"), Partner: ours.Organisation,
				AgreementUntil: day(w, -1)})(t, w)
		}, false},
		"contact stopped": {func(t *testing.T, w when) {
			w.p.must(t, http.StatusOK, guide, "POST", "/api/people/"+w.person+"/contact-stopped",
				`{"reason":"asked for"}`)
		}, false},
		"taken back": {func(t *testing.T, w when) {
			w.p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+w.journey+"/consent",
				`{"answers":[{"purpose":"follow-up","organisation":"`+ours.Organisation+`","state":"withdrawn"}]}`)
		}, false},
		"a no to all": {func(t *testing.T, w when) {
			w.p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+w.journey+"/consent",
				`{"answers":[{"purpose":"follow-up","state":"declined"}]}`)
		}, false},
		"must not know": {func(t *testing.T, w when) {
			w.p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+w.journey+"/contact",
				`{"mustNotKnow":["`+ours.Organisation+`"]}`)
		}, false},
		"never wanted": {func(t *testing.T, w when) {
			w.p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+w.journey+"/preferences",
				`{"never":["`+ours.Organisation+`"]}`)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
			door := "/api/journeys/" + journey + "/identity"
			p.accept(t, journey, "1", 2)
			p.must(t, http.StatusNotFound, ours, "GET", door, "")
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
				`{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`)
			p.must(t, http.StatusNotFound, ours, "GET", door, "") // a yes to any names nobody
			p.sayYes(t, journey, ours.Organisation)
			p.must(t, http.StatusOK, ours, "GET", door, "")
			p.must(t, http.StatusNotFound, theirs, "GET", door, "")
			tc.do(t, when{p, journey, person, p.clock.Now()})
			want := http.StatusNotFound
			if tc.reads {
				want = http.StatusOK
			}
			p.must(t, want, ours, "GET", door, "")
			p.accept(t, journey, "1", 2) // the same word again reopens nothing
			p.must(t, want, ours, "GET", door, "")
		})
	}
}

func TestEachPartnerKnowsThePersonByAnIdOfItsOwn(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	ids := map[string]bool{}
	for i, partner := range []principal.Principal{ours, theirs} {
		p.sayYes(t, journey, partner.Organisation)
		now := p.clock.Now()
		p.hear(t, offerEvent(t, journey, schemas.OfferAccepted, int64(i+1), now,
			schemas.OfferAcceptedData{Offer: offerID([]string{"1", "2"}[i]),
				Partner: partner.Organisation, AgreementUntil: now.AddDate(1, 0, 0).Format(time.DateOnly)}))
		var first, again identityShown
		for _, into := range []*identityShown{&first, &again} {
			if err := json.Unmarshal([]byte(p.must(t, http.StatusOK, partner, "GET",
				"/api/journeys/"+journey+"/identity", "")), into); err != nil {
				t.Fatal(err)
			}
		}
		if n := strings.Count(strings.Join(p.told(t, journey), " "), "person.shown"); n != i+1 {
			t.Errorf("that a partner looked was said %d times, by %d offers", n, i+1)
		}
		if first.Person == "" || first.Person == person || first.Person != again.Person || ids[first.Person] {
			t.Errorf("known as %q and %q", first.Person, again.Person)
		}
		ids[first.Person] = true
	}
}

// An organisation that must not know gets nothing by any door, also for a stated reason, as if nothing were there.
func TestAnOrganisationThatMustNotKnowFindsNothing(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	base := "/api/journeys/" + journey
	p.must(t, http.StatusOK, treating, "GET", base+"/identity", "", ReasonHeader, "called about tonight")
	for _, wrong := range []string{`["RXX"]`, `["My uncle's club"]`, `[""]`} {
		p.must(t, http.StatusUnprocessableEntity, liaison, "POST", base+"/contact", `{"mustNotKnow":`+wrong+`}`)
	}
	p.must(t, http.StatusOK, liaison, "POST", base+"/contact", `{"mustNotKnow":["RYY"],"neverTell":["an uncle"]}`)
	if data := string(p.lastEvent(t, journey)); !strings.Contains(data, `"mustNotKnow": ["RYY"]`) ||
		strings.Contains(data, "uncle") {
		t.Errorf("told %s", data)
	}
	nobody := strings.Replace(base, journey, "11111111-1111-4111-8111-111111111111", 1)
	for _, path := range []string{"/identity", "/consent"} {
		got := p.must(t, http.StatusNotFound, treating, "GET", base+path, "", ReasonHeader, "called about tonight")
		none := p.must(t, http.StatusNotFound, treating, "GET", nobody+path, "", ReasonHeader, "called about tonight")
		var problems [2]map[string]any
		for i, text := range []string{got, none} {
			if err := json.Unmarshal([]byte(text), &problems[i]); err != nil {
				t.Fatal(err)
			}
			delete(problems[i], "instance") // one for each answer
		}
		if !maps.Equal(problems[0], problems[1]) {
			t.Errorf("%s differs: %s, %s", path, got, none)
		}
	}
	p.must(t, http.StatusOK, guide, "GET", base+"/identity", "", ReasonHeader, "to ring them back")
	p.must(t, http.StatusOK, liaison, "POST", base+"/contact", `{"mustNotKnow":null}`)
	if data := string(p.lastEvent(t, journey)); !strings.Contains(data, `"mustNotKnow": []`) {
		t.Errorf("told %s", data)
	}
	p.must(t, http.StatusOK, treating, "GET", base+"/identity", "", ReasonHeader, "called about tonight")
}

// Whatever is said of an offer, in any order and twice over, ends as the same; and once something has ended it, nothing
// that is said opens it again.
func TestWhatIsSaidOfAnOfferEndsAsTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	start, admin := p.clock.Now(), p.site.db.Admin()
	rapid.Check(t, func(rt *rapid.T) {
		var events []flow.Event
		ended := false
		for i := range rapid.IntRange(1, 6).Draw(rt, "events") {
			at := start.Add(time.Duration(i) * time.Minute)
			typ := rapid.SampledFrom([]schemas.Type{schemas.OfferAccepted, schemas.OfferDeclined,
				schemas.OfferWithdrawn, schemas.OfferHandedBack, schemas.OfferDeletionConfirmed,
				schemas.FollowupCompleted, schemas.OfferExhausted}).Draw(rt, "type")
			days := rapid.IntRange(-20, 400).Draw(rt, "days")
			var data any
			switch typ {
			case schemas.OfferAccepted:
				data = schemas.OfferAcceptedData{Offer: offerID("1"), Partner: ours.Organisation,
					AgreementUntil: start.AddDate(0, 0, days).Format(time.DateOnly)}
			case schemas.FollowupCompleted:
				data = schemas.FollowupCompletedData{Offer: offerID("1"),
					CompletedOn: start.AddDate(0, 0, min(days, 20)).Format(time.DateOnly)}
			case schemas.OfferExhausted:
				data = schemas.OfferExhaustedData{}
			default:
				data, ended = schemas.OfferDeclinedData{Offer: offerID("1"), Reason: "person"}, true
			}
			events = append(events, offerEvent(t, journey, typ, int64(i+1), at, data))
		}
		outcome := func(order []flow.Event) (string, bool) {
			for _, sql := range []string{`delete from intake.partner_offer`,
				`update intake.journey set exhausted = 0`} {
				if _, err := admin.Exec(t.Context(), sql); err != nil {
					rt.Fatal(err)
				}
			}
			for len(order) > 0 {
				n := rapid.IntRange(1, len(order)).Draw(rt, "batch")
				p.hear(t, order[:n]...)
				order = order[n:]
			}
			var state string
			var opens bool
			if err := admin.QueryRow(t.Context(), `select coalesce(string_agg(to_jsonb(o)::text, ' '), '') ||
				j.exhausted,
					coalesce(bool_or(o.accepted > 0 and not o.ended), false)
				from intake.journey j left join intake.partner_offer o on o.journey = j.id group by j.id`).Scan(&state,
				&opens); err != nil {
				rt.Fatal(err)
			}
			return state, opens
		}
		want, opens := outcome(events)
		if opens && ended {
			rt.Fatal("what has ended is open")
		}
		twice := rapid.Permutation(append(slices.Clone(events), events...)).Draw(rt, "order")
		if got, _ := outcome(twice); got != want {
			rt.Fatalf("in another order %s, not %s", got, want)
		}
	})
}
