package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/notify"
	"footbridge/libs/principal"
	"footbridge/libs/service"
	"footbridge/schemas"
)

// check reads, before anything starts, all that the configuration of these services names: owners, files, and addresses
// that others can reach. What is wrong comes back together as a Usage, a line each, which names the setting. Without
// it, a start would open databases first, and fail late and in a component's words.
func (c *Config) check(names ...string) error {
	runs := func(name string) bool { return slices.Contains(names, name) }
	var wrong []error
	if runs(schemas.Journey) || runs(sentinelName) {
		_, err := c.heartbeat()
		wrong = append(wrong, c.checkOwners(), err)
	}
	if runs(schemas.Journey) && runs(schemas.Intake) {
		_, err := c.fallback()
		wrong = append(wrong, err)
	}
	// three of them for the partners in it
	if runs(schemas.Threshold) || runs(schemas.Followup) || runs(schemas.Delivery) || runs(schemas.Console) {
		_, err := c.directory()
		wrong = append(wrong, err)
	}
	if runs(schemas.Intake) {
		_, err := c.loadProfiles()
		wrong = append(wrong, err)
		_, limits := c.mllpLimits()
		secure, err := c.mllpTLS()
		wrong = append(wrong, limits, err)
		if err == nil {
			wrong = append(wrong, checkBind("MLLP_ADDR", c.MLLPAddr, secure != nil, secure != nil &&
				secure.ClientCAs != nil, c.AllowOpen))
		}
	}
	if runs(schemas.Intake) {
		wrong = append(wrong, c.checkKEK(), c.checkTokens())
	}
	if runs(schemas.Gateway) || runs(schemas.Console) {
		wrong = append(wrong, c.checkSignIn())
	}
	if runs(schemas.Bridging) {
		sender, err := c.notifier(nil)
		wrong = append(wrong, err)
		if err == nil && c.URL == "" && !runs(schemas.Gateway) &&
			(sender.Has(notify.Email) || sender.Has(notify.Webhook)) {
			wrong = append(wrong, errors.New("FOOTBRIDGE_URL is missing: those on call are told to look there; write "+
				"where people find the gateway, such as https://footbridge.example.nhs.uk"))
		}
	}
	if runs(schemas.Delivery) {
		_, err := c.natsPartners()
		wrong = append(wrong, c.checkTexts(), err)
		wrong = append(wrong, c.checkMail(!runs(schemas.Gateway))...)
	}
	if runs(schemas.Gateway) {
		wrong = append(wrong, c.checkTokens(), checkBind("HTTP_ADDR", c.HTTPAddr, false, c.Tokens != "", c.AllowOpen))
	}
	if c.development && c.NATSURL == "" {
		wrong = append(wrong, checkBind("NATS_ADDR", c.NATSAddr, false, true, c.AllowOpen))
	}
	wrong = append(wrong, checkBind("OPS_ADDR", c.OpsAddr, false, false, c.AllowOpen))
	_, limits := c.httpLimits()
	_, outward := c.outwardAllow()
	wrong = append(append(wrong, limits, outward), c.checkCreds()...)
	wrong = append(append(wrong, c.checkNumbers()...), c.checkOrganisations()...)
	if c.development && c.DatabaseURL == "" {
		wrong = append(wrong, checkPostgres())
	}
	if err := errors.Join(eachOnce(wrong)...); err != nil {
		return service.Usage{Err: err}
	}
	return nil
}

// checkFree looks, before anything starts, whether the ports that these services listen on are free: one line for each
// that another process has. It is asked by what starts them, and not by what only looks.
func (c *Config) checkFree(ctx context.Context, names ...string) error {
	ports := map[string]string{"OPS_ADDR": c.OpsAddr}
	if slices.Contains(names, schemas.Gateway) {
		ports["HTTP_ADDR"] = c.HTTPAddr
	}
	if slices.Contains(names, schemas.Intake) {
		ports["MLLP_ADDR"] = c.MLLPAddr
	}
	if c.development && c.NATSURL == "" {
		ports["NATS_ADDR"] = c.NATSAddr
	}
	var taken []error
	for _, setting := range slices.Sorted(maps.Keys(ports)) {
		listener, err := service.Listen(ctx, ports[setting])
		if err != nil {
			taken = append(taken, fmt.Errorf("FOOTBRIDGE_%s: %w", setting, err))
			continue
		}
		_ = listener.Close()
	}
	if err := errors.Join(taken...); err != nil {
		return service.Usage{Err: err}
	}
	return nil
}

// eachOnce leaves out what was said before: several listeners read the same settings.
func eachOnce(wrong []error) (once []error) {
	said := map[string]bool{}
	for _, err := range wrong {
		if err != nil && !said[err.Error()] {
			said[err.Error()], once = true, append(once, err)
		}
	}
	return once
}

// checkKEK looks at where the key that wraps keys is, or is to be made.
func (c *Config) checkKEK() error {
	if c.KEKFile == "" {
		return nil
	}
	found, err := os.Stat(c.KEKFile)
	switch {
	case err == nil && found.IsDir():
		return fmt.Errorf("FOOTBRIDGE_KEK_FILE: %s is a folder; name a file in it", c.KEKFile)
	case err == nil:
		return nil
	}
	if _, err := os.Stat(filepath.Dir(c.KEKFile)); err != nil {
		return fmt.Errorf("FOOTBRIDGE_KEK_FILE: %w; name a file in a folder that is there", err)
	}
	return nil
}

// checkNumbers looks at those that must be one at least.
func (c *Config) checkNumbers() (wrong []error) {
	for _, n := range []struct {
		setting string
		is      int
	}{{"NATS_REPLICAS", c.NATSReplicas}, {"DATABASE_CONNECTIONS", c.Connections}, {"REBUILD_RATE", c.RebuildRate}} {
		if n.is < 1 {
			wrong = append(wrong, fmt.Errorf("FOOTBRIDGE_%s: %d is too few; use 1 or more", n.setting, n.is))
		}
	}
	return wrong
}

// checkOrganisations: a code that cannot be one would open journeys that no role can see.
func (c *Config) checkOrganisations() (wrong []error) {
	kind, _ := schemas.KindNamed("ods")
	look := func(setting, code string) {
		if !kind.Allows(code) {
			wrong = append(wrong, fmt.Errorf("FOOTBRIDGE_%s: %q is no ODS code; write it in capital letters and "+
				"digits, such as RXX", setting, code))
		}
	}
	look("ORGANISATION", c.Organisation)
	for _, code := range c.Agreed {
		look("ORGANISATIONS", code)
	}
	return wrong
}

// checkPostgres looks at the PostgreSQL that dev is told to start.
func checkPostgres() error {
	if bin := os.Getenv("FOOTBRIDGE_PG_BIN"); bin != "" {
		if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
			return fmt.Errorf("FOOTBRIDGE_PG_BIN: %w; name the folder of initdb and postgres", err)
		}
	}
	return nil
}

func (c *Config) checkOwners() error {
	if err := c.owners().Check(); err != nil {
		return fmt.Errorf("FOOTBRIDGE_NAVIGATOR, FOOTBRIDGE_DEPUTY and FOOTBRIDGE_OUT_OF_HOURS: %w", err)
	}
	return nil
}

func (c *Config) checkTokens() error {
	if c.Tokens == "" {
		return nil
	}
	if _, err := principal.LoadTokens(systemClock(), c.Tokens); err != nil {
		return fmt.Errorf("FOOTBRIDGE_TOKENS_FILE: %w", err)
	}
	return nil
}

func checkBind(setting, addr string, secure, asks, allow bool) error {
	if err := service.CheckBind(addr, secure, asks, allow); err != nil {
		return fmt.Errorf("FOOTBRIDGE_%s: %w", setting, err)
	}
	return nil
}

// checkCreds looks at every credentials file for NATS that is named.
func (c *Config) checkCreds() (wrong []error) {
	look := func(setting, file string) {
		if _, err := os.Stat(file); err != nil {
			wrong = append(wrong, fmt.Errorf("FOOTBRIDGE_%s: %w; name a credentials file that this process may read",
				setting, err))
		}
	}
	if c.NATSCreds != "" {
		look("NATS_CREDS", c.NATSCreds)
	}
	for _, name := range slices.Sorted(maps.Keys(c.ServiceCreds)) {
		look(strings.ToUpper(name)+"_NATS_CREDS", c.ServiceCreds[name])
	}
	return wrong
}

// errNoTables is said of a database that no release, or an older one, has made its tables in.
var errNoTables = errors.New("the database is empty, or older than this release: footbridge migrate makes what is " +
	"missing, with an administrator's FOOTBRIDGE_DATABASE_URL, and so does a start with that")

// withoutSQL says of a database that no service has made its tables in, or that refuses a login, what to do, in place
// of the words of PostgreSQL. Any other error stays as it is.
func withoutSQL(err error) error {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return err
	}
	switch said.Code {
	case "42P01", "3F000", "42883": // no such table, schema, function
		return errNoTables
	case "42501", "28000", "28P01": // not allowed, no such login, wrong password
		return fmt.Errorf("the database refuses the login or what it asks for (%s): look at FOOTBRIDGE_DATABASE_URL "+
			"and FOOTBRIDGE_<SERVICE>_DATABASE_URL, and deploy/postgres/roles.sql", said.Message)
	case "3D000": // no such database
		return errors.New("the database that the URL names does not exist: make it (createdb), or mend " +
			"FOOTBRIDGE_DATABASE_URL")
	}
	return err
}
