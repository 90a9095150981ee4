package bridging

import (
	"context"
	"fmt"
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

// remind tells callers of their calls, a day ahead and when they are due, and marks those that are late. A call that was
// cancelled, ended or moved has no such time any more.
func (s *Service) remind(ctx context.Context, tx *flow.Tx, limit int) (int, error) {
	var found []reminder
	dueCalls(tx, tx.Now, limit, tx.Postponed(), func(r reminder) {
		found = append(found, r)
		tx.Attempt(r.call)
	})
	if err := tx.Flush(); err != nil || len(found) == 0 {
		return 0, err
	}
	var ids []string
	var stages []int32
	var nexts []*time.Time
	var lates []bool
	for _, r := range found {
		stage, next := remindAt(r.due, tx.Now)
		ids, stages, nexts, lates = append(ids, r.call), append(stages, int32(stage)), append(nexts, next), append(lates, stage == stageLate)
		if r.channel != "" && stage > r.stage {
			tx.AfterCommit(func() { s.tellCaller(ctx, r, stage, tx.Now) })
		}
	}
	saveReminders(tx, ids, stages, nexts, lates)
	return len(found), nil
}

// tellCaller sends a reminder, which says that a call waits, when, and where; it is no promise that it arrives.
func (s *Service) tellCaller(ctx context.Context, r reminder, stage int, now time.Time) {
	text := map[int]string{stageAhead: "A call is planned for %s.", stageDue: "A call is due now (%s).", stageLate: "A call is late: it was planned for %s."}[stage]
	err := s.notify.Send(context.WithoutCancel(ctx), r.channel, r.address, notify.Message{ID: fmt.Sprintf("%s-%d", r.call, stage), Subject: "Footbridge: a call waits",
		Text: fmt.Sprintf(text, r.due.In(s.zone).Format("15:04 on Monday 2 January")) + "\r\n\r\n" + s.url + "/calls\r\n", Type: "call.waits", Data: map[string]string{"url": s.url + "/calls"}, At: now})
	if err != nil {
		s.log.Warn("a caller could not be reminded; the call stands on their list", schemas.AttrRunbook, "help.md", "error", err.Error())
	}
}

// lookAtPlans lets plans go on whose pause has ended, and asks for those to be looked at with the person that are half a
// year old.
func (s *Service) lookAtPlans(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	today := calendar.DayOf(tx.Now, s.zone)
	var journeys []string
	duePlans(tx, today.String(), limit, tx.Postponed(), func(journey string) {
		journeys = append(journeys, journey)
		tx.Attempt(journey)
	})
	if err := tx.Flush(); err != nil || len(journeys) == 0 {
		return 0, err
	}
	records := store.Load(tx, journeys)
	if err := tx.Flush(); err != nil {
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
