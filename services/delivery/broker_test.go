package delivery

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/operations"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// partnersStream is the stream as a site has it.
var partnersStream = bus.Stream{Name: "FOOTBRIDGE_PARTNERS", Subjects: []string{"partner.>"},
	MaxAge:   30 * 24 * time.Hour,
	MaxBytes: 64 << 20, DiscardOld: true}

// brokered is a site whose partners take their events from a broker, each with a login of its own.
type brokered struct {
	*site
	url      string
	owner    *bus.Conn
	partners []string
	seeds    map[string]string
}

func newBrokered(t *testing.T) *brokered {
	t.Helper()
	b := &brokered{partners: []string{clock.NewRandomID(), clock.NewRandomID()}, seeds: map[string]string{}}
	slices.Sort(b.partners)
	delivery := bus.ServiceUser(Name, "secret", "TEST_EVENTS", nil, nil)
	delivery.Publish = append(delivery.Publish, bus.PublisherRights(partnersStream)...)
	users := []bus.User{delivery, {Name: "owner", Password: "secret", Publish: []string{"$JS.API.>"},
		Subscribe: []string{"_INBOX.>"}}}
	for _, partner := range b.partners {
		pair, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		key, _ := pair.PublicKey()
		seed, _ := pair.Seed()
		b.seeds[partner] = string(seed)
		users = append(users, bus.ReaderUser(partner, key, partnersStream.Name))
	}
	b.url = testkit.NATS(t, users...).URL()
	b.owner = testkit.Connect(t, bus.Config{URL: b.url, Name: "owner", User: "owner", Password: "secret"})
	b.keep()
	conn := testkit.Connect(t, bus.Config{URL: b.url, Name: Name, User: Name, Password: "secret",
		Inbox: bus.InboxOf(Name)})
	b.site = newSite(t, Config{Allow: loopback(), Broker: Broker{Conn: conn, Stream: partnersStream,
		Partners: b.partners}})
	return b
}

// keep makes the stream and its durables, as who keeps them does.
func (b *brokered) keep() {
	keeper := bus.Keeper{Conn: b.owner, Streams: []bus.Stream{partnersStream}}
	for _, partner := range b.partners {
		keeper.Durables = append(keeper.Durables, BrokerDurable(partnersStream.Name, partner))
	}
	if err := keeper.Bring(context.Background()); err != nil {
		panic(err)
	}
}

// publishes runs the loop until all is published.
func (b *brokered) publishes() {
	b.t.Helper()
	for range 3 {
		b.due("broker")
	}
}

// reads takes so many events from the broker as a partner, with the login of another where one is given.
func (b *brokered) reads(partner, as string, many int) (bodies []string, ids []string, err error) {
	b.t.Helper()
	pair, err := nkeys.FromSeed([]byte(b.seeds[as]))
	if err != nil {
		b.t.Fatal(err)
	}
	key, _ := pair.PublicKey()
	conn, err := nats.Connect(b.url, nats.Nkey(key, pair.Sign), nats.CustomInboxPrefix(bus.InboxOf(as)),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		b.t.Fatal(err)
	}
	patience := testkit.Patience
	if as != partner {
		patience = time.Second // it is never answered
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	durable, err := js.Consumer(ctx, partnersStream.Name, partner)
	if err != nil {
		return nil, nil, err
	}
	for len(bodies) < many {
		msg, err := durable.Next(jetstream.FetchContext(ctx))
		if err != nil {
			return bodies, ids, err
		}
		bodies, ids = append(bodies, string(msg.Data())), append(ids, msg.Headers().Get(nats.MsgIdHdr))
		if err := msg.DoubleAck(ctx); err != nil {
			return bodies, ids, err
		}
	}
	return bodies, ids, nil
}

// Feed, stream, webhook and broker of one partner hold the same, in the same order; another partner's login reads
// nothing of it, and what the partner has acknowledged has come to it.
func TestTheBrokerHoldsWhatEveryWayHolds(t *testing.T) {
	t.Parallel()
	b := newBrokered(t)
	partner, other := b.partners[0], b.partners[1]
	e := newEndpoint(t)
	b.subscribes(partner, e.URL, "")
	for range 5 {
		journey, offer := b.offers(partner)
		b.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
		b.offers(partner)
	}
	b.offers(other)
	b.publishes()
	fed := b.fed(partner)
	got, ids, err := b.reads(partner, partner, len(fed))
	if err != nil || !slices.Equal(got, fed) {
		t.Fatalf("the broker gives %d, the feed %d, the same: %v: %v", len(got), len(fed), slices.Equal(got, fed), err)
	}
	if streamed, _ := b.streamed(partner, "", len(fed)); !slices.Equal(streamed, fed) {
		t.Error("the stream holds other events than the broker")
	}
	b.work()
	b.takes(e, len(fed))
	sent := e.taken()
	slices.Sort(sent)
	sorted := slices.Sorted(slices.Values(fed))
	if !slices.Equal(sent, sorted) {
		t.Error("the webhook brought other events than the broker")
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(fed) {
		t.Error("ids on the broker are not one each")
	}
	if theirs, _, err := b.reads(partner, other, 1); err == nil {
		t.Errorf("another partner's login reads %v", theirs)
	}
	if theirs, _, err := b.reads(other, other, 1); err != nil || slices.Contains(fed, theirs[0]) {
		t.Errorf("the other partner reads its own: %v %v", theirs, err)
	}
}

// TestWhatDoesNotReachTheBrokerForAPartnerIsAFigure: by each partner, from when it was logged, until it is published.
func TestWhatDoesNotReachTheBrokerForAPartnerIsAFigure(t *testing.T) {
	t.Parallel()
	b := newBrokered(t)
	behind := func() operations.Reading {
		t.Helper()
		return figureOf(t, Figures(b.pool, b.partners), time.Now().Add(time.Hour), operations.BrokerBehind)
	}
	b.offers(b.partners[0])
	if got := behind(); got.Value < 3500 || len(got.Lines) != 1 || got.Lines[0].ID != b.partners[0] {
		t.Errorf("what is not published for an hour is %+v", got)
	}
	b.publishes()
	if got := behind(); got.Value != 0 || len(got.Lines) != 0 {
		t.Errorf("what is published is %+v", got)
	}
}

// What a partner has acknowledged on the broker has come to it, and nobody is asked to ring.
func TestWhatIsAcknowledgedOnTheBrokerHasCome(t *testing.T) {
	t.Parallel()
	b := newBrokered(t)
	journey, _ := b.offers(b.partners[0])
	b.publishes()
	b.due("broker-kept")
	if n := b.said(journey, schemas.DeliveryMade); n != 0 {
		t.Fatalf("it was said to have come %d times before anybody took it", n)
	}
	if _, _, err := b.reads(b.partners[0], b.partners[0], 1); err != nil {
		t.Fatal(err)
	}
	b.due("broker-kept")
	if n := b.said(journey, schemas.DeliveryMade); n != 1 {
		t.Errorf("it was said to have come %d times", n)
	}
}

// A login of a partner reads its own durable and can do nothing else with the broker.
func TestAPartnersLoginReadsItsDurableAlone(t *testing.T) {
	t.Parallel()
	b := newBrokered(t)
	partner, other := b.partners[0], b.partners[1]
	b.offers(other)
	b.publishes()
	pair, err := nkeys.FromSeed([]byte(b.seeds[partner]))
	if err != nil {
		t.Fatal(err)
	}
	key, _ := pair.PublicKey()
	refused := make(chan error, 16)
	conn, err := nats.Connect(b.url, nats.Nkey(key, pair.Sign), nats.CustomInboxPrefix(bus.InboxOf(partner)),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const api = "$JS.API."
	stream := partnersStream.Name
	for _, subject := range []string{"footbridge.offer.sent.v1.x", "partner." + partner + ".offer.sent.v1",
		api + "STREAM.INFO." + stream, api + "STREAM.PURGE." + stream, api + "STREAM.MSG.GET." + stream,
		api + "DIRECT.GET." + stream + ".partner." + other + ".offer.sent.v1", api + "STREAM.DELETE." + stream,
		api + "CONSUMER.CREATE." + stream + ".mine", api + "CONSUMER.DELETE." + stream + "." + partner,
		api + "CONSUMER.INFO." + stream + "." + other, api + "CONSUMER.MSG.NEXT." + stream + "." + other} {
		if err := conn.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		waitRefused(t, subject, refused)
	}
	for _, subject := range []string{"partner.>", "footbridge.>", "_INBOX.>", bus.InboxOf(other) + ".>", ">"} {
		if _, err := conn.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		waitRefused(t, subject, refused)
	}
}

func waitRefused(t *testing.T, subject string, refused <-chan error) {
	t.Helper()
	select {
	case <-refused:
	case <-time.After(testkit.Patience):
		t.Errorf("%s is not refused", subject)
	}
}

// What the stream has lost, purged, deleted or made again, is published again from the log, with the same ids and
// bytes.
func TestWhatTheStreamLostIsPublishedAgain(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(b *brokered) error{
		"purged": func(b *brokered) error {
			stream, err := b.owner.JS.Stream(b.t.Context(), partnersStream.Name)
			if err != nil {
				return err
			}
			return stream.Purge(b.t.Context())
		},
		"its subjects purged": func(b *brokered) error {
			stream, err := b.owner.JS.Stream(b.t.Context(), partnersStream.Name)
			if err != nil {
				return err
			}
			return stream.Purge(b.t.Context(), jetstream.WithPurgeSubject(BrokerSubjects(b.partners[0])))
		},
		"deleted": func(b *brokered) error {
			err := b.owner.JS.DeleteStream(b.t.Context(), partnersStream.Name)
			b.keep()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBrokered(t)
			partner := b.partners[0]
			for range 3 {
				b.offers(partner)
			}
			b.publishes()
			b.due("broker-kept")
			first, _, err := b.reads(partner, partner, 3)
			if err != nil {
				t.Fatal(err)
			}
			if err := lose(b); err != nil {
				t.Fatal(err)
			}
			b.work() // the stream has to forget the ids first
			again, _, err := b.reads(partner, partner, 3)
			if err != nil || !slices.Equal(first, again) {
				t.Errorf("published again: %v, the same: %v", err, slices.Equal(first, again))
			}
			b.due("broker-kept") // nothing is lost now
			b.due("broker")
			stream, err := b.owner.JS.Stream(t.Context(), partnersStream.Name)
			if err != nil || stream.CachedInfo().State.Msgs != 3 {
				t.Errorf("the stream holds %d: %v", stream.CachedInfo().State.Msgs, err)
			}
		})
	}
}

// What was taken back before it was published is not on the broker; what was published keeps its bytes.
func TestWhatWasTakenBackIsNotPublished(t *testing.T) {
	t.Parallel()
	b := newBrokered(t)
	partner := b.partners[0]
	journey, offer := b.offers(partner)
	b.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
	b.publishes()
	fed := b.fed(partner)
	got, _, err := b.reads(partner, partner, len(fed))
	if err != nil || !slices.Equal(got, fed) {
		t.Fatalf("%v: %v, want %v", err, got, fed)
	}
	for _, body := range got {
		if strings.Contains(body, `"`+string(schemas.OfferSent)+`"`) {
			t.Error("what was taken back was published")
		}
	}
}
