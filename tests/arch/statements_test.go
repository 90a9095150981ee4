package arch

import (
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/services/bridging"
	"footbridge/services/delivery"
	"footbridge/services/followup"
	"footbridge/services/intake"
	"footbridge/services/journey"
	"footbridge/services/threshold"
	"footbridge/services/traces"
)

func stateful() []pg.Service {
	own := map[string]fs.FS{
		intake.Name: intake.Migrations(), threshold.Name: threshold.Migrations(), followup.Name: followup.Migrations(),
		bridging.Name: bridging.Migrations(), journey.Name: journey.Migrations(), delivery.Name: delivery.Migrations(),
	}
	var all []pg.Service
	for name, migrations := range own {
		all = append(all, pg.Service{Name: name, Migrations: []pg.MigrationSet{
			{Name: "flow", FS: flow.Migrations()}, {Name: name, FS: migrations},
		}})
	}
	return all
}

// keepers are the services with statements of their own: those, and traces, which has no part in events.
func keepers() []pg.Service {
	return append(stateful(), pg.Service{Name: traces.Name, Hasty: true,
		Migrations: []pg.MigrationSet{{Name: traces.Name, FS: traces.Migrations()}}})
}

// TestEveryStatementFitsTheMigratedSchema prepares each written statement of a store as its service's own login, on
// a database with all migrations. A statement put together from parts is counted, and left to its service's tests.
func TestEveryStatementFitsTheMigratedSchema(t *testing.T) {
	t.Parallel()
	tree, err := Read(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	database := testkit.Database(t, keepers()...)
	prepared, composed := 0, 0
	for _, service := range keepers() {
		conn, err := pgx.Connect(t.Context(), database.URL(service.Name))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tree.Sources() {
			if !storeOf(name, service.Name) {
				continue
			}
			tree.texts(name, func(text string, at token.Pos) {
				switch {
				case !statement.MatchString(text) || strings.Contains(text, "held.held"):
				case strings.Contains(text, unwritten) || strings.Contains(text, "%"):
					composed++
				default:
					prepared++
					if _, err := conn.Prepare(t.Context(), "", text); err != nil {
						t.Errorf("%s:%d: %v\n%s", name, tree.line(at), err, text)
					}
				}
			})
		}
		_ = conn.Close(t.Context())
	}
	t.Logf("%d statements prepared, %d put together from parts", prepared, composed)
	if prepared < 50 {
		t.Errorf("only %d statements were found: the finder is broken", prepared)
	}
}

// storeOf says whether a file's statements run in a service's schema.
func storeOf(name, service string) bool {
	own, ok := serviceOf(name)
	if ok {
		return own == service && speaksSQL(name)
	}
	return service == journey.Name && in(name, "libs/flow/") && path.Ext(name) == ".go"
}

func TestAStatementThatDoesNotFitIsFound(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testkit.Database(t, stateful()...).URL(journey.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Prepare(t.Context(), "", `select no_such_column from step`); err == nil {
		t.Error("a column that is not there was prepared")
	}
}
