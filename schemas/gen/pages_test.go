package main

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"footbridge/schemas"
)

// What a page shows as an example is an event that the published schema takes.
func TestTheExampleOfEachPageIsValid(t *testing.T) {
	t.Parallel()
	pages := map[string]string{schemas.PartnerSchemaType.File(): "../" + schemas.PartnerSchemaType.File() +
		".schema.json", schemas.ReferralUpdated.File(): "../" + schemas.ReferralUpdated.File() + ".schema.json"}
	for _, e := range schemas.Registry() {
		pages[e.Type.File()] = "../events/" + e.Type.File() + ".schema.json"
	}
	written, err := os.ReadDir("../../docs/events")
	if err != nil || len(written) != len(pages) {
		t.Errorf("%d pages of %d events (%v)", len(written), len(pages), err)
	}
	for name, schema := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page, err := os.ReadFile("../../docs/events/" + name + ".md")
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(page), "\n## Example\n\n```json\n")
			example, _, found := strings.Cut(rest, "\n```")
			if !found || !strings.Contains(string(page), "\n## Who sees it\n") {
				t.Fatal("the page has no example, or does not say who sees it")
			}
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(example))
			if err != nil {
				t.Fatal(err)
			}
			if err := compiled(t, schema).Validate(document); err != nil {
				t.Error(err)
			}
		})
	}
}

func compiled(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://footbridge.invalid/schema", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("https://footbridge.invalid/schema")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
