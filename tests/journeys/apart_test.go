package journeys

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats-server/v2/server"

	"footbridge/libs/bus"
	"footbridge/libs/hl7"
	"footbridge/libs/keyring"
	"footbridge/libs/pg"
	"footbridge/libs/pg/private"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/console"
	"footbridge/tests/system"
)

// apart is an installation whose processes each have their own key file and database login and no other's, set up as
// deploy/README.md says: on a NATS server that runs by the configuration we ship, and a database whose tables and
// passwords footbridge migrate has made.
type apart struct {
	t        *testing.T
	dir      string // where the installation's keys are made
	keys     *keyring.Folder
	database *private.Server
	nats     *server.Server
	users    string // the file of the NATS server's users
	addrs    map[string]string
}

func newApart(t *testing.T) *apart {
	t.Helper()
	dir := t.TempDir()
	a := &apart{t: t, dir: dir, keys: keyring.At(filepath.Join(dir, "keys")), addrs: map[string]string{}}
	for _, name := range []string{"intake", "threshold", "followup", "bridging", "journey", "delivery", "console",
		"traces",
		"http", "mllp"} {
		a.addrs["FOOTBRIDGE_"+strings.ToUpper(name)+"_ADDR"] = testkit.FreeAddr(t)
	}
	a.command(nil, "keys", "new")
	var err error
	if a.database, err = private.Launch(t.Context(), private.LaunchConfig{Dir: filepath.Join(t.TempDir(), "postgres"),
		TCP: true, Throwaway: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.database.Stop(context.WithoutCancel(t.Context())) })
	a.givePasswords()
	a.runNATS()
	return a
}

// command runs one of the administrator's commands, where all keys are, and returns what it printed.
func (a *apart) command(settings map[string]string, args ...string) string {
	a.t.Helper()
	out, code := system.Run(a.t, a.dir, with(settings, "FOOTBRIDGE_STATE_DIR", a.dir), args...)
	if code != 0 {
		a.t.Fatalf("%v ended with %d:\n%s", args, code, out)
	}
	return out
}

// givePasswords makes the tables, and gives each login the password of its key file.
func (a *apart) givePasswords() {
	a.t.Helper()
	a.command(map[string]string{"FOOTBRIDGE_DATABASE_URL": a.database.URL()}, "migrate", "--passwords")
}

// runNATS starts a server by deploy/nats/nats-server.conf and the users that are printed; only its address and folder
// are the test's own.
func (a *apart) runNATS() {
	a.t.Helper()
	dir := a.t.TempDir()
	shipped, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nats", "nats-server.conf"))
	if err != nil {
		a.t.Fatal(err)
	}
	text := strings.NewReplacer("127.0.0.1:4222", testkit.FreeAddr(a.t), "/var/lib/nats",
		filepath.Join(dir, "store")).Replace(string(shipped))
	path := filepath.Join(dir, "nats-server.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.users = filepath.Join(dir, "users.conf")
	a.printUsers()
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		a.t.Fatalf("a NATS server does not take what is shipped and printed: %v", err)
	}
	options.NoSigs, options.NoLog = true, true
	if a.nats, err = server.NewServer(options); err != nil {
		a.t.Fatal(err)
	}
	a.nats.Start()
	a.t.Cleanup(func() { a.nats.Shutdown(); a.nats.WaitForShutdown() })
	if !a.nats.ReadyForConnections(system.Patience) {
		a.t.Fatal("the NATS server does not start")
	}
}

// printUsers writes the users of the NATS server.
func (a *apart) printUsers() {
	a.t.Helper()
	if err := os.WriteFile(a.users, []byte(a.command(nil, "keys", "nats")), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// url is where somebody's database is, by the login and without a password: that is in the key file.
func (a *apart) url(login string) string {
	at, err := url.Parse(a.database.TCPURL())
	if err != nil {
		a.t.Fatal(err)
	}
	at.User = url.User(pg.Role(login))
	return at.String()
}

// start starts one process with the key file of one holder alone.
func (a *apart) start(holder string, args ...string) *system.Launched {
	a.t.Helper()
	state := a.t.TempDir()
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": state, "FOOTBRIDGE_NATS_URL": a.nats.ClientURL(),
		"FOOTBRIDGE_OPS_ADDR":  testkit.FreeAddr(a.t),
		"FOOTBRIDGE_NAVIGATOR": "navigator:duty", "FOOTBRIDGE_DEPUTY": "navigator:deputy",
		"FOOTBRIDGE_OUT_OF_HOURS":         "team:out-of-hours",
		"FOOTBRIDGE_DATABASE_CONNECTIONS": "4", "FOOTBRIDGE_" + strings.ToUpper(holder) +
			"_DATABASE_URL": a.url(holder)}
	for name, addr := range a.addrs {
		settings[name] = addr
	}
	switch holder {
	case schemas.Console, schemas.StreamsKey: // no database
		delete(settings, "FOOTBRIDGE_"+strings.ToUpper(holder)+"_DATABASE_URL")
	case schemas.Intake:
		a.copy(filepath.Join(a.dir, "kek"), filepath.Join(state, "kek"))
	case schemas.SentinelKey: // it also opens steps, by journey's login
		at, _ := url.Parse(a.url(schemas.Journey))
		at.User = url.UserPassword(at.User.Username(), a.private(schemas.Journey).Database)
		settings["FOOTBRIDGE_JOURNEY_DATABASE_URL"] = at.String()
	}
	a.copy(a.keys.ListPath(), filepath.Join(state, "keys", keyring.ListFile))
	a.copy(a.keys.Path(holder), filepath.Join(state, "keys", holder+".key"))
	return system.Launch(a.t, state, settings, args...)
}

func (a *apart) private(holder string) *keyring.Private {
	a.t.Helper()
	own, err := a.keys.Private(holder)
	if err != nil {
		a.t.Fatal(err)
	}
	return own
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
func (a *apart) startAll() (journey *system.Launched) {
	a.t.Helper()
	return a.startEach()[4]
}

// startEach is startAll, with every process.
func (a *apart) startEach() (all []*system.Launched) {
	a.t.Helper()
	for _, name := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging,
		schemas.Journey, schemas.Gateway, schemas.Console, schemas.Delivery, schemas.Traces} {
		all = append(all, a.start(name, "serve", "--only", name))
	}
	all = append(all, a.start(schemas.SentinelKey, "sentinel"), a.start(schemas.StreamsKey, "streams", "keep"))
	for _, process := range all {
		process.Ready()
	}
	return all
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
	admin, err := pgxpool.New(a.t.Context(), a.database.URL())
	if err != nil {
		a.t.Fatal(err)
	}
	defer admin.Close()
	system.Eventually(a.t, func() error {
		var offers int
		if err := admin.QueryRow(a.t.Context(), `select count(distinct o.journey) from followup.offer o
			join journey.journey j on j.id = o.journey`).Scan(&offers); err != nil {
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
	journey := a.startAll()
	people := birds(t)
	a.discharge(people[0], "APART1")
	a.offered(1)
	owner := testkit.Connect(t, bus.Config{URL: a.nats.ClientURL(), Seed: a.private(schemas.StreamsKey).NATS,
		Name: "owner"})
	if err := owner.JS.DeleteStream(t.Context(), system.Stream); err != nil {
		t.Fatal(err)
	}
	a.discharge(people[1], "APART2")
	a.offered(2)
	a.refuseStrangers()
	if out, _ := system.Run(t, journey.Folder, journey.Settings, "doctor", "--only", schemas.Journey); !oneLineSays(out,
		[]string{"broker and streams", "well", "as a service sees it"}) {
		t.Errorf("doctor with the key file of one service: %s", out)
	}
}

// refuseStrangers tries every route on the own port of the service that serves it, as nobody, with what is meant for
// another service, and with what was signed by somebody who may not say who is asking.
func (a *apart) refuseStrangers() {
	a.t.Helper()
	tried := 0
	for _, route := range append(schemas.Routes(), console.Routes()...) {
		if route.Public || a.addrs["FOOTBRIDGE_"+strings.ToUpper(route.Service)+"_ADDR"] == "" {
			continue // the gateway signs for itself, and is tried elsewhere
		}
		other := map[bool]string{true: schemas.Journey, false: schemas.Intake}[route.Service == schemas.Intake]
		gateway := a.private(schemas.Gateway)
		for what, value := range map[string]string{"nobody": "", "nonsense": "x.y.z",
			"meant for " + other: a.sign(gateway, other), "meant for the gateway": a.sign(gateway, schemas.Gateway),
			"signed by intake":       a.sign(a.private(schemas.Intake), route.Service),
			"signed by the operator": a.sign(a.private(schemas.OperatorsKey), route.Service)} {
			if tried++; a.ask(route, value) != http.StatusUnauthorized {
				a.t.Errorf("%s on its own port, %s: not refused as nobody", route.Mux(), what)
			}
		}
	}
	if tried < 100 {
		a.t.Errorf("only %d requests were tried", tried)
	}
}

// sign asserts with somebody's key that a navigator asks.
func (a *apart) sign(own *keyring.Private, audience string) string {
	a.t.Helper()
	signer, err := own.Signer()
	if err != nil {
		a.t.Fatal(err)
	}
	text, err := signer.Sign(principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator),
		Subject: "somebody"}, audience, time.Now())
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

// ask asks a service on its own port, with an assertion of who it is or none, and returns the status.
func (a *apart) ask(route schemas.Route, assertion string) int {
	a.t.Helper()
	path := strings.NewReplacer("{$}", "", "{", "", "}", "").Replace(route.Pattern)
	addr := a.addrs["FOOTBRIDGE_"+strings.ToUpper(route.Service)+"_ADDR"]
	request, err := http.NewRequestWithContext(a.t.Context(), route.Method, "http://"+addr+path,
		strings.NewReader("{}"))
	if err != nil {
		a.t.Fatal(err)
	}
	if assertion != "" {
		request.Header.Set(principal.Header, assertion)
		request.Header.Set("Authorization", principal.Scheme+" "+assertion)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		a.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// A key that was changed is accepted until it is retired, so that nothing stops meanwhile; then it opens nothing.
func TestAChangedKeyIsAcceptedUntilItIsRetired(t *testing.T) {
	t.Parallel()
	a := newApart(t)
	a.start(schemas.StreamsKey, "streams", "keep").Ready()
	running := a.start(schemas.Journey, "serve", "--only", schemas.Journey)
	running.Ready()
	journeys := schemas.Route{Method: "GET", Pattern: "/api/journeys", Service: schemas.Journey}
	asks := func(own *keyring.Private, want int) {
		t.Helper()
		system.Eventually(t, func() error {
			if got := a.ask(journeys, a.sign(own, schemas.Journey)); got != want {
				return fmt.Errorf("answered %d, not %d", got, want)
			}
			return nil
		})
	}
	handOut := func(processes ...*system.Launched) {
		t.Helper()
		a.printUsers()
		if err := a.nats.Reload(); err != nil {
			t.Fatal(err)
		}
		for _, process := range processes {
			a.copy(a.keys.ListPath(), filepath.Join(process.Folder, "keys", keyring.ListFile))
		}
	}
	former, formerGateway := a.private(schemas.Journey), a.private(schemas.Gateway)
	asks(formerGateway, http.StatusOK)

	a.command(nil, "keys", "rotate", schemas.Journey, schemas.Gateway)
	handOut(running)
	now, nowGateway := a.private(schemas.Journey), a.private(schemas.Gateway)
	asks(nowGateway, http.StatusOK)
	asks(formerGateway, http.StatusOK) // from a gateway that has not been started again
	for _, own := range []*keyring.Private{former, now} {
		if err := a.logIn(own); err != nil {
			t.Errorf("before the former key is retired: %v", err)
		}
	}
	a.givePasswords()
	running.Stop()
	running = a.start(schemas.Journey, "serve", "--only", schemas.Journey)
	running.Ready()

	a.command(nil, "keys", "retire", schemas.Journey, schemas.Gateway)
	handOut(running)
	asks(formerGateway, http.StatusUnauthorized)
	asks(nowGateway, http.StatusOK)
	if err := a.logIn(now); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if err := a.logIn(former); err == nil {
		t.Error("a retired key still logs in to the broker")
	}
	for own, opens := range map[*keyring.Private]bool{former: false, now: true} {
		at, err := url.Parse(a.url(schemas.Journey))
		if err != nil {
			t.Fatal(err)
		}
		at.User = url.UserPassword(at.User.Username(), own.Database)
		conn, err := pgx.Connect(t.Context(), at.String())
		if err == nil {
			_ = conn.Close(t.Context())
		}
		if (err == nil) != opens {
			t.Errorf("the database takes the password that is current, %v: %v", opens, err)
		}
	}
	running.Ready()
}

// logIn tries somebody's key at the broker.
func (a *apart) logIn(own *keyring.Private) error {
	ctx, cancel := context.WithTimeout(a.t.Context(), system.Patience)
	defer cancel()
	conn, err := bus.Connect(ctx, bus.Config{URL: a.nats.ClientURL(), Seed: own.NATS, Name: "test",
		Inbox: bus.InboxOf(own.Holder)})
	if err == nil {
		conn.Close()
	}
	return err
}
