package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/bridging"
	"footbridge/services/intake"
	"footbridge/services/journey"
)

// statusReport is what somebody on call wants to know, the worst first.
type statusReport struct {
	// WithoutStep is how many open journeys have no next step, or one past its due time and its grace.
	WithoutStep int `json:"withoutStep"`
	// HelpWaiting is how many requests for help nobody on call has taken on, HelpDue by when the first was to be.
	HelpWaiting int        `json:"helpWaiting"`
	HelpDue     *time.Time `json:"helpDue"`
	// ChannelsDown are those by which nobody on call and no caller can be told anything.
	ChannelsDown []string `json:"channelsDown"`
	// OverdueSinceAway is how many of them passed their grace while this system was stopped.
	OverdueSinceAway int        `json:"overdueSinceAway"`
	OldestOverdue    *time.Time `json:"oldestOverdue"`
	Quarantined      int        `json:"quarantined"`
	// Unplaced are facilities that messages came from and that are agreed with no organisation.
	Unplaced    []intake.FacilityLine `json:"unplaced"`
	DeadLetters int                   `json:"deadLetters"`
	Parked      int                   `json:"parked"`
	// TooLarge are events that were committed and that the broker does not take; -1: the broker cannot be asked.
	TooLarge int `json:"tooLarge"`
	// Sentinel says that nobody watches for journeys that nobody holds, and what to do; empty: somebody does.
	Sentinel  string             `json:"sentinel"`
	Readiness *service.Readiness `json:"readiness"`
}

// status says first whether anybody is without a next step.
func status(ctx context.Context, args []string) error {
	o, err := loadAlone[plainFlags](args)
	if err != nil {
		return shown(err)
	}
	report, err := o.report(ctx)
	if err != nil {
		return err
	}
	if o.Own.JSON {
		return printJSON(report)
	}
	fmt.Printf("journeys without a next step in time: %d\n", report.WithoutStep)
	if report.OldestOverdue != nil {
		fmt.Printf("oldest overdue step: due %s\n", report.OldestOverdue.Local().Format("Mon 2 Jan 15:04"))
	}
	if report.OverdueSinceAway > 0 {
		fmt.Printf("of these, overdue since we were away (this system was stopped when their time passed): %d\n",
			report.OverdueSinceAway)
	}
	if report.HelpWaiting > 0 {
		fmt.Printf("help that nobody on call has taken on: %d, the first due %s\n", report.HelpWaiting,
			report.HelpDue.Local().Format("Mon 2 Jan 15:04"))
	}
	for _, channel := range report.ChannelsDown {
		fmt.Printf("nothing can be handed over by %s: those on call and callers are not told by it\n", channel)
	}
	fmt.Printf("messages quarantined for a human: %d\nparked events: %d\ndead letters: %d\n", report.Quarantined,
		report.Parked, report.DeadLetters)
	switch {
	case report.TooLarge < 0:
		fmt.Println("events that the broker does not take: not known, it does not answer")
	case report.TooLarge > 0:
		fmt.Printf("events that the broker does not take: %d; they stay in the outbox until its max_payload is "+
			"raised (docs/runbooks/broker.md)\n", report.TooLarge)
	}
	if report.Sentinel != "" {
		fmt.Println(report.Sentinel)
	}
	if len(report.Unplaced) > 0 {
		fmt.Println(allUnplacedWords(report.Unplaced))
	}
	for _, name := range slices.Sorted(maps.Keys(report.Readiness.Reasons)) {
		fmt.Printf("not ready: %s, because %s\n", name, report.Readiness.Reasons[name])
	}
	for _, name := range slices.Sorted(maps.Keys(report.Readiness.Notes)) {
		fmt.Printf("amiss: %s: %s\n", name, report.Readiness.Notes[name])
	}
	return nil
}

func (c *Config) report(ctx context.Context) (*statusReport, error) {
	ask, err := c.client(schemas.Operator)
	if err != nil {
		return nil, err
	}
	report := &statusReport{}
	late, err := all[journeyLine](ctx, ask, "/api/journeys", url.Values{"void": {"true"}})
	if err != nil {
		return nil, err
	}
	report.WithoutStep = len(late)
	for _, j := range late {
		if j.Away {
			report.OverdueSinceAway++
		}
		if due := j.Next.DueAt; !due.IsZero() && (report.OldestOverdue == nil || due.Before(*report.OldestOverdue)) {
			report.OldestOverdue = &due
		}
	}
	quarantined, err := all[intake.LedgerLine](ctx, ask, "/api/messages", url.Values{"outcome": {"quarantined"}})
	if err != nil {
		return nil, err
	}
	report.Quarantined = len(quarantined)
	if report.Unplaced, err = all[intake.FacilityLine](ctx, ask, "/api/facilities", nil); err != nil {
		return nil, err
	}
	most, err := c.largestMessage(ctx)
	if err != nil {
		report.TooLarge = -1
	}
	err = c.eachDatabase(ctx, func(name string, pool *pgxpool.Pool) error {
		letters, err := flow.DeadLetters(ctx, pool)
		report.DeadLetters += len(letters)
		parked, countErr := flow.CountParked(ctx, pool)
		report.Parked += parked
		if name == schemas.Journey {
			if err := journey.CheckSentinel(ctx, pool, systemClock().Now()); err != nil {
				report.Sentinel = err.Error()
			}
		}
		if name == schemas.Bridging {
			waiting, err := bridging.WaitingNow(ctx, pool)
			if err != nil {
				return err
			}
			if report.HelpWaiting, report.ChannelsDown = waiting.Help, waiting.Channels; waiting.Help > 0 {
				report.HelpDue = &waiting.HelpDue
			}
		}
		large, largeErr := 0, error(nil)
		if report.TooLarge >= 0 {
			large, largeErr = flow.CountTooLarge(ctx, pool, most)
		}
		report.TooLarge += large
		return errors.Join(err, countErr, largeErr)
	})
	if err != nil {
		return nil, err
	}
	report.Readiness, err = c.readiness(ctx)
	return report, err
}

// largestMessage is how many bytes a message may have that the broker and its stream take.
func (c *Config) largestMessage(ctx context.Context) (int, error) {
	cfg, err := c.login(ownerName, "status")
	if err != nil {
		return 0, err
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := bus.Connect(waiting, cfg)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	events, _ := c.streams()
	stream, err := conn.JS.Stream(waiting, events.Name)
	if err != nil {
		return 0, err
	}
	most := int(conn.NATS.MaxPayload())
	if limit := int(stream.CachedInfo().Config.MaxMsgSize); limit > 0 {
		most = min(most, limit)
	}
	return most, nil
}

// readiness asks the operations port, which answers 503 with reasons when something is not ready.
func (c *Config) readiness(ctx context.Context) (*service.Readiness, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.OpsAddr+"/readyz", nil)
	if err != nil {
		return nil, err
	}
	response, err := ownSystem.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking %s whether it is ready: %w", c.OpsAddr, err)
	}
	defer func() { _ = response.Body.Close() }()
	var readiness service.Readiness
	return &readiness, json.NewDecoder(response.Body).Decode(&readiness)
}

// ready asks the operations port of a process on this machine, and fails with what is not ready.
func ready(ctx context.Context, args []string) error {
	o, err := loadAlone[struct{}](args)
	if err != nil {
		return shown(err)
	}
	readiness, err := o.readiness(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(readiness.Reasons)) {
		wrong = append(wrong, fmt.Errorf("not ready: %s, because %s", name, readiness.Reasons[name]))
	}
	if len(wrong) == 0 && !readiness.Ready {
		wrong = append(wrong, errors.New("not ready: it is stopping"))
	}
	return errors.Join(wrong...)
}

// doctor looks at everything this process would need and says what to do about what it finds.
func doctor(ctx context.Context, args []string) error {
	o, err := loadAlone[doctorFlags](args)
	if err != nil {
		return shown(err)
	}
	only, err := chosen(o.Own.Only)
	if err != nil {
		return err
	}
	o.development = o.DatabaseURL == "" && len(o.DatabaseURLs) == 0 // the system of `footbridge dev`
	findings, bad := o.examine(ctx, only)
	if o.Own.JSON {
		err = printJSON(findings)
	} else {
		for _, f := range findings {
			fmt.Printf("%-44s %s\n", f.Check, f.words())
		}
	}
	if bad > 0 {
		return errors.Join(err, fmt.Errorf("%d of %d checks found something", bad, len(findings)))
	}
	return err
}

// finding is what one check of doctor found: well, well with something worth knowing, or what to do.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Why   string `json:"why,omitempty"`
	Note  string `json:"note,omitempty"`
}

func (f finding) words() string {
	if f.Note != "" {
		return "well; " + f.Note
	}
	return orElse(f.Why, "well")
}

type doctorFlags struct {
	Only []string `env:"ONLY" placeholder:"SERVICE,…" help:"the services of the process whose key files are to be looked at, comma between; empty: all"`
	JSON bool     `env:"JSON" help:"print data"`
}

// examine runs every check of doctor and counts those that found something wrong.
func (c *Config) examine(ctx context.Context, only []string) (findings []finding, bad int) {
	plain := func(check func(context.Context) error) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return "", check(ctx) }
	}
	for _, one := range []struct {
		what  string
		check func(context.Context) (note string, err error)
	}{
		{"owners of steps", plain(func(context.Context) error { return c.checkOwners() })},
		{"access criteria", plain(func(context.Context) error { _, err := c.directory(); return err })},
		{"senders' profiles", plain(func(context.Context) error { _, err := c.loadProfiles(); return err })},
		{"key files", func(context.Context) (string, error) { return c.checkKeyFiles(only) }},
		{"databases and schema versions", plain(c.checkDatabases)},
		{"traces", c.checkTraces},
		{"key that wraps keys", c.checkVaults},
		{"where messages come from", c.checkFacilities},
		{"commits that wait for the disk, and clocks", plain(c.checkClocks)},
		{"the sentinel", plain(c.checkSentinel)},
		{"who hears outside when it stops", func(context.Context) (string, error) { return c.checkHeartbeat() }},
		{"the list for when the system is down", func(context.Context) (string, error) { return c.checkFallback() }},
		{"mail", c.checkMailSent},
		{"texts", func(context.Context) (string, error) { return c.textsSent(), c.checkTexts() }},
		{"sign-in of staff", c.checkProviders},
		{"broker and streams", func(ctx context.Context) (string, error) { return c.checkBroker(ctx, only) }},
	} {
		f := finding{Check: one.what, OK: true}
		note, err := one.check(ctx)
		err = withoutSQL(err)
		if err != nil {
			f.OK, f.Why = false, notSaid(findings, err)
			bad++
		} else {
			f.Note = note
		}
		findings = append(findings, f)
	}
	return findings, bad
}

// notSaid is what an error says, or that it was said of a check before: what several checks need is named once.
func notSaid(before []finding, err error) string {
	why, absent := err.Error(), absentKey("")
	said := func(f finding) bool {
		return why != "" && strings.Contains(f.Why, why) ||
			errors.As(err, &absent) && strings.Contains(f.Why, filepath.Base(string(absent)))
	}
	if slices.ContainsFunc(before, said) {
		return "could not be looked at, for what is said above"
	}
	return why
}

func (c *Config) checkDatabases(ctx context.Context) error {
	urls, err := c.findDatabases(ctx, stateful())
	if err != nil {
		return err
	}
	for _, s := range allMigrations() {
		if s.Name == schemas.Traces {
			continue // nothing waits for it: checkTraces
		}
		pending, err := pendingOf(ctx, urls[s.Name], s)
		if err == nil && strings.HasPrefix(pending, "migrations [1 ") {
			return errNoTables
		}
		if err == nil && pending != "" {
			err = fmt.Errorf("%s; footbridge migrate applies them, and a start with an administrator's "+
				"FOOTBRIDGE_DATABASE_URL", pending)
		}
		if err == nil {
			err = pg.CheckLogin(ctx, urls[s.Name], s.Name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

// checkClocks opens each database, which refuses commits that do not wait for the disk, and compares the server's
// clock with this machine's.
func (c *Config) checkClocks(ctx context.Context) error {
	return c.eachDatabase(ctx, func(name string, pool *pgxpool.Pool) error {
		there, err := pg.ServerTime(ctx, pool)
		if err != nil {
			return err
		}
		if apart := time.Since(there).Abs(); apart > 2*time.Second {
			return fmt.Errorf("the clocks of this machine and of the database of %s are %v apart; set both by NTP",
				name, apart.Round(time.Second))
		}
		return nil
	})
}

// checkSentinel says when no sentinel has looked for the length of its lease.
func (c *Config) checkSentinel(ctx context.Context) error {
	return c.eachDatabase(ctx, func(name string, pool *pgxpool.Pool) error {
		if name != schemas.Journey {
			return nil
		}
		return journey.CheckSentinel(ctx, pool, systemClock().Now())
	})
}

// checkBroker looks at streams and consumers as their owner; without the owner's login as each service that this
// process runs, at what that one may see.
func (c *Config) checkBroker(ctx context.Context, only []string) (note string, err error) {
	events, partners := c.streams()
	if c.creds(ownerName) != "" || c.keyring().Has(ownerName) {
		return "", c.checkBrokerAs(ctx, ownerName, []bus.Stream{events, partners}, c.durables())
	}
	looked := false
	for _, name := range only {
		if slices.Contains(stateful(), name) && (c.creds(name) != "" || c.keyring().Has(name)) {
			looked = true
			own := slices.DeleteFunc(c.durables(), func(d bus.Durable) bool { return d.Name != name })
			err = errors.Join(err, c.checkBrokerAs(ctx, name, []bus.Stream{events}, own))
		}
	}
	if !looked {
		return "this process has no login to the broker", nil
	}
	return "looked at as a service sees it, since " + ownerName + ".key is not here", err
}

func (c *Config) checkBrokerAs(ctx context.Context, holder string, streams []bus.Stream, durables []bus.Durable) error {
	cfg, err := c.login(holder, "doctor")
	if err != nil {
		return err
	}
	if holder != ownerName {
		cfg.Inbox = bus.InboxOf(holder)
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := bus.Connect(waiting, cfg)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, stream := range streams {
		if err := conn.CheckStream(waiting, stream); err != nil {
			return err
		}
	}
	var errs []error
	for _, durable := range durables {
		errs = append(errs, conn.CheckDurable(waiting, durable))
	}
	return errors.Join(errs...)
}

// buildVersion is the release, and after a plus the commit that this binary was built from, as far as it is known:
// 0.1.0+3f2a91c0.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return schemas.Release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return schemas.Release + "+" + s.Value[:min(len(s.Value), 8)]
		}
	}
	return schemas.Release
}

func version(_ context.Context, args []string) error {
	o, err := loadAlone[plainFlags](args)
	if err != nil {
		return shown(err)
	}
	if o.Own.JSON {
		return printJSON(map[string]string{"version": buildVersion(), "go": runtime.Version()})
	}
	fmt.Println("footbridge", buildVersion(), runtime.Version())
	return nil
}

// allUnplacedWords count and name the facilities that belong to no agreed organisation; of none, nothing.
func allUnplacedWords(all []intake.FacilityLine) string {
	if len(all) == 0 {
		return ""
	}
	words := []string{fmt.Sprintf("facilities that belong to no agreed organisation: %d", len(all))}
	for _, one := range all {
		words = append(words, unplacedWords(one))
	}
	return strings.Join(words, "\n")
}

// unplacedWords say that messages come from where nobody has agreed, and how to map it.
func unplacedWords(one intake.FacilityLine) string {
	return fmt.Sprintf("facility %s of sender %q belongs to no agreed organisation: %d journeys are %s's to place, "+
		"with who they are about hidden. "+
		"A navigator places it (POST /api/facilities/{id}/place with that id); a spelling goes under facilities in "+
		"the sender's profile, a new organisation into FOOTBRIDGE_ORGANISATIONS",
		one.ID, one.Sender, one.Journeys, one.Host)
}

// checkFacilities is doctor's look at where messages came from that is agreed with no organisation.
func (c *Config) checkFacilities(ctx context.Context) (note string, err error) {
	pool, err := c.openDatabase(ctx, schemas.Intake, 1)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	unplaced, err := intake.Unplaced(ctx, pool)
	if err != nil {
		return "", fmt.Errorf("reading where messages come from: %w", err)
	}
	return allUnplacedWords(unplaced), nil
}
