package intake

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

func TestAVisitWithoutAnEndIsWatchedFromItsBeginning(t *testing.T) {
	t.Parallel()
	inScope := reason("248062006", "", "SCT")
	began := newHospital().at.Add(time.Minute)
	for claim, c := range map[string]struct {
		messages func(h *hospital) [][]byte
		reason   string
		from     time.Time
		after    time.Duration
	}{
		"in A&E": {func(h *hospital) [][]byte { return [][]byte{h.message("A04", inScope)} },
			record.ReasonNoEnd, began, record.NoEndAfter},
		"undecided scope": {func(h *hospital) [][]byte {
			return [][]byte{h.message("A04", reason("269735005", "", "SCT"))}
		}, record.ReasonNoEnd, began, record.NoEndAfter},
		"admitted": {func(h *hospital) [][]byte { return [][]byte{ofClass(h.message("A01", inScope), "I")} },
			record.ReasonOnWard, began, record.WardReview},
		"transferred": {func(h *hospital) [][]byte { return [][]byte{h.message("A04", inScope), h.message("A02")} },
			record.ReasonOnWard,
			began.Add(time.Minute), record.NoEndAfter},
		"transferred and admitted": {func(h *hospital) [][]byte {
			return [][]byte{h.message("A04", inScope), ofClass(h.message("A02"), "I")}
		}, record.ReasonOnWard, began.Add(time.Minute), record.WardReview},
		"a transfer undone": {func(h *hospital) [][]byte {
			return [][]byte{h.message("A04", inScope), h.message("A02"), h.message("A12")}
		}, record.ReasonNoEnd, began, record.NoEndAfter},
		"a transfer undone, the other way round": {func(h *hospital) [][]byte {
			first, move, undone := h.message("A04", inScope), h.message("A02"), h.message("A12")
			return [][]byte{undone, move, first}
		}, record.ReasonNoEnd, began, record.NoEndAfter},
		"something else": {func(h *hospital) [][]byte {
			return [][]byte{h.message("A04", reason("22253000", "", "SCT"))}
		}, "", time.Time{}, 0},
		"ended": {func(h *hospital) [][]byte { return [][]byte{h.message("A04", inScope), h.message("A03")} },
			"", time.Time{}, 0},
		"cancelled": {func(h *hospital) [][]byte { return [][]byte{h.message("A04", inScope), h.message("A11")} },
			"", time.Time{}, 0},
		"died": {func(h *hospital) [][]byte {
			return [][]byte{h.message("A04", inScope), deathOn(h.message("A08"))}
		}, "", time.Time{}, 0},
		"the end first": {func(h *hospital) [][]byte { return [][]byte{h.message("A03"), h.message("A04", inScope)} },
			"", time.Time{}, 0},
		"an end undone": {func(h *hospital) [][]byte {
			return [][]byte{h.message("A04", inScope), h.message("A03"), h.message("A13")}
		}, "", time.Time{}, 0},
		"coded only late": {func(h *hospital) [][]byte { return [][]byte{h.message("A04"), h.message("A08", inScope)} },
			record.ReasonNoEnd, began, record.NoEndAfter},
	} {
		w, h := newWard(t), newHospital()
		for _, raw := range c.messages(h) {
			w.take(raw)
		}
		want := record.Watch{Reason: c.reason}
		if c.reason != "" {
			want.At = c.from.Add(c.after)
		}
		if got := w.unit.Visits[0].Watch; !got.Same(want) {
			t.Errorf("%s: watched %+v, want %+v", claim, got, want)
		}
	}
}

func TestAnEndThatNeverComesIsAskedAboutOnceAndAStayAgainAndAgain(t *testing.T) {
	t.Parallel()
	after := record.Waits{NoEnd: record.NoEndAfter, Ward: record.WardReview}
	now := morning
	in := record.Visit{VisitState: record.VisitState{Watch: record.Watch{Reason: record.ReasonNoEnd, At: now}}}
	if !in.Review("m1", false, now, after) || in.Watch.Message != "m1" || !in.Watch.At.IsZero() {
		t.Errorf("in A&E: %+v", in.Watch)
	}
	on := record.Visit{VisitState: record.VisitState{Watch: record.Watch{Reason: record.ReasonOnWard, At: now}}}
	for i, c := range []struct {
		active, asks bool
		message      string
	}{{false, true, "m0"}, {true, false, "m0"}, {false, true, "m2"}} {
		if asks := on.Review(fmt.Sprintf("m%d", i), c.active, now, after); asks != c.asks ||
			on.Watch.Message != c.message || !on.Watch.At.Equal(now.Add(record.WardReview)) {
			t.Errorf("look %d on a ward: %v %+v", i, asks, on.Watch)
		}
		now = now.Add(record.WardReview)
	}
}

// lookAtVisits runs the loop at a time.
func (p *process) lookAtVisits(t testing.TB, now time.Time) {
	t.Helper()
	if err := p.flow.Do(t.Context(), func(tx *flow.Tx) error {
		tx.Now = now
		_, err := p.watchVisits(context.Background(), tx, 100)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// question is the id of the one message of a reason that waits.
func (p *process) question(t testing.TB, reason string) (id string) {
	t.Helper()
	if err := p.site.db.Admin().QueryRow(t.Context(), `select id::text from intake.message
		where outcome = 'quarantined' and reason = $1 and due_at is not null`, reason).Scan(&id); err != nil {
		t.Fatalf("no question %s: %v", reason, err)
	}
	return id
}

func (p *process) waiting(t testing.TB) int {
	t.Helper()
	return p.count(t, `select count(*) from intake.message where outcome = 'quarantined'`)
}

func TestALostEndIsAskedAboutOnceAndTheEndAnswersIt(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, h := p.dial(t), newHospital()
	h.at = p.clock.Now().Add(-2 * time.Hour)
	send(t, client, h.message("A04", reason("248062006", "", "SCT")))
	now := p.clock.Now()
	p.lookAtVisits(t, now.Add(20*time.Hour))
	if p.waiting(t) != 0 {
		t.Fatal("asked before its time")
	}
	for _, hours := range []time.Duration{24, 25, 72} {
		p.lookAtVisits(t, now.Add(hours*time.Hour))
	}
	if p.waiting(t) != 1 {
		t.Fatalf("%d questions, want one", p.waiting(t))
	}
	id := p.question(t, record.ReasonNoEnd)
	if held := p.count(t, `select count(*) from intake.held where journey = '`+id+`'`); held != 1 {
		t.Error("the sentinel does not see it")
	}
	send(t, client, h.message("A03"))
	if p.waiting(t) != 0 {
		t.Error("the end has come and the question stands")
	}
	types, journeys := p.outbox(t)
	expect(t, types, "message.quarantined", "discharge.recorded", "message.released")
	if journeys[id] != 2 {
		t.Errorf("said of the question: %v", journeys)
	}
	p.lookAtVisits(t, now.Add(7*24*time.Hour))
	if p.waiting(t) != 0 {
		t.Error("asked after the end")
	}
}

func TestAHumanSaysWhenSomebodyLeftWhoseEndNeverCame(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, h := p.dial(t), newHospital()
	h.at = p.clock.Now().Add(-30 * time.Hour)
	// undetermined intent
	send(t, client, h.message("A04", visit(44, stamped(h.at.Add(-time.Hour))), reason("269735005", "", "SCT")))
	p.lookAtVisits(t, p.clock.Now())
	path := "/api/messages/" + p.question(t, record.ReasonNoEnd) + "/release"
	left := p.clock.Now().Add(-26 * time.Hour).UTC().Truncate(time.Second)
	p.must(t, http.StatusUnprocessableEntity, guide, "POST", path, "{}")
	for _, at := range []time.Time{p.clock.Now().Add(time.Hour), p.clock.Now().AddDate(-2, 0, 0),
		h.at.Add(-2 * time.Hour)} {
		p.must(t, http.StatusUnprocessableEntity, guide, "POST", path, `{"leftAt":"`+at.UTC().Format(time.RFC3339)+`"}`)
	}
	line := p.must(t, http.StatusOK, guide, "POST", path, `{"leftAt":"`+left.Format(time.RFC3339)+
		`","facts":{"destination":"home"}}`)
	if !strings.Contains(line, `"outcome":"raised`) {
		t.Fatalf("released %s", line)
	}
	var payload string
	if err := p.site.db.Admin().QueryRow(t.Context(), `select payload from intake.outbox
		where payload::text like '%discharge.recorded%'`).Scan(&payload); err != nil {
		t.Fatal(err)
	}
	e, err := flow.Unmarshal([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	d, err := flow.Decode[schemas.DischargeRecordedData](e)
	if err != nil || d.LeftAt == nil || !d.LeftAt.Equal(left) || d.Facts.Destination == nil ||
		*d.Facts.Destination != "home" {
		t.Errorf("said %+v, %v", d, err)
	}
	send(t, client, h.message("A03")) // the lost end, said before the human spoke
	if n := p.count(t, `select count(*) from intake.journey`); n != 1 || p.waiting(t) != 0 {
		t.Errorf("%d journeys, %d waiting", n, p.waiting(t))
	}
}

func TestAStayOnAWardIsAskedAboutEachWeekUntilItEnds(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, h := p.dial(t), newHospital()
	h.at = p.clock.Now().Add(-8 * 24 * time.Hour)
	send(t, client, h.message("A04", reason("248062006", "", "SCT")))
	send(t, client, h.message("A02"))
	now := p.clock.Now()
	p.lookAtVisits(t, now)
	first := p.question(t, record.ReasonOnWard)
	p.lookAtVisits(t, now.Add(7*24*time.Hour+time.Minute)) // it waits still: no second one
	p.must(t, http.StatusOK, guide, "POST", "/api/messages/"+first+"/dismiss", "{}")
	p.lookAtVisits(t, now.Add(7*24*time.Hour+2*time.Minute))
	if p.waiting(t) != 0 {
		t.Error("asked again at once")
	}
	// Two weeks on, without the partitions that this would take:
	if _, err := p.site.db.Admin().Exec(t.Context(), `update intake.visit set look_at = $1`, now); err != nil {
		t.Fatal(err)
	}
	p.lookAtVisits(t, now.Add(time.Minute))
	if second := p.question(t, record.ReasonOnWard); second == first {
		t.Error("not asked again")
	}
	send(t, client, h.message("A03"))
	if p.waiting(t) != 0 {
		t.Error("the stay has ended and the question stands")
	}
}

func TestADeathByDischargeDestinationIsLiftedToo(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, h := p.dial(t), newHospital()
	h.at = p.clock.Now().Add(-3 * time.Hour)
	send(t, client, h.message("A04", reason("248062006", "", "SCT")))
	send(t, client, []byte(strings.Replace(string(h.message("A03")), "||||||||||||||||||||||||||2",
		"|||||||||||||||||79|||||||||2", 1)))
	expect(t, p.ledgerNow(t), "AA joined not-ended", "AA joined death-reported")
	var person string
	if err := p.site.db.Admin().QueryRow(t.Context(),
		`select person::text from intake.visit`).Scan(&person); err != nil {
		t.Fatal(err)
	}
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+person+"/contact-resumed",
		`{"reason":"seen alive by the ward"}`)
	types, _ := p.outbox(t)
	expect(t, types, "discharge.recorded")
}
