package journeys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"footbridge/libs/testkit"
	"footbridge/tests/system"
)

// TestWordsThatACommandWouldIgnoreAreRefused: whoever writes one meant something by it.
func TestWordsThatACommandWouldIgnoreAreRefused(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"demo surplus", "dev surplus", "serve surplus", "sentinel surplus", "broker surplus",
		"status surplus", "doctor surplus",
		"ready surplus", "version surplus", "journeys one surplus", "trace one surplus", "messages surplus",
		"messages show one surplus",
		"deadletters list surplus", "deadletters show one surplus", "streams rebuild surplus", "keys new surplus",
		"profiles surplus", "profiles test one surplus",
		"thresholds check surplus", "thresholds rulebook surplus", "directory import one surplus",
		"referrals import one surplus", "erase surplus"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			out, code := system.Run(t, folder,
				map[string]string{"FOOTBRIDGE_STATE_DIR": filepath.Join(folder, "state")}, strings.Fields(line)...)
			if code != 2 {
				t.Errorf("ended with %d, want 2:\n%s", code, out)
			}
			if _, err := os.Stat(filepath.Join(folder, "state")); err == nil {
				t.Error("it began all the same")
			}
		})
	}
}

// TestDoctorSaysOfAnEmptyDatabaseWhatToDo, in words and not in those of PostgreSQL.
func TestDoctorSaysOfAnEmptyDatabaseWhatToDo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": filepath.Join(folder, "state"),
		"FOOTBRIDGE_NATS_URL": "nats://127.0.0.1:1"}
	for _, what := range []string{"new"} {
		if out, code := system.Run(t, folder, settings, "keys", what); code != 0 {
			t.Fatal(out)
		}
	}
	db := testkit.Database(t, system.Services()...)
	for name, url := range db.URLs {
		settings["FOOTBRIDGE_"+strings.ToUpper(name)+"_DATABASE_URL"] = url
	}
	for _, service := range system.Services() { // as before the first start
		if _, err := db.Admin().Exec(t.Context(), "drop schema "+service.Name+" cascade; create schema "+service.Name+
			" authorization footbridge_"+service.Name); err != nil {
			t.Fatal(err)
		}
	}
	out, code := system.Run(t, folder, settings, "doctor")
	if code != 1 || !strings.Contains(out, "footbridge migrate makes what is missing") ||
		strings.Contains(out, "SQLSTATE") ||
		strings.Contains(out, "does not exist") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
}
