package bridging

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/flow/flowtest"
	"footbridge/schemas"
)

func shape(s *Service, pool *pgxpool.Pool) flowtest.Service[JourneyState, record] {
	return flowtest.Service[JourneyState, record]{Handler: s.handler(), Pool: pool, Tables: []string{"plan", "call"}}
}

// TestAnEventThatComesAgainChangesNothing: in any order, one to three times, together or alone, days later, after a
// closing and a reopening: what has been applied writes no row and emits nothing when it comes again.
func TestAnEventThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	shape(s, pool).AgainChangesNothing(t, now, story, nil)
}

// TestEachTypeThatComesAgainChangesNothing: of every type that is subscribed to, its example.
func TestEachTypeThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	shape(s, pool).EachAgainChangesNothing(t, now, flowtest.Examples(schemas.SubscribedBy(Name), schemas.ExampleJSON))
}

func TestEveryTypeThatIsHeardIsUnderstood(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	shape(s, pool).Understands(t, flowtest.Names(schemas.SubscribedBy(Name)))
}

// TestARaisedOfferIsARowOfItsOwn: whose it is is kept once, whatever is known of its journey, which is neither read nor
// written for it; with what does change the journey it goes in one batch.
func TestARaisedOfferIsARowOfItsOwn(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	service, offer := shape(s, pool), clock.NewRandomID()
	told := said(clock.NewID(now))
	told.say("followup", schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Partner: "p"})
	raised, others := told.events[len(told.events)-1], told.events[:3]
	journey := raised.Subject
	for _, batch := range [][]flow.Event{{raised}, {raised, raised}, append(others[:3:3], raised)} {
		if _, err := service.Deliver(now, batch...); err != nil {
			t.Fatal(err)
		}
		rows := count(t, pool, `select count(*) from journey_state`)
		if n := count(t, pool, `select count(*) from offer where id = $1 and journey = $2`, offer, journey); n != 1 ||
			rows != len(batch)/4 {
			t.Errorf("after %d events: the offer stands %d times, and %d journeys are known", len(batch), n, rows)
		}
	}
}
