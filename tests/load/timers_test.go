package load

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/bridging"
)

// dueTimers is how many reminders are due at once.
const dueTimers = 1000

// timersOf is a database of bridging's that holds so many calls to come, with as many reminders due in either.
func timersOf(t *testing.T, stored int) (*plans, func()) {
	t.Helper()
	db := testkit.Database(t, ofService(schemas.Bridging, bridging.Migrations()))
	fillTimers(t, db.Admin(), stored)
	watch := &stocked{t: t, admin: db.Admin(), plans: &plans{got: work{statements: map[string]int64{}}}}
	watch.explain(db.Name)
	pool := watch.watched(db.Pool(schemas.Bridging))
	service, err := bridging.New(bridging.Config{})
	if err != nil {
		t.Fatal(err)
	}
	conn := testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL(), Name: "timers"})
	stream := bus.Stream{Name: "TIMERS_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: time.Hour, MaxBytes: -1}
	f, err := flow.New(t.Context(), flow.Config{Service: schemas.Bridging, Pool: pool, Bus: conn, Stream: stream,
		Clock: clock.Real()})
	if err != nil {
		t.Fatal(err)
	}
	loop := service.Due()[slices.IndexFunc(service.Due(), func(d flow.Due) bool { return d.Name == "calls" })]
	return watch.plans, func() {
		t.Helper()
		for fired := 0; fired < dueTimers; {
			err := f.Do(t.Context(), func(tx *flow.Tx) error {
				taken, err := loop.Run(t.Context(), tx, loop.Limit)
				if fired += taken; taken == 0 && err == nil {
					return fmt.Errorf("%d of %d fired", fired, dueTimers)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// fillTimers stores calls of plans, by one statement, as the administrator, for whom foreign keys hold by
// construction: a thousand whose reminder is due, and so many of the months to come.
func fillTimers(t *testing.T, admin *pgxpool.Pool, stored int) {
	t.Helper()
	conn, err := admin.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, statement := range []string{
		`set session_replication_role = replica`,
		`insert into bridging.call (id, plan, journey, organisation, due_at, on_day, state, scheduled_at, nominal, team)
			select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'R' || i % 3, at, at::date, 'scheduled',
			now(), at::date, 'R' || i % 3
			from (select i, case when i <= $2 then now() + interval '20 hours' + i * interval '1 second'
			else now() + interval '30 hours' + (i::bigint * 7919 % 15552000) * interval '1 second' end as at
				from generate_series(1, $1 + $2) as i) as n`,
		`insert into bridging.timer (call, act_at) select id, due_at - interval '24 hours' from bridging.call`,
		`reset session_replication_role`,
		`vacuum analyze bridging.call`, `vacuum analyze bridging.timer`,
	} {
		statement = strings.NewReplacer("$1", strconv.Itoa(stored), "$2", strconv.Itoa(dueTimers)).Replace(statement)
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
}

// TestTimersCostWhatIsDueWhateverIsToCome: a thousand reminders that are due are found and fired touching as many
// buffers with twenty thousand calls to come as with a thousand. TIMERS_STORED stores more, against ten thousand (make
// bench-large).
func TestTimersCostWhatIsDueWhateverIsToCome(t *testing.T) {
	t.Parallel()
	many, err := strconv.Atoi(cmp.Or(os.Getenv("TIMERS_STORED"), "20000"))
	if err != nil {
		t.Fatal(err)
	}
	few := 1000
	if many > 20_000 {
		few = 10_000
	}
	fewPlans, fireFew := timersOf(t, few)
	manyPlans, fireMany := timersOf(t, many)
	base, got := fewPlans.during(fireFew), manyPlans.during(fireMany)
	t.Logf("%d reminders found and fired with %d calls to come: %v; with %d: %v (%.2f, %.2f)", dueTimers, few, base,
		many, got, times(got.Blocks, base.Blocks), times(got.Rows, base.Rows))
	if base.Blocks == 0 || got.Blocks > base.Blocks*12/10+taller || got.Rows > base.Rows*12/10+taller {
		t.Errorf("it is more work the more is to come:\n%s", got.compared(base))
	}
	if len(got.Scans) > 0 {
		t.Errorf("it reads from end to end: %v", got.Scans)
	}
}
