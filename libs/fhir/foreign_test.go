//go:build foreign

package fhir_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/fhir"
)

// foreign are other people's resources. They are read in place and never copied here.
const foreign = "../../../shared/data/fhir"

// invalid are official examples that are no R4 (by the R4 validator of Medplum): what partners really send.
var invalid = []string{"HealthcareService/success_HealthcareService_Atomic.json", "appointment/PATCH-body.json",
	"document_reference/GET-success.json", "process_message/POST-success.json", "service_request/GET-success.json",
	"service_request/PATCH-body.json", "service_request/id/GET-success.json"}

func TestForeignResourcesAreReadOrRefusedAsTheyDeserve(t *testing.T) {
	t.Parallel()
	read, refused := 0, 0
	err := filepath.WalkDir(foreign, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		resource, issues := fhir.Read(body, fhir.Limits{})
		bad := slices.ContainsFunc(invalid, func(name string) bool { return strings.HasSuffix(path, "nhs-bars/"+name) })
		if bad != (len(issues) > 0) || bad == (resource != nil) {
			t.Errorf("%s: issues %+v", path, issues)
		}
		if bad {
			refused++
			for _, issue := range issues {
				t.Logf("%-55s %s %v %s", filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), issue.Code,
					issue.Expression, issue.Diagnostics)
			}
			return nil
		}
		read++
		keepsAll(t, path, resource, body)
		return nil
	})
	if err != nil {
		t.Fatalf("the foreign resources are needed here: %v", err)
	}
	t.Logf("%d read, %d refused", read, refused)
	if read < 27+10 || refused != len(invalid) {
		t.Errorf("%d read, %d refused", read, refused)
	}
}

func keepsAll(t *testing.T, path string, resource fhir.Resource, body []byte) {
	t.Helper()
	again, err := json.Marshal(resource)
	if err != nil {
		t.Fatalf("writing %s: %v", path, err)
	}
	var before, after any
	if json.Unmarshal(body, &before) != nil || json.Unmarshal(again, &after) != nil ||
		!reflect.DeepEqual(before, after) {
		t.Errorf("%s came back otherwise", path)
	}
}
