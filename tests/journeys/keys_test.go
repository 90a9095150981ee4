package journeys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"footbridge/tests/system"
)

func TestServeRefusesToStartWithoutTheSecretsItWasToldAndMakesNone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	state := filepath.Join(folder, "state")
	settings := with(sound, "FOOTBRIDGE_STATE_DIR", state)
	out, code := system.Run(t, folder, settings, "serve")
	if code != 1 || !oneLineSays(out, []string{"FOOTBRIDGE_STATE_DIR", "footbridge keys secret --out"}) || !oneLineSays(out, []string{"FOOTBRIDGE_KEK_FILE", "footbridge keys new --out"}) {
		t.Errorf("without either, serve ended with %d:\n%s", code, out)
	}
	if out, code = system.Run(t, folder, settings, "messages"); code != 1 || !oneLineSays(out, []string{"footbridge keys secret"}) {
		t.Errorf("without the secret, a command ended with %d:\n%s", code, out)
	}
	if left, err := os.ReadDir(state); err == nil {
		t.Errorf("they made %v", left)
	}
	if out, code = system.Run(t, folder, settings, "keys", "secret"); code != 0 {
		t.Fatalf("keys secret ended with %d:\n%s", code, out)
	}
	out, code = system.Run(t, folder, settings, "serve")
	if code != 1 || oneLineSays(out, []string{"footbridge keys secret"}) || !oneLineSays(out, []string{"footbridge keys new --out"}) {
		t.Errorf("without a key file, serve ended with %d:\n%s", code, out)
	}
	if out, code = system.Run(t, folder, settings, "serve", "--only", "journey"); code != 1 || oneLineSays(out, []string{"KEK"}) {
		t.Errorf("a service that needs no key file asks for one: %d\n%s", code, out)
	}
}

func TestKeysAreMadeOnceAndForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": filepath.Join(folder, "state")}
	for what, path := range map[string]string{"new": filepath.Join(folder, "keys", "kek"), "secret": filepath.Join(folder, "elsewhere", "secret")} {
		if out, code := system.Run(t, folder, settings, "keys", what, "--out", path); code != 0 || !strings.Contains(out, path) {
			t.Fatalf("keys %s ended with %d:\n%s", what, code, out)
		}
		made, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", what, info.Mode(), err)
		}
		out, code := system.Run(t, folder, settings, "keys", what, "--out", path)
		if again, _ := os.ReadFile(path); code != 1 || string(again) != string(made) || !oneLineSays(out, []string{path, "never replaced"}) {
			t.Errorf("keys %s over an existing one ended with %d:\n%s", what, code, out)
		}
		if strings.Contains(out, strings.TrimSpace(string(made))) {
			t.Errorf("keys %s shows what it made", what)
		}
	}
	if out, code := system.Run(t, folder, settings, "keys", "lend"); code != 2 || !strings.Contains(out, "keys new") {
		t.Errorf("an unknown word ended with %d:\n%s", code, out)
	}
	empty := filepath.Join(folder, "empty")
	if err := os.MkdirAll(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(empty, "secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := system.Run(t, folder, with(sound, "FOOTBRIDGE_STATE_DIR", empty), "serve")
	if code != 1 || !oneLineSays(out, []string{"secret", "hexadecimal"}) {
		t.Errorf("an empty secret: %d\n%s", code, out)
	}
}

func TestDoctorSaysWhichSecretsOthersMayRead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	settings := with(sound, "FOOTBRIDGE_STATE_DIR", folder)
	for _, what := range []string{"new", "secret"} {
		if out, code := system.Run(t, folder, settings, "keys", what); code != 0 {
			t.Fatalf("keys %s ended with %d:\n%s", what, code, out)
		}
	}
	for _, name := range []string{"kek", "secret"} {
		path := filepath.Join(folder, name)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, code := system.Run(t, folder, settings, "doctor"); code != 1 || !oneLineSays(out, []string{path, "chmod 600"}) {
			t.Errorf("%s, readable by others: %d\n%s", name, code, out)
		}
	}
}

func TestDoctorKnowsTheKeyFileThatTheDatabaseWasMadeWith(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	hospital := s.Dial()
	s.Send(hospital, []byte(good("K1")))
	settings := s.Settings()
	if out, _ := system.Run(t, s.StateDir, settings, "doctor"); !oneLineSays(out, []string{"key that wraps keys", "well"}) || !oneLineSays(out, []string{"installation's secret", "well"}) {
		t.Errorf("the same key file:\n%s", out)
	}
	if out, code := system.Run(t, s.StateDir, settings, "keys", "rotate"); code != 0 || !strings.Contains(out, "rewrap") {
		t.Fatalf("keys rotate ended with %d:\n%s", code, out)
	}
	if out, _ := system.Run(t, s.StateDir, settings, "doctor"); !oneLineSays(out, []string{"key that wraps keys", "older key", "keys rewrap"}) {
		t.Errorf("a rotated key file:\n%s", out)
	}
	if out, code := system.Run(t, s.StateDir, settings, "keys", "rewrap"); code != 0 || !oneLineSays(out, []string{"person_key", "1 of 1"}) {
		t.Fatalf("keys rewrap ended with %d:\n%s", code, out)
	}
	if out, _ := system.Run(t, s.StateDir, settings, "doctor"); !oneLineSays(out, []string{"key that wraps keys", "well"}) || strings.Contains(out, "older key") {
		t.Errorf("after it:\n%s", out)
	}
	if ack := s.Send(hospital, []byte(good("K2"))); ack.Code != "AA" { // the running intake reads what the new key wrapped, without a restart
		t.Errorf("after it, a message about the same person was answered %s", ack.Code)
	}
	other := filepath.Join(t.TempDir(), "kek")
	if out, code := system.Run(t, s.StateDir, settings, "keys", "new", "--out", other); code != 0 {
		t.Fatalf("keys new ended with %d:\n%s", code, out)
	}
	out, code := system.Run(t, s.StateDir, with(settings, "FOOTBRIDGE_KEK_FILE", other), "doctor")
	if code != 1 || !oneLineSays(out, []string{"key that wraps keys", "another key file"}) {
		t.Errorf("another key file: %d\n%s", code, out)
	}
}
