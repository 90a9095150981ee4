package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/bus"
	"footbridge/libs/operations"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// operatorToken is what the operator of these tests says who they are by: it is looked up in a file, so that whoever
// has one reads the operators' page without the database, in which sessions are.
const operatorToken = "an-operator-of-the-faults-looks"

// stop is a fault that stops work for as long as it lasts: which figure says so, of which services, and whether they
// say so on /readyz and /metrics.
type stop struct {
	kind       string
	figure     string
	of         []string
	unready    bool
	begin, end func()
}

// TestWhatStopsWorkIsSaidWithinAMinuteAndNoMoreAfterwards: each kind of fault that stops work, on a running system in
// which each service is a process of its own. GET /api/operations and its alerts, the page, `footbridge status`,
// readiness and what the rules of Prometheus read say so within a minute, and no more within a minute of its end.
func TestWhatStopsWorkIsSaidWithinAMinuteAndNoMoreAfterwards(t *testing.T) {
	names := []string{"sentinel", schemas.Console + "/1", schemas.Gateway + "/1"}
	for _, service := range stateful {
		names = append(names, service+"/1")
	}
	s := standWith(t, func(s *stand) {
		s.more = []string{"OTEL_SDK_DISABLED=false", "FOOTBRIDGE_NO_TRACES=true"}
		s.mayOperate()
	}, names...)
	within(t, s.allWell)
	for _, f := range s.stopsOfWork() {
		t.Run(f.kind, func(t *testing.T) {
			end := sync.OnceFunc(f.end)
			defer end()
			began := time.Now()
			f.begin()
			within(t, func() error { return s.says(f, true) })
			told := time.Since(began)
			ended := time.Now()
			end()
			within(t, func() error { return errors.Join(s.says(f, false), s.allWell()) })
			t.Logf("%s: said after %.1f s, and no more %.1f s after its end", f.kind, told.Seconds(),
				time.Since(ended).Seconds())
		})
	}
}

// mayOperate adds an operator's token to those of the sending systems.
func (s *stand) mayOperate() {
	file, err := os.OpenFile(filepath.Join(s.dir, "tokens.yaml"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := fmt.Fprintf(file, "  - {sha256: %s, organisation: RXX, role: %s, subject: somebody}\n",
		principal.HashToken(operatorToken), schemas.Operator); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) stopsOfWork() []stop {
	signals := func(name string, begin, end syscall.Signal) (func(), func()) {
		p := s.procs[name]
		return func() { p.signal(begin) }, func() { p.signal(end) }
	}
	down := func(name string) (func(), func()) {
		p := s.procs[name]
		return func() { p.takeDown(syscall.SIGKILL) }, func() { p.bringUp("") }
	}
	killed, back := down(schemas.Threshold + "/1")
	frozen, goesOn := signals(schemas.Followup+"/1", syscall.SIGSTOP, syscall.SIGCONT)
	brokerDown, brokerBack := down("broker")
	brokerFrozen, brokerGoesOn := signals("broker", syscall.SIGSTOP, syscall.SIGCONT)
	leapt := s.procs[schemas.Delivery+"/1"].clockFile()
	return []stop{
		{"service killed", operations.Unseen, []string{schemas.Threshold}, true, killed, back},
		{"service paused", operations.Unseen, []string{schemas.Followup}, true, frozen, goesOn},
		{"broker killed", operations.NotReady, stateful, true, brokerDown, brokerBack},
		{"broker paused", operations.NotReady, stateful, true, brokerFrozen, brokerGoesOn},
		{"durable consumer paused", operations.NotReady, []string{schemas.Bridging}, true,
			func() { s.pauses(schemas.Bridging, time.Now().Add(time.Hour)) },
			func() { s.pauses(schemas.Bridging, time.Time{}) }},
		{"PostgreSQL killed", operations.NotReady, stateful, true, s.db.Kill, s.db.Restart},
		{"PostgreSQL paused", operations.NotReady, stateful, true, s.db.Pause, s.db.Resume},
		{"database login away", operations.NotReady, []string{schemas.Journey}, true,
			func() { s.login(schemas.Journey, "nologin") }, func() { s.login(schemas.Journey, "login") }},
		// it believes nobody's signature, so that nobody reads its figures
		{"clock of a process leapt ahead", operations.Unseen, []string{schemas.Delivery}, true,
			func() { s.must(os.WriteFile(leapt, []byte("48h"), 0o600)) }, func() { s.must(os.Remove(leapt)) }},
		{"message with a NUL published", operations.DeadLetters, nil, false,
			func() { s.must(publishNUL(fixed, s).do(s.t.Context(), s)) }, s.dismissesLetters},
		{"event above the broker's limit in an outbox", operations.TooLarge, nil, false,
			func() { s.must(leaveTooLarge(fixed, s).do(s.t.Context(), s)) }, s.removesLarge},
	}
}

func (s *stand) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// pauses lets a durable consumer hand nothing out until a time; the zero time resumes it.
func (s *stand) pauses(service string, until time.Time) {
	s.t.Helper()
	s.must(withBus(func(ctx context.Context, conn *bus.Conn) error {
		stream, err := conn.JS.Stream(ctx, events.Name)
		if err == nil {
			_, err = stream.PauseConsumer(ctx, service, until)
		}
		return err
	})(s.t.Context(), s))
}

// login lets a service's login come in to the database or not; whoever is in is put out.
func (s *stand) login(service, may string) {
	s.t.Helper()
	s.must(withDatabase(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "alter role "+pgx.Identifier{pg.Role(service)}.Sanitize()+" "+may)
		if err == nil {
			_, err = conn.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`,
				pg.Role(service))
		}
		return err
	})(s.t.Context(), s))
}

// dismissesLetters ends what cannot be read, as somebody does who has looked at it.
func (s *stand) dismissesLetters() {
	s.t.Helper()
	s.must(withDatabase(func(ctx context.Context, conn *pgx.Conn) error {
		for _, service := range stateful {
			if _, err := conn.Exec(ctx, `update `+service+`.letter set state = 'dismissed'`); err != nil {
				return err
			}
		}
		return nil
	})(s.t.Context(), s))
}

// removesLarge takes the event away that the broker does not take.
func (s *stand) removesLarge() {
	s.t.Helper()
	s.must(withDatabase(func(ctx context.Context, conn *pgx.Conn) error {
		for _, service := range stateful {
			if _, err := conn.Exec(ctx, `delete from `+service+`.outbox where length(payload) > 1 << 20`); err != nil {
				return err
			}
		}
		return nil
	})(s.t.Context(), s))
}

// within waits a minute for something to be so.
func within(t *testing.T, so func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last error
	if until(ctx, 250*time.Millisecond, func() bool { last = so(); return last == nil }) != nil {
		t.Fatalf("not within a minute: %v", last)
	}
}

// asks sends a request of the operator to the gateway, or one to an operations port.
func asks(url, token string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := patient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s answered %d: %s", url, response.StatusCode, text)
	}
	return string(text), err
}

// fixed is a source that draws the same each time.
var fixed = rand.New(rand.NewPCG(14, 14))

var patient = &http.Client{Timeout: 10 * time.Second}

// says holds all that tells of a fault against whether it is there.
func (s *stand) says(f stop, want bool) error {
	door := "http://" + s.procs[schemas.Gateway+"/1"].addr
	kind := operations.KindOf(f.figure)
	text, err := asks(door+"/api/operations", operatorToken)
	if err != nil {
		return err
	}
	var report operations.Report
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		return err
	}
	i := slices.IndexFunc(report.Alerts, func(a operations.Alert) bool { return a.Words == kind.Words })
	if alert := report.Alerts[i]; alert.Active != want || want && !all(f.of, alert.Services) {
		return fmt.Errorf("the alert of %s is active: %v, of %v", f.figure, alert.Active, alert.Services)
	}
	page, err := asks(door+"/operations", operatorToken)
	if err != nil {
		return err
	}
	active := regexp.MustCompile(`(At once|Today)</strong> ` + regexp.QuoteMeta(kind.Words) + `\b`)
	if active.MatchString(page) != want {
		return fmt.Errorf("the page says %q: %v", kind.Words, !want)
	}
	out, err := s.status()
	if err != nil {
		return err
	}
	for _, service := range append(slices.Clone(f.of), "") {
		words := strings.ToLower(kind.Words)
		if said := strings.Contains(strings.ToLower(out), words+", "+service+": yes"); service != "" && said != want {
			return fmt.Errorf("status says of %s %q: %v: %s", service, kind.Words, said, out)
		}
		if said := strings.Contains(strings.ToLower(out), words); len(f.of) == 0 && want && !said {
			return fmt.Errorf("status does not say %q: %s", kind.Words, out)
		}
	}
	for _, service := range f.of {
		p := s.procs[service+"/1"]
		if ready := p.isReady(); ready == want && f.unready {
			return fmt.Errorf("%s is ready: %v", service, ready)
		}
		shown, err := asks("http://"+p.ops+"/metrics", "")
		if works := err == nil && regexp.MustCompile(`(?m)^footbridge_flow_ready\{.*\} 1$`).MatchString(
			shown); works == want {
			return fmt.Errorf("the rules of Prometheus read of %s that it works: %v (%v)", service, works, err)
		}
	}
	return nil
}

// all says whether all of these are among those.
func all(these, those []string) bool {
	for _, one := range these {
		if !slices.Contains(those, one) {
			return false
		}
	}
	return true
}

// status is what `footbridge status` prints, with the operator's key, beside the gateway.
func (s *stand) status() (string, error) {
	command := exec.CommandContext(s.t.Context(), s.binary, "status")
	command.Env = s.environment(s.procs[schemas.Gateway+"/1"])
	out, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("footbridge status: %w: %s", err, out)
	}
	return string(out), err
}

// allWell says which service does not answer, or does no work.
func (s *stand) allWell() error {
	text, err := asks("http://"+s.procs[schemas.Gateway+"/1"].addr+"/api/operations", operatorToken)
	if err != nil {
		return err
	}
	var report operations.Report
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		return err
	}
	for _, one := range report.Services {
		if !one.Answered || !one.Ready {
			err = errors.Join(err, fmt.Errorf("%s answers: %v, is ready: %v: %s", one.Service, one.Answered, one.Ready,
				one.Why))
		}
	}
	return err
}
