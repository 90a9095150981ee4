package intake

import (
	"context"
	"errors"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// saidOnCall is something that was said or met on the telephone and that changes what is kept of the person.
type saidOnCall struct {
	journey, person, what string
	sequence              int64
	at                    time.Time
}

// What it may be.
const (
	saidStop = "stop" // the person said that calls are to stop: it is their no, as if they had told staff
	// their number is another's, or another answers it: it is not used before the person was asked
	saidNumber = "number"
)

// readSaidOnCall reads such an event; false where it is none. What another says of stopping is no answer of the
// person's: the calls are paused, and they are asked.
func readSaidOnCall(e flow.Event) (said saidOnCall, ok bool, err error) {
	said = saidOnCall{journey: e.Subject, sequence: flow.ReadSequence(e.Sequence), at: e.Time}
	switch schemas.Type(e.Type) {
	case schemas.AskedToStop:
		d, err := flow.Decode[schemas.AskedToStopData](e)
		if said.what = saidStop; !d.At.IsZero() { // absent in what was published before the event said when
			said.at = d.At
		}
		return said, d.By == schemas.StoppedByPerson, err
	case schemas.CallOtherPerson:
		d, err := flow.Decode[schemas.CallOtherPersonData](e)
		said.what = saidNumber
		return said, d.Navigator, err
	case schemas.CallUnanswered:
		d, err := flow.Decode[schemas.CallUnansweredData](e)
		said.what = saidNumber
		return said, d.Why == schemas.WrongNumber && d.Navigator, err
	}
	return saidOnCall{}, false, nil
}

// keepSaidOnCalls stores what events say of it; the loop brings the records in line, each under its person's lock.
func keepSaidOnCalls(tx *flow.Tx, fresh []flow.Event) error {
	for _, e := range fresh {
		said, ok, err := readSaidOnCall(e)
		if err != nil {
			return err
		}
		if ok {
			storeSaidOnCall(tx, said)
		}
	}
	return nil
}

// applySaidOnCalls brings what is kept of people in line with what was said on the telephone.
func (s *Service) applySaidOnCalls(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	all, err := lockSaidOnCalls(tx, limit)
	if err != nil {
		return 0, err
	}
	for _, said := range all {
		records, err := recordsOfJourney(tx, principal.Principal{}, said.journey)
		if err != nil {
			return 0, err
		}
		err = s.around(tx, principal.Principal{}, records, func(*transaction) (map[string][]record.Question, error) {
			return nil, s.applySaid(tx, said)
		})
		if err != nil {
			return 0, err
		}
		endSaidOnCall(tx, said)
	}
	return len(all), nil
}

// applySaid does so with one. Nothing is kept of somebody who was erased.
func (s *Service) applySaid(tx *flow.Tx, said saidOnCall) error {
	sub, err := s.lockWithin(tx, schemas.Scope{All: true}, said.journey)
	if missing := (*httpx.Problem)(nil); errors.As(err, &missing) || err == nil && sub.erased {
		return nil
	}
	if err != nil {
		return err
	}
	if said.what == saidNumber {
		return s.pauseNumber(tx, sub, said.at)
	}
	return storeAnswers(tx, []record.Answer{{ID: clock.NewID(tx.Now), Person: sub.Person, Journey: sub.Journey,
		Purpose: schemas.PurposeBridging,
		State:   record.TakesBack(sub.answers, schemas.PurposeBridging), Giver: "person", How: "spoken",
		By:      string(schemas.Caller),
		Version: record.Version{StatedAt: said.at}, Organisation: sub.Organisation}})
}

// pauseNumber keeps a number from being used that another answers, unless somebody recorded since how to reach the
// person.
func (s *Service) pauseNumber(tx *flow.Tx, sub *subjectOf, at time.Time) error {
	if card, paused := sub.card.PausePhone(at); paused {
		sub.card = card
		return storeCard(tx, sub, tx.Now)
	}
	return nil
}
