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
	dueSteps(tx, tx.Now, limit, tx.Aside(), func(found []Step) {
		steps = found
		for _, step := range found {
			tx.Take(step.ID)
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
