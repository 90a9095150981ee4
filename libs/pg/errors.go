package pg

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// infrastructureClasses are the first two characters of the SQLSTATEs that say something about the server, its
// schema or the moment, and nothing about what was to be stored.
var infrastructureClasses = []string{
	"08", // connection exceptions
	"28", // the login was refused: a password was changed, a role is missing
	"3D", // the database is not there
	"3F", // the schema is not there
	"40", // serialisation failure, deadlock: another transaction was in the way
	"42", // a table, column or right is missing: code and schema do not fit
	"53", // out of connections, memory or disk
	"57", // shut down, cancelled, starting up
	"58", // trouble of the operating system
	"F0", // the server's configuration
	"XX", // the server's own errors and damage
}

var infrastructureCodes = []string{
	"0A000", // a cached plan met a changed table
	"25006", // read-only: we were left on a standby
	"25P03", // ended because it idled in a transaction
	"25P04", // ended because the transaction took too long
	"26000", // a prepared statement is gone: something between us and the server
	"55006", // object in use
	"55P03", // a lock was not to be had in time
}

// ErrNotNow is wrapped by errors that did not come from the server and count as infrastructure all the same: the same
// may be tried again later.
var ErrNotNow = errors.New("not now")

// IsInfrastructure reports whether err says that database or network are in trouble, and nothing about what was to
// be stored: trying the same again later may work. It must never count against an event.
//
// It is true for a lost connection, for the SQLSTATE classes and codes listed above, for a row without a partition, for
// what wraps ErrNotNow, and for a context that ended (the time was up, or the process is stopping). A check violation,
// a duplicate, or a value out of range is not infrastructure: it would fail again.
func IsInfrastructure(err error) bool {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return len(pgErr.Code) == 5 && (slices.Contains(infrastructureClasses, pgErr.Code[:2]) ||
			slices.Contains(infrastructureCodes, pgErr.Code) || isNoPartition(pgErr))
	}
	return IsConnectionLost(err) || errors.Is(err, ErrNotNow) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Canceled)
}

// isNoPartition recognises a row for which the day's partition is missing. It shares its code with a check
// violation, which always names its constraint.
func isNoPartition(err *pgconn.PgError) bool { return err.Code == "23514" && err.ConstraintName == "" }

// IsNoPartition reports a row for which its day's partition is missing: more days have passed at once than were made
// ahead.
func IsNoPartition(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && isNoPartition(pgErr)
}

// IsConnectionLost reports that the server could not be reached or the connection broke. Whether a commit that was
// under way took effect is then not known.
func IsConnectionLost(err error) bool {
	if err == nil {
		return false
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code[:min(2, len(pgErr.Code))] == "08" ||
			slices.Contains([]string{"57P01", "57P02", "57P03", "25P03"}, pgErr.Code)
	}
	var netErr net.Error
	var connect *pgconn.ConnectError
	return (errors.As(err, &netErr) && !isContext(err)) || errors.As(err, &connect) || pgconn.SafeToRetry(err) &&
		!isContext(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, puddle.ErrClosedPool)
}

func isContext(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// IsUnique reports a duplicate key; with names, one of these constraints or unique indexes.
func IsUnique(err error, constraints ...string) bool { return isViolation(err, "23505", constraints) }

// IsForeignKey reports a reference to a row that is not there; with names, one of these constraints.
func IsForeignKey(err error, constraints ...string) bool {
	return isViolation(err, "23503", constraints)
}

// IsCheck reports a violated check; with names, one of these constraints.
func IsCheck(err error, constraints ...string) bool {
	return Constraint(err) != "" && isViolation(err, "23514", constraints)
}

// Constraint returns the name of the violated constraint, or "".
func Constraint(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.ConstraintName
	}
	return ""
}

func isViolation(err error, code string, constraints []string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code &&
		(len(constraints) == 0 || slices.Contains(constraints, pgErr.ConstraintName))
}

// IsLockNotAvailable reports that somebody else holds a lock that was not to be waited for.
func IsLockNotAvailable(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "55P03"
}
