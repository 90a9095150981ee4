package intake

import (
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// ReasonParted: contact had stopped for a record that turned out to be another person's.
const ReasonParted = "records-parted"

// around does what people decide about records, and then tells every journey of theirs what stands otherwise by it: an
// answer, a stop of contact, an age. What the deciding itself has said of answers is in told, by journey.
func (s *Service) around(tx *flow.Tx, records []string, do func() (told map[string][]asked, err error)) error {
	keys, err := keysOfRecords(tx, records)
	if err != nil {
		return err
	}
	before, err := s.loadRecords(tx, keys)
	if err != nil {
		return err
	}
	today := s.today(tx.Now)
	before.world.remember(today)
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
	job.world.stood = before.world.stood
	job.world.hasBeenTold(told, today)
	job.reconcile(tx)
	if err := s.storeWorld(tx, job.world); err != nil {
		return err
	}
	storeJourneys(tx, job.world.changedJourneys())
	return nil
}

// hasBeenTold leaves out what has been said of answers already.
func (w *World) hasBeenTold(told map[string][]asked, today string) {
	for journey, keys := range told {
		j := w.journeys[journey]
		if j == nil || w.owners[j.Person] == nil {
			continue
		}
		is, was := w.peopleOf(w.owners[j.Person]).stands(j.Person, today), maps.Clone(w.stood[journey])
		if was == nil {
			was = Stands{}
		}
		for _, key := range keys {
			was[key] = is[key]
		}
		w.stood[journey] = was
	}
}

// loadRecords loads and locks the persons that some lookup keys lead to, with all that is known of them.
func (s *Service) loadRecords(tx *flow.Tx, keys []string) (*job, error) {
	job := newJob(s, nil)
	for _, key := range keys {
		job.claims.known[key] = true
	}
	job.claims.whole = true
	s.loadWorld(tx, job.claims, job.world, tx.Now)
	return job, tx.Flush()
}

// reconcile brings what has been told of all loaded persons in line with how their records stand now.
func (j *job) reconcile(tx *flow.Tx) {
	done := map[*Person]bool{}
	for _, key := range slices.Sorted(maps.Keys(j.claims.known)) {
		person := j.world.persons[key]
		if person == nil || done[person] {
			continue
		}
		for _, record := range j.world.records(person) {
			done[record] = true
		}
		j.say(tx, j.world.reconcile(person, Incoming{DecidedAt: tx.Now, NewJourney: clock.NewID(tx.Now)}))
	}
}

// reconcile says what stands otherwise of a person now that somebody has decided about their records.
func (w *World) reconcile(person *Person, in Incoming) []Say {
	say := w.settleAll(person, in, Decision{}).Say
	if reason := w.stopReason(person); reason != "" {
		say = append(say, stopContact(w.visitsOf(person), person.ID, reason)...)
	} else {
		say = append(say, resumeContact(w.visitsOf(person), person.ID, ReasonParted)...)
	}
	return append(say, w.tellAnswers(person, in.DecidedAt.In(w.Zone).Format("2006-01-02"), "")...)
}

// resumeContact says, once for each journey, that a stop is lifted.
func resumeContact(visits []*Visit, person, reason string) (say []Say) {
	told := map[string]bool{}
	for _, v := range visits {
		if !v.Raised.ContactOver {
			continue
		}
		v.Raised.ContactOver, v.changed = false, true
		if !told[v.Raised.Journey] {
			told[v.Raised.Journey] = true
			say = append(say, Say{Type: schemas.ContactResumed, Journey: v.Raised.Journey, Data: schemas.ContactResumedData{Person: person, Reason: reason}})
		}
	}
	return say
}

// keysOfRecords are lookup keys that lead to some records: one of each. Somebody who has been erased has none.
func keysOfRecords(tx *flow.Tx, records []string) (keys []string, err error) {
	tx.Queue(`select distinct on (person) hash from person_lookup where person = any($1::uuid[]) order by person, hash`, records).Query(func(rows pgx.Rows) error {
		var hash []byte
		_, err := pgx.ForEachRow(rows, []any{&hash}, func() error { keys = append(keys, string(hash)); return nil })
		return err
	})
	return keys, tx.Flush()
}

// recordsOfJourney are the records of a journey's person, whoever asks: what they may see is decided where it is read.
func recordsOfJourney(tx *flow.Tx, journey string) (records []string, err error) {
	tx.Queue(`select r::text from journey j cross join records_of(j.person) as r where j.id = $1::uuid order by r`, journey).Query(func(rows pgx.Rows) error {
		records, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return records, tx.Flush()
}
