package delivery

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Due is what falls due by time: offers, and what was told of them since, that have not come to their partners, what
// goes to endpoints, and endpoints that are new.
func (s *Service) Due() []flow.Due {
	return []flow.Due{
		{Name: "untold", Every: time.Second, Limit: 200, Run: s.untold},
		{Name: "late", Every: time.Second, Limit: 200, Run: s.late},
		{Name: "take", Every: 500 * time.Millisecond, Limit: 100, Run: s.take},
		{Name: "webhooks", Every: 500 * time.Millisecond, Limit: soundSlots, Run: s.dispatch},
		{Name: "handshakes", Every: time.Second, Limit: 8, Run: s.handshakes},
		{Name: "links", Every: time.Hour, Limit: 500, Run: s.endLinks},
		{Name: "mails-made", Every: 500 * time.Millisecond, Limit: 100, Run: s.makeMails},
		{Name: "mails", Every: 500 * time.Millisecond, Limit: mailSlots, Run: s.sendMails},
		{Name: "mails-left", Every: time.Minute, Limit: 500, Run: s.endLeft},
		{Name: "texts", Every: time.Second, Limit: textsAtOnce, Run: s.sendTexts},
		{Name: "texts-kept", Every: time.Hour, Limit: 500, Run: s.forgetTexts},
		{Name: "broker", Every: 500 * time.Millisecond, Limit: 1, Run: s.publish},
		{Name: "broker-kept", Every: 2 * time.Second, Limit: 1, Run: s.keepPublished},
		{Name: "alerts", Every: time.Second, Limit: 200, Run: s.alert},
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

// fail says, once, that an offer did not come to its partner in time.
func fail(r *record, id string, o *Offer) {
	if !o.Failed {
		o.Failed = true
		failed(r, id, o)
	}
}

func failed(r *record, id string, o *Offer) {
	r.untold = append(r.untold, id)
	r.Emit(string(schemas.DeliveryFailed), schemas.DeliveryFailedData{Offer: id, Partner: o.Partner})
}

// late looks, once, at each event that had to have come to its partner by now, whether anything is tried again or not:
// the endpoint may be off, resting or paused. What has come by any way has come; of the rest a human tells the partner.
func (s *Service) late(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	var looked []string
	missing := map[string][]string{} // offers by journey
	lateEvents(tx, tx.Now, limit, tx.Postponed(), func(event, offer, journey string, came bool) {
		looked = append(looked, event)
		if !came && !slices.Contains(missing[journey], offer) {
			missing[journey] = append(missing[journey], offer)
		}
	})
	if err := tx.Flush(); err != nil || len(looked) == 0 {
		return 0, err
	}
	if len(missing) > 0 {
		if err := s.change(tx, missing, failed); err != nil {
			return 0, err
		}
	}
	lookedAt(tx, looked)
	return len(looked), nil
}

// change changes offers, named by their journeys, and commits what follows. From then on nobody waits for them to come.
func (s *Service) change(tx *flow.Tx, offers map[string][]string, change func(r *record, id string, o *Offer)) error {
	var journeys, ids []string
	for journey, some := range offers {
		journeys, ids = append(journeys, journey), append(ids, some...)
	}
	records, err := lockJourneys(tx, journeys)
	if err != nil {
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
	if err := s.handler(func() { tx.AfterCommit(s.look) }).Command(tx, changed...); err != nil {
		return err
	}
	toldOffers(tx, ids)
	s.toAlert(tx, changed)
	return nil
}

// lockJourneys reads journeys, and holds them until the transaction ends.
func lockJourneys(tx *flow.Tx, journeys []string) (records map[string]*record, err error) {
	records = map[string]*record{}
	store.Lock(tx, records, tx.Attempt, `where s.journey = any($1::uuid[]) order by s.journey for update of s`,
		journeys)
	return records, tx.Flush()
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
