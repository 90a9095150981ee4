package delivery

import (
	"maps"
	"slices"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// A mail that news waits, and that does not come to who referred somebody: a navigator tells them another way. A later
// one that is taken says as much as all before it, until it comes back itself.

// newsNotTold says of each person whom a mail to who referred them was about, and may still be told of, that it did not
// come; of those too whose news it was taken to have brought.
func (s *Service) newsNotTold(tx *flow.Tx, l letter) error {
	var journeys []string
	for _, a := range l.About {
		journeys = append(journeys, a.Journey)
	}
	mendedBy(tx, l.ID, func(journey string) { journeys = append(journeys, journey) })
	if err := tx.Flush(); err != nil {
		return err
	}
	records, err := lockJourneys(tx, journeys)
	if err != nil {
		return err
	}
	maps.DeleteFunc(records, func(_ string, r *record) bool { return !r.State.hasNews(l.Referrer) })
	for _, r := range records {
		r.Emit(string(schemas.ReferrerUntold), schemas.ReferrerUntoldData{Referrer: l.Referrer})
	}
	saveUntold(tx, l.Partner, slices.Sorted(maps.Keys(records)), tx.Now)
	tx.AfterCommit(func() {
		s.log.Warn("a mail to those who referred somebody did not come; a navigator tells them another way",
			schemas.AttrRunbook, "mail-stopped.md")
	})
	return s.commit(tx, records)
}

// newsTold says of each person of whom their referrer was not told that mail to it goes again.
func (s *Service) newsTold(tx *flow.Tx, l letter) error {
	var journeys []string
	untoldOf(tx, l.Partner, func(journey string) { journeys = append(journeys, journey) })
	if err := tx.Flush(); err != nil || len(journeys) == 0 {
		return err
	}
	records, err := lockJourneys(tx, journeys)
	if err != nil {
		return err
	}
	mended := map[string]bool{}
	mendUntold(tx, l.Partner, journeys, l.ID, func(journey string) { mended[journey] = true })
	if err := tx.Flush(); err != nil {
		return err
	}
	maps.DeleteFunc(records, func(journey string, _ *record) bool { return !mended[journey] })
	for _, r := range records {
		r.Emit(string(schemas.ReferrerTold), schemas.ReferrerToldData{Referrer: l.Referrer})
	}
	return s.commit(tx, records)
}

// commit writes down what is said of journeys.
func (s *Service) commit(tx *flow.Tx, records map[string]*record) error {
	if len(records) == 0 {
		return nil
	}
	return s.handler(func() { tx.AfterCommit(s.look) }).Command(tx, slices.Collect(maps.Values(records))...)
}
