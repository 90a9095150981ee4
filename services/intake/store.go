package intake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// queuer is the part of flow.Tx that the store uses: statements queued here go in the caller's next round trip.
type queuer interface {
	Queue(sql string, args ...any) *flow.Query
}

// errMergedMeanwhile: a record was merged into another one while this transaction waited for it. Doing it again
// finds the survivor.
var errMergedMeanwhile = errors.New("the person's record was merged meanwhile")

// seen is what the ledger knows of an earlier message with the same sender and control id.
type seen struct {
	message, ack, outcome, reason, journey string
	hash                                   [sha256.Size]byte
}

type receiptKey struct{ sender, controlID string }

// lockReceipts writes down that these messages have come and tells, in fresh, which of them came for the first
// time, and in known what came before under the same control ids. Rows are claimed in key order.
func lockReceipts(q queuer, arrivals []*inboundMessage, now time.Time, fresh map[string]bool,
	known map[receiptKey][]seen) {
	var senders, controls, ids []string
	var hashes [][]byte
	for _, a := range sortedByReceipt(arrivals) {
		senders, controls = append(senders, a.receipt().sender), append(controls, a.ControlID)
		hashes, ids = append(hashes, a.hash[:]), append(ids, a.id)
	}
	if len(ids) == 0 {
		return
	}
	q.Queue(`insert into receipt (sender, control_id, content_hash, message, received_at)
		select sender, control_id, hash, message, $5 from unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[]) as
		t(sender, control_id, hash, message)
		on conflict do nothing returning message::text`, senders, controls, hashes, ids, now).
		Query(func(rows pgx.Rows) error {
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error { fresh[id] = true; return nil })
			return err
		})
	q.Queue(`select distinct r.sender, r.control_id, r.content_hash, r.message::text
		from unnest($1::text[], $2::text[]) as t(sender, control_id)
		join receipt r on r.sender = t.sender and r.control_id = t.control_id
		where r.message <> all($3::uuid[])`, senders, controls, ids).
		Query(func(rows pgx.Rows) error { return scanKnown(rows, known) })
}

// findAnswered queues how those that came before were answered. The ledger is asked for them alone: it has a table for
// every day, and a statement that may read any of them takes long.
func findAnswered(q queuer, known map[receiptKey][]seen) {
	answers := map[string]seen{}
	for _, all := range known {
		for _, s := range all {
			answers[s.message] = seen{}
		}
	}
	if len(answers) == 0 {
		return
	}
	q.Queue(`select m.id::text, m.ack, m.outcome, m.reason, coalesce(m.journey, v.journey)::text
		from message m left join visit v on v.id = m.visit where m.id = any($1::uuid[])`,
		slices.Collect(maps.Keys(answers))).
		Query(func(rows pgx.Rows) error {
			err := scanDecided(rows, answers)
			for _, all := range known {
				for i, s := range all {
					answer := answers[s.message]
					answer.message, answer.hash = s.message, s.hash
					all[i] = answer
				}
			}
			return err
		})
}

func sortedByReceipt(arrivals []*inboundMessage) []*inboundMessage {
	sorted := slices.DeleteFunc(slices.Clone(arrivals), func(a *inboundMessage) bool { return !a.resendIsKnown() })
	slices.SortStableFunc(sorted, func(a, b *inboundMessage) int {
		return cmp.Or(cmp.Compare(a.receipt().sender, b.receipt().sender), cmp.Compare(a.ControlID, b.ControlID),
			slices.Compare(a.hash[:], b.hash[:]))
	})
	return sorted
}

func scanKnown(rows pgx.Rows, known map[receiptKey][]seen) error {
	var key receiptKey
	var hash []byte
	var s seen
	_, err := pgx.ForEachRow(rows, []any{&key.sender, &key.controlID, &hash, &s.message}, func() error {
		s.hash = [sha256.Size]byte(hash)
		known[key] = append(known[key], s)
		return nil
	})
	return err
}

// findDecided tells which of these messages are in the ledger already: a commit whose outcome was not known had
// taken place.
func findDecided(q queuer, ids []string, found map[string]seen) {
	q.Queue(`select m.id::text, m.ack, m.outcome, m.reason, m.journey::text from message m where id = any($1::uuid[])`,
		ids).
		Query(func(rows pgx.Rows) error { return scanDecided(rows, found) })
}

func scanDecided(rows pgx.Rows, found map[string]seen) error {
	var id, ack, outcome, reason string
	var journey *string
	_, err := pgx.ForEachRow(rows, []any{&id, &ack, &outcome, &reason, &journey}, func() error {
		s := seen{message: id, ack: ack, outcome: outcome, reason: reason}
		if journey != nil {
			s.journey = *journey
		}
		found[id] = s
		return nil
	})
	return err
}

// locks is what a batch concerns: it is locked, and loaded into the world, by loadUnit.
type locks struct {
	persons map[string]string // lookup key to the id that a new record would get
	known   map[string]bool   // lookup keys that are looked at but make no new record
	visits  map[record.VisitKey]bool
	numbers map[string]string // keyed hash of a verified NHS number to the id that a record first named by it would get
}

func newLocks() *locks {
	return &locks{persons: map[string]string{}, known: map[string]bool{}, visits: map[record.VisitKey]bool{},
		numbers: map[string]string{}}
}

// idsOfNumbers are the records that the numbers would lead to, in the order of the numbers.
func (c *locks) idsOfNumbers() (ids []string) {
	for _, number := range slices.Sorted(maps.Keys(c.numbers)) {
		ids = append(ids, c.numbers[number])
	}
	return ids
}

// loadUnit locks and reads all that the claims name: verified numbers first, then persons in id order, then visits in
// key order, then journeys, so that no two transactions wait for each other. It takes one round trip where nothing is
// stored of any of it, as of most who come for the first time, and two otherwise. With a person
// come all records that share a verified NHS number, and their visits and journeys: which visits are one attendance,
// and whether a journey is open, is decided from all of them. Two transactions that hear of a person first at the
// same time wait for one another at the lookup's row; of a visit, the second finds it there when it stores its own,
// and is done again.
//
// Intake acts for the system itself here, so no principal narrows what is seen.
func (s *Service) loadUnit(tx *flow.Tx, c *locks, w *record.UnitOfWork, now time.Time) error {
	found := lockKeys(tx, c)
	if len(found.keys) == 0 && len(found.visits) == 0 {
		return tx.Flush()
	}
	known := false // offset: they are found once, and not for each column anew
	tx.Queue(`select set_config('intake.concerned', c.records::text, true), cardinality(c.records) > 0
			or (select count(*) from unnest($3::text[], $4::text[]) as t(organisation, number) join visit v
			on v.organisation = t.organisation and v.number = t.number) > 0
		from (select array(select concerned_records($1::bytea[], $2::bytea[], $3::text[], $4::text[])) as records
		offset 0) c`,
		found.keys, found.numbers, found.organisations,
		found.visits).QueryRow(func(row pgx.Row) error { return row.Scan(nil, &known) })
	if err := tx.Flush(); err != nil {
		return err
	}
	// nothing is stored of anything that is claimed: there is nothing more to lock or read
	if !known && found.allNew() {
		for _, key := range found.keys {
			w.RecordOf[string(key)] = cmp.Or(c.persons[string(key)], c.numbers[string(key)])
		}
		return nil
	}
	s.lockPersons(tx, w)
	findByKeys(tx, c, w, found)
	findNumbers(tx, w)
	lockVisits(tx, c, w, found, pg.UUIDFloor(now.Add(-s.keepReceipts)))
	findHomes(tx, w)
	lockJourneys(tx, w, found)
	lockAnswers(tx, w)
	loadCards(tx, w)
	return tx.Flush()
}

// affected is the condition that a record is one of those that the claims lead to, found once by loadUnit and kept
// for the transaction. Without that it is an error.
const affected = ` r.id = any(current_setting('intake.concerned')::uuid[]) `

// lookupKeys is how the records are found that a batch concerns: by lookup keys, verified numbers, and visits.
type lookupKeys struct {
	keys, numbers         [][]byte
	organisations, visits []string
	made                  map[string]bool // keys and numbers that led to nobody before
}

// allNew says that none of the keys led to anybody before.
func (f *lookupKeys) allNew() bool {
	return !slices.ContainsFunc(f.keys, func(key []byte) bool { return !f.made[string(key)] })
}

// lockKeys queues that keys and numbers which lead to nobody yet lead to the records that would be made.
func lockKeys(q queuer, c *locks) *lookupKeys {
	found := &lookupKeys{made: map[string]bool{}}
	for _, key := range sortedVisits(c.visits) {
		found.organisations, found.visits = append(found.organisations, key.Organisation),
			append(found.visits, key.Number)
	}
	var ids []string
	for _, key := range slices.Sorted(maps.Keys(c.persons)) {
		found.keys, ids = append(found.keys, []byte(key)), append(ids, c.persons[key])
	}
	for _, number := range slices.Sorted(maps.Keys(c.numbers)) {
		found.numbers = append(found.numbers, []byte(number))
	}
	if len(ids) > 0 {
		// The lookup's row also stands for the advisory lock on a person of whom nothing else is known.
		q.Queue(`insert into person_lookup (hash, person) select hash, person
			from unnest($1::bytea[], $2::uuid[]) as t(hash, person)
			order by hash on conflict do nothing returning hash`, append(slices.Clone(found.keys), found.numbers...),
			append(ids, c.idsOfNumbers()...)).
			Query(func(rows pgx.Rows) error {
				var hash []byte
				_, err := pgx.ForEachRow(rows, []any{&hash},
					func() error { found.made[string(hash)] = true; return nil })
				return err
			})
	}
	if len(found.numbers) > 0 {
		// A number's row serialises two records that are the first to carry it.
		q.Queue(`select 1 from person_lookup where hash = any($1::bytea[]) order by hash for update`, found.numbers)
	}
	for key := range c.known {
		if _, also := c.persons[key]; !also {
			found.keys = append(found.keys, []byte(key))
		}
	}
	return found
}

func (s *Service) lockPersons(q queuer, w *record.UnitOfWork) {
	q.Queue(`select r.id::text, r.organisation, r.survivor::text, r.aliases::text[], r.deceased, r.anonymous,
		r.identity,
			r.said_at, r.said_seq, r.version, k.wrapped, r.facts::text
		from person r left join person_key k on k.person = r.id
		where` + affected + `order by r.id for update of r`).
		Query(func(rows pgx.Rows) error { return s.scanPersons(rows, w) })
	// A statement of its own, which sees what others have stored before the locks were given.
	q.Queue(`select r.id::text, owner::text, r.id <> owner and p.deceased, t.person is not null from person r cross
		join unnest(r.aliases || r.id) as owner
		join person p on p.id = owner left join contact_stop t on t.person = owner where` + affected +
		`and (p.deceased or t.person is not null)`).
		Query(func(rows pgx.Rows) error { return scanStops(rows, w) })
}

// scanStops reads of which of a person's records a death was reported, and of which a human stopped contact.
func scanStops(rows pgx.Rows, w *record.UnitOfWork) error {
	var id, record string
	var died, stopped bool
	_, err := pgx.ForEachRow(rows, []any{&id, &record, &died, &stopped}, func() error {
		person := w.Owners[id]
		if person == nil {
			return errMergedMeanwhile
		}
		if died {
			person.Deaths = append(person.Deaths, record)
		}
		if stopped {
			person.Stops = append(person.Stops, record)
		}
		return nil
	})
	return err
}

// findByKeys puts the loaded persons under the keys that lead to them, and takes over the ids that keys lead to
// already.
func findByKeys(q queuer, c *locks, w *record.UnitOfWork, found *lookupKeys) {
	q.Queue(`select l.hash, l.person::text, coalesce(p.survivor, p.id)::text from person_lookup l left join person p
		on p.id = l.person
		where l.hash = any($1::bytea[])`, found.keys).Query(func(rows pgx.Rows) error {
		var hash []byte
		var id string
		var record *string
		_, err := pgx.ForEachRow(rows, []any{&hash, &id, &record}, func() error {
			key := string(hash)
			w.RecordOf[key] = id
			if _, claimed := c.persons[key]; claimed {
				c.persons[key] = id
			}
			if record == nil {
				return nil
			}
			w.Persons[key] = w.Owners[*record]
			return mustKnow(w, *record)
		})
		return err
	})
}

// findNumbers says which verified numbers the loaded records carry. Another record may have come to carry one while
// this transaction waited.
func findNumbers(q queuer, w *record.UnitOfWork) {
	q.Queue(`select distinct also.hash, also.person::text from person r cross join unnest(r.aliases || r.id) as owner
		join person_number n on n.person = owner join person_number also on also.hash = n.hash join person p
		on p.id = also.person where` + affected).
		Query(func(rows pgx.Rows) error {
			var hash []byte
			var id string
			_, err := pgx.ForEachRow(rows, []any{&hash, &id},
				func() error { w.AddNumber(string(hash), w.Owners[id]); return mustKnow(w, id) })
			return err
		})
}

// mustKnow: a record that was not there when the transaction looked for those concerned is there now.
func mustKnow(w *record.UnitOfWork, id string) error {
	if w.Owners[id] == nil {
		return errMergedMeanwhile
	}
	return nil
}

func (s *Service) scanPersons(rows pgx.Rows, w *record.UnitOfWork) error {
	var identity, wrapped []byte
	var survivor *string
	var deceased bool
	var facts string
	var p record.Person
	_, err := pgx.ForEachRow(rows, []any{&p.ID, &p.Organisation, &survivor, &p.Aliases, &deceased, &p.Anonymous,
		&identity,
		&p.Version.StatedAt, &p.Version.ArrivalNumber, &p.RowVersion, &wrapped, &facts}, func() error {
		if survivor != nil {
			return errMergedMeanwhile
		}
		person := p
		person.Aliases = slices.Clone(p.Aliases)
		if err := json.Unmarshal([]byte(facts), &person.Facts); err != nil {
			return fmt.Errorf("reading the facts of person %s: %w", person.ID, err)
		}
		if deceased {
			person.Deaths = []string{p.ID}
		}
		w.AddRecord(&person)
		return s.openIdentity(&person, wrapped, identity)
	})
	return err
}

// openIdentity reads who the person is. A person who has been erased has no key: they stay, as nobody.
func (s *Service) openIdentity(p *record.Person, wrapped, sealed []byte) error {
	p.Wrapped = slices.Clone(wrapped)
	key, err := s.vault.Unwrap(p.ID, wrapped)
	if errors.Is(err, vault.ErrErased) {
		return nil
	}
	if err != nil {
		return err
	}
	plain, err := key.Open(fieldIdentity, sealed)
	if err != nil {
		return err
	}
	var identity record.Identity
	if json.Unmarshal(plain, &identity) != nil {
		return fmt.Errorf("reading the identity of person %s: not as it was written", p.ID) // the cause may quote it
	}
	p.Identity = vault.Conceal(identity)
	return nil
}

// Fields of the vault.
const (
	fieldIdentity = "identity"
	fieldRaw      = "raw"
)

// lockVisits locks the visits that the claims name, those merged with them, and all that the persons had since the
// floor: older ones cannot be one attendance with anything that comes now. A named visit may have become somebody
// else's while this transaction waited for it: theirs have to be known too.
func lockVisits(q queuer, c *locks, w *record.UnitOfWork, found *lookupKeys, floor string) {
	q.Queue(`with named as materialized (
			select v.id, v.organisation, v.number, v.joined_to
			from unnest($1::text[], $2::text[]) as t(organisation, number)
			join visit v on v.organisation = t.organisation and v.number = t.number
		), wanted as materialized (
			select id from named
			union
			select v.id from named join visit v on v.organisation = named.organisation and v.joined_to = named.number
			union
			select v.id from named join visit v on v.organisation = named.organisation and v.number = named.joined_to
			union
			select v.id from person r cross join unnest(r.aliases || r.id) as owner join visit v on v.person = owner
			where`+affected+`and (v.id >= $3::uuid or v.journey is not null))
		select v.id::text, v.organisation, v.number, v.version, v.says::text, coalesce(v.person::text, '') from wanted join visit v using (id)
		order by v.organisation, v.number for update of v`, found.organisations, found.visits, floor).
		Query(func(rows pgx.Rows) error { return scanVisits(rows, c, w) })
}

// lockJourneys locks the journeys of the persons and of their visits.
func lockJourneys(q queuer, w *record.UnitOfWork, found *lookupKeys) {
	q.Queue(`with records as materialized (
			select unnest(r.aliases || r.id) as id from person r where`+affected+`
		), wanted as materialized (
			select v.journey as id from unnest($1::text[], $2::text[]) as t(organisation, number)
			join visit v on v.organisation = t.organisation and v.number = t.number where v.journey is not null
			union
			select j.id from records join journey j on j.person = records.id
			union
			select v.journey from records join visit v on v.person = records.id where v.journey is not null)
		select j.id::text, j.person::text, j.told, j.first_event, j.state, j.opened_at from wanted join journey j using (id) order by j.id for update of j`,
		found.organisations, found.visits).
		Query(func(rows pgx.Rows) error { return scanJourneys(rows, w) })
}

func scanVisits(rows pgx.Rows, c *locks, w *record.UnitOfWork) error {
	var v record.Visit
	var says, person string
	_, err := pgx.ForEachRow(rows, []any{&v.ID, &v.Organisation, &v.Number, &v.RowVersion, &says, &person},
		func() error {
			if person != "" && c.visits[record.VisitKey{Organisation: v.Organisation, Number: v.Number}] &&
				w.Owners[person] == nil {
				return errMergedMeanwhile
			}
			loaded := &record.Visit{ID: v.ID, Organisation: v.Organisation, Number: v.Number, RowVersion: v.RowVersion,
				Stored: true}
			if err := json.Unmarshal([]byte(says), &loaded.VisitState); err != nil {
				return fmt.Errorf("reading visit %s: %w", v.ID, err)
			}
			w.AddVisit(loaded)
			return nil
		})
	return err
}

func scanJourneys(rows pgx.Rows, w *record.UnitOfWork) error {
	var j record.JourneyState
	_, err := pgx.ForEachRow(rows, []any{&j.ID, &j.Person, &j.Told, &j.FirstEvent, &j.State, &j.OpenedAt},
		func() error {
			known := j
			w.Journeys[j.ID] = &known
			return nil
		})
	return err
}

func storeJourneys(q queuer, journeys []*record.JourneyState) {
	n := len(journeys)
	if n == 0 {
		return
	}
	ids, persons, first, opened, told := make([]string, n), make([]string, n), make([]string, n), make([]time.Time, n),
		make([]int64, n)
	for i, j := range journeys {
		ids[i], persons[i], first[i], opened[i], told[i] = j.ID, j.Person, j.FirstEvent, j.OpenedAt, j.Told
	}
	q.Queue(`insert into journey (id, person, told, first_event, opened_at)
		select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[]) as t(id, person,
		told, first_event, opened_at)
		on conflict (id) do update set told = excluded.told, first_event = excluded.first_event`, ids, persons, told,
		first, opened)
}

// storeJourneyStates queues what the journey service said; an older word changes nothing.
func storeJourneyStates(q queuer, states []journeyState) {
	if len(states) == 0 {
		return
	}
	var ids, said []string
	var at []int64
	for _, state := range states {
		ids, said, at = append(ids, state.id), append(said, state.state), append(at, state.at)
	}
	q.Queue(`with locked as materialized (select id from journey where id = any($1::uuid[]) order by id for update)
		update journey j set state = t.state, state_at = t.at
		from unnest($1::uuid[], $2::text[], $3::bigint[]) as t(id, state, at) join locked using (id)
		where j.id = t.id and j.state_at < t.at`, ids, said, at)
}

// storeNumbers queues which records carry which verified numbers.
func storeNumbers(q queuer, linked []record.NumberOf) {
	if len(linked) == 0 {
		return
	}
	var hashes [][]byte
	var persons []string
	for _, l := range linked {
		hashes, persons = append(hashes, []byte(l.Hash)), append(persons, l.Person)
	}
	q.Queue(`insert into person_number (hash, person) select hash, person
		from unnest($1::bytea[], $2::uuid[]) as t(hash, person)
		order by hash, person on conflict do nothing`, hashes, persons)
}

func sortedVisits(visits map[record.VisitKey]bool) []record.VisitKey {
	sorted := make([]record.VisitKey, 0, len(visits))
	for key := range visits {
		sorted = append(sorted, key)
	}
	slices.SortFunc(sorted, func(a, b record.VisitKey) int {
		return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.Number, b.Number))
	})
	return sorted
}

// storePersons queues persons that have been changed, with what was learnt of them sealed.
func (s *Service) storePersons(q queuer, persons []*record.Person) error {
	if len(persons) == 0 {
		return nil
	}
	n := len(persons)
	ids, organisations, aliases := make([]string, n), make([]string, n), make([]string, n)
	survivors := make([]*string, n)
	deceased, anonymous := make([]bool, n), make([]bool, n)
	hashes, facts := make([][]byte, n), make([]string, n)
	numbers, surnames := make([][]byte, n), make([][]byte, n)
	identities, saidAt, saidSeq, versions := make([][]byte, n), make([]time.Time, n), make([]int64, n), make([]int64, n)
	var keyed, learnt []string
	var wrapped [][]byte
	for i, p := range persons {
		sealed, fresh, err := s.sealIdentity(p)
		if err != nil {
			return err
		}
		if p.Applied && !p.IsNew {
			learnt = append(learnt, p.ID)
		}
		if fresh != nil {
			keyed, wrapped = append(keyed, p.ID), append(wrapped, fresh)
		}
		ids[i], organisations[i], aliases[i] = p.ID, p.Organisation, uuidArray(p.Aliases)
		if p.Survivor != "" {
			survivors[i] = &p.Survivor
		}
		deceased[i], anonymous[i], identities[i] = slices.Contains(p.Deaths, p.ID), p.Anonymous, sealed
		if hashes[i], err = s.nameHash(p.Organisation, p.Identity.Reveal()); err != nil {
			return err
		}
		if numbers[i], surnames[i], err = s.searchHashes(p.Identity.Reveal()); err != nil {
			return err
		}
		book, err := json.Marshal(&p.Facts)
		if err != nil {
			return fmt.Errorf("writing the facts of person %s: %w", p.ID, err)
		}
		facts[i] = string(book)
		saidAt[i], saidSeq[i], versions[i] = p.Version.StatedAt, p.Version.ArrivalNumber, p.RowVersion
	}
	q.Queue(`with keys as (
			insert into person_key (person, wrapped) select person, wrapped
			from unnest($13::uuid[], $14::bytea[]) as t(person, wrapped) on conflict (person) do nothing
		)
		insert into person (id, organisation, survivor, aliases, deceased, anonymous, identity, said_at, said_seq,
		version, name_hash, facts, number_hash, surname_hash, searchable)
		select id, organisation, survivor, aliases::uuid[], deceased, anonymous, coalesce(identity, ''), said_at,
		said_seq, version, name_hash, facts::jsonb, number_hash, surname_hash, true
		from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::bool[], $6::bool[], $7::bytea[],
		$8::timestamptz[], $9::bigint[], $10::bigint[], $11::bytea[], $12::text[], $15::bytea[], $16::bytea[])
			as t(id, organisation, survivor, aliases, deceased, anonymous, identity, said_at, said_seq, version,
			name_hash, facts, number_hash, surname_hash)
		on conflict (id) do update set name_hash = excluded.name_hash, number_hash = excluded.number_hash,
			surname_hash = excluded.surname_hash, searchable = true, survivor = excluded.survivor, aliases =
		excluded.aliases, deceased = excluded.deceased,
			anonymous = excluded.anonymous, said_at = excluded.said_at, said_seq = excluded.said_seq, version =
			excluded.version, facts = excluded.facts,
			identity = case when excluded.identity = '' then person.identity else excluded.identity end`,
		ids, organisations, survivors, aliases, deceased, anonymous, identities, saidAt, saidSeq, versions, hashes,
		facts, keyed, wrapped, numbers, surnames)
	reviewAgain(q, learnt, s.clock.Now())
	for _, p := range persons {
		if p.Survivor != "" {
			// Records merged into this one before now lead to its survivor; rare, so not set-based.
			q.Queue(`update person set survivor = $2 where survivor = $1`, p.ID, p.Survivor)
		}
		if p.DeathsChanged && len(p.Aliases) > 0 {
			q.Queue(`update person set deceased = (id = any($2::uuid[])) where id = any($1::uuid[])`, p.Aliases,
				record.OrNone(p.Deaths))
		}
	}
	return nil
}

// sealIdentity seals what was learnt of a person, under a new key for a new one; nothing where nothing was learnt,
// and nothing for somebody who has been erased.
func (s *Service) sealIdentity(p *record.Person) (sealed, wrapped []byte, err error) {
	if !p.Applied && !p.IsNew {
		return nil, nil, nil
	}
	var key vault.Key
	switch {
	case p.IsNew:
		key, wrapped, err = s.vault.NewKey(p.ID)
	case len(p.Wrapped) == 0:
		// What was kept about them has lapsed, and they are spoken of again. Somebody who was erased is not found by
		// anything any more, and does not come here.
		key, wrapped, err = s.vault.NewKey(p.ID)
	default:
		key, err = s.vault.Unwrap(p.ID, p.Wrapped)
	}
	if err != nil {
		return nil, nil, err
	}
	plain, err := json.Marshal(p.Identity.Reveal())
	if err != nil {
		return nil, nil, fmt.Errorf("writing the identity of person %s: not as JSON", p.ID)
	}
	defer clear(plain)
	return key.Seal(fieldIdentity, plain), wrapped, nil
}

// uuidArray writes ids as PostgreSQL's array literal: unnest takes no arrays of arrays of different lengths.
func uuidArray(ids []string) string {
	literal := []byte{'{'}
	for i, id := range ids {
		if i > 0 {
			literal = append(literal, ',')
		}
		literal = append(literal, id...)
	}
	return string(append(literal, '}'))
}

// storeVisits queues new visits and changed ones. Where another transaction has stored a new one since this one looked
// for it, its number is there already and all of this is done again: then it joins that one.
func storeVisits(q queuer, visits []*record.Visit) error {
	fresh, known := partition(visits, func(v *record.Visit) bool { return !v.Stored })
	const columns = `id, organisation, number, person, version, says, journey, raised_at, withdrawn, joined_to, look_at`
	const rows = `unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::uuid[], $8::timestamptz[], $9::bool[], $10::text[], $11::timestamptz[]) as t(` + columns + `)`
	if args, err := visitColumns(fresh); err != nil {
		return err
	} else if len(fresh) > 0 {
		q.Queue(`insert into visit (`+columns+`)
			select id, organisation, number, person, version, says::jsonb, journey, raised_at, withdrawn, joined_to, look_at from `+rows, args...)
	}
	if args, err := visitColumns(known); err != nil {
		return err
	} else if len(known) > 0 {
		q.Queue(`update visit v set person = t.person, version = t.version, says = t.says::jsonb, journey = t.journey,
			raised_at = t.raised_at,
			withdrawn = t.withdrawn, joined_to = t.joined_to, look_at = t.look_at from `+rows+` where v.id = t.id`,
			args...)
	}
	return nil
}

func partition[T any](all []T, first func(T) bool) (yes, no []T) {
	for _, one := range all {
		if first(one) {
			yes = append(yes, one)
		} else {
			no = append(no, one)
		}
	}
	return yes, no
}

func visitColumns(visits []*record.Visit) ([]any, error) {
	n := len(visits)
	ids, organisations, numbers, says := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	persons, journeys, raised, looks := make([]*string, n), make([]*string, n), make([]*time.Time, n),
		make([]*time.Time, n)
	versions, withdrawn, joinedTo := make([]int64, n), make([]bool, n), make([]*string, n)
	for i, v := range visits {
		text, err := json.Marshal(&v.VisitState)
		if err != nil {
			return nil, fmt.Errorf("writing visit %s: %w", v.ID, err)
		}
		ids[i], organisations[i], numbers[i], says[i] = v.ID, v.Organisation, v.Number, string(text)
		versions[i], withdrawn[i] = v.RowVersion, v.Published.Withdrawn != ""
		persons[i], joinedTo[i] = optional(v.Person), optional(v.Into)
		if !v.Watch.At.IsZero() {
			looks[i] = &v.Watch.At
		}
		if v.Published.Journey != "" {
			journeys[i], raised[i] = &v.Published.Journey, &v.Published.At
		}
	}
	return []any{ids, organisations, numbers, persons, versions, says, journeys, raised, withdrawn, joinedTo, looks},
		nil
}

// storeMessages queues the ledger's rows, with their sealed content and its keys.
func storeMessages(q queuer, arrivals []*inboundMessage) {
	n := len(arrivals)
	text := map[string][]string{}
	column := func(name string, value string) { text[name] = append(text[name], value) }
	received, dues := make([]time.Time, n), make([]*time.Time, n)
	hashes, raws, wrapped := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	visits, journeys, persons := make([]*string, n), make([]*string, n), make([]*string, n)
	for i, a := range arrivals {
		persons[i] = optional(a.person)
		column("id", a.id)
		column("organisation", a.Organisation)
		column("sender", a.Sender)
		column("door", a.endpoint)
		column("control", a.ControlID)
		column("type", a.Type)
		column("ack", a.ack())
		column("outcome", string(a.result.Outcome))
		column("reason", a.result.Reason)
		column("trace", a.trace)
		received[i], hashes[i], raws[i], wrapped[i] = a.received, a.hash[:], a.sealed, a.wrapped
		visits[i], journeys[i] = optional(a.visit), optional(a.result.Journey)
		if a.result.Outcome == record.Quarantined {
			dues[i] = &a.dueAt
		}
	}
	q.Queue(`with keys as (
			insert into message_key (message, wrapped) select message, wrapped
			from unnest($1::uuid[], $18::bytea[]) as t(message, wrapped) where wrapped is not null
		)
		insert into message (id, organisation, sender, received_at, door, control_id, content_hash, type, ack, outcome,
		reason, visit, journey, raw, trace, due_at, person)
		select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
		$7::bytea[], $8::text[], $9::text[],
			$10::text[], $11::text[], $12::uuid[], $13::uuid[], $14::bytea[], $15::text[], $16::timestamptz[],
			$17::uuid[])`,
		text["id"], text["organisation"], text["sender"], received, text["door"], text["control"], hashes, text["type"],
		text["ack"],
		text["outcome"], text["reason"], visits, journeys, raws, text["trace"], dues, persons, wrapped)
}

func optional(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

// storeFresh queues what persons answered, as reports passed it on.
func storeFresh(q queuer, w *record.UnitOfWork) error {
	err := storeAnswers(q, w.Fresh)
	w.Fresh = nil
	return err
}

// storeStated queues facts as they were said.
func storeStated(q queuer, all []record.StatedFacts, now time.Time) error {
	if len(all) == 0 {
		return nil
	}
	n := len(all)
	persons, facts, ways, roles := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	messages, at := make([]*string, n), make([]time.Time, n)
	for i, said := range all {
		text, err := json.Marshal(&all[i].Facts)
		if err != nil {
			return fmt.Errorf("writing what was said of person %s: %w", said.Person, err)
		}
		persons[i], facts[i], ways[i], roles[i] = said.Person, string(text), said.Way, said.By
		messages[i], at[i] = optional(said.Message), said.StatedAt
	}
	q.Queue(`insert into stated_facts (person, facts, way, by_role, message, said_at, received_at)
		select person, facts::jsonb, way, by_role, message, said_at, $7
		from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[]) as t(person, facts,
		way, by_role, message, said_at)`,
		persons, facts, ways, roles, messages, at, now)
	return nil
}

// decideMessages queues the end of a quarantine: the question has been answered.
func decideMessages(q queuer, ids []string, outcome record.Outcome, reason, by string, now time.Time) {
	if len(ids) > 0 {
		q.Queue(`update message set outcome = $2, reason = $3, settled_by = $4, settled_at = $5
			where id = any($1::uuid[]) and outcome = 'quarantined'`, ids, string(outcome), reason, by, now)
	}
}

// holdMessages queues earlier messages as questions for a human, due by a time.
func holdMessages(q queuer, all []record.QuarantinedMessage, due time.Time) {
	var ids, reasons []string
	for _, held := range all {
		ids, reasons = append(ids, held.Message), append(reasons, held.Reason)
	}
	if len(ids) > 0 {
		q.Queue(`update message m set outcome = 'quarantined', reason = t.reason, due_at = $3, settled_at = null,
			settled_as = null, settled_by = null
			from unnest($1::uuid[], $2::text[]) as t(id, reason) where m.id = t.id`, ids, reasons, due)
	}
}

// ledgerFilter narrows a list of messages; empty fields do not.
type ledgerFilter struct {
	Outcome, Sender string
	From, To        time.Time // received from and before
}

const ledgerColumns = `m.id::text, m.organisation, m.sender, m.received_at, m.door, m.control_id, m.type, m.ack, m.outcome, m.reason,
	coalesce(m.journey::text, ''), m.trace, m.due_at, m.settled_at, coalesce(m.settled_by, '')`

func (l *LedgerLine) into() []any {
	return []any{&l.ID, &l.Organisation, &l.Sender, &l.ReceivedAt, &l.Endpoint, &l.ControlID, &l.Type, &l.Ack,
		&l.Outcome, &l.Reason,
		&l.Journey, &l.Trace, &l.DueAt, &l.DecidedAt, &l.DecidedBy}
}

// ledger lists messages, the newest first, that the principal may see.
func (s *Service) ledger(ctx context.Context, who principal.Principal, filter ledgerFilter,
	page httpx.Page) ([]LedgerLine, error) {
	after := clock.HighestID
	if len(page.After) == 1 {
		after = page.After[0]
	}
	floor := clock.LowestID
	if !filter.From.IsZero() {
		floor = clock.FloorID(filter.From)
	}
	if before := clock.FloorID(filter.To); !filter.To.IsZero() && before < after {
		after = before
	}
	rows, err := s.pool.Query(ctx, `select `+ledgerColumns+` from message m
		where m.id < $1::uuid and m.id >= $7::uuid and ($2 = '' or m.outcome = $2) and ($3 = '' or m.sender = $3) and ($4 or owner_of(m.organisation) = any($5))
		order by m.id desc limit $6`, after, filter.Outcome, filter.Sender, scopeOf(who).All,
		scopeOf(who).Organisations, page.Limit+1, floor)
	if err != nil {
		return nil, fmt.Errorf("listing messages: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l LedgerLine, err error) {
		return l, row.Scan(l.into()...)
	})
}

// quarantinedMessage is a quarantined message with what deciding about it needs.
type quarantinedMessage struct {
	LedgerLine
	Decided                                   string // what a human decided before
	Visit                                     string
	visitOrganisation, visitNumber, personKey string
	raw, wrapped                              []byte
}

// lockQuarantined reads a message, if the principal may see it, and locks it for the transaction.
func lockQuarantined(tx *flow.Tx, who principal.Principal, id string) (*quarantinedMessage, error) {
	return readQuarantined(tx, who, id, `for update of m`)
}

// readQuarantined is the same with a lock of its own, or with none.
func readQuarantined(tx *flow.Tx, who principal.Principal, id, lock string) (*quarantinedMessage, error) {
	var held *quarantinedMessage
	tx.Queue(`select `+ledgerColumns+
		`, coalesce(m.settled_as, ''), coalesce(v.id::text, ''), coalesce(v.organisation, ''), coalesce(v.number, ''),
			coalesce((select l.hash from person_lookup l join person p on p.id = l.person where l.person = v.person limit 1), ''), m.raw, k.wrapped
		from message m left join visit v on v.id = m.visit left join message_key k on k.message = m.id
		where m.id = $1::uuid and ($2 or owner_of(m.organisation) = any($3)) `+lock, id, scopeOf(who).All,
		scopeOf(who).Organisations).
		Query(func(rows pgx.Rows) error {
			var h quarantinedMessage
			var key []byte
			_, err := pgx.ForEachRow(rows, append(h.into(), &h.Decided, &h.Visit, &h.visitOrganisation, &h.visitNumber,
				&key, &h.raw, &h.wrapped), func() error {
				h.personKey, held = string(key), &h
				return nil
			})
			return err
		})
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	if held == nil {
		return nil, noSuchMessage()
	}
	return held, nil
}

// decideQuarantined queues what a human's decision made of a message.
func decideQuarantined(q queuer, held *quarantinedMessage, line LedgerLine, settledAs, visit string) {
	q.Queue(`update message set outcome = $2, reason = $3, journey = $4::uuid, visit = coalesce($5::uuid, visit),
		settled_at = $6, settled_by = $7,
			settled_as = $8 where id = $1::uuid`,
		held.ID, line.Outcome, line.Reason, optional(line.Journey), optional(visit), line.DecidedAt, line.DecidedBy,
		settledAs)
}

// storeAsked queues what is kept of requests of the FHIR door. A request asked for again stays with its first message.
func storeAsked(q queuer, arrivals []*inboundMessage, now time.Time) {
	var organisations, ids, correlations, statuses, messages []string
	var authored []time.Time
	for _, a := range arrivals {
		if a.asked == nil || a.result.Outcome == record.Duplicate || a.result.Outcome == record.Rejected {
			continue
		}
		organisations, ids = append(organisations, a.Organisation), append(ids, a.asked.id)
		correlations, statuses = append(correlations, a.asked.correlation), append(statuses, a.asked.status)
		messages, authored = append(messages, a.id), append(authored, a.asked.authored)
	}
	for i := range ids { // two of one batch may be about one request; rare, so not set-based
		q.Queue(`insert into request (organisation, id, correlation, status, message, authored_at, changed_at)
			values ($1, $2::uuid, $3, $4, $5::uuid, $6, $7)
			on conflict (organisation, id) do update set status = excluded.status, changed_at = excluded.changed_at`,
			organisations[i], ids[i], correlations[i], statuses[i], messages[i], authored[i], now)
	}
}

// knownRequest is a request that an earlier message made: its id, and the number of the visit it was joined to.
// repeated says that a message under the same ids came before.
type knownRequest struct {
	id, number, status string
	repeated           bool
}

// askedBefore finds a request of the principal's organisation by its id, else by the correlation id it came under.
func (s *Service) askedBefore(ctx context.Context, who principal.Principal, id, correlation string,
	receipt receiptKey) (knownRequest, error) {
	var known knownRequest
	err := s.pool.QueryRow(ctx, `select q.id::text, coalesce(v.number, ''), q.status,
			exists (select 1 from receipt r where r.sender = $4 and r.control_id = $5) from request q left
			join message m on m.id = q.message left join visit v on v.id = m.visit
		where q.organisation = $1 and (q.id = $2::uuid or q.correlation = $3)
		order by q.id = $2::uuid desc, q.changed_at desc limit 1`,
		who.Organisation, id, correlation, receipt.sender, receipt.controlID).Scan(&known.id, &known.number,
		&known.status, &known.repeated)
	if errors.Is(err, pgx.ErrNoRows) {
		return known, nil
	}
	if err != nil {
		return known, fmt.Errorf("finding a request: %w", err)
	}
	return known, nil
}

// whatBecame reads a request of the principal's organisation with how its message, visit and journey stand now.
func (s *Service) whatBecame(ctx context.Context, who principal.Principal, id string) (Asked, bool, error) {
	asked := Asked{ID: id}
	var outcome, person string
	var settled *time.Time
	err := s.pool.QueryRow(ctx, `select q.status, q.authored_at, q.changed_at, coalesce(m.outcome, ''),
		coalesce(m.reason, ''), coalesce(m.settled_as, ''),
			m.settled_at, v.journey is not null, coalesce(v.withdrawn, false), coalesce(v.says -> 'raised' ->>
			'contactOver' = 'true', false), coalesce(j.state, ''), coalesce(m.person::text, '')
		from request q left join message m on m.id = q.message left join visit v on v.id = m.visit left join journey j
		on j.id = coalesce(m.journey, v.journey)
		where q.organisation = $1 and q.id = $2::uuid`, who.Organisation, id).
		Scan(&asked.Status, &asked.AuthoredAt, &asked.ChangedAt, &outcome, &asked.Reason, &asked.Decided, &settled,
			&asked.Published,
			&asked.Withdrawn, &asked.Stopped, &asked.Journey, &person)
	if errors.Is(err, pgx.ErrNoRows) {
		return asked, false, nil
	}
	if err != nil {
		return asked, false, fmt.Errorf("finding what became of a request: %w", err)
	}
	asked.Outcome = record.Outcome(outcome)
	if settled != nil && settled.After(asked.ChangedAt) {
		asked.ChangedAt = *settled
	}
	if person != "" {
		asked.MayTell, err = s.mayTell(ctx, person, who.Organisation)
	}
	return asked, true, err
}

// mayTell says whether a person has said that an organisation which referred them may be told more.
func (s *Service) mayTell(ctx context.Context, person, organisation string) (bool, error) {
	var group record.Group
	var answers []record.Answer
	batch := &pgx.Batch{}
	loadGroup(batch, person, &group, &answers, &[]sealedCard{})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return false, fmt.Errorf("reading whether who referred may be told more: %w", err)
	}
	return record.Consent(group, answers, schemas.PurposeTellReferrer, organisation, s.today(s.clock.Now())).Holds(),
		nil
}

// lockAnswers reads what was answered under the records, and which of them a human confirmed to be one person.
func lockAnswers(q queuer, w *record.UnitOfWork) {
	q.Queue(`select ` + answerColumns +
		` from person r cross join unnest(r.aliases || r.id) as owner join consent c on c.person = owner where` +
		affected).
		Query(func(rows pgx.Rows) error { return scanAnswers(rows, &w.Answers) })
	q.Queue(`select m.other::text, m.survivor::text from person r cross join unnest(r.aliases || r.id) as owner
		join person_merge m on m.other = owner and m.undone_at is null and m.confirmed_at is not null where` +
		affected).
		Query(func(rows pgx.Rows) error {
			var other, survivor string
			_, err := pgx.ForEachRow(rows, []any{&other, &survivor},
				func() error { w.Confirmed[other] = survivor; return nil })
			return err
		})
}

// loadCards reads what may be known of the persons' contact cards without opening them, and which organisations they
// said must not know.
func loadCards(q queuer, w *record.UnitOfWork) {
	q.Queue(`select c.person::text, c.no_safe_channel, c.needs, c.confirmed, c.changed_at, c.must_not_know, c.ring_from,
			c.ring_until
		from person r cross join unnest(r.aliases || r.id) as owner
		join contact_card c on c.person = owner where` + affected).
		Query(func(rows pgx.Rows) error {
			var person string
			var flags record.CardFlags
			var barred []string
			_, err := pgx.ForEachRow(rows, []any{&person, &flags.NoSafeChannel, &flags.Needs, &flags.Confirmed,
				&flags.ChangedAt, &barred, &flags.Hours.FromHour, &flags.Hours.ToHour}, func() error {
				w.Cards[person] = flags
				if len(barred) > 0 {
					w.Barred[person] = slices.Clone(barred)
				}
				return nil
			})
			return err
		})
}

// storeStops queues that a human stopped contact or lifted that, and whose contact is no longer taken for confirmed.
func storeStops(q queuer, w *record.UnitOfWork) {
	var stopped, lifted []string
	for _, p := range w.ChangedStops() {
		stopped, lifted = append(stopped, p.Stops...), append(lifted, record.Without(p.IDs(), p.Stops)...)
	}
	if len(stopped) > 0 {
		q.Queue(`insert into contact_stop (person, reason) select unnest($1::uuid[]), $2
			on conflict (person) do nothing`, stopped, record.ReasonByHandStop)
	}
	if len(lifted) > 0 {
		q.Queue(`delete from contact_stop where person = any($1::uuid[])`, lifted)
	}
	if len(w.Unconfirmed) > 0 {
		q.Queue(`update contact_card set confirmed = false where person = any($1::uuid[])`, w.Unconfirmed)
	}
}

// keyOfPerson finds a lookup key that leads to a record, if the principal's organisation knows the person: the record
// began there, or a visit of theirs did.
func keyOfPerson(tx *flow.Tx, who principal.Principal, ref string) (key, person string, err error) {
	tx.Queue(`select l.hash, r.id::text from person p join person r on r.id = coalesce(p.survivor, p.id)
		join lateral (select hash from person_lookup where person = any(r.aliases || r.id) limit 1) l on true
		where p.id = $4::uuid and `+strings.ReplaceAll(visibleRecord, "p.", "r."), append(scopeOf(who).Args(), ref)...).
		Query(func(rows pgx.Rows) error {
			var hash []byte
			_, err := pgx.ForEachRow(rows, []any{&hash, &person}, func() error { key = string(hash); return nil })
			return err
		})
	return key, person, tx.Flush()
}

type feedKey struct{ organisation, sender string }

// lockAlarms lets one process at a time look at the feeds.
func lockAlarms(q queuer) { q.Queue(`lock table alarm in share row exclusive mode`) }

// countFeeds counts what came from each sender in each hour since a time, from the ledger, and adds the codes that
// nobody knows.
func countFeeds(q queuer, since time.Time, unknown map[feedKey]int64) {
	q.Queue(`insert into feed_hour (organisation, sender, hour, messages, ends, triggers, unknown, last_at)
		select organisation, sender, date_trunc('hour', received_at), count(*), count(*) filter (where type =
		'ADT^A03'),
			count(*) filter (where outcome in ('raised', 'raised-flagged')), 0, max(received_at)
		from message where id >= $1::uuid and received_at >= $2 and door in ('mllp', 'events') and sender <> ''
		and organisation <> ''
		group by 1, 2, 3 order by 1, 2, 3
		on conflict (organisation, sender, hour) do update
		set messages = excluded.messages, ends = excluded.ends, triggers = excluded.triggers,
			last_at = excluded.last_at`, pg.UUIDFloor(since.Add(-time.Minute)), since)
	for _, key := range slices.SortedFunc(maps.Keys(unknown), compareFeeds) {
		q.Queue(`update feed_hour f set unknown = unknown + $3 from (select max(hour) as hour from feed_hour
			where organisation = $1 and sender = $2) newest
			where f.organisation = $1 and f.sender = $2 and f.hour = newest.hour`, key.organisation, key.sender,
			unknown[key])
	}
}

func compareFeeds(a, b feedKey) int {
	return cmp.Or(cmp.Compare(a.organisation, b.organisation), cmp.Compare(a.sender, b.sender))
}

// newestFeedHour gives the newest hour that was counted, where any was: what came in it and since is to be counted,
// also where nobody counted for long, as this system was stopped.
func newestFeedHour(q queuer, since *time.Time) {
	q.Queue(`select max(hour) from feed_hour where isfinite(hour)`).QueryRow(func(row pgx.Row) error {
		var newest *time.Time
		err := row.Scan(&newest)
		if newest != nil {
			*since = *newest
		}
		return err
	})
}

// feedHours narrows feed_hour f to the last weeks of each sender, up to the newest that came from it, however long ago.
const feedHours = `isfinite(f.hour) and isfinite(f.last_at)
	and f.hour >= (select max(n.hour) from feed_hour n where n.organisation = f.organisation and n.sender = f.sender and isfinite(n.hour)) - make_interval(secs => $1)`

// loadFeeds reads each sender's last weeks and the alarms that stand or were dismissed.
func loadFeeds(q queuer, feeds map[feedKey]*feed) {
	at := func(organisation, sender string) *feed {
		key := feedKey{organisation, sender}
		if feeds[key] == nil {
			feeds[key] = &feed{Organisation: organisation, Sender: sender, Open: map[string]string{}}
		}
		return feeds[key]
	}
	q.Queue(`select organisation, sender, hour, messages, ends, triggers, unknown, last_at from feed_hour f where `+
		feedHours+`
		order by organisation, sender, hour`, feedMemory.Seconds()).Query(func(rows pgx.Rows) error {
		var h feedHour
		_, err := pgx.ForEachRow(rows, []any{&h.Organisation, &h.Sender, &h.Hour, &h.Messages, &h.Ends, &h.Triggers,
			&h.Unknown, &h.LastAt}, func() error {
			f := at(h.Organisation, h.Sender)
			f.Hours = append(f.Hours, h)
			return nil
		})
		return err
	})
	q.Queue(`select id::text, organisation, sender, kind from alarm where cleared_at is null`).Query(
		func(rows pgx.Rows) error {
			var id, organisation, sender, kind string
			_, err := pgx.ForEachRow(rows, []any{&id, &organisation, &sender, &kind}, func() error {
				at(organisation, sender).Open[kind] = id
				return nil
			})
			return err
		})
}

func sortedFeeds(feeds map[feedKey]*feed) []*feed {
	var sorted []*feed
	for _, key := range slices.SortedFunc(maps.Keys(feeds), compareFeeds) {
		sorted = append(sorted, feeds[key])
	}
	return sorted
}

func storeAlarm(q queuer, a *inboundMessage) {
	q.Queue(`insert into alarm (id, organisation, sender, kind, raised_at) values ($1::uuid, $2, $3, $4, $5)`,
		a.id, a.Organisation, a.Sender, a.Type, a.received)
}

// endAlarms queues that alarms are over. ended are then those that nobody had settled before.
func endAlarms(q queuer, ids []string, now time.Time, ended *[]string) {
	if len(ids) == 0 {
		return
	}
	q.Queue(`update alarm set cleared_at = $2, cleared_by = 'feed' where id = any($1::uuid[])`, ids, now)
	q.Queue(`update message set outcome = $2, reason = $3, settled_by = 'feed', settled_at = $4
		where id = any($1::uuid[]) and outcome = 'quarantined' returning id::text`, ids, string(record.Ignored),
		ReasonFeedBack, now).Query(func(rows pgx.Rows) (err error) {
		*ended, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
}

// watchedVisit is a visit whose time to be looked at has come.
type watchedVisit struct {
	*record.Visit
	deceased bool
	active   bool // the question asked last waits for a human still
}

// lockWatched locks visits that are to be looked at by a time, those that waited longest first.
func lockWatched(tx *flow.Tx, now time.Time, limit int, found *[]watchedVisit) {
	tx.Queue(`select v.id::text, v.organisation, v.number, v.version, v.says::text,
			exists (select 1 from person p join person r on r.id = coalesce(p.survivor, p.id) where p.id = v.person
			and r.deceased),
			exists (select 1 from message m where m.id = uuid_of(v.says #>> '{watch,message}')
			and m.outcome = 'quarantined')
		from visit v where v.look_at <= $1 and v.id <> all($3::uuid[]) order by v.look_at limit $2
		for update of v skip locked`, now, limit, tx.Postponed()).
		Query(func(rows pgx.Rows) error {
			var v record.Visit
			var says string
			var one watchedVisit
			_, err := pgx.ForEachRow(rows, []any{&v.ID, &v.Organisation, &v.Number, &v.RowVersion, &says, &one.deceased,
				&one.active}, func() error {
				tx.Attempt(v.ID)
				loaded := &record.Visit{ID: v.ID, Organisation: v.Organisation, Number: v.Number,
					RowVersion: v.RowVersion, Stored: true}
				*found = append(*found, watchedVisit{loaded, one.deceased, one.active})
				return json.Unmarshal([]byte(says), &loaded.VisitState)
			})
			return err
		})
}

// forgetReceipts deletes receipts from before a time, so many at once.
func forgetReceipts(q queuer, before time.Time, limit int, gone *int) {
	q.Queue(`delete from receipt where ctid = any(array(select ctid from receipt where received_at < $1 limit $2))`,
		before, limit).
		Exec(func(tag pgconn.CommandTag) error { *gone = int(tag.RowsAffected()); return nil })
}

func forgetFeeds(q queuer, before time.Time) {
	q.Queue(`delete from feed_hour f where f.hour < $2 and not (`+feedHours+`)`, feedMemory.Seconds(), before)
}

// storeIdentity queues that what is sealed of a person is replaced.
func storeIdentity(q queuer, person string, sealed []byte) {
	q.Queue(`update person set identity = $2, version = version + 1 where id = $1::uuid`, person, sealed)
}
