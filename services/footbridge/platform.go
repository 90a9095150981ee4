package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nkeys"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/pg/private"
	"footbridge/libs/service"
	"footbridge/libs/telemetry"
	"footbridge/schemas"
	"footbridge/services/bridging"
	"footbridge/services/delivery"
	"footbridge/services/followup"
	"footbridge/services/gateway"
	"footbridge/services/intake"
	"footbridge/services/journey"
	"footbridge/services/threshold"
	"footbridge/services/traces"
)

// eventStream is where every event is; partnerStream what each partner may see.
func (c *Config) streams() (events, partners bus.Stream) {
	events = bus.Stream{Name: "FOOTBRIDGE_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: c.NATSMaxAge,
		MaxBytes: -1, Replicas: c.NATSReplicas}
	partners = bus.Stream{Name: "FOOTBRIDGE_PARTNERS", Subjects: []string{"partner.>"}, MaxAge: partnersAge,
		MaxBytes: partnersBytes, DiscardOld: true, Replicas: c.NATSReplicas}
	return events, partners
}

// The stream of partners is a copy of their logs: bounded, and its oldest events are dropped where it is full.
const (
	partnersAge   = 30 * 24 * time.Hour
	partnersBytes = 1 << 30
)

// natsPartners are the partners that take their events from the broker, by their ids, with the public halves of their
// nkeys.
func (c *Config) natsPartners() (keys map[string]string, err error) {
	keys = map[string]string{}
	if len(c.NATSPartners) > 0 && !c.development {
		return nil, errors.New("FOOTBRIDGE_NATS_PARTNERS is set: it is for development, where everybody is made up. " +
			"A login of the broker that services use as well can have the broker's answers sent to others' subjects. " +
			"Leave it out: partners have webhooks, the feed and the stream")
	}
	for i, one := range c.NATSPartners {
		id, key, _ := strings.Cut(one, "=")
		if !clock.IsID(id) || !nkeys.IsValidPublicUserKey(key) {
			return nil, fmt.Errorf("FOOTBRIDGE_NATS_PARTNERS: entry %d is not a partner's id, =, and the public half "+
				"of an nkey, which begins with U", i+1) // it may be the private half
		}
		keys[id] = key
	}
	return keys, nil
}

// platform is what the services of this process stand on.
type platform struct {
	cfg       *Config
	names     []string // the services of this process
	clock     clock.Clock
	log       *slog.Logger
	urls      map[string]string // database by service
	telemetry map[string]*telemetry.Telemetry
	handOver  *telemetry.HandOver            // of spans to traces; nil: none are handed over
	keeper    atomic.Pointer[traces.Service] // where this process keeps them itself
	pools     []*pgxpool.Pool
	conns     []*bus.Conn
	// watched is where it stands when the sentinel looked; nil until it is open.
	watched atomic.Pointer[pgxpool.Pool]
}

// migrationsOf are a service's tables: flow's first, then its own.
func migrationsOf(name string) pg.Service {
	own := map[string]fs.FS{
		schemas.Intake: intake.Migrations(), schemas.Threshold: threshold.Migrations(),
		schemas.Followup: followup.Migrations(),
		schemas.Bridging: bridging.Migrations(), schemas.Journey: journey.Migrations(),
		schemas.Delivery: delivery.Migrations(),
	}[name]
	switch name { // they have no part in events
	case schemas.Gateway:
		return pg.Service{Name: name, Migrations: []pg.MigrationSet{{Name: name, FS: gateway.Migrations()}}}
	case schemas.Traces:
		return pg.Service{Name: name, Hasty: true,
			Migrations: []pg.MigrationSet{{Name: name, FS: traces.Migrations()}}}
	}
	return pg.Service{Name: name, Migrations: []pg.MigrationSet{
		{Name: "flow", FS: flow.Migrations()}, {Name: name, FS: own},
	}}
}

func allMigrations() []pg.Service { return migrationsOfAll(withSchema()) }

func migrationsOfAll(names []string) []pg.Service {
	var all []pg.Service
	for _, name := range names {
		all = append(all, migrationsOf(name))
	}
	return all
}

// schemas are the services of this process that have one and do not start without it. The sentinel writes what journey
// says; traces looks after its own (openTraces).
func (p *platform) schemas() []string {
	var own []string
	for _, name := range withSchema() {
		if name == schemas.Traces {
			continue
		}
		if slices.Contains(p.names, name) || (name == schemas.Journey && slices.Contains(p.names, sentinelName)) {
			own = append(own, name)
		}
	}
	return own
}

// platformAttributes are what the machinery may log beside the names in schemas: about itself, never about a person
// or a journey.
var platformAttributes = []string{
	"version", "from", "dir", "socket", "port", "user", "took", "components", "loop", "events", "because", "published",
	"footbridge.applied", "footbridge.event.id", "attribute.key", "url", "set", "database", "binary", "what", "bytes",
}

// newPlatform prepares telemetry; databases and broker are opened by the steps that follow.
func newPlatform(ctx context.Context, cfg *Config, names []string) (*platform, error) {
	p := &platform{cfg: cfg, names: names, clock: cmp.Or(cfg.clock, systemClock()),
		telemetry: map[string]*telemetry.Telemetry{}}
	if err := p.handSpansOver(); err != nil {
		return nil, err
	}
	level := slog.LevelInfo
	if cfg.quiet {
		level = slog.LevelError
	}
	allowed := allowedAttributes()
	for _, name := range append([]string{"footbridge"}, names...) {
		t, err := telemetry.Start(ctx, telemetry.Config{
			Service: name, Version: buildVersion(), AllowedAttributes: allowed, HandOver: p.handOver, Text: cfg.LogText,
			Level: level,
		})
		if err != nil {
			return nil, fmt.Errorf("starting telemetry of %s: %w", name, err)
		}
		p.telemetry[name] = t
	}
	p.log = p.telemetry["footbridge"].Log
	return p, p.showHandedOver()
}

// metrics is the one /metrics of this process.
func (p *platform) metrics() http.Handler {
	var all []*telemetry.Telemetry
	for _, name := range slices.Sorted(maps.Keys(p.telemetry)) {
		all = append(all, p.telemetry[name])
	}
	return telemetry.MetricsHandler(all...)
}

// disconnect closes the connections to NATS, once or again.
func (p *platform) disconnect() {
	for _, conn := range p.conns {
		conn.Close()
	}
}

// close lets go of everything, and sends the last spans out.
func (p *platform) close() {
	p.disconnect()
	for _, pool := range p.pools {
		pool.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p.lastSpans(ctx)
	for _, t := range p.telemetry {
		_ = t.Shutdown(ctx)
	}
}

// findDatabases says where each service's database is: its own URL; or one login for all, with which roles and
// schemas are made; or the private server of dev, when it runs.
//
// A process whose services each have a URL of their own needs no other.
func (c *Config) findDatabases(ctx context.Context, needed []string) (map[string]string, error) {
	urls := map[string]string{}
	for name, url := range c.DatabaseURLs {
		urls[name] = c.withPassword(name, url)
	}
	if (len(urls) > 0 || len(needed) == 0) &&
		!slices.ContainsFunc(needed, func(name string) bool { return urls[name] == "" }) {
		return urls, nil
	}
	admin, password, err := c.adminDatabase()
	if err != nil {
		return nil, err
	}
	made, err := pg.Setup(ctx, admin, pg.SetupConfig{Services: allMigrations(), Password: password,
		Connections: pg.LoginConnections(c.Connections)})
	if err != nil {
		return nil, err
	}
	for name, url := range made {
		if urls[name] == "" {
			urls[name] = url
		}
	}
	return urls, nil
}

func (c *Config) adminDatabase() (url string, password func(string) string, err error) {
	passwords, err := c.databasePasswords()
	if err != nil {
		return "", nil, err
	}
	password = func(role string) string { return passwords[role] }
	if c.DatabaseURL != "" {
		return c.DatabaseURL, password, nil
	}
	if url, running := private.Running(filepath.Join(c.StateDir, "postgres")); running {
		return url, password, nil
	}
	return "", nil, errors.New("no database: set FOOTBRIDGE_DATABASE_URL (or FOOTBRIDGE_<SERVICE>_DATABASE_URL for " +
		"each service), or start `footbridge dev`, which brings its own")
}

// migrate brings the schemas of this process's services to this build's version.
func (p *platform) migrate(ctx context.Context) error {
	needed := p.schemas()
	if slices.Contains(p.names, sentinelName) {
		needed = append(needed, pg.Sentinel)
	}
	var err error
	if p.urls, err = p.cfg.findDatabases(ctx, needed); err != nil {
		return err
	}
	return p.cfg.migrateAll(ctx, p.urls, migrationsOfAll(p.schemas()))
}

// migrateAll brings schemas to this build's version where an administrator's login is known. Where there are only the
// services' own, which may not, it looks whether `footbridge migrate` has been run, and waits a while for it.
func (c *Config) migrateAll(ctx context.Context, urls map[string]string, services []pg.Service) error {
	for _, s := range services {
		if c.DatabaseURLs[s.Name] != "" && c.DatabaseURL == "" {
			if err := awaitMigrated(ctx, urls[s.Name], s); err != nil {
				return err
			}
			continue
		}
		admin, _, err := c.adminDatabase()
		if err != nil {
			return err
		}
		if err := pg.Migrate(ctx, admin, s.Name, s.Migrations...); err != nil {
			return err
		}
	}
	return nil
}

// migrateWait is how long a starting service waits for somebody to migrate its schema.
const migrateWait = 60 * time.Second

func awaitMigrated(ctx context.Context, url string, s pg.Service) error {
	deadline := time.Now().Add(migrateWait)
	for {
		pending, err := pendingOf(ctx, url, s)
		switch {
		case err == nil && pending == "":
			return nil
		case err == nil && time.Now().After(deadline):
			return fmt.Errorf("%s: %s; run footbridge migrate with FOOTBRIDGE_DATABASE_URL of an administrator: the "+
				"service's own login may not", s.Name, pending)
		case err != nil && time.Now().After(deadline):
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// pendingOf says which migrations a schema lacks, or "".
func pendingOf(ctx context.Context, url string, s pg.Service) (string, error) {
	versions, err := pg.SchemaVersions(ctx, url, s.Migrations...)
	if err != nil {
		return "", err
	}
	for _, v := range versions {
		if len(v.Breaking) > 0 {
			return "", fmt.Errorf("%w: %s, set %q", pg.ErrBreaking, s.Name, v.Set)
		}
		if len(v.Pending) > 0 {
			return fmt.Sprintf("migrations %v of %s are not applied", v.Pending, v.Set), nil
		}
	}
	return "", nil
}

type migrateFlags struct {
	Passwords bool `env:"PASSWORDS" help:"give each login the password of its key file; without it passwords stay as they are"`
}

// migrateCommand makes roles and schemas and brings them to this build's version, as an administrator.
func migrateCommand(ctx context.Context, args []string) error {
	o, _, err := load[migrateFlags](args)
	if err != nil {
		return shown(err)
	}
	if o.DatabaseURL == "" {
		return service.Usage{Err: errors.New("FOOTBRIDGE_DATABASE_URL must name the database with an administrator's " +
			"login")}
	}
	setup := pg.SetupConfig{Services: allMigrations()} // passwords that a DBA has given stay
	if o.Own.Passwords {
		passwords, err := o.databasePasswords()
		if err != nil {
			return err
		}
		setup.Password = func(role string) string { return passwords[role] }
	}
	if _, err := pg.Setup(ctx, o.DatabaseURL, setup); err != nil {
		return err
	}
	for _, s := range allMigrations() {
		if err := pg.Migrate(ctx, o.DatabaseURL, s.Name, s.Migrations...); err != nil {
			return err
		}
		fmt.Println(s.Name, "is at this release's version")
	}
	return nil
}

// pool opens a service's own pool.
func (p *platform) pool(ctx context.Context, name string) (*pgxpool.Pool, error) {
	pool, err := pg.Open(ctx, p.urls[name], pg.OpenConfig{Service: name, MaxConns: p.cfg.Connections,
		Wait: 30 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("opening the database of %s: %w", name, err)
	}
	p.pools = append(p.pools, pool)
	return pool, nil
}

// login is how a NATS user connects: by its credentials file where there is one, or by the nkey of its key file.
func (c *Config) login(user, connection string) (bus.Config, error) {
	cfg := bus.Config{URL: orElse(c.NATSURL, "nats://"+c.NATSAddr), CredsFile: c.creds(user),
		Name: "footbridge " + connection}
	if cfg.CredsFile != "" {
		return cfg, nil
	}
	own, err := c.privateKeys(user)
	if err != nil {
		return cfg, err
	}
	cfg.Seed = own.NATS
	return cfg, nil
}

// connect opens a service's own connection to NATS.
func (p *platform) connect(ctx context.Context, name string) (*bus.Conn, error) {
	cfg, err := p.cfg.login(name, name)
	if err != nil {
		return nil, err
	}
	cfg.Inbox, cfg.Log = bus.InboxOf(name), p.telemetry[name].Log
	waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := bus.Connect(waiting, cfg)
	if err != nil {
		return nil, err
	}
	p.conns = append(p.conns, conn)
	return conn, nil
}

// brokerUsers are the NATS users of the embedded broker, known by their public keys: one a service, which may publish
// only what it says and take only what it hears, and the owner of the streams, who alone makes and changes them. A
// holder whose keys were changed has two until the former is retired.
func (c *Config) brokerUsers() ([]bus.User, error) {
	list, err := c.publicKeys()
	if err != nil {
		return nil, err
	}
	events, partners := c.streams()
	var users []bus.User
	for _, entry := range list.Keys {
		if entry.NATS == "" {
			continue
		}
		user := bus.User{Publish: []string{"$JS.API.>", partners.Subjects[0]},
			Subscribe: []string{"_INBOX.>", events.Subjects[0], partners.Subjects[0]}}
		switch {
		case entry.Holder == sentinelName: // it gives out what journey says, and takes over from a journey that is gone
			user = bus.ServiceUser(entry.Holder, "", events.Name, schemas.SubjectsEmittedBy(schemas.Journey), nil)
		case slices.Contains(stateful(), entry.Holder):
			user = bus.ServiceUser(entry.Holder, "", events.Name, schemas.SubjectsEmittedBy(entry.Holder),
				schemas.SubjectsSubscribedBy(entry.Holder))
			if entry.Holder == schemas.Delivery {
				user.Publish = append(user.Publish, bus.PublisherRights(partners)...)
			}
		case entry.Holder != ownerName:
			continue
		}
		user.Name, user.Key = entry.Holder, entry.NATS
		users = append(users, user)
	}
	readers, err := c.natsPartners()
	for _, id := range slices.Sorted(maps.Keys(readers)) {
		users = append(users, bus.ReaderUser(id, readers[id], partners.Name))
	}
	return users, err
}

// ownerName is the NATS user who makes the streams.
const ownerName = schemas.StreamsKey

// keepsStreams says whether this process keeps the streams: where it has the login of their owner. Services may neither
// make nor change them, so some process must: serve with owner.key, or footbridge streams keep.
func (c *Config) keepsStreams(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(stateful(), name) }) &&
		(c.creds(ownerName) != "" || c.keyring().Has(ownerName))
}

// keeper keeps both streams and the durable of every service, whichever run here.
func (c *Config) keeper(conn *bus.Conn, log *slog.Logger) *bus.Keeper {
	events, partners := c.streams()
	return &bus.Keeper{Conn: conn, Streams: []bus.Stream{events, partners}, Durables: c.durables(), Log: log}
}

// durables are the durable consumers of all services that hear something.
func (c *Config) durables() (all []bus.Durable) {
	events, partners := c.streams()
	readers, _ := c.natsPartners() // what is wrong with it stops the start
	for _, id := range slices.Sorted(maps.Keys(readers)) {
		all = append(all, delivery.BrokerDurable(partners.Name, id))
	}
	for _, name := range stateful() {
		if hears := schemas.SubjectsSubscribedBy(name); len(hears) > 0 {
			all = append(all, flow.Durable(events.Name, name, hears))
		}
	}
	return all
}

// keepStreams makes the streams and the durables, or brings them to what they should be, and makes again what is gone.
func (p *platform) keepStreams(ctx context.Context, h *service.Health) error {
	cfg, err := p.cfg.login(ownerName, "streams")
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := bus.Connect(waiting, cfg)
	if err != nil {
		return err
	}
	defer conn.Close()
	keeper := p.cfg.keeper(conn, p.log)
	if err := keeper.Bring(waiting); err != nil {
		return err
	}
	h.Ready()
	keeper.Run(ctx, func(err error) {
		if err != nil {
			h.Unready(err.Error())
			return
		}
		h.Ready()
	})
	return nil
}
