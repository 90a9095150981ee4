package delivery

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Due is what falls due by time: offers that have not come to their partners, what goes to endpoints, and endpoints
// that are new.
func (s *Service) Due() []flow.Due {
	return []flow.Due{
		{Name: "untold", Every: time.Second, Limit: 200, Run: s.untold},
		{Name: "take", Every: 500 * time.Millisecond, Limit: 100, Run: s.take},
		{Name: "webhooks", Every: 500 * time.Millisecond, Limit: soundSlots, Run: s.dispatch},
		{Name: "handshakes", Every: time.Second, Limit: 8, Run: s.handshakes},
	}
}

// untold has a human tell partners of offers that did not come to them in time.
func (s *Service) untold(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	found := map[string][]string{} // offers by journey
	untoldOffers(tx, tx.Now, limit, tx.Postponed(),
		func(offer, journey string) { found[journey] = append(found[journey], offer); taken++ })
	if err := tx.Flush(); err != nil || taken == 0 {
		return taken, err
	}
	return taken, s.change(tx, found, func(r *record, id string, o *Offer) {
		if !o.known() {
			fail(r, id, o)
		}
	})
}

// fail says, once, that something about an offer did not come to its partner in time.
func fail(r *record, id string, o *Offer) {
	if !o.Failed {
		o.Failed = true
		r.Emit(string(schemas.DeliveryFailed), schemas.DeliveryFailedData{Offer: id, Partner: o.Partner})
	}
}

// change changes offers, named by their journeys, and commits what follows. From then on nobody waits for them to come.
func (s *Service) change(tx *flow.Tx, offers map[string][]string, change func(r *record, id string, o *Offer)) error {
	var journeys, ids []string
	for journey, some := range offers {
		journeys, ids = append(journeys, journey), append(ids, some...)
	}
	records := map[string]*record{}
	store.Lock(tx, records, tx.Attempt, `where s.journey = any($1::uuid[]) order by s.journey for update of s`,
		journeys)
	if err := tx.Flush(); err != nil {
		return err
	}
	var changed []*record
	for journey, r := range records {
		for _, id := range offers[journey] {
			if o := r.State.Offers[id]; o != nil {
				change(r, id, o)
			}
		}
		changed = append(changed, r)
	}
	if err := s.handler().Command(tx, changed...); err != nil {
		return err
	}
	toldOffers(tx, ids)
	return nil
}

// made says that offers have come to their partner, by journey, and how; once.
func (s *Service) made(tx *flow.Tx, offers map[string][]string, how string) error {
	return s.change(tx, offers, func(r *record, id string, o *Offer) {
		if o.make(how) {
			r.Emit(string(schemas.DeliveryMade), schemas.DeliveryMadeData{Offer: id, Partner: o.Partner, How: how})
		}
	})
}

// rowsOf gives each offer with its journey.
func rowsOf(rows pgx.Rows, each func(offer, journey string)) error {
	var offer, journey string
	_, err := pgx.ForEachRow(rows, []any{&offer, &journey}, func() error {
		each(offer, journey)
		return nil
	})
	return err
}
