package intake

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"footbridge/libs/flow"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// journeyEvents is the state that an event of the journey service means.
var journeyEvents = map[string]string{
	string(schemas.JourneyOpened):   "open",
	string(schemas.JourneyHeld):     "held",
	string(schemas.JourneyReleased): "open",
	string(schemas.JourneyClosed):   record.JourneyClosed,
	string(schemas.JourneyReopened): "open",
}

// journeyState is what a batch of events says of one journey.
type journeyState struct {
	id, state string
	at        int64
}

// Handle applies a batch of events: which journeys are open, so that a person who comes back joins theirs, and which
// were closed, so that no partner reads on; and what became of offers, which alone open who somebody is to a partner;
// and what was said on the telephone.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	return func(fresh []flow.Event) error {
		if err := s.applyJourneys(tx, fresh); err != nil {
			return err
		}
		if err := applyCalls(tx, fresh); err != nil {
			return err
		}
		if err := keepSaidOnCalls(tx, fresh); err != nil {
			return err
		}
		if err := keepPartnerTerms(tx, fresh); err != nil {
			return err
		}
		return applyOffers(tx, fresh)
	}
}

// applyJourneys takes the newest that was said of each journey, and every closing, in the order of their ids.
func (s *Service) applyJourneys(tx *flow.Tx, fresh []flow.Event) error {
	newest := map[string]journeyState{}
	closed := map[string]closing{}
	for _, e := range fresh {
		state, ok := journeyEvents[e.Type]
		if !ok {
			continue
		}
		at := max(flow.ReadSequence(e.Sequence), 1)
		if state == record.JourneyClosed {
			d, err := flow.Decode[schemas.JourneyClosedData](e)
			if err != nil {
				return err
			}
			c := closed[e.Subject]
			closed[e.Subject] = closing{max(c.turn, at), max(c.answeredUpTo, int64(d.AnsweredUpTo))}
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
	storeJourneyStates(tx, states)
	storeClosings(tx, closed)
	return nil
}

// offerChange is what an event of the follow-up service says of one offer, or of a journey's offers as a whole.
type offerChange struct {
	record.Offer
	exhausted int64
}

// readOffer reads an event about offers; false where it is about something else.
func readOffer(e flow.Event) (offerChange, bool, error) {
	at := max(flow.ReadSequence(e.Sequence), 1)
	said := offerChange{Offer: record.Offer{Journey: e.Subject}}
	var err error
	switch schemas.Type(e.Type) {
	case schemas.OfferAccepted:
		var d schemas.OfferAcceptedData
		d, err = flow.Decode[schemas.OfferAcceptedData](e)
		said.ID, said.Partner, said.Accepted, said.Transition, said.Agreed, said.AgreementUntil = d.Offer, d.Partner,
			at, int64(d.Transition), at, d.AgreementUntil
	case schemas.OfferDeclined:
		var d schemas.OfferDeclinedData
		d, err = flow.Decode[schemas.OfferDeclinedData](e)
		said.ID, said.Ended = d.Offer, true
	case schemas.OfferWithdrawn:
		var d schemas.OfferWithdrawnData
		d, err = flow.Decode[schemas.OfferWithdrawnData](e)
		said.ID, said.Ended = d.Offer, true
	case schemas.OfferHandedBack:
		var d schemas.OfferHandedBackData
		d, err = flow.Decode[schemas.OfferHandedBackData](e)
		said.ID, said.Ended = d.Offer, true
	case schemas.OfferUndone:
		var d schemas.OfferUndoneData
		d, err = flow.Decode[schemas.OfferUndoneData](e)
		said.ID, said.Ended = d.Offer, true
	case schemas.OfferDeletionConfirmed: // what they say they keep no more they read no more
		var d schemas.OfferDeletionConfirmedData
		d, err = flow.Decode[schemas.OfferDeletionConfirmedData](e)
		said.ID, said.Ended = d.Offer, true
	case schemas.FollowupCompleted:
		var d schemas.FollowupCompletedData
		d, err = flow.Decode[schemas.FollowupCompletedData](e)
		said.ID, said.CompletedOn = d.Offer, d.CompletedOn
	case schemas.OfferExhausted:
		said.exhausted = at
	default:
		return offerChange{}, false, nil
	}
	return said, true, err
}

// applyOffers joins what was said of offers with what is known of them. The journeys are locked first, in the order of
// their ids, so that whoever reads under a journey's lock sees all of an event or nothing.
func applyOffers(tx *flow.Tx, fresh []flow.Event) error {
	var all []offerChange
	exhausted := map[string]int64{}
	for _, e := range fresh {
		said, ok, err := readOffer(e)
		switch {
		case err != nil:
			return err
		case ok && said.exhausted > 0:
			exhausted[e.Subject] = max(exhausted[e.Subject], said.exhausted)
		case ok:
			all = append(all, said)
		}
	}
	storeExhausted(tx, exhausted)
	if len(all) == 0 {
		return nil
	}
	known, err := lockOffers(tx, all)
	if err != nil {
		return err
	}
	var changed []string
	for _, said := range all {
		o, ok := known[said.ID]
		if !ok {
			o = &record.Offer{ID: said.ID, Journey: said.Journey}
			known[said.ID] = o
		}
		if o.Apply(said.Offer) && !slices.Contains(changed, o.ID) {
			changed = append(changed, o.ID)
		}
	}
	slices.Sort(changed)
	for _, id := range changed {
		storeOffer(tx, *known[id])
	}
	return nil
}

// keepPartnerTerms keeps from when until when partners may be told anything.
func keepPartnerTerms(tx *flow.Tx, fresh []flow.Event) error {
	for _, e := range fresh {
		d, ok, err := readPartner(e)
		if err != nil {
			return err
		}
		if ok {
			storePartnerTerms(tx, flow.ReadSequence(e.Sequence), d)
		}
	}
	return nil
}

// readPartner reads an event about a partner; false where it is about something else.
func readPartner(e flow.Event) (d schemas.PartnerChangedData, ok bool, err error) {
	if schemas.Type(e.Type) == schemas.PartnerChanged {
		d, err = flow.Decode[schemas.PartnerChangedData](e)
		return d, err == nil, err
	}
	return d, false, nil
}

// closing is that a journey was closed: acceptances that know of no later turn of the journey, and answers told with a
// sequence up to answeredUpTo, count no more, in whatever order all of it is heard.
type closing struct {
	turn, answeredUpTo int64
}

// callChange is what an event of the bridging service says of who rings.
type callChange struct {
	call, journey, organisation, holder string
	until                               time.Time
	claimed, ended                      int64
}

// readCall reads an event about a call; false where it is about something else. Whatever became of a call ends that
// anybody may read by it.
func readCall(e flow.Event) (c callChange, ok bool, err error) {
	at := max(flow.ReadSequence(e.Sequence), 1)
	c.journey = e.Subject
	switch schemas.Type(e.Type) {
	case schemas.CallClaimed:
		var d schemas.CallClaimedData
		d, err = flow.Decode[schemas.CallClaimedData](e)
		c.call, c.organisation, c.holder, c.until, c.claimed = d.Call, d.Organisation, d.Holder, d.Until.UTC(), at
	case schemas.CallReached:
		c.call, c.ended, err = ended[schemas.CallReachedData](e, at,
			func(d schemas.CallReachedData) string { return d.Call })
	case schemas.CallUnanswered:
		c.call, c.ended, err = ended[schemas.CallUnansweredData](e, at,
			func(d schemas.CallUnansweredData) string { return d.Call })
	case schemas.CallOtherPerson:
		c.call, c.ended, err = ended[schemas.CallOtherPersonData](e, at,
			func(d schemas.CallOtherPersonData) string { return d.Call })
	case schemas.CallNotMade:
		c.call, c.ended, err = ended[schemas.CallNotMadeData](e, at,
			func(d schemas.CallNotMadeData) string { return d.Call })
	case schemas.AskedToStop:
		c.call, c.ended, err = ended[schemas.AskedToStopData](e, at,
			func(d schemas.AskedToStopData) string { return d.Call })
	default:
		return callChange{}, false, nil
	}
	return c, true, err
}

func ended[D any](e flow.Event, at int64, call func(D) string) (string, int64, error) {
	d, err := flow.Decode[D](e)
	return call(d), at, err
}

// applyCalls keeps who may read whom they ring, in the order of the calls' ids.
func applyCalls(tx *flow.Tx, fresh []flow.Event) error {
	var all []callChange
	for _, e := range fresh {
		c, ok, err := readCall(e)
		if err != nil {
			return err
		}
		if ok {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b callChange) int { return strings.Compare(a.call, b.call) })
	for _, c := range all {
		storeCallGrant(tx, c)
	}
	return nil
}
