package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

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
		wrong = append(wrong, c.checkOwners())
	}
	if runs(schemas.Threshold) {
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
			wrong = append(wrong, checkBind("MLLP_ADDR", c.MLLPAddr, secure != nil, secure != nil && secure.ClientCAs != nil, c.AllowOpen))
		}
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
	if err := errors.Join(wrong...); err != nil {
		return service.Usage{Err: err}
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
			wrong = append(wrong, fmt.Errorf("FOOTBRIDGE_%s: %w; name a credentials file that this process may read", setting, err))
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

// withoutSQL says of a database that no service has made its tables in, or that refuses a login, what to do, in place
// of the words of PostgreSQL. Any other error stays as it is.
func withoutSQL(err error) error {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return err
	}
	switch said.Code {
	case "42P01", "3F000", "42883": // no such table, schema, function
		return errors.New("the database is empty, or older than this release: starting a service makes what is missing (footbridge serve, or dev)")
	case "42501", "28000", "28P01": // not allowed, no such login, wrong password
		return fmt.Errorf("the database refuses the login or what it asks for (%s): look at FOOTBRIDGE_DATABASE_URL and FOOTBRIDGE_<SERVICE>_DATABASE_URL, and deploy/postgres/roles.sql", said.Message)
	case "3D000": // no such database
		return errors.New("the database that the URL names does not exist: make it (createdb), or mend FOOTBRIDGE_DATABASE_URL")
	}
	return err
}
