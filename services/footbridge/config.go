package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/mail"
	"footbridge/libs/notify"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/followup"
	"footbridge/services/gateway"
	"footbridge/services/journey"
	"footbridge/services/threshold/criteria"
)

// Config is what every command may be told, by FOOTBRIDGE_… variables or flags of the same names.
type Config struct {
	StateDir     string            `env:"STATE_DIR" default:"./.footbridge" help:"where dev keeps its state, keys and private PostgreSQL"`
	DatabaseURL  string            `env:"DATABASE_URL" as:"url" help:"PostgreSQL, with the right to create roles; empty: the private one of dev"`
	DatabaseURLs map[string]string `env:"*_DATABASE_URL" as:"url" help:"a service's own login; in production each service has one"`
	NATSURL      string            `env:"NATS_URL" as:"url" help:"NATS; empty: the embedded one of dev"`
	NATSCreds    string            `env:"NATS_CREDS" help:"credentials file for NATS, for every service of this process that has none of its own"`
	ServiceCreds map[string]string `env:"*_NATS_CREDS" help:"a service's own credentials file for NATS; OWNER_NATS_CREDS is of who makes the streams"`
	NATSAddr     string            `env:"NATS_ADDR" default:"127.0.0.1:4222" as:"hostport" help:"where the embedded NATS listens"`
	NATSReplicas int               `env:"NATS_REPLICAS" default:"1" help:"copies of each stream; 3 on a cluster"`
	NATSPartners []string          `env:"NATS_PARTNERS" help:"in development: partners that take their events from NATS, comma between: the partner's id, =, the public half of its nkey (U…). After a change, restart, and give a server of your own what footbridge keys nats prints"`
	NATSMaxAge   time.Duration     `env:"NATS_MAX_AGE" default:"720h" help:"how long the streams keep events"`
	Keys         string            `env:"KEYS" help:"the folder of key files and of the list of public keys (footbridge keys new); empty: keys in the state directory"`
	KEKFile      string            `env:"KEK_FILE" help:"the key that wraps keys (footbridge keys new); empty: the file kek in the state directory"`
	HTTPAddr     string            `env:"HTTP_ADDR" default:"127.0.0.1:8080" as:"hostport" help:"console and HTTP APIs"`
	MLLPAddr     string            `env:"MLLP_ADDR" default:"127.0.0.1:2575" as:"hostport" help:"HL7 v2 over MLLP"`
	MLLPCert     string            `env:"MLLP_CERT" help:"certificate of the MLLP listener (PEM)"`
	MLLPKey      string            `env:"MLLP_KEY" help:"its private key (PEM)"`
	MLLPClientCA string            `env:"MLLP_CLIENT_CA" help:"who signs the certificates that senders must show (PEM); empty: none are asked for"`
	Profiles     string            `env:"PROFILES" help:"a folder of senders' profiles, beside the shipped ones"`
	NoEndAfter   time.Duration     `env:"NO_END_AFTER" default:"24h" help:"after how long somebody is asked about a visit that followed self-harm and has no end"`
	WardReview   time.Duration     `env:"WARD_REVIEW" default:"168h" help:"how often somebody is asked whether a stay on a ward has ended"`
	KeepReceipts time.Duration     `env:"KEEP_RECEIPTS" default:"1440h" help:"for how long a resend is known as one; at least 60 days"`
	KeepLedger   time.Duration     `env:"KEEP_LEDGER" default:"9600h" help:"for how long messages stay in the ledger"`
	OpsAddr      string            `env:"OPS_ADDR" default:"127.0.0.1:9090" as:"hostport" help:"/livez, /readyz, /metrics"`
	AllowOpen    bool              `env:"ALLOW_OPEN_BIND" help:"accept an address others can reach without TLS here, because a proxy in front does TLS and authentication"`
	Addrs        addrs
	MLLPResult   mllpResult
	HTTPResult   httpResult
	SignIn       signInSettings
	Shared       []string       `env:"SHARED_ADDRESSES" help:"addresses or networks (10.0.0.7, 10.1.0.0/16; comma between) of load balancers and proxies of yours: limits of one address do not hold for them, and X-Forwarded-For from them is believed"`
	OutwardAllow []string       `env:"OUTWARD_ALLOW" help:"addresses or networks (10.0.0.7, 10.1.0.0/16; comma between) of your own that directories and links may lead to; all that is not public is refused otherwise"`
	Tokens       string         `env:"TOKENS_FILE" help:"bearer tokens of systems and staff tools (YAML, hashed)"`
	Directory    string         `env:"DIRECTORY" help:"access criteria: a file, a folder or a rule book; empty: the shipped illustrative example"`
	Residents    string         `env:"RESIDENTS" help:"how many residents share what a partner is shown before it has taken an offer on (CSV with its source, docs/residents.md); empty: nothing that residents could be counted by is shown"`
	Organisation string         `env:"ORGANISATION" default:"RXX" help:"ODS code of the organisation that runs this"`
	Agreed       []string       `env:"ORGANISATIONS" help:"ODS codes of further organisations that send people here, comma between; what comes from any other is raised with who it is hidden, and a navigator places it"`
	Navigator    string         `env:"NAVIGATOR" help:"who takes what no rule could place, e.g. navigator:duty"`
	Deputy       string         `env:"DEPUTY" help:"who stands in for the navigator"`
	OutOfHours   string         `env:"OUT_OF_HOURS" help:"who holds urgent steps at night and at weekends"`
	URL          string         `env:"URL" as:"url" help:"where people and commands find the running system; empty: http://HTTP_ADDR. With https, cookies go over TLS alone"`
	Token        service.Secret `env:"TOKEN" help:"bearer token of commands; empty: they sign with the operator's key"`
	SMTPURL      service.Secret `env:"SMTP_URL" help:"the server that takes mail: smtp://host:587 (STARTTLS) or smtps://host; empty: no mail is sent"`
	SMTPUser     string         `env:"SMTP_USER" help:"the name to sign in to it with; empty: none"`
	SMTPPassword service.Secret `env:"SMTP_PASSWORD" help:"its password; FOOTBRIDGE_SMTP_PASSWORD_FILE names a file that holds it"`
	Advocate     string         `env:"ADVOCATE" help:"name and number of the advocate on call, shown to whoever asks for support while the person is with them"`
	MailFrom     string         `env:"MAIL_FROM" help:"the address that mail comes from"`
	MailReturn   string         `env:"MAIL_RETURN" help:"the address that mail comes back to, such as return@footbridge.example.nhs.uk; each mail has its own, with a plus sign after return; empty: where it comes from"`
	MailReturnTo string         `env:"MAIL_RETURN_ADDR" as:"hostport" help:"where your mail server brings over SMTP what comes back (host:port); empty: nowhere, and what comes back is not seen"`
	MailSelector string         `env:"MAIL_DKIM_SELECTOR" help:"the selector of the DKIM key that your mail server signs with, for doctor to look at"`
	Texts        string         `env:"TEXTS" help:"how people are texted: off, or in development log, which is the usual there; there is no sender yet"`
	MailRing     time.Duration  `env:"MAIL_RING_AFTER" default:"24h" help:"how long a human may take to act on an offer that was mailed before a navigator rings"`
	TellTo       []string       `env:"NAVIGATOR_TOLD" help:"where navigators are told that something did not reach a partner: e-mail addresses and https webhooks, comma between, the next where one does not take it"`
	PageSecret   service.Secret `env:"PAGE_SECRET" help:"signs the webhooks that page those who are on call (at least 24 characters); empty: none are sent"`
	CrisisLines  []string       `env:"CRISIS_NUMBERS" help:"numbers that anybody can ring for help at any hour, in words, comma between; empty: those that are open to all of England"`
	Connections  int            `env:"DATABASE_CONNECTIONS" default:"12" help:"connections a service opens at most"`
	LogText      bool           `env:"LOG_TEXT" help:"log lines for a terminal instead of JSON"`
	PProf        bool           `env:"PPROF" help:"serve /debug/pprof/ on the operations port"`
	NoSentinel   bool           `env:"NO_SENTINEL" help:"serve runs no sentinel beside journey: one runs elsewhere"`
	SentinelGap  time.Duration  `env:"SENTINEL_EVERY" default:"1m" help:"how often the sentinel looks"`
	Heartbeat    string         `env:"HEARTBEAT_URL" as:"url" help:"where a signed webhook goes each time that the sentinel has looked everywhere; whoever waits there rings when none comes; empty: nowhere"`
	HeartSecret  service.Secret `env:"HEARTBEAT_SECRET" help:"signs it (at least 24 characters)"`
	FallbackDir  string         `env:"FALLBACK_DIR" placeholder:"DIR" help:"where the list for when the system is down is written each night, best on another machine's disk; empty: none is"`
	FallbackKeys string         `env:"FALLBACK_KEYS" placeholder:"FILE" help:"who can read it: lines of a name and an age public key, of those who are on call"`
	FallbackAt   string         `env:"FALLBACK_AT" default:"02:00" help:"at which local time"`
	BackupStamp  string         `env:"BACKUP_STAMP" placeholder:"FILE" help:"a file that your backup touches when it ended well: doctor says when that is over 26 hours ago; empty: doctor says that nothing is known"`
	RebuildRate  int            `env:"REBUILD_RATE" default:"1000" help:"older events a second that a rebuild publishes, a service"`
	NoTraces     bool           `env:"NO_TRACES" help:"hand no spans over to traces"`
	KeepTraces   time.Duration  `env:"KEEP_TRACES" default:"1440h" help:"for how long traces are kept; at least a day"`
	TracesBytes  int64          `env:"TRACES_BYTES" default:"4294967296" help:"how much room traces may take in the database, in bytes; over that the oldest days go first"`
	Settle       time.Duration  `env:"SENTINEL_SETTLE" default:"5m" help:"how long a thing may be held before its journey must be open"`

	development bool          // fixed principals
	madeUp      *madeUp       // the identity provider of dev --oidc
	quiet       bool          // only what needs attention is logged
	clock       clock.Clock   // in the place of the machine's: the demo tells of days gone by
	simulation  string        // the token of a simulation's hospital: everything here is one
	rates       gateway.Rates // how often anybody may ask; zero values are the usual ones
}

// creds is the NATS credentials file of a service, or of "owner", who makes the streams. Empty: the nkey of its key
// file is used instead, as the embedded broker expects.
func (c *Config) creds(name string) string { return orElse(c.ServiceCreds[name], c.NATSCreds) }

// addrs are where services listen that run in a process without the gateway, and where the gateway finds them.
type addrs struct {
	Intake    string `env:"INTAKE_ADDR" default:"127.0.0.1:8081" as:"hostport" help:"intake's own HTTP port"`
	Threshold string `env:"THRESHOLD_ADDR" default:"127.0.0.1:8082" as:"hostport" help:"threshold's own HTTP port"`
	Followup  string `env:"FOLLOWUP_ADDR" default:"127.0.0.1:8083" as:"hostport" help:"followup's own HTTP port"`
	Bridging  string `env:"BRIDGING_ADDR" default:"127.0.0.1:8084" as:"hostport" help:"bridging's own HTTP port"`
	Journey   string `env:"JOURNEY_ADDR" default:"127.0.0.1:8085" as:"hostport" help:"journey's own HTTP port"`
	Delivery  string `env:"DELIVERY_ADDR" default:"127.0.0.1:8087" as:"hostport" help:"delivery's own HTTP port"`
	Traces    string `env:"TRACES_ADDR" default:"127.0.0.1:8088" as:"hostport" help:"traces' own HTTP port, where every process hands its spans over"`
	Console   string `env:"CONSOLE_ADDR" default:"127.0.0.1:8086" as:"hostport" help:"console's own HTTP port"`
}

func (a addrs) of(name string) string {
	return map[string]string{
		schemas.Intake: a.Intake, schemas.Threshold: a.Threshold, schemas.Followup: a.Followup,
		schemas.Bridging: a.Bridging,
		schemas.Journey:  a.Journey, schemas.Delivery: a.Delivery, schemas.Console: a.Console,
		schemas.Traces: a.Traces,
	}[name]
}

// mllpResult is what senders over MLLP may take.
type mllpResult struct {
	Connections     int   `env:"MLLP_CONNECTIONS" default:"1024" help:"connections over MLLP at a time; over that, the one idle the longest is closed, the newcomer's own first"`
	PeerConnections int   `env:"MLLP_PEER_CONNECTIONS" default:"256" help:"of one address"`
	Memory          int64 `env:"MLLP_MEMORY" default:"67108864" help:"bytes of memory for messages that are coming in over MLLP or waiting to be stored; over that, senders wait"`
	PeerMemory      int64 `env:"MLLP_PEER_MEMORY" default:"16777216" help:"of one address"`
}

// httpResult is what callers of each HTTP listener may take.
type httpResult struct {
	Connections     int   `env:"HTTP_CONNECTIONS" default:"1024" help:"connections to each HTTP listener at a time; over that, the one idle the longest is closed, the newcomer's own first"`
	PeerConnections int   `env:"HTTP_PEER_CONNECTIONS" default:"256" help:"of one address"`
	Memory          int64 `env:"HTTP_MEMORY" default:"67108864" help:"bytes of memory for bodies that are coming in or being answered; over that, callers are told to come again (503)"`
	PeerMemory      int64 `env:"HTTP_PEER_MEMORY" default:"16777216" help:"of one address"`
}

// options are a command's own flags beside the configuration.
type options[T any] struct {
	Config
	Own T
}

// prefix begins the name of every variable.
const prefix = "FOOTBRIDGE_"

// errShown ends a command after it has shown its configuration.
var errShown = errors.New("shown")

// load reads configuration and a command's own flags from args.
func load[T any](args []string) (*options[T], []string, error) {
	var o options[T]
	loaded, err := service.Load(&o, service.Sources{Prefix: prefix, Args: args, Elsewhere: elsewhere})
	if err != nil {
		return nil, nil, err
	}
	for _, warning := range loaded.Warnings {
		fmt.Fprintln(os.Stderr, "footbridge:", warning)
	}
	if loaded.PrintConfig {
		return nil, nil, errors.Join(errShown, loaded.Print(os.Stdout))
	}
	return &o, loaded.Args, nil
}

// loadAlone is load for a command that takes flags only: a word that would be ignored is refused.
func loadAlone[T any](args []string) (*options[T], error) {
	o, rest, err := load[T](args)
	if err == nil {
		err = noMore(rest)
	}
	return o, err
}

// elsewhere are variables that are read outside of a command's configuration.
var elsewhere = []string{"PG_BIN", "FAILPOINTS", "TEST_DATABASE_URL", "FAULTS", "TOKEN_FILE"}

// shown turns "the configuration was shown" into success.
func shown(err error) error {
	if errors.Is(err, errShown) {
		return nil
	}
	return err
}

// notifier sends what those who are on call are told. In development there is a channel that only writes to the log.
func (c *Config) notifier(log *slog.Logger) (*notify.Sender, error) {
	allow, err := c.outwardAllow()
	if err != nil {
		return nil, err
	}
	cfg := notify.Config{Mail: c.mail(), Secret: []byte(c.PageSecret), Allow: allow}
	if c.development {
		cfg.Log = log
	}
	sender, err := notify.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_SMTP_URL, FOOTBRIDGE_MAIL_FROM or FOOTBRIDGE_PAGE_SECRET: %w", err)
	}
	return sender, nil
}

// mail is the server that mail goes to.
func (c *Config) mail() mail.Config {
	return mail.Config{URL: string(c.SMTPURL), User: c.SMTPUser, Password: string(c.SMTPPassword), From: c.MailFrom}
}

// owners are those whom steps fall to. In development they are made up; serve refuses to start without them.
func (c *Config) owners() journey.Owners {
	owners := journey.Owners{Navigator: c.Navigator, Deputy: c.Deputy, OutOfHours: c.OutOfHours}
	if c.development {
		owners.Navigator = orElse(owners.Navigator, "navigator:duty")
		owners.Deputy = orElse(owners.Deputy, "navigator:deputy")
		owners.OutOfHours = orElse(owners.OutOfHours, "team:out-of-hours")
	}
	return owners
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// residents reads the table of residents; without one nothing is known of them, and invented people live among invented
// ones.
func (c *Config) residents() (*followup.Residents, error) {
	switch {
	case c.Residents == "" && c.development:
		return followup.ExampleResidents()
	case c.Residents == "":
		return nil, nil
	}
	file, err := os.Open(c.Residents)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_RESIDENTS: %w; name a file as docs/residents.md describes it", err)
	}
	defer func() { _ = file.Close() }()
	table, err := followup.ReadResidents(file)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_RESIDENTS: %s: %w", c.Residents, err)
	}
	return table, nil
}

// directory loads the access criteria.
func (c *Config) directory() (*criteria.Directory, error) {
	if c.Directory == "" {
		return criteria.LoadFS(criteria.ExampleFiles())
	}
	set, err := criteriaAt(c.Directory)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_DIRECTORY: %w", err)
	}
	return set, nil
}

// criteriaAt loads the access criteria of a file or a folder, or those that a rule book carries.
func criteriaAt(path string) (*criteria.Directory, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w; name a file or a folder of access criteria", err)
	}
	if info.IsDir() {
		return criteria.LoadFS(os.DirFS(path))
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(path) == ".html" {
		return criteria.ReadRuleBook(content)
	}
	return criteria.Load(criteria.Source{Name: path, Content: content})
}

// chosen reads --only.
func chosen(only []string) ([]string, error) {
	if len(only) == 0 {
		return serviceNames(), nil
	}
	for _, name := range only {
		if !slices.Contains(serviceNames(), name) {
			return nil, service.Usage{Err: fmt.Errorf("--only: there is no service %q; there are %s", name,
				strings.Join(serviceNames(), ", "))}
		}
	}
	return only, nil
}

// serviceNames are the services in the order in which they start.
func serviceNames() []string {
	return []string{schemas.Traces, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
		schemas.Delivery,
		schemas.Intake, schemas.Console, schemas.Gateway}
}

// withSchema are the services with tables.
func withSchema() []string { return append(stateful(), schemas.Gateway, schemas.Traces) }

// stateful are the services with a schema, a durable and a NATS user.
func stateful() []string {
	return []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
		schemas.Delivery}
}

// splitAddr takes host:port apart.
func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("address %q is not host:port", addr)
	}
	port, err = strconv.Atoi(text)
	if err != nil {
		return "", 0, fmt.Errorf("address %q has no number for a port", addr)
	}
	return host, port, nil
}
