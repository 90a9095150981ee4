package load

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"footbridge/services/threshold/criteria"
)

// captured is what the real binary wrote for one unit. The other variants write the same contents under ids of their
// own, so that rows and events have the same bytes.
type captured struct {
	Data    map[string]json.RawMessage // of the events, by type
	By      map[string]string          // the service that says a type
	Details map[string]string          // of the timeline's lines, by type
	Steps   []capturedStep
	Stated  []capturedFacts // who said what
	// Contents of the larger columns, and lengths of the sealed ones. InFull is the decision with the words of its
	// criteria, as the services kept it at frozenCommit.
	Visit, Threshold, Matrix, InFull, Directory, Followup, Bridging, Journey string
	Partner                                                                  string
	Raw, Wrapped, Identity                                                   int
}

type capturedStep struct{ Kind, Basis, Owner string }

type capturedFacts struct{ Facts, Way string }

// capture reads one finished journey.
func capture(ctx context.Context, adminURL, journey string) (*captured, error) {
	db, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close(ctx) }()
	c := &captured{Data: map[string]json.RawMessage{}, By: map[string]string{}, Details: map[string]string{}}
	var situation string
	err = db.QueryRow(ctx, `select v.says::text, t.known::text, d.matrix::text, d.situation::text, d.directory,
		f.known::text,
		b.known::text, j.known::text,
			o.partner::text, length(m.raw), length(k.wrapped), length(p.identity)
		from intake.visit v, threshold.journey_state t, threshold.decision d, followup.journey_state f, followup.offer
		o,
			bridging.journey_state b, journey.journey j, intake.message m, intake.message_key k, intake.person p
		where v.journey = $1::uuid and t.journey = v.journey and d.journey = v.journey and f.journey = v.journey
		and o.journey = v.journey
			and b.journey = v.journey and j.id = v.journey and m.journey = v.journey and k.message = m.id
			and p.id = v.person`, journey).
		Scan(&c.Visit, &c.Threshold, &c.Matrix, &situation, &c.Directory, &c.Followup, &c.Bridging, &c.Journey,
			&c.Partner, &c.Raw, &c.Wrapped, &c.Identity)
	if err != nil {
		return nil, fmt.Errorf("reading what a unit wrote: %w", err)
	}
	if c.InFull, err = inFull(situation, c.Directory); err != nil {
		return nil, err
	}
	facts, err := db.Query(ctx, `select facts::text, way from intake.stated_facts s join intake.visit v
		on v.person = s.person where v.journey = $1::uuid`, journey)
	if err != nil {
		return nil, fmt.Errorf("reading the facts: %w", err)
	}
	if c.Stated, err = pgx.CollectRows(facts, pgx.RowToStructByPos[capturedFacts]); err != nil {
		return nil, fmt.Errorf("reading the facts: %w", err)
	}
	for _, name := range services {
		if err := c.events(ctx, db, name, journey); err != nil {
			return nil, err
		}
	}
	return c, c.timeline(ctx, db, journey)
}

// inFull makes a decision of the shipped example again, with the words of its criteria.
func inFull(situation, directory string) (string, error) {
	set, err := criteria.LoadFS(criteria.ExampleFiles())
	if err != nil {
		return "", fmt.Errorf("reading the example's criteria: %w", err)
	}
	if set.Hash != directory {
		return "", fmt.Errorf("the unit was decided by directory %s, and not by the shipped example", directory)
	}
	var s criteria.Situation
	if err := json.Unmarshal([]byte(situation), &s); err != nil {
		return "", fmt.Errorf("reading what a decision was made from: %w", err)
	}
	text, err := json.Marshal(criteria.Evaluate(set, s))
	return string(text), err
}

func (c *captured) events(ctx context.Context, db *pgx.Conn, service, journey string) error {
	rows, err := db.Query(ctx, "select payload from "+pgx.Identifier{service, "outbox"}.Sanitize()+
		" where subject like '%.' || $1::text", journey)
	if err != nil {
		return fmt.Errorf("reading the events of %s: %w", service, err)
	}
	payloads, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("reading the events of %s: %w", service, err)
	}
	for _, payload := range payloads {
		var e message
		if err := json.Unmarshal([]byte(payload), &e); err != nil {
			return err
		}
		c.Data[e.Type], c.By[e.Type] = e.Data, service
	}
	return nil
}

func (c *captured) timeline(ctx context.Context, db *pgx.Conn, journey string) error {
	rows, err := db.Query(ctx, `select type, details::text from journey.timeline_entry where journey = $1::uuid`,
		journey)
	if err != nil {
		return fmt.Errorf("reading the timeline: %w", err)
	}
	var kind, details string
	if _, err := pgx.ForEachRow(rows, []any{&kind, &details},
		func() error { c.Details[kind] = details; return nil }); err != nil {
		return fmt.Errorf("reading the timeline: %w", err)
	}
	rows, err = db.Query(ctx, `select kind, basis, owner from journey.step where journey = $1::uuid
		order by state = 'open' desc, id`, journey)
	if err != nil {
		return fmt.Errorf("reading the steps: %w", err)
	}
	if c.Steps, err = pgx.CollectRows(rows, pgx.RowToStructByPos[capturedStep]); err != nil {
		return fmt.Errorf("reading the steps: %w", err)
	}
	var mean int
	err = db.QueryRow(ctx, `select round(count(*)::numeric / count(distinct journey))::int from journey.step`).Scan(
		&mean)
	for len(c.Steps) < mean {
		c.Steps = append(c.Steps, c.Steps[len(c.Steps)-1])
	}
	c.Steps = c.Steps[:mean]
	return err
}
