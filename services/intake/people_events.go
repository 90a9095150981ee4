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
func (s *Service) around(tx *flow.Tx, who principal.Principal, records []string, do func() (told map[string][]record.Question, err error)) error {
	keys, err := keysOfRecords(tx, who, records)
	if err != nil {
		return err
	}
	before, err := s.loadRecords(tx, keys)
	if err != nil {
		return err
	}
	today := s.today(tx.Now)
	before.world.Remember(today)
	told, err := do()
	if err != nil {
		return err
	}
	if err := tx.Flush(); err != nil {
		return err
	}
	job, err := s.loadRecords(tx, keys)
	if err != nil {
		return err
	}
	job.world.Stood, job.world.BarredWere = before.world.Stood, before.world.BarredWere
	for id, person := range before.world.Owners {
		if owner := job.world.Owners[id]; owner != nil && owner.ID != person.ID {
			owner.NoteBirths(person)
		}
	}
	job.world.HasBeenTold(told, today)
	job.reconcile(tx)
	if err := s.storeWorld(tx, job.world); err != nil {
		return err
	}
	storeJourneys(tx, job.world.ChangedJourneys())
	return nil
}

// loadRecords loads and locks the persons that some lookup keys lead to, with all that is known of them.
func (s *Service) loadRecords(tx *flow.Tx, keys []string) (*job, error) {
	job := newJob(s, nil)
	for _, key := range keys {
		job.claims.known[key] = true
	}
	s.loadWorld(tx, job.claims, job.world, tx.Now)
	return job, tx.Flush()
}

// reconcile brings what has been told of all loaded persons in line with how their records stand now.
func (j *job) reconcile(tx *flow.Tx) {
	done := map[*record.Person]bool{}
	for _, key := range slices.Sorted(maps.Keys(j.claims.known)) {
		person := j.world.Persons[key]
		if person == nil || done[person] {
			continue
		}
		for _, record := range j.world.Records(person) {
			done[record] = true
		}
		j.say(tx, j.world.Reconcile(person, record.Incoming{DecidedAt: tx.Now, NewJourney: clock.NewID(tx.Now)}))
	}
}
