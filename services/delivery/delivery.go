// Package delivery brings to partners what they may know of their offers, by every way out, and says whether it came.
//
// In: offer.*, appointment.* and followup.completed (followup); consent.given, declined, withdrawn and lapsed,
// person.contact-stopped, contact-resumed and preferences-changed (intake); journey.held, released, closed and reopened
// (journey). discharge.recorded, discharge.corrected and referral.requested (intake) say who referred somebody, and
// whose their journey is. Out: delivery.made, delivery.failed; to each partner the events of its own log, and to each
// organisation that refers what became of it.
//
// Tables: journey_state, partner, partner_event (the log), offer (has it come to its partner?), subscription
// (endpoints), outgoing and attempt (what goes to them). View: held, for the sentinel. Over HTTP: the feed, the
// stream, and endpoints.
//
// It promises:
//   - a partner has one log; its positions begin at 1, have no gap, and are in the order of commits: they are given
//     out under
//     the partner's row. Every way out is a cursor over it, with the same events, positions, ids and bytes (ADR 27);
//   - a partner is told of its own offers alone, and of one only once it was cleared; an offer's id is the partner's
//     own, and
//     neither the person nor the journey is in what it is told;
//   - what was taken back before it was given out is not given out: another event stands in its place, with its id and
//     position, and that it was taken back is an event of its own position. What was given out once keeps its bytes;
//   - a stop, a hold or a no is told as soon as it is known here, whoever else acts on it;
//   - the same events in any order, with repetitions, end in the same state, and tell nothing twice;
//   - an offer that did not come to its partner in time is said (delivery.failed), so that a human tells them another
//     way.
//
// That an offer was handed over is no evidence that anybody knows of it: nothing here says so before a human acted.
package delivery

import (
	"cmp"
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/mail"
	"footbridge/libs/notify"
	"footbridge/libs/outward"
	"footbridge/libs/vault"
	"footbridge/schemas"
)

// Name is the schema, the durable consumer and the source.
const Name = schemas.Delivery

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this service; they come after flow's.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// keepLog is for how many days a partner's log is kept, and with it what a cursor may begin at.
const keepLog = 90

// keepAttempts is for how many days a partner can read what was tried.
const keepAttempts = 30

// ByDay are the tables that are partitioned by day, with the days each is kept.
func ByDay() map[string]int {
	return map[string]int{"partner_event": keepLog, "outgoing": keepLog, "mail": keepLog, "attempt": keepAttempts}
}

// Config is what delivery needs. Fields with a default may be left zero.
type Config struct {
	// TellWithin is how long an offer may take to come to its partner before a human is asked to tell them another way
	// (3 h, so that they hear within 4).
	TellWithin time.Duration
	// Allow are networks that endpoints may be in though they are not public; Plain says that they may be reached
	// without TLS.
	Allow []netip.Prefix
	Plain bool
	// Mail sends to partners that want e-mail; nil: nothing is mailed, and they are rung. URL is where what a mail
	// leads to is found. ReturnTo is the address to which a mail comes back, with its id after the name; empty: where
	// it comes from. Sink is the mailbox of development.
	Mail          *mail.Sender
	URL, ReturnTo string
	Sink          *mail.Sink
	// Texter sends texts to people, to the number that TextNumber gives for each at its sending; nil: none are sent.
	// Texted are those of development.
	Texter     Texter
	TextNumber TextNumber
	Texted     *LogTexter
	// Broker is where the logs of the partners are published to that take them from there; without a connection, none.
	Broker Broker
	// RingAfter is how long a human may take to act on a mailed offer before a navigator rings (24 h).
	RingAfter time.Duration
	// Partners are the ids of the partners that the directory lists.
	Partners []string
	// Notify tells Told, in their order until one took it, that something did not come to its partner.
	Notify *notify.Sender
	Told   []Told
	// Origin is whom endpoints are asked to allow: the host of this system.
	Origin string
	// Vault seals what endpoints are signed with; without it nobody has an endpoint, and nothing is sent to one.
	Vault *vault.Vault
	// SignIn sends a mail by which a worker of a partner signs in; nil where no mail is sent.
	SignIn func(context.Context, mail.Message) error
	Log    *slog.Logger

	patience time.Duration // of a request to an endpoint; attemptPatience if left zero
}

// Service brings events to partners. Any number of replicas may run.
type Service struct {
	tellWithin time.Duration
	plain      bool
	origin     string
	vault      *vault.Vault
	signIn     func(context.Context, mail.Message) error
	log        *slog.Logger
	client     *http.Client
	flow       *flow.Flow
	news       news
	sending    atomic.Pointer[sender]

	zone      *time.Location
	mail      *mail.Sender
	url       string
	returnTo  string
	sink      *mail.Sink
	ringAfter time.Duration

	broker     Broker
	texter     Texter
	textNumber TextNumber
	texted     *LogTexter

	partners []string
	notify   *notify.Sender
	told     []Told
	mailing  atomic.Pointer[mailer]
}

// New makes the service.
func New(cfg Config) (*Service, error) {
	s := &Service{tellWithin: cfg.TellWithin, plain: cfg.Plain, origin: cmp.Or(cfg.Origin, "footbridge.invalid"),
		signIn: cfg.SignIn, log: cfg.Log, vault: cfg.Vault,
		client: outward.NewClient(outward.Config{Allow: cfg.Allow,
			Patience: cmp.Or(cfg.patience, attemptPatience), MostBytes: readOfAnswer, PerHost: soundWidth})}
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return nil, err
	}
	s.zone, s.mail, s.url, s.returnTo, s.sink = zone, cfg.Mail, strings.TrimSuffix(cfg.URL, "/"), cfg.ReturnTo, cfg.Sink
	s.broker = cfg.Broker
	s.texter, s.textNumber, s.texted = cfg.Texter, cfg.TextNumber, cfg.Texted
	s.partners, s.notify, s.told = cfg.Partners, cfg.Notify, cfg.Told
	s.ringAfter = cmp.Or(max(cfg.RingAfter, 0), usualRing)
	if s.tellWithin <= 0 {
		s.tellWithin = 3 * time.Hour
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// Attach gives the service its flow; before that nothing is sent.
func (s *Service) Attach(f *flow.Flow) { s.flow = f }

// wake has a due loop look at once.
func (s *Service) wake(due string) {
	if s.flow != nil {
		s.flow.Wake(due)
	}
}

// attemptPatience bounds a request to an endpoint, its answer included.
const attemptPatience = 15 * time.Second
