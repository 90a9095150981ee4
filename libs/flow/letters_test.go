package flow_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// storing keeps the word of each question as text, as services keep names and codes.
func storing(tx *flow.Tx, batch []flow.Event) func([]flow.Event) error {
	isNew := effectsOf(tx, batch)
	return func(events []flow.Event) error {
		for _, e := range events {
			word, err := flow.Decode[thing](e)
			if err != nil {
				return err
			}
			if isNew[e.ID] {
				tx.Queue(`insert into answer (journey) values ($1)`, word.Word)
			}
		}
		return nil
	}
}

// asked is an event as a login that may publish could write it.
func asked(id, journey, data string) string {
	return fmt.Sprintf(
		`{"specversion":"1.0","id":"%s","source":"/footbridge/asker","type":"%s","subject":"%s","time":"2026-11-27T05:00:00Z","datacontenttype":"application/json","data":%s}`,
		id, askedType, journey, data)
}

// TestWhateverArrivesIsBuriedByteForByteAndTheRestGoesOn publishes what no service of ours would, and then something
// good.
func TestWhateverArrivesIsBuriedByteForByteAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker := w.start("asker", nil, nil)
	answerer := w.start("answerer", []string{"footbridge.thing.asked.v1.>"}, storing)
	id := func() string { return clock.NewID(time.Now()) }
	bad := map[string]string{
		"a NUL alone":              "\x00",
		"a NUL in an attribute":    asked(id(), "j\x00", `{"word":"x"}`),
		"an escaped NUL as text":   asked(id(), "j1", `{"word":"a\u0000b"}`),
		"an escaped NUL as name":   asked(id(), `j\u0000`, `{"word":"x"}`),
		"broken UTF-8":             asked(id(), "j2", "{\"word\":\"\xff\xfe\"}") + "\xc3",
		"nothing":                  "",
		"no JSON":                  "hello",
		"no CloudEvent":            `{"a":1}`,
		"a type of another kind":   asked(id(), "j3", `{"word":7}`),
		"an id that is none":       asked("7", "j4", `{"word":"x"}`),
		"an id that looks like it": asked("0199f0f2-0000-7000-8000-00000000zzzz", "j5", `{"word":"x"}`),
		"an id with a NUL":         asked(`0199f0f2-0000-7000-8000-0000000000\u0000`, "j6", `{"word":"x"}`),
		"nested deeply":            asked(id(), "j7", strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)),
		"very large":               asked(id(), "j8", `{"word":7,"more":"`+strings.Repeat("x", 900_000)+`"}`),
		"the far future":           asked(clock.NewID(time.Now().AddDate(300, 0, 0)), "j9", `{"word":"x"}`),
	}
	js := w.admin()
	for what, body := range bad {
		msg := &nats.Msg{Subject: "footbridge.thing.asked.v1.bad", Data: []byte(body),
			Header: nats.Header{"X-Odd": []string{"\xff" + what}}}
		if _, err := js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	bad["an odd subject"] = "odd subject"
	if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "footbridge.thing.asked.v1.\xff\xfe\x00",
		Data: []byte(bad["an odd subject"])}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "footbridge.thing.asked.v1.old",
		[]byte(asked("00000000-0000-7000-8000-000000000001", "old", `{"word":"x"}`))); err != nil {
		t.Fatal(err)
	}
	asker.ask(t, "good", "fine")
	effectsAre(t, answerer, 2) // that one is older than anything changes nothing about what it says
	want := len(bad)
	testkit.Eventually(t, "all are dead letters", func() bool {
		return count(t, answerer.pool, `select count(*) from dead_letter`) >= want
	})
	letters, err := flow.DeadLetters(t.Context(), answerer.pool)
	if err != nil {
		t.Fatal(err)
	}
	for what, body := range bad {
		found := false
		for _, l := range letters {
			found = found || bytes.Equal(l.Payload, []byte(body))
		}
		if !found {
			t.Errorf("%s: not kept byte for byte", what)
		}
	}
	testkit.Eventually(t, "it is ready", func() bool { return answerer.Ready() == nil })
}

// TestAnUpperCaseIdIsTheSameEvent: the database spells ids in small letters; an event must not be lost for that.
func TestAnUpperCaseIdIsTheSameEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answerer := w.start("answerer", []string{"footbridge.thing.asked.v1.>"}, storing)
	id := clock.NewID(time.Now())
	js := w.admin()
	for _, spelt := range []string{strings.ToUpper(id), id} {
		if _, err := js.Publish(t.Context(), "footbridge.thing.asked.v1.j",
			[]byte(asked(spelt, "j", `{"word":"x"}`))); err != nil {
			t.Fatal(err)
		}
	}
	effectsAre(t, answerer, 1)
}

// TestABuriedEventIsNeverAppliedTwice redrives, lets arrive again and redrives again, in each order.
func TestABuriedEventIsNeverAppliedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ahead := &clock.Shifted{}
	w.tune = func(c *flow.Config) { c.Clock = ahead }
	answerer := w.start("answerer", []string{"footbridge.thing.asked.v1.>"}, storing)
	js := w.admin()
	publish := func(body string) {
		if _, err := js.Publish(t.Context(), "footbridge.thing.asked.v1.j", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	redrive := func() int64 {
		n, err := flow.Redrive(t.Context(), answerer.pool, ahead.Now())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	dead := func(n int) func() bool {
		return func() bool { return count(t, answerer.pool, `select count(*) from dead_letter`) == n }
	}
	// From the future: dead-lettered; when its day has come it arrives again and is applied; redriving the letter does
	// nothing.
	early := asked(clock.NewID(time.Now().AddDate(0, 0, 9)), "early", `{"word":"x"}`)
	publish(early)
	testkit.Eventually(t, "the early one is buried", dead(1))
	ahead.Set(8 * 24 * time.Hour)
	publish(early)
	effectsAre(t, answerer, 1)
	if redrive() != 1 {
		t.Error("the early letter is not put back in line")
	}
	testkit.Eventually(t, "the early letter is settled", dead(0))
	testkit.Eventually(t, "nothing waits",
		func() bool { return count(t, answerer.pool, `select count(*) from parked`) == 0 })
	publish(early)
	// However old, it is applied, and once.
	old := asked(clock.NewID(time.Now().AddDate(0, 0, -1000)), "late", `{"word":"x"}`)
	publish(old)
	effectsAre(t, answerer, 2)
	publish(old)
	publish(asked(clock.NewID(ahead.Now()), "good", `{"word":"x"}`))
	effectsAre(t, answerer, 3)
	if n := count(t, answerer.pool, `select count(*) from answer`); n != 3 {
		t.Errorf("%d answers to 3 questions", n)
	}
}

// TestWhatAHumanHasDismissedIsNeverApplied, though it comes again and could be applied by now.
func TestWhatAHumanHasDismissedIsNeverApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mended atomic.Bool
	answerer := w.start("answerer", []string{"footbridge.thing.asked.v1.>"},
		func(tx *flow.Tx, batch []flow.Event) func([]flow.Event) error {
			return func(events []flow.Event) error {
				for _, e := range events {
					if e.Subject == "bad" && !mended.Load() {
						return errors.New("cannot be applied by the code as it is")
					}
					tx.Queue(`insert into effect (event_id, journey, at) values ($1, $2, $3) on conflict do nothing`,
						e.ID,
						e.Subject, tx.Now)
				}
				return nil
			}
		})
	publish := func(id, journey string) {
		if _, err := w.admin().Publish(t.Context(), "footbridge.thing.asked.v1.j",
			[]byte(asked(id, journey, `{"word":"x"}`))); err != nil {
			t.Fatal(err)
		}
	}
	dismissed, redriven := clock.NewID(time.Now()), clock.NewID(time.Now())
	publish(dismissed, "bad")
	publish(redriven, "bad")
	testkit.Eventually(t, "both are dead letters", func() bool {
		return count(t, answerer.pool, `select count(*)
		from dead_letter`) == 2
	})
	publish(redriven, "bad") // it fails again, and stays with the human who looks at it
	publish(clock.NewID(time.Now()), "good")
	effectsAre(t, answerer, 1)
	if n := count(t, answerer.pool, `select count(*) from dead_letter`); n != 2 {
		t.Errorf("%d dead letters", n)
	}
	if n, err := flow.Dismiss(t.Context(), answerer.pool, dismissed, "no-id"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := flow.Redrive(t.Context(), answerer.pool, time.Now(), dismissed, "no-id"); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	mended.Store(true)
	publish(dismissed, "bad")
	publish(redriven, "bad") // it is applied when it comes again, and the letter changes nothing any more
	effectsAre(t, answerer, 2)
	if _, err := flow.Redrive(t.Context(), answerer.pool, time.Now()); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the letter is settled", func() bool {
		return count(t, answerer.pool, `select count(*) from letter where state = 'applied'`) == 1
	})
	publish(dismissed, "bad")
	publish(clock.NewID(time.Now()), "good")
	effectsAre(t, answerer, 3)
	if n := count(t, answerer.pool, `select count(*) from effect where event_id = $1`, dismissed); n != 0 {
		t.Error("what a human has seen to otherwise was applied")
	}
}

// TestAHandlerThatIsNotIdempotentGetsEachEventOnce: it comes three times, months apart by its id, is parked, comes
// again while it waits, and is redriven.
func TestAHandlerThatIsNotIdempotentGetsEachEventOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *flow.Config) { c.NotIdempotent = true }
	var mended atomic.Bool
	answerer := w.start("answerer", []string{"footbridge.thing.asked.v1.>"},
		func(tx *flow.Tx, _ []flow.Event) func([]flow.Event) error {
			return func(events []flow.Event) error {
				for _, e := range events {
					if e.Subject == "bad" && !mended.Load() {
						return errors.New("cannot be applied by the code as it is")
					}
					tx.Queue(`insert into answer (journey) values ($1)`, e.Subject)
				}
				return nil
			}
		})
	publish := func(id, journey string) {
		if _, err := w.admin().Publish(t.Context(), "footbridge.thing.asked.v1.j",
			[]byte(asked(id, journey, `{"word":"x"}`))); err != nil {
			t.Fatal(err)
		}
	}
	answers := func(n int) func() bool {
		return func() bool { return count(t, answerer.pool, `select count(*) from answer`) >= n }
	}
	old, bad := clock.NewID(time.Now().AddDate(-1, 0, 0)), clock.NewID(time.Now())
	for _, id := range []string{old, strings.ToUpper(old), old} {
		publish(id, "good")
	}
	publish(bad, "bad")
	testkit.Eventually(t, "it is a dead letter", func() bool {
		return count(t, answerer.pool, `select count(*)
		from dead_letter`) == 1
	})
	mended.Store(true)
	publish(bad, "bad")
	testkit.Eventually(t, "both are answered", answers(2))
	if n, err := flow.Redrive(t.Context(), answerer.pool, time.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	testkit.Eventually(t, "the letter is settled", func() bool {
		return count(t, answerer.pool, `select count(*) from letter where state = 'applied'`) == 1
	})
	publish(bad, "bad")
	publish(clock.NewID(time.Now()), "last")
	testkit.Eventually(t, "the last is answered", func() bool {
		return count(t, answerer.pool, `select count(*)
		from answer where journey = 'last'`) == 1
	})
	if n := count(t, answerer.pool, `select count(*) from answer`); n != 3 {
		t.Errorf("%d answers to 3 questions", n)
	}
}
