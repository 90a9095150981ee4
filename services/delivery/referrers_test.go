package delivery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/mail"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

const hospital = "RXX"

// toldOf are the states that an organisation reads of a journey, oldest first, and everything it reads as one text.
func (s *site) toldOf(organisation, journey string) (states []string, text string) {
	s.t.Helper()
	var p feedPage
	if status := s.ask(organisation, "GET", "/api/referrals/feed", "", &p); status != http.StatusOK {
		s.t.Fatalf("the feed of referrals answered %d", status)
	}
	for _, one := range p.Items {
		var e struct {
			Type, Subject string
			Data          schemas.ReferralNewsData
		}
		if err := json.Unmarshal(one.Event, &e); err != nil {
			s.t.Fatal(err)
		}
		if text += string(one.Event); e.Subject == journey {
			states = append(states, e.Data.State)
		}
	}
	return states, text
}

// referred is an offer of somebody whom the hospital sent home, and a professional of another organisation referred.
func (s *site) referred(partner string) (journey, offer string) {
	s.t.Helper()
	journey, offer = clock.NewID(s.clock.Now()), clock.NewID(s.clock.Now())
	s.hears(journey, schemas.DischargeRecorded, schemas.DischargeRecordedData{Organisation: hospital,
		Person: clock.NewRandomID(), Visit: clock.NewRandomID(), LeftOn: "2026-11-02"})
	s.hears(journey, schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Person: clock.NewRandomID(),
		Partner: partner, FirstDay: "2026-11-09", LastDay: "2026-11-16"})
	s.hears(journey, schemas.OfferCleared, schemas.OfferClearedData{Offer: offer, Partner: partner})
	return journey, offer
}

// TestAReferrerLearnsThatSomebodyIsInTouchAndNoMore without the person's yes: no partner, day, offer or word; and
// another organisation, and the partner, learn nothing.
func TestAReferrerLearnsThatSomebodyIsInTouchAndNoMore(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	journey, offer := s.referred(partner)
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
	s.hears(journey, schemas.AppointmentKept, schemas.AppointmentKeptData{Offer: offer,
		Appointment: clock.NewRandomID()})
	s.hears(journey, schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: offer})
	states, text := s.toldOf(hospital, journey)
	if !slices.Equal(states, []string{schemas.NewsOffered, schemas.NewsInTouch}) {
		t.Errorf("without a yes the referrer learns %v", states)
	}
	for _, never := range []string{offer, partner, "2026-11-09", "2026-11-16", "kept", "person"} {
		if strings.Contains(text, never) {
			t.Errorf("the referrer is told %q: %s", never, text)
		}
	}
	if states, _ := s.toldOf("RYY", journey); len(states) != 0 {
		t.Errorf("another organisation learns %v", states)
	}
	for _, body := range s.fed(partner) {
		if strings.Contains(body, journey) || strings.Contains(body, "referral") {
			t.Errorf("the partner is told %s", body)
		}
	}
}

func TestAReferrerLearnsThatNobodyIsInTouchAnyMore(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	journey, offer := s.referred(partner)
	s.hears(journey, schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: offer, Reason: "22"})
	if states, _ := s.toldOf(hospital, journey); !slices.Equal(states, []string{schemas.NewsOffered,
		schemas.NewsNotWith}) {
		t.Errorf("after a no the referrer learns %v", states)
	}
}

// TestAReferrerLearnsMoreByTheirYesAlone: given before or after, and never once it is taken back, also where it had
// been written and not read yet.
func TestAReferrerLearnsMoreByTheirYesAlone(t *testing.T) {
	t.Parallel()
	yes := schemas.ConsentData{Purposes: []string{schemas.PurposeTellReferrer}}
	for name, c := range map[string]struct {
		before, after []schemas.Type
		want          []string
	}{
		"a yes before": {[]schemas.Type{schemas.ConsentGiven}, nil, []string{schemas.NewsOffered, schemas.NewsInTouch,
			schemas.NewsKept, schemas.NewsCompleted}},
		"a yes after": {nil, []schemas.Type{schemas.ConsentGiven}, []string{schemas.NewsOffered, schemas.NewsInTouch,
			schemas.NewsCompleted}},
		"a no": {[]schemas.Type{schemas.ConsentDeclined}, nil, []string{schemas.NewsOffered, schemas.NewsInTouch}},
		"taken back before it happened": {[]schemas.Type{schemas.ConsentGiven, schemas.ConsentWithdrawn}, nil,
			[]string{schemas.NewsOffered, schemas.NewsInTouch}},
		"taken back before it was read": {[]schemas.Type{schemas.ConsentGiven},
			[]schemas.Type{schemas.ConsentWithdrawn},
			[]string{schemas.NewsOffered, schemas.NewsInTouch, schemas.NewsWithheld, schemas.NewsWithheld}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, partner := newSite(t, Config{}), clock.NewRandomID()
			journey, offer := s.referred(partner)
			for _, typ := range c.before {
				s.hears(journey, typ, yes)
			}
			s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
			s.hears(journey, schemas.AppointmentKept, schemas.AppointmentKeptData{Offer: offer,
				Appointment: clock.NewRandomID()})
			s.hears(journey, schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: offer})
			for _, typ := range c.after {
				s.hears(journey, typ, yes)
			}
			if states, _ := s.toldOf(hospital, journey); !slices.Equal(states, c.want) {
				t.Errorf("the referrer learns %v, and not %v", states, c.want)
			}
		})
	}
}

// TestAReferrerWhoMustNotKnowIsGivenNothingThatWaits in its log unread, whatever needs a yes; and hears how it stands
// when it may know again.
func TestAReferrerWhoMustNotKnowIsGivenNothingThatWaits(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	journey, offer := s.referred(partner)
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
	s.hears(journey, schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{hospital}})
	want := []string{schemas.NewsWithheld, schemas.NewsWithheld}
	if states, text := s.toldOf(hospital, journey); !slices.Equal(states, want) {
		t.Errorf("whoever must not know is told %v: %s", states, text)
	}
	s.hears(journey, schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{}})
	if states, _ := s.toldOf(hospital, journey); !slices.Equal(states, append(want, schemas.NewsInTouch)) {
		t.Errorf("whoever may know again is told %v", states)
	}
}

// TestAYesCountsForTheReferrerItIsOf and for the time that it was given for: not where a no was said to one by name,
// nor for what begins again after the journey was closed; and what was taken back unread is told by another yes.
func TestAYesCountsForTheReferrerItIsOf(t *testing.T) {
	t.Parallel()
	purposes := []string{schemas.PurposeTellReferrer}
	for name, c := range map[string]struct {
		before, after func(s *site, journey string)
		want          []string
	}{
		"a no by name": {func(s *site, journey string) {
			s.hears(journey, schemas.ConsentGiven, schemas.ConsentData{Purposes: purposes})
			s.hears(journey, schemas.ConsentDeclined, schemas.ConsentData{Purposes: purposes, Organisation: hospital})
		}, nil, []string{schemas.NewsOffered, schemas.NewsInTouch}},
		"a yes of what was closed": {func(s *site, journey string) {
			s.hears(journey, schemas.ConsentGiven, schemas.ConsentData{Purposes: purposes})
			s.hears(journey, schemas.JourneyClosed, schemas.JourneyClosedData{AnsweredUpTo: int(s.seq)})
			s.hears(journey, schemas.JourneyReopened, schemas.JourneyReopenedData{})
		}, nil, []string{schemas.NewsOffered, schemas.NewsInTouch}},
		"a yes after which it is closed": {func(s *site, journey string) {
			s.hears(journey, schemas.ConsentGiven, schemas.ConsentData{Purposes: purposes})
		}, func(s *site, journey string) {
			s.hears(journey, schemas.JourneyClosed, schemas.JourneyClosedData{AnsweredUpTo: int(s.seq)})
		}, []string{schemas.NewsOffered, schemas.NewsInTouch, schemas.NewsCompleted}},
		"taken back and given again": {func(s *site, journey string) {
			s.hears(journey, schemas.ConsentGiven, schemas.ConsentData{Purposes: purposes})
		}, func(s *site, journey string) {
			s.hears(journey, schemas.ConsentWithdrawn, schemas.ConsentData{Purposes: purposes})
			s.hears(journey, schemas.ConsentGiven, schemas.ConsentData{Purposes: purposes})
		}, []string{schemas.NewsOffered, schemas.NewsInTouch, schemas.NewsWithheld, schemas.NewsCompleted}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, partner := newSite(t, Config{}), clock.NewRandomID()
			journey, offer := s.referred(partner)
			c.before(s, journey)
			s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
			s.hears(journey, schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: offer})
			if c.after != nil {
				c.after(s, journey)
			}
			if states, _ := s.toldOf(hospital, journey); !slices.Equal(states, c.want) {
				t.Errorf("the referrer learns %v, and not %v", states, c.want)
			}
		})
	}
}

// TestAReferrerIsToldNothingOfWhatWasOverBefore it sent somebody home: an old offer is no word about them now, whoever
// else was told of it.
func TestAReferrerIsToldNothingOfWhatWasOverBefore(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	journey, completed := s.referred(partner)
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: completed, Partner: partner})
	s.hears(journey, schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: completed})
	raises := func() (offer string) {
		offer = clock.NewID(s.clock.Now())
		s.hears(journey, schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Person: clock.NewRandomID(),
			Partner: partner, FirstDay: "2026-11-09", LastDay: "2026-11-16"})
		s.hears(journey, schemas.OfferCleared, schemas.OfferClearedData{Offer: offer, Partner: partner})
		return offer
	}
	declined := raises()
	s.hears(journey, schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: declined, Reason: "22"})
	s.hears(journey, schemas.DischargeRecorded, schemas.DischargeRecordedData{Organisation: "RYY",
		Person: clock.NewRandomID(), Visit: clock.NewRandomID(), LeftOn: "2026-11-20"})
	if states, _ := s.toldOf("RYY", journey); len(states) != 0 {
		t.Errorf("of what was over before the referrer learns %v", states)
	}
	asked := raises()
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: asked, Partner: partner})
	if states, _ := s.toldOf("RYY", journey); !slices.Equal(states, []string{schemas.NewsOffered,
		schemas.NewsInTouch}) {
		t.Errorf("of what came after it learns %v", states)
	}
}

// TestAReferrerIsToldByWebhookWhatItsFeedHolds, by the same ladder, signed, and as the published schema has it; what
// has come to the referrer has not come to the partner, for whom somebody goes on waiting.
func TestAReferrerIsToldByWebhookWhatItsFeedHolds(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	s.work()
	made := s.subscribes(hospital, e.URL, "")
	testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(hospital, made.ID) == active })
	journey, offer := s.referred(partner)
	testkit.Eventually(t, "the first comes", func() bool { return len(e.taken()) == 1 })
	testkit.Eventually(t, "it is settled", func() bool {
		var settled bool
		return s.pool.QueryRow(t.Context(), `select exists (select from outgoing where state = 'delivered')`).
			Scan(&settled) == nil && settled
	})
	if s.said(journey, schemas.DeliveryMade) != 0 {
		t.Error("what came to the referrer counts as having come to the partner")
	}
	s.hears(journey, schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{schemas.PurposeTellReferrer}})
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
	s.hears(journey, schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: offer})
	testkit.Eventually(t, "all come", func() bool { return len(e.taken()) == 3 })
	var p feedPage
	s.ask(hospital, "GET", "/api/referrals/feed", "", &p)
	schema := referralSchema(t)
	for i, r := range e.all() {
		if err := verify(made.Secret, r); err != nil || r.body != string(p.Items[i].Event) {
			t.Errorf("%d: %v: by webhook came %s, and the feed has %s", i, err, r.body, p.Items[i].Event)
		}
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v", r.body, err)
		}
	}
}

func referralSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schemas.ReferralSchemaJSON())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://footbridge.invalid/schema", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("https://footbridge.invalid/schema")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestAYesTakenBackIsNotSentToAReferrersEndpoint that was away meanwhile: what stands in its place comes.
func TestAYesTakenBackIsNotSentToAReferrersEndpoint(t *testing.T) {
	t.Parallel()
	s, partner, e := newSite(t, Config{Allow: loopback()}), clock.NewRandomID(), newEndpoint(t)
	made := s.subscribes(hospital, e.URL, "")
	journey, offer := s.referred(partner)
	yes := schemas.ConsentData{Purposes: []string{schemas.PurposeTellReferrer}}
	s.hears(journey, schemas.ConsentGiven, yes)
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
	s.hears(journey, schemas.AppointmentKept, schemas.AppointmentKeptData{Offer: offer,
		Appointment: clock.NewRandomID()})
	s.hears(journey, schemas.ConsentWithdrawn, yes)
	s.work()
	testkit.Eventually(t, "the endpoint agrees", func() bool { return s.state(hospital, made.ID) == active })
	testkit.Eventually(t, "all come", func() bool { return len(e.taken()) == 3 })
	if all := strings.Join(e.taken(), ""); strings.Contains(all, schemas.NewsKept) ||
		!strings.Contains(all, string(schemas.ReferralWithheld)) {
		t.Errorf("after a yes was taken back these came: %s", all)
	}
}

// TestEndpointsOfAReferrerAndAPartnerAreApart: neither sees the other's, and each filters by what it may be told.
func TestEndpointsOfAReferrerAndAPartnerAreApart(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	made := s.subscribes(hospital, "https://hospital.example/news", `,"types":["`+string(schemas.ReferralUpdated)+`"]`)
	for who, body := range map[string]string{
		hospital: `{"url":"https://hospital.example/x","types":["` + string(schemas.OfferSent) + `"]}`,
		partner:  `{"url":"https://charity.example/x","types":["` + string(schemas.ReferralUpdated) + `"]}`,
	} {
		if status := s.ask(who, "POST", "/api/subscriptions", body, nil); status != http.StatusUnprocessableEntity {
			t.Errorf("%s may ask for %s: %d", who, body, status)
		}
	}
	for _, who := range []string{partner, "RYY"} {
		for _, ask := range [][2]string{{"GET", ""}, {"GET", "/attempts"}, {"POST", "/test"}, {"DELETE", ""}} {
			if status := s.ask(who, ask[0], "/api/subscriptions/"+made.ID+ask[1], "",
				nil); status != http.StatusNotFound {
				t.Errorf("%s: %s %s answered %d", who, ask[0], ask[1], status)
			}
		}
	}
}

// teamBox is a mailbox of the liaison team's.
const teamBox = "liaison@trust.example"

// TestAReferrersMailboxIsToldThatSomethingIsThereToRead, and neither of whom nor what: and what it says may still be
// taken back, as nothing of it has been given out; the partner has not been told by it.
func TestAReferrersMailboxIsToldThatSomethingIsThereToRead(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	if status := m.ask(hospital, "PUT", "/api/referrals/notice", `{"by":"email","to":"`+teamBox+`"}`,
		nil); status != http.StatusOK {
		t.Fatalf("naming a mailbox answered %d", status)
	}
	m.post()
	journey, offer := m.referred(m.partner)
	m.comes(mailSent, 1)
	all := m.posted()
	want := "Something waits for you to read.\r\nPlease look.\r\n\r\nhttps://footbridge.example/referrals\r\n\r\n" +
		"This message says no more on purpose. Nobody reads answers to it.\r\n" +
		"If it is not for you, please delete it.\r\n"
	if len(all) != 1 || all[0].To != teamBox || all[0].Subject != "Something waits for you" || all[0].Text != want {
		t.Errorf("the mailbox of those who referred somebody is told %q, and not %q", all, want)
	}
	if m.said(journey, schemas.DeliveryMade) != 0 || m.count(`select count(*) from offer where id = $1
		and tell_by is not null`, offer) != 1 {
		t.Error("a mail to those who referred somebody counts as having come to the partner")
	}
	m.hears(journey, schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{hospital}})
	if states, _ := m.toldOf(hospital, journey); !slices.Equal(states, []string{schemas.NewsWithheld}) {
		t.Errorf("after a mail that said nothing the feed still says %v", states)
	}
}

// TestAReferrersMailIsNotSentOfWhatItMustNotKnow any more, though it was written before.
func TestAReferrersMailIsNotSentOfWhatItMustNotKnow(t *testing.T) {
	t.Parallel()
	for name, digest := range map[string]bool{"at once": false, "in a digest": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailSite(t)
			m.ask(hospital, "PUT", "/api/referrals/notice", fmt.Sprintf(`{"by":"email","to":%q,"digest":%t}`, teamBox,
				digest), nil)
			journey, _ := m.referred(m.partner)
			m.due("mails-made")
			m.hears(journey, schemas.PreferencesChanged,
				schemas.PreferencesChangedData{MustNotKnow: []string{hospital}})
			m.clock.Set(48 * time.Hour)
			m.post()
			m.comes(mailWithheld, 1)
			if all := m.posted(); len(all) != 0 {
				t.Errorf("of somebody of whom it must not know it was mailed %+v", all)
			}
		})
	}
}

// TestAReferrersMailboxIsToldOnceADayWhereItWantsThat of all that is new.
func TestAReferrersMailboxIsToldOnceADayWhereItWantsThat(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.ask(hospital, "PUT", "/api/referrals/notice", `{"by":"email","to":"`+teamBox+`","digest":true}`, nil)
	for range 3 {
		m.referred(m.partner)
	}
	m.due("mails-made")
	if n := m.count(`select count(*) from mail where state = 'waiting'`); n != 1 {
		t.Fatalf("%d mails wait, and not one of the day", n)
	}
	m.clock.Set(48 * time.Hour)
	m.post()
	m.comes(mailSent, 1)
	if all := m.posted(); len(all) != 1 || all[0].To != teamBox {
		t.Errorf("posted is %+v", all)
	}
}

// TestAReferrersMailThatComesBackTroublesNoPartner: nobody is asked to ring the partner, and the team reads that its
// mailbox takes no mail.
func TestAReferrersMailThatComesBackTroublesNoPartner(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.sink.Answer(func(mail.Received) error { return mail.Refuse(550, [3]int{5, 1, 1}, "No such mailbox") })
	m.ask(hospital, "PUT", "/api/referrals/notice", `{"by":"email","to":"`+teamBox+`"}`, nil)
	m.post()
	journey, _ := m.referred(m.partner)
	m.comes(mailRefused, 1)
	var shown noticeShown
	m.ask(hospital, "GET", "/api/referrals/notice", "", &shown)
	if shown.Trouble != troubleRefused || len(shown.Mails) != 1 || shown.Partner != "" {
		t.Errorf("the team reads %+v", shown)
	}
	if m.said(journey, schemas.DeliveryFailed) != 0 {
		t.Error("a navigator is asked to ring the partner, of whom nothing failed")
	}
}

// TestAReferrerWhoseMailDidNotComeIsSaidOfEachJourney, so that somebody tells them another way: for each mail that is
// refused or comes back, until a later one is taken; again where that one comes back too.
func TestAReferrerWhoseMailDidNotComeIsSaidOfEachJourney(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.sink.Answer(func(mail.Received) error { return mail.Refuse(550, [3]int{5, 1, 1}, "No such mailbox") })
	m.ask(hospital, "PUT", "/api/referrals/notice", `{"by":"email","to":"`+teamBox+`"}`, nil)
	m.post()
	first, _ := m.referred(m.partner)
	m.hasSaid(first, schemas.ReferrerUntold, 1)
	m.sink.Answer(nil)
	second, _ := m.referred(m.partner)
	m.hasSaid(first, schemas.ReferrerTold, 1)
	m.comes(mailSent, 1)
	if m.said(second, schemas.ReferrerUntold)+m.said(second, schemas.ReferrerTold) != 0 {
		t.Error("something is said of somebody whose news came at once")
	}
	var taken string
	if err := m.pool.QueryRow(t.Context(), `select id::text from mail where state = 'sent'`).Scan(&taken); err != nil {
		t.Fatal(err)
	}
	if err := m.flow.Do(t.Context(), func(tx *flow.Tx) error {
		return m.cameBack(tx, taken, 1, mail.NotDelivered, "5.1.1")
	}); err != nil {
		t.Fatal(err)
	}
	if m.said(first, schemas.ReferrerUntold) != 2 || m.said(second, schemas.ReferrerUntold) != 1 {
		t.Errorf("what was taken comes back, and it is said %d and %d times", m.said(first, schemas.ReferrerUntold),
			m.said(second, schemas.ReferrerUntold))
	}
	if m.said(first, schemas.DeliveryFailed)+m.said(second, schemas.DeliveryFailed) != 0 {
		t.Error("a navigator is asked to ring the partner, of whom nothing failed")
	}
}

// TestAReferrerThatMustNotKnowIsToldNoOtherWayEither, though a mail of before did not come.
func TestAReferrerThatMustNotKnowIsToldNoOtherWayEither(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.ask(hospital, "PUT", "/api/referrals/notice", `{"by":"email","to":"`+teamBox+`"}`, nil)
	m.post()
	journey, _ := m.referred(m.partner)
	m.comes(mailSent, 1)
	m.hears(journey, schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{hospital}})
	var taken string
	if err := m.pool.QueryRow(t.Context(), `select id::text from mail where state = 'sent'`).Scan(&taken); err != nil {
		t.Fatal(err)
	}
	if err := m.flow.Do(t.Context(), func(tx *flow.Tx) error {
		return m.cameBack(tx, taken, 1, mail.NotDelivered, "5.1.1")
	}); err != nil {
		t.Fatal(err)
	}
	if m.said(journey, schemas.ReferrerUntold) != 0 {
		t.Error("somebody is to tell an organisation that must not know")
	}
}

// TestAReferrersMailboxIsItsOwn: no other organisation, partner or member of staff reads or changes it, by its log's id
// as that of a partner neither; and a telephone is none.
func TestAReferrersMailboxIsItsOwn(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.referred(m.partner)
	m.ask(hospital, "PUT", "/api/referrals/notice", `{"by":"email","to":"`+teamBox+`"}`, nil)
	asPartner := "/api/partners/" + schemas.ReferrerLog(hospital) + "/notice"
	for _, who := range []string{"RYY", hospital, m.partner} {
		for _, ask := range [][2]string{{"GET", ""}, {"PUT", `{"by":"email","to":"us@elsewhere.example"}`}} {
			if status := m.askWith(who, ask[0], asPartner, ask[1], nil, roleHeader,
				string(schemas.Navigator)); status != http.StatusNotFound {
				t.Errorf("%s: %s of a referrer's mailbox as a partner's answered %d", who, ask[0], status)
			}
		}
	}
	var theirs noticeShown
	if m.ask("RYY", "GET", "/api/referrals/notice", "", &theirs); theirs.To != "" || len(theirs.Mails) != 0 {
		t.Errorf("another organisation reads %+v", theirs)
	}
	if status := m.ask(hospital, "PUT", "/api/referrals/notice", `{"by":"telephone","to":"020"}`,
		nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a telephone answered %d", status)
	}
}

// TestTheNewestNewsIsReadWithoutACursor: as many as are asked for.
func TestTheNewestNewsIsReadWithoutACursor(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	var journeys []string
	for range 3 {
		journey, _ := s.referred(partner)
		journeys = append(journeys, journey)
	}
	var p feedPage
	s.ask(hospital, "GET", "/api/referrals/feed?newest=2", "", &p)
	if len(p.Items) != 2 || !strings.Contains(string(p.Items[1].Event), journeys[2]) {
		t.Errorf("the last two are %+v", p)
	}
	for _, nonsense := range []string{"0", "-1", "many"} {
		if status := s.ask(hospital, "GET", "/api/referrals/feed?newest="+nonsense, "", nil); status !=
			http.StatusBadRequest {
			t.Errorf("%q of the last answered %d", nonsense, status)
		}
	}
}

// TestAReferrerOfSomebodyUnderWayIsToldOnceTheStreamIsPublishedAgain: after an upgrade from a release that did not say
// who referred somebody, what was published before is published again (footbridge streams rebuild), and comes last.
func TestAReferrerOfSomebodyUnderWayIsToldOnceTheStreamIsPublishedAgain(t *testing.T) {
	t.Parallel()
	s, partner := newSite(t, Config{}), clock.NewRandomID()
	s.seq = 10
	journey, offer := s.offers(partner)
	s.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
	before := len(s.fed(partner))
	s.seq = 0 // it was said before all that
	s.hears(journey, schemas.DischargeRecorded, schemas.DischargeRecordedData{Organisation: hospital,
		Person: clock.NewRandomID(), Visit: clock.NewRandomID(), LeftOn: "2026-11-02"})
	s.hears(journey, schemas.DischargeRecorded, schemas.DischargeRecordedData{Organisation: hospital,
		Person: clock.NewRandomID(), Visit: clock.NewRandomID(), LeftOn: "2026-11-02"})
	if states, _ := s.toldOf(hospital, journey); !slices.Equal(states, []string{schemas.NewsInTouch}) {
		t.Errorf("of somebody who was under way the referrer learns %v", states)
	}
	if after := len(s.fed(partner)); after != before {
		t.Errorf("the partner is told %d things, and was told %d", after, before)
	}
}
