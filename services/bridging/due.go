package bridging

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/notify"
	"footbridge/schemas"
)

// Due are the loops over what falls due by time.
func (s *Service) Due() []flow.Due {
	return []flow.Due{{Name: "help-waits", Every: time.Second, Limit: 64, Run: s.unacknowledged},
		{Name: "pages", Every: time.Second, Limit: 16, Run: s.leftPages},
		{Name: "calls", Every: time.Second, Limit: 256, Run: s.remind},
		{Name: "notices", Every: time.Second, Limit: 32, Run: s.sendNotices},
		{Name: "channels", Every: 30 * time.Second, Limit: 1, Run: s.alarmOfChannels},
		{Name: "partners", Every: time.Second, Limit: 64, Run: s.giveOn},
		{Name: "plans", Every: time.Minute, Limit: 64, Run: s.lookAtPlans}}
}

// lateAfter is how long after its time a call without an outcome is late.
const lateAfter = 2 * time.Hour

// stage is how far reminding about a call has come.
const (
	stageAhead = 1 // reminded a day ahead
	stageDue   = 2 // reminded that it is due
	stageLate  = 3 // shown as late
)

// remindAt says what is to be done about a call that is due to be looked at, and when it is next. After downtime of any
// length there is one reminder, of how it stands now.
func remindAt(due, now time.Time) (stage int, next *time.Time) {
	late := due.Add(lateAfter)
	switch {
	case now.Before(due):
		return stageAhead, &due
	case now.Before(late):
		return stageDue, &late
	}
	return stageLate, nil
}

// kinds of notices by stage.
var noticeOf = map[int]string{stageAhead: noticeAhead, stageDue: noticeDue, stageLate: noticeLate}

// remind writes down what callers are to be told of their calls, a day ahead and when they are due, and marks those
// that are late. A call that was cancelled, ended or moved has no such time any more.
func (s *Service) remind(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var found []callOpen
	var teams []string
	dueCalls(tx, tx.Now, limit, tx.Postponed(), func(c callOpen) {
		found, teams = append(found, c), append(teams, c.team)
		tx.Attempt(c.id)
	})
	if err := tx.Flush(); err != nil || len(found) == 0 {
		return 0, err
	}
	var callers []Caller
	callersOf(tx, teams, func(c Caller) { callers = append(callers, c) })
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	var told []Notice
	var ids []string
	var stages []int32
	var nexts []time.Time
	var late []string
	for _, c := range found {
		stage, next := remindAt(c.due, tx.Now)
		if next == nil {
			late = append(late, c.id)
		} else {
			ids, stages, nexts = append(ids, c.id), append(stages, int32(stage)), append(nexts, *next)
		}
		if stage > c.stage {
			told = append(told, c.notices(noticeOf[stage], callers, tx.Now, s.zone)...)
		}
	}
	saveReminders(tx, ids, stages, nexts, late)
	storeNotices(tx, told, tx.Now)
	return len(found), nil
}

// sendNotices hands over what callers are to be told, and tries again what no server took. The rows stay locked
// meanwhile, so that two replicas never send one at the same time.
func (s *Service) sendNotices(ctx context.Context, tx *flow.Tx, limit int) (int, error) {
	var all, sent []noticeWaiting
	dueNotices(tx, tx.Now, calendar.DayOf(tx.Now, s.zone).String(), limit,
		func(n noticeWaiting) { all = append(all, n) })
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	for _, n := range all {
		if n.holds {
			sent = append(sent, n)
		} else {
			saveNotice(tx, n.id, "over", n.tries, nil, tx.Now)
		}
	}
	took := map[string]bool{}
	for i, err := range s.sendAll(ctx, sent, tx.Now) {
		n := sent[i]
		took[n.channel] = took[n.channel] || err == nil
		if err == nil {
			saveNotice(tx, n.id, "told", n.tries+1, nil, tx.Now)
			continue
		}
		again := noticeAgain(n.tries, tx.Now)
		saveNotice(tx, n.id, "waiting", n.tries+1, &again, tx.Now)
		s.log.Warn("a caller could not be told of a call; it stands on their list, and is tried again",
			schemas.AttrRunbook, "help.md", "error", "by "+n.channel+": "+err.Error())
	}
	markChannels(tx, took, tx.Now)
	return len(all), nil
}

// markChannels notes by which of the channels that were tried something was handed over.
func markChannels(tx *flow.Tx, took map[string]bool, now time.Time) {
	for _, channel := range slices.Sorted(maps.Keys(took)) {
		markChannel(tx, channel, took[channel], now)
	}
}

var noticeText = map[string]string{noticeAhead: "A call is planned for %s.", noticeDue: "A call is due now (%s).",
	noticeLate:     "A call is late: it was planned for %s.",
	noticeHandedOn: "Somebody of your team cannot make a call, and you are asked to: it is planned for %s."}

// sendAll hands notices over, all at once, and says how each went. One says that a call waits, when, and where.
func (s *Service) sendAll(ctx context.Context, all []noticeWaiting, now time.Time) []error {
	results := make([]error, len(all))
	var sending sync.WaitGroup
	for i, n := range all {
		sending.Go(func() {
			results[i] = s.notify.Send(ctx, n.channel, n.address,
				notify.Message{ID: n.id, Subject: "Footbridge: a call waits",
					Text: fmt.Sprintf(noticeText[n.kind], n.due.In(s.zone).Format("15:04 on Monday 2 January")) +
						"\r\n\r\n" + s.url + "/calls\r\n",
					Type: "call.waits", Data: map[string]string{"url": s.url + "/calls"}, At: now})
		})
	}
	sending.Wait()
	return results
}

// alarmOfChannels says aloud that nothing can be handed over by a channel, until something was.
func (s *Service) alarmOfChannels(_ context.Context, tx *flow.Tx, _ int) (int, error) {
	alarmChannels(tx, tx.Now, func(channel string, since time.Time) {
		tx.AfterCommit(func() {
			s.log.Error("nothing can be handed over by a channel; those on call and callers are not told by it",
				schemas.AttrRunbook, "help.md",
				"error", fmt.Sprintf("by %s since %s", channel, since.In(s.zone).Format(time.RFC3339)))
		})
	})
	return 0, tx.Flush()
}

// loadFound loads the journeys that find queues the reading of, as a loop attempts them.
func loadFound(tx *flow.Tx, find func(each func(journey string))) (journeys []string, records map[string]*record,
	err error) {
	find(func(journey string) {
		journeys = append(journeys, journey)
		tx.Attempt(journey)
	})
	if err := tx.Flush(); err != nil || len(journeys) == 0 {
		return nil, nil, err
	}
	records = store.Load(tx, journeys)
	return journeys, records, tx.Flush()
}

// giveOn has the calls of partners that may not ring any more made by somebody else: their agreement has ended or was
// ended, or outward sending is off. It lets plans go on for which nobody could ring and somebody may again.
func (s *Service) giveOn(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	journeys, records, err := loadFound(tx, func(each func(journey string)) {
		plansToGiveOn(tx, calendar.DayOf(tx.Now, s.zone).String(), limit, tx.Postponed(), each)
	})
	if err != nil || len(journeys) == 0 {
		return 0, err
	}
	return len(journeys), s.commit(tx, slices.Collect(maps.Values(records)))
}

// lookAtPlans lets plans go on whose pause has ended, and asks for those to be looked at with the person that are half
// a year old.
func (s *Service) lookAtPlans(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	today := calendar.DayOf(tx.Now, s.zone)
	journeys, records, err := loadFound(tx, func(each func(journey string)) {
		duePlans(tx, today.String(), limit, tx.Postponed(), each)
	})
	if err != nil || len(journeys) == 0 {
		return 0, err
	}
	var changed []*record
	for _, journey := range journeys {
		r := records[journey]
		if r.Plan == nil {
			continue
		}
		if r.Plan.Started && r.State.Agreed.reviewOn(r.Plan.Anchor) <= today {
			r.State.Agreed.ReviewedOn = today.String()
			r.emit(schemas.BridgingReview, schemas.BridgingReviewData{Plan: r.Plan.ID, On: today.String()})
		}
		changed = append(changed, r)
	}
	return len(journeys), s.commit(tx, changed)
}
