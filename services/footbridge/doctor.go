package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/operations"
	"footbridge/libs/pg"
	"footbridge/schemas"
	"footbridge/services/journey"
)

const (
	// clocksApart is how far apart clocks may be.
	clocksApart = 2 * time.Second
	// backupLate is how old the last good backup may be: one is made each night.
	backupLate = 26 * time.Hour
)

// clockOf is how far a clock is ahead of this machine's; behind it below zero.
type clockOf struct {
	whose string
	ahead time.Duration
}

// readClock asks for a time elsewhere. What is between the asking and the answer is not apart, however long it took.
func readClock(whose string, ask func() (time.Time, error)) (clockOf, error) {
	asked := time.Now()
	there, err := ask()
	answered := time.Now()
	read := clockOf{whose: whose}
	switch {
	case err != nil:
		return read, err
	case there.Before(asked):
		read.ahead = there.Sub(asked)
	case there.After(answered):
		read.ahead = there.Sub(answered)
	}
	return read, nil
}

// compareClocks says how far apart this machine's clock and these are, and which two are too far apart.
func compareClocks(read []clockOf) (note string, err error) {
	all := append([]clockOf{{whose: "this machine"}}, read...)
	slow := slices.MinFunc(all, func(a, b clockOf) int { return int(a.ahead - b.ahead) })
	fast := slices.MaxFunc(all, func(a, b clockOf) int { return int(a.ahead - b.ahead) })
	apart := fast.ahead - slow.ahead
	if apart > clocksApart {
		return "", fmt.Errorf("the clock of %s is %.1f s ahead of that of %s; set both by NTP (docs/runbooks/clock.md)",
			fast.whose, apart.Seconds(), slow.whose)
	}
	return fmt.Sprintf("%d clocks are at most %.1f s apart", len(all), apart.Seconds()), nil
}

// checkClocks opens each database, which refuses commits that do not wait for the disk, and compares its server's
// clock, the broker's and this machine's.
func (c *Config) checkClocks(ctx context.Context, only []string) (note string, err error) {
	var read []clockOf
	err = c.eachDatabase(ctx, func(name string, pool *pgxpool.Pool) error {
		one, err := readClock("the database of "+name, func() (time.Time, error) { return pg.ServerTime(ctx, pool) })
		read = append(read, one)
		return err
	})
	if err != nil {
		return "", err
	}
	without := "; the broker's is not among them, since it could not be asked"
	if holder := c.brokerHolder(only); holder != "" {
		events, _ := c.streams()
		one, err := c.brokerClock(ctx, holder, events.Name)
		if err == nil { // what is wrong with the broker is said of the broker
			read, without = append(read, one), ""
		}
	}
	note, err = compareClocks(read)
	return note + without, err
}

// brokerHolder is whose login to the broker this process has: the owner's first; empty where it has none.
func (c *Config) brokerHolder(only []string) string {
	for _, name := range append([]string{ownerName}, only...) {
		if (name == ownerName || slices.Contains(stateful(), name)) && (c.creds(name) != "" || c.keyring().Has(name)) {
			return name
		}
	}
	return ""
}

func (c *Config) brokerClock(ctx context.Context, holder, stream string) (read clockOf, err error) {
	err = c.atBroker(ctx, holder, func(ctx context.Context, conn *bus.Conn) error {
		read, err = readClock("the broker", func() (time.Time, error) { return conn.ServerTime(ctx, stream) })
		return err
	})
	return read, err
}

// checkPartitions is doctor's look at the days for which tables stand ready, by the limit of the operators' figure.
func (c *Config) checkPartitions(ctx context.Context) (note string, err error) {
	ahead, fewest, whose := operations.KindOf(operations.DaysAhead), 0, ""
	err = c.eachDatabase(ctx, func(name string, pool *pgxpool.Pool) error {
		days, err := pg.DaysAhead(ctx, pool, systemClock().Now())
		if err != nil {
			return err
		}
		if whose == "" || days < fewest {
			fewest, whose = days, name
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if ahead.Amiss(float64(fewest)) {
		return "", fmt.Errorf("tables of %s stand ready for %d days ahead: a process of it makes them each minute; look "+
			"whether one runs, and what its log says (docs/runbooks/%s)", whose, fewest, ahead.Runbook)
	}
	return fmt.Sprintf("tables stand ready for %d days ahead at least", fewest), nil
}

// checkSentinel says when no sentinel has looked for the length of its lease, and else when it last looked everywhere.
func (c *Config) checkSentinel(ctx context.Context) (note string, err error) {
	pool, err := c.openDatabase(ctx, schemas.Journey, 1)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	now := systemClock().Now()
	if err := journey.CheckSentinel(ctx, pool, now); err != nil {
		return "", err
	}
	at, err := journey.LookedAt(ctx, pool, now)
	if err != nil || at.IsZero() {
		return "", err
	}
	return "it last looked everywhere at " + at.UTC().Format("2 Jan 15:04:05 UTC"), nil
}

// checkBackups is doctor's look at the last good backup, which whoever makes it states by touching a file.
func (c *Config) checkBackups(now time.Time) (note string, err error) {
	if c.BackupStamp == "" {
		return "nothing says when the last good backup was made: set FOOTBRIDGE_BACKUP_STAMP to a file that is touched " +
			"after each", nil
	}
	found, err := os.Stat(c.BackupStamp)
	if err != nil {
		return "", fmt.Errorf("FOOTBRIDGE_BACKUP_STAMP: %w; have the backup touch it when it ended well", err)
	}
	age := now.Sub(found.ModTime())
	switch at := found.ModTime().UTC().Format("2 Jan 15:04 UTC"); {
	case age < -clocksApart:
		return "", errors.New("the last good backup is stated to be of " + at + ", which is yet to come: look at the " +
			"clock of the machine that makes it")
	case age > backupLate:
		return "", fmt.Errorf("the last good backup is %d hours old (%s): look why none was made since, and make one",
			int(age.Hours()), at)
	default:
		return "the last good backup is of " + at, nil
	}
}

// keyAges says of when the oldest of these holders' key files is.
func (c *Config) keyAges(holders []string, now time.Time) string {
	var oldest time.Time
	whose := ""
	for _, holder := range holders {
		found, err := os.Stat(c.keyring().Path(holder))
		if err == nil && (whose == "" || found.ModTime().Before(oldest)) {
			oldest, whose = found.ModTime(), holder
		}
	}
	if whose == "" {
		return ""
	}
	return fmt.Sprintf("; the oldest, %s.key, is %d days old", whose, max(0, int(now.Sub(oldest).Hours()/24)))
}
