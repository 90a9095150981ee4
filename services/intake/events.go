package intake

import (
	"slices"
	"strconv"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// journeySaid is the state that an event of the journey service means.
var journeySaid = map[string]string{
	string(schemas.JourneyOpened):              "open",
	schemas.TypePrefix + "journey.held.v1":     "held",
	schemas.TypePrefix + "journey.released.v1": "open",
	schemas.TypePrefix + "journey.closed.v1":   journeyClosed,
	schemas.TypePrefix + "journey.reopened.v1": "open",
}

// journeyState is what a batch of events says of one journey.
type journeyState struct {
	id, state string
	at        int64
}

// Handle applies a batch of events: which journeys are open, so that a person who comes back joins theirs.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	return func(fresh []flow.Event) error {
		return s.hearJourneys(tx, fresh)
	}
}

// hearJourneys takes the newest that was said of each journey, in the order of their ids.
func (s *Service) hearJourneys(tx *flow.Tx, fresh []flow.Event) error {
	newest := map[string]journeyState{}
	for _, e := range fresh {
		state, ok := journeySaid[e.Type]
		if !ok {
			continue
		}
		at, err := strconv.ParseInt(e.Sequence, 10, 64)
		if err != nil || at < 1 {
			at = 1
		}
		if at > newest[e.Subject].at {
			newest[e.Subject] = journeyState{e.Subject, state, at}
		}
	}
	var states []journeyState
	for _, state := range newest {
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b journeyState) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	storeJourneyStates(tx, states)
	return nil
}
