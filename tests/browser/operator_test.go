package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"footbridge/libs/clock"
	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// night is a system in which something went wrong in the night and something is slow since a time of the morning.
type night struct {
	*charity
	stuck, visit   string // the message that is stuck, and the visit of another
	journey, late  string // of that visit, and of somebody whose step is past its time
	failing, since time.Time
	london         *time.Location
}

// TestTheMorningOfAnOperator: what an operator is asked when they come in, answered from the console alone: which
// message of 3 a.m. is stuck and why, what became of the discharge of a visit, which partner's endpoint fails since
// when, whether anything is late, and which service is slow since when. What it takes is counted.
func TestTheMorningOfAnOperator(t *testing.T) {
	t.Parallel()
	n := &night{charity: charityOf(t, system.StartWith(t))}
	london, err := time.LoadLocation("Europe/London")
	ok(t, err)
	n.london = london
	n.goesWrong()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			h := &hand{t: t, ctx: open(t, n.browser, way.width), at: "http://" + n.HTTP, width: way.width,
				keys: way.keys, plain: way.plain, seen: map[string]bool{}}
			scripts(t, h.ctx, !way.plain)
			h.signsIn("operator")
			h.opens("operations", `a.nhsuk-header__navigation-link[href="/operations"]`)
			n.stuckMessage(h)
			n.discharge(h)
			n.endpoint(h)
			n.lateness(h)
			n.slowness(h)
			h.signsOut()
		})
	}
}

// stuckMessage: which message of 3 a.m. is stuck, and why?
func (n *night) stuckMessage(h *hand) {
	h.did = counted{}
	h.reads("Messages quarantined for a human")
	h.opens("messages", `tr:has(td) a[href="/messages"]`)
	h.reads("3:00am", "ADT^A03")
	h.opens("message", `tr a[href="/messages/`+n.stuck+`"]`)
	h.within("which message of 3 a.m. is stuck and why", counted{presses: 2, pages: 2})
	h.reads("A message quarantined", "3:00am", "somebody left, but not when")
}

// discharge: what became of the discharge of visit X?
func (n *night) discharge(h *hand) {
	h.opens("messages again", `a.nhsuk-header__navigation-link[href="/messages"]`)
	h.did = counted{}
	h.writes(`#visit`, n.visit)
	h.opens("found", `form[action="/messages/search"] button`)
	h.reads("ADT^A01", "ADT^A03", code(n.journey))
	h.opens("journey", `tr a[href="/journeys/`+n.journey+`"]`)
	h.within("what became of the discharge of a visit", counted{presses: 3, keys: len(n.visit), pages: 2})
	h.reads("How it stands", "What happens next")
}

// endpoint: which partner's endpoint fails, and since when?
func (n *night) endpoint(h *hand) {
	h.did = counted{}
	h.opens("operations again", `a.nhsuk-header__navigation-link[href="/operations"]`)
	h.within("which partner's endpoint fails since when", counted{presses: 1, pages: 1})
	var name string
	n.one(&name, `select name from followup.partner where id = $1::uuid`, n.partner)
	line := read(h.t, h.ctx, chromedp.Evaluate[string](
		`document.querySelector("#partners + table tbody").innerText`))
	for _, want := range []string{name, "Fails", n.failing.In(n.london).Format("3:04pm"), "500"} {
		if !strings.Contains(line, want) {
			h.t.Errorf("the endpoint's line lacks %q: %s", want, line)
		}
	}
}

// lateness: is anything late?
func (n *night) lateness(h *hand) {
	h.did = counted{}
	h.reads("at once.", "Journeys without a next step in time", "Steps past their time")
	h.opens("journeys", `tr:has(td) a[href="/journeys"]`)
	h.within("is anything late", counted{presses: 1, pages: 1})
	h.reads(code(n.late))
}

// slowness: which service is slow since then?
func (n *night) slowness(h *hand) {
	h.did = counted{}
	h.opens("traces", `a.nhsuk-header__navigation-link[href="/traces"]`)
	h.sets(`#day`, n.since.In(n.london).Format(time.DateOnly))
	h.sets(`#from`, n.since.In(n.london).Format("15:04"))
	h.opens("traces since", `#traces-form button`)
	slowest := read(h.t, h.ctx, chromedp.Evaluate[string](
		`document.querySelector('[aria-labelledby="works"] tbody tr').innerText`))
	if !strings.Contains(slowest, schemas.Threshold) {
		h.t.Errorf("the slowest work is %s", slowest)
	}
	h.within("which service is slow since then", counted{presses: 4, keys: 12, pages: 2})
	h.opens("slow work", `[aria-labelledby="works"] tbody tr:first-child a`)
	h.opens("one trace", `[aria-labelledby="found"] tbody tr:first-child a`)
	h.reads(schemas.Threshold)
}

// sets fills in a day or a time: which keys do that is the browser's.
func (h *hand) sets(sel, value string) {
	h.t.Helper()
	h.did.presses++
	h.did.keys += len(strings.NewReplacer("-", "", ":", "").Replace(value))
	if h.keys {
		h.reaches(sel)
	}
	h.does(visible(sel), chromedp.SetValue(sel, value))
}

// goesWrong makes the night: a message is stuck at 3 a.m., somebody is discharged, an endpoint fails, a step is late,
// and a service is slow.
func (n *night) goesWrong() {
	n.t.Helper()
	client, now := n.Dial(), time.Now()
	n.visit = "V" + clock.NewRandomID()[:7]
	n.Send(client, n.message("A01", n.visit))
	n.Send(client, n.message("A03", n.visit))
	n.Send(client, n.message("A03", "V"+clock.NewRandomID()[:7]))
	n.Resolve()
	n.one(&n.journey, `select journey::text from intake.message where outcome like 'raised%' limit 1`)
	here := now.In(n.london)
	atThree := time.Date(here.Year(), here.Month(), here.Day(), 3, 0, 0, 0, n.london)
	if atThree.After(now) {
		atThree = atThree.AddDate(0, 0, -1)
	}
	n.one(&n.stuck, `update intake.message set received_at = $1::timestamptz where outcome like 'quarantined%'
		returning id::text`, atThree)
	n.failing = now.Add(-100 * time.Minute).Truncate(time.Minute)
	n.does(`insert into delivery.subscription (id, partner, url, types, state, because, secret, taken, failing_at,
		next_at, created_at) values ($1::text::uuid, $2::text::uuid, 'https://partner.example/hook', '{}', 'active',
		'status-500', '', 0, $3::timestamptz, $3::timestamptz + interval '1 day', $3::timestamptz - interval '1 day')`,
		clock.NewRandomID(), n.partner, n.failing)
	n.late = n.reported()
	n.does(`with late as (update journey.step set due_at = $2::timestamptz, first_due_at = $2::timestamptz
			where journey = $1::text::uuid)
		update journey.journey set holding_due = $2::timestamptz where id = $1::text::uuid`, n.late, now.Add(-9*time.Hour))
	n.slows()
}

func (n *night) does(statement string, args ...any) {
	n.t.Helper()
	_, err := n.Admin().Exec(n.t.Context(), statement, args...)
	ok(n.t, err)
}

// slows holds up threshold for some seconds, while somebody is discharged: a lock in its database.
func (n *night) slows() {
	n.t.Helper()
	n.since = time.Now()
	tx, err := n.Admin().Begin(n.t.Context())
	ok(n.t, err)
	_, err = tx.Exec(n.t.Context(), `lock table threshold.journey_state in access exclusive mode`)
	ok(n.t, err)
	journey := n.asked()
	system.Eventually(n.t, func() error {
		var waits bool
		err := n.Admin().QueryRow(n.t.Context(), `select exists (select from pg_stat_activity where
			usename like '%threshold' and wait_event_type = 'Lock'
				and now() - query_start > interval '4 seconds')`).Scan(&waits)
		if err == nil && !waits {
			err = fmt.Errorf("threshold does not wait for %s", journey)
		}
		return err
	})
	ok(n.t, tx.Rollback(n.t.Context()))
	n.Resolve()
	system.Eventually(n.t, func() error { // spans are handed over a little later
		got := n.Ask(schemas.Operator, http.MethodGet, "/api/traces?service="+schemas.Threshold+"&least=3000", "", nil)
		var found struct{ Items []any }
		if err := json.Unmarshal(got.Body, &found); err != nil || len(found.Items) == 0 {
			return fmt.Errorf("no slow work of threshold is kept: %d %s %v", got.Status, got.Body, err)
		}
		return nil
	})
}

// asked reports that somebody has left, without waiting for what follows.
func (n *night) asked() string {
	n.t.Helper()
	id, now := clock.NewRandomID(), time.Now()
	got := n.must(n.AskWith(system.Token(schemas.System), http.MethodPost, "/events", "application/cloudevents+json",
		[]byte(fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"care.footbridge.discharge.reported.v1",
		"time":%q,"datacontenttype":"application/json","data":{"organisation":"RXX","visit":"V%[4]s","inScope":true,
		"leftAt":%[5]q,"person":{"localId":"L%[4]s"},"facts":{"destination":"home"}}}`, id, system.HospitalSource,
			now.Format(time.RFC3339), id[:8], now.Add(-time.Hour).Format(time.RFC3339)))), http.StatusAccepted)
	var answer struct{ Journey string }
	ok(n.t, json.Unmarshal(got.Body, &answer))
	return answer.Journey
}

func (n *night) reported() string {
	n.t.Helper()
	journey := n.asked()
	n.Resolve()
	return journey
}

// message is one of a hospital's for somebody who has harmed themselves. One of another visit than the test's does not
// say when they left.
func (n *night) message(trigger, visit string) []byte {
	at := time.Now().Add(-time.Hour)
	stamp := at.In(n.london).Format("20060102150405")
	w := hl7.NewWriter(hl7.Header{SendingApplication: "NIGHT", SendingFacility: "RXX", Type: "ADT", Trigger: trigger,
		ControlID: clock.NewRandomID()[:8], At: at, ProcessingID: "P", Version: "2.4"})
	if visit != n.visit {
		stamp = ""
	}
	w.Segment("EVN").Set(1, trigger).Set(2, stamp)
	w.Segment("PID").Set(3, "N"+visit, "", "", "RXX", "MR").Set(5, "Examplewood", "Rowan").Set(7, "19900203")
	w.Segment("PV1").Set(2, "E").Set(19, visit)
	if trigger == "A03" {
		w.Set(45, stamp)
	}
	w.Segment("PV2").Set(3, "248062006", "Self-harm", "SCT")
	return w.Bytes()
}
