package arch

import (
	"strings"
	"testing"
	"testing/fstest"
)

// Each plant is a small tree that breaks one rule at one place. What comes before the place is right, so that a rule
// that finds everything fails here too.
var plants = []struct {
	rule, what, path string
	line             int
	content          string
	beside           map[string]string
}{
	{"a service imports no other service", "the other's package", "services/intake/http.go", 5,
		"package intake\n\nimport (\n\t\"fmt\"\n\t\"footbridge/services/journey\"\n)\n", nil},
	{"a service imports no other service", "in a test", "services/intake/http_test.go", 3,
		"package intake\n\nimport _ \"footbridge/services/followup\"\n", nil},
	{"a service imports no other service", "a part of the other", "services/intake/http.go", 3,
		"package intake\n\nimport _ \"footbridge/services/journey/inner\"\n", nil},

	{"a package inside a service knows nothing of what is around it", "the service",
		"services/threshold/criteria/rules.go", 6,
		"package criteria\n\nimport (\n\t_ \"footbridge/schemas\"\n\t_ " +
			"\"footbridge/services/threshold/criteria/inner\"\n\t_ \"footbridge/services/threshold\"\n)\n",
		map[string]string{"services/threshold/rules.go": "package threshold\n\nimport _ " +
			"\"footbridge/services/threshold/criteria\"\n"}},
	{"a package inside a service knows nothing of what is around it", "a package beside it, in a test",
		"services/intake/record/a_test.go", 3,
		"package record\n\nimport _ \"footbridge/services/intake/reading\"\n", nil},

	{"modules and floors", "libs know schemas", "libs/flow/flow.go", 3, "package flow\n\nimport _ " +
		"\"footbridge/schemas\"\n", nil},
	{"modules and floors", "schemas know libs", "schemas/types.go", 3, "package schemas\n\nimport _ " +
		"\"footbridge/libs/clock\"\n", nil},
	{"modules and floors", "services know tests", "services/journey/store.go", 3,
		"package journey\n\nimport _ \"footbridge/tests/arch\"\n", nil},
	{"modules and floors", "hl7 with a dependency", "libs/hl7/hl7.go", 3, "package hl7\n\nimport _ " +
		"\"github.com/google/uuid\"\n", nil},
	{"modules and floors", "hl7 with a floor of its own", "libs/hl7/hl7.go", 3,
		"package hl7\n\nimport _ \"footbridge/libs/clock\"\n", nil},
	{"modules and floors", "schemas with a dependency", "schemas/types.go", 3,
		"package schemas\n\nimport _ \"go.yaml.in/yaml/v3\"\n", nil},
	{"modules and floors", "containers outside tests", "libs/testkit/nats.go", 3,
		"package testkit\n\nimport _ \"github.com/testcontainers/testcontainers-go\"\n", nil},

	{"decisions are pure", "a context", "services/journey/rules.go", 5, "package journey\n\nimport " +
		"(\n\t\"slices\"\n\t\"context\"\n)\n", nil},
	{"decisions are pure", "a logger", "services/followup/window.go", 3, "package followup\n\nimport _ \"log/slog\"\n",
		nil},
	{"decisions are pure", "chance", "services/followup/matching.go", 3, "package followup\n\nimport _ " +
		"\"math/rand/v2\"\n", nil},
	{"decisions are pure", "our clock", "services/bridging/schedule.go", 3,
		"package bridging\n\nimport _ \"footbridge/libs/clock\"\n", nil},
	{"a package inside a service knows nothing of what is around it", "an arrow back",
		"services/intake/record/rules.go", 3,
		"package record\n\nimport _ \"footbridge/services/intake/reading\"\n",
		map[string]string{"services/intake/reading/hl7.go": "package reading\n\nimport _ " +
			"\"footbridge/services/intake/record\"\n"}},
	{"decisions are pure", "the machine's clock", "services/intake/rules.go", 5,
		"package intake\n\nimport \"time\"\n\nvar at = time.Now()\n", nil},
	{"decisions are pure", "the network", "services/threshold/rules.go", 3,
		"package threshold\n\nimport _ \"net/http\"\n", nil},
	{"decisions are pure", "a file nobody has listed", "services/threshold/brand_new.go", 3,
		"package threshold\n\nimport _ \"os\"\n", nil},
	{"decisions are pure", "the network, in a package inside a service", "services/threshold/criteria/rules.go", 3,
		"package criteria\n\nimport _ \"net/http\"\n", nil},
	{"decisions are pure", "the database", "services/gateway/rules.go", 3,
		"package gateway\n\nimport _ \"github.com/jackc/pgx/v5\"\n", nil},

	{"handlers that are not idempotent are listed", "said where it is configured", "services/journey/journey.go", 3,
		"package journey\n\nvar cfg = flow.Config{NotIdempotent: true}\n", nil},
	{"handlers that are not idempotent are listed", "said later", "services/intake/intake.go", 4,
		"package intake\n\nfunc wire(cfg *flow.Config) {\n\tcfg.NotIdempotent = true\n}\n", nil},

	{"SQL only where it belongs", "a select", "services/journey/rules.go", 3,
		"package journey\n\nvar q = `select id from step where state = 'open'`\n", nil},
	{"SQL only where it belongs", "put together", "services/journey/events.go", 3,
		"package journey\n\nvar q = \"insert into \" + table + \" values ($1)\"\n", nil},
	{"SQL only where it belongs", "an update", "libs/service/service.go", 4,
		"package service\n\n// select a from b is said in a comment, which is right\nvar q = \"update step set state " +
			"= $1\"\n", nil},
	{"SQL only where it belongs", "a file of SQL", "services/journey/reports.sql", 1, "select 1;\n", nil},

	{"SQL never asks for the time", "now()", "services/journey/store.go", 3,
		"package journey\n\nvar q = `update step set closed_at = now() where id = $1`\n", nil},
	{"SQL never asks for the time", "current_date", "services/journey/store.go", 3,
		"package journey\n\nvar q = `select id from step where due < current_date`\n", nil},
	{"SQL never asks for the time", "a default", "services/journey/migrations/1.sql", 2,
		"create table a (\n    at timestamptz not null default now() -- not now() here\n);\n", nil},
	{"SQL never asks for the time", "the exception, elsewhere", "libs/pg/setup.go", 3,
		"package pg\n\nvar q = `select clock_timestamp()`\n", nil},

	{"routes that words name exist", "a refusal that sends people nowhere", "services/journey/http.go", 5,
		"package journey\n\nvar right = \"Reopen it, with POST /api/journeys/{id}/reopen.\"\n\nvar wrong = \"Finish " +
			"it, with POST /api/journeys/{id}/finish.\"\n", nil},
	{"routes that words name exist", "with the wrong method", "services/intake/erase_http.go", 3,
		"package intake\n\nvar wrong = \"Look with GET /api/people/{ref}/erase.\"\n", nil},

	{"one unit of work ends intake's transactions", "by hand", "services/intake/people_http.go", 4,
		"package intake\n\nfunc end(tx *flow.Tx) error {\n\treturn storeVisits(tx, nil)\n}\n", nil},

	{"JetStream only in flow and bus", "in a service", "services/journey/events.go", 3,
		"package journey\n\nimport _ \"github.com/nats-io/nats.go/jetstream\"\n", nil},
	{"JetStream only in flow and bus", "the older API", "services/footbridge/demo.go", 5,
		"package main\n\nimport \"github.com/nats-io/nats.go\"\n\nvar js nats.JetStreamContext\n", nil},

	{"no package named after nothing", "helpers", "libs/helpers/a.go", 1, "package helpers\n", nil},

	{"every package has a comment", "none", "libs/silent/a.go", 2, "\npackage silent\n", nil},
	{"every package has a comment", "its name alone", "libs/silent/a.go", 2, "// Package silent.\npackage silent\n",
		nil},

	{"no line of Go is wider than 120 columns", "a statement", "libs/wide/a.go", 5,
		"// Package wide is wide.\npackage wide\n\nfunc f() {\n\tg(" + strings.Repeat("one, ", 30) + "last)\n}\n", nil},

	{"no grade of a person", "a field", "schemas/facts.go", 4, "package schemas\n\ntype Facts struct {\n\tRiskLevel " +
		"string\n}\n", nil},
	{"no grade of a person", "a tag", "schemas/facts.go", 4, "package schemas\n\ntype Facts struct {\n\tA string " +
		"`json:\"riskBand\"`\n}\n", nil},
	{"no grade of a person", "a column", "services/journey/migrations/1.sql", 2,
		"create table journey (\n    risk_level text not null\n);\n", nil},
	{"no grade of a person", "a field of a schema", "schemas/events/a.schema.json", 2,
		"{\"properties\": {\n  \"crisisScore\": {\"type\": \"integer\"}}}\n", nil},
	{"no grade of a person", "a key of a document", "services/threshold/criteria/directory/a.yaml", 2,
		"criteria:\n  - riskScore: 3\n", nil},
	{"no grade of a person", "on a page", "services/console/templates/a.html", 1,
		"<td class=\"patient-severity\">3</td>\n", nil},

	{"text columns are declared, and free text only in intake", "a note", "services/journey/migrations/1.sql", 3,
		"create table step (\n    kind text not null,\n    note text not null\n);\n",
		map[string]string{textColumnsFile: "journey.step.kind: a code\n"}},
	{"text columns are declared, and free text only in intake", "added later", "services/journey/migrations/2.sql", 1,
		"alter table step add column remarks jsonb;\n", nil},
	{"text columns are declared, and free text only in intake", "declared without a word",
		"services/journey/migrations/1.sql", 2,
		"create table step (\n    note text not null\n);\n",
		map[string]string{textColumnsFile: "journey.step.note:\n"}},

	{"what people read of a store is read for a principal", "by a handler", "services/journey/store.go", 5,
		"package journey\n\nfunc allowed(q queuer, who principal.Principal) { q.Queue(`select a from b`) }\n\nfunc " +
			"readAll(q queuer) { q.Queue(`select a from b`) }\n\nfunc forEvents(q queuer) { q.Queue(`select c from " +
			"d`) }\n",
		map[string]string{"services/journey/http.go": "package journey\n\nfunc (a api) list() error { allowed(a.q, " +
			"a.who); return a.through() }\n\nfunc (a api) through() error { readAll(a.q); return nil }\n"}},

	{"events and their hearers", "handled, not sent there", "services/threshold/events.go", 3,
		"package threshold\n\nfunc hear(t schemas.Type) { switch t { case schemas.OfferRaised: } }\n",
		map[string]string{"schemas/types.go": "package schemas\n\nconst (\n\tOfferRaised Type = " +
			"\"care.footbridge.offer.raised.v1\"\n)\n"}},
	{"events and their hearers", "sent there, not handled", "services/threshold/events.go", 1,
		"package threshold\n\nfunc hear(t schemas.Type) {}\n", nil},
	{"events and their hearers", "the table is wrong", "docs/events.md", 2,
		"| `journey.opened.v1` | journey | - | x |\n| `call.scheduled.v1` | bridging | intake | x |\n", nil},
	{"events and their hearers", "a row for nothing", "docs/events.md", 1,
		"| `call.dreamt.v1` | bridging | journey | x |\n", nil},

	{"every promised route has a handler", "of the route table", "schemas/routes.go", 5,
		"package schemas\n\nvar routes = []Route{\n\t{\"GET\", \"/api/a\", Journey, nil, false, " +
			"\"x\"},\n\t{\"POST\", \"/api/a\", Journey, nil, false, \"x\"},\n}\n",
		map[string]string{"services/journey/http.go": "package journey\n\nvar a = map[string]h{\"GET /api/a\": b}\n"}},
	{"every promised route has a handler", "of a service that serves nothing", "schemas/routes.go", 3,
		"package schemas\n\nvar routes = []Route{{\"GET\", \"/api/a\", Followup, nil, false, \"x\"}}\n",
		map[string]string{"services/journey/http.go": "package journey\n\nvar a = \"GET /api/a\"\n"}},
	{"every promised route has a handler", "of a page", "services/console/a.go", 4,
		"package console\n\nvar a = map[string]h{\"GET /a\": b}\nvar c = page(\"GET\", \"/b\", \"x\")\n", nil},
	{"every promised route has a handler", "of the gateway's own", "services/gateway/a.go", 3,
		"package gateway\n\nvar a = []schemas.Route{{Method: \"POST\", Pattern: \"/sign-in\", Service: " +
			"schemas.Gateway}}\n", nil},

	{"what nobody reads is in no event", "a field", "schemas/events.go", 5,
		"package schemas\n\ntype CallScheduledData struct {\n\tCall string\n\tMood string\n}\n",
		map[string]string{"services/journey/known.go": "package journey\n\nfunc f(d schemas.CallScheduledData) " +
			"string { return d.Call }\n"}},

	{"links in documents resolve", "no file", "docs/a.md", 2, "[here](a.md)\n[there](gone.md)\n", nil},
	{"links in documents resolve", "no heading", "docs/a.md", 3, "# One two\n[right](#one-two)\n[wrong](#three)\n",
		nil},
	{"links in documents resolve", "no heading elsewhere", "docs/a.md", 1, "[wrong](b.md#three)\n",
		map[string]string{"docs/b.md": "## Two\n"}},

	{"commands in documents exist", "make", "README.md", 2, "`make demo`\n`make coffee`\n",
		map[string]string{"Makefile": "demo: ## x\n"}},
	{"commands in documents exist", "make, in a block", "README.md", 2, "```\nmake coffee\n```\n", nil},
	{"commands in documents exist", "the program", "README.md", 1, "`footbridge dance`\n",
		map[string]string{"services/footbridge/commands.go": "package main\n\ntype commandLine struct {\n\tDemo " +
			"struct{} `cmd:\"\"`\n}\n"}},

	{"words that shame are not written", "in a document", "docs/a.md", 2, "The person was asked.\nThe patient " +
		"refused.\n", withWords},
	{"words that shame are not written", "on a page", "services/console/templates/a.html", 1,
		"<p>This self-harmer</p>\n", withWords},
	{"words that shame are not written", "in a sentence", "services/console/words.go", 3,
		"package console\n\nvar s = \"A frequent attender.\"\n", withWords},
	{"words that shame are not written", "in the directory", "services/threshold/criteria/directory/a.yaml", 1,
		"words: We do not see high-risk patients.\n", withWords},
	{"words that shame are not written", "of an event", "schemas/registry.go", 3,
		"package schemas\n\nvar s = \"They failed to attend.\"\n", withWords},
	{"words that shame are not written", "only on screens", "services/console/templates/a.html", 1,
		"<p>The door is shut</p>\n", withWords},

	{"attributes of telemetry are on the list", "of a log line", "libs/flow/a.go", 3,
		"package flow\n\nfunc a() { f.cfg.Log.Warn(\"x\", \"error\", err, \"surname\", s) }\n", withStandard},
	{"attributes of telemetry are on the list", "of a span", "services/intake/a.go", 3,
		"package intake\n\nvar a = attribute.String(\"person.name\", s)\n", withStandard},

	{"names of spans are on the list", "an unknown one", "services/intake/a.go", 5,
		"package intake\n\nfunc a() {\n\ts.tracer.Start(ctx, \"keep messages\")\n\ts.tracer.Start(ctx, " +
			"\"ring them\")\n}\n", nil},
	{"names of spans are on the list", "one that is made", "services/intake/a.go", 4,
		"package intake\n\nfunc a() {\n\ts.cfg.Tracer.Start(ctx, \"ring \"+surname)\n}\n", nil},
	{"names of spans are on the list", "of a loop", "services/bridging/due.go", 4,
		"package bridging\n\nvar a = []flow.Due{{Name: \"calls\"},\n\t{Name: \"rings\"}}\n", nil},

	{"what leaves goes through the guarded client", "a client of its own", "services/a/a.go", 5,
		"package a\n\nimport \"net/http\"\n\nvar c = &http.Client{}\n\nfunc given(c *http.Client) {}\n", nil},
	{"what leaves goes through the guarded client", "the default client", "services/a/a.go", 5,
		"package a\n\nimport \"net/http\"\n\nfunc f() { http.Get(\"http://a.example\") }\n", nil},
	{"what leaves goes through the guarded client", "a connection", "libs/a/a.go", 5,
		"package a\n\nimport \"net\"\n\nfunc f() { net.Dial(\"tcp\", \"a.example:25\") }\n", nil},

	{"tests neither skip nor sleep", "skip", "libs/a/a_test.go", 3, "package a\n\nfunc f() { t.Skip(\"no docker\") }\n",
		nil},
	{"tests neither skip nor sleep", "sleep", "libs/a/a_test.go", 5, "package a\n\nimport \"time\"\n\nfunc f() { " +
		"time.Sleep(1) }\n", nil},

	{"no fixed day meets the machine's clock in tests", "beside time.Now", "libs/a/a_test.go", 7,
		"package a\n\nimport \"time\"\n\nfunc f() {\n\tnow := time.Now()\n\tleft := \"2026-11-20\"\n}\n", nil},
	{"no fixed day meets the machine's clock in tests", "as a value", "libs/a/a_test.go", 6,
		"package a\n\nimport \"time\"\n\nfunc f() {\n\tleft := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)\n\tago " +
			":= time.Since(left)\n}\n", nil},
	{"no fixed day meets the machine's clock in tests", "where the program runs", "tests/journeys/a_test.go", 3,
		"package journeys\n\nconst left = \"20261120080000\"\n", nil},

	{"every go test has a timeout", "in the Makefile", "Makefile", 2, "a:\n\t@go test ./...\n", nil},
	{"every go test has a timeout", "in a script", "tests/run.sh", 2, "# go test is what this runs\ngo test work\n",
		nil},
}

var (
	withWords    = map[string]string{}
	withStandard = map[string]string{"libs/telemetry/allow.go": "package telemetry\n\nvar StandardAttributes = " +
		"[]string{\"error\"}\n"}
)

func TestEveryRuleFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	own, err := Read(osDirOfRules())
	if err != nil {
		t.Fatal(err)
	}
	withWords[wordsFile] = own.Files["words.yaml"]
	planted := map[string]int{}
	for _, p := range plants {
		planted[p.rule]++
		t.Run(p.rule+"/"+p.what, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{p.path: {Data: []byte(p.content)}}
			for name, content := range p.beside {
				files[name] = &fstest.MapFile{Data: []byte(content)}
			}
			tree, err := Read(files)
			if err != nil {
				t.Fatal(err)
			}
			found := ruleNamed(t, p.rule).Check(tree)
			for _, f := range found {
				if f.Path == p.path && f.Line == p.line {
					for _, other := range found {
						if other.Path == p.path && other.Line != p.line && !strings.HasPrefix(p.rule, "events") {
							t.Errorf("also finds what is right: %s", other)
						}
					}
					return
				}
			}
			t.Errorf("not found at %s:%d; found %v", p.path, p.line, found)
		})
	}
	for _, rule := range Rules() {
		if planted[rule.Name] == 0 {
			t.Errorf("nothing is planted for %q: nobody knows whether it can fail", rule.Name)
		}
	}
}

func ruleNamed(t *testing.T, name string) Rule {
	for _, rule := range Rules() {
		if rule.Name == name {
			return rule
		}
	}
	t.Fatalf("there is no rule %q", name)
	return Rule{}
}
