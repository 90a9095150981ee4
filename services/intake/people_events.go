package intake

import (
	"maps"
	"slices"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/services/intake/record"
)

// around does what people decide about records, and then tells every journey of theirs what stands otherwise by it: an
// answer, a stop of contact, an age. What the deciding itself has said of answers is in told, by journey.
func (s *Service) around(tx *flow.Tx, who principal.Principal, records []string,
	do func(j *transaction) (told map[string][]record.Question, err error)) error {
	keys, err := keysOfRecords(tx, who, records)
	if err != nil {
		return err
	}
	before, err := s.loadRecords(tx, keys)
	if err != nil {
		return err
	}
	today := s.today(tx.Now)
	before.unit.Remember(today)
	deciding := newTransaction(s, nil)
	told, err := do(deciding)
	if err != nil {
		return err
	}
	if err := deciding.end(tx); err != nil {
		return err
	}
	if err := tx.Flush(); err != nil {
		return err
	}
	job, err := s.loadRecords(tx, keys)
	if err != nil {
		return err
	}
	job.unit.Stood, job.unit.BarredWere, job.unit.HoursWere = before.unit.Stood, before.unit.BarredWere,
		before.unit.HoursWere
	job.unit.Heard = before.unit.Heard
	for id, person := range before.unit.Owners {
		if owner := job.unit.Owners[id]; owner != nil && owner.ID != person.ID {
			owner.NoteBirths(person)
		}
	}
	job.unit.MarkPublished(told, today)
	job.reconcile(tx)
	return job.end(tx)
}

// loadRecords loads and locks the persons that some lookup keys lead to, with all that is known of them.
func (s *Service) loadRecords(tx *flow.Tx, keys []string) (*transaction, error) {
	job := newTransaction(s, nil)
	for _, key := range keys {
		job.locks.known[key] = true
	}
	return job, job.load(tx)
}

// reconcile brings what has been told of all loaded persons in line with how their records stand now.
func (j *transaction) reconcile(tx *flow.Tx) {
	done := map[*record.Person]bool{}
	for _, key := range slices.Sorted(maps.Keys(j.locks.known)) {
		person := j.unit.Persons[key]
		if person == nil || done[person] {
			continue
		}
		for _, record := range j.unit.Records(person) {
			done[record] = true
		}
		j.emit(tx, j.unit.Reconcile(person,
			record.Incoming{DecidedAt: tx.Now, New: record.NewIDs{Journey: clock.NewID(tx.Now)}}))
	}
}
