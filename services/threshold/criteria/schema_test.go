package criteria

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compileSchema(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("criteria.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("criteria.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON reads the first YAML (or JSON) document as JSON values.
func asJSON(t *testing.T, content []byte) any {
	t.Helper()
	var value any
	if err := yaml.NewDecoder(bytes.NewReader(content)).Decode(&value); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func asJSONObject(t *testing.T, value any) map[string]any {
	t.Helper()
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(b, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func countFields(value any) int { return reflect.TypeOf(value).NumField() }
