package journeys

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"footbridge/libs/bus"
	"footbridge/libs/hl7"
	"footbridge/libs/keyring"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/console"
	"footbridge/tests/system"
)

// apart is an installation whose processes each have their own key file and database login and no other's, on a NATS server
// that runs by the configuration we ship.
type apart struct {
	t         *testing.T
	db        *testkit.DB
	keys      *keyring.Folder
	kek, nats string
	addrs     map[string]string
}

func newApart(t *testing.T) *apart {
	t.Helper()
	dir := t.TempDir()
	a := &apart{t: t, db: testkit.Database(t, system.Services()...), keys: keyring.At(filepath.Join(dir, "keys")), kek: filepath.Join(dir, "kek"), addrs: map[string]string{}}
	for _, name := range []string{"intake", "threshold", "journey", "console", "http", "mllp"} {
		a.addrs["FOOTBRIDGE_"+strings.ToUpper(name)+"_ADDR"] = system.FreeAddr(t)
	}
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": dir}
	if out, code := system.Run(t, dir, settings, "keys", "new"); code != 0 {
		t.Fatalf("keys new ended with %d:\n%s", code, out)
	}
	users, code := system.Run(t, dir, settings, "keys", "nats")
	if code != 0 {
		t.Fatalf("keys nats ended with %d:\n%s", code, users)
	}
	a.nats = runNATS(t, users)
	return a
}

// runNATS starts a server by deploy/nats/nats-server.conf and these users; only address and folder are the test's own.
func runNATS(t *testing.T, users string) (url string) {
	t.Helper()
	dir := t.TempDir()
	shipped, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nats", "nats-server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "nats-server.conf")
	for file, text := range map[string]string{path: string(shipped), filepath.Join(dir, "users.conf"): users} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatalf("a NATS server does not take what is shipped and printed: %v", err)
	}
	options.Port, options.StoreDir, options.NoSigs, options.NoLog = -1, filepath.Join(dir, "store"), true, true
	ns, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(system.Patience) {
		t.Fatal("the NATS server does not start")
	}
	return ns.ClientURL()
}

// start starts one process with the key file of one holder alone.
func (a *apart) start(holder string, logins []string, args ...string) *system.Launched {
	a.t.Helper()
	state := a.t.TempDir()
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": state, "FOOTBRIDGE_NATS_URL": a.nats, "FOOTBRIDGE_OPS_ADDR": system.FreeAddr(a.t),
		"FOOTBRIDGE_NAVIGATOR": "navigator:duty", "FOOTBRIDGE_DEPUTY": "navigator:deputy", "FOOTBRIDGE_OUT_OF_HOURS": "team:out-of-hours",
		"FOOTBRIDGE_DATABASE_CONNECTIONS": "4"}
	for name, addr := range a.addrs {
		settings[name] = addr
	}
	for _, name := range logins {
		settings["FOOTBRIDGE_"+strings.ToUpper(name)+"_DATABASE_URL"] = a.db.URLs[name]
	}
	a.copy(a.keys.ListPath(), filepath.Join(state, "keys", keyring.ListFile))
	a.copy(a.keys.Path(holder), filepath.Join(state, "keys", holder+".key"))
	if holder == schemas.Intake {
		a.copy(a.kek, filepath.Join(state, "kek"))
	}
	return system.Launch(a.t, state, settings, args...)
}

func (a *apart) copy(from, to string) {
	a.t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// startAll starts every process; who keeps the streams comes last.
func (a *apart) startAll() {
	a.t.Helper()
	all := map[string]*system.Launched{}
	for _, name := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey, schemas.Gateway} {
		all[name] = a.start(name, []string{name}, "serve", "--only", name)
	}
	all[schemas.Console] = a.start(schemas.Console, nil, "serve", "--only", schemas.Console)
	all[schemas.SentinelKey] = a.start(schemas.SentinelKey, []string{schemas.Journey, pg.Sentinel}, "sentinel")
	all[schemas.StreamsKey] = a.start(schemas.StreamsKey, nil, "streams", "keep")
	for _, process := range all {
		process.Ready()
	}
}

// discharge sends a whole visit over MLLP.
func (a *apart) discharge(person birdPerson, control string) {
	a.t.Helper()
	client, err := hl7.Dial(a.t.Context(), a.addrs["FOOTBRIDGE_MLLP_ADDR"], nil)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	for _, message := range person.hl7Visit(time.Now(), control) {
		raw, err := client.Send(a.t.Context(), message)
		if err != nil {
			a.t.Fatal(err)
		}
		if ack, err := hl7.ParseAck(raw); err != nil || !ack.Positive() {
			a.t.Fatalf("answered %q: %v", raw, err)
		}
	}
}

// offered waits until so many offers are stored.
func (a *apart) offered(want int) {
	a.t.Helper()
	admin := a.db.Admin()
	system.Eventually(a.t, func() error {
		var offers int
		if err := admin.QueryRow(a.t.Context(), `select count(distinct o.journey) from followup.offer o join journey.journey j on j.id = o.journey`).Scan(&offers); err != nil {
			return err
		}
		if offers != want {
			return fmt.Errorf("%d journeys have an offer, not %d", offers, want)
		}
		return nil
	})
}

// Each service works with the key file and the database login of its own, on the broker as we say to set it up; and a
// stream that somebody deletes is there again, though no service may make it.
func TestEachServiceWorksWithItsOwnKeyFileAlone(t *testing.T) {
	t.Parallel()
	a := newApart(t)
	a.startAll()
	people := birds(t)
	a.discharge(people[0], "APART1")
	a.offered(1)
	own, err := a.keys.Private(schemas.StreamsKey)
	if err != nil {
		t.Fatal(err)
	}
	owner := testkit.Connect(t, bus.Config{URL: a.nats, Seed: own.NATS, Name: "owner"})
	if err := owner.JS.DeleteStream(t.Context(), system.Stream); err != nil {
		t.Fatal(err)
	}
	a.discharge(people[1], "APART2")
	a.offered(2)
	a.refuseStrangers()
}

// refuseStrangers tries every route on the own port of the service that serves it, as nobody, with what is meant for
// another service, and with what was signed by somebody who may not say who is asking.
func (a *apart) refuseStrangers() {
	a.t.Helper()
	sign := func(holder, audience string) string {
		own, err := a.keys.Private(holder)
		if err != nil {
			a.t.Fatal(err)
		}
		signer, err := own.Signer()
		if err != nil {
			a.t.Fatal(err)
		}
		text, err := signer.Sign(principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "somebody"}, audience, time.Now())
		if err != nil {
			a.t.Fatal(err)
		}
		return text
	}
	tried := 0
	for _, route := range append(schemas.Routes(), console.Routes()...) {
		addr := a.addrs["FOOTBRIDGE_"+strings.ToUpper(route.Service)+"_ADDR"]
		if route.Public || addr == "" {
			continue // the gateway signs for itself, and is tried elsewhere
		}
		other := map[bool]string{true: schemas.Journey, false: schemas.Intake}[route.Service == schemas.Intake]
		for what, value := range map[string]string{"nobody": "", "nonsense": "x.y.z", "meant for " + other: sign(schemas.Gateway, other), "meant for the gateway": sign(schemas.Gateway, schemas.Gateway),
			"signed by intake": sign(schemas.Intake, route.Service), "signed by the operator": sign(schemas.OperatorsKey, route.Service)} {
			path := strings.NewReplacer("{$}", "", "{", "", "}", "").Replace(route.Pattern)
			request, err := http.NewRequestWithContext(a.t.Context(), route.Method, "http://"+addr+path, strings.NewReader("{}"))
			if err != nil {
				a.t.Fatal(err)
			}
			if value != "" {
				request.Header.Set(principal.Header, value)
				request.Header.Set("Authorization", principal.Scheme+" "+value)
			}
			answer, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				a.t.Fatal(err)
			}
			_ = answer.Body.Close()
			if tried++; answer.StatusCode != http.StatusUnauthorized {
				a.t.Errorf("%s on its own port, %s: %d", route.Mux(), what, answer.StatusCode)
			}
		}
	}
	if tried < 100 {
		a.t.Errorf("only %d requests were tried", tried)
	}
}
