package journeys

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// offering is a system whose partners read their feeds.
type offering struct {
	*system.System
	t       *testing.T
	journey string
	left    int // so many have left A&E
}

// readFeed has a partner read its feed from a cursor on until nothing is left, and say by asking on that it has it all;
// the cursor after it comes back.
func readFeed(t *testing.T, s *system.System, partner, after string) string {
	t.Helper()
	for {
		got := s.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodGet, "/api/feed?after="+after, "", nil)
		var p struct {
			Items []json.RawMessage
			Next  string
		}
		if err := json.Unmarshal(got.Body, &p); err != nil || got.Status != http.StatusOK {
			t.Fatalf("the feed answers %d %s", got.Status, got.Body)
		}
		if after = p.Next; len(p.Items) == 0 {
			return after
		}
	}
}

// leaves reports that somebody has left A&E who would like to be met, and lets the liaison team record a yes to
// partners by name, in the person's own order.
func (o *offering) leaves(partners ...string) {
	o.t.Helper()
	id := clock.NewRandomID()
	o.left++ // people of one name and birth date would be looked at as one
	data := fmt.Sprintf(
		`{"organisation":"RXX","visit":"O%[1]s","inScope":true,"leftAt":%[2]q,"person":{"localId":"O%[1]s","familyName":"Offered",
		"givenName":"Sam","birthDate":"1988-02-%02[3]d"},"facts":{"destination":"home","assessment":"done","areaResidence":"area-north","gender":"woman"}}`,
		id[:8], ago(time.Hour), 2+o.left)
	got := o.AskWith(system.Token(schemas.System), http.MethodPost, "/events", structured, []byte(fmt.Sprintf(
		`{"specversion":"1.0","id":%q,"source":%q,"type":"care.footbridge.discharge.reported.v1","time":%q,"datacontenttype":"application/json","data":%s}`,
		id, system.HospitalSource, ago(0), data)))
	var answer struct{ Journey string }
	if err := json.Unmarshal(got.Body, &answer); err != nil || answer.Journey == "" {
		o.t.Fatalf("a report: %d %s", got.Status, got.Body)
	}
	o.journey = answer.Journey
	o.Resolve()
	for _, partner := range partners {
		body := `{"answers":[{"purpose":"follow-up","organisation":"` + partner + `","state":"given"}],"how":"spoken"}`
		o.must(o.Ask(schemas.SendingTeam, http.MethodPost, "/api/journeys/"+o.journey+"/consent", typeJSON,
			[]byte(body)), http.StatusOK)
	}
}

func (o *offering) must(got system.Answer, status int) system.Answer {
	o.t.Helper()
	if got.Status != status {
		o.t.Fatalf("answered %d, not %d: %s", got.Status, status, got.Body)
	}
	return got
}

func (o *offering) one(into any, query string, args ...any) {
	o.t.Helper()
	if err := o.Admin().QueryRow(o.t.Context(), query, args...).Scan(into); err != nil {
		o.t.Fatalf("%s: %v", query, err)
	}
}

// partner is who runs a service of the directory.
func (o *offering) partner(service string) (id string) {
	o.t.Helper()
	o.one(&id, `select id::text from followup.partner where service = $1`, service)
	return id
}

// mayBeSent waits until an offer to a partner may be told to it.
func (o *offering) mayBeSent(partner string) (offer string) {
	o.t.Helper()
	system.Eventually(o.t, func() error {
		for _, p := range o.Events() {
			var d schemas.OfferClearedData
			if p.Event.Subject == o.journey && p.Event.Type == string(schemas.OfferCleared) &&
				json.Unmarshal(p.Event.Data, &d) == nil && d.Partner == partner {
				offer = d.Offer
				return nil
			}
		}
		return fmt.Errorf("no offer may be sent to %s: %v", partner, o.Emitted(o.journey))
	})
	return offer
}

// brought has a partner read its feed until an offer has come to it.
func (o *offering) brought(offer, partner string) {
	o.t.Helper()
	after := ""
	system.Eventually(o.t, func() error {
		after = readFeed(o.t, o.System, partner, after)
		if got := o.looks(partner, offer); got.Status != http.StatusOK {
			return fmt.Errorf("the partner that the offer was brought to gets %d", got.Status)
		}
		return nil
	})
}

// said waits until an event of the journey is on the bus.
func (o *offering) said(short string) {
	o.t.Helper()
	system.Eventually(o.t, func() error {
		if said := o.Emitted(o.journey); said[short] == 0 {
			return fmt.Errorf("%s has not been said: %v", short, said)
		}
		return nil
	})
}

// says is what a partner says about an offer.
func (o *offering) says(partner, offer, what, body string) system.Answer {
	o.t.Helper()
	return o.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodPost, "/api/offers/"+offer+"/"+what, typeJSON,
		[]byte(body))
}

func (o *offering) looks(partner, offer string) system.Answer {
	o.t.Helper()
	return o.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodGet, "/api/offers/"+offer, "", nil)
}

func (o *offering) identity(partner string) system.Answer {
	o.t.Helper()
	return o.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodGet, "/api/journeys/"+o.journey+"/identity", "",
		nil)
}

const firstService, secondService = "peer-follow-up-women", "peer-follow-up"

// TestAnOfferIsSentAcceptedBookedKeptAndCompleted follows one person: who they are is open to the partner from its yes
// on, and to nobody before.
func TestAnOfferIsSentAcceptedBookedKeptAndCompleted(t *testing.T) {
	t.Parallel()
	o := &offering{System: system.Start(t), t: t}
	partner := o.partner(secondService)
	o.leaves(partner)
	offer := o.mayBeSent(partner)
	o.must(o.looks(partner, offer), http.StatusNotFound) // nobody has told it yet
	o.brought(offer, partner)
	shown := string(o.must(o.looks(partner, offer), http.StatusOK).Body)
	if !strings.Contains(shown, `"ageBand":"25-64"`) || strings.Contains(shown, "Offered") ||
		strings.Contains(shown, o.journey) {
		t.Errorf("before it has been taken on the partner sees %s", shown)
	}
	list := o.must(o.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodGet, "/api/offers", "", nil),
		http.StatusOK)
	staff := o.must(o.Ask(schemas.Navigator, http.MethodGet, "/api/offers/"+offer, "", nil), http.StatusOK)
	for who, text := range map[string]string{"a partner": shown, "its list": string(list.Body),
		"a navigator": string(staff.Body)} {
		if !strings.Contains(text,
			`"separate":"This is separate from the hospital team's own follow-up, which is with the team at RXX."`) {
			t.Errorf("%s is not told from what it is separate: %s", who, text)
		}
	}
	o.must(o.identity(partner), http.StatusNotFound)
	if again := o.must(o.says(partner, offer, "accept", `{}`), http.StatusOK); !strings.Contains(string(again.Body),
		o.journey) {
		t.Errorf("a partner that has taken the offer on is not told the journey: %s", again.Body)
	}
	system.Eventually(t, func() error {
		if got := o.identity(partner); got.Status != http.StatusOK || !strings.Contains(string(got.Body), "Offered") {
			return fmt.Errorf("the partner that has accepted reads %d", got.Status)
		}
		return nil
	})
	o.must(o.says(partner, offer, "outcome", `{"outcome":"kept"}`), http.StatusConflict)
	o.must(o.says(partner, offer, "appointment", `{"startsAt":"`+ago(-24*time.Hour)+`","channel":"video"}`),
		http.StatusOK)
	o.must(o.says(partner, offer, "outcome", `{"outcome":"kept"}`), http.StatusConflict) // it has not begun
	if _, err := o.Admin().Exec(t.Context(), `update followup.appointment set starts_at = $1 where offer = $2::uuid`,
		time.Now().Add(-time.Hour), offer); err != nil {
		t.Fatal(err) // as if its day had come
	}
	o.must(o.says(partner, offer, "outcome", `{"outcome":"kept","next":"other-support"}`), http.StatusOK)
	o.Resolve()
	said := o.Emitted(o.journey)
	for _, one := range []string{"offer.sent.v1", "offer.accepted.v1", "appointment.booked.v1", "appointment.kept.v1",
		"followup.completed.v1"} {
		if said[one] != 1 {
			t.Errorf("%s was said %d times: %v", one, said[one], said)
		}
	}
	var offers int
	if o.one(&offers, `select count(*) from followup.offer where journey = $1::uuid`, o.journey); offers != 1 {
		t.Errorf("after a session that took place there are %d offers", offers)
	}
	o.must(o.says(partner, offer, "confirm-deletion", `{}`), http.StatusOK)
	o.must(o.AskAs(*as(partner, schemas.Partner, "peer"), http.MethodGet, "/api/feed", "", nil), http.StatusOK)
	o.Resolve()
	for what, words := range map[string][]string{
		"shown": {`"partner":"` + partner + `"`, `"by":"signed-in"`, `"ageBand"`, `"deletedAt"`},
		"told": {`"partner":"` + partner + `"`, string(schemas.OfferSent), `"lastDay"`,
			string(schemas.FollowupCompleted)},
		"access": {`"organisation":"` + partner + `"`, `"sees":"partner"`}} {
		got := o.must(o.Ask(schemas.Navigator, http.MethodGet, "/api/journeys/"+o.journey+"/"+what, "", nil),
			http.StatusOK)
		for _, one := range words {
			if !strings.Contains(string(got.Body), one) {
				t.Errorf("what was %s does not say %s: %s", what, one, got.Body)
			}
		}
	}
}

// TestAPartnerThatIsSilentIsPassedOnAndTheNextAccepts: the person named two, in their own order.
func TestAPartnerThatIsSilentIsPassedOnAndTheNextAccepts(t *testing.T) {
	t.Parallel()
	o := &offering{System: system.Start(t), t: t}
	first, second := o.partner(firstService), o.partner(secondService)
	o.leaves(first, second)
	silent := o.mayBeSent(first)
	o.brought(silent, first)
	if _, err := o.Admin().Exec(t.Context(),
		`update followup.offer set answer_by = $1, due_at = $1 where id = $2::uuid`, time.Now().Add(-time.Hour),
		silent); err != nil {
		t.Fatal(err) // as if its two working days were over
	}
	offer := o.mayBeSent(second)
	o.said("offer.passed-on.v1")
	o.must(o.identity(first), http.StatusNotFound)
	o.brought(offer, second)
	o.must(o.says(second, offer, "accept", `{}`), http.StatusOK)
	// late, beside another's: noted, and the person chooses
	got := o.must(o.says(first, silent, "accept", `{}`), http.StatusOK)
	if !strings.Contains(string(got.Body), `"state":"passed-on"`) {
		t.Errorf("a late yes beside another's: %s", got.Body)
	}
	o.said("offer.accepted-late.v1")
	o.must(o.identity(first), http.StatusNotFound)
	o.must(o.says(second, offer, "hand-back", `{"reason":"worker-away"}`), http.StatusOK)
	o.said("offer.handed-back.v1")
	system.Eventually(t, func() error {
		if got := o.identity(second); got.Status != http.StatusNotFound {
			return fmt.Errorf("a partner that has handed back reads %d", got.Status)
		}
		return nil
	})
	// now its place is free, and nobody else has taken the person on
	o.must(o.says(first, silent, "accept", `{}`), http.StatusOK)
	system.Eventually(t, func() error {
		if got := o.identity(first); got.Status != http.StatusOK {
			return fmt.Errorf("the partner whose late yes was welcome reads %d", got.Status)
		}
		return nil
	})
}
