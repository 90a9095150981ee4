package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"footbridge/libs/calendar"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/intake"
	"footbridge/services/journey"
)

// The fallback list is what is read when Footbridge is down: which steps are overdue or fall due in the next three
// days, whose they are, and by which visit number the hospital finds the person in its own record. It holds no name,
// number or address. It is written each night, encrypted by age to the keys of those who are on call, and nobody else,
// this process neither, can read it. It is destroyed after 48 hours: what it says is by then more likely wrong than of
// use.
const (
	fallbackKept  = 48 * time.Hour
	fallbackAhead = 72 * time.Hour
	fallbackName  = "footbridge-2006-01-02.csv.age"
	fallbackTime  = "15:04 on Mon 2 January 2006"
)

// fallbackRow is one line of it.
type fallbackRow struct {
	journey.Waiting
	Visit string
}

// writeFallback writes the list as it is before it is encrypted: what it is and what to look at first, then the steps
// by the time first promised.
func writeFallback(w io.Writer, rows []fallbackRow, owners journey.Owners, at time.Time, zone *time.Location) error {
	local := at.In(zone)
	_, err := fmt.Fprintf(w, "# As of %s. CHECK STOPS FIRST: since then somebody may have died, said no, or asked "+
		"not to be "+
		"contacted.\r\n# Ring %s before anybody is rung, written to or visited. Find people by the visit number in the "+
		"hospital's own record.\r\n# In danger now: 999. Destroy this by %s.\r\n", local.Format(fallbackTime),
		strings.Join([]string{owners.Navigator, owners.Deputy, owners.OutOfHours}, ", else "),
		local.Add(fallbackKept).Format(fallbackTime))
	if err != nil {
		return err
	}
	list := csv.NewWriter(w)
	list.UseCRLF = true
	lines := [][]string{{"first due", "overdue", "what", "whose", "also", "organisation", "visit", "journey"}}
	for _, r := range rows {
		overdue := ""
		if r.FirstDueAt.Before(at) {
			overdue = "yes"
		}
		lines = append(lines, []string{r.FirstDueAt.In(zone).Format("Mon 2 Jan 15:04"), overdue,
			schemas.StepWords(r.Kind, schemas.StepAbout{}), r.Owner, strings.Join(r.Added, " "), r.Organisation,
			cell(r.Visit),
			r.Journey})
	}
	return list.WriteAll(lines)
}

// cell keeps what a hospital sent from being taken for a formula by a spreadsheet.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

var fallbackKey = regexp.MustCompile(`^(\S+)\s+(age1[a-z0-9]+)$`)

// fallbackKeys reads to whom the list is written: lines of a name and an age public key; empty ones and those that
// begin with # are nobody's.
func fallbackKeys(text string) (names []string, keys []age.Recipient, err error) {
	for n, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := fallbackKey.FindStringSubmatch(line)
		if parts == nil {
			return nil, nil, fmt.Errorf("line %d is not a name and an age public key, such as: duty-phone age1…", n+1)
		}
		key, err := age.ParseX25519Recipient(parts[2])
		if err != nil {
			return nil, nil, fmt.Errorf("line %d, the key of %s: %w", n+1, parts[1], err)
		}
		if slices.Contains(names, parts[1]) {
			return nil, nil, fmt.Errorf("line %d names %s again: each key is somebody's", n+1, parts[1])
		}
		names, keys = append(names, parts[1]), append(keys, key)
	}
	if len(keys) == 0 {
		return nil, nil, errors.New("it names nobody")
	}
	return names, keys, nil
}

// fallback is where the list goes, when and to whom; nil where none is written.
type fallback struct {
	dir    string
	at     time.Duration // after midnight, local
	owners journey.Owners
	zone   *time.Location
	keys   []age.Recipient
}

func (c *Config) fallback() (*fallback, error) {
	if c.FallbackDir == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.FallbackKeys)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_FALLBACK_KEYS, to whom the fallback list is written: %w", err)
	}
	_, keys, err := fallbackKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_FALLBACK_KEYS %s: %w", c.FallbackKeys, err)
	}
	at, err := time.Parse("15:04", c.FallbackAt)
	if err != nil {
		return nil, errors.New("FOOTBRIDGE_FALLBACK_AT is no local time, such as 02:00")
	}
	if info, err := os.Stat(c.FallbackDir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("FOOTBRIDGE_FALLBACK_DIR %s is no folder that there is", c.FallbackDir)
	}
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return nil, err
	}
	return &fallback{dir: c.FallbackDir, at: time.Duration(at.Hour())*time.Hour +
		time.Duration(at.Minute())*time.Minute,
		owners: c.owners(), zone: zone, keys: keys}, nil
}

// wanted is the file that should be there by now: that of today once its time has come, else that of the day before.
func (f *fallback) wanted(now time.Time) string {
	day := calendar.DayOf(now, f.zone)
	if now.Before(day.At(int(f.at.Hours()), int(f.at.Minutes())%60, f.zone)) {
		day--
	}
	return filepath.Join(f.dir, day.At(12, 0, f.zone).Format(fallbackName))
}

// destroy deletes lists that are older than they may be, by the day in their names and by when they were written.
func (f *fallback) destroy(now time.Time) (errs error) {
	files, err := filepath.Glob(filepath.Join(f.dir, "footbridge-*.csv.age*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err == nil && now.Sub(info.ModTime()) >= fallbackKept {
			err = os.Remove(file)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = errors.Join(errs, fmt.Errorf("destroying a fallback list: %w", err))
		}
	}
	return errs
}

// write puts a list where it is looked for, whole or not at all.
func (f *fallback) write(file string, rows []fallbackRow, now time.Time) error {
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, f.keys...)
	if err == nil {
		err = errors.Join(writeFallback(w, rows, f.owners, now, f.zone), w.Close())
	}
	if err != nil {
		return fmt.Errorf("encrypting the fallback list: %w", err)
	}
	next := file + ".next"
	if err := os.WriteFile(next, sealed.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the fallback list: %w", err)
	}
	if err := errors.Join(os.Chtimes(next, now, now), os.Rename(next, file)); err != nil {
		return fmt.Errorf("writing the fallback list: %w", err)
	}
	return nil
}

// rows are the list's lines: what journey says is to be done, of those whom intake says may be contacted.
func (p *platform) fallbackRows(ctx context.Context, now time.Time) (rows []fallbackRow, err error) {
	journeys, err := p.cfg.openDatabase(ctx, schemas.Journey, 1)
	if err != nil {
		return nil, err
	}
	defer journeys.Close()
	people, err := p.cfg.openDatabase(ctx, schemas.Intake, 1)
	if err != nil {
		return nil, err
	}
	defer people.Close()
	waiting, err := journey.WaitingUntil(ctx, journeys, now.Add(fallbackAhead))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, w := range waiting {
		ids = append(ids, w.Journey)
	}
	found, err := intake.Findable(ctx, people, ids) // asked last: whoever was stopped meanwhile is left out
	for _, w := range waiting {
		if visit, may := found[w.Journey]; may {
			rows = append(rows, fallbackRow{w, visit})
		}
	}
	return rows, err
}

// keep brings the folder in line with the time: what is too old is destroyed, and the list is written that should be
// there and is not. After a stop over its time it is written at once, as of then.
func (p *platform) keepFallback(ctx context.Context, f *fallback) error {
	now := p.clock.Now()
	if err := f.destroy(now); err != nil {
		return err
	}
	file := f.wanted(now)
	if _, err := os.Stat(file); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	rows, err := p.fallbackRows(ctx, now)
	if err != nil {
		return err
	}
	return f.write(file, rows, now)
}

// runFallback keeps the list while the process runs.
func (p *platform) runFallback(ctx context.Context, h *service.Health) error {
	f, err := p.cfg.fallback()
	if err != nil {
		return err
	}
	h.Ready()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		err := p.keepFallback(ctx, f)
		if err != nil && ctx.Err() == nil {
			p.log.Error("the list for when the system is down could not be written", schemas.AttrError, err,
				schemas.AttrRunbook, "fallback-list.md")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// checkFallback is doctor's look at the list: whether one is there that can be of use.
func (c *Config) checkFallback() (note string, err error) {
	f, err := c.fallback()
	if err != nil || f == nil {
		return map[bool]string{
				true: "none is written: set FOOTBRIDGE_FALLBACK_DIR and FOOTBRIDGE_FALLBACK_KEYS"}[err == nil],
			err
	}
	if _, err := os.Stat(f.wanted(systemClock().Now())); err != nil {
		return "", fmt.Errorf("%s is not there (docs/runbooks/fallback-list.md)",
			filepath.Base(f.wanted(systemClock().Now())))
	}
	return "", nil
}

type fallbackFlags struct {
	Identity string `env:"IDENTITY" placeholder:"FILE" help:"the private key of somebody on call, as age-keygen made it"`
}

// readFallbackList decrypts a list and prints it, without a system that runs. One that is too old is not read.
func readFallbackList(_ context.Context, args []string) error {
	o, rest, err := load[fallbackFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(rest) != 2 || rest[0] != "read" || o.Own.Identity == "" {
		return service.Usage{Err: errors.New("fallback read FILE --identity KEYFILE; FILE is the newest in " +
			"FOOTBRIDGE_FALLBACK_DIR")}
	}
	text, err := os.ReadFile(o.Own.Identity)
	if err != nil {
		return fmt.Errorf("reading your key: %w", err)
	}
	list, err := openFallback(rest[1], text, systemClock().Now())
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(list)
	return err
}

func openFallback(file string, identity []byte, now time.Time) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("reading the list: %w", err)
	}
	if now.Sub(info.ModTime()) >= fallbackKept {
		return nil, fmt.Errorf("the list is of %s, and more likely wrong by now than of use: destroy it, and work "+
			"from the "+
			"hospital's own record", info.ModTime().Local().Format(fallbackTime))
	}
	identities, err := age.ParseIdentities(bytes.NewReader(identity))
	if err != nil {
		return nil, fmt.Errorf("reading your key: %w", err)
	}
	sealed, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the list: %w", err)
	}
	defer func() { _ = sealed.Close() }()
	plain, err := age.Decrypt(sealed, identities...)
	if err != nil {
		return nil, fmt.Errorf("opening the list with your key: %w", err)
	}
	return io.ReadAll(plain)
}
