package journeys

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"footbridge/libs/bus"
	"footbridge/libs/keyring"
	"footbridge/libs/pg"
	"footbridge/libs/pg/private"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// thieves are all who have a key file.
var thieves = []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
	schemas.Delivery, schemas.Gateway, schemas.Traces,
	schemas.Console, schemas.SentinelKey, schemas.StreamsKey, schemas.OperatorsKey}

// Whoever has one key file logs in to the broker as its holder alone: no stream and no consumer is made, changed or
// emptied with it, and no event is read that the holder does not say or hear.
func TestAStolenKeyChangesNoStreamAndReadsNobodysQueue(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	names := streamNames(t, s)
	for _, thief := range thieves {
		own := s.Keys(thief)
		if own.NATS == "" || thief == schemas.StreamsKey {
			continue // the owner's work is the streams
		}
		conn := testkit.Connect(t, bus.Config{URL: s.NATS, Seed: own.NATS, Name: "thief", Inbox: bus.InboxOf(thief)})
		refused := make(chan error, 256)
		conn.NATS.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })
		for name := range names {
			for _, subject := range forbidden(thief, name) {
				if err := conn.NATS.Publish(subject, []byte("{}")); err != nil {
					t.Fatal(err)
				}
				expectRefusal(t, refused, thief+" asks "+subject)
			}
		}
		for _, subject := range []string{"footbridge.>", "_INBOX.>", ">", bus.InboxOf("somebody-else") + ".>", "$JS.>",
			"partner.>"} {
			if _, err := conn.NATS.SubscribeSync(subject); err != nil {
				t.Fatal(err)
			}
			expectRefusal(t, refused, thief+" listens to "+subject)
		}
	}
}

// forbidden are what a thief might ask JetStream for.
func forbidden(thief, stream string) []string {
	attempts := []string{
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.CREATE.THIEF",
		"$JS.API.STREAM.DELETE." + stream, "$JS.API.STREAM.PURGE." + stream, "$JS.API.STREAM.UPDATE." + stream,
		"$JS.API.STREAM.CREATE." + stream,
		"$JS.API.STREAM.SNAPSHOT." + stream, "$JS.API.STREAM.RESTORE." + stream, "$JS.API.STREAM.PEER.REMOVE." + stream,
		"$JS.API.STREAM.LEADER.STEPDOWN." + stream,
		"$JS.API.STREAM.MSG.GET." + stream, "$JS.API.STREAM.MSG.DELETE." + stream, "$JS.API.DIRECT.GET." + stream,
		"$JS.API.DIRECT.GET." + stream + ".footbridge.>",
		"$JS.API.CONSUMER.NAMES." + stream, "$JS.API.CONSUMER.LIST." + stream, "$JS.API.CONSUMER.CREATE." + stream,
		"$JS.API.CONSUMER.PAUSE." + stream + "." + thief,
	}
	for _, consumer := range append([]string{"THIEF"}, thieves...) {
		attempts = append(attempts, "$JS.API.CONSUMER.CREATE."+stream+"."+consumer, "$JS.API.CONSUMER.CREATE."+stream+
			"."+consumer+".footbridge.discharge.recorded.v1.x",
			"$JS.API.CONSUMER.DURABLE.CREATE."+stream+"."+consumer)
		if consumer != thief {
			attempts = append(attempts, "$JS.API.CONSUMER.MSG.NEXT."+stream+"."+consumer, "$JS.API.CONSUMER.DELETE."+
				stream+"."+consumer,
				"$JS.ACK."+stream+"."+consumer+".1.1.1.1.1", "$JS.API.CONSUMER.PAUSE."+stream+"."+consumer)
		}
	}
	mine := append(schemas.SubjectsEmittedBy(thief), schemas.SubjectsSubscribedBy(thief)...)
	if thief == schemas.SentinelKey {
		mine = schemas.SubjectsEmittedBy(schemas.Journey) // it says what journey says
	}
	for _, one := range schemas.Registry() {
		subject := strings.TrimSuffix(one.Type.SubjectFilter(), "*") + "0b6f7c3a-0000-4000-8000-000000000000"
		if one.OnBus() && !slices.ContainsFunc(mine,
			func(own string) bool { return strings.HasPrefix(subject, strings.TrimRight(own, ">*")) }) {
			attempts = append(attempts, "$JS.API.DIRECT.GET."+stream+"."+subject)
		}
	}
	return attempts
}

func streamNames(t *testing.T, s *system.System) map[string]bool {
	t.Helper()
	owner := testkit.Connect(t, bus.Config{URL: s.NATS, Seed: s.Keys(schemas.StreamsKey).NATS, Name: "test"})
	names := map[string]bool{}
	for name := range owner.JS.StreamNames(t.Context()).Name() {
		names[name] = true
	}
	if len(names) == 0 {
		t.Fatal("there is no stream")
	}
	return names
}

func expectRefusal(t *testing.T, refused <-chan error, what string) {
	t.Helper()
	select {
	case err := <-refused:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(system.Patience):
		t.Errorf("%s, and is not refused", what)
	}
}

// A database password opens its own login over TCP and over the socket, and that login reads no other schema.
func TestAStolenPasswordOpensItsOwnSchemaAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := keyring.At(filepath.Join(dir, "keys"))
	logins := []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
		schemas.Delivery, schemas.Gateway, pg.Sentinel}
	passwords := map[string]string{}
	for _, name := range logins {
		if _, err := folder.Make(nil, keyring.Holder{Name: name, Database: true}); err != nil {
			t.Fatal(err)
		}
		own, err := folder.Private(name)
		if err != nil {
			t.Fatal(err)
		}
		passwords[pg.Role(name)] = own.Database
	}
	server, err := private.Launch(t.Context(), private.LaunchConfig{Dir: filepath.Join(dir, "postgres"), TCP: true,
		Throwaway: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(t.Context()) })
	services := system.Services()
	if _, err := pg.Setup(t.Context(), server.URL(),
		pg.SetupConfig{Services: services, Password: func(role string) string { return passwords[role] }}); err != nil {
		t.Fatal(err)
	}
	for _, one := range services {
		if err := pg.Migrate(t.Context(), server.URL(), one.Name, one.Migrations...); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{server.URL(), server.TCPURL()} {
		for _, thief := range logins {
			for _, victim := range append(slices.Clone(logins), "postgres") {
				role := victim
				if victim != "postgres" {
					role = pg.Role(victim)
				} else if address == server.URL() {
					continue // who runs the private server is its administrator, by being that user of the machine
				}
				tryLogin(t, address, thief, victim, role, passwords[pg.Role(thief)], logins)
			}
		}
	}
}

// tryLogin logs in as a role with a thief's password, and where that is the thief's own looks into every schema.
func tryLogin(t *testing.T, address, thief, victim, role, password string, schemasOf []string) {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword(role, password)
	conn, err := pgx.Connect(t.Context(), at.String())
	if thief != victim {
		if err == nil {
			_ = conn.Close(t.Context())
			t.Errorf("the password of %s logs in as %s by %s", thief, victim, at.Host+at.Query().Get("host"))
		} else if !strings.Contains(err.Error(), "28P01") {
			t.Errorf("%s as %s: %v", thief, victim, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s with its own password: %v", thief, err)
		return
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, schema := range schemasOf {
		if schema == thief || schema == pg.Sentinel || thief == pg.Sentinel {
			continue // what the sentinel may see is granted view by view
		}
		var may bool
		if err := conn.QueryRow(t.Context(), `select has_schema_privilege($1, 'usage') or exists (select
			from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relkind in ('r', 'p', 'v')
			and has_table_privilege(c.oid, 'select, insert, update, delete'))`, schema).Scan(&may); err != nil || may {
			t.Errorf("the login of %s may use the schema %s: %v %v", thief, schema, may, err)
		}
	}
}

// No key asserts to any service, in any role, more than what its holder is for: the gateway alone says who is asking.
func TestAStolenKeySignsNobodyElseToAnyService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := keyring.At(dir)
	for _, name := range thieves {
		if _, err := folder.Make(nil, keyring.Holder{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	verifier, err := principal.NewVerifier(folder.Find, principal.Rules{Forwards: schemas.MayForward,
		May: func(holder, audience string, p principal.Principal) bool {
			return schemas.MayAssert(holder, audience, schemas.Role(p.Role), p.Subject, false)
		}})
	if err != nil {
		t.Fatal(err)
	}
	audiences := []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
		schemas.Delivery, schemas.Gateway, schemas.Console, schemas.Traces}
	for _, thief := range thieves {
		own, err := folder.Private(thief)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := own.Signer()
		if err != nil {
			t.Fatal(err)
		}
		for _, audience := range audiences {
			for _, role := range append(schemas.Roles(), schemas.ServiceItself) {
				for _, subject := range []string{"somebody", thief, "gateway", "intake"} {
					who := principal.Principal{Organisation: "RXX", Role: string(role), Subject: subject}
					signed, err := signer.Sign(who, audience, time.Now())
					if err != nil {
						t.Fatal(err)
					}
					_, err = verifier.Verify(signed, audience, time.Now())
					itself := role == schemas.ServiceItself && subject == thief && (slices.Contains(audiences, thief) ||
						thief == "sentinel" && audience == schemas.Traces) // it hands spans over
					work := role != schemas.ServiceItself && (thief == schemas.Gateway && audience != schemas.Gateway ||
						thief == schemas.OperatorsKey && audience == schemas.Gateway && role == schemas.Operator)
					if (err == nil) != (itself || work) {
						t.Errorf("%s to %s as %s %s: %v", thief, audience, role, subject, err)
					}
				}
			}
		}
	}
	for _, route := range schemas.Routes() {
		if route.Allows(schemas.ServiceItself) && !route.Public {
			t.Errorf("%s is open to a service that speaks for itself", route.Mux())
		}
	}
}
