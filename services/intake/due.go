package intake

import (
	"context"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// Due are intake's loops by time: the ledger's days are made ahead and dropped after their time, by the system's
// clock, and feeds are watched.
func (s *Service) Due() []flow.Due {
	return []flow.Due{
		{Name: "ledger-days", Every: time.Minute, Limit: 1, Run: func(ctx context.Context, _ *flow.Tx, _ int) (int,
			error) {
			return 0, s.makePartitions(ctx)
		}},
		{Name: "ledger-old", Every: 10 * time.Minute, Limit: forgetAtOnce, Run: s.forget},
		{Name: "visits-without-end", Every: 10 * time.Second, Limit: 100, Run: s.watchVisits},
		{Name: "feeds", Every: s.watchEvery, Limit: 64, Run: s.watchFeeds},
	}
}

// feedMemory is how far back a feed's own past counts.
const feedMemory = 35 * 24 * time.Hour

// watchFeeds counts what came in the last hours, and opens and ends alarms. Processes that run it at once wait for
// one another, and the second finds nothing to change.
func (s *Service) watchFeeds(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	unknown := s.unknownSoFar()
	tx.AfterCommit(func() { s.haveCounted(unknown) })
	lockAlarms(tx)
	since := tx.Now.Add(-2 * feedMemory)
	newestFeedHour(tx, &since)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	if awake := tx.Now.Add(-2 * time.Hour).Truncate(time.Hour); awake.Before(since) {
		since = awake
	}
	countFeeds(tx, since, unknown)
	feeds := map[feedKey]*feed{}
	loadFeeds(tx, feeds)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	var changes []alarmChange
	aside := tx.Postponed()
	for _, f := range sortedFeeds(feeds) {
		row := f.Organisation + " " + f.Sender
		if slices.Contains(aside, row) || len(changes) == limit {
			continue
		}
		change := compareAlarms(*f, alarms(*f, s.profiles.For(f.Sender).Rhythm, tx.Now, s.zone))
		if len(change.opened)+len(change.ended) > 0 {
			tx.Attempt(row)
			changes = append(changes, change)
		}
	}
	return len(changes), s.raiseAlarms(tx, changes)
}

// watchVisits asks about visits that have no end, and looks again at stays on a ward.
func (s *Service) watchVisits(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var found []watchedVisit
	lockWatched(tx, tx.Now, limit, &found)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	job := newTransaction(s, nil)
	var organisations []string
	for _, one := range found {
		organisations = append(organisations, one.Organisation)
	}
	if err := loadHomes(tx, organisations, job.unit); err != nil {
		return 0, err
	}
	for _, one := range found {
		job.change(one.Visit)
		if one.deceased {
			one.Watch = record.Watch{} // contact has stopped; lifting that looks at the visit again
			continue
		}
		a := &inboundMessage{Reading: reading.Reading{Organisation: one.Organisation, Type: one.Watch.Reason},
			id:       clock.NewID(tx.Now),
			endpoint: record.EndpointAlarm, received: tx.Now, dueAt: tx.Now.Add(s.quarantineFor),
			outcome: outcome{visit: one.ID, person: one.Person}}
		if one.IsNumbered() {
			a.ControlID = one.Number // by which staff find the visit, where it has the shape of a code
		}
		if err := s.showHeader(a); err != nil {
			return 0, err
		}
		if !one.Review(a.id, one.active, tx.Now, s.waits) {
			continue
		}
		a.result = Result{Message: a.id, Outcome: record.Quarantined, Reason: one.Watch.Reason}
		job.rows = append(job.rows, a)
		job.emit(tx, record.Quarantine(a.id, job.unit.HomeOf(a.Organisation), one.Watch.Reason, a.dueAt).Emissions)
	}
	return len(found), job.end(tx)
}

func (s *Service) raiseAlarms(tx *flow.Tx, changes []alarmChange) error {
	job := newTransaction(s, nil)
	var over, ended, organisations []string
	for _, change := range changes {
		organisations = append(organisations, change.Organisation)
	}
	if err := loadHomes(tx, organisations, job.unit); err != nil {
		return err
	}
	for _, change := range changes {
		for _, kind := range change.opened {
			a := &inboundMessage{Reading: reading.Reading{Organisation: change.Organisation, Sender: change.Sender,
				Type: kind}, id: clock.NewID(tx.Now),
				endpoint: record.EndpointAlarm, received: tx.Now, dueAt: tx.Now.Add(s.quarantineFor)}
			a.result = Result{Message: a.id, Outcome: record.Quarantined, Reason: kind}
			storeAlarm(tx, a)
			job.rows = append(job.rows, a)
			job.emit(tx, record.Quarantine(a.id, job.unit.HomeOf(a.Organisation), kind, a.dueAt).Emissions)
			tx.AfterCommit(func() {
				s.log.Warn("a feed needs a look", schemas.AttrReason, kind, schemas.AttrMessage, a.id)
			})
		}
		over = append(over, change.ended...)
	}
	endAlarms(tx, over, tx.Now, &ended)
	if err := tx.Flush(); err != nil {
		return err
	}
	for _, id := range ended { // of one that somebody dismissed, that was said then
		job.emit(tx, []record.Emission{emitReleased(id)})
	}
	return job.end(tx)
}
