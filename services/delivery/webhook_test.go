package delivery

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	svix "github.com/svix/svix-webhooks/go"

	"footbridge/libs/clock"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// TestPublishedLibrariesVerifyEachWebhook: the Go libraries of Standard Webhooks and of Svix, by the new secret and,
// while a partner changes over, by the former one; the body is a CloudEvent by the SDK.
func TestPublishedLibrariesVerifyEachWebhook(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	s.work()
	made := s.subscribes(partner, e.URL, "")
	testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(partner, made.ID) == active })
	s.offers(partner)
	testkit.Eventually(t, "the first comes", func() bool { return len(e.taken()) == 1 })
	var changed subscriptionShown
	if status := s.ask(partner, "POST", "/api/subscriptions/"+made.ID+"/secret", "",
		&changed); status != http.StatusOK || changed.Secret == made.Secret {
		t.Fatalf("changing the secret answered %d", status)
	}
	s.offers(partner)
	testkit.Eventually(t, "the second comes", func() bool { return len(e.taken()) == 2 })
	for i, r := range e.all() {
		secrets := [][]string{{made.Secret}, {made.Secret, changed.Secret}}[i]
		for _, secret := range secrets {
			if err := verify(secret, r); err != nil {
				t.Errorf("delivery %d is not verified: %v", i, err)
			}
		}
		if verify(secretText(newSecret()), r) == nil {
			t.Error("any secret verifies")
		}
		var ce cloudevents.Event
		if err := json.Unmarshal([]byte(r.body), &ce); err != nil || ce.Validate() != nil || ce.ID() != r.id ||
			!strings.HasPrefix(r.header.Get("Content-Type"), "application/cloudevents+json") {
			t.Errorf("a delivery is no CloudEvent: %v %v %s", err, ce.Validate(), r.body)
		}
	}
}

// TestNothingThatSignsStandsInTheDatabase: neither in the endpoint's row nor in what is kept for a repetition, which
// gets the secret all the same; and what cannot be opened is not sent.
func TestNothingThatSignsStandsInTheDatabase(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	create := func() (made subscriptionShown) {
		if status := s.askWith(partner, "POST", "/api/subscriptions", fmt.Sprintf(`{"url":%q}`, e.URL), &made,
			"Idempotency-Key", "once"); status != http.StatusCreated {
			t.Fatalf("subscribing answered %d", status)
		}
		return made
	}
	made := create()
	if again := create(); again.Secret != made.Secret || again.ID != made.ID || made.Secret == "" {
		t.Errorf("repeated, the answer is %+v", again)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.Secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.pool.Query(t.Context(), `select s::text from subscription s union all select i::text
		from idempotency i`)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(texts) < 2 {
		t.Fatalf("%d rows, %v", len(texts), err)
	}
	for _, text := range texts {
		if strings.Contains(text, made.Secret[6:]) || strings.Contains(text, hex.EncodeToString(raw)) {
			t.Errorf("what signs stands in the database: %s", text)
		}
	}
	s.work()
	testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(partner, made.ID) == active })
	if _, err := s.pool.Exec(t.Context(), `update subscription set key = ''`); err != nil {
		t.Fatal(err)
	}
	s.offers(partner)
	var attempts struct{ Items []attemptRow }
	testkit.Eventually(t, "it is said that it cannot be signed", func() bool {
		s.ask(partner, "GET", "/api/subscriptions/"+made.ID+"/attempts", "", &attempts)
		return len(attempts.Items) > 0 && attempts.Items[0].Outcome == notSigned
	})
	if got := e.all(); len(got) != 0 {
		t.Errorf("sent without a signature: %v", got)
	}
}

func verify(secret string, r received) error {
	one, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return err
	}
	other, err := svix.NewWebhook(secret)
	if err != nil {
		return err
	}
	if err := one.Verify([]byte(r.body), r.header); err != nil {
		return fmt.Errorf("standard webhooks: %w", err)
	}
	if err := other.Verify([]byte(r.body), r.header); err != nil {
		return fmt.Errorf("svix: %w", err)
	}
	return nil
}

// TestFeedStreamAndWebhookHoldTheSame: the same events, byte for byte, with the same ids and positions, without a gap.
func TestFeedStreamAndWebhookHoldTheSame(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	made := s.subscribes(partner, e.URL, "")
	for i := range 5 {
		journey, offer := s.offers(partner)
		s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
		if i%2 == 0 {
			s.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
		}
		s.offers(clock.NewRandomID())
	}
	s.work()
	testkit.Eventually(t, "all are delivered", func() bool { return len(e.taken()) == 13 })
	fed := s.fed(partner)
	streamed, ids := s.streamed(partner, "", 13)
	byWebhook := e.taken()
	slices.SortFunc(byWebhook, func(a, b string) int { return strings.Compare(sequence(t, a), sequence(t, b)) })
	if !reflect.DeepEqual(fed, streamed) || !reflect.DeepEqual(fed, byWebhook) {
		t.Errorf("fed\n%s\nstreamed\n%s\nby webhook\n%s", strings.Join(fed, "\n"), strings.Join(streamed, "\n"),
			strings.Join(byWebhook, "\n"))
	}
	for i, body := range fed {
		if sequence(t, body) != fmt.Sprintf("%016d", i+1) {
			t.Errorf("position %d is %s", i+1, body)
		}
	}
	if rest, _ := s.streamed(partner, ids[9], 3); !reflect.DeepEqual(rest, fed[10:]) {
		t.Errorf("resumed after the tenth it goes on with %v", rest)
	}
	if s.state(partner, made.ID) != active {
		t.Error("the endpoint is not active")
	}
}

func sequence(t *testing.T, body string) string {
	t.Helper()
	var e struct{ Sequence string }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatal(err)
	}
	return e.Sequence
}

// TestAFailingEventBlocksItsJourneyAlone: what is refused keeps later events of its journey waiting, in order, and
// nobody else's.
func TestAFailingEventBlocksItsJourneyAlone(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	s.work()
	made := s.subscribes(partner, e.URL, "")
	testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(partner, made.ID) == active })
	var bad string
	e.answer(func(r *http.Request, body []byte) int {
		if bad == "" && r.Method == http.MethodPost {
			bad = r.Header.Get("Webhook-Id")
		}
		if r.Header.Get("Webhook-Id") == bad {
			return http.StatusInternalServerError
		}
		return http.StatusNoContent
	})
	journey, offer := s.offers(partner)
	testkit.Eventually(t, "it is refused", func() bool { return len(e.all()) > 0 })
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
	var others []string
	for range 6 {
		_, other := s.offers(partner)
		others = append(others, other)
	}
	testkit.Eventually(t, "the others' come", func() bool { return len(e.taken()) == 6 })
	for _, body := range e.taken() {
		if strings.Contains(body, offer) {
			t.Errorf("an event overtook one of its journey: %s", body)
		}
	}
	e.answer(nil)
	s.takes(e, 8)
	var got []string
	for _, body := range e.taken() {
		if strings.Contains(body, offer) {
			got = append(got, sequence(t, body))
		}
	}
	if !slices.IsSorted(got) || len(got) != 2 || len(others) != 6 {
		t.Errorf("its events came as %v", got)
	}
}

// TestAfterThreeDaysDeadNothingIsLost: what an endpoint did not take in three days is kept; once it is on again it
// gets all of it, in the order of each journey, and a human had been asked to tell the partner another way.
func TestAfterThreeDaysDeadNothingIsLost(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	s.work()
	made := s.subscribes(partner, e.URL, "")
	testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(partner, made.ID) == active })
	e.answer(func(*http.Request, []byte) int { return http.StatusBadGateway })
	var journeys, offers []string
	tried := 0
	for hours := 0; hours <= 84; hours += 12 {
		s.clock.Set(max(s.clock.Offset(), time.Duration(hours)*time.Hour))
		if n := len(journeys); n > 0 && hours <= 48 { // told by telephone, they accept
			testkit.Eventually(t, "a human is asked to tell them", func() bool {
				return s.said(journeys[n-1], schemas.DeliveryFailed) == 1
			})
			s.hears(journeys[n-1], schemas.OfferAccepted,
				schemas.OfferAcceptedData{Offer: offers[n-1], Partner: partner})
		}
		if hours < 48 {
			journey, offer := s.offers(partner)
			journeys, offers = append(journeys, journey), append(offers, offer)
		}
		testkit.Eventually(t, "another attempt, or it is off", func() bool {
			if hours >= 48 { // nothing new is to be told, and the last rungs of the ladder are further apart
				s.clock.Set(s.clock.Offset() + time.Hour)
			}
			return len(e.all()) > tried || s.state(partner, made.ID) == off
		})
		tried = len(e.all())
	}
	testkit.Eventually(t, "it is off", func() bool {
		s.clock.Set(s.clock.Offset() + time.Hour)
		return s.state(partner, made.ID) == off
	})
	if got := len(e.taken()); got != 0 {
		t.Fatalf("%d were taken", got)
	}
	s.offers(partner) // while it is off
	e.answer(nil)
	if status := s.ask(partner, "POST", "/api/subscriptions/"+made.ID+"/state", `{"on":true}`,
		nil); status != http.StatusOK {
		t.Fatalf("turning it on answered %d", status)
	}
	testkit.Eventually(t, "all come", func() bool { return len(e.taken()) == 2*len(journeys)+1 })
	got := e.taken()
	slices.SortFunc(got, func(a, b string) int { return strings.Compare(sequence(t, a), sequence(t, b)) })
	if fed := s.fed(partner); !reflect.DeepEqual(got, fed) {
		t.Errorf("taken %v, and the log holds %v", got, fed)
	}
	for _, journey := range journeys {
		if n := s.said(journey, schemas.DeliveryFailed); n != 1 {
			t.Errorf("delivery.failed was said %d times of a journey", n)
		}
	}
}

// TestWhatAnEndpointSaysIsHeeded: gone ends sending and keeps what comes; later is waited for; a pause drops nothing.
func TestWhatAnEndpointSaysIsHeeded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		then   func(s *site, partner, id string)
	}{
		"gone": {http.StatusGone, func(s *site, partner, id string) {
			testkit.Eventually(s.t, "it is off", func() bool { return s.state(partner, id) == off })
			s.ask(partner, "POST", "/api/subscriptions/"+id+"/state", `{"on":true}`, nil)
		}},
		"later":      {http.StatusTooManyRequests, func(*site, string, string) {}},
		"redirected": {http.StatusFound, func(*site, string, string) {}},
		"paused": {http.StatusInternalServerError, func(s *site, partner, id string) {
			s.ask(partner, "POST", "/api/subscriptions/"+id+"/state", `{"on":false}`, nil)
			s.offers(partner)
			s.ask(partner, "POST", "/api/subscriptions/"+id+"/state", `{"on":true}`, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
			s.work()
			made := s.subscribes(partner, e.URL, "")
			testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(partner, made.ID) == active })
			e.answer(func(*http.Request, []byte) int { return tc.status })
			s.offers(partner)
			testkit.Eventually(t, "it answers", func() bool { return len(e.all()) == 1 })
			e.answer(nil)
			tc.then(s, partner, made.ID)
			s.takes(e, len(s.fed(partner)))
			got := e.taken()
			slices.SortFunc(got, func(a, b string) int { return strings.Compare(sequence(t, a), sequence(t, b)) })
			if fed := s.fed(partner); !reflect.DeepEqual(got, fed) {
				t.Errorf("taken %v, and the log holds %v", got, fed)
			}
		})
	}
}

// TestNothingIsSentWithoutAYes: an endpoint that does not agree, or that is inside, gets nothing but the question.
func TestNothingIsSentWithoutAYes(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	asked := make(chan struct{}, 100)
	e.answer(func(r *http.Request, _ []byte) int {
		if r.Method == http.MethodOptions {
			asked <- struct{}{}
		}
		return http.StatusForbidden
	})
	s.work()
	made := s.subscribes(partner, e.URL, "")
	s.offers(partner)
	<-asked
	if s.state(partner, made.ID) != pending || len(e.all()) != 0 {
		t.Errorf("an endpoint that did not agree is %s and got %v", s.state(partner, made.ID), e.all())
	}
	inside, other := newSite(t, Config{}), newEndpoint(t)
	inside.work()
	made = inside.subscribes(partner, other.URL, "")
	testkit.Eventually(t, "why nothing is sent is shown", func() bool {
		var shown subscriptionShown
		inside.ask(partner, "GET", "/api/subscriptions/"+made.ID, "", &shown)
		return shown.State == pending && shown.Because == notAllowed
	})
}

// TestOffersComeToTheirPartners: by webhook, or by asking the feed or the stream on from where an offer was read; said
// once. What has not come in time is said too.
func TestOffersComeToTheirPartners(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{Allow: loopback()}), clock.NewRandomID()
	journey, _ := s.offers(partner)
	var p feedPage
	for range 2 {
		s.ask(partner, "GET", "/api/feed", "", &p)
	}
	if n := s.said(journey, schemas.DeliveryMade); n != 0 || len(p.Items) != 1 {
		t.Errorf("reading alone says that it came, %d times (%d items)", n, len(p.Items))
	}
	for range 2 {
		s.ask(partner, "GET", "/api/feed?after="+p.Next, "", nil)
	}
	if n := s.said(journey, schemas.DeliveryMade); n != 1 {
		t.Errorf("that it came is said %d times", n)
	}
	untold, _ := s.offers(partner)
	s.due("untold")
	if n := s.said(untold, schemas.DeliveryFailed); n != 0 {
		t.Errorf("at once it is said %d times that an offer did not come", n)
	}
	s.clock.Set(3*time.Hour + time.Minute)
	for range 2 {
		s.due("untold")
	}
	if n := s.said(untold, schemas.DeliveryFailed); n != 1 {
		t.Errorf("after three hours it is said %d times that an offer did not come", n)
	}
	if n := s.said(journey, schemas.DeliveryFailed); n != 0 {
		t.Errorf("of one that came it is said %d times that it did not", n)
	}
}

// TestWhatDoesNotComeAfterAnAcceptanceIsSaid: in time, whether anything is tried again or not: the endpoint refuses,
// rests for a day, is off, paused, or has not agreed yet. What came by the feed has come; what the partner did itself
// it knows.
func TestWhatDoesNotComeAfterAnAcceptanceIsSaid(t *testing.T) {
	t.Parallel()
	refuses := func(status int) func(s *site, partner, id string, e *endpoint) {
		return func(_ *site, _, _ string, e *endpoint) {
			e.answer(func(*http.Request, []byte) int { return status })
		}
	}
	for name, tc := range map[string]struct {
		then func(s *site, partner, id string, e *endpoint)
		feed bool
		want int
	}{
		"comes":         {func(*site, string, string, *endpoint) {}, false, 0},
		"refuses":       {refuses(http.StatusBadGateway), false, 1},
		"rests a day":   {refuses(http.StatusTooManyRequests), false, 1},
		"is gone":       {refuses(http.StatusGone), false, 1},
		"read the feed": {refuses(http.StatusBadGateway), true, 0},
		"is paused": {func(s *site, partner, id string, _ *endpoint) {
			s.ask(partner, "POST", "/api/subscriptions/"+id+"/state", `{"on":false}`, nil)
		}, false, 1},
		"has ended": {func(s *site, partner, id string, _ *endpoint) {
			s.ask(partner, "DELETE", "/api/subscriptions/"+id, "", nil)
		}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
			stop := s.work()
			made := s.subscribes(partner, e.URL, "")
			testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(partner, made.ID) == active })
			journey, offer := s.offers(partner)
			testkit.Eventually(t, "the offer comes", func() bool { return s.said(journey, schemas.DeliveryMade) == 1 })
			tc.then(s, partner, made.ID, e)
			s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
			s.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
			if name == "comes" {
				testkit.Eventually(t, "all comes", func() bool { return len(e.taken()) == 3 })
			}
			stop() // what comes of attempts is written down
			if tc.feed {
				var p feedPage
				s.ask(partner, "GET", "/api/feed", "", &p)
				s.ask(partner, "GET", "/api/feed?after="+p.Next, "", nil)
			}
			s.due("late")
			if n := s.said(journey, schemas.DeliveryFailed); n != 0 {
				t.Errorf("at once it is said %d times", n)
			}
			s.clock.Set(3*time.Hour + time.Minute)
			for range 2 {
				s.due("late")
			}
			if n := s.said(journey, schemas.DeliveryFailed); n != tc.want {
				t.Errorf("after three hours it is said %d times, not %d", n, tc.want)
			}
		})
	}
}

// TestAPartnerSeesItsOwnAlone: everything that another partner has is tried, and nothing is shown or changed.
func TestAPartnerSeesItsOwnAlone(t *testing.T) {
	t.Parallel()
	s, partner, other, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), clock.NewRandomID(),
		newEndpoint(t)
	made := s.subscribes(partner, e.URL, "")
	_, offer := s.offers(partner)
	fed := s.fed(partner)
	if bodies := s.fed(other); len(bodies) != 0 {
		t.Errorf("another partner reads %v", bodies)
	}
	base := "/api/subscriptions/" + made.ID
	for _, request := range [][3]string{{"GET", base, ""}, {"DELETE", base, ""}, {"GET", base + "/attempts", ""},
		{"POST", base + "/secret", ""},
		{"POST", base + "/state", `{"on":false}`}, {"POST", base + "/again", `{"all":true}`},
		{"POST", base + "/test", ""}} {
		if status := s.ask(other, request[0], request[1], request[2], nil); status != http.StatusNotFound {
			t.Errorf("%s %s answers another partner %d", request[0], request[1], status)
		}
	}
	var list struct{ Items []subscriptionShown }
	if s.ask(other, "GET", "/api/subscriptions", "", &list); len(list.Items) != 0 {
		t.Errorf("another partner lists %v", list.Items)
	}
	if status := s.ask("RXX", "GET", "/api/feed", "", nil); status != http.StatusForbidden {
		t.Errorf("an organisation that is no partner is answered %d", status)
	}
	if s.state(partner, made.ID) != pending || len(fed) != 1 || !strings.Contains(fed[0], offer) {
		t.Errorf("the endpoint is %s, the feed %v", s.state(partner, made.ID), fed)
	}
}

// TestACursorThatDoesNotFitIsToldSo, and where to begin again.
func TestACursorThatDoesNotFitIsToldSo(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	s.offers(partner)
	for after, want := range map[string]int{"": 200, "0-0": 200, "0-1": 200, "0-2": 410, "1-1": 410, "x": 400,
		"0-": 400, "-1-1": 400} {
		var p struct{ Begin string }
		if status := s.ask(partner, "GET", "/api/feed?after="+after, "", &p); status != want || want == 410 &&
			p.Begin != "0-0" {
			t.Errorf("after=%s answers %d, begin %q", after, status, p.Begin)
		}
	}
	if _, err := s.pool.Exec(t.Context(), `update incarnation set number = 7`); err != nil {
		t.Fatal(err)
	}
	var p struct{ Begin string }
	if status := s.ask(partner, "GET", "/api/feed?after=0-1", "", &p); status != 410 || p.Begin != "7-0" {
		t.Errorf("after a restore a cursor answers %d, begin %q", status, p.Begin)
	}
}

// TestEventsAreSentAgain: one by its id, what came after a cursor, a test; each with the id and the body it had.
func TestEventsAreSentAgain(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	s.offers(partner)
	s.work()
	made := s.subscribes(partner, e.URL, `,"types":["`+string(schemas.OfferSent)+`"]`)
	testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(partner, made.ID) == active })
	s.offers(partner)
	testkit.Eventually(t, "the newer one comes", func() bool { return len(e.taken()) == 1 })
	first := e.all()[0]
	base := "/api/subscriptions/" + made.ID
	var asked subscriptionShown
	if status := s.ask(partner, "POST", base+"/again", fmt.Sprintf(`{"event":%q}`, first.id),
		&asked); status != http.StatusOK || asked.Again == nil || *asked.Again != 1 {
		t.Fatalf("asking for it again answered %d: %+v", status, asked)
	}
	testkit.Eventually(t, "it comes again", func() bool { return len(e.taken()) == 2 })
	if again := e.all()[1]; again.id != first.id || again.body != first.body {
		t.Errorf("it came again as %v", again)
	}
	s.ask(partner, "POST", base+"/again", `{"all":true}`, nil)
	testkit.Eventually(t, "both come, the older one too", func() bool { return len(e.taken()) == 4 })
	var shown subscriptionShown
	s.ask(partner, "POST", base+"/test", "", &shown)
	testkit.Eventually(t, "the test comes",
		func() bool { return slices.ContainsFunc(e.all(), func(r received) bool { return r.id == shown.Event }) })
	var attempts struct{ Items []attemptRow }
	testkit.Eventually(t, "all attempts are listed", func() bool {
		s.ask(partner, "GET", base+"/attempts", "", &attempts)
		return len(attempts.Items) == 5 &&
			!slices.ContainsFunc(attempts.Items, func(a attemptRow) bool { return a.Outcome != cameThrough })
	})
}

// TestWhatFollowsFromAnAttempt: the ladder, Retry-After, and when it is given up.
func TestWhatFollowsFromAnAttempt(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	for number, want := range []time.Duration{1: 5 * time.Second, 2: 5 * time.Minute, 3: 30 * time.Minute,
		4: 2 * time.Hour, 5: 5 * time.Hour, 6: 10 * time.Hour, 7: 12 * time.Hour, 8: 12 * time.Hour} {
		if number == 0 {
			continue
		}
		for _, jitter := range []float64{0, 1} {
			r := resultOf(parcel{Number: number, First: at}, 500, refusedIt, 0, 0, at, jitter)
			if wait := r.DueAt.Sub(at); wait < want || wait > want*6/5+1 || r.State != stateWaiting {
				t.Errorf("after %d attempts it waits %v (%s)", number, wait, r.State)
			}
		}
	}
	if r := resultOf(parcel{Number: 9, First: at.Add(-65 * time.Hour)}, 500, refusedIt, 0, 0, at,
		0); r.State != stateGivenUp {
		t.Errorf("after three days it is %s", r.State)
	}
	for header, want := range map[string]time.Duration{"": 0, "120": 2 * time.Minute, "-5": 0,
		"999999999": mostRetryAfter, "soon": 0,
		at.Add(time.Hour).Format(http.TimeFormat): time.Hour, at.Add(-time.Hour).Format(http.TimeFormat): 0} {
		if got := retryAfter(header, at); got != want {
			t.Errorf("Retry-After %q is %v, want %v", header, got, want)
		}
	}
	for failing, want := range map[time.Duration]time.Duration{0: time.Second, 10 * time.Second: 5 * time.Second,
		time.Hour: time.Minute} {
		since := at.Add(-failing)
		if r := resultOf(parcel{Number: 1, First: at, Failing: &since}, 502, refusedIt, 0, 0, at,
			0); r.Rest.Sub(at) != want {
			t.Errorf("an endpoint that has failed for %v rests for %v, want %v", failing, r.Rest.Sub(at), want)
		}
	}
	if r := resultOf(parcel{Number: 1, First: at}, 429, tooMany, time.Hour, 0, at,
		0); r.DueAt.Before(at.Add(time.Hour)) || r.Rest.Before(at.Add(time.Hour)) {
		t.Errorf("asked to wait for an hour it comes %v, and its endpoint rests until %v", r.DueAt, r.Rest)
	}
}

// TestAnEndpointIsToldOfItsAreas and of offers whose area may not be shown, and of no other: by all types, and of what
// follows.
func TestAnEndpointIsToldOfItsAreas(t *testing.T) {
	t.Parallel()
	s, partner, north, all := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t), newEndpoint(t)
	s.work()
	for _, wrong := range []string{`["BA1 2AB"]`, `[""]`, `["north west"]`} {
		if status := s.ask(partner, "POST", "/api/subscriptions", fmt.Sprintf(`{"url":%q,"areas":%s}`, north.URL,
			wrong),
			nil); status != http.StatusUnprocessableEntity {
			t.Errorf("areas %s are answered with %d", wrong, status)
		}
	}
	filtered, whole := s.subscribes(partner, north.URL, `,"areas":["north","isle"]`), s.subscribes(partner, all.URL, "")
	if !slices.Equal(filtered.Areas, []string{"north", "isle"}) {
		t.Errorf("its filter is shown as %v", filtered.Areas)
	}
	testkit.Eventually(t, "both agree", func() bool {
		return s.state(partner, filtered.ID) == active && s.state(partner, whole.ID) == active
	})
	offers := map[string]string{}
	for _, area := range []string{"south", "", "north"} {
		journey, offer := clock.NewID(s.clock.Now()), clock.NewID(s.clock.Now())
		offers[area] = offer
		s.hears(journey, schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Partner: partner,
			Person: clock.NewRandomID(), FirstDay: "2026-11-09", LastDay: "2026-11-16"})
		s.hears(journey, schemas.OfferCleared, schemas.OfferClearedData{Offer: offer, Partner: partner, Area: area})
		s.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
	}
	testkit.Eventually(t, "all is told", func() bool { return len(all.taken()) == 6 && len(north.taken()) == 4 })
	for _, r := range north.all() {
		if strings.Contains(r.body, offers["south"]) || strings.Contains(r.body, "north") {
			t.Errorf("the endpoint of the north is told %s", r.body)
		}
	}
}

// TestAnEndpointThatWasToldHearsOfWhoeverMoves to an area that it has not asked for: what becomes of the offer comes to
// those that know of it.
func TestAnEndpointThatWasToldHearsOfWhoeverMoves(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	journey, offer := clock.NewID(s.clock.Now()), clock.NewID(s.clock.Now())
	clears := func(area string) {
		s.hears(journey, schemas.OfferCleared, schemas.OfferClearedData{Offer: offer, Partner: partner, Area: area})
	}
	s.hears(journey, schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Partner: partner,
		Person: clock.NewRandomID(), FirstDay: "2026-11-09", LastDay: "2026-11-16"})
	clears("east") // nobody is told of it yet
	clears("north")
	s.hears(journey, schemas.OfferPaused, schemas.OfferPausedData{Offer: offer})
	clears("south")
	clears("south")
	s.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
	rows, err := s.pool.Query(t.Context(), `select area from partner_event where offer = $1 order by position`, offer)
	if err != nil {
		t.Fatal(err)
	}
	areas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !slices.Equal(areas, []string{"east", "", "", ""}) {
		t.Errorf("what is told of somebody who moves is told by area as %q %v", areas, err)
	}
}
