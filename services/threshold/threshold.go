// Package threshold looks at every service's published access criteria together, so that nobody falls between. How a
// decision is made is package criteria's, inside it; this package hears what is known of a journey, keeps what was
// decided, says it, and answers people over HTTP.
//
// In: discharge.recorded, discharge.corrected, discharge.withdrawn, referral.requested, information.supplied,
// journey.released, closed and reopened; and by HTTP what people record: that a service was asked, what it answered, a
// decision of their own about a door, what they were told, and lines that reach nobody. Out: pathway.decided,
// threshold.gap-found, information.needed, service.asked, service.answered, service.line-reported, service.line-mended.
//
// Tables: journey_state (what is known of a journey), decision (each with its full matrix and what it was made from),
// directory_version (each set of criteria a decision was made under), running (the one in force), asked, answered,
// override, told, dead_line. View: held, for the sentinel.
//
// It promises:
//   - criteria are about services; a document with a field for a grade of a person does not load, nor does a set
//     without a last resort;
//   - what is unknown excludes nobody: it becomes a question, and the inclusive path goes ahead meanwhile;
//   - every no names its criterion, its words, source and date, as they were when it was said;
//   - looking again may open a door, never close one that was open: it looks again when something is learned, on a day
//     on
//     which something changes, and, journey after journey, when the criteria are others;
//   - a gap is said once, with both sentences, and silence is asked again, never an ending;
//   - what is kept in people's words is a service's words about itself; what looks like somebody's name, number, date
//     or
//     address is refused.
//
// It does not hear offers: a partner's yes to an offer does not count as an answer yet. A name that looks like any
// other word is not found by any check.
package threshold

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/calendar"
	"footbridge/services/threshold/criteria"
)

// Name is the schema, the login and the source.
const Name = "threshold"

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

// Config is what threshold needs: its own database and the set of criteria that is in force.
type Config struct {
	Pool      *pgxpool.Pool
	Directory *criteria.Directory
	// Zone is whose calendar days count (Europe/London).
	Zone *time.Location
	Now  time.Time
	// Organisation runs this system: steps about the directory itself are its.
	Organisation string
	Log          *slog.Logger
}

// Evaluator decides, event by event, which doors are open to whom. Several may run beside one another.
type Evaluator struct {
	directory    *criteria.Directory
	zone         *time.Location
	organisation string
	log          *slog.Logger
}

// New writes down the set of criteria, so that its decisions can always show the words they were made under.
func New(ctx context.Context, cfg Config) (*Evaluator, error) {
	if cfg.Directory == nil {
		return nil,
			errors.New("threshold needs access criteria: set FOOTBRIDGE_DIRECTORY to a file or a folder of them")
	}
	e := &Evaluator{directory: cfg.Directory, zone: cfg.Zone, organisation: cfg.Organisation, log: cfg.Log}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if e.zone, err = calendar.ZoneOr(e.zone); err != nil {
		return nil, err
	}
	return e, keepDirectory(ctx, cfg.Pool, cfg.Directory, cfg.Now)
}
