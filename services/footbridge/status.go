package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/bus"
	"footbridge/libs/flow"
	"footbridge/libs/operations"
	"footbridge/libs/pg"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/intake"
)

// statusReport is what somebody on call wants to know, the worst first: the operators' figures, as GET /api/operations
// gives them, and what stands beside them.
type statusReport struct {
	operations.Report
	// Unplaced are facilities that messages came from and that are agreed with no organisation.
	Unplaced  []intake.FacilityLine `json:"unplaced"`
	Readiness *service.Readiness    `json:"readiness"`
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
	for _, f := range report.Figures {
		if line := figureWords(f); line != "" {
			fmt.Println(line)
		}
	}
	if len(report.Unplaced) > 0 {
		fmt.Println(allUnplacedWords(report.Unplaced))
	}
	if report.Readiness == nil {
		fmt.Println("not known: whether this process is ready; its operations port does not answer")
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(report.Readiness.Reasons)) {
		fmt.Printf("not ready: %s, because %s\n", name, report.Readiness.Reasons[name])
	}
	for _, name := range slices.Sorted(maps.Keys(report.Readiness.Notes)) {
		fmt.Printf("amiss: %s: %s\n", name, report.Readiness.Notes[name])
	}
	return nil
}

// always are the figures that status prints when they are well too.
var always = []string{operations.WithoutStep, operations.MessagesWaiting, operations.Parked, operations.DeadLetters}

// figureWords is a figure as status prints it, with what it counts where that asks for somebody; empty where it is well
// and need not be said.
func figureWords(f operations.Figure) string {
	if f.Name == operations.FacilitiesOpen || !f.Amiss && !f.Unknown && !slices.Contains(always, f.Name) {
		return "" // the facilities are listed below, with more
	}
	words := []string{strings.ToLower(f.Words[:1]) + f.Words[1:]}
	if f.Service != "" && operations.KindOf(f.Name).By == "" {
		words[0] += ", " + f.Service
	}
	words[0] += ": " + valueWords(f)
	if f.Why != "" && (f.Amiss || f.Unknown) {
		words = append(words, "  "+f.Why)
	}
	for _, line := range f.Lines {
		if line.Amiss {
			words = append(words, "  "+lineWords(line))
		}
	}
	return strings.Join(words, "\n")
}

func valueWords(f operations.Figure) string {
	value := strconv.FormatFloat(f.Value, 'f', 0, 64)
	switch f.Unit {
	case "seconds":
		value = (time.Duration(f.Value) * time.Second).String()
	case "yes":
		value = map[bool]string{true: "yes", false: "no"}[f.Value > 0]
	}
	switch {
	case f.Unknown:
		return "not known"
	case f.Partial:
		value += ", and not all could be read"
	}
	if f.Amiss && f.Since != nil {
		value += ", since " + f.Since.Local().Format("Mon 2 Jan 15:04")
	}
	return value
}

// lineWords is one of what a figure counts.
func lineWords(line operations.Line) string {
	words := []string{}
	for _, one := range []string{line.Service, line.What, line.ID, line.Organisation, line.Why} {
		if one != "" {
			words = append(words, one)
		}
	}
	if line.Since != nil {
		words = append(words, "since "+line.Since.Local().Format("Mon 2 Jan 15:04"))
	}
	if line.Journey != "" {
		words = append(words, "journey "+line.Journey)
	}
	return strings.Join(words, ", ")
}

// report asks the running system how it stands.
func (c *Config) report(ctx context.Context) (*statusReport, error) {
	ask, err := c.client(schemas.Operator)
	if err != nil {
		return nil, err
	}
	report := &statusReport{}
	if _, err := ask.call(ctx, http.MethodGet, "/api/operations", nil, "", &report.Report); err != nil {
		return nil, err
	}
	if unplaced := report.Of(operations.FacilitiesOpen); len(unplaced) > 0 && unplaced[0].Value > 0 {
		if report.Unplaced, err = all[intake.FacilityLine](ctx, ask, "/api/facilities", nil); err != nil {
			return nil, err
		}
	}
	asked, cancel := context.WithTimeout(ctx, operations.GatherWithin)
	defer cancel()
	if report.Readiness, err = c.readiness(asked); err != nil {
		report.Readiness = nil // it is another process's, and may be elsewhere
	}
	return report, nil
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
		{"commits that wait for the disk, and clocks", func(ctx context.Context) (string, error) {
			return c.checkClocks(ctx, only)
		}},
		{"partitions ahead", c.checkPartitions},
		{"the sentinel", c.checkSentinel},
		{"backups", func(context.Context) (string, error) { return c.checkBackups(time.Now()) }},
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
	return c.atBroker(ctx, holder, func(ctx context.Context, conn *bus.Conn) error {
		for _, stream := range streams {
			if err := conn.CheckStream(ctx, stream); err != nil {
				return err
			}
		}
		var errs []error
		for _, durable := range durables {
			err := conn.CheckDurable(ctx, durable)
			if err == nil {
				err = conn.CheckPaused(ctx, durable)
			}
			// a service may not read what waits, and how far a partner reads is the partner's own
			if err == nil && holder == ownerName && durable.Stream == streams[0].Name {
				err = conn.CheckMoving(ctx, durable, flow.StillFor)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// atBroker connects as one who has a login to the broker, for five seconds at most.
func (c *Config) atBroker(ctx context.Context, holder string, do func(context.Context, *bus.Conn) error) error {
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
	return do(waiting, conn)
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
