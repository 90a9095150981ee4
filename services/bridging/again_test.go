package bridging

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

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
