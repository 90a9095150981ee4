package bridging

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/ics"
	"footbridge/schemas"
)

// keeps lets a caller of RXX say of themselves.
func (d *desk) keeps(subject, body string) {
	d.t.Helper()
	d.as(schemas.Caller, "RXX", subject)
	if _, status, text := do[callerShown](d, "PUT", "/api/callers/me", body); status != http.StatusOK {
		d.t.Fatal(status, text)
	}
}

func (d *desk) markOf(subject string) string {
	d.as(schemas.Caller, "RXX", subject)
	return d.who.Mark()
}

func anyHour(p *pager, name string) string {
	return fmt.Sprintf(`{"channel":"webhook","address":"%s/%s","days":%s,"fromHour":0,"toHour":24}`, p.URL, name,
		everyDay)
}

// Whoever is told of a call works then: its own caller, else those of the team who do, else all of the team that are
// not away; nobody outside of their own hours while another hour is left.
func TestCallersAreToldInTheirOwnHours(t *testing.T) {
	t.Parallel()
	zone := london(t)
	due := time.Date(2026, 11, 17, 15, 0, 0, 0, time.UTC) // a Tuesday
	caller := func(mark string, from, to int, away calendar.Day) Caller {
		return Caller{Team: "RXX", Mark: mark, Days: calendar.MondayToFriday, FromHour: from, ToHour: to, Most: 12,
			Channel: "webhook", AwayUntil: away}
	}
	all := []Caller{caller("early", 8, 12, 0), caller("day", 9, 17, 0), caller("away", 9, 17, dayOf(t, "2026-11-17")),
		caller("silent", 9, 17, 0)}
	all[3].Channel = ""
	c := callOpen{id: "c", team: "RXX", due: due}
	marks := func(told []Notice) (got []string) {
		for _, n := range told {
			got = append(got, n.Mark+" "+n.From.In(zone).Format("Mon 15:04"))
		}
		return got
	}
	for name, tc := range map[string]struct {
		of, kind string
		at       time.Time
		callers  []Caller
		want     []string
	}{
		"its own caller": {"day", noticeAhead, due.Add(-24 * time.Hour), all,
			[]string{"day Mon 15:00"}},
		"nobody's": {"", noticeAhead, due.Add(-24 * time.Hour), all, []string{"day Mon 15:00"}},
		"at night, in the morning": {"day", noticeAhead, due.Add(-13 * time.Hour), all,
			[]string{"day Tue 09:00"}},
		"whoever made it is away":        {"away", noticeDue, due, all, []string{"day Tue 15:00"}},
		"whoever made it works no more":  {"early", noticeDue, due, all, []string{"day Tue 15:00"}},
		"nobody works then":              {"early", noticeDue, due, all[:1], []string{"early Tue 15:00"}},
		"nobody works before":            {"early", noticeAhead, due.Add(-2 * time.Hour), all[:1], nil},
		"late at night, the next day":    {"day", noticeLate, due.Add(5 * time.Hour), all, []string{"day Wed 09:00"}},
		"who left no channel has a list": {"silent", noticeDue, due, all, nil},
		"another team": {"day", noticeDue, due,
			[]Caller{{Team: "RZZ", Mark: "day", Days: calendar.MondayToFriday, ToHour: 24, Channel: "webhook"}}, nil},
	} {
		one := c
		one.caller = tc.of
		if got := marks(one.notices(tc.kind, tc.callers, tc.at, zone)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// A caller falls ill in the morning: each of their calls has somebody who works then and has room, who is told; else
// the team is; and where nobody can be told, whoever is away is asked to.
func TestACallerWhoFallsIllLeavesNoCallWithoutAnOwner(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	journey, call, _ := d.active(now)
	next := d.outcome(call, `{"outcome":"reached","answer":"same"}`).Next
	ill := d.who.Mark()
	d.keeps("caller", `{"days":`+everyDay+`,"fromHour":0,"toHour":24}`)
	if _, err := d.pool.Exec(t.Context(), `update call set caller = $2 where id = $1`, next.Call, ill); err != nil {
		t.Fatal(err)
	}
	who := func() (mark string) {
		t.Helper()
		if err := d.pool.QueryRow(t.Context(), `select caller from call where id = $1`,
			next.Call).Scan(&mark); err != nil {
			t.Fatal(err)
		}
		return mark
	}
	d.at(next.DueAt.Add(-2 * time.Hour))
	away := func(subject, to string, told int, says string) {
		t.Helper()
		d.as(schemas.Caller, "RXX", subject)
		got, status, text := do[awayShown](d, "POST", "/api/callers/me/away", `{}`)
		if status != http.StatusOK || len(got.Calls) != 1 || got.Calls[0].To != to || got.Calls[0].Told != told ||
			!strings.Contains(got.Words, says) {
			t.Errorf("%s falls ill: %d %s", subject, status, text)
		}
		d.due("notices")
	}
	away("caller", "team", 0, "tell your team yourself")
	d.keeps("full", strings.Replace(anyHour(p, "full"), "{", `{"most":1,`, 1))
	if _, err := d.pool.Exec(t.Context(), `insert into call (id, plan, journey, organisation, due_at, on_day, state,
		scheduled_at, ended_at, team, caller)
		select gen_random_uuid(), plan, journey, organisation, due_at, on_day, 'reached', scheduled_at, due_at, team,
		$2 from call where id = $1`, next.Call, d.who.Mark()); err != nil {
		t.Fatal(err)
	}
	other := d.markOf("other")
	d.keeps("other", anyHour(p, "other"))
	if _, err := d.pool.Exec(t.Context(), `update call set caller = $2 where id = $1`, next.Call, ill); err != nil {
		t.Fatal(err)
	}
	d.keeps("gone", anyHour(p, "gone"))
	if _, err := d.pool.Exec(t.Context(), `update caller set away_until = $2 where mark = $1`, d.who.Mark(),
		next.DueAt.AddDate(0, 0, 1).Format(time.DateOnly)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.pool.Exec(t.Context(), `update caller set most = 1, from_hour = 0, to_hour = 1 where mark = $1`,
		d.markOf("full")); err != nil {
		t.Fatal(err)
	}
	away("caller", "colleague", 1, "somebody is being told")
	if got := p.paged(); who() != other || !slices.Equal(got, []string{"/other"}) {
		t.Errorf("given to %q, paged %v", who(), got)
	}
	away("other", "team", 1, "somebody is being told") // whoever is left works at other hours, and is told all the same
	if got := p.paged(); who() != "" || !slices.Equal(got, []string{"/full"}) {
		t.Errorf("given to %q, paged %v", who(), got)
	}
	if n := count(t, d.pool, `select count(*) from call where journey = $1 and ended_at is null and team = 'RXX'`,
		journey); n != 1 {
		t.Errorf("%d calls of the team are open", n)
	}
}

// Who reached the person makes the next calls too, tries and other rhythms included, where they work then and have
// room.
func TestTheSameCallerMakesTheNextCallsWhereTheyCan(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		keeps string
		want  bool
	}{
		"always":             {`{"days":` + everyDay + `,"fromHour":0,"toHour":24}`, true},
		"never at that hour": {`{"days":` + everyDay + `,"fromHour":0,"toHour":1}`, false},
		"never on that day":  {`{"days":["sun"],"fromHour":0,"toHour":24}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, Config{})
			journey, call, _ := d.active(now)
			d.keeps("caller", tc.keeps)
			is := func(when string) {
				t.Helper()
				if n := count(t, d.pool, `select count(*) from call where journey = $1 and ended_at is null
					and caller = $2`, journey, d.markOf("caller")); n == 1 != tc.want {
					t.Errorf("%s: kept for them %v", when, n == 1)
				}
			}
			next := d.outcome(call, `{"outcome":"reached","answer":"same"}`).Next
			is("the next")
			d.at(next.DueAt)
			d.as(schemas.Caller, "RXX", "another")
			d.outcome(next.Call, `{"outcome":"unanswered"}`)
			is("tried again")
			d.as(schemas.Navigator, "RXX", "navigator")
			do[planShown](d, "POST", "/api/journeys/"+journey+"/plan", `{"everyDays":7}`)
			is("another rhythm")
		})
	}
}

// A caller's list is of their hours, what is theirs, and what has come; all of it where they ask, and for everybody
// else.
func TestACallersListIsOfTheirHours(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	_, _, due := d.active(now)
	listed := func(query string) int {
		t.Helper()
		got, status, text := do[struct{ Items []callShown }](d, "GET", "/api/calls?"+query, "")
		if status != http.StatusOK {
			t.Fatal(status, text)
		}
		return len(got.Items)
	}
	d.at(due.Add(-time.Hour))
	if n := listed(""); n != 1 {
		t.Errorf("who never said when they work sees %d", n)
	}
	d.keeps("caller", `{"days":`+everyDay+`,"fromHour":0,"toHour":1}`)
	if n, all := listed(""), listed("all=true"); n != 0 || all != 1 {
		t.Errorf("at another hour they see %d, of all %d", n, all)
	}
	d.at(due)
	if n := listed(""); n != 1 {
		t.Errorf("once it is due they see %d", n)
	}
	d.at(due.Add(-time.Hour))
	d.keeps("caller", `{"fromHour":9,"toHour":20}`)
	if n := listed(""); n != 1 {
		t.Errorf("within their hours they see %d", n)
	}
	d.keeps("caller", `{"fromHour":0,"toHour":1}`)
	d.as(schemas.Navigator, "RXX", "navigator")
	if n := listed(""); n != 1 {
		t.Errorf("a navigator sees %d", n)
	}
}

// What a caller is to be told is a row before anything leaves: what no server took is tried again until one did, and
// told once; somebody is alarmed of a channel by which nothing goes; what is true no more is told to nobody.
func TestWhatNoServerTookIsTriedAgainUntilItIsTold(t *testing.T) {
	t.Parallel()
	p, log := newPager(t), &lines{}
	d := newDesk(t, Config{Notify: p.sender(t), Log: slog.New(slog.NewTextHandler(log, nil))})
	_, call, due := d.active(now)
	d.keeps("caller", anyHour(p, "caller"))
	p.refusing(true)
	d.due("calls")
	for range 3 {
		d.due("notices")
	}
	if got := p.paged(); len(got) != 1 {
		t.Errorf("tried at once, and then waited: %v", got)
	}
	d.at(due.Add(2 * time.Minute))
	d.due("notices")
	d.due("channels")
	if log.has("nothing can be handed over") {
		t.Error("alarmed after two minutes")
	}
	d.at(due.Add(6 * time.Minute))
	d.due("channels")
	d.due("channels")
	if n := log.times("nothing can be handed over"); n != 1 {
		t.Errorf("alarmed %d times", n)
	}
	d.as(schemas.Navigator, "RXX", "navigator")
	if got, _, text := do[rotaShown](d, "GET", "/api/rota", ""); len(got.Down) != 1 ||
		got.Down[0].Channel != "webhook" {
		t.Errorf("the rota shows %s", text)
	}
	p.refusing(false)
	p.paged()
	for range 3 {
		d.at(due.Add(20 * time.Minute))
		d.due("notices")
	}
	if got := p.paged(); !slices.Equal(got, []string{"/caller"}) {
		t.Errorf("told %v", got)
	}
	if got, _, text := do[rotaShown](d, "GET", "/api/rota", ""); len(got.Down) != 0 {
		t.Errorf("the rota shows %s", text)
	}
	p.refusing(true)
	d.at(due.Add(3 * time.Hour))
	d.due("calls")
	d.due("notices")
	p.refusing(false)
	p.paged()
	d.as(schemas.Caller, "RXX", "caller")
	d.outcome(call, `{"outcome":"reached","answer":"same"}`)
	d.at(due.Add(5 * time.Hour))
	d.due("notices")
	if got := p.paged(); len(got) != 0 {
		t.Errorf("of a call that was made, told %v", got)
	}
	if n := count(t, d.pool, `select count(*) from notice where state = 'waiting'`); n != 0 {
		t.Errorf("%d wait", n)
	}
}

func (p *pager) refusing(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) times(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func (l *lines) has(text string) bool { return l.times(text) > 0 }

// A calendar is off until its worker makes one; its address is shown once, opens nothing else, and is read by whoever
// has it, signed in or not: the worker's own calls of the next fourteen days, as a code and a time. Revoked, made
// anew, and never made are answered alike.
func TestACalendarIsOfItsWorkerAndOfNothingElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{URL: "https://footbridge.example"})
	journey, call, _ := d.active(now)
	d.keeps("caller", `{"days":`+everyDay+`,"fromHour":0,"toHour":24}`)
	next := d.outcome(call, `{"outcome":"reached","answer":"same"}`).Next
	d.at(next.DueAt.AddDate(0, 0, -10))
	making := func(subject string) string {
		t.Helper()
		d.as(schemas.Caller, "RXX", subject)
		got, status, text := do[ics.Made](d, "POST", "/api/callers/me/calendar", "")
		if status != http.StatusCreated {
			t.Fatal(status, text)
		}
		return strings.TrimPrefix(got.URL, "https://footbridge.example")
	}
	read := func(path string) (int, string) {
		t.Helper()
		return d.fetch(path)
	}
	_, none := read("/api/calls.ics?token=NOBODYS")
	mine, others := making("caller"), making("another")
	if status, text := read(mine); status != http.StatusOK || strings.Count(text, "BEGIN:VEVENT") != 1 ||
		!strings.Contains(text, next.Call+"@footbridge") ||
		!strings.Contains(text, ics.Code(journey)) || strings.Contains(text, journey) || strings.Contains(text, "RXX") {
		t.Errorf("the worker's own: %d %s", status, text)
	}
	if status, text := read(others); status != http.StatusOK || strings.Contains(text, "VEVENT") {
		t.Errorf("another's: %d %s", status, text)
	}
	d.at(next.DueAt.AddDate(0, 0, -20))
	if _, text := read(mine); strings.Contains(text, "VEVENT") {
		t.Errorf("20 days ahead: %s", text)
	}
	d.at(next.DueAt.AddDate(0, 0, -9))
	d.hears(journey, d.c.Now(), schemas.ConsentDeclined, schemas.ConsentData{Purposes: []string{"bridging"}})
	if _, text := read(mine); !strings.Contains(text, "STATUS:CANCELLED") ||
		!strings.Contains(text, next.Call+"@footbridge") || !strings.Contains(text, "SEQUENCE:1") {
		t.Errorf("cancelled: %s", text)
	}
	again := making("caller")
	d.as(schemas.Caller, "RXX", "another")
	if _, status, _ := do[any](d, "POST", "/api/callers/me/calendar/revoke", ""); status != http.StatusNoContent {
		t.Errorf("revoking: %d", status)
	}
	for name, path := range map[string]string{"made anew": mine, "revoked": others,
		"without a token": "/api/calls.ics"} {
		if status, text := read(path); status != http.StatusNotFound || withoutInstance(text) != withoutInstance(none) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	path, token, _ := strings.Cut(again, "=")
	if status, _ := read(path + "=" + strings.ToLower(token)); status != http.StatusOK {
		t.Errorf("the new one, in small letters: %d", status)
	}
	shown := func(want bool) {
		t.Helper()
		d.as(schemas.Caller, "RXX", "caller")
		got, status, text := do[callerShown](d, "GET", "/api/callers/me", "")
		if status != http.StatusOK || got.Calendar != want {
			t.Errorf("whether there is a calendar that is read: %d %s", status, text)
		}
	}
	shown(true)
	d.at(d.c.Now().AddDate(0, 0, ics.Lasts+1))
	if status, _ := read(again); status != http.StatusNotFound {
		t.Errorf("after its last day: %d", status)
	}
	shown(false)
	if n := count(t, d.pool, `select count(*) from caller where calendar like '%' || $1 || '%'`, token); n != 0 {
		t.Error("the token is stored")
	}
}

// fetch reads a path as a program that is nobody.
func (d *desk) fetch(path string) (int, string) {
	d.t.Helper()
	d.as(schemas.Guest, "nobody", "guest")
	answer, err := http.Get(d.srv.URL + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// withoutInstance is an answer without the id of the request.
func withoutInstance(text string) string {
	before, rest, _ := strings.Cut(text, `"instance":"`)
	_, after, _ := strings.Cut(rest, `"`)
	return before + after
}

// A caller who has left is reminded of nothing, and their calendar is read no more; their calls are their colleague's.
// One who comes back with other keys keeps their calls, and makes a new calendar.
func TestACallerWhoHasLeftMakesAndReadsNoCalls(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{URL: "https://footbridge.example"})
	_, call, _ := d.active(now)
	d.keeps("caller", `{"days":`+everyDay+`,"fromHour":0,"toHour":24}`)
	next := d.outcome(call, `{"outcome":"reached","answer":"same"}`).Next
	d.keeps("colleague", `{"days":`+everyDay+`,"fromHour":0,"toHour":24}`)
	d.at(next.DueAt.AddDate(0, 0, -10))
	making := func() string {
		t.Helper()
		d.as(schemas.Caller, "RXX", "caller")
		got, status, text := do[ics.Made](d, "POST", "/api/callers/me/calendar", "")
		if status != http.StatusCreated {
			t.Fatal(status, text)
		}
		return strings.TrimPrefix(got.URL, "https://footbridge.example")
	}
	off := func(as schemas.Role, subject string, left bool) int {
		t.Helper()
		d.as(as, schemas.Gateway, subject)
		_, status, _ := do[any](d, "POST", ics.OffPath, fmt.Sprintf(
			`{"organisation":"RXX","role":"caller","subject":"caller","left":%t}`, left))
		return status
	}
	makes := func(want string) {
		t.Helper()
		var mark string
		if err := d.pool.QueryRow(t.Context(), `select caller from call where id = $1`,
			next.Call).Scan(&mark); err != nil {
			t.Fatal(err)
		}
		if mark != d.markOf(want) {
			t.Errorf("the call is not %s's", want)
		}
	}
	mine := making()
	if status := off(schemas.Navigator, "somebody", true); status != http.StatusNotFound {
		t.Errorf("anybody says so: %d", status)
	}
	makes("caller")
	for _, step := range []struct {
		left bool
		then string
	}{{false, "caller"}, {true, "colleague"}, {true, "colleague"}} {
		if status := off(schemas.ServiceItself, schemas.Gateway, step.left); status != http.StatusNoContent {
			t.Errorf("left %t: %d", step.left, status)
		}
		if status, text := d.fetch(mine); status != http.StatusNotFound {
			t.Errorf("left %t: %d %s", step.left, status, text)
		}
		makes(step.then)
		if !step.left {
			mine = making()
		}
	}
	var kept int
	if err := d.pool.QueryRow(t.Context(), `select (select count(*) from caller where mark = $1 and (channel <> '' or
		away_until is null)) + (select count(*) from plan where caller = $1)`,
		d.markOf("caller")).Scan(&kept); err != nil ||
		kept != 0 {
		t.Errorf("%d things are kept of who has left, %v", kept, err)
	}
}

// Whoever makes calls chooses on their own page how they are reminded, and that they are not: what stands there is in
// the form, and who wants no reminder is sent none.
func TestACallerChoosesHowTheyAreReminded(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	d.keeps("caller", anyHour(p, "caller"))
	shown := func() (channel, now string) {
		t.Helper()
		got, status, text := do[callerShown](d, "GET", "/api/callers/me", "")
		if status != http.StatusOK {
			t.Fatal(status, text)
		}
		for _, a := range got.Actions {
			for _, f := range a.Fields {
				if f.Name == "channel" {
					now = strings.Join(f.Now, " ")
				}
			}
		}
		return *got.Channel, now
	}
	if channel, now := shown(); channel != "webhook" || now != schemas.ReminderByWebhook {
		t.Errorf("it shows %q, and the form %q", channel, now)
	}
	d.keeps("caller", `{"channel":"none","address":""}`)
	if channel, now := shown(); channel != "" || now != schemas.ReminderByNothing {
		t.Errorf("after no: %q, and the form %q", channel, now)
	}
	d.active(now)
	d.due("calls")
	d.due("notices")
	if got := p.paged(); len(got) != 0 {
		t.Errorf("reminded: %v", got)
	}
	if _, status, _ := do[callerShown](d, "PUT", "/api/callers/me",
		`{"channel":"email","address":"a@b.example"}`); status !=
		http.StatusBadRequest {
		t.Errorf("a channel that is not set up here: %d", status)
	}
}
