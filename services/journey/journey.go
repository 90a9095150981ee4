// Package journey keeps each journey's timeline and next steps, and the guarantee that an open journey always has a
// next step with an owner and a due time.
//
// In: everything the other services say (schemas.HeardBy), and what people do over HTTP. Out: journey.opened, when its
// beginning is known; journey.held, released, closed and reopened; and journey.in-void, from the sentinel.
//
// Tables: journey, step, turn, timeline_entry, sentinel_lease, finding. View: held, for the sentinel of another site.
//
// It promises:
//   - at every commit an open or held journey has an open step: the database refuses anything else (journey_is_held,
//     open_journey_has_a_step, held_journey_has_a_step), whoever writes and however many at once;
//   - a journey is closed by a named human alone, for a reason of the closed list and with what that reason needs, and
//     never over a question that is open; news of an attendance opens it again (closing.go, ADR 16);
//   - while a journey is held nobody is asked to contact the person, and somebody looks again on a day;
//   - which steps follow from events is one table, rules in rules.go, decided from all that is known of the journey:
//     the same events in any order, with repetitions, end in the same open steps;
//   - an event of a journey that is not known opens it with a navigator's step, until its beginning arrives;
//   - what a human has done is not asked of them twice for the same reason, and closing the last step opens the next
//     question, to the navigator;
//   - an overdue step stays: it gains owners, and its first due time is never changed;
//   - every event heard has one line in the timeline, with a sentence the person can read.
package journey

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"
	_ "time/tzdata" // the binary must know Europe/London on a machine that does not

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Name is the schema, the durable consumer and the source.
const Name = schemas.Journey

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

// Subjects are the subjects of the types that journey acts on.
func Subjects() []string { return schemas.SubjectsSubscribedBy(Name) }

// Config is what journey needs. Zone is Europe/London when nil.
type Config struct {
	Owners Owners
	Zone   *time.Location
}

// Service decides about steps. It keeps no state besides its configuration: any number of replicas may run.
type Service struct {
	owners Owners
	zone   *time.Location
}

var ownerPattern = regexp.MustCompile(schemas.OwnerPattern)

// Check refuses owners that would leave a journey in the void at some hour.
func (o Owners) Check() error {
	for _, one := range []struct{ name, owner string }{{"a navigator", o.Navigator}, {"a deputy", o.Deputy},
		{"an out-of-hours owner", o.OutOfHours}} {
		switch {
		case one.owner == "":
			return fmt.Errorf("journeys need %s: name one as kind:id, for instance navigator:duty", one.name)
		case !ownerPattern.MatchString(one.owner):
			return fmt.Errorf("%s is %q: write it as kind:id, for instance navigator:duty", one.name, one.owner)
		}
	}
	if o.Deputy == o.Navigator {
		return errors.New("the deputy is the navigator: name another, or nobody takes over")
	}
	return nil
}

// New makes the service. It refuses to start without a navigator, a deputy and an out-of-hours owner.
func New(cfg Config) (*Service, error) {
	if err := cfg.Owners.Check(); err != nil {
		return nil, err
	}
	zone, err := calendar.ZoneOr(cfg.Zone)
	if err != nil {
		return nil, err
	}
	return &Service{owners: cfg.Owners, zone: zone}, nil
}

// Due are the loops over what falls due by time.
func (s *Service) Due() []flow.Due {
	return []flow.Due{{Name: "overdue-steps", Every: time.Second, Limit: 256, Run: s.addOwners},
		{Name: "held-together", Every: time.Second, Limit: 64, Run: s.holdTogether}}
}

// doer runs one transaction; *flow.Flow is one.
type doer interface {
	Do(ctx context.Context, fn func(tx *flow.Tx) error) error
}
