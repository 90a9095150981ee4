package delivery

import (
	"context"
	"time"

	"footbridge/libs/bus"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The broker is one more way out: the log of each partner that takes its events from there is published to the subjects
// of that partner, in order, with the ids and bytes that every way gives. The stream is a copy: what was lost of it is
// published again from the log.

// Broker is where partners' logs are published to: a connection, the stream, and the partners.
type Broker struct {
	Conn     *bus.Conn
	Stream   bus.Stream
	Partners []string
}

const (
	publishedAtOnce = 200
	publishPatience = 10 * time.Second
)

// BrokerSubject is where an event of a partner's log stands: it names the partner and the type, and nothing else.
func BrokerSubject(partner string, typ schemas.Type) string {
	return "partner." + partner + "." + typ.File()
}

// BrokerSubjects are all subjects of a partner.
func BrokerSubjects(partner string) string { return "partner." + partner + ".>" }

// publish brings the log of each partner on the broker up to date. What is given out is committed before it is
// published, so that nothing that has left is taken back.
func (s *Service) publish(ctx context.Context, tx *flow.Tx, _ int) (taken int, err error) {
	if s.broker.Conn == nil || !s.broker.Conn.Up() {
		return 0, nil
	}
	for _, partner := range s.broker.Partners {
		n, err := s.publishFor(ctx, tx, partner)
		if err != nil {
			return taken, err
		}
		taken += n
	}
	return taken, tx.Flush()
}

func (s *Service) publishFor(ctx context.Context, tx *flow.Tx, partner string) (taken int, err error) {
	c, found := brokerCursor{}, false
	lockBroker(tx, partner, func(one brokerCursor) { c, found = one, true })
	if err := tx.Flush(); err != nil || !found {
		return 0, err
	}
	var all []logged
	toPublish(tx, c, publishedAtOnce, func(l logged) { all = append(all, l) })
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	seqs, err := s.publishAll(ctx, partner, all)
	if err != nil { // what went is published again, with the same ids
		s.log.Warn("a partner's events could not be published; they are tried again", schemas.AttrRunbook, "broker.md",
			schemas.AttrError, err)
	}
	positions := make([]int64, len(seqs))
	for i := range seqs {
		positions[i] = all[i].Position
	}
	if n := len(seqs); n > 0 {
		c.Taken, c.PublishedAt = positions[n-1], &tx.Now
		saveGiven(tx, partner, seqs, positions)
	}
	before := c.Marked
	if err == nil && len(all) < publishedAtOnce {
		markNext(tx, partner, c.Marked, publishedAtOnce, tx.Now, &c.Marked)
		if err := tx.Flush(); err != nil {
			return 0, err
		}
	}
	saveBroker(tx, c)
	if c.Marked > before {
		tx.AfterCommit(func() { s.wake("broker") })
	}
	return len(seqs), nil
}

// publishAll publishes events one after another, so that the stream has them in their order, and returns the sequences
// of those that the stream has taken. One that a crash left uncertain is there twice then: at least once.
func (s *Service) publishAll(ctx context.Context, partner string, all []logged) (seqs []int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	for _, l := range all {
		seq, known, err := s.broker.Conn.PublishCopy(ctx, s.broker.Stream.Name,
			BrokerSubject(partner, schemas.Type(l.Type)), l.ID, "application/cloudevents+json", l.Body)
		if err != nil {
			return seqs, err
		}
		if known { // it may be gone from the stream, which has not forgotten its id yet: again in a while
			return seqs, nil
		}
		seqs = append(seqs, seq)
	}
	return seqs, nil
}

// keepPublished looks whether the stream still holds what was published, and what each partner has acknowledged. What
// was lost is published again from the log: the stream was made again, purged or restored.
func (s *Service) keepPublished(ctx context.Context, tx *flow.Tx, _ int) (taken int, err error) {
	if s.broker.Conn == nil || !s.broker.Conn.Up() {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	for _, partner := range s.broker.Partners {
		came, err := s.keepPublishedFor(ctx, tx, partner)
		if err != nil {
			return 0, err
		}
		if came { // its journeys are locked: the next partner's come after a commit
			return 1, tx.Flush()
		}
	}
	return 0, tx.Flush()
}

func (s *Service) keepPublishedFor(ctx context.Context, tx *flow.Tx, partner string) (came bool, err error) {
	c, found := brokerCursor{}, false
	lockBroker(tx, partner, func(one brokerCursor) { c, found = one, true })
	if err := tx.Flush(); err != nil || !found {
		return false, err
	}
	// under the lock, so that it is not older than what the cursor says was published
	held, err := s.broker.Conn.Holds(ctx, s.broker.Stream.Name, BrokerSubjects(partner))
	if err != nil {
		return false, nil //nolint:nilerr // who keeps the streams makes it again, and it is found at the next look
	}
	made := held.Made.Truncate(time.Microsecond) // as PostgreSQL keeps it
	kept := s.broker.Stream.MaxAge
	switch {
	case c.Made == nil:
		c.Made = &made
		saveBroker(tx, c)
	case !c.Made.Equal(made), s.lost(c, held, tx.Now):
		c.Made, c.PublishedAt = &made, nil
		firstSince(tx, partner, tx.Now.Add(-kept), &c.Taken)
		forgetGiven(tx, partner)
		if err := tx.Flush(); err != nil {
			return false, err
		}
		saveBroker(tx, c)
		tx.AfterCommit(func() {
			s.log.Warn("the partners' stream has lost what it held; it is published again from the log",
				schemas.AttrRunbook, "broker.md")
			s.wake("broker")
		})
	default:
		return s.acknowledged(ctx, tx, c)
	}
	return false, nil
}

// lost says whether the stream holds nothing of a partner that it must hold still. A stream that is nearly full has
// discarded it, as it is meant to: that is no loss, and publishing it again would only discard more.
func (s *Service) lost(c brokerCursor, held bus.Held, now time.Time) bool {
	limit := s.broker.Stream.MaxBytes
	return held.Messages == 0 && c.PublishedAt != nil && now.Sub(*c.PublishedAt) < s.broker.Stream.MaxAge &&
		(limit <= 0 || held.Bytes < uint64(limit)/2)
}

// acknowledged notes what has come to a partner: what its durable has acknowledged, without a gap.
func (s *Service) acknowledged(ctx context.Context, tx *flow.Tx, c brokerCursor) (came bool, err error) {
	seq, err := s.broker.Conn.AcknowledgedUpTo(ctx, s.broker.Stream.Name, c.Partner)
	if err != nil {
		return false, nil //nolint:nilerr // it is found at the next look
	}
	position := int64(0)
	acknowledgedUpTo(tx, c.Partner, seq, func(p int64) { position = p })
	if err := tx.Flush(); err != nil || position <= c.Acknowledged {
		return false, err
	}
	c.Acknowledged = position
	saveBroker(tx, c)
	who := principal.Principal{Organisation: c.Partner, Role: string(schemas.Partner), Subject: "broker"}
	offers := map[string][]string{}
	takenUpTo(tx, who, position, func(offer, journey string) { offers[journey] = append(offers[journey], offer) })
	if err := tx.Flush(); err != nil || len(offers) == 0 {
		return false, err
	}
	return true, s.made(tx, offers, schemas.DeliveryHandedOver)
}

// BrokerDurable is the durable of a partner: its own subjects, handed out again until each is acknowledged.
func BrokerDurable(stream, partner string) bus.Durable {
	return bus.Durable{Stream: stream, Name: partner, Filters: []string{BrokerSubjects(partner)}, MaxAckPending: 256,
		AckWait: 30 * time.Second}
}
