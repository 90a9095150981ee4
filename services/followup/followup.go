// Package followup makes of an eligible service an offer: one follow-up session, asked of one third-sector partner,
// with a window in local calendar days; and sees it through to the session and what comes next.
//
// In: discharge.*, referral.requested, information.supplied, consent.*, person.preferences-changed, contact-stopped and
// resumed (intake), pathway.decided (threshold), journey.held, released, closed and reopened (journey), delivery.*
// (delivery), and what partners and navigators say over HTTP. Out: offer.*, appointment.*, followup.completed.
//
// Tables: partner (seeded from the directory; what people change stands), live (outward sending, by organisation),
// journey_state, offer, appointment, offer_question. View: held, for the sentinel.
//
// It promises:
//
//   - at most one offer stands for a journey (a unique index says so, not only the code);
//
//   - the same events in any order, with repetitions, end in the same offer;
//
//   - the window is counted in calendar days of Europe/London, right across both clock changes: day 7 to day 14 after
//     leaving hospital; with fewer than five days left, fourteen days from now, marked late. An offer that follows one
//     that
//     came to nothing keeps the window that was promised, while there is a day of it left;
//
//   - a journey that is closed has no offer; one that is held or whose contact is stopped keeps an offer that its
//     partner
//     knows of, paused; a reopened one is offered again, and asks for a new yes (ADR 16);
//
//   - an unknown fact excludes nothing; why a partner is asked, or is not, is shown to staff (matching.go);
//
//   - for somebody under 18, or of unknown age, an offer is prepared with a partner that fits, and counts as agreed to
//     by nobody before a named young people's clinician has recorded who may consent;
//
//   - an offer may be told (offer.cleared) under the person's yes, an agreement in force and a place that is taken
//     under
//     the partner's lock, so that no two replicas oversell it, and where outward sending is on. It is sent (offer.sent)
//     when a channel's server took it, which delivery says, and not before;
//
//   - a partner that is silent is reminded at half time and passed on; its late yes is welcome while its place is free
//     and
//     nobody else has taken the person on. Every clock is a row; after downtime each fires once, as things stand then;
//
//   - a partner goes on from its yes only while the person has said yes to it by name; a session that falls by a stop,
//     a
//     hold or a no within 48 hours says by when a navigator rings the partner.
//
//   - of partners of equal standing the one that has taken fewest this week in relation to its places is asked, decided
//     once, when the offer is prepared; what is shown before it is taken on fits at least ten residents (residents.go).
package followup

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the binary must know Europe/London on a machine that does not

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Name is the schema, the durable consumer and the source.
const Name = schemas.Followup

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed residents.example.csv
var exampleResidents string

// ExampleResidents are invented numbers of no real place: for development, and as an example of the format.
func ExampleResidents() (*Residents, error) {
	return ReadResidents(strings.NewReader(exampleResidents))
}

// Migrations are the tables of this service; they come after flow's.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// PartnerConfig is one line of the partners' configuration.
type PartnerConfig struct {
	Partner
	// Organisation is the partner's own, whose staff may see what is theirs.
	Organisation string
	// HeldBy is whose agreement it is: its navigators alone change it. Empty where nobody has agreed one yet.
	HeldBy string
}

// Config is what followup needs. Zone is Europe/London when nil.
type Config struct {
	Meter    metric.Meter // nil: nothing is counted
	Pool     *pgxpool.Pool
	Partners []PartnerConfig
	Zone     *time.Location
	// Residents is how many people live where, by what a partner is shown before it has taken an offer on; nil knows
	// nothing, and the most cautious is shown.
	Residents *Residents
	// Invented says that every person here is made up: offers may then go out without two people having decided it.
	Invented bool
	// URL is where people find this system.
	URL string
}

// Service decides about offers. It keeps no state besides its configuration: any number of replicas may run.
type Service struct {
	figures       *figures
	partners      []Partner // as they stand, in a decision; as they were configured before any
	zone          *time.Location
	subscriptions flow.Subscriptions[JourneyState]
	invented      bool
	residents     *Residents
	url           string
	live          []string // organisations that have turned outward sending on, in a decision
}

// New checks the configuration and stores the partners. A partner who works on no day is refused: no answer could be
// asked for.
func New(ctx context.Context, cfg Config) (*Service, error) {
	zone, err := calendar.ZoneOr(cfg.Zone)
	if err != nil {
		return nil, err
	}
	s := &Service{zone: zone, invented: cfg.Invented, residents: cfg.Residents, url: cfg.URL}
	if s.figures, err = newFigures(cfg.Meter); err != nil {
		return nil, fmt.Errorf("making the metrics of followup: %w", err)
	}
	organisations := map[string]string{}
	for _, p := range cfg.Partners {
		if err := p.check(); err != nil {
			return nil, err
		}
		if organisations[p.ID] != "" {
			return nil, fmt.Errorf("partner %s is listed twice", p.ID)
		}
		organisations[p.ID] = p.Organisation
		s.partners = append(s.partners, p.Partner)
	}
	s.subscriptions = s.subscribe()
	if cfg.Pool == nil {
		return s, nil
	}
	batch := &pgx.Batch{}
	seedPartners(batch, cfg.Partners, cfg.Invented)
	if err := cfg.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("storing the partners: %w", err)
	}
	return s, nil
}

func (p PartnerConfig) check() error {
	switch {
	case p.ID == "" || p.Service == "" || p.Organisation == "":
		return fmt.Errorf("partner %q of service %q needs an id, a service and an organisation", p.ID, p.Service)
	case p.Works.None():
		return fmt.Errorf("partner %s works on no day of the week: name its working days", p.ID)
	}
	return nil
}

var weekdayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// Week reads names of days ("mon", "Tuesday") as a partner's working week.
func Week(days []string) (calendar.Weekdays, error) {
	var week calendar.Weekdays
	for _, name := range days {
		i := slices.IndexFunc(weekdayNames, func(w string) bool {
			return len(name) >= 3 && len(name) <= len(w) && strings.EqualFold(w[:len(name)], name)
		})
		if i < 0 {
			return week, errors.New("a working day is one of mon, tue, wed, thu, fri, sat, sun")
		}
		week[i] = true
	}
	return week, nil
}
