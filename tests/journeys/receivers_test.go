package journeys

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"footbridge/schemas"
	"footbridge/tests/system"
)

// delivered is one delivery as a receiver saw it: by which of the secrets that it was given, by their number, the
// published library verifies it, and whether it verified what was altered on the way.
type delivered struct {
	ID, Body string
	By       []int
	Altered  bool
	Status   int
}

// receiver is an endpoint of a partner: it has an address, takes secrets, and tells what came.
type receiver struct {
	url  string
	give func(secret string)

	mu  sync.Mutex
	got []delivered
}

func (r *receiver) add(d delivered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, d)
}

func (r *receiver) all() []delivered {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// taken are the bodies of an event that were taken.
func (r *receiver) taken(id string) (bodies []string) {
	for _, d := range r.all() {
		if d.ID == id && d.Status < 300 {
			bodies = append(bodies, d.Body)
		}
	}
	return bodies
}

// inGo is a receiver by the published Go library. With its first delivery it is out of order.
func inGo(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	var mu sync.Mutex
	var secrets []*standardwebhooks.Webhook
	refuse := true
	r.give = func(secret string) {
		one, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		secrets = append(secrets, one)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodOptions {
			w.Header().Set("WebHook-Allowed-Origin", req.Header.Get("WebHook-Request-Origin"))
			return
		}
		body, _ := io.ReadAll(req.Body) // one that is cut short is not verified
		mu.Lock()
		defer mu.Unlock()
		d := delivered{ID: req.Header.Get("Webhook-Id"), Body: string(body), Status: http.StatusUnauthorized}
		another := req.Header.Clone()
		another.Set("Webhook-Id", "another")
		for i, one := range secrets {
			if one.Verify(body, req.Header) == nil {
				d.By, d.Status = append(d.By, i), http.StatusNoContent
			}
			d.Altered = d.Altered || one.Verify(append(slices.Clone(body), ' '), req.Header) == nil ||
				one.Verify(body, another) == nil
		}
		if refuse {
			refuse, d.Status = false, http.StatusInternalServerError
		}
		r.add(d)
		w.WriteHeader(d.Status)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// inJavaScript is a receiver by the published JavaScript library, in a process of Node.js.
func inJavaScript(t *testing.T) *receiver {
	t.Helper()
	tools, err := filepath.Abs("../../tools/frontend")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(tools, "ensure.sh"), "--check").CombinedOutput(); err != nil {
		t.Fatalf("fetching the library: %v\n%s", err, out)
	}
	process := exec.Command("node", "testdata/receiver.cjs", filepath.Join(tools, "node_modules/standardwebhooks"))
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	r, said := &receiver{}, make(chan string, 10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.listen(t, out, said)
	}()
	t.Cleanup(func() {
		_ = in.Close() // it ends by that
		<-ended
		_ = process.Wait()
	})
	r.url = next(t, said)
	r.give = func(secret string) {
		if _, err := fmt.Fprintln(in, secret); err != nil {
			t.Fatal(err)
		}
		next(t, said)
	}
	return r
}

// listen reads what the process says, until it ends.
func (r *receiver) listen(t *testing.T, out io.Reader, said chan<- string) {
	defer close(said)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct {
			delivered
			URL     string
			Secrets int
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("the receiver says %s: %v", lines.Bytes(), err)
		}
		if line.ID != "" {
			r.add(line.delivered)
		} else {
			said <- line.URL
		}
	}
}

func next(t *testing.T, said <-chan string) string {
	t.Helper()
	line, open := <-said
	if !open {
		t.Fatal("the receiver has ended")
	}
	return line
}

// subscribed adds a receiver as an endpoint of a partner, and returns its subscription once it is sent to.
func (o *offering) subscribed(partner string, r *receiver) (id string) {
	o.t.Helper()
	peer := *as(partner, schemas.Partner, "peer")
	var made struct{ ID, State, Secret string }
	got := o.must(o.AskAs(peer, http.MethodPost, "/api/subscriptions", typeJSON,
		[]byte(fmt.Sprintf(`{"url":%q}`, r.url))), http.StatusCreated)
	if err := json.Unmarshal(got.Body, &made); err != nil {
		o.t.Fatal(err)
	}
	r.give(made.Secret)
	system.Eventually(o.t, func() error {
		got := o.AskAs(peer, http.MethodGet, "/api/subscriptions/"+made.ID, "", nil)
		if err := json.Unmarshal(got.Body, &made); err != nil || made.State != "active" {
			return fmt.Errorf("the endpoint is %s (%v)", got.Body, err)
		}
		return nil
	})
	return made.ID
}

// TestPublishedLibrariesInGoAndJavaScriptVerifyEveryDelivery: of the whole program, to an endpoint by each of the
// published libraries: what is sent first and again after a refusal, with the secret and, after it was changed, with
// both; replayed, one event again, and a test. Each is as the feed has it, byte for byte; nothing altered is verified.
func TestPublishedLibrariesInGoAndJavaScriptVerifyEveryDelivery(t *testing.T) {
	t.Parallel()
	o := &offering{System: system.StartWith(t, "FOOTBRIDGE_OUTWARD_ALLOW=127.0.0.0/8"), t: t}
	partner := o.partner(secondService)
	peer := *as(partner, schemas.Partner, "peer")
	receivers := map[string]*receiver{"Go": inGo(t), "JavaScript": inJavaScript(t)}
	subscriptions := map[string]string{}
	for name, r := range receivers {
		subscriptions[name] = o.subscribed(partner, r)
	}
	fed := func() (events []json.RawMessage) {
		t.Helper()
		var p struct {
			Items []struct{ Event json.RawMessage }
		}
		got := o.must(o.AskAs(peer, http.MethodGet, "/api/feed?limit=500", "", nil), http.StatusOK)
		if err := json.Unmarshal(got.Body, &p); err != nil {
			t.Fatal(err)
		}
		for _, item := range p.Items {
			events = append(events, item.Event)
		}
		return events
	}
	// come waits until each receiver has taken each of these events so many times.
	come := func(events []json.RawMessage, times int) {
		t.Helper()
		for _, event := range events {
			for name, r := range receivers {
				system.Eventually(t, func() error {
					if n := len(r.taken(idOf(t, event))); n < times {
						return fmt.Errorf("%s has taken an event %d times, not %d", name, n, times)
					}
					return nil
				})
			}
		}
	}

	o.leaves(partner)
	o.brought(o.mayBeSent(partner), partner)
	before, marks := fed(), map[string]int{}
	come(before, 1)
	for name, r := range receivers {
		marks[name] = len(r.all())
		var changed struct{ Secret string }
		got := o.must(o.AskAs(peer, http.MethodPost, "/api/subscriptions/"+subscriptions[name]+"/secret", typeJSON,
			[]byte(`{}`)), http.StatusOK)
		if err := json.Unmarshal(got.Body, &changed); err != nil {
			t.Fatal(err)
		}
		r.give(changed.Secret)
	}
	o.leaves(partner)
	second := o.mayBeSent(partner)
	o.brought(second, partner)
	o.must(o.says(partner, second, "accept", `{}`), http.StatusOK)
	o.Resolve()
	all := fed()
	come(all, 1)
	if len(before) == 0 || len(all) < len(before)+2 {
		t.Fatalf("the feed held %d events, and then %d", len(before), len(all))
	}
	tests := map[string]string{}
	for name, subscription := range subscriptions {
		path := "/api/subscriptions/" + subscription
		o.must(o.AskAs(peer, http.MethodPost, path+"/again", typeJSON, []byte(`{"all":true}`)), http.StatusOK)
		var tested struct{ Event string }
		got := o.must(o.AskAs(peer, http.MethodPost, path+"/test", typeJSON, nil), http.StatusOK)
		if err := json.Unmarshal(got.Body, &tested); err != nil {
			t.Fatal(err)
		}
		tests[name] = tested.Event
	}
	come(all, 2)
	for name, subscription := range subscriptions {
		o.must(o.AskAs(peer, http.MethodPost, "/api/subscriptions/"+subscription+"/again", typeJSON,
			[]byte(fmt.Sprintf(`{"event":%q}`, idOf(t, all[0])))), http.StatusOK)
		system.Eventually(t, func() error {
			if one, test := len(receivers[name].taken(idOf(t, all[0]))),
				len(receivers[name].taken(tests[name])); one < 3 || test < 1 {
				return fmt.Errorf("%s has taken one event %d times, and its test %d times", name, one, test)
			}
			return nil
		})
	}
	for name, r := range receivers {
		checkDeliveries(t, name, r.all(), marks[name], len(before), fed(), tests[name])
	}
}

// checkDeliveries: those that came before the mark are verified by the first secret, which was the only one; what is
// newer than the first events by both. All are as the feed has them. More may come than was asked for: each event comes
// at least once.
func checkDeliveries(t *testing.T, name string, came []delivered, mark, first int, events []json.RawMessage,
	test string) {
	t.Helper()
	one, both, again := []int{0}, []int{0, 1}, 0
	for i, d := range came {
		at := slices.IndexFunc(events, func(e json.RawMessage) bool { return idOf(t, e) == d.ID })
		older := at >= 0 && at < first
		if right := i >= mark && reflect.DeepEqual(d.By, both) || older && reflect.DeepEqual(d.By, one); d.Altered ||
			!right {
			t.Errorf("%s: delivery %d of %d, the mark at %d, is verified by the secrets %v; altered: %v", name, i,
				len(came), mark, d.By, d.Altered)
		}
		if at == 0 && len(d.By) == 2 {
			again++
		}
		if at >= 0 && d.Body != string(events[at]) || at < 0 && d.ID != test {
			t.Errorf("%s: delivery %d is not as the feed has it: %s", name, i, d.Body)
		}
	}
	if again < 2 || came[0].Status != http.StatusInternalServerError || mark < 2 {
		t.Errorf("%s: of the first event, want a refusal, a delivery, and by both secrets a replay and a resending, "+
			"got %d by both after %d", name, again, mark)
	}
}

func idOf(t *testing.T, event json.RawMessage) string {
	t.Helper()
	var e struct{ ID string }
	if err := json.Unmarshal(event, &e); err != nil || e.ID == "" {
		t.Fatalf("%s: %v", event, err)
	}
	return e.ID
}
