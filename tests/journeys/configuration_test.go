package journeys

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"footbridge/libs/testkit"
	"footbridge/tests/system"
)

// Each of these stops the start, with one line that says what to change: it names the setting and, where there is
// one, an example of what is right.
var brokenConfigurations = []struct {
	what     string
	settings map[string]string
	args     []string
	code     int
	says     []string
}{
	{"no navigator", map[string]string{}, []string{"serve"}, 2, []string{"FOOTBRIDGE_NAVIGATOR", "navigator:duty"}},
	{"no deputy", owners("navigator:duty", "", "team:night"), []string{"serve"}, 2, []string{"FOOTBRIDGE_DEPUTY"}},
	{"nobody out of hours", owners("navigator:duty", "navigator:deputy", ""), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_OUT_OF_HOURS"}},
	{"a heartbeat that anybody could give", with(sound, "FOOTBRIDGE_HEARTBEAT_URL", "https://monitor.example/1"),
		[]string{"sentinel"}, 2, []string{"FOOTBRIDGE_HEARTBEAT_SECRET"}},
	{"a fallback list to nobody", with(sound, "FOOTBRIDGE_FALLBACK_DIR", "."), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_FALLBACK_KEYS"}},
	{"the deputy is the navigator", owners("navigator:duty", "navigator:duty", "team:night"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_DEPUTY", "another"}},
	{"an owner of no kind", owners("somebody", "navigator:deputy", "team:night"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_NAVIGATOR", "kind:id"}},
	{"an unknown setting", with(nobody, "FOOTBRIDGE_NAVIGATR", "navigator:duty"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_NAVIGATR"}},
	{"an unknown flag", nil, []string{"serve", "--htpp-addr=127.0.0.1:1"}, 2, []string{"htpp-addr"}},
	{"an unknown service", nil, []string{"serve", "--only=intake,weather"}, 2, []string{"weather", "intake"}},
	{"an unknown command", nil, []string{"dance"}, 2, []string{"dance"}},
	{"an address without a port", with(sound, "FOOTBRIDGE_HTTP_ADDR", "127.0.0.1"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_HTTP_ADDR", "127.0.0.1"}},
	{"a duration that is none", with(sound, "FOOTBRIDGE_SENTINEL_EVERY", "often"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_SENTINEL_EVERY", "often"}},
	{"a database URL that is none", with(sound, "FOOTBRIDGE_DATABASE_URL", "the big one"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_DATABASE_URL"}},
	{"no database", sound, []string{"serve"}, 1, []string{"FOOTBRIDGE_DATABASE_URL", "footbridge dev"}},
	{"criteria that are not there", with(sound, "FOOTBRIDGE_DIRECTORY", "./nowhere"), []string{"doctor"}, 1,
		[]string{"FOOTBRIDGE_DIRECTORY", "nowhere"}},
	{"open to everybody", with(sound, "FOOTBRIDGE_OPS_ADDR", "0.0.0.0:0"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_OPS_ADDR"}},
	{"the console open to everybody", with(sound, "FOOTBRIDGE_HTTP_ADDR", ":0"), []string{"dev"}, 2,
		[]string{"FOOTBRIDGE_HTTP_ADDR"}},
	{"HL7 open to everybody", with(sound, "FOOTBRIDGE_MLLP_ADDR", "0.0.0.0:0"), []string{"serve", "--only=intake"}, 2,
		[]string{"FOOTBRIDGE_MLLP_ADDR"}},
	{"the sentinel's port open to everybody", with(sound, "FOOTBRIDGE_OPS_ADDR", "0.0.0.0:0"), []string{"sentinel"}, 2,
		[]string{"FOOTBRIDGE_OPS_ADDR"}},
	{"a sentinel without a navigator", nil, []string{"sentinel"}, 2, []string{"FOOTBRIDGE_NAVIGATOR"}},
	{"a broker open to everybody", with(sound, "FOOTBRIDGE_NATS_ADDR", "0.0.0.0:4222"), []string{"broker"}, 2,
		[]string{"FOOTBRIDGE_NATS_ADDR"}},
	{"criteria that are not there, at the start", with(sound, "FOOTBRIDGE_DIRECTORY", "./nowhere"), []string{"dev"}, 2,
		[]string{"FOOTBRIDGE_DIRECTORY", "nowhere"}},
	{"profiles that are not there", with(sound, "FOOTBRIDGE_PROFILES", "./nowhere"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_PROFILES", "nowhere"}},
	{"a certificate that is not there", with(with(sound, "FOOTBRIDGE_MLLP_CERT", "./nowhere"), "FOOTBRIDGE_MLLP_KEY",
		"./nowhere"),
		[]string{"serve"}, 2, []string{"FOOTBRIDGE_MLLP_CERT", "nowhere"}},
	{"tokens that are nowhere", with(sound, "FOOTBRIDGE_TOKENS_FILE", "./nowhere"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_TOKENS_FILE", "nowhere"}},
	{"credentials that are nowhere", with(sound, "FOOTBRIDGE_INTAKE_NATS_CREDS", "./nowhere"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_INTAKE_NATS_CREDS", "nowhere"}},
	{"a key in no folder", with(sound, "FOOTBRIDGE_KEK_FILE", "./nowhere/kek"), []string{"dev"}, 2,
		[]string{"FOOTBRIDGE_KEK_FILE", "nowhere"}},
	{"a key that is a folder", with(sound, "FOOTBRIDGE_KEK_FILE", "."), []string{"dev"}, 2,
		[]string{"FOOTBRIDGE_KEK_FILE", "folder"}},
	{"fewer than no copies", with(sound, "FOOTBRIDGE_NATS_REPLICAS", "-5"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_NATS_REPLICAS", "-5"}},
	{"no connections", with(sound, "FOOTBRIDGE_DATABASE_CONNECTIONS", "0"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_DATABASE_CONNECTIONS"}},
	{"a rebuild that stands still", with(sound, "FOOTBRIDGE_REBUILD_RATE", "-1"), []string{"dev"}, 2,
		[]string{"FOOTBRIDGE_REBUILD_RATE"}},
	{"a host of no organisation", with(sound, "FOOTBRIDGE_ORGANISATION", "The Infirmary"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_ORGANISATION", "ODS code"}},
	{"an agreement with no organisation", with(sound, "FOOTBRIDGE_ORGANISATIONS", "RYY,!"), []string{"dev"}, 2,
		[]string{"FOOTBRIDGE_ORGANISATIONS", "ODS code"}},
	{"mail to nowhere", with(sound, "FOOTBRIDGE_SMTP_URL", "the post office"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_SMTP_URL"}},
	{"networks that are none", with(sound, "FOOTBRIDGE_SHARED_ADDRESSES", "over there"), []string{"serve"}, 2,
		[]string{"FOOTBRIDGE_SHARED_ADDRESSES", "10.1.0.0/16"}},
	{"a PostgreSQL that is not there", with(sound, "FOOTBRIDGE_PG_BIN", "./nowhere"), []string{"dev"}, 2,
		[]string{"FOOTBRIDGE_PG_BIN", "nowhere"}},
	{"tokens that are not there", with(sound, "FOOTBRIDGE_NATS_CREDS", "./nowhere.creds"), []string{"doctor"}, 1,
		[]string{"nowhere.creds"}},
}

var (
	nobody = map[string]string{}
	sound  = owners("navigator:duty", "navigator:deputy", "team:night")
)

func owners(navigator, deputy, night string) map[string]string {
	return map[string]string{"FOOTBRIDGE_NAVIGATOR": navigator, "FOOTBRIDGE_DEPUTY": deputy,
		"FOOTBRIDGE_OUT_OF_HOURS": night}
}

func with(settings map[string]string, name, value string) map[string]string {
	more := map[string]string{name: value}
	for n, v := range settings {
		more[n] = v
	}
	return more
}

func TestABrokenConfigurationStopsTheStartAndSaysWhatToChange(t *testing.T) {
	t.Parallel()
	for _, c := range brokenConfigurations {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			settings := map[string]string{"FOOTBRIDGE_STATE_DIR": filepath.Join(folder, "state"),
				"FOOTBRIDGE_NATS_URL":  "nats://127.0.0.1:1",
				"FOOTBRIDGE_HTTP_ADDR": testkit.FreeAddr(t), "FOOTBRIDGE_MLLP_ADDR": testkit.FreeAddr(t),
				"FOOTBRIDGE_OPS_ADDR": testkit.FreeAddr(t)}
			for name, value := range c.settings {
				settings[name] = value
			}
			for _, what := range []string{"new"} {
				if out, code := system.Run(t, folder,
					map[string]string{"FOOTBRIDGE_STATE_DIR": settings["FOOTBRIDGE_STATE_DIR"]}, "keys",
					what); code != 0 {
					t.Fatalf("keys %s ended with %d:\n%s", what, code, out)
				}
			}
			out, code := system.Run(t, folder, settings, c.args...)
			if code != c.code {
				t.Errorf("ended with %d, want %d:\n%s", code, c.code, out)
			}
			if !oneLineSays(out, c.says) {
				t.Errorf("no single line says %q:\n%s", c.says, out)
			}
			if lines := strings.Count(strings.TrimSpace(out), "\n") + 1; code == 2 && c.args[0] != "dance" &&
				lines > 3 {
				t.Errorf("it is said among noise, in %d lines:\n%s", lines, out)
			}
		})
	}
}

// TestAPortThatIsTakenIsSaidBeforeAnythingStarts: two listeners are in the way, and each is named by its setting, once.
func TestAPortThatIsTakenIsSaidBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": folder}
	for _, setting := range []string{"HTTP", "MLLP", "OPS", "NATS"} {
		settings["FOOTBRIDGE_"+setting+"_ADDR"] = testkit.FreeAddr(t)
	}
	for _, setting := range []string{"HTTP", "MLLP"} {
		other, err := net.Listen("tcp", settings["FOOTBRIDGE_"+setting+"_ADDR"])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = other.Close() })
	}
	out, code := system.Run(t, folder, settings, "dev")
	if code != 2 || strings.Count(out, "another process has this port") != 2 ||
		!strings.Contains(out, "FOOTBRIDGE_HTTP_ADDR") ||
		!strings.Contains(out, "FOOTBRIDGE_MLLP_ADDR") || strings.Count(strings.TrimSpace(out), "\n") > 2 {
		t.Errorf("ended with %d:\n%s", code, out)
	}
	if _, err := os.Stat(filepath.Join(folder, "postgres")); err == nil {
		t.Error("a database was made before it was said")
	}
}

func TestATokenFileThatCannotBeReadStopsTheStart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "tokens.yaml"), []byte("tokens: [{token: in-clear}]\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	settings := with(sound, "FOOTBRIDGE_STATE_DIR", filepath.Join(folder, "state"))
	for _, name := range []string{"HTTP", "MLLP", "OPS", "NATS"} {
		settings["FOOTBRIDGE_"+name+"_ADDR"] = testkit.FreeAddr(t)
	}
	out, code := system.Run(t, folder, with(settings, "FOOTBRIDGE_TOKENS_FILE", filepath.Join(folder, "tokens.yaml")),
		"dev")
	if code != 2 || !oneLineSays(out, []string{"FOOTBRIDGE_TOKENS_FILE", "sha256"}) ||
		strings.Contains(out, "in-clear") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
}

func oneLineSays(out string, says []string) bool {
	for line := range strings.Lines(out) {
		all := true
		for _, word := range says {
			all = all && strings.Contains(line, word)
		}
		if all {
			return true
		}
	}
	return false
}
