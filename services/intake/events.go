package intake

import (
	"cmp"
	"slices"
	"time"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// journeySaid is the state that an event of the journey service means.
var journeySaid = map[string]string{
	string(schemas.JourneyOpened):   "open",
	string(schemas.JourneyHeld):     "held",
	string(schemas.JourneyReleased): "open",
	string(schemas.JourneyClosed):   journeyClosed,
	string(schemas.JourneyReopened): "open",
}

// journeyState is what a batch of events says of one journey.
type journeyState struct {
	id, state string
	at        int64
}

// closing is that a journey was closed: the grants that had begun by then end, whatever has been heard since.
type closing struct {
	id string
	at time.Time
}

// Handle applies a batch of events: which journeys are open, so that a person who comes back joins theirs, and which
// were closed, so that no partner reads on.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	return func(fresh []flow.Event) error {
		return s.hearJourneys(tx, fresh)
	}
}

// hearJourneys takes the newest that was said of each journey, and every closing, in the order of their ids. Grants
// come first, as whoever records an answer locks them before the journey.
func (s *Service) hearJourneys(tx *flow.Tx, fresh []flow.Event) error {
	newest := map[string]journeyState{}
	var closed []closing
	for _, e := range fresh {
		state, ok := journeySaid[e.Type]
		if !ok {
			continue
		}
		at := max(flow.ReadSequence(e.Sequence), 1)
		if state == journeyClosed {
			closed = append(closed, closing{e.Subject, e.Time})
		}
		if at > newest[e.Subject].at {
			newest[e.Subject] = journeyState{e.Subject, state, at}
		}
	}
	var states []journeyState
	for _, state := range newest {
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b journeyState) int { return cmp.Compare(a.id, b.id) })
	slices.SortFunc(closed, func(a, b closing) int { return cmp.Compare(a.id, b.id) })
	endGrantsOf(tx, closed)
	storeJourneyStates(tx, states)
	return nil
}
