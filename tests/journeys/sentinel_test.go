package journeys

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/journey"
	"footbridge/tests/system"
)

// watcher is a sentinel of a test's own beside a running system, that looks when it is told to.
type watcher struct {
	*journey.Sentinel
	s     *system.Steered
	clock *ahead
}

// ahead is the clock of a steered system as a process has it, and by so much ahead of it.
type ahead struct {
	s  *system.Steered
	by atomic.Int64
}

func (a *ahead) Now() time.Time   { return a.s.Now().UTC().Add(time.Duration(a.by.Load())) }
func (*ahead) Machine() time.Time { return time.Now().UTC() }

// sentinelOf makes one, with the logins that a real one has.
func sentinelOf(t *testing.T, s *system.Steered) *watcher {
	t.Helper()
	conn := testkit.Connect(t, bus.Config{URL: s.NATS, Seed: s.Keys(schemas.SentinelKey).NATS, Name: "sentinel",
		Inbox: bus.InboxOf(schemas.SentinelKey)})
	pool, now := s.DB.Pool(journey.Name), &ahead{s: s}
	f, err := flow.New(t.Context(), flow.Config{Service: journey.Name, Pool: pool, Bus: conn, Clock: now,
		Stream: bus.Stream{Name: system.Stream, Subjects: []string{"footbridge.>"}}})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- f.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	watching, err := journey.NewSentinel(journey.SentinelConfig{Clock: now, Flow: f, Pool: pool,
		OnHold: s.DB.Pool(pg.Sentinel), Owners: journey.Owners{Navigator: "navigator:duty",
			Deputy: "navigator:deputy", OutOfHours: "team:out-of-hours"}})
	if err != nil {
		t.Fatal(err)
	}
	return &watcher{Sentinel: watching, s: s, clock: now}
}

// agree holds that all services know the same of all journeys, where nothing is under way.
func (w *watcher) agree(t *testing.T, not ...string) {
	t.Helper()
	rows, err := w.s.Admin().Query(t.Context(), `select id::text from journey.journey`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	differ, err := w.Differences(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differ {
		if !slices.Contains(not, d.Matter) {
			var says []string
			for _, service := range slices.Sorted(maps.Keys(d.Says)) {
				says = append(says, service+" "+d.Says[service])
			}
			t.Errorf("%s: of %q of journey %s they say %s", w.s.Now().Format(time.DateTime), d.Matter, d.Journey,
				strings.Join(says, ", "))
		}
	}
}

// found are the findings of a round, that is so much ahead of the system's clock: how many were new.
func (w *watcher) found(t *testing.T, ahead time.Duration) int {
	t.Helper()
	w.clock.by.Store(int64(ahead))
	n, err := w.Round(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// plant is one fault, put in by somebody who has the database or the broker, and how it is found.
type plant struct {
	name string
	// monday is what had happened before, sql what is done to the database: $1 is the journey.
	monday []deed
	sql    []string
	// do is what is done otherwise.
	do func(t *testing.T, c *calendarOfDays, p *onePerson)
	// key is how the findings' keys begin, of which there is one within a time at the latest.
	key    string
	within time.Duration
	reason string
	kind   string // of the navigator's step
	// about is what the step is about, where that is not the journey.
	about bool
}

// planted are the faults. Each looks as what it is named for: a row that is gone, one that is as it was before an
// event, one that was changed by hand.
func planted() []plant {
	leaves, yes := deed{Does: "leaves"}, consentTo("first", "given")
	accept := deed{As: "first", Does: "accept"}
	calls := []deed{leaves, {As: "sending-team", Does: "plan",
		With: map[string]any{"firstOn": after(3, 0, 0).Format(time.DateOnly), "minutes": 60,
			"windows": []any{map[string]any{"days": []any{"thu", "fri"}, "fromHour": 10, "toHour": 11}}}},
		consentToCalls("given")}
	asked, taken := []deed{leaves, yes}, []deed{leaves, yes, accept}
	const soon, agree, grace = 5 * time.Minute, 30 * time.Minute, 4 * time.Hour
	mend, over := "mend-what-failed", "take-over"
	holding := `(select holding_step from journey.journey where id = $1::uuid)`
	return []plant{
		{name: "a journey deleted from threshold", monday: asked, key: "differs/{}/known", within: agree,
			sql: []string{`delete from threshold.journey_state where journey = $1::uuid`}},
		{name: "one deleted from followup, with its offer", monday: asked, key: "differs/{}/known", within: agree,
			sql: []string{`delete from followup.offer where journey = $1::uuid`,
				`delete from followup.journey_state where journey = $1::uuid`}},
		{name: "one deleted from journey", monday: asked, key: "not-opened/", within: soon, reason: "not-opened",
			sql: []string{`delete from journey.timeline_entry where journey = $1::uuid`,
				`delete from journey.step where journey = $1::uuid`,
				`delete from journey.journey where id = $1::uuid`}},
		{name: "one that intake acknowledged and nobody else knows", monday: []deed{leaves}, key: "not-opened/",
			within: soon, reason: "not-opened",
			sql: []string{`delete from threshold.journey_state where journey = $1::uuid`,
				`delete from followup.offer where journey = $1::uuid`,
				`delete from followup.journey_state where journey = $1::uuid`,
				`delete from bridging.plan where journey = $1::uuid`,
				`delete from bridging.journey_state where journey = $1::uuid`,
				`delete from journey.timeline_entry where journey = $1::uuid`,
				`delete from journey.step where journey = $1::uuid`,
				`delete from journey.journey where id = $1::uuid`}},
		{name: "one deleted from intake", monday: asked, key: "differs/{}/known", within: agree,
			sql: []string{`delete from intake.journey where id = $1::uuid`}},
		{name: "an event skipped in bridging", monday: []deed{leaves}, key: "differs/{}/calls", within: agree,
			do: func(t *testing.T, c *calendarOfDays, p *onePerson) {
				var before string
				c.one(&before, `select known::text from bridging.journey_state where journey = $1::uuid`, p.journey)
				p.does(c, consentToCalls("declined"))
				c.Settle()
				c.plant(`update bridging.journey_state set known = $2::jsonb where journey = $1::uuid`, p.journey,
					before)
			}},
		{name: "a yes lost in followup", monday: asked, key: "differs/{}/follow-up", within: agree,
			sql: []string{`update followup.journey_state set known = known - 'consent' where journey = $1::uuid`}},
		{name: "who must not know lost in threshold", monday: []deed{leaves, {As: "sending-team", Does: "contact",
			With: map[string]any{"mustNotKnow": []any{"RZZ"}}}}, key: "differs/{}/barred", within: agree,
			sql: []string{`update threshold.journey_state set known = known - 'barredAt' - 'barred'
				where journey = $1::uuid`}},
		{name: "a journey closed in intake and open elsewhere", monday: asked, key: "differs/{}/closed", within: agree,
			sql: []string{`update intake.journey set state = 'closed' where id = $1::uuid`}},
		{name: "an offer told of which followup does not know", monday: asked, key: "differs/{}/told", within: agree,
			sql: []string{`update followup.journey_state set known = known - 'delivered' where journey = $1::uuid`}},
		{name: "a grant without an offer", monday: asked, key: "differs/{}/taken", within: agree,
			sql: []string{`insert into intake.partner_offer (id, journey, partner, accepted, agreed, ended, turn)
				values (gen_random_uuid(), $1::uuid, 'nobody', 1, 1, false, 1000)`}},
		{name: "a line missing in journey", monday: taken, key: "differs/{}/lines-of-followup", within: agree,
			sql: []string{`delete from journey.timeline_entry where journey = $1::uuid
				and type = 'care.footbridge.offer.accepted.v1'`}},
		{name: "a plan that bridging has no more", monday: calls, key: "differs/{}/plan", within: agree,
			sql: []string{`delete from bridging.plan where journey = $1::uuid`}},
		{name: "a step closed by hand", monday: calls, key: "steps/{}", within: soon, reason: "no-step",
			sql: []string{`update journey.step set state = 'done', closed_at = opened_at, closed_by = 'somebody',
				look_at = null where id = (select id from journey.step where journey = $1::uuid and state = 'open'
				and id <> ` + holding + ` limit 1)`}},
		{name: "the step that holds it closed by hand", monday: asked, key: "no-step/{}", within: soon,
			reason: "no-step", kind: over,
			sql: []string{`update journey.step set state = 'done', closed_at = opened_at, closed_by = 'somebody',
				look_at = null where id = ` + holding}},
		{name: "a due time moved to the year 3000", monday: asked, key: "due/", within: soon, reason: "overdue",
			kind: over, sql: []string{`update journey.step set due_at = '3000-01-01', first_due_at = '3000-01-01',
				look_at = null where id = ` + holding}},
		{name: "a team that does not exist", monday: asked, key: "owner/", within: soon, reason: "no-step", kind: over,
			sql: []string{`update journey.step set owner = 'team:nobody-there' where id = ` + holding}},
		{name: "an owner who was added and removed", monday: []deed{leaves}, key: "added/", within: soon,
			reason: "no-step", kind: over, do: func(t *testing.T, c *calendarOfDays, p *onePerson) {
				c.plant(`update journey.step set due_at = $2, first_due_at = $2, look_at = $2 where id = `+holding,
					p.journey,
					c.Now().Add(-time.Hour))
				c.Settle()
				c.plant(`update journey.step set added_owners = '{}' where overdue_level > 0 and id = `+holding,
					p.journey)
			}},
		{name: "a mark of the sentinel set by hand", monday: []deed{leaves}, key: "marked/", within: soon,
			reason: "overdue", kind: over, do: func(t *testing.T, c *calendarOfDays, p *onePerson) {
				c.plant(`update journey.step set due_at = $2, first_due_at = $2, look_at = null, void_found_at = $3
					where id = `+holding, p.journey, c.Now().Add(-5*time.Hour), c.Now())
			}},
		{name: "a finding set by hand", monday: []deed{leaves}, key: "not-opened/", within: soon, reason: "not-opened",
			do: func(t *testing.T, c *calendarOfDays, p *onePerson) {
				c.plant(`insert into journey.finding (key, journey, reason, since, found_at, step)
					select format('not-opened/intake/discharge-recorded/%s/%s', $1::text, extract(epoch
					from raised_at)::bigint),
						$1::text, 'not-opened', raised_at, $2, gen_random_uuid() from intake.visit
						where journey = $1::uuid`,
					p.journey, c.Now())
				for _, one := range []string{`delete from journey.timeline_entry where journey = $1::uuid`,
					`delete from journey.step where journey = $1::uuid`,
					`delete from journey.journey where id = $1::uuid`} {
					c.plant(one, p.journey)
				}
			}},
		{name: "an offer to no partner", monday: asked, key: "differs/followup/amiss-offer/{}", within: soon,
			kind: mend,
			sql:  []string{`update followup.offer set partner = gen_random_uuid() where journey = $1::uuid`}},
		{name: "a call of nobody's", monday: calls, key: "differs/bridging/amiss-call/{}", within: soon, kind: mend,
			sql: []string{`update bridging.call set team = '' where journey = $1::uuid`}},
		{name: "a mail that is never sent", monday: asked, key: "differs/delivery/amiss-mail/{}", within: grace,
			kind: mend, do: func(t *testing.T, c *calendarOfDays, p *onePerson) {
				partner := p.of.partners["first"]
				c.plant(`insert into delivery.notice (partner, by, address, digest, taken, changed_at, version)
					values ($1::uuid, 'email', 'duty@peers.example', false, 1000000, $2, 1)`, partner, c.Now())
				c.plant(`insert into delivery.mail (id, partner, kind, position, journey, type, state, first_at, due_at)
					values ($2::uuid, $4::uuid, 'asks', 1, $1::uuid, 'offer.sent', 'waiting', $3, '3000-01-01')`,
					p.journey, clock.NewID(c.Now()), c.Now(), partner)
			}},
		{name: "a dead letter of nobody's", monday: []deed{leaves}, key: "dead-letter/bridging/dead-letter/{}",
			within: soon, reason: "dead-letter", kind: mend,
			sql: []string{`insert into bridging.letter (event_id, type, journey, subject, headers, payload, reason,
				state,
				tries, next_try_at, since)
				select gen_random_uuid(), 'x', $1::text, '', '', '', 'planted', 'dead', 8, raised_at, raised_at
				from intake.visit where journey = $1::uuid`}},
		{name: "a quarantined message whose step is gone", key: "no-step/intake/message-quarantined/{}", within: soon,
			reason: "no-step", kind: "read-the-message", about: true,
			do: func(t *testing.T, c *calendarOfDays, p *onePerson) {
				c.Send(c.Dial(), []byte("MSH|^~\\&|ED|RXX|FB|FB|||ADT^A03|PLANTED1|P|2.4\rPID|||\r"))
				c.Settle()
				c.one(&p.journey, `select id::text from intake.message where outcome = 'quarantined' order by id desc
					limit 1`)
				c.plant(`delete from journey.step where about = $1`, p.journey)
			}},
		{name: "nothing", monday: taken},
		{name: "nothing with calls", monday: calls},
	}
}

// one reads one value of the database.
func (c *calendarOfDays) one(into any, query string, args ...any) {
	c.t.Helper()
	if err := c.Admin().QueryRow(c.t.Context(), query, args...).Scan(into); err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
}

// plant does something to the database that no constraint keeps from being done; it fails where it does nothing.
func (c *calendarOfDays) plant(statement string, args ...any) {
	c.t.Helper()
	tx, err := c.Admin().Begin(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(c.t.Context())) }()
	if _, err = tx.Exec(c.t.Context(), `set local session_replication_role = replica`); err != nil {
		c.t.Fatal(err)
	}
	done, err := tx.Exec(c.t.Context(), statement, args...)
	if err != nil || done.RowsAffected() == 0 {
		c.t.Fatalf("%s did nothing: %v", statement, err)
	}
	if err := tx.Commit(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// TestTheSentinelFindsEachPlantedFaultWithinItsGrace: what somebody with the database or the broker did to one journey
// is found, each once, as a navigator's step and as journey.in-void; of journeys to which nobody did anything, nothing
// is.
func TestTheSentinelFindsEachPlantedFaultWithinItsGrace(t *testing.T) {
	t.Parallel()
	c, all := newCalendar(t), planted()
	for _, one := range all {
		c.add(hardDays{Name: one.name, Partners: []string{"first"}})
	}
	c.begin(aMonday.Add(-time.Hour))
	c.MoveTo(aMonday)
	for i, more := 0, true; more; i++ {
		more = false
		for n, one := range all {
			if i < len(one.monday) {
				more = true
				c.files[n].people[0].does(c, one.monday[i])
			}
		}
		c.Settle()
		c.hear()
	}
	w := sentinelOf(t, c.Steered)
	w.agree(t)
	for _, ahead := range []time.Duration{0, 31 * time.Minute, 62 * time.Minute} {
		if n := w.found(t, ahead); n > 0 {
			t.Fatalf("on a system to which nothing was done it found %d: %s", n, strings.Join(c.findings(t), ", "))
		}
	}
	since := w.clock.Now()
	for n, one := range all {
		p := c.files[n].people[0]
		for _, statement := range one.sql {
			c.plant(statement, p.journey)
		}
		if one.do != nil {
			one.do(t, c, p)
		}
	}
	for _, ahead := range []time.Duration{time.Second, 5*time.Minute + time.Second, 31 * time.Minute, 4*time.Hour +
		time.Minute} {
		w.found(t, 62*time.Minute+ahead)
	}
	for n, one := range all {
		for _, f := range c.files[n].faults {
			t.Errorf("%s: %s", one.name, f)
		}
		c.isFound(t, one, c.files[n].people[0].journey, since)
	}
	c.stopped(t, w, schemas.Followup, 62*time.Minute+4*time.Hour+time.Minute)
}

// stopped pauses a service's durable, as somebody with the broker may, or as a service does that is stopped: it hears
// nothing for a day. Somebody leaves hospital meanwhile; that the service does not know of them is found, and when it
// hears again nothing differs any more.
func (c *calendarOfDays) stopped(t *testing.T, w *watcher, service string, ahead time.Duration) {
	t.Helper()
	ctx := t.Context()
	conn := testkit.Connect(t, bus.Config{URL: c.NATS, Seed: c.Keys("owner").NATS, Name: "somebody"})
	stream, err := conn.JS.Stream(ctx, system.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.PauseConsumer(ctx, service, time.Now().Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	f := c.add(hardDays{Name: "somebody who leaves while " + service + " is stopped"})
	p := f.people[0]
	p.leaves(c, deed{})
	others := len(journey.KnownBy()) - 1
	system.Eventually(t, func() error { // all others know of them, and it does not
		differ, err := w.Differences(ctx, []string{p.journey})
		if i := slices.IndexFunc(differ, func(d journey.Difference) bool { return d.Matter == "known" }); err == nil &&
			(i < 0 || len(differ[i].Says) < others) {
			err = fmt.Errorf("they are known otherwise: %v", differ)
		}
		return err
	})
	w.found(t, ahead)
	w.found(t, ahead+24*time.Hour)
	c.isFound(t, plant{name: f.Name, key: "differs/{}/known", within: 31 * time.Hour}, p.journey, c.Now())
	if _, err := stream.ResumeConsumer(ctx, service); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	if differ, err := w.Differences(ctx, []string{p.journey}); err != nil || len(differ) > 0 {
		t.Errorf("%s hears again, and knows otherwise: %v, %v", service, differ, err)
	}
}

// findings are the keys of all that was found.
func (c *calendarOfDays) findings(t *testing.T) []string {
	t.Helper()
	rows, err := c.Admin().Query(t.Context(), `select key from journey.finding order by key`)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// isFound holds what came of one fault against what should have.
func (c *calendarOfDays) isFound(t *testing.T, one plant, journey string, since time.Time) {
	t.Helper()
	var keys []string
	var took time.Duration
	rows, err := c.Admin().Query(t.Context(), `select key, found_at from journey.finding where journey = $1 order by
		found_at`, journey)
	if err != nil {
		t.Fatal(err)
	}
	var key string
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&key, &at}, func() error {
		if keys = append(keys, key); one.key != "" &&
			strings.HasPrefix(key, strings.ReplaceAll(one.key, "{}", journey)) &&
			took == 0 {
			took = at.Sub(since)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if one.key == "" {
		if len(keys) > 0 {
			t.Errorf("%s: found %v", one.name, keys)
		}
		return
	}
	if took == 0 || took > one.within+2*time.Minute {
		t.Errorf("%s: found after %s, of %v", one.name, took, keys)
		return
	}
	reason, kind := cmp.Or(one.reason, "differs"), cmp.Or(one.kind, "find-what-is-lost")
	var steps, said int
	c.one(&steps, `select count(*) from journey.step where (journey::text = $1 or about = $1) and kind = $2
		and state = 'open' and owner = 'navigator:duty'`, journey, kind)
	c.one(&said, `select count(*) from journey.outbox where subject like 'footbridge.journey.in-void.%' || $1
		and payload::jsonb #>> '{data,reason}' = $2`, journey, reason)
	if steps == 0 || said == 0 {
		t.Errorf("%s: %d steps %s of the navigator's, and %d events say %q; found %v", one.name, steps, kind, said,
			reason,
			keys)
	}
}
