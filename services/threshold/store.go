package threshold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// queuer is the part of flow.Tx that the store uses: statements queued here go in the caller's next round trip.
type queuer interface {
	Queue(sql string, args ...any) *flow.Query
}

// keepDirectory writes a set of criteria down under its hash.
func keepDirectory(ctx context.Context, pool *pgxpool.Pool, set *Directory, now time.Time) error {
	_, err := pool.Exec(ctx, `insert into directory_version (hash, content, loaded_at) values ($1, $2, $3) on conflict do nothing`,
		set.Hash, string(set.Canonical()), now)
	if err != nil {
		return fmt.Errorf("keeping directory %s: %w", set.Hash, err)
	}
	return nil
}

// record is a journey's row with its last decision, locked by the transaction that loaded it.
type record struct {
	Journey     string
	Version     int64
	Known       Known
	Correlation string
	Last        *Decision
	LastID      string
}

// load queues the locking of journeys, in id order, and fills the map that it returns when the round trip is done.
// A journey that is not known yet gets an empty row, so that two transactions that hear of it first at the same
// time wait for one another. Event handlers act for the system itself, so no principal narrows what they see.
func load(q queuer, journeys []string) map[string]*record {
	records := make(map[string]*record, len(journeys))
	q.Queue(`insert into journey_state (journey, organisation, person, version, known, correlation)
		select journey, '', '', 0, '{}', '' from unnest($1::uuid[]) as journey
		on conflict do nothing`, journeys)
	q.Queue(`select s.journey::text, s.version, s.known::text, s.correlation, coalesce(s.decision::text, ''), coalesce(d.matrix::text, '')
		from journey_state s left join decision d on d.id = s.decision
		where s.journey = any($1::uuid[]) order by s.journey for update of s`, journeys).
		Query(func(rows pgx.Rows) error { return scanRecords(rows, records) })
	return records
}

func scanRecords(rows pgx.Rows, records map[string]*record) error {
	var r record
	var known, matrix string
	_, err := pgx.ForEachRow(rows, []any{&r.Journey, &r.Version, &known, &r.Correlation, &r.LastID, &matrix}, func() error {
		loaded := r
		if err := json.Unmarshal([]byte(known), &loaded.Known); err != nil {
			return fmt.Errorf("reading what is known of journey %s: %w", r.Journey, err)
		}
		if matrix != "" {
			loaded.Last = &Decision{}
			if err := json.Unmarshal([]byte(matrix), loaded.Last); err != nil {
				return fmt.Errorf("reading decision %s: %w", r.LastID, err)
			}
		}
		records[r.Journey] = &loaded
		return nil
	})
	return err
}

// made is a decision on its way to its table.
type made struct {
	id, journey, organisation, cause string
	decision                         Decision
}

// saveDecisions queues new decisions.
func saveDecisions(q queuer, decisions []made, now time.Time) error {
	if len(decisions) == 0 {
		return nil
	}
	var ids, journeys, organisations, directories, causes, matrices []string
	for _, m := range decisions {
		matrix, err := json.Marshal(m.decision)
		if err != nil {
			return fmt.Errorf("writing decision %s: %w", m.id, err)
		}
		ids, journeys, organisations = append(ids, m.id), append(journeys, m.journey), append(organisations, m.organisation)
		directories, causes, matrices = append(directories, m.decision.Directory), append(causes, m.cause), append(matrices, string(matrix))
	}
	q.Queue(`insert into decision (id, journey, organisation, directory, decided_at, cause, matrix)
		select id, journey, organisation, directory, $7, cause, matrix::jsonb
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[]) as n(id, journey, organisation, directory, cause, matrix)`,
		ids, journeys, organisations, directories, causes, matrices, now)
	return nil
}

// saveRecords queues the new state of journeys.
func saveRecords(q queuer, records []*record) error {
	if len(records) == 0 {
		return nil
	}
	var journeys, organisations, people, known, correlations []string
	var versions []int64
	var decisions []*string
	for _, r := range records {
		text, err := json.Marshal(r.Known)
		if err != nil {
			return fmt.Errorf("writing what is known of journey %s: %w", r.Journey, err)
		}
		journeys, organisations, people = append(journeys, r.Journey), append(organisations, r.Known.Organisation), append(people, r.Known.Person)
		known, correlations, versions = append(known, string(text)), append(correlations, r.Correlation), append(versions, r.Version)
		var decision *string
		if r.LastID != "" {
			decision = &r.LastID
		}
		decisions = append(decisions, decision)
	}
	q.Queue(`update journey_state s
		set organisation = n.organisation, person = n.person, version = n.version, known = n.known::jsonb,
			correlation = n.correlation, decision = n.decision
		from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::uuid[])
			as n(journey, organisation, person, version, known, correlation, decision)
		where s.journey = n.journey`, journeys, organisations, people, versions, known, correlations, decisions)
	return nil
}

// lastDecision reads the last decision about a journey of the principal's organisation; an operator sees those of
// all. It is nil where there is none, or none that the principal may see.
func lastDecision(ctx context.Context, pool *pgxpool.Pool, who principal.Principal, journey string) (*Decision, error) {
	var matrix string
	err := pool.QueryRow(ctx, `select d.matrix::text from journey_state s join decision d on d.id = s.decision
		where s.journey = $1::uuid and ($2 or s.organisation = $3)`, strings.ToLower(journey), who.Role == string(schemas.Operator), who.Organisation).Scan(&matrix)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the decision about a journey: %w", err)
	}
	var decision Decision
	if err := json.Unmarshal([]byte(matrix), &decision); err != nil {
		return nil, fmt.Errorf("reading the decision about a journey: %w", err)
	}
	return &decision, nil
}
