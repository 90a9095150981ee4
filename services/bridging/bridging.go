// Package bridging keeps in touch with somebody who waits on a service: short calls on an agreed cadence, which they
// said yes to.
//
// In: discharge.recorded, corrected and withdrawn, consent.given and declined, person.contact-stopped and resumed
// (intake), pathway.decided, threshold.gap-found and service.answered (threshold), journey.held, released, closed and
// reopened (journey). Out: bridging.proposed, started, paused, resumed and ended, call.scheduled.
//
// Tables: journey_state (what is known of a journey), plan, call. View: held, for the sentinel.
//
// It promises:
//   - whoever waits on any service, or falls between services, gets a plan proposed, at once;
//   - no call is scheduled before the person's yes to this purpose, while contact is stopped or the visit withdrawn,
//     or under 18 or of unknown age before a clinician has decided; a no ends the plan and nothing else;
//   - a journey has one plan at a time, and a plan one call ahead of it (unique indexes say so);
//   - while somebody else holds the person the plan pauses; with the journey closed it ends, and a reopened journey gets
//     another one, which asks for a new yes (ADR 16);
//   - the same events in any order, with repetitions, end in the same plan;
//   - calls fall on working days between 10:00 and 19:00 local time.
//
// It does not yet remind callers, take outcomes of calls, or honour the person's own days and hours.
package bridging

import (
	"embed"
	"io/fs"
	"time"
	_ "time/tzdata" // the binary must know Europe/London on a machine that does not

	"footbridge/libs/calendar"
	"footbridge/schemas"
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

// Config is what bridging needs. Zone is Europe/London when nil.
type Config struct {
	Zone *time.Location
}

// Service decides about plans and calls. It keeps no state besides its configuration: any number of replicas may run.
type Service struct {
	zone *time.Location
}

// New makes the service.
func New(cfg Config) (*Service, error) {
	zone, err := calendar.ZoneOr(cfg.Zone)
	if err != nil {
		return nil, err
	}
	s := &Service{zone: zone}
	return s, nil
}
