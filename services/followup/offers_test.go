package followup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// site is followup with its tables, its HTTP and a clock that stands until it is set.
type site struct {
	*Service
	t     *testing.T
	flow  *flow.Flow
	pool  *pgxpool.Pool
	clock *set
	srv   *httptest.Server
	mu    sync.Mutex
	who   principal.Principal
	seq   int64
}

type set struct {
	mu sync.Mutex
	at time.Time
}

func (s *set) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// Machine says that the machine's own clock is right: this one is set by the test.
func (s *set) Machine() time.Time { return clock.Real().Now() }

func (s *set) to(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
}

// newSite is a site whose partners have an agreement in force, but for what is changed of them.
func newSite(t *testing.T, invented bool, change ...func(p *PartnerConfig)) *site {
	t.Helper()
	s := &site{t: t, clock: &set{at: now}, pool: testkit.Database(t, migrated()).Pool(Name)}
	stream := bus.Stream{Name: "TEST_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: time.Hour, MaxBytes: -1}
	conn := testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL(), Name: Name})
	if _, err := conn.EnsureStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.flow, err = flow.New(context.WithoutCancel(t.Context()), flow.Config{Service: Name, Pool: s.pool, Bus: conn,
		Stream: stream, Clock: s.clock}); err != nil {
		t.Fatal(err)
	}
	// The clock leaps: days that the process would have made ready meanwhile are made ready before.
	if err = pg.EnsureDayPartitions(t.Context(), s.pool, "outbox", pg.ByUUIDv7, now,
		now.AddDate(0, 0, 60)); err != nil {
		t.Fatal(err)
	}
	today := calendar.DayOf(now, time.UTC)
	var partners []PartnerConfig
	for _, p := range partnersAB() {
		p.Agreement = &Span{today - 10, today + 300}
		config := PartnerConfig{Partner: p, Organisation: "charity-" + p.Service}
		for _, do := range change {
			do(&config)
		}
		partners = append(partners, config)
	}
	if s.Service, err = New(t.Context(), Config{Pool: s.pool, Partners: partners, Zone: london(t),
		Invented: invented}); err != nil {
		t.Fatal(err)
	}
	mux := httpx.NewMux(httpx.Options{})
	mux.Use(principal.Require(func(*http.Request) (principal.Principal, error) { return s.asking(), nil }))
	if err := s.Routes(mux, s.flow, s.pool, s.clock); err != nil {
		t.Fatal(err)
	}
	s.srv = httptest.NewServer(mux)
	t.Cleanup(s.srv.Close)
	return s
}

func (s *site) asking() principal.Principal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.who
}

func (s *site) do(fn func(tx *flow.Tx) error) {
	s.t.Helper()
	if err := s.flow.Do(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// hears applies events of one journey, as the bus brings them.
func (s *site) hears(journey string, events ...flow.Event) {
	s.t.Helper()
	for i := range events {
		s.seq++
		events[i].Subject, events[i].Sequence, events[i].ID = journey, flow.FormatSequence(s.seq),
			clock.NewID(s.clock.Now())
	}
	s.do(func(tx *flow.Tx) error {
		apply := s.Handle(tx, events)
		if err := tx.Flush(); err != nil {
			return err
		}
		return apply(events)
	})
}

// yes is what the person said to a partner by name, or to any; typ may be another answer.
func yes(partner string, typ schemas.Type) flow.Event {
	return event("", 0, typ, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp}, Organisation: partner})
}

// begins is a journey whose person left hospital the day before, for whom both partners' services are open.
func (s *site) begins(answers ...flow.Event) (journey string) {
	s.t.Helper()
	journey = clock.NewID(s.clock.Now())
	s.hears(journey, append([]flow.Event{discharged(journey),
		event("", 0, schemas.PathwayDecided, doorsOf(thirdSector("svc-a", schemas.Eligible),
			thirdSector("svc-b", schemas.Eligible)))}, answers...)...)
	return journey
}

// due lets what is due happen, until nothing is.
func (s *site) due() {
	s.t.Helper()
	for taken := 1; taken > 0; {
		taken = 0
		for _, due := range s.Due() {
			s.do(func(tx *flow.Tx) error {
				n, err := due.Run(s.t.Context(), tx, due.Limit)
				taken += n
				return err
			})
		}
	}
}

// later is a moment so much later, with what is due then done.
func (s *site) at(at time.Time) {
	s.t.Helper()
	s.clock.to(at)
	s.due()
}

// brought is a delivery to the partner of the offer that stands.
func (s *site) brought(journey string) (offer, partner string) {
	s.t.Helper()
	s.due()
	if err := s.pool.QueryRow(s.t.Context(), `select id::text, partner::text from offer where journey = $1::uuid
		and ended_at is null`, journey).Scan(&offer, &partner); err != nil {
		s.t.Fatal(err)
	}
	s.hears(journey, event("", 0, schemas.DeliveryMade, schemas.DeliveryMadeData{Offer: offer, Partner: partner,
		How: schemas.DeliveryHandedOver}))
	return offer, partner
}

// stands is the state of the offer that stands, with its partner; empty where none does.
func (s *site) stands(journey string) (state, partner string) {
	s.t.Helper()
	err := s.pool.QueryRow(s.t.Context(), `select coalesce(max(state), ''), coalesce(max(partner::text), '') from offer
		where journey = $1::uuid and ended_at is null`, journey).Scan(&state, &partner)
	if err != nil {
		s.t.Fatal(err)
	}
	return state, partner
}

// said are the events of a journey, by their noun and verb, in order.
func (s *site) said(journey string) (all []string) {
	s.t.Helper()
	rows, err := s.pool.Query(s.t.Context(), `select payload from outbox where subject like '%.' || $1 order by n`,
		journey)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var payload []byte
		if err := rows.Scan(&payload); err != nil {
			s.t.Fatal(err)
		}
		e, err := flow.Unmarshal(payload)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, strings.TrimSuffix(strings.TrimPrefix(e.Type, schemas.TypePrefix), ".v1"))
	}
	return all
}

var (
	aNavigator = principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "navigator"}
	another    = principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "another-navigator"}
)

func peer(partner string) principal.Principal {
	return principal.Principal{Organisation: partner, Role: string(schemas.Partner), Subject: "peer"}
}

// ask sends a request as somebody.
func (s *site) ask(who principal.Principal, method, path, body string, status int) (answer map[string]any) {
	s.t.Helper()
	s.mu.Lock()
	s.who = who
	s.mu.Unlock()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.srv.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode != status {
		s.t.Fatalf("%s %s as %s answered %d, not %d: %s", method, path, who.Role, response.StatusCode, status, text)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		s.t.Fatalf("%s %s answered %s", method, path, text)
	}
	return answer
}

func (s *site) is(journey, state, partner string) {
	s.t.Helper()
	if gotState, gotPartner := s.stands(journey); gotState != state || gotPartner != partner {
		s.t.Fatalf("the offer is %q with %q, not %q with %q; %v", gotState, gotPartner, state, partner, s.said(journey))
	}
}

func (s *site) hasSaid(journey, what string, times int) {
	s.t.Helper()
	n := 0
	for _, one := range s.said(journey) {
		if one == what {
			n++
		}
	}
	if n != times {
		s.t.Fatalf("%s was said %d times, not %d: %v", what, n, times, s.said(journey))
	}
}

func TestSilenceIsRemindedOfAtHalfTimeAndPassedOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	// Tuesday, in the person's own order
	journey := s.begins(yes(partnerB, schemas.ConsentGiven), yes(partnerA, schemas.ConsentGiven))
	_, first := s.brought(journey)
	s.is(journey, stateSent, partnerB)
	if first != partnerB {
		t.Fatalf("%s was asked first", first)
	}
	s.at(now.Add(20 * time.Hour))
	s.hasSaid(journey, "offer.nudged", 0)
	s.at(now.Add(29 * time.Hour)) // half of what is left until Thursday, five o'clock
	s.at(now.Add(30 * time.Hour))
	s.hasSaid(journey, "offer.nudged", 1)
	s.is(journey, stateSent, partnerB)
	s.at(now.Add(30 * 24 * time.Hour)) // down for a month
	s.hasSaid(journey, "offer.passed-on", 1)
	s.hasSaid(journey, "offer.nudged", 1)
	s.is(journey, stateRaised, partnerA)
	s.brought(journey)
	s.is(journey, stateSent, partnerA)
}

func TestAPlaceIsKeptForThePersonsOwnYesForThreeDaysAtMost(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	open, silent := s.begins(yes("", schemas.ConsentGiven)), s.begins(yes("", schemas.ConsentGiven))
	for _, journey := range []string{open, silent} {
		offer, partner := s.brought(journey)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
		s.is(journey, stateWaiting, partner)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment",
			`{"startsAt":"2026-11-10T18:00:00Z","channel":"phone"}`, 409)
	}
	_, partner := s.stands(open)
	s.at(now.Add(48 * time.Hour))
	s.hears(open, yes(partner, schemas.ConsentGiven))
	s.is(open, stateAccepted, partner)
	s.hasSaid(open, "offer.confirmed", 1)
	s.at(now.Add(73 * time.Hour))
	s.is(silent, "", "")
	if n := count(t, s.pool, `select count(*) from offer where journey = $1::uuid and state = 'withdrawn'
		and because = 'not-reached'`, silent); n != 1 {
		t.Errorf("the place was given free otherwise than as not reached: %v", s.said(silent))
	}
	s.hears(silent, yes(partner, schemas.ConsentGiven)) // reached after all
	s.brought(silent)
	s.is(silent, stateSent, partner)
}

// What outward sending rests on in these tests, and its confirmation by somebody who read it.
const (
	restsOn   = `{"safetyOfficer":"appointed 3 May","hazardLog":"7","dpia":"DPIA-12","caldicott":"approved 1 June"}`
	confirmed = `{"confirm":true,"safetyOfficer":"appointed 3 May","hazardLog":"7","dpia":"DPIA-12",` +
		`"caldicott":"approved 1 June"}`
)

// TestWhoConfirmsNamesWhatTheyRead: the first may ask again, for something else, while the second reads.
func TestWhoConfirmsNamesWhatTheyRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	path := "/api/organisations/RXX/going-live"
	s.ask(aNavigator, "POST", path, restsOn, 202)
	s.ask(aNavigator, "POST", path, strings.Replace(restsOn, `"7"`, `"8, not signed"`, 1), 202)
	for _, unread := range []string{`{"confirm":true}`, confirmed} {
		got := s.ask(another, "POST", path, unread, 409)
		if detail, _ := got["detail"].(string); !strings.Contains(detail, "hazardLog") {
			t.Errorf("%s is refused with %q, which does not say what changed", unread, detail)
		}
	}
	if got := s.ask(another, "GET", path, "", 200); got["on"] != false {
		t.Errorf("it is %v", got)
	}
	s.ask(another, "POST", path, strings.Replace(confirmed, `"7"`, `"8, not signed"`, 1), 200)
}

func TestNothingMayBeSentBeforeTwoPeopleHaveTurnedItOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	journey := s.begins(yes(partnerA, schemas.ConsentGiven))
	s.due()
	s.hasSaid(journey, "offer.cleared", 0)
	path := "/api/organisations/RXX/going-live"
	s.ask(aNavigator, "POST", path, confirmed, 409)
	s.ask(aNavigator, "POST", path, `{"safetyOfficer":"appointed 3 May"}`, 422)
	s.ask(aNavigator, "POST", path,
		`{"safetyOfficer":"appointed 3 May","hazardLog":"7","dpia":"DPIA-12","caldicott":"approved 1 June"}`, 202)
	s.ask(aNavigator, "POST", path, confirmed, 409)
	s.ask(principal.Principal{Organisation: "RZZ", Role: string(schemas.Navigator), Subject: "elsewhere"}, "POST", path,
		confirmed, 404)
	s.due()
	s.hasSaid(journey, "offer.cleared", 0)
	s.ask(another, "POST", path, confirmed, 200)
	s.due()
	s.hasSaid(journey, "offer.cleared", 1)
	s.brought(journey)
	s.is(journey, stateSent, partnerA)
}

func TestAPartnerIsChangedWithEffectAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, true, func(p *PartnerConfig) { p.Agreement = nil })
	path := "/api/partners/" + partnerA
	journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentDeclined))
	s.due()
	s.hasSaid(journey, "offer.cleared", 0) // no agreement: prepared, and told nobody
	s.ask(peer(partnerA), "PUT", path+"/agreement",
		`{"from":"2026-11-01","until":"2027-11-01","outwardName":"Northgate","safeguarding":"the desk"}`, 403)
	s.ask(peer(partnerB), "PUT", path+"/capacity", `{"weekly":1}`, 404)
	s.ask(aNavigator, "PUT", path+"/agreement", `{"from":"2026-11-01","until":"2027-11-01","outwardName":"Northgate"}`,
		422)
	s.ask(peer(partnerA), "PUT", path+"/pause", `{"until":"2026-11-06"}`, 200)
	s.ask(aNavigator, "PUT", path+"/agreement",
		`{"from":"2026-11-01","until":"2027-11-01","outwardName":"Northgate","safeguarding":"the desk"}`, 200)
	s.due()
	s.hasSaid(journey, "offer.withdrawn", 1) // paused: it is not asked, and nobody else may be
	s.hasSaid(journey, "offer.exhausted", 1)
	s.ask(peer(partnerA), "PUT", path+"/pause", `{"until":""}`, 200)
	s.due()
	s.brought(journey) // it is asked after all
	s.is(journey, stateSent, partnerA)
	mine := s.ask(peer(partnerA), "GET", "/api/offers", "", 200)["items"].([]any)[0].(map[string]any)["offer"].(string)
	actionOf(t, s.ask(peer(partnerA), "GET", "/api/offers/"+mine, "", 200), "/api/offers/"+mine+"/decline")
	for partner, offers := range map[string]int{partnerA: 1, partnerB: 0} {
		if got := s.ask(peer(partner), "GET", "/api/offers", "", 200); len(got["items"].([]any)) != offers {
			t.Errorf("partner %s sees %v", partner, got)
		}
	}
	if got := s.ask(aNavigator, "GET", "/api/offers?limit=1", "", 200); len(got["items"].([]any)) != 1 ||
		got["next"] != nil {
		t.Errorf("a navigator sees %v", got)
	}
	s.ask(peer(partnerA), "PUT", path+"/holidays", `{"holidays":[{"from":"2026-12-24","until":"2027-01-04"}]}`, 200)
	got := s.ask(peer(partnerA), "PUT", path+"/capacity",
		`{"weekly":3,"atMost":2,"works":["mon","sat"],"channels":["phone"]}`, 200)
	if fmt.Sprint(got["capacity"]) != "map[access:[] areas:[] atMost:2 channels:[phone] groups:[] hours:[] "+
		"languages:[] weekly:3 workerGenders:[] works:[mon sat]]" {
		t.Errorf("the partner is %v", got)
	}
	holidays := actionOf(t, s.ask(peer(partnerA), "GET", path, "", 200), path+"/holidays")
	if now := fmt.Sprint(holidays["fields"].([]any)[0].(map[string]any)["now"]); now != "[2026-12-24/2027-01-04]" {
		t.Errorf("the form of holidays begins with %s", now)
	}
	s.ask(peer(partnerB), "GET", path, "", 404)
	if other := s.begins(yes(partnerA, schemas.ConsentGiven)); true {
		s.brought(other)
		s.is(other, stateSent, partnerA)
	}
}

// TestAPartnersFormLeavesNothingOut: what a change replaces as a whole, its form asks for as a whole, beginning with
// what stands there: a partner that changes its places keeps its hours, and the agreement its data contact.
func TestAPartnersFormLeavesNothingOut(t *testing.T) {
	t.Parallel()
	shown := partnerShown{Partner: partnerA, Capacity: Capacity{Works: []string{"mon"}, Channels: []string{"phone"},
		Languages: []string{"en"}, WorkerGenders: []string{"woman"},
		Hours: []string{"weekday-daytime"}, Access: []string{"bsl"}, Groups: []string{"women"},
		Areas: []string{"E06000027"}}, Holidays: []Holiday{{"2026-12-24", "2027-01-04"}},
		PausedUntil: "2026-12-01",
		Agreement:   &agreementShown{Terms: Terms{"2026-01-01", "2026-12-31", "N", "S", "D"}}}
	for what, body := range map[string]any{"capacity": Capacity{}, "agreement": Terms{DataContact: "D"},
		"holidays": holidaysAsked{}, "pause": pauseAsked{}} {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		asked := map[string][]string{}
		for _, a := range schemas.PartnerActions(schemas.Navigator, partnerA, shown.now()) {
			for _, f := range a.Fields {
				if strings.HasSuffix(a.Path, "/"+what) {
					asked[f.Name] = f.Now
				}
			}
		}
		for member := range members {
			if len(asked[member]) == 0 {
				t.Errorf("%s: the form does not ask for %s, or not beginning with what stands there", what, member)
			}
		}
	}
}

// actionOf is the action of an answer that sends to a path.
func actionOf(t *testing.T, answer map[string]any, path string) map[string]any {
	t.Helper()
	actions, _ := answer["actions"].([]any)
	for _, a := range actions {
		if action := a.(map[string]any); action["path"] == path {
			return action
		}
	}
	t.Fatalf("no action sends to %s, of %v", path, actions)
	return nil
}

// TestTwoReplicasNeverOversell: two processes see to what is due at the same time, again and again; a partner that
// takes three at a time and four in a week has no more.
func TestTwoReplicasNeverOversell(t *testing.T) {
	t.Parallel()
	s := newSite(t, true, func(p *PartnerConfig) { p.AtMost, p.Weekly = 3, 4 })
	for _, partner := range []string{partnerA, partnerB} {
		s.ask(aNavigator, "PUT", "/api/partners/"+partner+"/capacity", `{"atMost":3,"weekly":4}`, 200)
	}
	var journeys []string
	for range 24 {
		journeys = append(journeys, s.begins(yes("", schemas.ConsentGiven)))
	}
	both := func() {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range 8 {
					err := s.flow.Do(s.t.Context(), func(tx *flow.Tx) error {
						_, err := s.offersDue(t.Context(), tx, 3)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		s.due()
	}
	placed := func(where string) int {
		return count(t, s.pool, `select coalesce(max(n), 0) from (select count(*) n from offer
			where placed_at is not null and `+where+` group by partner) c`)
	}
	both()
	if n := placed("ended_at is null"); n != 3 {
		t.Fatalf("a partner that takes three at the same time has %d", n)
	}
	for _, journey := range journeys {
		if state, partner := s.stands(journey); state == stateRaised && count(t, s.pool, `select count(*) from offer
			where journey = $1::uuid and placed_at is not null and ended_at is null`, journey) == 1 {
			offer, _ := s.brought(journey)
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/hand-back", `{"reason":"worker-away"}`, 200)
		}
	}
	both()
	if n := placed("(ended_at is null or accepted_at is not null)"); n != 4 {
		t.Fatalf("a partner that takes four on in a week has taken %d", n)
	}
	if n := placed("ended_at is null"); n > 3 {
		t.Fatalf("a partner that takes three at the same time has %d", n)
	}
}

// TestAPlaceIsTakenUnderItsPartnersLock: one process has taken the last place and not committed yet; another one waits
// for that, and takes none.
func TestAPlaceIsTakenUnderItsPartnersLock(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	for _, partner := range []string{partnerA, partnerB} {
		s.ask(aNavigator, "PUT", "/api/partners/"+partner+"/capacity", `{"atMost":1}`, 200)
	}
	for range 4 {
		s.begins(yes("", schemas.ConsentGiven))
	}
	take := func(between func() error) error {
		return s.flow.Do(t.Context(), func(tx *flow.Tx) error {
			if _, err := s.offersDue(t.Context(), tx, 2); err != nil {
				return err
			}
			if err := tx.Flush(); err != nil {
				return err
			}
			return between()
		})
	}
	other := make(chan error, 1)
	err := take(func() error {
		go func() {
			err := s.flow.Do(t.Context(), func(tx *flow.Tx) error { // those that are not locked
				_, err := s.offersDue(t.Context(), tx, 4)
				return err
			})
			other <- err
		}()
		for {
			var waits bool
			if err := s.pool.QueryRow(t.Context(), `select exists (select from pg_stat_activity
				where datname = current_database() and wait_event_type = 'Lock')`).Scan(&waits); err != nil || waits {
				return err
			}
			select {
			case err := <-other:
				other <- err
				return err
			default:
			}
		}
	})
	if err := errors.Join(err, <-other); err != nil {
		t.Fatal(err)
	}
	s.due()
	if n := count(t, s.pool, `select max(n) from (select count(*) n from offer where placed_at is not null
		and ended_at is null group by partner) c`); n != 1 {
		t.Errorf("a partner that takes one at a time has %d", n)
	}
}

// TestSomebodyAboutToGoIsRungAbout: a yes that is taken back half an hour before a session.
func TestSomebodyAboutToGoIsRungAbout(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	start := time.Date(2026, 11, 10, 18, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		before time.Duration
		ends   flow.Event
		state  string
		within time.Duration // in which the partner is rung; below 0 not at all
	}{
		"taken back half an hour before": {30 * time.Minute, yes(partnerA, schemas.ConsentWithdrawn), "", 0},
		"stopped a day before": {24 * time.Hour,
			event("", 0, schemas.ContactStopped, schemas.ContactStoppedData{}), stateAccepted, time.Hour},
		"held five hours before": {5 * time.Hour,
			event("", 0, schemas.JourneyHeld, schemas.JourneyHeldData{}), stateAccepted, time.Hour},
		"a yes that has ended the day before": {20 * time.Hour, yes(partnerA, schemas.ConsentLapsed), stateWaiting,
			time.Hour},
		"taken back three days before": {72 * time.Hour, yes(partnerA, schemas.ConsentWithdrawn), "", -1},
	} {
		s.clock.to(now)
		journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentDeclined))
		offer, partner := s.brought(journey)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment", `{"startsAt":"`+start.Format(time.RFC3339)+
			`","channel":"phone"}`, 200)
		s.clock.to(start.Add(-tc.before))
		s.hears(journey, tc.ends)
		if state, _ := s.stands(journey); state != tc.state {
			t.Errorf("%s: the offer is %q: %v", name, state, s.said(journey))
		}
		var payload []byte
		if err := s.pool.QueryRow(t.Context(), `select payload from outbox
			where subject = 'footbridge.appointment.cancelled.v1.' || $1`, journey).Scan(&payload); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, err := flow.Unmarshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		d, err := flow.Decode[schemas.AppointmentCancelledData](e)
		switch {
		case err != nil:
			t.Fatal(err)
		case (d.RingBy != nil) != (tc.within >= 0):
			t.Errorf("%s: the partner is rung by %v", name, d.RingBy)
		case d.RingBy != nil && !d.RingBy.Equal(s.clock.Now().Add(tc.within)):
			t.Errorf("%s: the partner is rung by %v", name, d.RingBy)
		}
	}
}

// TestADataContactIsWrittenToOnTheThirdDay, once, where the partner has not said what it did with what it knew.
func TestADataContactIsWrittenToOnTheThirdDay(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journeys := map[string]string{}
	for _, what := range []string{"silent", "said", "taken back", "seen to the end"} {
		journey := s.begins(yes(partnerA, schemas.ConsentGiven))
		offer, partner := s.brought(journey)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
		if journeys[what] = journey; what == "taken back" { // nobody there has looked: it knew nothing
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/undo", `{}`, 200)
			continue
		}
		if what == "seen to the end" {
			s.do(func(tx *flow.Tx) error {
				tx.Queue(`update offer set state = 'completed', ended_at = $2 where id::text = $1`, offer, tx.Now)
				return tx.Flush()
			})
			continue
		}
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/hand-back", `{"reason":"worker-away"}`, 200)
		if what == "said" {
			s.ask(peer(partner), "POST", "/api/offers/"+offer+"/confirm-deletion", `{}`, 200)
		}
	}
	asked := func(when string, silent int) {
		t.Helper()
		for range 2 {
			s.do(func(tx *flow.Tx) error { _, err := s.deletionsDue(t.Context(), tx, 100); return err })
		}
		for what, want := range map[string]int{"silent": silent, "said": 0, "taken back": 0, "seen to the end": 0} {
			nudges := 0
			for _, said := range s.said(journeys[what]) {
				if strings.HasPrefix(said, "offer.nudged") {
					nudges++
				}
			}
			if nudges != want {
				t.Errorf("%s, %s: asked %d times, want %d: %v", when, what, nudges, want, s.said(journeys[what]))
			}
		}
	}
	third := calendar.DayOf(s.clock.Now(), london(t)) + deletionAfter
	s.clock.to(third.At(9, 59, london(t)))
	asked("before ten", 0)
	s.clock.to(third.At(10, 0, london(t)))
	asked("on the third day", 1)
}

// A session by telephone at an hour at which the person has said since that they cannot be reached safely is called
// off, and its partner rung where they are about to go; one in person, and one within the hours, stands.
func TestASessionAtAnHourThatIsSafeNoLongerIsCalledOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	at := now.Add(26 * time.Hour) // at noon
	hours := func(from, to int) flow.Event {
		return event("", 0, schemas.PreferencesChanged,
			schemas.PreferencesChangedData{Hours: &schemas.ContactHours{FromHour: from, ToHour: to}})
	}
	for name, tc := range map[string]struct {
		channel  string
		from, to int
		off      bool
	}{
		"by telephone, at other hours":  {"phone", 17, 21, true},
		"by telephone, too long":        {"phone", 10, 13, true},
		"by telephone, within them":     {"phone", 10, 14, false},
		"in person":                     {inPerson, 17, 21, false},
		"by telephone, none are named":  {"phone", 0, 0, false},
		"by video, at an hour too late": {"video", 8, 12, true},
	} {
		journey := s.begins(yes(partnerA, schemas.ConsentGiven))
		offer, partner := s.brought(journey)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment",
			`{"startsAt":"`+at.Format(time.RFC3339)+`","channel":"`+tc.channel+`"}`, 200)
		s.hears(journey, hours(tc.from, tc.to))
		want, state := 0, stateBooked
		if tc.off {
			want, state = 1, stateAccepted
		}
		if got, _ := s.stands(journey); got != state {
			t.Errorf("%s: it is %s", name, got)
		}
		s.hasSaid(journey, "appointment.cancelled", want)
		if rung := strings.Contains(s.text(journey, schemas.AppointmentCancelled), "ringBy"); rung != tc.off {
			t.Errorf("%s: the partner is rung: %v", name, rung)
		}
	}
}

// text is what the events of a type said of a journey.
func (s *site) text(journey string, typ schemas.Type) (all string) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), `select coalesce(string_agg(payload::text, ' '), '')
		from outbox where subject like '%.' || $1 and payload::text like '%' || $2 || '%'`, journey,
		string(typ)).Scan(&all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestASessionIsWithinTheHoursThatThePersonNamed, unless they meet in person.
func TestASessionIsWithinTheHoursThatThePersonNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey := s.begins(yes(partnerA, schemas.ConsentGiven))
	offer, partner := s.brought(journey)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	s.hears(journey, event("", 0, schemas.PreferencesChanged, schemas.PreferencesChangedData{
		Hours: &schemas.ContactHours{FromHour: 18, ToHour: 21}}))
	book := func(hour int, minutes int, channel string, status int) {
		t.Helper()
		at := calendar.DayOf(s.clock.Now(), london(t)) + 5
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment", fmt.Sprintf(
			`{"startsAt":%q,"channel":%q,"minutes":%d}`, at.At(hour, 0, london(t)).Format(time.RFC3339), channel,
			minutes), status)
	}
	book(11, 60, "phone", 409)
	book(20, 90, "phone", 409) // it would go on after nine
	book(11, 60, "video", 409)
	book(19, 90, "phone", 200)
	book(11, 60, "in-person", 200)
}

// TestAStopAndAHoldKeepThePlaceAndLiftingRestoresIt: of an offer that its partner has taken on.
func TestAStopAndAHoldKeepThePlaceAndLiftingRestoresIt(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey := s.begins(yes(partnerA, schemas.ConsentGiven))
	offer, partner := s.brought(journey)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	for _, turn := range [][2]flow.Event{
		{event("", 0, schemas.ContactStopped, schemas.ContactStoppedData{}),
			event("", 0, schemas.ContactResumed, schemas.ContactStoppedData{})},
		{event("", 0, schemas.JourneyHeld, schemas.JourneyHeldData{}),
			event("", 0, schemas.JourneyReleased, schemas.JourneyReleasedData{ReleasedOn: "2026-11-20"})},
	} {
		s.hears(journey, turn[0])
		got := s.ask(peer(partner), "GET", "/api/offers/"+offer, "", 200)
		if got["paused"] != true || got["journey"] != nil || got["about"] != nil {
			t.Errorf("while nobody may be in touch the partner sees %v", got)
		}
		s.at(now.Add(17 * 24 * time.Hour))
		s.hears(journey, turn[1])
		s.is(journey, stateAccepted, partner)
		s.ask(peer(partner), "POST", "/api/offers/"+offer+"/question", `{"about":"hours"}`, 200)
	}
	s.hasSaid(journey, "offer.withdrawn", 0)
	s.hasSaid(journey, "offer.nudged", 0)
}

// TestACharityThatClosesHandsEverythingBackAtOnce: each of its people is offered to another, ahead of others.
func TestACharityThatClosesHandsEverythingBackAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	var journeys []string
	var offer string
	for range 12 {
		journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentGiven))
		id, partner := s.brought(journey)
		s.ask(peer(partner), "POST", "/api/offers/"+id+"/accept", `{}`, 200)
		journeys, offer = append(journeys, journey), id
	}
	s.ask(peer(partnerA), "POST", "/api/offers/"+offer+"/hand-back", `{"reason":"closing","all":true}`, 200)
	s.due()
	for _, journey := range journeys {
		s.hasSaid(journey, "offer.handed-back", 1)
		s.is(journey, stateRaised, partnerB)
		s.brought(journey)
		s.is(journey, stateSent, partnerB)
	}
}

// TestASessionThatIsNotKeptIsTriedAgainTwiceAndThenANavigatorDecides, without penalty.
func TestASessionThatIsNotKeptIsTriedAgainTwiceAndThenANavigatorDecides(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey := s.begins(yes(partnerA, schemas.ConsentGiven))
	offer, partner := s.brought(journey)
	path := "/api/offers/" + offer
	s.ask(peer(partner), "POST", path+"/accept", `{}`, 200)
	for try := 1; try <= 3; try++ {
		start := s.clock.Now().Add(24 * time.Hour)
		s.ask(peer(partner), "POST", path+"/appointment", `{"startsAt":"`+start.Format(time.RFC3339)+
			`","channel":"phone"}`, 200)
		s.clock.to(start.Add(2 * time.Hour))
		s.ask(peer(partner), "POST", path+"/outcome", `{"outcome":"not-kept"}`, 200)
		s.is(journey, stateNotKept, partner)
	}
	later := s.clock.Now().Add(24 * time.Hour).Format(time.RFC3339)
	s.ask(peer(partner), "POST", path+"/appointment", `{"startsAt":"`+later+`","channel":"phone"}`, 409)
	s.hasSaid(journey, "appointment.not-kept", 3)
	if said := s.text(journey, schemas.AppointmentNotKept); strings.Count(said, `"bookBy"`) != 2 {
		t.Errorf("a time is to be agreed on by a day after the first two alone, and it says %s", said)
	}
	if offer := s.ask(peer(partner), "GET", path, "", 200); offer["bookBy"] != nil {
		t.Errorf("the partner is to agree on a time by %v, and a navigator decides", offer["bookBy"])
	}
	s.at(s.clock.Now().AddDate(0, 0, 7))
	if told := s.text(journey, schemas.OfferNudged); strings.Contains(told, `"`+schemas.NudgeBook+`"`) {
		t.Error("the partner is reminded to agree on a time, and a navigator decides")
	}
}

// TestAWindowThatPassesWithoutASessionIsSaidBeforeItsLastDay: once, of an offer that was taken on and has no session by
// that day, whether none has a time or it has a later one.
func TestAWindowThatPassesWithoutASessionIsSaidBeforeItsLastDay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		book  int // days after the last of the window on which it is booked; -99 for not at all
		times int
	}{"no time": {-99, 1}, "within it": {-2, 0}, "later": {4, 1}} {
		s := newSite(t, true)
		journey := s.begins(yes(partnerA, schemas.ConsentGiven))
		offer, partner := s.brought(journey)
		path := "/api/offers/" + offer
		got := s.ask(peer(partner), "POST", path+"/accept", `{}`, 200)
		last, err := time.Parse(time.DateOnly, got["lastDay"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if tc.book > -99 {
			s.ask(peer(partner), "POST", path+"/appointment", `{"startsAt":"`+last.AddDate(0, 0, tc.book).
				Add(11*time.Hour).Format(time.RFC3339)+`","channel":"phone"}`, 200)
		}
		s.at(last.AddDate(0, 0, -5))
		s.hasSaid(journey, "offer.not-in-time", 0)
		for day := -4; day < 4; day++ {
			s.at(last.AddDate(0, 0, day).Add(18 * time.Hour))
			if day == 0 {
				s.hasSaid(journey, "offer.not-in-time", tc.times)
			}
		}
		s.hasSaid(journey, "offer.not-in-time", tc.times)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestANavigatorRecordsWhatAPartnerSaidByTelephone, where nothing could be sent; before the offer is cleared it cannot.
func TestANavigatorRecordsWhatAPartnerSaidByTelephone(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey, unasked := s.begins(yes(partnerA, schemas.ConsentGiven)), s.begins()
	s.due()
	offerOf := func(journey string) (offer string) {
		if err := s.pool.QueryRow(t.Context(), `select id::text from offer where journey = $1::uuid
			and ended_at is null`, journey).Scan(&offer); err != nil {
			t.Fatal(err)
		}
		return offer
	}
	for answer, body := range map[string]string{"/accept": `{}`, "/decline": `{"code":"22"}`} {
		said := s.ask(aNavigator, "POST", "/api/offers/"+offerOf(unasked)+answer, body, 409)
		if detail, _ := said["detail"].(string); !strings.HasPrefix(detail, "This organisation may not be told yet") {
			t.Errorf("%s before they said yes is answered with %q", answer, detail)
		}
	}
	path := "/api/offers/" + offerOf(journey)
	if got := s.ask(aNavigator, "GET", path, "", 200); got["known"] != knownToNobody {
		t.Errorf("nobody has told the partner, and the page says %v", got["known"])
	}
	s.ask(peer(partnerA), "GET", path, "", 404)
	s.ask(aNavigator, "POST", path+"/accept", `{}`, 200)
	s.is(journey, stateAccepted, partnerA)
	s.ask(peer(partnerA), "GET", path, "", 200)
	s.hasSaid(journey, "offer.sent", 0)
	s.hasSaid(journey, "offer.acknowledged", 1)
}

// TestTwoPartnersAreSilentAndOneIsOnHoliday, from 20 December on: the navigator has the person while ten days are left.
func TestTwoPartnersAreSilentAndOneIsOnHoliday(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	left := time.Date(2026, 12, 20, 20, 0, 0, 0, time.UTC) // a Sunday
	s.clock.to(left)
	s.ask(aNavigator, "PUT", "/api/partners/"+partnerB+"/holidays",
		`{"holidays":[{"from":"2026-12-23","until":"2027-01-04"}]}`, 200)
	journey := clock.NewID(left)
	s.hears(journey, event("", 0, schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: clock.NewRandomID(),
		Organisation: "RXX", Visit: "v", LeftOn: "2026-12-20"}),
		event("", 0, schemas.PathwayDecided, doorsOf(thirdSector("svc-a", schemas.Eligible),
			thirdSector("svc-b", schemas.Eligible))), yes(partnerA, schemas.ConsentGiven),
		yes(partnerB, schemas.ConsentGiven))
	s.brought(journey)
	s.is(journey, stateSent, partnerA)
	s.at(time.Date(2026, 12, 22, 16, 59, 0, 0, time.UTC))
	s.is(journey, stateSent, partnerA)
	// its second working day; the other is away until after the window
	s.at(time.Date(2026, 12, 22, 17, 1, 0, 0, time.UTC))
	s.is(journey, "", "")
	s.hasSaid(journey, "offer.exhausted", 1)
	s.ask(aNavigator, "PUT", "/api/partners/"+partnerB+"/holidays", `{"holidays":[]}`, 200) // it works after all
	s.due()
	s.brought(journey)
	s.is(journey, stateSent, partnerB)
	s.at(time.Date(2026, 12, 24, 17, 1, 0, 0, time.UTC))
	s.is(journey, "", "")
	s.hasSaid(journey, "offer.exhausted", 2)
}

// TestSomebodyWhoMayKnowThemIsSeenToWithoutBlame: said again it is once said; another worker keeps the offer with its
// partner, another partner is asked at once, and the answer shows nobody's identity.
func TestSomebodyWhoMayKnowThemIsSeenToWithoutBlame(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey := s.begins(yes(partnerA, schemas.ConsentGiven), yes(partnerB, schemas.ConsentGiven))
	offer, partner := s.brought(journey)
	for range 2 {
		got := s.ask(peer(partner), "POST", "/api/offers/"+offer+"/may-know", `{"who":"another-worker"}`, 200)
		if got["journey"] != nil {
			t.Errorf("the answer leads to who it is about: %v", got)
		}
	}
	s.hasSaid(journey, "offer.possibly-known", 1)
	s.is(journey, stateAcknowledged, partner)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/may-know", `{"who":"another-partner"}`, 200)
	s.hasSaid(journey, "offer.possibly-known", 2)
	s.hasSaid(journey, "offer.declined", 1)
	s.is(journey, stateRaised, partnerB)
}

// TestWhatAPartnerKeptIsSaidWithWhy: codes alone, and what is kept never without a reason.
func TestWhatAPartnerKeptIsSaidWithWhy(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey := s.begins(yes(partnerA, schemas.ConsentGiven))
	offer, partner := s.brought(journey)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	s.hears(journey, yes(partnerA, schemas.ConsentWithdrawn))
	path := "/api/offers/" + offer + "/confirm-deletion"
	s.ask(peer(partner), "POST", path, `{"kept":["notes"]}`, 409)
	s.ask(peer(partner), "POST", path, `{"kept":["their diary"],"keptBecause":"law"}`, 409)
	for range 2 {
		s.ask(peer(partner), "POST", path, `{"kept":["payments","notes","notes"],"keptBecause":"accounts"}`, 200)
	}
	s.hasSaid(journey, "offer.deletion-confirmed", 1)
	if n := count(t, s.pool, `select count(*) from offer where kept = 'notes payments'`); n != 1 {
		t.Errorf("%d offers say what was kept", n)
	}
}

// TestThePersonIsIntroducedToWhoeverTheyWillMeet, once the partner may read who they are, and it is said once.
func TestThePersonIsIntroducedToWhoeverTheyWillMeet(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	journey := s.begins(yes("", schemas.ConsentGiven))
	offer, partner := s.brought(journey)
	path := "/api/offers/" + offer + "/"
	s.ask(peer(partner), "POST", path+"introduce", `{"how":"one-call"}`, 409)
	s.ask(peer(partner), "POST", path+"accept", `{}`, 200)
	s.ask(peer(partner), "POST", path+"introduce", `{"how":"one-call"}`, 409) // they have not said yes to it by name
	s.hears(journey, yes(partner, schemas.ConsentGiven))
	s.ask(peer(partner), "POST", path+"introduce", `{"how":"by Sam of the desk"}`, 409)
	for range 2 {
		if got := s.ask(peer(partner), "POST", path+"introduce", `{"how":"named-worker"}`,
			200); got["introduced"] != "named-worker" {
			t.Errorf("the offer shows %v", got)
		}
	}
	s.hasSaid(journey, "offer.introduced", 1)
}

// TestConfirmingAgainRemindsNobodyBeforeTheTime, and who confirmed it first stays the one who did.
func TestConfirmingAgainRemindsNobodyBeforeTheTime(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	path := "/api/organisations/RXX/going-live"
	s.ask(aNavigator, "POST", path,
		`{"safetyOfficer":"appointed 3 May","hazardLog":"7","dpia":"DPIA-12","caldicott":"approved 1 June"}`, 202)
	first := s.ask(another, "POST", path, confirmed, 200)["confirmedBy"]
	journey := s.begins(yes(partnerA, schemas.ConsentGiven))
	s.due()
	s.brought(journey)
	third := principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "a third"}
	if by := s.ask(third, "POST", path, confirmed, 200)["confirmedBy"]; by != first || by == "" {
		t.Errorf("%v confirmed it, and it is shown as %v's", first, by)
	}
	s.due()
	s.hasSaid(journey, "offer.nudged", 0)
	s.at(now.Add(30 * time.Hour)) // half of what is left
	s.hasSaid(journey, "offer.nudged", 1)
}

// TestOnePersonTurnsSendingOffAtOnce: what waits for an answer is paused, what is new is told nobody, what was taken on
// goes on; and two people turn it on again, and not by the request of before.
func TestOnePersonTurnsSendingOffAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	path := "/api/organisations/RXX/going-live"
	rests := `{"safetyOfficer":"appointed 3 May","hazardLog":"7","dpia":"DPIA-12","caldicott":"approved 1 June"}`
	s.ask(aNavigator, "POST", path, rests, 202)
	if got := s.ask(another, "GET", path, "", 200); got["on"] != false || len(got["actions"].([]any)) != 2 ||
		got["rests"].(map[string]any)["dpia"] != "DPIA-12" {
		t.Errorf("before the second person it is %v", got)
	}
	if got := s.ask(aNavigator, "GET", path, "", 200); len(got["actions"].([]any)) != 1 {
		t.Errorf("who asked may confirm: %v", got["actions"])
	}
	s.ask(another, "POST", path, confirmed, 200)
	asked, taken := s.begins(yes(partnerA, schemas.ConsentGiven)), s.begins(yes(partnerA, schemas.ConsentGiven))
	s.due()
	s.brought(asked)
	offer, _ := s.brought(taken)
	s.ask(peer(partnerA), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)

	s.ask(principal.Principal{Organisation: "RZZ", Role: string(schemas.Navigator), Subject: "elsewhere"}, "DELETE",
		path, "", 404)
	if got := s.ask(aNavigator, "DELETE", path, "", 200); got["on"] != false || got["offBy"] == "" {
		t.Errorf("it is %v", got)
	}
	fresh := s.begins(yes(partnerA, schemas.ConsentGiven))
	s.due()
	s.due()
	s.hasSaid(asked, "offer.paused", 1)
	s.hasSaid(taken, "offer.paused", 0)
	s.hasSaid(fresh, "offer.cleared", 0)
	s.ask(another, "POST", path, confirmed, 409)

	s.ask(another, "POST", path, rests, 202)
	s.ask(aNavigator, "POST", path, confirmed, 200)
	s.due()
	s.due()
	s.hasSaid(asked, "offer.cleared", 2)
	s.hasSaid(asked, "offer.paused", 1)
	s.hasSaid(taken, "offer.cleared", 1)
	s.hasSaid(fresh, "offer.cleared", 1)
}

// TestTheListSaysWhenTheyMeetAsTheOfferDoes: a partner's system that reads its list alone knows of every session that
// was agreed on, and does not agree on another.
func TestTheListSaysWhenTheyMeetAsTheOfferDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	_, offer, partner := s.offered()
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/accept", `{}`, 200)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/introduce", `{"how":"one-call"}`, 200)
	s.ask(peer(partner), "POST", "/api/offers/"+offer+"/appointment",
		`{"startsAt":"`+now.AddDate(0, 0, 3).Format(time.RFC3339)+`","channel":"phone","minutes":50}`, 200)
	one := s.ask(peer(partner), "GET", "/api/offers/"+offer, "", 200)
	items, _ := s.ask(peer(partner), "GET", "/api/offers", "", 200)["items"].([]any)
	if len(items) != 1 || one["appointment"] == nil {
		t.Fatalf("the list is %v, the offer %v", items, one)
	}
	listed, _ := items[0].(map[string]any)
	for _, member := range []string{"appointment", "introduced", "state"} {
		if fmt.Sprint(listed[member]) != fmt.Sprint(one[member]) {
			t.Errorf("%s is %v in the list, and %v of the offer", member, listed[member], one[member])
		}
	}
}
