package intake

import (
	"slices"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// transaction is one unit of work: what a transaction has locked and read, what it changes, and what follows. Every
// transaction that decides about records loads by it and ends by it, whichever way in led to it: nothing else writes
// down what it gathers. It is made again for each try.
type transaction struct {
	service     *Service
	batch       []*inboundMessage
	locks       *locks
	unit        *record.UnitOfWork
	decided     map[string]seen       // already in the ledger, by id
	fresh       map[string]bool       // first of their sender, control id and content
	known       map[receiptKey][]seen // came before under the same control id
	doubles     map[string]string     // record that may be the same person, by name hash
	released    []string
	quarantined []record.QuarantinedMessage
	rows        []*inboundMessage
	changed     []*record.Visit                  // beside those of the world
	told        map[string][]record.JourneyEvent // by journey, beside what world gives out
	yes         yesTold
}

func newTransaction(s *Service, batch []*inboundMessage) *transaction {
	world := record.NewUnit(s.zone, s.quarantineFor, func() string { return clock.NewID(s.clock.Now()) })
	world.Waits = s.waits
	j := &transaction{service: s, batch: batch, locks: newLocks(), unit: world, yes: yesTold{},
		decided: map[string]seen{}, doubles: map[string]string{}, fresh: map[string]bool{},
		known: map[receiptKey][]seen{}}
	for _, a := range batch {
		a.lock(j.locks)
	}
	return j
}

// load locks and reads all that is claimed.
func (j *transaction) load(tx *flow.Tx) error {
	return j.service.loadUnit(tx, j.locks, j.unit, tx.Now)
}

// visitsOf locks what stands of a journey. Visits that have been changed already are returned as they are now.
func (j *transaction) visitsOf(tx *flow.Tx, who principal.Principal, journey string) ([]*record.Visit, error) {
	visits, err := lockVisitsOf(tx, who, journey)
	for i, v := range visits {
		if at := slices.IndexFunc(j.changed, func(c *record.Visit) bool { return c.ID == v.ID }); at >= 0 {
			visits[i] = j.changed[at]
		}
	}
	return visits, err
}

// change notes visits as changed.
func (j *transaction) change(visits ...*record.Visit) {
	for _, v := range visits {
		if !slices.Contains(j.changed, v) {
			j.changed = append(j.changed, v)
		}
	}
}

// tell gives events out on a journey, at the end.
func (j *transaction) tell(journey string, all ...record.JourneyEvent) {
	if j.told == nil {
		j.told = map[string][]record.JourneyEvent{}
	}
	j.told[journey] = append(j.told[journey], all...)
}

// correct notes a visit as changed, and says of what stands how it is flagged now, and whose it is where home names it.
func (j *transaction) correct(v *record.Visit, home string) {
	j.change(v)
	if v.Published.Active() {
		j.tell(v.Published.Journey, record.JourneyEvent{Kind: schemas.DischargeCorrected,
			Data: schemas.DischargeCorrectedData{Visit: v.ID, Flags: record.OrNone(v.Published.Flags),
				Organisation: home}})
	}
}

// flush writes down the visits that have been changed, for what is read of them next.
func (j *transaction) flush(tx *flow.Tx) error {
	if err := storeVisits(tx, j.changed); err != nil {
		return err
	}
	j.changed = nil
	return tx.Flush()
}

// end queues the writing of all that has been changed and gathered.
func (j *transaction) end(tx *flow.Tx) error {
	if err := j.service.storePersons(tx, j.unit.ChangedPersons()); err != nil {
		return err
	}
	storeNumbers(tx, j.unit.Linked)
	storeStops(tx, j.unit)
	if err := storeFresh(tx, j.unit); err != nil {
		return err
	}
	if err := storeStated(tx, j.unit.Stated, tx.Now); err != nil {
		return err
	}
	if err := storeVisits(tx, append(j.changed, j.unit.ChangedVisits()...)); err != nil {
		return err
	}
	if len(j.rows) > 0 {
		storeMessages(tx, j.rows)
		storeAsked(tx, j.rows, tx.Now)
	}
	decideMessages(tx, j.released, record.Joined, reading.ReasonAnswered, "coding", tx.Now)
	holdMessages(tx, j.quarantined, tx.Now.Add(j.service.quarantineFor))
	storeJourneys(tx, j.unit.ChangedJourneys())
	j.yes.store(tx)
	return emitOn(tx, j.told)
}

// release ends the quarantine of a message whose question has been answered by what came later.
func (j *transaction) release(tx *flow.Tx, message string) {
	for _, a := range j.batch {
		if a.id == message {
			a.result.Outcome, a.result.Reason = record.Joined, reading.ReasonAnswered
		}
	}
	j.released = append(j.released, message)
	j.emit(tx, []record.Emission{emitReleased(message)})
}

// hold makes an earlier message a question for a human: a later one has shown that it ended a visit of its own.
func (j *transaction) hold(held record.QuarantinedMessage) {
	for _, a := range j.batch {
		if a.id == held.Message {
			a.result.Outcome, a.result.Reason = record.Quarantined, held.Reason
			return
		}
	}
	j.quarantined = append(j.quarantined, held)
}

// emit gives events out, each with the next version of its journey.
func (j *transaction) emit(tx *flow.Tx, all []record.Emission) {
	for _, say := range all {
		emission := flow.Emission{Type: string(say.Type), Journey: say.Journey, Version: 1, Data: say.Data}
		known := j.unit.Journeys[say.Journey]
		if known == nil {
			if !say.First {
				emission.Version = 2 // a message is quarantined, then released
			}
			tx.Emit(emission)
			continue
		}
		known.Told, known.Changed = known.Told+1, true
		emission.Version, emission.Correlation = known.Told, known.FirstEvent
		j.yes.note(say.Type, say.Journey, tx.Sequence(known.Told), say.Data)
		if id := tx.Emit(emission); known.FirstEvent == "" {
			known.FirstEvent = id
		}
	}
}
