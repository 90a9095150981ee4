package journey

import (
	"context"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
)

// addOwners finds steps past their due time and adds who must look after them as well. After downtime of any length
// each step is found once at each level.
func (s *Service) addOwners(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var steps []Step
	dueSteps(tx, tx.Now, limit, tx.Postponed(), func(found []Step) {
		steps = found
		for _, step := range found {
			tx.Attempt(step.ID)
		}
	})
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	return len(steps), s.escalate(tx, tx.Now, steps)
}

func (s *Service) escalate(q queuer, now time.Time, steps []Step) error {
	lookAt := make([]time.Time, len(steps))
	for i := range steps {
		steps[i].Added, steps[i].Level, lookAt[i] = overdue(steps[i], s.owners, now, calendar.England(), s.zone)
	}
	return changeOwners(q, steps, lookAt)
}

// holdTogether holds each journey of a person while another one of theirs is held, in whatever order holds and merges
// came, and releases it with that, or when the records turn out to be two people's.
func (s *Service) holdTogether(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var pairs []pair
	dueTogether(tx, limit, tx.Postponed(), func(found []pair) { pairs = found })
	if err := tx.Flush(); err != nil || len(pairs) == 0 {
		return 0, err
	}
	records := map[string]*record{}
	var ids []string
	for _, p := range pairs {
		tx.Attempt(p.Journey)
		ids = append(ids, p.Journey)
		if p.With != "" {
			ids = append(ids, p.With)
		}
	}
	lock(tx, ids, records)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	w := writes{owners: s.owners, zone: s.zone, now: tx.Now}
	done := map[string]bool{}
	for _, p := range pairs {
		if done[p.Journey] {
			continue
		}
		done[p.Journey] = w.together(records[p.Journey], records[p.With])
	}
	for _, e := range w.emissions {
		tx.Emit(e)
	}
	return len(pairs), w.store(tx)
}

// together brings one journey in line with another one of the same person that is held, or with none. Under the lock
// either may differ from when they were found.
func (w *writes) together(r, held *record) (changed bool) {
	switch {
	case r == nil || r.State == journeyClosed:
		return false
	case held == nil:
		if r.JourneyState.onHoldWith() == nil {
			return false
		}
		w.releaseAs(r, "events")
	case held.State != journeyOnHold || held.JourneyState.onHoldWith() != nil:
		return false
	case r.State == journeyOnHold &&
		(r.JourneyState.onHoldWith() == nil || r.JourneyState.Hold.ReviewOn == held.JourneyState.Hold.ReviewOn):
		return false
	default:
		hold := *held.JourneyState.Hold
		hold.With = held.ID
		w.holdAs(r, hold, "events")
	}
	return true
}
