package bridging

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/notify"
	"footbridge/schemas"
)

// pager is a site's paging, which takes webhooks and can be told to refuse them.
type pager struct {
	*httptest.Server
	mu     sync.Mutex
	pages  []string // the path of each, which names who was paged
	bodies []string
	refuse bool
}

func newPager(t *testing.T) *pager {
	p := &pager{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pages, p.bodies = append(p.pages, r.URL.Path), append(p.bodies, string(body))
		if p.refuse {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// paged gives the pages since it was asked last.
func (p *pager) paged() (pages []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pages, p.pages = p.pages, nil
	slices.Sort(pages)
	return pages
}

func (p *pager) sender(t *testing.T) *notify.Sender {
	t.Helper()
	s, err := notify.New(notify.Config{Secret: []byte("a secret of more than twenty-four bytes"),
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const everyDay = `["mon","tue","wed","thu","fri","sat","sun"]`

// onCall sets RXX's rota: one line for each of who, "rung:who".
func (d *desk) onCall(p *pager, who ...string) {
	d.t.Helper()
	d.as(schemas.Navigator, "RXX", "navigator")
	var lines []string
	for _, one := range who {
		rung, name, _ := strings.Cut(one, ":")
		lines = append(lines, fmt.Sprintf(
			`{"rung":%s,"who":%q,"channel":"webhook","address":"%s/%s","days":%s,"fromHour":0,"toHour":24}`, rung, name,
			p.URL, name, everyDay))
	}
	_, _, before := do[rotaShown](d, "GET", "/api/rota", "")
	var version int64
	if err := d.pool.QueryRow(d.t.Context(), `select coalesce(max(version), 0) from rota_version
		where organisation = 'RXX'`).Scan(&version); err != nil {
		d.t.Fatal(err, before)
	}
	if _, status, text := do[rotaShown](d, "PUT", "/api/rota", `{"items":[`+strings.Join(lines, ",")+`]}`, "If-Match",
		fmt.Sprintf(`"v%d"`, version)); status != http.StatusOK {
		d.t.Fatalf("the rota: %d %s", status, text)
	}
}

// begun is a journey that bridging knows, of RXX.
func (d *desk) begun() (journey, offer string) {
	d.t.Helper()
	journey, offer = clock.NewRandomID(), clock.NewRandomID()
	s := said(journey)
	s.say("followup", schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Partner: "p"})
	events := append(slices.Clone(s.events[:3]), s.events[len(s.events)-1])
	for i := range events {
		events[i].Subject = journey
	}
	d.apply(events...)
	return journey, offer
}

func TestHelpIsStoredThenToldAndTheAnswerSaysToWhom(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t), URL: "https://footbridge.example", Numbers: []string{"0800 000 000"}})
	d.onCall(p, "1:on-call-lead", "2:manager")
	journey, offer := d.begun()
	var call string
	if err := d.pool.QueryRow(t.Context(), `select id::text from call where journey = $1`,
		journey).Scan(&call); err != nil {
		t.Fatal(err)
	}
	for path, about := range map[string]string{"/api/journeys/" + journey: "journey", "/api/offers/" + offer: "offer",
		"/api/calls/" + call: "call"} {
		d.as(schemas.Partner, "8c4bba9e", "peer")
		got, status, text := do[helpShown](d, "POST", path+"/help", "")
		if status != http.StatusCreated || got.About != about || len(got.Told) != 1 || got.Told[0].State != pageTold ||
			got.Told[0].Who != "on-call-lead" || got.Journey != "" {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		if !strings.Contains(got.Words, "does not call an ambulance") || !strings.Contains(got.Words, "999") ||
			!strings.Contains(got.Words, "on call lead") || !strings.Contains(got.Words, "0800 000 000") {
			t.Errorf("the words: %s", got.Words)
		}
		if pages := p.paged(); !slices.Equal(pages, []string{"/on-call-lead"}) {
			t.Errorf("%s paged %v", path, pages)
		}
	}
	_, step, _ := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", `{"step":"`+clock.NewRandomID()+`"}`)
	types, last := d.emitted(journey)
	asked := slices.DeleteFunc(types, func(typ schemas.Type) bool { return typ != schemas.HelpRequested })
	if len(asked) != 4 || step != http.StatusCreated || !strings.Contains(string(last[schemas.HelpRequested]),
		`"about":"step"`) {
		t.Errorf("%d requests said on the journey, the last %s", len(asked), last[schemas.HelpRequested])
	}
	for _, body := range p.bodies {
		if strings.Contains(body, journey) || strings.Contains(body, "RXX") {
			t.Errorf("a page says %s", body)
		}
	}
}

// The alarm counts whatever the body says, in every state of the journey, of one that nobody knows, and once for one
// key.
func TestNothingButTheIdIsNeededToAskForHelp(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	d.onCall(p, "1:lead")
	journey, _ := d.begun()
	d.as(schemas.SendingTeam, "RXX", "nurse")
	for name, body := range map[string]string{"broken": `{"kind":`, "another kind": `{"kind":"urgent"}`,
		"another shape": `["help"]`, "text": `help`} {
		if got, status, text := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help",
			body); status != http.StatusCreated || got.Kind != schemas.HelpNow || len(got.Told) != 1 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	closed, s := journey, &teller{}
	s.say("journey", schemas.JourneyClosed, schemas.JourneyClosedData{AnsweredUpTo: 9})
	s.events[0].Subject = closed
	d.apply(s.events...)
	for name, id := range map[string]string{"a closed journey": closed, "one that nobody knows": clock.NewRandomID()} {
		p.paged()
		if got, status, text := do[helpShown](d, "POST", "/api/journeys/"+id+"/help",
			""); status != http.StatusCreated || len(p.paged()) != 1 || len(got.Told) != 1 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	p.paged()
	first, _, _ := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", `{}`, "Idempotency-Key", "pressed-twice")
	again, status, _ := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", `{}`, "Idempotency-Key",
		"pressed-twice")
	if first.Help != again.Help || status != http.StatusCreated || len(again.Told) != 1 || len(p.paged()) != 1 {
		t.Errorf("one key, twice: %s and %s, %d, %+v", first.Help, again.Help, status, again.Told)
	}
	if _, status, text := do[helpShown](d, "POST", "/api/journeys/none/help", ""); status != http.StatusNotFound ||
		!strings.Contains(text, "999") {
		t.Errorf("no id at all: %d %s", status, text)
	}
}

func TestWithoutARotaOrAChannelItIsSaidAndANumberGiven(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t), Numbers: []string{"0800 000 000"}})
	journey, _ := d.begun()
	d.as(schemas.Person, "self", "somebody")
	got, status, text := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", "")
	if status != http.StatusCreated || len(got.Told) != 0 || !strings.Contains(got.Words, "NOBODY could be told") ||
		!strings.Contains(got.Words, "0800 000 000") {
		t.Errorf("no rota: %d %s", status, text)
	}
	p.refuse = true
	d.onCall(p, "1:lead", "2:manager")
	d.as(schemas.SendingTeam, "RXX", "nurse")
	got, _, text = do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", "")
	if len(got.Told) != 1 || got.Told[0].State == pageTold || !strings.Contains(got.Words, "NOBODY could be told") {
		t.Errorf("no channel: %s", text)
	}
	for minutes := range 4 { // three tries a minute apart, then the next rung at once
		d.at(now.Add(time.Duration(minutes+1) * time.Minute))
		d.due("pages")
		d.due("help-waits")
	}
	p.mu.Lock()
	p.refuse = false
	p.mu.Unlock()
	d.due("pages")
	if pages := p.paged(); !slices.Contains(pages, "/manager") {
		t.Errorf("a rung that could not be reached is not passed: %v", pages)
	}
	if n := count(t, d.pool, `select count(*) from help where emitted`); n != 2 {
		t.Errorf("%d of 2 are said on the journey", n)
	}
}

func TestUnacknowledgedForHalfAnHourGoesFurtherUp(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	d.onCall(p, "1:lead", "3:manager", "3:deputy", "5:director")
	journey, _ := d.begun()
	d.as(schemas.SendingTeam, "RXX", "nurse")
	asked, _, _ := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", `{"kind":"needed-now"}`)
	later := func(minutes int) []string {
		d.at(now.Add(time.Duration(minutes) * time.Minute))
		d.due("help-waits")
		d.due("pages")
		return p.paged()
	}
	if first := p.paged(); !slices.Equal(first, []string{"/lead"}) {
		t.Fatalf("first %v", first)
	}
	for _, step := range []struct {
		minutes int
		want    []string
	}{{29, nil}, {31, []string{"/deputy", "/manager"}}, {60, nil}, {62, []string{"/director"}},
		{93, []string{"/director"}}} {
		if got := later(step.minutes); !slices.Equal(got, step.want) {
			t.Errorf("after %d minutes: %v, not %v", step.minutes, got, step.want)
		}
	}
	d.as(schemas.Navigator, "RZZ", "of elsewhere")
	if _, status, _ := do[helpShown](d, "POST", "/api/help/"+asked.Help+"/acknowledge",
		""); status != http.StatusNotFound {
		t.Errorf("another organisation's navigator takes it on: %d", status)
	}
	d.as(schemas.Navigator, "RXX", "navigator")
	taken, status, text := do[helpShown](d, "POST", "/api/help/"+asked.Help+"/acknowledge", "")
	if status != http.StatusOK || taken.Acknowledged == nil || taken.Acknowledged.By != "navigator" ||
		taken.Journey != journey {
		t.Errorf("taken on: %d %s", status, text)
	}
	if got := later(200); got != nil {
		t.Errorf("after it was taken on: %v", got)
	}
	do[helpShown](d, "POST", "/api/help/"+asked.Help+"/acknowledge", "")
	types, _ := d.emitted(journey)
	if n := len(slices.DeleteFunc(types,
		func(typ schemas.Type) bool { return typ != schemas.HelpAcknowledged })); n != 1 {
		t.Errorf("said %d times that it was taken on", n)
	}
}

func TestAConcernForSafetyAsksWhetherThePersonKnows(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	d.onCall(p, "1:lead")
	journey, _ := d.begun()
	d.as(schemas.Partner, "8c4bba9e", "peer")
	asked, status, text := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", `{"kind":"safety"}`)
	if status != http.StatusCreated || asked.Asks != "personKnows" || len(asked.Told) != 1 {
		t.Fatalf("%d %s", status, text)
	}
	path := "/api/help/" + asked.Help + "/person-knows"
	d.as(schemas.Partner, "8c4bba9e", "another")
	if _, status, _ := do[helpShown](d, "POST", path, `{"personKnows":"no"}`); status != http.StatusNotFound {
		t.Errorf("somebody else says so: %d", status)
	}
	d.as(schemas.Partner, "8c4bba9e", "peer")
	got, status, text := do[helpShown](d, "POST", path, `{"personKnows":"no"}`)
	if status != http.StatusOK || got.Asks != "" || got.PersonKnows != "no" || got.Journey != "" {
		t.Errorf("%d %s", status, text)
	}
	now, _, _ := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", `{"kind":"safety","personKnows":"yes"}`)
	if now.Asks != "" {
		t.Errorf("said at once, and asked again: %+v", now)
	}
}

// Two replicas that look at the same moment page each rung once.
func TestTwoReplicasPageARungOnce(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	d.onCall(p, "1:lead")
	for range 20 {
		if _, err := d.pool.Exec(t.Context(), `insert into help (id, about, about_id, kind, at, asked_role, asked_by,
			asked_mark, person_knows, look_at)
			values ($1, 'journey', $2, 'needed-now', $3, 'navigator', 'RXX', 'm', '', $3)`, clock.NewRandomID(),
			clock.NewRandomID(), now.Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { d.due("help-waits"); d.due("pages") })
	}
	both.Wait()
	d.due("pages")
	if pages := p.paged(); len(pages) != 20 {
		t.Errorf("%d pages for 20 requests", len(pages))
	}
}

func TestWhoIsOnCall(t *testing.T) {
	t.Parallel()
	zone := london(t)
	at := func(text string) time.Time {
		when, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	friday := calendar.Weekdays{time.Friday: true}
	for _, tc := range []struct {
		from, to int
		at       string
		want     bool
	}{
		{9, 17, "2026-11-06 09:00", true}, {9, 17, "2026-11-06 16:59", true}, {9, 17, "2026-11-06 17:00", false},
		{9, 17, "2026-11-07 10:00", false},
		{20, 8, "2026-11-06 20:00", true}, {20, 8, "2026-11-07 07:59", true}, {20, 8, "2026-11-07 08:00", false},
		{20, 8, "2026-11-06 07:00", false},
		{0, 24, "2026-11-06 23:59", true}, {20, 8, "2026-10-24 07:59", true},
	} {
		o := OnCall{Days: friday, FromHour: tc.from, ToHour: tc.to}
		if got := o.on(at(tc.at), zone); got != tc.want {
			t.Errorf("%d-%d at %s: %v", tc.from, tc.to, tc.at, got)
		}
	}
	week := OnCall{Rung: 1, Days: calendar.MondayToFriday, FromHour: 0, ToHour: 24}
	found := gaps([]OnCall{week}, at("2026-11-05 09:30"), zone)
	if len(found) != 2 || found[0].From.Format("Mon 15:04") != "Sat 00:00" ||
		found[0].Until.Format("Mon 15:04") != "Mon 00:00" {
		t.Errorf("weekends without anybody are not said ahead: %v", found)
	}
}

func TestARotaIsKeptWholeByWhoReadIt(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	d.as(schemas.Navigator, "RXX", "navigator")
	line := `{"rung":1,"who":"lead","channel":"webhook","address":"` + p.URL +
		`","days":["mon","sat"],"fromHour":9,"toHour":17}`
	if _, status, _ := do[rotaShown](d, "PUT", "/api/rota",
		`{"items":[`+line+`]}`); status != http.StatusPreconditionRequired {
		t.Errorf("without having read it: %d", status)
	}
	got, status, text := do[rotaShown](d, "PUT", "/api/rota", `{"items":[`+line+`]}`, "If-Match", `"v0"`)
	if status != http.StatusOK || len(got.Items) != 1 || len(got.Gaps) == 0 || len(got.Unproven) != 1 ||
		!slices.Equal(got.Items[0].Days, []string{"mon", "sat"}) {
		t.Fatalf("%d %s", status, text)
	}
	if _, status, _ = do[rotaShown](d, "PUT", "/api/rota", `{"items":[]}`, "If-Match",
		`"v0"`); status != http.StatusPreconditionFailed {
		t.Errorf("over somebody else's: %d", status)
	}
	for _, bad := range []string{`"channel":"email"`, `"rung":0`, `"days":[]`, `"days":["monday"]`, `"who":"Jo Smith"`,
		`"toHour":9`} {
		name, _, _ := strings.Cut(bad, ":")
		var fields map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		fields[strings.Trim(name, `"`)] = json.RawMessage(bad[len(name)+1:])
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if _, status, _ := do[rotaShown](d, "PUT", "/api/rota", `{"items":[`+string(text)+`]}`, "If-Match",
			`"v1"`); status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, status)
		}
	}
	d.as(schemas.Navigator, "RZZ", "navigator")
	if other, _, _ := do[rotaShown](d, "GET", "/api/rota", ""); len(other.Items) != 0 {
		t.Errorf("another organisation sees %+v", other.Items)
	}
}

// What nobody has taken on is read from the database: by when the first was to be, and by which channels nothing goes.
func TestHelpThatNobodyTakesOnIsCounted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	if w, err := WaitingNow(t.Context(), d.pool); err != nil || w.Help != 0 || !w.HelpDue.IsZero() {
		t.Fatalf("at first %+v, %v", w, err)
	}
	journey := clock.NewRandomID()
	d.as(schemas.Navigator, "RXX", "navigator")
	help, _, _ := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", "")
	w, err := WaitingNow(t.Context(), d.pool)
	if err != nil || w.Help != 1 || !w.HelpDue.Equal(help.DueAt) {
		t.Fatalf("asked for, there is %+v, %v; want it by %s", w, err, help.DueAt)
	}
	if _, status, text := do[helpShown](d, "POST", "/api/help/"+help.Help+"/acknowledge", ""); status != 200 {
		t.Fatalf("taken on: %d %s", status, text)
	}
	if w, err = WaitingNow(t.Context(), d.pool); err != nil || w.Help != 0 {
		t.Errorf("taken on, there is %+v, %v", w, err)
	}
}
