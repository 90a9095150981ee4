package delivery

import (
	"context"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/notify"
	"footbridge/schemas"
)

// Told is where it is told that something did not come to its partner: a channel of libs/notify and an address in it.
type Told struct{ Channel, Address string }

// toAlert has somebody told, by another channel, of what did not come.
func (s *Service) toAlert(tx *flow.Tx, changed []*record) {
	if s.notify == nil || len(s.told) == 0 {
		return
	}
	var ids, journeys, offers []string
	for _, r := range changed {
		for _, offer := range r.untold {
			ids = append(ids, clock.NewOrderedID(tx.Now, len(ids)))
			journeys, offers = append(journeys, r.Journey), append(offers, offer)
		}
		r.untold = nil
	}
	if len(ids) > 0 {
		saveAlerts(tx, ids, journeys, offers, tx.Now)
		tx.AfterCommit(func() { s.wake("alerts") })
	}
}

// alertAgain is after which time one that nobody took is tried again, by how often it was; the last for all that
// follow.
var alertAgain = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// alert tells those who are told, in their order until a server took it, that something did not come to a partner: one
// message for all that waits, about nobody. Its rows stay locked meanwhile; what fails is tried again until it is
// taken.
func (s *Service) alert(ctx context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	if s.notify == nil || len(s.told) == 0 {
		return 0, nil
	}
	var ids []string
	tries := 0
	dueAlerts(tx, limit, tx.Now, func(id string, tried int) { ids, tries = append(ids, id), max(tries, tried) })
	if err := tx.Flush(); err != nil || len(ids) == 0 {
		return 0, err
	}
	message := notify.Message{ID: ids[0], Subject: "Footbridge: a partner is to be rung",
		Text: "Something did not reach a partner. What is to be done stands in your steps.\r\n\r\n" + s.url +
			"/steps\r\n", Type: "delivery.failed", Data: map[string]string{"url": s.url + "/steps"}, At: tx.Now}
	var failure error
	took := slices.ContainsFunc(s.told, func(t Told) bool {
		failure = s.notify.Send(ctx, t.Channel, t.Address, message)
		return failure == nil
	})
	if took {
		saveAlerted(tx, ids, nil, tx.Now)
		return len(ids), tx.Flush()
	}
	again := tx.Now.Add(alertAgain[min(tries, len(alertAgain)-1)])
	saveAlerted(tx, ids, &again, tx.Now)
	tx.AfterCommit(func() {
		s.log.Error("navigators could not be told that something did not reach a partner; it is tried again",
			schemas.AttrRunbook, "mail-stopped.md", schemas.AttrError, failure)
	})
	return len(ids), tx.Flush()
}
