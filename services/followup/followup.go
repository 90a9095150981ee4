// Package followup turns an open door into an offer: one follow-up session, asked of one third-sector partner, with
// a window in local calendar days.
//
// In: discharge.recorded, corrected and withdrawn, consent.given and declined, person.contact-stopped and resumed
// (intake), pathway.decided (threshold), journey.released, closed and reopened (journey). Out: offer.raised,
// offer.withdrawn, offer.exhausted.
//
// Tables: partner (who may be asked; seeded from the directory's configuration), journey_state (what is known of a
// journey), offer. View: held, for the sentinel.
//
// It promises:
//   - at most one offer stands for a journey (a unique index says so, not only the code);
//   - the same events in any order, with repetitions, end in the same offer;
//   - the window is counted in calendar days of Europe/London, right across both clock changes: day 7 to day 14 after
//     leaving hospital; with fewer than five days left, fourteen days from now, marked late;
//   - a journey that is closed has no offer; one that was held keeps its offer with its partner, and its window counts
//     from the day it is released; a reopened one is offered again, and asks for a new yes (ADR 16);
//   - nothing is offered while contact is stopped, the visit is withdrawn, or the person has said no; an unknown fact
//     excludes nothing;
//   - for somebody under 18, or of unknown age, an offer is prepared with a partner that fits, and counts as agreed to
//     by nobody before a named young people's clinician has recorded who may consent;
//   - an offer that is raised has left nobody's hands: who the person is leaves only with consent.
//
// It does not yet send offers, take answers or count capacity.
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

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Name is the schema, the durable consumer and the source.
const Name = schemas.Followup

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

// PartnerConfig is one line of the partners' configuration.
type PartnerConfig struct {
	Partner
	// Organisation is the partner's own, whose staff may see what is theirs.
	Organisation string
}

// Config is what followup needs. Zone is Europe/London when nil.
type Config struct {
	Pool     *pgxpool.Pool
	Partners []PartnerConfig
	Zone     *time.Location
	// Invented says that every person here is made up: offers may then go out without two people having decided it.
	Invented bool
}

// Service decides about offers. It keeps no state besides its configuration: any number of replicas may run.
type Service struct {
	partners      []Partner // as they stand, in a decision; as they were configured before any
	zone          *time.Location
	subscriptions flow.Subscriptions[JourneyState]
	invented      bool
}

// New checks the configuration and stores the partners. A partner who works on no day is refused: no answer could be
// asked for.
func New(ctx context.Context, cfg Config) (*Service, error) {
	zone, err := calendar.ZoneOr(cfg.Zone)
	if err != nil {
		return nil, err
	}
	s := &Service{zone: zone, invented: cfg.Invented}
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
	seedPartners(batch, cfg.Partners)
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
