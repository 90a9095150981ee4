// Package system runs the program as its users do, one process with every service, on a database and a broker of a
// test's own, and lets a test act as the world around it: hospitals at both doors, staff at the APIs, the broker's
// streams, the operations port, and a collector that takes in everything the program exports.
//
// It never skips: where a server cannot be had, the test fails and says why. Everything ends with the test.
package system

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/libs/keyring"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/bridging"
	"footbridge/services/delivery"
	"footbridge/services/followup"
	"footbridge/services/gateway"
	"footbridge/services/intake"
	"footbridge/services/journey"
	"footbridge/services/threshold"
	"footbridge/services/traces"
)

// Stream is where every event is.
const Stream = "FOOTBRIDGE_EVENTS"

// Patience is how long a test waits for what must become true.
const Patience = testkit.Patience

// System is the program, running.
type System struct {
	t testing.TB
	// HTTP, MLLP and Ops are addresses, NATS is a URL.
	HTTP, MLLP, Ops, NATS string
	StateDir              string
	DB                    *testkit.DB
	// Log is what the program wrote to standard output and standard error.
	Log *Log
	// Collector is what it exported.
	Collector *Collector

	process *exec.Cmd
	own     []string // settings, as variables
	clock   clock.Clock
	bus     *bus.Conn
	admin   *pgxpool.Pool

	once     sync.Once
	sessions *gateway.Sessions
}

// Services are the services with a schema, with their migrations.
func Services() []pg.Service {
	own := []struct {
		name string
		fs   fs.FS
	}{
		{intake.Name, intake.Migrations()}, {threshold.Name, threshold.Migrations()},
		{followup.Name, followup.Migrations()},
		{bridging.Name, bridging.Migrations()}, {journey.Name, journey.Migrations()},
		{delivery.Name, delivery.Migrations()},
	}
	var all []pg.Service
	for _, s := range own {
		all = append(all, pg.Service{Name: s.name, Migrations: []pg.MigrationSet{
			{Name: "flow", FS: flow.Migrations()}, {Name: s.name, FS: s.fs},
		}})
	}
	return append(all, pg.Service{Name: gateway.Name,
		Migrations: []pg.MigrationSet{{Name: gateway.Name, FS: gateway.Migrations()}}},
		pg.Service{Name: traces.Name, Hasty: true,
			Migrations: []pg.MigrationSet{{Name: traces.Name, FS: traces.Migrations()}}})
}

// Start starts the program and returns when it is ready. What is to happen to its database before is done first.
func Start(t testing.TB, before ...func(db *testkit.DB)) *System {
	t.Helper()
	return start(t, &System{t: t, StateDir: t.TempDir(), clock: clock.Real()}, binary, before...)
}

// StartWith is Start with further settings ("NAME=value").
func StartWith(t testing.TB, settings ...string) *System {
	t.Helper()
	return start(t, &System{t: t, StateDir: t.TempDir(), clock: clock.Real(), own: settings}, binary)
}

// StartPrepared is Start and StartWith at once.
func StartPrepared(t testing.TB, before func(db *testkit.DB), settings ...string) *System {
	t.Helper()
	return start(t, &System{t: t, StateDir: t.TempDir(), clock: clock.Real(), own: settings}, binary, before)
}

// start starts one that is prepared: further settings are its own.
func start(t testing.TB, s *System, program string, before ...func(db *testkit.DB)) *System {
	t.Helper()
	s.Log, s.Collector, s.DB = &Log{}, newCollector(t), testkit.Database(t, Services()...)
	for _, do := range before {
		do(s.DB)
	}
	s.HTTP, s.MLLP, s.Ops = testkit.FreeAddr(t), testkit.FreeAddr(t), testkit.FreeAddr(t)
	tokens := filepath.Join(s.StateDir, "tokens.yaml")
	line := fmt.Sprintf("tokens:\n  - {sha256: %s, organisation: RXX, role: %s, subject: ed-system, source: %s}\n"+
		"  - {sha256: %s, organisation: RXX, role: %s, subject: exchange}\n", principal.HashToken(hospitalToken),
		schemas.System, HospitalSource,
		principal.HashToken(ExchangeToken), schemas.System)
	for _, role := range []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.YoungPeoplesClinician,
		schemas.Operator, schemas.Partner, schemas.Person} {
		line += fmt.Sprintf("  - {sha256: %s, organisation: %s, role: %s, subject: somebody}\n",
			principal.HashToken(tokenOf(role)), organisationOf(role), role)
	}
	for _, one := range Erasers {
		line += fmt.Sprintf("  - {sha256: %s, organisation: RXX, role: %s, subject: %s}\n", principal.HashToken(one),
			schemas.Operator, one)
	}
	if err := os.WriteFile(tokens, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	natsAddr := testkit.FreeAddr(t)
	s.NATS = "nats://" + natsAddr
	environment := append(slices.Clone(s.own), "FOOTBRIDGE_STATE_DIR="+s.StateDir, "FOOTBRIDGE_HTTP_ADDR="+s.HTTP,
		"FOOTBRIDGE_MLLP_ADDR="+s.MLLP,
		"FOOTBRIDGE_OPS_ADDR="+s.Ops, "FOOTBRIDGE_NATS_ADDR="+natsAddr, "FOOTBRIDGE_DATABASE_CONNECTIONS=5",
		"FOOTBRIDGE_TOKENS_FILE="+tokens, "FOOTBRIDGE_ORGANISATIONS=RYY,RZZ",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+s.Collector.URL, "OTEL_METRIC_EXPORT_INTERVAL=500",
		"OTEL_BSP_SCHEDULE_DELAY=200")
	for name, url := range s.DB.URLs {
		environment = append(environment, "FOOTBRIDGE_"+strings.ToUpper(name)+"_DATABASE_URL="+url)
	}
	s.process = exec.Command(program, "dev")
	s.own = environment
	s.process.Dir, s.process.Env = s.StateDir, append(os.Environ(), environment...)
	s.process.Stdout, s.process.Stderr = s.Log, s.Log
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.process.Wait() }()
	t.Cleanup(func() { s.stop(ended) })
	s.waitReady(ended)
	s.bus = testkit.Connect(t, bus.Config{URL: s.NATS, Seed: s.Keys("owner").NATS, Name: "test"})
	s.admin = s.DB.Admin()
	return s
}

func (s *System) stop(ended chan error) {
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		if err != nil {
			s.t.Errorf("the program ended with %v", err)
		}
	case <-time.After(Patience):
		_ = s.process.Process.Kill()
		s.t.Errorf("the program did not end within %v of SIGTERM", Patience)
	}
	if s.t.Failed() {
		s.t.Logf("what the program wrote:\n%s", s.Log.Tail(60))
	}
}

// probe asks a process how it is: one that takes the connection and answers nothing is not ready.
var probe = http.Client{Timeout: Patience}

func (s *System) waitReady(ended chan error) {
	s.t.Helper()
	deadline := time.Now().Add(Patience)
	for _ = range every(20 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			s.t.Fatalf("the program ended before it was ready: %v\n%s", err, s.Log.Tail(40))
		default:
		}
		response, err := probe.Get("http://" + s.Ops + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the program was not ready within %v\n%s", Patience, s.Log.Tail(40))
		}
	}
}

// every yields now and then again after each pause.
func every(pause time.Duration) func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for now := time.Now(); yield(now); now = <-tick.C {
		}
	}
}

// Eventually waits until check returns nil, and fails the test with its last error otherwise.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for now := range every(25 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if now.After(deadline) {
			t.Fatalf("not within %v: %v", Patience, err)
		}
	}
}

// Keys are the private keys of one holder, as the program made them.
func (s *System) Keys(holder string) *keyring.Private {
	s.t.Helper()
	own, err := keyring.At(filepath.Join(s.StateDir, "keys")).Private(holder)
	if err != nil {
		s.t.Fatal(err)
	}
	return own
}

// HospitalSource is the source that the hospital's token may send events of, for the organisation RXX.
const HospitalSource = "/hospitals/rxx/ed"

const hospitalToken = "the-hospital-of-the-tests-speaks"

// ExchangeToken is of a system that passes on events of any source.
const ExchangeToken = "an-exchange-of-the-tests-passes-on"

// tokenOf is the token of somebody in a role.
// Erasers are the tokens of two operators, each a person.
var Erasers = [2]string{"first-operator-of-the-tests", "second-operator-of-the-tests"}

func tokenOf(role schemas.Role) string { return "somebody-of-the-tests-as-" + string(role) }

func organisationOf(role schemas.Role) string {
	if role == schemas.Partner {
		return "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445"
	}
	return "RXX"
}

// Token is the bearer token of a role: the hospital's for system, for all others that of somebody.
func Token(role schemas.Role) string {
	if role == schemas.System {
		return hospitalToken
	}
	return tokenOf(role)
}

// Answer is what an HTTP request was answered with.
type Answer struct {
	Status int
	Body   []byte
	Header http.Header
}

// Ask sends a request as a role and returns the answer.
func (s *System) Ask(role schemas.Role, method, path, contentType string, body []byte) Answer {
	s.t.Helper()
	return s.AskWith(Token(role), method, path, contentType, body)
}

// AskWith is Ask with a token, and with further headers, each a name and its value.
func (s *System) AskWith(token, method, path, contentType string, body []byte, header ...string) Answer {
	s.t.Helper()
	headers := http.Header{"Authorization": {"Bearer " + token}}
	for i := 0; i+1 < len(header); i += 2 {
		headers.Set(header[i], header[i+1])
	}
	return s.ask(headers, method, path, contentType, body)
}

// signIns are the gateway's sessions, by one pool for the whole test.
func (s *System) signIns() *gateway.Sessions {
	s.t.Helper()
	s.once.Do(func() {
		var err error
		if s.sessions, err = gateway.NewSessions(s.DB.Pool(gateway.Name), s.clock, false); err != nil {
			s.t.Error(err)
		}
	})
	if s.sessions == nil {
		s.t.Fatal("there are no sessions to sign in by")
	}
	return s.sessions
}

// AskAs is Ask as anybody, who has signed in; header holds names and values by turns.
func (s *System) AskAs(who principal.Principal, method, path, contentType string, body []byte,
	header ...string) Answer {
	s.t.Helper()
	headers := s.signedIn(who)
	for i := 0; i+1 < len(header); i += 2 {
		headers.Set(header[i], header[i+1])
	}
	return s.ask(headers, method, path, contentType, body)
}

// signedIn are the headers of anybody who has signed in.
func (s *System) signedIn(who principal.Principal) http.Header {
	s.t.Helper()
	answer := httptest.NewRecorder()
	if err := s.signIns().Begin(answer, httptest.NewRequest(http.MethodPost, "/sign-in", nil), who); err != nil {
		s.t.Fatal(err)
	}
	headers := http.Header{}
	for _, cookie := range answer.Result().Cookies() {
		headers.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	return headers
}

// Streamed reads so many events of a stream of server-sent events as anybody, and gives all that came until then.
func (s *System) Streamed(who principal.Principal, path string, events int) []byte {
	s.t.Helper()
	ctx, end := context.WithTimeout(s.t.Context(), Patience)
	defer end()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.HTTP+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header = s.signedIn(who)
	answer, err := asking.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var all bytes.Buffer
	lines := bufio.NewScanner(answer.Body)
	for events > 0 && lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "data: ") {
			events--
		}
	}
	if events > 0 {
		s.t.Fatalf("the stream ended %d events too early: %d %s (%v)", events, answer.StatusCode, all.Bytes(),
			lines.Err())
	}
	return all.Bytes()
}

// ask waits as long as it is told to when it looked too often: a test that looks until something is there does.
func (s *System) ask(headers http.Header, method, path, contentType string, body []byte) Answer {
	s.t.Helper()
	for {
		answer := s.askOnce(headers, method, path, contentType, body)
		wait, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if method != http.MethodGet || answer.Status != http.StatusTooManyRequests || err != nil {
			return answer
		}
		select {
		case <-s.t.Context().Done():
			return answer
		case <-time.After(time.Duration(wait) * time.Second):
		}
	}
}

// asking follows nothing: where an answer leads is the answer, and may be anywhere in the world.
var asking = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (s *System) askOnce(headers http.Header, method, path, contentType string, body []byte) Answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.HTTP+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header = headers
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := asking.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var text io.Reader = response.Body
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		text = io.LimitReader(text, int64(len("retry: 2000"))) // a stream goes on
	}
	answer, err := io.ReadAll(text)
	if err != nil {
		s.t.Fatal(err)
	}
	got := Answer{response.StatusCode, answer, response.Header}
	if err := differs(method, path, contentType, body, got); err != nil {
		s.t.Error(err)
	}
	return got
}

func (s *System) get(path string, into any) error {
	s.t.Helper()
	answer := s.Ask(schemas.Operator, http.MethodGet, path, "", nil)
	if answer.Status != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, answer.Status, answer.Body)
	}
	return json.Unmarshal(answer.Body, into)
}

// Message is a line of the ledger.
type Message struct {
	ID, Sender, ControlID, Type, Ack, Outcome, Reason, Journey, Eligibility string
	DueAt                                                                   *time.Time
}

// Ledger returns the messages of a sender in the order they came; of all senders for "".
func (s *System) Ledger(sender string) []Message {
	s.t.Helper()
	var all []Message
	cursor := ""
	for {
		path := "/api/messages?limit=500"
		if sender != "" {
			path += "&sender=" + sender
		}
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		var page struct {
			Items []Message
			Next  string
		}
		if err := s.get(path, &page); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	// Newest first or oldest first, as the page has it: ids are by time.
	if len(all) > 1 && all[0].ID > all[len(all)-1].ID {
		for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
			all[i], all[j] = all[j], all[i]
		}
	}
	return all
}

// Journey is a journey as its page shows it.
type Journey struct {
	Journey, State string
	Steps          []Step
	Timeline       []struct {
		Type, Sentence string
		At             time.Time
	}
}

// Step is an open step of a journey.
type Step struct {
	Step, Kind, Owner, State string
	DueAt                    time.Time
}

// Journey returns a journey, or why there is none.
func (s *System) Journey(id string) (Journey, error) {
	s.t.Helper()
	var j Journey
	err := s.get("/api/journeys/"+id, &j)
	return j, err
}

// Dial opens an MLLP connection.
func (s *System) Dial() *hl7.Client {
	s.t.Helper()
	client, err := hl7.Dial(s.t.Context(), s.MLLP, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = client.Close() })
	return client
}

// Send sends one HL7 message over a connection and returns its acknowledgement.
func (s *System) Send(client *hl7.Client, message []byte) hl7.Acknowledgement {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), Patience)
	defer cancel()
	raw, err := client.Send(ctx, message)
	if err != nil {
		s.t.Fatalf("sending: %v", err)
	}
	ack, err := hl7.ParseAck(raw)
	if err != nil {
		s.t.Fatalf("reading the answer %q: %v", raw, err)
	}
	return ack
}

// Published is a message as the broker keeps it.
type Published struct {
	Subject string
	Header  map[string][]string
	Body    []byte
	Event   flow.Event
}

// Events returns every message of the stream, oldest first.
func (s *System) Events() []Published {
	s.t.Helper()
	all, err := s.events()
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *System) events() ([]Published, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), Patience)
	defer cancel()
	stream, err := s.bus.JS.Stream(ctx, Stream)
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, err
	}
	var all []Published
	for n := info.State.FirstSeq; n <= info.State.LastSeq && n > 0; n++ {
		msg, err := stream.GetMsg(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("reading message %d: %w", n, err)
		}
		event, err := flow.Unmarshal(msg.Data)
		if err != nil {
			event = flow.Event{}
		}
		all = append(all, Published{msg.Subject, msg.Header, msg.Data, event})
	}
	return all, nil
}

// Emitted counts the events of a journey on the bus by their short type ("offer.raised.v1"), each id once.
func (s *System) Emitted(journey string) map[string]int {
	s.t.Helper()
	counts, seen := map[string]int{}, map[string]bool{}
	for _, p := range s.Events() {
		if p.Event.Subject == journey && !seen[p.Event.ID] {
			seen[p.Event.ID] = true
			counts[strings.TrimPrefix(p.Event.Type, schemas.TypePrefix)]++
		}
	}
	return counts
}

// Resolve waits until nothing is under way: everything written to an outbox is on the stream, and every reader has
// applied everything. What is not true then will not become true by waiting.
func (s *System) Resolve() {
	s.t.Helper()
	Eventually(s.t, func() error {
		before, err := s.written()
		if err != nil {
			return err
		}
		if err := s.readersDone(before); err != nil {
			return err
		}
		after, err := s.written()
		if err == nil && after != before {
			err = errors.New("events are still being written")
		}
		return err
	})
}

func (s *System) written() (int, error) {
	total := 0
	for _, service := range Services() {
		if service.Name == gateway.Name || service.Name == traces.Name { // they have no part in events
			continue // it says no events
		}
		var n int
		if err := s.admin.QueryRow(s.t.Context(), "select count(*) from "+service.Name+".outbox").Scan(&n); err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (s *System) readersDone(written int) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), Patience)
	defer cancel()
	stream, err := s.bus.JS.Stream(ctx, Stream)
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return err
	}
	if int(info.State.Msgs) < written {
		return fmt.Errorf("%d events are written and %d on the stream", written, info.State.Msgs)
	}
	readers := stream.ListConsumers(ctx)
	for reader := range readers.Info() {
		if reader.NumPending > 0 || reader.NumAckPending > 0 {
			return fmt.Errorf("%s has %d events to read and %d to acknowledge", reader.Name, reader.NumPending,
				reader.NumAckPending)
		}
	}
	return readers.Err()
}

// Admin is a pool with every right on the system's database.
func (s *System) Admin() *pgxpool.Pool { return s.admin }

// PublishAs puts a message on the bus with a service's own login.
func (s *System) PublishAs(service, subject string, body []byte) {
	s.t.Helper()
	conn := testkit.Connect(s.t, bus.Config{URL: s.NATS, Seed: s.Keys(service).NATS, Name: "test",
		Inbox: bus.InboxOf(service)})
	if err := conn.NATS.Publish(subject, body); err != nil {
		s.t.Fatal(err)
	}
	if err := conn.NATS.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// Metrics is the text of /metrics.
func (s *System) Metrics() []byte {
	s.t.Helper()
	response, err := probe.Get("http://" + s.Ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// Settings are those of the running program, for a command that is to find it.
func (s *System) Settings() map[string]string {
	settings := map[string]string{}
	for _, one := range s.own {
		name, value, _ := strings.Cut(one, "=")
		settings[name] = value
	}
	return settings
}

// Run runs one command of the program to its end, with these settings beside the test's own environment.
func Run(t testing.TB, folder string, settings map[string]string, args ...string) (output string, code int) {
	t.Helper()
	return RunWith(t, folder, settings, "", args...)
}

// RunWith is Run with something on standard input.
func RunWith(t testing.TB, folder string, settings map[string]string, input string, args ...string) (output string,
	code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	return runUntil(ctx, t, folder, settings, input, args...)
}

// RunLong is Run of a command that does much: only the whole test's time limit ends it.
func RunLong(t testing.TB, folder string, settings map[string]string, args ...string) (output string, code int) {
	t.Helper()
	return runUntil(t.Context(), t, folder, settings, "", args...)
}

func runUntil(ctx context.Context, t testing.TB, folder string, settings map[string]string, input string,
	args ...string) (output string, code int) {
	t.Helper()
	command := exec.CommandContext(ctx, binary, args...)
	command.Dir, command.Stdin = folder, strings.NewReader(input)
	command.Env = environment(settings)
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %v: %v", args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("running %v did not end in time:\n%s", args, out)
	}
	return string(out), command.ProcessState.ExitCode()
}

// Launch starts the program with these settings alone, and ends it with the test. Ready waits for it.
func Launch(t testing.TB, folder string, settings map[string]string, args ...string) *Launched {
	t.Helper()
	l := &Launched{Folder: folder, Settings: settings, t: t, what: strings.Join(args, " "),
		ops: settings["FOOTBRIDGE_OPS_ADDR"], Log: &Log{}, ended: make(chan error, 1)}
	l.process = exec.Command(binary, args...)
	l.process.Dir, l.process.Stdout, l.process.Stderr = folder, l.Log, l.Log
	l.process.Env = environment(settings)
	l.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := l.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { l.ended <- l.process.Wait() }()
	t.Cleanup(l.Stop)
	return l
}

// Launched is one process of the program.
type Launched struct {
	// Folder is where it was started, Settings what it was told.
	Folder   string
	Settings map[string]string
	Log      *Log

	t         testing.TB
	what, ops string
	process   *exec.Cmd
	ended     chan error
	once      sync.Once
}

// Ready waits until the process says that it is ready.
func (l *Launched) Ready() {
	l.t.Helper()
	Eventually(l.t, func() error {
		select {
		case err := <-l.ended:
			l.ended <- err
			l.t.Fatalf("%s ended: %v\n%s", l.what, err, l.Log.Tail(20))
		default:
		}
		response, err := probe.Get("http://" + l.ops + "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			said, _ := io.ReadAll(response.Body)
			return fmt.Errorf("%s is not ready: %s", l.what, said)
		}
		return nil
	})
}

// Stop ends the process as an operator does, and waits for that.
func (l *Launched) Stop() {
	l.once.Do(func() {
		_ = l.process.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-l.ended:
			if err != nil {
				l.t.Errorf("%s ended with %v\n%s", l.what, err, l.Log.Tail(20))
			}
		case <-time.After(Patience):
			_ = l.process.Process.Kill()
			l.t.Errorf("%s did not end within %v of SIGTERM", l.what, Patience)
		}
	})
}

// Kill ends the process at once, as kill -9 does, and waits for that.
func (l *Launched) Kill() {
	l.once.Do(func() {
		_ = l.process.Process.Kill()
		<-l.ended
	})
}

// environment is the test's own without settings of the program, and these.
func environment(settings map[string]string) (all []string) {
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "FOOTBRIDGE_") {
			all = append(all, one)
		}
	}
	for name, value := range settings {
		all = append(all, name+"="+value)
	}
	return all
}

// PID is the program's process.
func (s *System) PID() int { return s.process.Process.Pid }

// Log gathers what a process writes.
type Log struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

// Bytes is all that was written until now.
func (l *Log) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.all.Bytes())
}

// Tail is the last lines.
func (l *Log) Tail(lines int) string {
	all := strings.Split(strings.TrimRight(string(l.Bytes()), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
