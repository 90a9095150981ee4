package delivery

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/flow/flowtest"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

var now = time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)

func migrated() pg.Service {
	return pg.Service{Name: Name, Migrations: []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()},
		{Name: Name, FS: Migrations()}}}
}

// started is a service with a database of its own, its partitions around now.
func started(t *testing.T) (*Service, *testkit.DB, *pgxpool.Pool) {
	t.Helper()
	db := testkit.Database(t, migrated())
	pool := db.Pool(Name)
	for table := range ByDay() {
		if err := pg.EnsureDayPartitions(t.Context(), pool, table, pg.ByUUIDv7, now.AddDate(0, 0, -1),
			now.AddDate(0, 0, 40)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s, db, pool
}

func shape(s *Service, pool *pgxpool.Pool) flowtest.Service[JourneyState, record] {
	return flowtest.Service[JourneyState, record]{Handler: s.handler(func() {}), Pool: pool,
		Tables: []string{"offer", "partner_event"}}
}

func event(journey string, at int64, typ schemas.Type, data any) flow.Event {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return flow.Event{ID: clock.NewID(now), Type: string(typ), Subject: journey, Sequence: flow.FormatSequence(at),
		Time: now, Correlation: clock.NewID(now), Data: text}
}

// offered is an offer that may be told to a partner.
func offered(journey, offer, partner string) []flow.Event {
	return []flow.Event{
		event(journey, 1, schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Person: clock.NewRandomID(),
			Partner: partner, FirstDay: "2026-11-09", LastDay: "2026-11-16", AnswerBy: now}),
		event(journey, 2, schemas.OfferCleared, schemas.OfferClearedData{Offer: offer, Partner: partner}),
	}
}

// row is an event of a partner's log, as the test reads it.
type row struct {
	Position                          int64
	ID, Journey, Offer, Type, Partner string
	Body                              string
	Withheld                          bool
}

func logOf(t *testing.T, pool *pgxpool.Pool, partner string) []row {
	t.Helper()
	rows, err := pool.Query(t.Context(), `select position, id::text, journey::text, offer::text, type, partner::text,
		convert_from(body, 'UTF8') as body, withheld
		from partner_event where partner = $1::uuid order by position`, partner)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func typesOf(rows []row) (types []string) {
	for _, r := range rows {
		types = append(types, strings.TrimSuffix(strings.TrimPrefix(r.Type, schemas.TypePrefix), ".v1"))
	}
	return types
}

// story draws what followup, intake and journey could say about one journey with two offers, each with its sequence.
func story(t *rapid.T) []flow.Event {
	const journey = "0193a000-0000-7000-8000-000000000001"
	offers := []string{"0193a000-0000-7000-8000-0000000000a1", "0193a000-0000-7000-8000-0000000000a2"}
	partners := []string{"8c4bba9e-7c82-48a1-8bbd-6fb23f09d445", "8c4bba9e-7c82-48a1-8bbd-6fb23f09d446"}
	var events []flow.Event
	said := map[string]int64{}
	say := func(source string, typ schemas.Type, data any) {
		said[source]++
		e := event(journey, said[source], typ, data)
		e.ID = fmt.Sprintf("event-%d", len(events))
		events = append(events, e)
	}
	for range rapid.IntRange(1, 10).Draw(t, "events") {
		i := rapid.IntRange(0, 1).Draw(t, "offer")
		offer, partner, appointment := offers[i], partners[i], offers[i]
		switch rapid.IntRange(0, 13).Draw(t, "kind") {
		case 0:
			say("followup", schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Partner: partner,
				FirstDay: "2026-11-09", LastDay: "2026-11-16"})
		case 1, 2, 3:
			say("followup", schemas.OfferCleared, schemas.OfferClearedData{Offer: offer, Partner: partner})
		case 4:
			say("followup", schemas.OfferPaused, schemas.OfferPausedData{Offer: offer, Partner: partner})
		case 5:
			say("followup", schemas.OfferNudged, schemas.OfferNudgedData{Offer: offer, Partner: partner,
				About: schemas.NudgeAnswer})
		case 6:
			say("followup", schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
		case 7:
			say("followup", schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
		case 8:
			say("followup", schemas.AppointmentBooked, schemas.AppointmentBookedData{Offer: offer,
				Appointment: appointment, Partner: partner, StartsAt: now})
		case 9:
			say("intake", schemas.ContactStopped, schemas.ContactStoppedData{})
		case 10:
			say("intake", schemas.ContactResumed, schemas.ContactResumedData{})
		case 11:
			say("intake", rapid.SampledFrom([]schemas.Type{schemas.ConsentGiven, schemas.ConsentDeclined,
				schemas.ConsentWithdrawn}).Draw(t, "answer"),
				schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
					Organisation: rapid.SampledFrom([]string{"", partner}).Draw(t, "towards")})
		case 12:
			say("journey", schemas.JourneyHeld, schemas.JourneyHeldData{})
		case 13:
			say("journey", schemas.JourneyReleased, schemas.JourneyReleasedData{})
		}
	}
	return events
}

// TestAnEventThatComesAgainTellsNothing: in any order, one to three times, together or alone, days later.
func TestAnEventThatComesAgainTellsNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	shape(s, pool).AgainChangesNothing(t, now, story, nil)
}

// TestEachTypeThatComesAgainTellsNothing: of every type that is subscribed to, its example.
func TestEachTypeThatComesAgainTellsNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	shape(s, pool).EachAgainChangesNothing(t, now, flowtest.Examples(schemas.SubscribedBy(Name), schemas.ExampleJSON))
}

func TestEveryTypeThatIsHeardIsUnderstood(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	shape(s, pool).Understands(t, flowtest.Names(schemas.SubscribedBy(Name)))
}

// TestNobodyIsHadLookAtALogInWhichNothingIsNew is about transactions: each look at what is to go out is one.
func TestNobodyIsHadLookAtALogInWhichNothingIsNew(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	looks := 0
	shape := flowtest.Service[JourneyState, record]{Handler: s.handler(func() { looks++ }), Pool: pool}
	journey, offer, partner := clock.NewID(now), clock.NewRandomID(), clock.NewRandomID()
	for _, batch := range []struct {
		events []flow.Event
		looks  int
	}{
		{[]flow.Event{event(journey, 1, schemas.ConsentGiven, schemas.ConsentData{
			Purposes: []string{schemas.PurposeFollowUp}})}, 0},
		{offered(journey, offer, partner)[:1], 0},
		{offered(journey, offer, partner)[1:], 1},
		{offered(journey, offer, partner)[1:], 1},
		{[]flow.Event{event(journey, 3, schemas.OfferPaused, schemas.OfferPausedData{Offer: offer})}, 2},
	} {
		if _, err := shape.Deliver(now, batch.events...); err != nil {
			t.Fatal(err)
		}
		if looks != batch.looks {
			t.Errorf("%s: %d looks were asked for in all, want %d", batch.events[0].Type, looks, batch.looks)
		}
	}
}

// TestPositionsHaveNoGap: eight handlers at once tell three partners of many journeys, some transactions are rolled
// back; each log counts from 1 without a gap, and what is in a body is its own position.
func TestPositionsHaveNoGap(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	partners := []string{clock.NewRandomID(), clock.NewRandomID(), clock.NewRandomID()}
	var work sync.WaitGroup
	failed := make(chan error, 8)
	for range 8 {
		work.Go(func() {
			for range 10 {
				var batch []flow.Event
				for range 5 {
					batch = append(batch, offered(clock.NewID(now), clock.NewID(now), partners[rand.IntN(3)])...)
				}
				if rand.IntN(3) == 0 {
					_, err := pool.Exec(t.Context(), `with gone as (update partner set last = last + 1
						where id = $1::uuid returning 1)
						select 1 / (count(*) - count(*)) from gone`, partners[0])
					if err == nil {
						failed <- fmt.Errorf("a transaction that fails has committed")
					}
				}
				if _, err := shape(s, pool).Deliver(now, batch...); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	work.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	total := 0
	for _, partner := range partners {
		for i, r := range logOf(t, pool, partner) {
			total++
			if r.Position != int64(i+1) || !strings.Contains(r.Body, fmt.Sprintf(`"sequence":"%016d"`, i+1)) {
				t.Fatalf("position %d of its log is %d: %s", i+1, r.Position, r.Body)
			}
		}
	}
	if total != 8*10*5 {
		t.Errorf("%d events were told", total)
	}
}

// TestAPartnerIsToldWhatItMayKnow: what each event leaves in the partner's log, in order.
func TestAPartnerIsToldWhatItMayKnow(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	type step struct {
		at   int64
		typ  schemas.Type
		data func(offer, partner string) any
	}
	raised := step{1, schemas.OfferRaised, func(o, p string) any {
		return schemas.OfferRaisedData{Offer: o, Partner: p, FirstDay: "2026-11-09", LastDay: "2026-11-16"}
	}}
	cleared := func(at int64) step {
		return step{at, schemas.OfferCleared,
			func(o, p string) any { return schemas.OfferClearedData{Offer: o, Partner: p} }}
	}
	paused := step{3, schemas.OfferPaused,
		func(o, p string) any { return schemas.OfferPausedData{Offer: o, Partner: p} }}
	withdrawn := step{5, schemas.OfferWithdrawn,
		func(o, _ string) any { return schemas.OfferWithdrawnData{Offer: o, Reason: "person"} }}
	stopped := step{7, schemas.ContactStopped, func(string, string) any { return schemas.ContactStoppedData{} }}
	resumed := step{8, schemas.ContactResumed, func(string, string) any { return schemas.ContactResumedData{} }}
	noTo := func(who string) step {
		return step{9, schemas.ConsentWithdrawn, func(_, p string) any {
			return schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
				Organisation: map[string]string{"it": p, "another": "another"}[who]}
		}}
	}
	accepted := step{4, schemas.OfferAccepted,
		func(o, p string) any { return schemas.OfferAcceptedData{Offer: o, Partner: p} }}
	nudged := step{4, schemas.OfferNudged, func(o, p string) any {
		return schemas.OfferNudgedData{Offer: o, Partner: p, About: schemas.NudgeAnswer}
	}}
	for name, tc := range map[string]struct {
		steps []step
		want  []string
	}{
		"an offer that was only prepared":     {[]step{raised}, nil},
		"one that was prepared and withdrawn": {[]step{raised, withdrawn}, nil},
		"one that may be told":                {[]step{raised, cleared(2)}, []string{"offer.sent"}},
		"news that overtake each other": {[]step{accepted, cleared(2), raised},
			[]string{"offer.accepted"}},
		"one withdrawn before it was heard of": {[]step{withdrawn, cleared(2), raised}, nil},
		"withdrawn before anybody read it": {[]step{raised, cleared(2), withdrawn},
			[]string{"offer.withheld", "offer.withdrawn"}},
		"paused, and cleared again": {[]step{raised, cleared(2), paused, cleared(4)},
			[]string{"offer.withheld", "offer.paused", "offer.sent"}},
		"contact stopped, before followup says so": {[]step{raised, cleared(2), stopped},
			[]string{"offer.withheld", "offer.paused"}},
		"contact stopped, then followup says so": {[]step{raised, cleared(2), stopped, paused},
			[]string{"offer.withheld", "offer.paused"}},
		"stopped and resumed, followup says nothing": {[]step{raised, cleared(2), stopped, resumed},
			[]string{"offer.withheld", "offer.paused", "offer.sent"}},
		"a no to it": {[]step{raised, cleared(2), noTo("it")},
			[]string{"offer.withheld", "offer.paused"}},
		"a no to another": {[]step{raised, cleared(2), noTo("another")}, []string{"offer.sent"}},
		"a reminder":      {[]step{raised, cleared(2), nudged}, []string{"offer.sent", "offer.nudged"}},
		"a reminder older than its end": {[]step{raised, cleared(2), withdrawn, nudged},
			[]string{"offer.withheld", "offer.withdrawn"}},
		"accepted, then contact stopped": {[]step{raised, cleared(2), accepted, stopped},
			[]string{"offer.withheld", "offer.accepted", "offer.paused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			journey, offer, partner := clock.NewID(now), clock.NewID(now), clock.NewRandomID()
			for _, step := range tc.steps {
				if _, err := shape(s, pool).Deliver(now,
					event(journey, step.at, step.typ, step.data(offer, partner))); err != nil {
					t.Fatal(err)
				}
			}
			rows := logOf(t, pool, partner)
			if got := typesOf(rows); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("told %v, want %v", got, tc.want)
			}
			for i, r := range rows {
				var e struct {
					ID, Type, Subject, Sequence string
					Data                        schemas.PartnerOfferData
				}
				if err := json.Unmarshal([]byte(r.Body), &e); err != nil || e.ID != r.ID || e.Type != r.Type ||
					e.Subject != offer || e.Data.Offer != offer ||
					e.Sequence != fmt.Sprintf("%016d", i+1) || strings.Contains(r.Body, journey) {
					t.Errorf("an event of the log reads %s (%v)", r.Body, err)
				}
			}
		})
	}
}

// TestWhatWasGivenOutKeepsItsBytes: what is taken back after it was given out stands as it is, and another event says
// so.
func TestWhatWasGivenOutKeepsItsBytes(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey, offer, partner := clock.NewID(now), clock.NewID(now), clock.NewRandomID()
	events := append(offered(journey, offer, partner),
		event(journey, 3, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"}))
	if _, err := shape(s, pool).Deliver(now, events[:2]...); err != nil {
		t.Fatal(err)
	}
	before := logOf(t, pool, partner)
	if _, err := pool.Exec(t.Context(), `update partner_event set given_at = $2 where partner = $1::uuid`, partner,
		now); err != nil {
		t.Fatal(err)
	}
	if _, err := shape(s, pool).Deliver(now, events[2]); err != nil {
		t.Fatal(err)
	}
	after := logOf(t, pool, partner)
	if len(before) != 1 || len(after) != 2 || after[0] != before[0] ||
		!slices.Equal(typesOf(after), []string{"offer.sent", "offer.withdrawn"}) {
		t.Errorf("the log read %v and now %v", before, after)
	}
}
