// Package bridging keeps in touch with somebody who waits on a service: short calls on an agreed cadence, which they
// said yes to.
//
// In: discharge.recorded, corrected and withdrawn, referral.requested, consent.given, declined, withdrawn and lapsed,
// person.contact-stopped, resumed and preferences-changed (intake), pathway.decided, threshold.gap-found and
// service.answered (threshold), offer.raised and appointment.* (followup), journey.held, released, closed and reopened
// (journey); and requests for help and what callers do, over HTTP. Out: bridging.proposed, started, paused, resumed,
// ended and review-asked, call.*, contact.asked-to-stop, help.requested and acknowledged.
//
// Tables: journey_state (what is known of a journey), plan, call, rang (who rang), caller, notice (what a caller is to
// be told of a call), channel_down, help, rota, page (who was told of a request for help), offer. View: held, for the
// sentinel.
//
// It promises:
//   - whoever waits on any service, or falls between services, gets a plan proposed, at once;
//   - no call is scheduled before the person's yes to this purpose, while contact is stopped or the visit withdrawn,
//     or under 18 or of unknown age before a clinician has decided; a no ends the plan and nothing else;
//   - a journey has one plan at a time, and a plan one call ahead of it (unique indexes say so);
//   - a plan that is active has a call ahead: where nobody may ring, or can within the hours and days agreed, it
//     pauses, a navigator is told, and each day is looked at again;
//   - while somebody else holds the person the plan pauses; with the journey closed it ends, and a reopened journey
//     gets
//     another one, which asks for a new yes (ADR 16);
//   - the same events in any order, with repetitions, end in the same plan;
//   - calls follow the rhythm, days and hours that were agreed (usually working days between 10:00 and 19:00 local
//     time), on
//     no bank holiday of the person's nation and on no day on which somebody else is in touch;
//   - who rings is one caller, by a claim from 15 minutes before until the outcome, whose organisation the person's
//     yes covers, and never one that must not know;
//   - a call is kept for who reached the person last, where they work then and have room; whoever is told of one is
//     told in
//     their own hours, from a row that is there before anything leaves, until a server took it or it is true no more;
//   - each outcome has its ladder; one that is written down late undoes nothing newer; what was missed is one call.
//
// Of help it promises:
//   - a request is stored alone, first, by one statement that needs nothing but the id given, in every state;
//   - then those on call are told, rung by rung, each rung once by any number of replicas; nobody taking it on in time
//     goes
//     further up, an empty rung is passed at once;
//   - the answer says who was told, or that nobody could be, with a number to ring.
package bridging

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"
	_ "time/tzdata" // the binary must know Europe/London on a machine that does not

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/notify"
	"footbridge/schemas"

	"go.opentelemetry.io/otel/metric"
)

// Name is the schema, the durable consumer and the source.
const Name = schemas.Bridging

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

// Config is what bridging needs. Zone is Europe/London when nil, the clock the real one.
type Config struct {
	Meter metric.Meter // nil: nothing is counted
	Zone  *time.Location
	// Clock gives the time of decisions.
	Clock clock.Clock
	Log   *slog.Logger
	// Host is the organisation that runs this: its rota is told where nobody else's is known.
	Host string
	// Notify hands messages to those who are on call; nil reaches nobody.
	Notify *notify.Sender
	// Numbers are those that anybody can ring for help at any hour, in words.
	Numbers []string
	// URL is where people find this system.
	URL string
}

// Service decides about plans and calls. It keeps no state besides its configuration: any number of replicas may run.
type Service struct {
	figures  *figures
	zone     *time.Location
	clock    clock.Clock
	log      *slog.Logger
	host     string
	notify   *notify.Sender
	numbers  []string
	url      string
	partners partners // as they stand, in a decision
}

// New makes the service.
func New(cfg Config) (*Service, error) {
	zone, err := calendar.ZoneOr(cfg.Zone)
	if err != nil {
		return nil, err
	}
	s := &Service{zone: zone, clock: cfg.Clock, log: cfg.Log, host: cfg.Host, notify: cfg.Notify, numbers: cfg.Numbers,
		url: cfg.URL}
	if s.figures, err = newFigures(cfg.Meter); err != nil {
		return nil, fmt.Errorf("making the metrics of bridging: %w", err)
	}
	if s.clock == nil {
		s.clock = clock.Real()
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.notify == nil {
		if s.notify, err = notify.New(notify.Config{}); err != nil {
			return nil, err
		}
	}
	if len(s.numbers) == 0 {
		s.numbers = defaultNumbers
	}
	return s, nil
}

// defaultNumbers are open to anybody in England at any hour.
var defaultNumbers = []string{"NHS 111, and choose option 2", "Samaritans on 116 123"}
