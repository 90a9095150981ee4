package intake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/vault"
	"footbridge/libs/written"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// Fields of the vault that a person's key seals, next to their identity.
const (
	fieldCard   = "card"
	fieldNote   = "note/"   // and the note's id
	fieldAccess = "access/" // and the look's id
)

func scopeOf(who principal.Principal) schemas.Scope {
	return schemas.ScopeOf(schemas.Role(who.Role), who.Organisation, who.Subject)
}

// visibleRecord keeps a statement about records to those that a scope holds ($1 to $3): the record began within it, or
// a visit of it, or of one merged with it, did; and neither it nor one that a human confirmed to be the same person's
// says that they must not know. It is the one rule of all routes about a person, as bars is of those about a journey.
const visibleRecord = `(($1 or owner_of(p.organisation) = any($2) or p.id::text = $3 or p.survivor::text = $3
		or exists (select 1 from visit w where w.person = any(p.aliases || p.id) and owner_of(w.organisation) = any($2)))
	and not exists (select 1 from contact_card b where b.person in (select records_of(p.id)) and b.must_not_know && $2 and confirmed_as(p.id, b.person)))`

// subjectOf is the person of one journey, with all that deciding about them needs; locked until the transaction ends.
type subjectOf struct {
	Journey, Person, Organisation, State string
	unplaced                             bool // it came from where nobody has agreed: nobody sees who it is
	guard                                record.Guard
	Stopped                              bool // they have died, or contact is stopped
	waits                                bool // a human decides first whether anybody may be in touch
	key                                  vault.Key
	erased                               bool
	identity                             record.Identity
	// facts that this request states or takes back
	supplied *schemas.InformationSuppliedData
	// this request says how the person may be reached safely
	reached bool
	// this request was sent from the person's own page, with what is to be asked about that
	questions            []string
	card                 record.Card
	cardVersion, version int64
	cardChanged          time.Time
	group                record.Group
	answers              []record.Answer
	otherCards           []record.Card
	barred               []string // organisations that the person's other records say must not know
}

// unsafeSince says that it was reported, since somebody recorded how the person may be reached, that there is no safe
// way.
func (sub *subjectOf) unsafeSince() bool {
	return sub.cardVersion > 0 && !sub.card.NoSafeChannel && sub.identity.Unsafe() &&
		sub.identity.Version["safeContact"].StatedAt.After(sub.cardChanged)
}

func noSuchJourney() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no such journey that you may see. Check its id. Staff who "+
		"treat the person elsewhere state why in the header %s.", schemas.ReasonHeader)
}

func noSuchPerson() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no such record that you may see. Take the reference from "+
		"the journey.")
}

// lockSubject reads the person of a journey within the principal's reach, and locks their record.
func (s *Service) lockSubject(tx *flow.Tx, who principal.Principal, journey string) (*subjectOf, error) {
	sub, err := s.lockWithin(tx, scopeOf(who), journey)
	if err == nil && (sub.notYoung(who) || sub.hides(who)) {
		err = noSuchJourney()
	}
	return sub, err
}

// hides says that the person said that the caller's organisation must not know. What is their own they know.
func (sub *subjectOf) hides(who principal.Principal) bool {
	return schemas.Role(who.Role) != schemas.Person && sub.bars(who.Organisation)
}

// notYoung says that a young people's clinician asks about somebody who answers for themselves: nothing of theirs.
func (sub *subjectOf) notYoung(who principal.Principal) bool {
	return schemas.Role(who.Role) == schemas.YoungPeoplesClinician && sub.guard == record.Guard{}
}

// lockForAccess is lockSubject for somebody who only reads, and who may be of another organisation: whether they may,
// what it brings decides.
func (s *Service) lockForAccess(tx *flow.Tx, who principal.Principal, journey string) (*subjectOf, error) {
	scope := scopeOf(who)
	scope.All = scope.All || scope.Elsewhere || scope.ByOffer
	return s.lockWithin(tx, scope, journey)
}

// lockForCall is lockForAccess for somebody who rings by a claim that was found.
func (s *Service) lockForCall(tx *flow.Tx, who principal.Principal, journey string) (*subjectOf, error) {
	scope := scopeOf(who)
	scope.All = true // the claim says whom they ring
	return s.lockWithin(tx, scope, journey)
}

func (s *Service) lockWithin(tx *flow.Tx, scope schemas.Scope, journey string) (*subjectOf, error) {
	var sub *subjectOf
	var wrapped, identity, card []byte
	confirmed := true
	// Locked by a statement of its own: what the next one reads is then as it stands, not as it stood before the wait.
	tx.Queue(`select 1 from person where id = (select person from journey where id = $1::uuid) for update`, journey)
	tx.Queue(`select j.id::text, p.id::text, j.state, exists (select 1 from records_of(p.id) as o(id) join person q
		on q.id = o.id left join contact_stop t on t.person = q.id where q.deceased
		or t.person is not null), p.version, k.wrapped, p.identity, c.sealed, coalesce(c.version, 0),
		coalesce(c.changed_at, 'epoch'), coalesce(c.confirmed, true),
			owner_of(coalesce(v.organisation, p.organisation)), not is_placed(coalesce(v.organisation,
			p.organisation)), coalesce(v.says -> 'raised' -> 'flags', '[]')::text,
			case when years_of(v.says #>> '{raised,facts,age}') >= $5 then ''
			else coalesce(v.says #>> '{mayAnswer,who}', '') end
		from journey j join person p on p.id = j.person
		left join person_key k on k.person = p.id left join contact_card c on c.person = p.id
		left join lateral (select * from visit v where v.journey = j.id order by v.raised_at desc limit 1) v on true
		where j.id = $4::uuid and ($1 or owner_of(coalesce(v.organisation, p.organisation)) = any($2)
		or p.id::text = $3 or p.survivor::text = $3)
		for update of p`, append(scope.Args(), journey, record.Adult)...).Query(func(rows pgx.Rows) error {
		var found subjectOf
		var flags string
		_, err := pgx.ForEachRow(rows, []any{&found.Journey, &found.Person, &found.State, &found.Stopped,
			&found.version, &wrapped, &identity, &card,
			&found.cardVersion, &found.cardChanged, &confirmed, &found.Organisation, &found.unplaced, &flags,
			&found.guard.Answers}, func() error {
			var flagged []string
			if err := json.Unmarshal([]byte(flags), &flagged); err != nil {
				return fmt.Errorf("reading the visit of journey %s: %w", found.Journey, err)
			}
			found.guard.First = schemas.ClinicianFirst(flagged)
			found.waits = found.guard.First || schemas.HumanFirst(flagged)
			sub = &found
			wrapped, identity, card = slices.Clone(wrapped), slices.Clone(identity), slices.Clone(card)
			return nil
		})
		return err
	})
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	if sub == nil {
		return nil, noSuchJourney()
	}
	if err := s.openSubject(sub, wrapped, identity, card); err != nil {
		return nil, err
	}
	if !confirmed { // it is not certain any more whose contact this is
		for i := range sub.card.Channels {
			sub.card.Channels[i].Confirmed = false
		}
	}
	return sub, s.loadGroup(tx, sub)
}

func (s *Service) openSubject(sub *subjectOf, wrapped, identity, card []byte) error {
	key, err := s.vault.Unwrap(sub.Person, wrapped)
	if errors.Is(err, vault.ErrErased) {
		sub.erased = true
		return nil
	}
	if err != nil {
		return err
	}
	sub.key = key
	if len(identity) > 0 {
		if err := openJSON(key, fieldIdentity, identity, &sub.identity); err != nil {
			return err
		}
	}
	if len(card) > 0 {
		return openJSON(key, fieldCard, card, &sub.card)
	}
	sub.card = sub.identity.Card()
	return nil
}

// openJSON opens a sealed document. What is wrong with it is not said: that may quote it.
func openJSON(key vault.Key, field string, sealed []byte, into any) error {
	plain, err := key.Open(field, sealed)
	if err != nil {
		return err
	}
	defer clear(plain)
	if json.Unmarshal(plain, into) != nil {
		return fmt.Errorf("reading %s: not as it was written", field)
	}
	return nil
}

func sealJSON(key vault.Key, field string, value any) ([]byte, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("writing %s: not as JSON", field)
	}
	defer clear(plain)
	return key.Seal(field, plain), nil
}

// loadGroup reads the records merged with a person's, the answers of all of them, and what strictness needs of the
// other records' cards.
func (s *Service) loadGroup(tx *flow.Tx, sub *subjectOf) error {
	var cards []sealedCard
	loadGroup(tx, sub.Person, &sub.group, &sub.answers, &cards)
	if err := tx.Flush(); err != nil {
		return err
	}
	for _, sealed := range cards {
		card, err := s.openCard(sealed)
		if err != nil {
			return err
		}
		if !slices.Contains(sub.group.Others, sealed.person) {
			sub.barred = append(sub.barred, card.Barred()...)
			continue
		}
		sub.otherCards = append(sub.otherCards, card)
	}
	return nil
}

type sealedCard struct {
	person          string
	wrapped, sealed []byte
}

func (s *Service) openCard(sealed sealedCard) (card record.Card, err error) {
	key, err := s.vault.Unwrap(sealed.person, sealed.wrapped)
	if errors.Is(err, vault.ErrErased) {
		return record.Card{}, nil
	}
	if err == nil {
		err = openJSON(key, fieldCard, sealed.sealed, &card)
	}
	return card, err
}

// loadGroup queues the reading of the records merged with a person's, whether a human confirmed each, what was answered
// under any of them, and the others' cards.
func loadGroup(tx queuer, person string, group *record.Group, answers *[]record.Answer, cards *[]sealedCard) {
	*group = record.Group{Own: person}
	tx.Queue(`select r.id::text, confirmed_as($1::uuid, r.id)
		from records_of($1::uuid) as r(id) where r.id <> $1::uuid order by r.id`,
		person).Query(func(rows pgx.Rows) error {
		var id string
		var confirmed bool
		_, err := pgx.ForEachRow(rows, []any{&id, &confirmed}, func() error {
			if confirmed {
				group.Confirmed = append(group.Confirmed, id)
			} else {
				group.Others = append(group.Others, id)
			}
			return nil
		})
		return err
	})
	tx.Queue(`select `+answerColumns+
		` from consent c where c.person = any(array(select records_of($1::uuid))) order by c.said_at, c.message`,
		person).
		Query(func(rows pgx.Rows) error { return scanAnswers(rows, answers) })
	tx.Queue(`select c.person::text, k.wrapped, c.sealed from contact_card c left join person_key k
		on k.person = c.person
		where c.person = any(array(select records_of($1::uuid))) and c.person <> $1::uuid`,
		person).Query(func(rows pgx.Rows) error {
		var c sealedCard
		_, err := pgx.ForEachRow(rows, []any{&c.person, &c.wrapped, &c.sealed}, func() error {
			*cards = append(*cards, sealedCard{c.person, slices.Clone(c.wrapped), slices.Clone(c.sealed)})
			return nil
		})
		return err
	})
}

const answerColumns = `c.message::text, c.person::text, c.journey::text, c.purpose, c.towards,
	case when c.state <> '' then c.state when c.given then 'given' else 'declined' end, c.giver, c.how, c.told, c.recorded_by, c.doubt,
	coalesce(c.until_day::text, ''), c.said_at`

func scanAnswers(rows pgx.Rows, answers *[]record.Answer) error {
	var a record.Answer
	_, err := pgx.ForEachRow(rows, []any{&a.ID, &a.Person, &a.Journey, &a.Purpose, &a.Towards, &a.State, &a.Giver,
		&a.How, &a.Told, &a.By,
		&a.Doubt, &a.Until, &a.Version.StatedAt}, func() error {
		one := a
		one.Told = slices.Clone(a.Told)
		*answers = append(*answers, one)
		return nil
	})
	return err
}

// emitOn gives events out on journeys, each with its journey's next version. It locks the journeys until the
// transaction ends, in the order of their ids.
func emitOn(tx *flow.Tx, told map[string][]record.JourneyEvent) error {
	if len(told) == 0 {
		return nil
	}
	journeys := slices.Sorted(maps.Keys(told))
	counts := make([]int64, len(journeys))
	for i, journey := range journeys {
		counts[i] = int64(len(told[journey]))
	}
	last, first := map[string]int64{}, map[string]string{}
	tx.Queue(`with locked as (select id from journey where id = any($1::uuid[]) order by id for update)
		update journey j set told = j.told + n.more from unnest($1::uuid[], $2::bigint[]) as n(id, more)
		join locked using (id)
		where j.id = n.id returning j.id::text, j.told, j.first_event`, journeys,
		counts).Query(func(rows pgx.Rows) error {
		var id, event string
		var told int64
		_, err := pgx.ForEachRow(rows, []any{&id, &told, &event}, func() error {
			last[id], first[id] = told, event
			return nil
		})
		return err
	})
	if err := tx.Flush(); err != nil {
		return err
	}
	yes := yesTold{}
	for _, journey := range journeys {
		if last[journey] == 0 {
			return fmt.Errorf("giving events out on journey %s: there is no such journey", journey)
		}
		for i, say := range told[journey] {
			version := last[journey] - int64(len(told[journey])-1-i)
			yes.note(say.Kind, journey, tx.Sequence(version), say.Data)
			tx.Emit(flow.Emission{Type: string(say.Kind), Journey: journey, Version: version,
				Correlation: first[journey], Data: say.Data})
		}
	}
	yes.store(tx)
	return nil
}

// storeAnswers queues answers, each kept once.
func storeAnswers(q queuer, answers []record.Answer) error {
	n := len(answers)
	if n == 0 {
		return nil
	}
	text := map[string][]string{}
	column := func(name, value string) { text[name] = append(text[name], value) }
	given, doubts, at := make([]bool, n), make([]bool, n), make([]time.Time, n)
	for i, a := range answers {
		told, err := json.Marshal(record.OrNone(a.Told))
		if err != nil {
			return fmt.Errorf("writing what somebody was told: %w", err)
		}
		column("message", a.ID)
		column("organisation", a.Organisation)
		column("person", a.Person)
		column("journey", a.Journey)
		column("purpose", a.Purpose)
		column("towards", a.Towards)
		column("state", string(a.State))
		column("giver", a.Giver)
		column("how", a.How)
		column("told", string(told))
		column("by", a.By)
		column("until", a.Until)
		given[i], doubts[i], at[i] = a.State == record.ConsentGiven, a.Doubt, a.Version.StatedAt
	}
	q.Queue(`insert into consent (message, organisation, person, journey, purpose, towards, given, state, giver, how,
		told, recorded_by, doubt, until_day, said_at)
		select message, organisation, person, journey, purpose, towards, given, state, giver, how,
			case when told = '[]' then '{}' else array(select jsonb_array_elements_text(told::jsonb))
			end, recorded_by, doubt, nullif(until, '')::date, said_at
		from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bool[], $8::text[],
		$9::text[], $10::text[], $11::text[],
				$12::text[], $13::bool[], $14::text[], $15::timestamptz[])
			as t(message, organisation, person, journey, purpose, towards, given, state, giver, how, told, recorded_by,
			doubt, until, said_at)
		on conflict do nothing`, text["message"], text["organisation"], text["person"], text["journey"],
		text["purpose"], text["towards"], given,
		text["state"], text["giver"], text["how"], text["told"], text["by"], doubts, text["until"], at)
	return nil
}

func storeNote(q queuer, sub vault.Key, person, journey, kind string, value any, by string, now time.Time) error {
	id := clock.NewID(now)
	sealed, err := sealJSON(sub, fieldNote+id, value)
	if err != nil {
		return err
	}
	q.Queue(`insert into note (id, person, journey, kind, sealed, by_role, at)
		values ($1, $2, nullif($3, '')::uuid, $4, $5, $6, $7)`,
		id, person, journey, kind, sealed, by, now)
	return nil
}

// storeCard seals and writes a card in its next version.
func storeCard(q queuer, sub *subjectOf, now time.Time) error {
	sealed, err := sealJSON(sub.key, fieldCard, sub.card)
	if err != nil {
		return err
	}
	needs := len(sub.card.Needs) > 0 || sub.card.NeedsNote != ""
	hours := sub.card.Hours()
	q.Queue(`insert into contact_card (person, sealed, version, confirmed, no_safe_channel, needs, changed_at,
		must_not_know, ring_from, ring_until)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		on conflict (person) do update set sealed = excluded.sealed, version = excluded.version, confirmed =
		excluded.confirmed,
			no_safe_channel = excluded.no_safe_channel, needs = excluded.needs, changed_at = excluded.changed_at,
			look_at = null,
			must_not_know = excluded.must_not_know, ring_from = excluded.ring_from, ring_until = excluded.ring_until,
			hours_read = true`,
		sub.Person, sealed, sub.cardVersion+1, sub.card.Confirmed(), sub.card.NoSafeChannel, needs, now,
		sub.card.Barred(), hours.FromHour, hours.ToHour)
	return nil
}

// storeAccess writes down that somebody looked, or tried to.
func (s *Service) storeAccess(q queuer, who principal.Principal, sub *subjectOf, sees, refused, reason string,
	now time.Time) {
	id := clock.NewID(now)
	sealed := []byte{}
	if !sub.erased {
		sealed = sub.key.Seal(fieldAccess+id, []byte(reason))
	}
	q.Queue(`insert into access_log (id, person, journey, organisation, role, subject, sees, refused, reason, at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, id, sub.Person, sub.Journey, who.Organisation, who.Role,
		who.Subject, sees, refused, sealed, now)
}

// AccessLogEntry is one line of the audit trail.
type AccessLogEntry struct {
	ID           string    `json:"id"`
	At           time.Time `json:"at"`
	Journey      string    `json:"journey"`
	Organisation string    `json:"organisation"`
	Role         string    `json:"role"`
	Sees         string    `json:"sees"`
	Refused      string    `json:"refused,omitempty"`
	Reason       string    `json:"reason,omitempty"`
}

// personOf is the person of a journey; whether they may be seen, whoever reads on says.
func personOf(tx *flow.Tx, _ principal.Principal, journey string) (person string, err error) {
	tx.Queue(`select person::text from journey where id = $1::uuid`, journey).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&person}, func() error { return nil })
		return err
	})
	if err = tx.Flush(); err == nil && person == "" {
		err = noSuchJourney()
	}
	return person, err
}

// accessLog lists who looked at a person, the newest first, for the person and for staff of the organisation that keeps
// the record; by one journey, where it is named.
func (s *Service) accessLog(tx *flow.Tx, who principal.Principal, ref, journey string, page httpx.Page) (
	[]AccessLogEntry, error) {
	after := clock.HighestID
	if len(page.After) == 1 {
		after = page.After[0]
	}
	found := false
	var wrapped []byte
	var looks []AccessLogEntry
	var reasons [][]byte
	tx.Queue(`select k.wrapped from person p left join person_key k on k.person = p.id
		where p.id = $4::uuid and `+visibleRecord,
		append(scopeOf(who).Args(), ref)...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&wrapped},
			func() error { found, wrapped = true, slices.Clone(wrapped); return nil })
		return err
	})
	tx.Queue(`select id::text, at, journey::text, organisation, role, sees, refused, reason from access_log
		where person = $1::uuid and id < $2::uuid and ($4 = '' or journey::text = $4) order by id desc limit $3`, ref,
		after, page.Limit+1, journey).Query(func(rows pgx.Rows) error {
		var l AccessLogEntry
		var reason []byte
		_, err := pgx.ForEachRow(rows, []any{&l.ID, &l.At, &l.Journey, &l.Organisation, &l.Role, &l.Sees, &l.Refused,
			&reason}, func() error {
			looks, reasons = append(looks, l), append(reasons, slices.Clone(reason))
			return nil
		})
		return err
	})
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	if !found {
		return nil, noSuchPerson()
	}
	key, err := s.vault.Unwrap(ref, wrapped)
	if errors.Is(err, vault.ErrErased) {
		return looks, nil
	}
	for i := range looks {
		plain, openErr := key.Open(fieldAccess+looks[i].ID, reasons[i])
		looks[i].Reason, err = string(plain), errors.Join(err, openErr)
	}
	return looks, err
}

// recordOf is one record of a person, with what merging and erasing look at; locked until the transaction ends.
type recordOf struct {
	ID, Organisation, Survivor string
	Aliases                    []string
	wrapped                    []byte
}

// lockRecords reads and locks the named records, in id order, of those that the principal may see.
func lockRecords(tx *flow.Tx, who principal.Principal, refs ...string) (map[string]*recordOf, error) {
	found := map[string]*recordOf{}
	tx.Queue(`select p.id::text, p.organisation, coalesce(p.survivor::text, ''), p.aliases::text[], k.wrapped
		from person p left join person_key k on k.person = p.id
		where p.id = any($4::uuid[]) and `+visibleRecord+` order by p.id for update of p`,
		append(scopeOf(who).Args(), refs)...).Query(func(rows pgx.Rows) error {
		var r recordOf
		_, err := pgx.ForEachRow(rows, []any{&r.ID, &r.Organisation, &r.Survivor, &r.Aliases, &r.wrapped},
			func() error {
				one := r
				one.Aliases, one.wrapped = slices.Clone(r.Aliases), slices.Clone(r.wrapped)
				found[r.ID] = &one
				return nil
			})
		return err
	})
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if found[ref] == nil {
			return nil, noSuchPerson()
		}
	}
	return found, nil
}

// mergedBefore is what undoing a merge restores.
type mergedBefore struct {
	Survivor []string `json:"survivorAliases"`
	Other    []string `json:"otherAliases"`
}

// mergeRow is an open merge by hand, or one that a hospital's message made (ID is empty then).
type mergeRow struct {
	ID, Survivor, Other string
	Before              mergedBefore
	Confirmed           bool
}

func findMerge(tx *flow.Tx, _ principal.Principal, survivor, other string) (*mergeRow, error) {
	var found *mergeRow
	tx.Queue(`select id::text, survivor::text, other::text, before::text, confirmed_at is not null from person_merge
		where other = $2::uuid and survivor = $1::uuid and undone_at is null for update`, survivor,
		other).Query(func(rows pgx.Rows) error {
		var m mergeRow
		var before string
		_, err := pgx.ForEachRow(rows, []any{&m.ID, &m.Survivor, &m.Other, &before, &m.Confirmed}, func() error {
			found = &m
			return json.Unmarshal([]byte(before), &m.Before)
		})
		return err
	})
	return found, tx.Flush()
}

// storeMerge makes other a record of survivor's. What came to either stays with it.
func storeMerge(q queuer, survivor, other *recordOf, done bool, by string, now time.Time) error {
	if done {
		return nil
	}
	moved := append([]string{other.ID}, other.Aliases...)
	before, err := json.Marshal(mergedBefore{record.OrNone(survivor.Aliases), record.OrNone(other.Aliases)})
	if err != nil {
		return fmt.Errorf("writing what a merge of %s replaces: %w", survivor.ID, err)
	}
	q.Queue(`update person set survivor = $2::uuid, aliases = '{}' where id = any($1::uuid[])`, moved, survivor.ID)
	q.Queue(`update person set aliases = aliases || $2::uuid[], version = version + 1 where id = $1::uuid`, survivor.ID,
		moved)
	q.Queue(`insert into person_merge (id, survivor, other, before, merged_at, merged_by)
		values ($1, $2, $3, $4, $5, $6)`,
		clock.NewID(now), survivor.ID, other.ID, string(before), now, by)
	return nil
}

// confirmMerge writes down that a human says that consent and contact of both may be used together. A merge that a
// message made gets a row of its own.
func confirmMerge(q queuer, survivor, other *recordOf, by string, now time.Time) error {
	before, err := json.Marshal(mergedBefore{record.Without(record.OrNone(survivor.Aliases),
		append(other.Aliases, other.ID)), record.OrNone(other.Aliases)})
	if err != nil {
		return fmt.Errorf("writing what a merge of %s replaced: %w", survivor.ID, err)
	}
	q.Queue(`insert into person_merge (id, survivor, other, before, merged_at, merged_by, confirmed_at, confirmed_by)
		values ($1, $2, $3, $4, $5, $6, $5, $6)
		on conflict (other) where undone_at is null do update
		set confirmed_at = excluded.confirmed_at, confirmed_by = excluded.confirmed_by`,
		clock.NewID(now), survivor.ID, other.ID, string(before), now, by)
	return nil
}

// undoMerge makes two records of one again, each with those that were merged into it before.
func undoMerge(q queuer, survivor, other *recordOf, merge *mergeRow, by string, now time.Time) {
	back, kept := []string(nil), record.Without(survivor.Aliases, []string{other.ID})
	if merge != nil {
		back, kept = merge.Before.Other, record.Without(kept, merge.Before.Other)
		q.Queue(`update person_merge set undone_at = $2, undone_by = $3 where id = $1::uuid`, merge.ID, now, by)
		// A hold that was placed while they were one record was about both.
		q.Queue(`insert into legal_hold (person, placed_at, placed_by) select $2::uuid, h.placed_at, h.placed_by
			from legal_hold h join person_merge m on m.survivor = h.person and h.placed_at >= m.merged_at
			where m.id = $1::uuid on conflict do nothing`, merge.ID, other.ID)
	}
	q.Queue(`update person set survivor = null, aliases = $2::uuid[], version = version + 1 where id = $1::uuid`,
		other.ID, record.OrNone(back))
	q.Queue(`update person set survivor = $2::uuid where id = any($1::uuid[])`, record.OrNone(back), other.ID)
	q.Queue(`update person set aliases = $2::uuid[], version = version + 1 where id = $1::uuid`, survivor.ID,
		record.OrNone(kept))
}

// journeysOfRecords are the journeys of some records.
func journeysOfRecords(tx *flow.Tx, _ principal.Principal, records []string) (of map[string]string, order []string,
	err error) {
	of = map[string]string{}
	tx.Queue(`select id::text, person::text from journey where person = any($1::uuid[]) order by id for update`,
		records).Query(func(rows pgx.Rows) error {
		var journey, person string
		_, err := pgx.ForEachRow(rows, []any{&journey, &person}, func() error {
			of[journey] = person
			order = append(order, journey)
			return nil
		})
		return err
	})
	return of, order, tx.Flush()
}

// obstacles are what stands against erasing records: their open journeys, and holds.
func obstacles(tx *flow.Tx, _ principal.Principal, records []string) (open []string, held bool, err error) {
	tx.Queue(`select id::text from journey where person = any($1::uuid[]) and state <> 'closed' order by id`,
		records).Query(func(rows pgx.Rows) error {
		open, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	tx.Queue(`select exists (select 1 from legal_hold where person = any($1::uuid[]))`,
		records).QueryRow(func(row pgx.Row) error { return row.Scan(&held) })
	return open, held, errors.Join(tx.Flush(), err)
}

// eraseRecords destroys the keys of records and of every message about them, and removes what they are found by. It
// counts the rows by table.
func eraseRecords(tx *flow.Tx, who principal.Principal, records []string) (rows map[string]int64, err error) {
	rows = map[string]int64{}
	count := func(table, sql string, args ...any) {
		tx.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error { rows[table] += tag.RowsAffected(); return nil })
	}
	const about = `select m.id from message m where m.person = any($1::uuid[]) or m.visit in (select id from visit
		where person = any($1::uuid[]))`
	count("message_key", `delete from message_key where message in (`+about+`)`, records)
	count("message", `update message set raw = null where raw is not null and id in (`+about+`)`, records)
	count("person_key", `delete from person_key where person = any($1::uuid[])`, records)
	count("person", `update person set identity = '', name_hash = null, number_hash = null,
		surname_hash = null, version = version + 1
		where id = any($1::uuid[])`, records)
	count("person_lookup", `delete from person_lookup where person = any($1::uuid[])`, records)
	count("person_number", `delete from person_number where person = any($1::uuid[])`, records)
	count("contact_card", `delete from contact_card where person = any($1::uuid[])`, records)
	count("summary", `delete from summary where person = any($1::uuid[])`, records)
	count("own_page", `delete from own_page where person = any($1::uuid[])`, records)
	count("note", `delete from note where person = any($1::uuid[])`, records)
	count("access_log", `update access_log set reason = '' where person = any($1::uuid[])`, records)
	count("partner_person", `delete from partner_person where person = any($1::uuid[])`, records)
	return rows, tx.Flush()
}

// recordedBy is how whoever is asking is written beside what they did: never as anybody else says. Empty where nobody
// asks, as when a message that was quarantined is read again.
func recordedBy(who principal.Principal) string {
	if who.Subject == "" {
		return ""
	}
	return who.Role + ":" + who.Subject
}

func storeEraseRequest(q queuer, asked eraseAsked, by, reason string, now time.Time) {
	_, subject, _ := strings.Cut(by, ":")
	q.Queue(`insert into erasure_request (id, person, asked_by, subject, reason, asked_at)
		values ($1, $2, $3, $4, $5, $6)`,
		asked.Request, asked.Person, by, subject, reason, now)
}

// lockEraseRequest locks a person's request that nobody has confirmed, and marks it as confirmed; nil where there is
// none. Where the confirmation is refused, so is the mark.
func lockEraseRequest(tx *flow.Tx, _ principal.Principal, person, id string) (*eraseWaits, error) {
	var found *eraseWaits
	tx.Queue(`update erasure_request set confirmed_at = $3 where id = $2::uuid and person = $1::uuid
		and confirmed_at is null
		returning asked_by, subject, reason, asked_at`, person, id, tx.Now).Query(func(rows pgx.Rows) error {
		var one eraseWaits
		_, err := pgx.ForEachRow(rows, []any{&one.By, &one.Subject, &one.Reason, &one.At},
			func() error { found = &one; return nil })
		return err
	})
	return found, tx.Flush()
}

func storeErasure(q queuer, records, by []string, reason string, rows map[string]int64, now time.Time) error {
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("writing what was erased: %w", err)
	}
	q.Queue(`insert into erasure (person, at, asked_by, reason, erased) select person, $2, $3, $4, $5
		from unnest($1::uuid[]) as person`,
		records, now, by, reason, string(text))
	return nil
}

// heldRecords are the records of a record's person, its own too, on which a legal hold stands.
func heldRecords(tx *flow.Tx, _ principal.Principal, ref string) (held []string, err error) {
	tx.Queue(`select person::text from legal_hold where person in (select records_of($1::uuid)) order by person`,
		ref).Query(func(rows pgx.Rows) error {
		held, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return held, errors.Join(tx.Flush(), err)
}

func storeHold(q queuer, person string, on bool, by string, now time.Time) {
	if on {
		q.Queue(`insert into legal_hold (person, placed_at, placed_by) values ($1, $2, $3) on conflict do nothing`,
			person, now, by)
		return
	}
	q.Queue(`delete from legal_hold where person = $1::uuid`, person)
}

// nameHash is the keyed hash of a name and birth date at one organisation; nil where they are not all known.
func (s *Service) nameHash(organisation string, identity record.Identity) ([]byte, error) {
	family, given := written.SameName(identity.FamilyName), written.SameName(identity.GivenName)
	if family == "" || given == "" || identity.BirthDate == "" {
		return nil, nil
	}
	return s.vault.Lookup("person-name", organisation, family, given, identity.BirthDate)
}

// findDoubles queues the search for records that a request of somebody not verified may be about.
func findDoubles(q queuer, arrivals []*inboundMessage, doubles map[string]string) {
	var hashes [][]byte
	for _, a := range arrivals {
		if a.isApplied() && len(a.nameHash) > 0 {
			hashes = append(hashes, a.nameHash)
		}
	}
	if len(hashes) == 0 {
		return
	}
	q.Queue(`select distinct on (name_hash) name_hash, coalesce(survivor, id)::text from person
		where name_hash = any($1::bytea[])
		order by name_hash, anonymous, id`, hashes).Query(func(rows pgx.Rows) error {
		var hash []byte
		var person string
		_, err := pgx.ForEachRow(rows, []any{&hash, &person},
			func() error { doubles[string(hash)] = person; return nil })
		return err
	})
}

// resolveDoubles writes down that a human has compared two records, says whether anything waited for that, and returns
// the visits that are no longer flagged.
func resolveDoubles(tx *flow.Tx, j *transaction, who principal.Principal, a, b string) (asked bool,
	changed []*record.Visit, err error) {
	var waiting []*record.Visit
	tx.Queue(`select id::text, organisation, number, version, says::text from visit where person = any($1::uuid[])
		and says -> 'request' ->> 'double' = any($2::text[]) and says -> 'request' -> 'settled' is null
		order by organisation, number for update`,
		[]string{a, b}, []string{a, b}).Query(func(rows pgx.Rows) (err error) {
		waiting, err = scanned(rows)
		return err
	})
	tx.Queue(`update possible_double set settled_at = $2, settled_by = $3 where one = any($1::uuid[])
		and other = any($1::uuid[]) and settled_at is null`,
		[]string{a, b}, tx.Now, recordedBy(who)).Exec(func(
		tag pgconn.CommandTag) error {
		asked = tag.RowsAffected() > 0
		return nil
	})
	if err := tx.Flush(); err != nil {
		return false, nil, err
	}
	for _, v := range waiting {
		v.RowVersion++
		v.Request.Decided = true
	}
	j.change(waiting...)
	if err := j.flush(tx); err != nil {
		return false, nil, err
	}
	changed, err = flagDoubles(tx, []string{a, b}, 100)
	return asked || len(waiting) > 0, changed, err
}

// mostNamesakes is how many open records may share a name and birth date for that to tell anything: where more do, a
// sender fills in the same for everybody, and pairs of them would be too many to make.
const mostNamesakes = 20

// doubleSearch is how far the search for records that may be one person has come: each round looks at the journeys that
// are new, and at the next of all that are open, so that its work does not grow with what is open. What a journey that
// is reopened, another name or a merge makes alike is found as the rounds come to it. It is kept in memory: another
// process begins by itself.
type doubleSearch struct {
	mu    sync.Mutex
	since time.Time // journeys from before were looked at
	after string    // the person up to whom a round looked last; empty at the beginning
	each  int       // how many open journeys a round looks at, beside new ones; 0 for doublesEach
}

const (
	doublesEach   = 1000
	doublesMargin = 2 * time.Second // a journey's id is older than its commit
	doublesFirst  = time.Hour       // how far back a process looks for new ones when it begins
)

// findOpenDoubles writes down which records with open journeys of their own may be one person. What has been found
// once is not found again.
func (d *doubleSearch) findOpenDoubles(tx *flow.Tx) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	since, next, each := cmp.Or(d.since, tx.Now.Add(-doublesFirst)), "", cmp.Or(d.each, doublesEach)
	tx.Queue(`with slice as materialized (
			select person from journey where state <> 'closed'
			and person > coalesce(nullif($4, ''), '00000000-0000-0000-0000-000000000000')::uuid order by person limit $5
		), hashes as materialized (
			select distinct r.name_hash from (select person from slice union select person from journey
			where id >= $3::uuid and state <> 'closed') looked_at
			join person p on p.id = looked_at.person
			cross join lateral (select p.name_hash where p.survivor is null union all select s.name_hash from person s
			where s.id = p.survivor) r
			where r.name_hash is not null
		), open as materialized (
			select r.id, h.name_hash from hashes h cross join lateral (
				select r.id from person r where r.name_hash = h.name_hash and r.survivor is null
					and exists (select 1 from journey j where j.person = any(r.aliases || r.id) and j.state <> 'closed')
				limit $2 + 1) r
		), telling as (
			select name_hash from open group by name_hash having count(*) between 2 and $2
		), found as (
			insert into possible_double (one, other, found_at)
			select a.id, b.id, $1 from telling join open a using (name_hash) join open b on a.name_hash = b.name_hash
			and a.id < b.id
			where not exists (select 1 from possible_double d where (d.one, d.other) = (a.id, b.id))
			and not known_two(a.id, b.id)
			on conflict do nothing
		) select count(*), coalesce(max(person::text), '') from slice`,
		tx.Now, mostNamesakes, pg.UUIDFloor(since.Add(-doublesMargin)), d.after,
		each).QueryRow(func(row pgx.Row) error {
		looked := 0
		err := row.Scan(&looked, &next)
		if looked < each {
			next = "" // it came to the end, and begins again
		}
		return err
	})
	now := tx.Now
	tx.AfterCommit(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.since, d.after = now, next
	})
	return tx.Flush()
}

// flagDoubles flags what stands of records of which a human has yet to say whether they are one, and takes the flag
// away where nothing is left to say: of some records, or of all where none are named.
func flagDoubles(tx *flow.Tx, records []string, limit int) ([]*record.Visit, error) {
	var found []*record.Visit
	tx.Queue(`with doubted as materialized (select record from doubted_record),
		looked_at as materialized (
			select id from visit where may_be_double and not withdrawn
			union
			select v.id from doubted cross join lateral (select record as id union all select id from person
			where survivor = record) owner
			join visit v on v.person = owner.id)
		select v.id::text, v.organisation, v.number, v.version, v.says::text, wanted.it
		from visit v join journey j on j.id = v.journey join person p on p.id = v.person
		cross join lateral (select coalesce(p.survivor, p.id) in (select record from doubted)
		or (coalesce(v.says -> 'request' ->> 'double', '') <> ''
			and coalesce(v.says -> 'request' ->> 'settled', '') <> 'true') as it) wanted
		where v.id = any(array(select id from looked_at)) and j.state <> 'closed' and not v.withdrawn
			and ($1::uuid[] is null or p.id = any($1) or p.survivor = any($1))
			and wanted.it <> coalesce(v.says #> '{raised,flags}' ? 'possible-double', false) and v.id <> all($3::uuid[])
		order by v.organisation, v.number limit $2 for update of v skip locked`, records, limit,
		tx.Postponed()).Query(func(rows pgx.Rows) error {
		var v record.Visit
		var says string
		var wanted bool
		_, err := pgx.ForEachRow(rows, []any{&v.ID, &v.Organisation, &v.Number, &v.RowVersion, &says, &wanted},
			func() error {
				tx.Attempt(v.ID)
				loaded := &record.Visit{ID: v.ID, Organisation: v.Organisation, Number: v.Number,
					RowVersion: v.RowVersion +
						1, Stored: true}
				if err := json.Unmarshal([]byte(says), &loaded.VisitState); err != nil {
					return fmt.Errorf("reading visit %s: %w", v.ID, err)
				}
				loaded.Published.Flags = record.Without(loaded.Published.Flags, []string{schemas.FlagPossibleDouble})
				if wanted {
					loaded.Published.Flags = append(loaded.Published.Flags, schemas.FlagPossibleDouble)
				}
				found = append(found, loaded)
				return nil
			})
		return err
	})
	return found, tx.Flush()
}

// lockVisitsOf locks what stands of a journey.
func lockVisitsOf(tx *flow.Tx, _ principal.Principal, journey string) (visits []*record.Visit, err error) {
	tx.Queue(`select id::text, organisation, number, version, says::text from visit where journey = $1::uuid
		and not withdrawn
		order by organisation, number for update`, journey).Query(func(rows pgx.Rows) error {
		visits, err = scanned(rows)
		return err
	})
	return visits, tx.Flush()
}

// scanned reads visits that are not of a batch's world.
func scanned(rows pgx.Rows) (visits []*record.Visit, err error) {
	var v record.Visit
	var says string
	_, err = pgx.ForEachRow(rows, []any{&v.ID, &v.Organisation, &v.Number, &v.RowVersion, &says}, func() error {
		loaded := &record.Visit{ID: v.ID, Organisation: v.Organisation, Number: v.Number, RowVersion: v.RowVersion,
			Stored: true}
		visits = append(visits, loaded)
		return json.Unmarshal([]byte(says), &loaded.VisitState)
	})
	return visits, err
}

// lockEnding takes answers whose last day is between two days, that still count and whose journey is not closed, and
// marks them as reminded of.
func lockEnding(tx *flow.Tx, from, to string, limit int) (ending []record.Answer, err error) {
	tx.Queue(`update consent c set reminded_at = $4 from (
			select person, purpose, towards, message from consent n where until_day between $1::date and $2::date
			and reminded_at is null and state = 'given' and not doubt
				and not exists (select 1 from consent l where l.person = n.person and l.purpose = n.purpose
				and l.towards = n.towards and l.said_at > n.said_at)
				and not exists (select 1 from journey j where j.id = n.journey and j.state = 'closed')
				and n.journey::text <> all($5)
			order by until_day, message limit $3 for update skip locked) t
		where (c.person, c.purpose, c.towards, c.message) = (t.person, t.purpose, t.towards, t.message)
		returning c.person::text, c.journey::text, c.purpose, c.until_day::text`, from, to, limit, tx.Now,
		tx.Postponed()).Query(func(rows pgx.Rows) error {
		var a record.Answer
		_, err := pgx.ForEachRow(rows, []any{&a.Person, &a.Journey, &a.Purpose, &a.Until}, func() error {
			tx.Attempt(a.Journey)
			ending = append(ending, a)
			return nil
		})
		return err
	})
	err = tx.Flush()
	slices.SortFunc(ending, func(a, b record.Answer) int { return strings.Compare(a.Journey, b.Journey) })
	return ending, err
}

// lockOver takes answers whose last day was before a day, that still count, and marks them as told; over has one for
// each journey of the person that is not closed.
func lockOver(tx *flow.Tx, today string, limit int) (found int, over []record.Answer, err error) {
	tx.Queue(`with t as (
			select person, purpose, towards, message, until_day from consent n where until_day < $1::date
			and lapsed_at is null and state = 'given' and not doubt
				and not exists (select 1 from consent l where l.person = n.person and l.purpose = n.purpose
				and l.towards = n.towards and l.said_at > n.said_at)
				and exists (select 1 from journey j where j.person = n.person and j.state <> 'closed')
				and n.journey::text <> all($4)
			order by until_day, message limit $2 for update skip locked
		), told as (
			update consent c set lapsed_at = $3 from t where (c.person, c.purpose, c.towards, c.message) = (t.person,
			t.purpose, t.towards, t.message)
			returning c.person, c.journey as said_on, c.purpose, c.towards, c.until_day
		)
		select told.said_on::text, j.id::text, told.purpose, told.towards, told.until_day::text from told
		join journey j on j.person = told.person and j.state <> 'closed'
		order by j.id, told.purpose, told.towards`, today, limit, tx.Now,
		tx.Postponed()).Query(func(rows pgx.Rows) error {
		var a record.Answer
		said := map[string]bool{}
		var on string
		_, err := pgx.ForEachRow(rows, []any{&on, &a.Journey, &a.Purpose, &a.Towards, &a.Until}, func() error {
			if !said[on] {
				tx.Attempt(on)
			}
			said[on] = true
			over, found = append(over, a), found+1
			return nil
		})
		return err
	})
	return found, over, errors.Join(tx.Flush(), err)
}

// endParental queues that the yes of whoever held parental responsibility holds until a day: those of some persons'
// records.
func endParental(q queuer, persons []string, until string) {
	if len(persons) == 0 {
		return
	}
	q.Queue(`update consent set until_day = $2::date where giver = 'parental-responsibility' and state = 'given'
		and lapsed_at is null
		and person in (select r from unnest($1::uuid[]) as p(id), lateral records_of(p.id) as r) and (until_day is null
		or until_day > $2::date)`, persons, until)
}

// agedPerson is the person of an open journey, with the age that was told of them; -1 for none.
type agedPerson struct {
	person, key       string
	age               int
	rises             string // by when they were told to be a year older
	wrapped, identity []byte
}

// lockAged takes the next persons of journeys that are not closed and began before this local day. It goes through
// the journeys once a day, in the order of their ids, whatever is restarted.
func lockAged(tx *flow.Tx, today string, limit int) (all []agedPerson, more bool, err error) {
	upto := ""
	tx.Queue(`update age_cursor set day = $1::date, upto = case when day = $1::date then upto
		else '00000000-0000-0000-0000-000000000000' end
		where day < $1::date or not done returning upto::text`, today).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&upto}, func() error { return nil })
		return err
	})
	if err := tx.Flush(); err != nil || upto == "" {
		return nil, false, err // all have been looked at today
	}
	tx.Queue(`with next as (select id, person from journey where id > $1::uuid and state <> 'closed' order by id
		limit $2), moved as (update age_cursor set upto = coalesce((select max(id::text)
			from next)::uuid, upto), done = (select count(*) from next) < $2)
		select r.id::text, l.hash, coalesce(years_of(v.says #>> '{raised,facts,age}'), -1), coalesce(v.says #>>
		'{raised,facts,ageRisesOn}', ''), k.wrapped, r.identity
		from next join person p on p.id = next.person join person r on r.id = coalesce(p.survivor, p.id)
		join person_key k on k.person = r.id
		join lateral (select hash from person_lookup where person = any(r.aliases || r.id) limit 1) l on true
		join lateral (select says from visit where journey = next.id and not withdrawn order by raised_at desc
		limit 1) v on true
		where r.id <> all($3::uuid[])`, upto, limit, tx.Postponed()).
		Query(func(rows pgx.Rows) error {
			var one agedPerson
			var hash []byte
			_, err := pgx.ForEachRow(rows, []any{&one.person, &hash, &one.age, &one.rises, &one.wrapped, &one.identity},
				func() error {
					tx.Attempt(one.person)
					all = append(all, agedPerson{one.person, string(hash), one.age, one.rises,
						slices.Clone(one.wrapped),
						slices.Clone(one.identity)})
					return nil
				})
			return err
		})
	tx.Queue(`select not done from age_cursor`).QueryRow(func(row pgx.Row) error { return row.Scan(&more) })
	return all, more, tx.Flush()
}

// fedCard is a card of somebody of whom a message has said something since.
type fedCard struct {
	person                  string
	wrapped, identity, card []byte
	journeys                []string
}

func lockFed(tx *flow.Tx, limit int) (all []fedCard, err error) {
	tx.Queue(`update contact_card c set look_at = null from (
			select person from contact_card where look_at <= $2 and person <> all($3::uuid[]) order by look_at limit $1
			for update skip locked) t
		where c.person = t.person
		returning c.person::text, c.sealed, (select p.identity from person p where p.id = c.person), (select k.wrapped
		from person_key k where k.person = c.person),
			array(select j.id::text from journey j where j.person = c.person and j.state <> 'closed' order by j.id)`,
		limit, tx.Now, tx.Postponed()).Query(func(rows pgx.Rows) error {
		var one fedCard
		_, err := pgx.ForEachRow(rows, []any{&one.person, &one.card, &one.identity, &one.wrapped, &one.journeys},
			func() error {
				tx.Attempt(one.person)
				all = append(all, fedCard{one.person, slices.Clone(one.wrapped), slices.Clone(one.identity),
					slices.Clone(one.card), slices.Clone(one.journeys)})
				return nil
			})
		return err
	})
	return all, tx.Flush()
}

// oldCard is a card whose hours do not stand beside it yet.
type oldCard struct {
	person                  string
	version                 int64
	wrapped, identity, card []byte
}

// unreadHours reads such cards. Nothing is locked: who is loaded afterwards is, in the order of all others.
func unreadHours(tx *flow.Tx, limit int) (all []oldCard, err error) {
	tx.Queue(`select c.person::text, c.version, c.sealed, (select p.identity from person p where p.id = c.person),
			(select k.wrapped from person_key k where k.person = c.person)
		from contact_card c where not c.hours_read and c.person <> all($2::uuid[]) order by c.person limit $1`, limit,
		tx.Postponed()).Query(func(rows pgx.Rows) error {
		var one oldCard
		_, err := pgx.ForEachRow(rows, []any{&one.person, &one.version, &one.card, &one.identity, &one.wrapped},
			func() error {
				tx.Attempt(one.person)
				all = append(all, oldCard{one.person, one.version, slices.Clone(one.wrapped),
					slices.Clone(one.identity), slices.Clone(one.card)})
				return nil
			})
		return err
	})
	return all, tx.Flush()
}

// storeHours queues that the hours of a card stand beside it, unless it was written again meanwhile.
func storeHours(q queuer, one oldCard, hours schemas.ContactHours) {
	q.Queue(`update contact_card set hours_read = true, ring_from = $3, ring_until = $4
		where person = $1 and version = $2 and not hours_read`, one.person, one.version, hours.FromHour, hours.ToHour)
}

// reviewAgain queues that cards are compared with what a message said of their persons.
func reviewAgain(q queuer, persons []string, now time.Time) {
	if len(persons) > 0 {
		q.Queue(`update contact_card set look_at = $2 where person = any($1::uuid[]) and confirmed`, persons, now)
	}
}

// askDoubles says of requests of the last days which record that came later they may be about too.
func askDoubles(tx *flow.Tx, since time.Time, limit int) error {
	tx.Queue(`with found as (
			select v.id, o.id as other from person r join visit v on v.person = r.id
			cross join lateral (select o.id from person o where o.name_hash = r.name_hash and o.id <> r.id
			and coalesce(o.survivor, o.id) <> coalesce(r.survivor, r.id)
				order by o.anonymous, o.id limit 1) o
			where r.anonymous and r.name_hash is not null and r.said_at > $1 and v.journey is not null
				and v.says -> 'request' ->> 'unverified' = 'true' and v.says -> 'request' -> 'double' is null
			order by v.organisation, v.number limit $2 for update of v skip locked)
		update visit v set says = jsonb_set(v.says, '{request,double}', to_jsonb(f.other::text)), version = v.version +
		1 from found f where v.id = f.id`, since, limit)
	return tx.Flush()
}

// keptMessage is a message whose content has been kept long enough to ask whether it is in scope.
type keptMessage struct {
	id, person      string
	sealed, inScope bool
	// waits: for a human, or for the end of a visit that is in scope.
	waits bool
}

const scopeOfMessages = `select m.id::text, coalesce(m.person::text, ''), m.raw is not null,
		m.journey is not null or exists (select 1 from visit v where v.id = m.visit and v.journey is not null)
		or exists (select 1 from person p join person q on coalesce(q.survivor, q.id) = coalesce(p.survivor, p.id)
		join journey j on j.person = q.id where p.id = m.person),
		m.outcome = 'quarantined' or exists (select 1 from visit v where v.id = m.visit
		and v.says ->> 'wasInScope' = 'true')
	from message m`

// eraseOutOfScope destroys the content of messages that came before a time and are about no journey, and of persons of
// whom nothing else is kept. What waits for a human is looked at again a day later. It goes through the ledger once, in
// the order of arrival.
func eraseOutOfScope(tx *flow.Tx, before time.Time, limit int) (int, error) {
	var all []keptMessage
	var upto string
	collect := func(rows pgx.Rows) error {
		var m keptMessage
		_, err := pgx.ForEachRow(rows, []any{&m.id, &m.person, &m.sealed, &m.inScope, &m.waits}, func() error {
			tx.Attempt(m.id)
			all = append(all, m)
			return nil
		})
		return err
	}
	tx.Queue(`select upto::text from content_cursor for update skip locked`).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&upto}, func() error { return nil })
		return err
	})
	if err := tx.Flush(); err != nil || upto == "" {
		return 0, err // another process is at it
	}
	// One that could not be done alone is passed, and looked at again an hour later.
	tx.Queue(`insert into content_kept (message, look_at) select message, $2 from unnest($1::uuid[]) as message
		where message > $3::uuid on conflict do nothing`,
		tx.Postponed(), tx.Now.Add(time.Hour), upto)
	tx.Queue(scopeOfMessages+
		` where m.id > $1::uuid and m.id < $2::uuid and m.id <> all($4::uuid[]) order by m.id limit $3`, upto,
		pg.UUIDFloor(before), limit, tx.Postponed()).Query(collect)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	taken := len(all)
	if taken > 0 {
		tx.Queue(`update content_cursor set upto = $1::uuid`, all[taken-1].id)
	}
	tx.Queue(`with due as (delete from content_kept where message in (select message from content_kept
		where look_at <= $1 and message <> all($3::uuid[]) order by look_at limit $2) returning message) `+
		scopeOfMessages+` join due on due.message = m.id`, tx.Now, limit-taken, tx.Postponed()).Query(collect)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	eraseMessages(tx, all)
	return len(all), tx.Flush()
}

func eraseMessages(tx *flow.Tx, all []keptMessage) {
	var erased, persons, waiting []string
	for _, m := range all {
		switch {
		case !m.sealed || m.inScope:
		case m.waits:
			waiting = append(waiting, m.id)
		default:
			erased, persons = append(erased, m.id), append(persons, m.person)
		}
	}
	if len(waiting) > 0 {
		tx.Queue(`insert into content_kept (message, look_at) select message, $2 from unnest($1::uuid[]) as message
			on conflict do nothing`, waiting, tx.Now.Add(24*time.Hour))
	}
	if len(erased) == 0 {
		return
	}
	persons = slices.DeleteFunc(persons, func(p string) bool { return p == "" })
	tx.Queue(`delete from message_key where message = any($1::uuid[])`, erased)
	tx.Queue(`update message set raw = null where id = any($1::uuid[])`, erased)
	tx.Queue(`with gone as (delete from person_key k where k.person = any($1::uuid[])
			and not exists (select 1 from message m where m.person = k.person and m.raw is not null)
			and not exists (select 1 from person p join person q
			on coalesce(q.survivor, q.id) = coalesce(p.survivor, p.id) join journey j on j.person = q.id
			where p.id = k.person)
			returning person)
		update person p set identity = '', name_hash = null, number_hash = null, surname_hash = null from gone
		where p.id = gone.person`, persons)
}

// keysOfRecords are lookup keys that lead to some records: one of each. Somebody who has been erased has none.
func keysOfRecords(tx *flow.Tx, _ principal.Principal, records []string) (keys []string, err error) {
	tx.Queue(`select distinct on (person) hash from person_lookup where person = any($1::uuid[]) order by person, hash`,
		records).Query(func(rows pgx.Rows) error {
		var hash []byte
		_, err := pgx.ForEachRow(rows, []any{&hash}, func() error { keys = append(keys, string(hash)); return nil })
		return err
	})
	return keys, tx.Flush()
}

// recordsOfJourney are the records of a journey's person, whoever asks: what they may see is decided where it is read.
func recordsOfJourney(tx *flow.Tx, _ principal.Principal, journey string) (records []string, err error) {
	tx.Queue(`select r::text from journey j cross join records_of(j.person) as r where j.id = $1::uuid order by r`,
		journey).Query(func(rows pgx.Rows) error {
		records, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return records, tx.Flush()
}

// keepFacts puts what a request states, or takes back, into the person's book and into what has been told of their
// visits.
func keepFacts(tx *flow.Tx, j *transaction, who principal.Principal, sub *subjectOf) error {
	var book record.FactBook
	tx.Queue(`select facts::text from person where id = $1::uuid for update`,
		sub.Person).QueryRow(func(row pgx.Row) error {
		var text string
		if err := row.Scan(&text); err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &book)
	})
	visits, err := j.visitsOf(tx, who, sub.Journey)
	if err != nil {
		return err
	}
	said, _ := book.Apply(sub.supplied.Facts, sub.supplied.Retracted,
		record.FactVersion{Version: record.Version{StatedAt: tx.Now}, Way: record.WayPreferences})
	text, err := json.Marshal(book)
	if err != nil {
		return fmt.Errorf("writing the facts of person %s: %w", sub.Person, err)
	}
	tx.Queue(`update person set facts = $2::jsonb, version = version + 1 where id = $1::uuid`, sub.Person, string(text))
	if said != nil {
		said.Person, said.By = sub.Person, recordedBy(who)
		if err := storeStated(tx, []record.StatedFacts{*said}, tx.Now); err != nil {
			return err
		}
	}
	for _, v := range visits {
		v.RowVersion++
		v.Published.Facts.Merge(sub.supplied.Facts, sub.supplied.Retracted)
	}
	j.change(visits...)
	return nil
}
