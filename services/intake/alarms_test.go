package intake

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/testkit"
	"footbridge/services/intake/reading"
)

// weeksOf makes hours of a feed: 12 messages an hour by day, 2 at night, 4 at weekends, with a share of triggers.
func weeksOf(days int, until time.Time) []feedHour {
	var hours []feedHour
	rate := reading.Rhythm{Day: 12, Night: 2, Weekend: 4}
	for at := until.AddDate(0, 0, -days); at.Before(until); at = at.Add(time.Hour) {
		n := int64(rate.Rate(at, london))
		hours = append(hours, feedHour{Hour: at, Messages: n, Ends: n, Triggers: n / 4,
			LastAt: at.Add(59 * time.Minute)})
	}
	return hours
}

func TestSilenceIsMeasuredAgainstTheNightAndTheWeekend(t *testing.T) {
	t.Parallel()
	agreed := reading.Rhythm{Day: 12, Night: 1, Weekend: 3, QuietFor: 2 * time.Hour}
	tuesdayNight := time.Date(2026, 11, 17, 22, 0, 0, 0, time.UTC)
	tuesdayNoon := time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC)
	saturday := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for claim, c := range map[string]struct {
		last time.Time
		gap  time.Duration
		want bool
	}{
		"an hour by day is none":          {tuesdayNoon, time.Hour, false},
		"two hours by day are one":        {tuesdayNoon, 2 * time.Hour, true},
		"eight hours of night are none":   {tuesdayNight, 8 * time.Hour, false},
		"the night and a morning are one": {tuesdayNight, 11 * time.Hour, true},
		"three hours on Saturday, none":   {saturday, 3 * time.Hour, false},
		"four hours on Saturday are one":  {saturday, 4 * time.Hour, true},
	} {
		f := feed{Hours: []feedHour{{Hour: c.last.Truncate(time.Hour), Messages: 1, LastAt: c.last}}}
		if got := slices.Contains(alarms(f, agreed, c.last.Add(c.gap), london), ReasonSilent); got != c.want {
			t.Errorf("%s: %v", claim, got)
		}
	}
}

func TestAFeedsOwnPastIsItsRhythmWhereNoneIsAgreed(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC)
	if got := alarms(feed{Hours: weeksOf(21, until)}, reading.Rhythm{}, until.Add(3*time.Hour),
		london); !slices.Contains(got, ReasonSilent) {
		t.Errorf("three hours by day of a feed of 12 an hour: %v", got)
	}
	if got := alarms(feed{Hours: weeksOf(21, until)}, reading.Rhythm{}, until.Add(time.Hour), london); len(got) != 0 {
		t.Errorf("one hour: %v", got)
	}
	if got := alarms(feed{Hours: weeksOf(2, until)[:24]}, reading.Rhythm{}, until, london); len(got) != 0 {
		t.Errorf("a feed of one day has no past: %v", got)
	}
}

func TestTriggersThatFallAgainstTheSendersOwnPastAreAnAlarm(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC)
	steady, fallen, seldom := weeksOf(35, now), weeksOf(35, now), weeksOf(35, now)
	for i := range fallen {
		if fallen[i].Hour.After(now.AddDate(0, 0, -7)) {
			fallen[i].Triggers = 0
		}
		seldom[i].Triggers = 0
	}
	for claim, c := range map[string]struct {
		hours []feedHour
		want  bool
	}{"steady": {steady, false}, "fallen to none": {fallen, true}, "never any": {seldom, false}} {
		if got := falling(c.hours, now); got != c.want {
			t.Errorf("%s: %v", claim, got)
		}
	}
}

// watch looks at the feeds as the loop does.
func (p *process) watch(t *testing.T, now time.Time) {
	t.Helper()
	err := p.flow.Do(t.Context(), func(tx *flow.Tx) error {
		tx.Now = now
		_, err := p.watchFeeds(t.Context(), tx, 64)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestASilentFeedOpensAStepThatItsReturnEnds(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.profiles.Fallback.Rhythm = reading.Rhythm{Day: 20, Night: 20, Weekend: 20, QuietFor: 10 * time.Minute}
	client, h := p.dial(t), newHospital()
	send(t, client, h.message("A04"))
	for range fewestUnknown {
		send(t, client, h.message("A08", diagnosis("AB12", "", "OURS")))
	}
	now := p.clock.Now()
	p.watch(t, now)
	p.watch(t, now.Add(3*time.Hour))
	p.watch(t, now.Add(4*time.Hour)) // raised once
	expect(t, p.setAside(t), "quarantined feed-silent", "quarantined unknown-codes")
	h.number = "V2"
	send(t, client, h.message("A04"))
	p.watch(t, p.clock.Now())
	expect(t, p.setAside(t), "ignored feed-is-back", "quarantined unknown-codes")
	types, _ := p.outbox(t)
	slices.Sort(types)
	expect(t, types, "message.quarantined", "message.quarantined", "message.released")
}

func TestAFeedThatIsSilentAfterOurOwnLongStopIsAnAlarm(t *testing.T) {
	t.Parallel()
	for claim, away := range map[string]time.Duration{"45 days": 45 * 24 * time.Hour,
		"100 days": 100 * 24 * time.Hour} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			p.profiles.Fallback.Rhythm = reading.Rhythm{Day: 20, Night: 20, Weekend: 20, QuietFor: 10 * time.Minute}
			now := p.clock.Now()
			err := p.flow.Do(t.Context(), func(tx *flow.Tx) error {
				tx.Queue(`insert into feed_hour (organisation, sender, hour, messages, ends, triggers, unknown, last_at)
					select 'RXX', 'FEED', date_trunc('hour', $1::timestamptz) - make_interval(hours => n), 20, 20, 5,
					0, $1::timestamptz - make_interval(hours => n)
					from generate_series(0, 500) n`, now.Add(-away))
				forgetFeeds(tx, now.Add(-2*feedMemory))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			p.watch(t, now)
			expect(t, p.setAside(t), "quarantined feed-silent")
		})
	}
}

func TestWhatCameInTheLastMinuteBeforeAStopIsCounted(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.profiles.Fallback.Rhythm = reading.Rhythm{Day: 20, Night: 20, Weekend: 20, QuietFor: 10 * time.Minute}
	client, h := p.dial(t), newHospital()
	send(t, client, h.message("A04")) // nobody looks at the feeds before the stop
	p.watch(t, p.clock.Now().Add(26*time.Hour))
	expect(t, p.setAside(t), "quarantined feed-silent")
}

func TestAnAlarmThatSomebodyDismissedIsReleasedOnce(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.profiles.Fallback.Rhythm = reading.Rhythm{Day: 20, Night: 20, Weekend: 20, QuietFor: 10 * time.Minute}
	client, h := p.dial(t), newHospital()
	send(t, client, h.message("A04"))
	now := p.clock.Now()
	p.watch(t, now)
	p.watch(t, now.Add(3*time.Hour))
	navigator := httptest.NewServer(p.mux("navigator", ""))
	t.Cleanup(navigator.Close)
	var list httpx.List[LedgerLine]
	call(t, http.MethodGet, navigator.URL+"/api/messages?outcome=quarantined", http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].Reason != ReasonSilent {
		t.Fatalf("quarantined: %+v", list.Items)
	}
	call(t, http.MethodPost, navigator.URL+"/api/messages/"+list.Items[0].ID+"/dismiss", http.StatusOK, nil)
	h.number = "V2"
	send(t, client, h.message("A04"))
	p.watch(t, p.clock.Now())
	expect(t, p.setAside(t), "ignored dismissed")
	types, _ := p.outbox(t)
	slices.Sort(types)
	expect(t, types, "message.quarantined", "message.released")
	p.watch(t, p.clock.Now().Add(3*time.Hour)) // the dismissed one is over: silence is an alarm again
	expect(t, p.setAside(t), "ignored dismissed", "quarantined feed-silent")
}

// setAside is what the ledger shows of alarms.
func (p *process) setAside(t *testing.T) (lines []string) {
	t.Helper()
	rows, err := p.site.db.Admin().Query(t.Context(), `select outcome || ' ' || reason from intake.message
		where door = 'alarm' order by type`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestReceiptsAreKeptForAsLongAsSendersResendAndNoLonger(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	site.clock = testkit.ClockFrom(evening.AddDate(-3, 0, 0)) // the database keeps what is young by its own clock
	p := site.start()
	client, h := p.dial(t), newHospital()
	h.at = h.at.AddDate(-3, 0, 0)
	send(t, client, h.message("A04"))
	forget := func(days int) (receipts int) {
		err := p.flow.Do(t.Context(), func(tx *flow.Tx) error {
			tx.Now = tx.Now.AddDate(0, 0, days)
			_, err := p.forget(t.Context(), tx, 10)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.site.db.Admin().QueryRow(t.Context(),
			`select count(*) from intake.receipt`).Scan(&receipts); err != nil {
			t.Fatal(err)
		}
		return receipts
	}
	if n := forget(59); n != 1 || len(p.ledgerNow(t)) != 1 {
		t.Errorf("after 59 days %d receipts", n)
	}
	if n := forget(61); n != 0 || len(p.ledgerNow(t)) != 1 {
		t.Errorf("after 61 days %d receipts, ledger %v", n, p.ledgerNow(t))
	}
	if n := forget(402); n != 0 || len(p.ledgerNow(t)) != 0 {
		t.Errorf("after 402 days the ledger holds %v", p.ledgerNow(t))
	}
}

func TestManyFeedsAreLookedAtInOneOrder(t *testing.T) {
	t.Parallel()
	feeds := map[feedKey]*feed{}
	for i := range 5 {
		feeds[feedKey{"RXX", fmt.Sprint(5 - i)}] = &feed{Sender: fmt.Sprint(5 - i)}
	}
	var order []string
	for _, f := range sortedFeeds(feeds) {
		order = append(order, f.Sender)
	}
	expect(t, order, "1", "2", "3", "4", "5")
}
