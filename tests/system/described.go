package system

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"footbridge/schemas"
)

// Every answer that a test gets is held against the published description (/openapi.json): its status, its members and
// their values. So is every body that was taken. A member of an answer that the description does not name is a fault
// too, though readers ignore what they do not know.

// openEnded are schemas whose values may hold members that are not named: a directory's own, and those of a problem.
var openEnded = []string{"CriteriaService", "CriteriaOrganization", "CriteriaPhone", "CriteriaServiceBody",
	"CriteriaOrganizationBody", "CriteriaPhoneBody", "Problem", "Resource"}

type description struct {
	paths    map[string]any
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

var published = sync.OnceValues(func() (*description, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemas.OpenAPIJSON()))
	if err != nil {
		return nil, fmt.Errorf("reading openapi.json: %w", err)
	}
	whole := document.(map[string]any)
	for name, schema := range whole["components"].(map[string]any)["schemas"].(map[string]any) {
		one := schema.(map[string]any)
		_, says := one["additionalProperties"]
		if !says && one["properties"] != nil && !slices.Contains(openEnded, name) {
			one["additionalProperties"] = false
		}
	}
	d := &description{paths: whole["paths"].(map[string]any), compiler: jsonschema.NewCompiler(),
		compiled: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	return d, d.compiler.AddResource("openapi.json", whole)
})

// schema is that of one media type of an operation, at a place below it.
func (d *description) schema(pattern, method, below, media string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "$", "%24")
	at := "openapi.json#/paths/" + escape.Replace(pattern) + "/" + strings.ToLower(method) + below + "/content/" +
		escape.Replace(media) + "/schema"
	if found := d.compiled[at]; found != nil {
		return found, nil
	}
	found, err := d.compiler.Compile(at)
	if err == nil {
		d.compiled[at] = found
	}
	return found, err
}

// operation is the route of a request, and whether its answer of a status is described by itself.
func (d *description) operation(method, path string, status int) (pattern string, described bool) {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for name, operations := range d.paths {
		o, there := operations.(map[string]any)[strings.ToLower(method)].(map[string]any)
		if there && fits(strings.Split(name, "/"), parts) && (pattern == "" || !strings.Contains(name, "{")) {
			pattern = name
			_, described = o["responses"].(map[string]any)[strconv.Itoa(status)]
		}
	}
	return pattern, described
}

// saysMore says that a body is as described but for members that nobody knows: where they are taken, they are left out.
func saysMore(err error) bool {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return false
	}
	if len(invalid.Causes) == 0 {
		_, more := invalid.ErrorKind.(*kind.AdditionalProperties)
		return more
	}
	return !slices.ContainsFunc(invalid.Causes,
		func(cause *jsonschema.ValidationError) bool { return !saysMore(cause) })
}

// takesBody says whether a body is described. Where none is, an empty object says nothing.
func (d *description) takesBody(pattern, method string) bool {
	operation, _ := d.paths[pattern].(map[string]any)[strings.ToLower(method)].(map[string]any)
	return operation["requestBody"] != nil
}

func fits(pattern, parts []string) bool {
	if len(pattern) != len(parts) {
		return false
	}
	for i, part := range pattern {
		if part != parts[i] && !strings.HasPrefix(part, "{") {
			return false
		}
	}
	return true
}

// differs says how an answer, or a body that was taken, is not as it is described; nil where it is.
func differs(method, path, contentType string, body []byte, answer Answer) error {
	d, err := published()
	if err != nil {
		return err
	}
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	pattern, described := d.operation(method, path, answer.Status)
	if pattern == "" || strings.HasPrefix(pattern, "/fhir") || answer.Status >= http.StatusInternalServerError {
		return nil
	}
	if !described {
		return fmt.Errorf("%s %s: the answer %d is not described", method, pattern, answer.Status)
	}
	if answer.Status < 300 && media == "application/json" {
		if err := d.valid(pattern, method, "/responses/"+strconv.Itoa(answer.Status), media, answer.Body); err != nil {
			return fmt.Errorf("%s %s answers otherwise than is described: %w\n%s", method, pattern, err, answer.Body)
		}
	}
	given, _, _ := mime.ParseMediaType(contentType)
	if answer.Status < 300 && given == "application/json" && len(body) > 0 && pattern != "/events" &&
		(string(body) != "{}" || d.takesBody(pattern, method)) {
		if err := d.valid(pattern, method, "/requestBody", given, body); err != nil && !saysMore(err) {
			return fmt.Errorf("%s %s takes a body otherwise than is described: %w\n%s", method, pattern, err, body)
		}
	}
	return nil
}

func (d *description) valid(pattern, method, below, media string, text []byte) error {
	schema, err := d.schema(pattern, method, below, media)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
