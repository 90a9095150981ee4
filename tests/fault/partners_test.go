package fault

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// partner is one with a system: an endpoint, which is the example receiver of the program behind a proxy that does TLS.
// The receiver prints what it has taken before it says so, each event once as long as it runs.
type partner struct {
	id, token, subscription string
	addr                    string // where its receiver listens
	receiver                *proc
}

// partners is a stand with delivery, a gateway, and partners.
type partners struct {
	*stand
	all   []*partner
	pool  *pgxpool.Pool
	front *httptest.Server
}

// partnersOf starts a stand with so many partners, each of which is sent to.
func partnersOf(t *testing.T, many int) *partners {
	t.Helper()
	p := &partners{front: httptest.NewUnstartedServer(nil)}
	for range many {
		p.all = append(p.all, &partner{id: clock.NewRandomID(), token: clock.NewRandomID(), addr: testkit.FreeAddr(t)})
	}
	p.front.Config.Handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			for _, one := range p.all {
				if r.In.URL.Path == "/"+one.id {
					r.SetURL(&url.URL{Scheme: "http", Host: one.addr})
				}
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }}
	p.front.StartTLS()
	t.Cleanup(p.front.Close)
	p.stand = standWith(t, p.prepare, "delivery/1", "delivery/2", "gateway/1")
	p.pool = p.admin()
	for i, one := range p.all {
		p.subscribe(i, one)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := until(ctx, 50*time.Millisecond, func() bool {
		return p.count(`select count(*) from delivery.subscription where state = 'active'`) == many
	}); err != nil {
		t.Fatal("not every endpoint agrees")
	}
	return p
}

// prepare lets partners in by their tokens, and has the program trust the certificate of their proxy.
func (p *partners) prepare(s *stand) {
	certificate := filepath.Join(s.dir, "partners.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.front.Certificate().Raw})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.more = []string{"SSL_CERT_FILE=" + certificate, "FOOTBRIDGE_OUTWARD_ALLOW=127.0.0.0/8"}
	file, err := os.OpenFile(filepath.Join(s.dir, "tokens.yaml"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, one := range p.all {
		_, _ = fmt.Fprintf(file, "  - {sha256: %s, organisation: %s, role: %s, subject: their-system}\n",
			principal.HashToken(one.token), one.id, schemas.Partner)
	}
	if err := file.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// asks is one request of a partner's system, made again while nobody answers.
func (p *partners) asks(one *partner, method, path, body string, into any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	status, text := 0, []byte(nil)
	if err := until(ctx, 100*time.Millisecond, func() bool {
		request, err := http.NewRequestWithContext(ctx, method, "http://"+p.procs["gateway/1"].addr+path,
			strings.NewReader(body))
		if err != nil {
			p.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+one.token)
		if body != "" {
			request.Header.Set("Content-Type", "application/json")
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		defer func() { _ = answer.Body.Close() }()
		text, err = io.ReadAll(answer.Body)
		status = answer.StatusCode
		return err == nil && status < 500 && status != http.StatusTooManyRequests
	}); err != nil || status >= 300 {
		p.t.Fatalf("%s %s answers %d %s (%v)", method, path, status, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		p.t.Fatalf("%s %s answers %s: %v", method, path, text, err)
	}
}

// subscribe adds a partner's endpoint and starts its receiver.
func (p *partners) subscribe(i int, one *partner) {
	p.t.Helper()
	var made struct{ ID, Secret string }
	p.asks(one, http.MethodPost, "/api/subscriptions", fmt.Sprintf(`{"url":%q}`, p.front.URL+"/"+one.id), &made)
	one.subscription = made.ID
	one.receiver = &proc{stand: p.stand, name: fmt.Sprintf("receiver/%d", i+1), service: "receiver",
		args:    []string{"sim", "partner", "--sim-listen", one.addr, "--sim-secret", made.Secret},
		changed: make(chan struct{}, 1), ended: make(chan struct{})}
	go one.receiver.supervise()
	p.t.Cleanup(one.receiver.end)
}

func (p *partners) count(query string, args ...any) (n int) {
	p.t.Helper()
	if err := p.pool.QueryRow(p.t.Context(), query, args...).Scan(&n); err != nil {
		p.t.Fatal(err)
	}
	return n
}

// day is the day so many days from now.
func day(days int) string { return time.Now().AddDate(0, 0, days).Format(time.DateOnly) }

// told is an offer of one journey.
type told struct{ journey, offer, appointment, partner string }

// stages are what is said of an offer, one after the other; each leaves one event in its partner's log.
var stages = []func(o told) map[schemas.Type]any{
	func(o told) map[schemas.Type]any {
		return map[schemas.Type]any{
			schemas.OfferRaised: schemas.OfferRaisedData{Offer: o.offer, Person: clock.NewRandomID(),
				Partner:  o.partner,
				FirstDay: day(7), LastDay: day(14)},
			schemas.OfferCleared: schemas.OfferClearedData{Offer: o.offer, Partner: o.partner}}
	},
	func(o told) map[schemas.Type]any {
		return map[schemas.Type]any{
			schemas.OfferAccepted: schemas.OfferAcceptedData{Offer: o.offer, Partner: o.partner}}
	},
	func(o told) map[schemas.Type]any {
		return map[schemas.Type]any{schemas.AppointmentBooked: schemas.AppointmentBookedData{Offer: o.offer,
			Appointment: o.appointment, Partner: o.partner, StartsAt: time.Now().AddDate(0, 0, 5)}}
	},
	func(o told) map[schemas.Type]any {
		return map[schemas.Type]any{
			schemas.AppointmentKept: schemas.AppointmentKeptData{Offer: o.offer, Appointment: o.appointment}}
	},
}

// publish puts a stage of every offer on the bus, as followup does.
func (p *partners) publish(stage int, offers []told) {
	p.t.Helper()
	conn, err := p.bus(p.t.Context(), schemas.Followup, bus.InboxOf(schemas.Followup))
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	for _, o := range offers {
		said := stages[stage](o)
		for i, typ := range slices.Sorted(keysOf(said)) {
			data, err := json.Marshal(said[typ])
			if err != nil {
				p.t.Fatal(err)
			}
			payload, err := flow.Marshal(flow.Event{ID: clock.NewID(time.Now()), Source: "/footbridge/followup",
				Type: string(typ), Subject: o.journey, Time: time.Now(), Correlation: o.journey, Data: data,
				Sequence: flow.FormatSequence(int64(10*stage + 2 - i))}) // cleared after raised
			if err != nil {
				p.t.Fatal(err)
			}
			if _, err := conn.JS.PublishMsgAsync(&nats.Msg{Data: payload,
				Subject: strings.TrimSuffix(typ.SubjectFilter(), "*") + o.journey}); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	select {
	case <-conn.JS.PublishAsyncComplete():
	case <-time.After(time.Minute):
		p.t.Fatal("the broker has not taken everything")
	}
}

func keysOf(m map[schemas.Type]any) func(yield func(schemas.Type) bool) {
	return func(yield func(schemas.Type) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// faults are what is done to the stand while events flow, in turn.
func (p *partners) faults() []injection {
	var all []injection
	kill := func(victim *proc) {
		all = append(all, injection{victim.service + " killed", victim.name, func(context.Context, *stand) error {
			victim.signal(syscall.SIGKILL)
			return nil
		}})
	}
	away := func(victim *proc) {
		all = append(all, injection{victim.service + " away for 2 s", victim.name,
			func(ctx context.Context, _ *stand) error {
				victim.takeDown(syscall.SIGKILL)
				pause(ctx, 2*time.Second)
				victim.bringUp("")
				return nil
			}})
	}
	for i := range max(2, len(p.all)) {
		kill(p.procs[fmt.Sprintf("delivery/%d", 1+i%2)])
		kill(p.all[i%len(p.all)].receiver)
		if i%2 == 1 {
			away(p.all[(i+len(p.all)/2)%len(p.all)].receiver)
		} else {
			all = append(all, takeLoginOf(schemas.Delivery))
		}
	}
	return all
}

// TestPartnersGetEverythingWhateverIsKilled tells four partners of FOOTBRIDGE_PARTNER_EVENTS events (2,000) while
// delivery and their receivers are killed and away, and delivery's login is taken from it. Each event comes at least
// once, to the partner it is for, signed; none is missing; positions have no gap; those of a journey come in their
// order. The feed and the stream hold the same events, positions and ids.
func TestPartnersGetEverythingWhateverIsKilled(t *testing.T) {
	p := partnersOf(t, 4)
	size := number(t, "FOOTBRIDGE_PARTNER_EVENTS", 2000) / len(stages)
	var offers []told
	for i := range size {
		offers = append(offers, told{clock.NewID(time.Now()), clock.NewID(time.Now()), clock.NewID(time.Now()),
			p.all[i%len(p.all)].id})
	}
	began, done, faults := time.Now(), 0, p.faults()
	perStage := max(2, min(12, size/250))
	kinds := map[string]int{}
	for stage := range stages {
		p.publish(stage, offers)
		for range perStage {
			f := faults[done%len(faults)]
			p.logf("%s: %s", f.kind, f.target)
			if err := f.do(t.Context(), p.stand); err != nil {
				t.Errorf("%s of %s: %v", f.kind, f.target, err)
			}
			kinds[f.kind]++
			done++
			pause(t.Context(), time.Second)
		}
		p.holds((stage + 1) * size)
	}
	p.comes()
	again := 0
	for _, one := range p.all {
		again += p.compare(one)
	}
	p.sameByStream(p.all[0])
	t.Logf("%d events to %d partners, %d faults (%v), all there after %.0f s; %d came again", len(stages)*size,
		len(p.all), done, kinds, time.Since(began).Seconds(), again)
}

// holds waits until the partners' logs hold so many events.
func (p *partners) holds(events int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 3*time.Minute)
	defer cancel()
	if err := until(ctx, 100*time.Millisecond, func() bool {
		return p.count(`select count(*) from delivery.partner_event`) >= events
	}); err != nil {
		p.t.Fatalf("the logs hold %d events, not %d", p.count(`select count(*) from delivery.partner_event`), events)
	}
}

// comes waits until every event has come to its endpoint. What has failed twice waits for minutes by then: once nothing
// is under way any more its partner asks for it, as one does after an outage.
func (p *partners) comes() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	if err := until(ctx, 250*time.Millisecond, func() bool {
		if p.count(`select count(*) from delivery.subscription s join delivery.partner p on p.id = s.partner
			where s.taken < p.last`)+
			p.count(`select count(*) from delivery.outgoing o where state = 'waiting' and (leased >= $1 or due_at <= $1)
				and not exists (select from delivery.outgoing b where b.subscription = o.subscription
				and b.journey = o.journey and b.state = 'waiting' and b.position < o.position)`, time.Now()) > 0 {
			return false
		}
		if p.count(`select count(*) from delivery.outgoing where state <> 'delivered'`) == 0 {
			return true
		}
		for _, one := range p.all {
			if p.count(`select count(*) from delivery.outgoing where state <> 'delivered' and partner::text = $1`,
				one.id) > 0 {
				p.asks(one, http.MethodPost, "/api/subscriptions/"+one.subscription+"/again", `{}`, &struct{}{})
			}
		}
		return false
	}); err != nil {
		p.t.Fatalf("%d events have not come",
			p.count(`select count(*) from delivery.outgoing where state <> 'delivered'`))
	}
}

// entry is an event of a partner's log.
type entry struct {
	Position    int
	ID, Journey string
	Body        []byte
}

// compare holds what a partner's receiver has taken, and its feed, against its log, and says how many events came
// again.
func (p *partners) compare(one *partner) (again int) {
	p.t.Helper()
	rows, err := p.pool.Query(p.t.Context(), `select position::integer, id::text, journey::text, body
		from delivery.partner_event where partner::text = $1 order by position`, one.id)
	if err != nil {
		p.t.Fatal(err)
	}
	log, err := pgx.CollectRows(rows, pgx.RowToStructByPos[entry])
	if err != nil || len(log) == 0 {
		p.t.Fatalf("its log holds %d events (%v)", len(log), err)
	}
	came, last := map[int]string{}, map[string]int{}
	for _, line := range p.takenBy(one) {
		if line.position < 1 || line.position > len(log) {
			p.t.Fatalf("a receiver has taken position %d of %d", line.position, len(log))
		}
		if _, repeated := came[line.position]; repeated {
			again++
			continue
		}
		came[line.position] = line.text
		journey := log[line.position-1].Journey
		if last[journey] > line.position {
			p.t.Errorf("of a journey, position %d came after %d", line.position, last[journey])
		}
		last[journey] = line.position
	}
	fed := p.fed(one)
	for i, e := range log {
		var said struct {
			Type, Sequence string
			Data           json.RawMessage
		}
		if err := json.Unmarshal(e.Body, &said); err != nil {
			p.t.Fatal(err)
		}
		if e.Position != i+1 || said.Sequence != fmt.Sprintf("%016d", i+1) {
			p.t.Errorf("position %d of the log is %d: %s", i+1, e.Position, e.Body)
		}
		if want := said.Type + " " + string(said.Data); came[i+1] != want {
			p.t.Errorf("position %d came as %q, and the log holds %q", i+1, came[i+1], want)
		}
		if i >= len(fed) || !bytes.Equal(fed[i], e.Body) {
			p.t.Errorf("the feed does not hold position %d as the log does", i+1)
		}
	}
	if len(fed) != len(log) {
		p.t.Errorf("the feed holds %d events, the log %d", len(fed), len(log))
	}
	return again
}

type taken struct {
	position int
	text     string
}

// takenBy is what a partner's receiver has printed, over all its lives.
func (p *partners) takenBy(one *partner) (all []taken) {
	p.t.Helper()
	text, err := os.ReadFile(one.receiver.logFile())
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var position int
		sequence, rest, found := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := fmt.Sscanf(sequence, "%016d", &position); found && err == nil {
			all = append(all, taken{position, rest})
		}
	}
	return all
}

// fed is a partner's feed.
func (p *partners) fed(one *partner) (bodies []json.RawMessage) {
	p.t.Helper()
	for after := ""; ; {
		var page struct {
			Items []struct{ Event json.RawMessage }
			Next  string
			More  bool
		}
		p.asks(one, http.MethodGet, "/api/feed?limit=500&after="+after, "", &page)
		for _, item := range page.Items {
			bodies = append(bodies, item.Event)
		}
		if after = page.Next; !page.More {
			return bodies
		}
	}
}

// sameByStream reads a partner's stream and holds it against its feed.
func (p *partners) sameByStream(one *partner) {
	p.t.Helper()
	fed := p.fed(one)
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.procs["gateway/1"].addr+"/api/stream",
		nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+one.token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines, read := bufio.NewScanner(answer.Body), 0
	for read < len(fed) && lines.Scan() {
		if body, found := strings.CutPrefix(lines.Text(), "data: "); found {
			if body != string(fed[read]) {
				p.t.Fatalf("the stream's event %d is %s, the feed's %s", read+1, body, fed[read])
			}
			read++
		}
	}
	if read < len(fed) {
		p.t.Errorf("the stream holds %d events, the feed %d (%v)", read, len(fed), lines.Err())
	}
}
