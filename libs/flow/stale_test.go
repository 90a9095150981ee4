package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// slow is an answerer that can be held in the middle of its batches.
type slow struct {
	hold    chan struct{} // closed: what it waits at is over
	holding atomic.Int32  // events that wait there
	refuse  atomic.Bool   // what is called other meets trouble with the database
}

func (s *slow) handle(tx *flow.Tx, batch []flow.Event) func([]flow.Event) error {
	effectsOf(tx, batch)
	return func(events []flow.Event) error {
		for _, e := range events {
			word, err := flow.Decode[thing](e)
			switch {
			case err != nil:
				return err
			case word.Word == "late":
				s.holding.Add(1)
				<-s.hold
			case word.Word == "other" && s.refuse.Load():
				return fmt.Errorf("not now: %w", context.DeadlineExceeded)
			}
		}
		return nil
	}
}

// TestAnAcknowledgementOfWhatTheBrokerLostIsNoOthers: a batch is under way while the broker comes back without its last
// messages, and other messages have taken their numbers. When the batch is done, the others are not.
func TestAnAcknowledgementOfWhatTheBrokerLostIsNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Stop()
	dir, copied := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	port := testkit.FreePort(t)
	start := func(dir string, port int) *bus.Server {
		server, err := bus.StartServer(bus.ServerConfig{StoreDir: dir, Port: port})
		if err != nil {
			t.Fatal(err)
		}
		w.server = server
		return server
	}
	server := start(dir, port)
	s := &slow{hold: make(chan struct{})}
	s.refuse.Store(true)
	release := sync.OnceFunc(func() { close(s.hold) })
	t.Cleanup(release)
	asker, first := w.start("asker", nil, nil), w.start("answerer", []string{"footbridge.thing.asked.v1.*"}, s.handle)
	asker.ask(t, "early", "early")
	effectsAre(t, first, 1)
	server.Stop()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	server = start(dir, port)
	asker.ask(t, "late", "late")
	testkit.Eventually(t, "the batch is under way", func() bool { return s.holding.Load() == 1 })
	asker.stop() // it would say again what the broker loses
	server.Stop()

	server = start(copied, -1)
	publish(t, w.admin(), "other", "other")
	server.Stop()
	server = start(copied, port)
	t.Cleanup(server.Stop)
	js := w.admin()
	testkit.Eventually(t, "the other message is delivered", func() bool {
		consumer, err := js.Consumer(t.Context(), testStream.Name, "answerer")
		return err == nil && consumer.CachedInfo().NumAckPending == 1
	})
	release()
	testkit.Eventually(t, "the batch is done", func() bool {
		return count(t, first.pool, `select count(*) from effect where journey = 'late'`) == 1
	})
	first.stop()
	w.start("answerer", []string{"footbridge.thing.asked.v1.*"}, (&slow{hold: s.hold}).handle)
	effectsAre(t, first, 3)
}

// publish says something on the bus without any service.
func publish(t *testing.T, js jetstream.JetStream, journey, word string) {
	t.Helper()
	data, err := json.Marshal(thing{word})
	if err != nil {
		t.Fatal(err)
	}
	id := clock.NewID(time.Now())
	payload, err := flow.Marshal(flow.Event{ID: id, Source: "/footbridge/asker", Type: askedType, Subject: journey,
		Time: time.Now(), Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "footbridge.thing.asked.v1." + journey, Data: payload,
		Header: nats.Header{"Nats-Msg-Id": []string{id}}}); err != nil {
		t.Fatal(err)
	}
}

// TestABrokerThatComesBackWholeIsReadOn: nothing is heard again from the start for a restart alone.
func TestABrokerThatComesBackWholeIsReadOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Stop()
	dir, port := t.TempDir(), testkit.FreePort(t)
	var err error
	if w.server, err = bus.StartServer(bus.ServerConfig{StoreDir: dir, Port: port}); err != nil {
		t.Fatal(err)
	}
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	asker.ask(t, "before", "hello")
	effectsAre(t, answerer, 1)
	durable := func() time.Time {
		consumer, err := w.admin().Consumer(t.Context(), testStream.Name, "answerer")
		if err != nil {
			t.Fatal(err)
		}
		return consumer.CachedInfo().Created
	}
	made := durable()
	w.server.Stop()
	if w.server, err = bus.StartServer(bus.ServerConfig{StoreDir: dir, Port: port}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.server.Stop)
	asker.ask(t, "after", "hello")
	effectsAre(t, answerer, 2)
	if again := durable(); !again.Equal(made) {
		t.Errorf("the durable of %s was made again at %s", made, again)
	}
}
