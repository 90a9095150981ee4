package flow_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// keeping keeps of each journey the word that was said last, by its sequence, as services keep what they know.
func keeping(tx *flow.Tx, _ []flow.Event) func([]flow.Event) error {
	return func(events []flow.Event) error {
		for _, e := range events {
			word, err := flow.Decode[thing](e)
			if err != nil {
				return err
			}
			tx.Queue(`insert into value (journey, at, word) values ($1, $2, $3)
				on conflict (journey) do update set at = excluded.at, word = excluded.word where value.at < excluded.at`,
				e.Subject, flow.ReadSequence(e.Sequence), word.Word)
		}
		return nil
	}
}

// say says a word about a journey with the journey's next version.
func (p *process) say(t *testing.T, journey, word string) {
	t.Helper()
	err := p.Do(t.Context(), func(tx *flow.Tx) error {
		var version int64
		tx.Queue(`insert into said (journey, version) values ($1, 1) on conflict (journey) do update
			set version = said.version + 1 returning version`, journey).
			QueryRow(func(row pgx.Row) error { return row.Scan(&version) })
		if err := tx.Flush(); err != nil {
			return err
		}
		tx.Emit(flow.Emission{Type: askedType, Journey: journey, Version: version, Data: thing{word}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (p *process) keeps(t *testing.T, journey, word string) {
	t.Helper()
	testkit.Eventually(t, journey+" is known as "+word, func() bool {
		return count(t, p.pool, `select count(*) from value where journey = $1 and word = $2`, journey, word) == 1
	})
}

// TestAServiceThatIsRestoredAloneIsNotTakenForStale: what it says after it was restored from a backup is later than
// what it had said in between, although its versions count from the backup.
func TestAServiceThatIsRestoredAloneIsNotTakenForStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hearer := w.start("answerer", []string{"footbridge.thing.asked.v1.*"}, keeping)
	var restore func()
	for life := range 2 { // the second restore is of the same backup
		asker := w.start("asker", nil, nil)
		if life == 0 {
			asker.say(t, "j", "before")
			hearer.keeps(t, "j", "before")
		}
		asker.stop()
		if life == 0 {
			restore = testkit.Backup(t, w.db.Admin(), "asker")
		}
		asker = w.start("asker", nil, nil)
		for _, word := range []string{"one", "two", "three"} {
			asker.say(t, "j", word)
		}
		hearer.keeps(t, "j", "three")
		asker.stop()
		restore()
		first, err := flow.Restored(t.Context(), w.db.Pool("asker"), time.Now().Add(time.Duration(life)*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := flow.Restored(t.Context(), w.db.Pool("asker"), time.Now().AddDate(-9, 0, 0)); err != nil ||
			again <= first {
			t.Fatalf("a life that begins by a clock that is behind is %d, after %d: %v", again, first, err)
		}
		asker = w.start("asker", nil, nil)
		asker.say(t, "j", "after")
		hearer.keeps(t, "j", "after")
		asker.stop()
	}
}

// TestAServiceThatIsRestoredAloneHearsEverythingAgain: what it had heard after the backup, and forgot with it, it knows
// again.
func TestAServiceThatIsRestoredAloneHearsEverythingAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker := w.start("asker", nil, nil)
	hearer := w.start("answerer", []string{"footbridge.thing.asked.v1.*"}, keeping)
	asker.say(t, "j1", "before")
	asker.say(t, "j2", "before")
	hearer.keeps(t, "j1", "before")
	hearer.keeps(t, "j2", "before")
	hearer.stop()
	restore := testkit.Backup(t, w.db.Admin(), "answerer")
	hearer = w.start("answerer", []string{"footbridge.thing.asked.v1.*"}, keeping)
	asker.say(t, "j1", "since")
	asker.say(t, "j3", "since")
	hearer.keeps(t, "j1", "since")
	hearer.keeps(t, "j3", "since")
	hearer.stop()
	restore()
	if _, err := flow.Restored(t.Context(), w.db.Pool("answerer"), time.Now()); err != nil {
		t.Fatal(err)
	}
	hearer = w.start("answerer", []string{"footbridge.thing.asked.v1.*"}, keeping)
	hearer.keeps(t, "j1", "since")
	hearer.keeps(t, "j2", "before")
	hearer.keeps(t, "j3", "since")
	testkit.Eventually(t, "it is asked of the durable once", func() bool {
		return count(t, hearer.pool, `select
		count(*) from incarnation where anew`) == 0
	})
}
