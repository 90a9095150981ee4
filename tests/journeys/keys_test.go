package journeys

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/keyring"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/tests/system"
)

func TestServeRefusesToStartWithoutTheKeysItWasToldAndMakesNone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	state := filepath.Join(folder, "state")
	settings := with(sound, "FOOTBRIDGE_STATE_DIR", state)
	out, code := system.Run(t, folder, settings, "serve")
	if code != 1 || !oneLineSays(out, []string{"FOOTBRIDGE_STATE_DIR", "public.json", "footbridge keys new"}) ||
		!oneLineSays(out, []string{"FOOTBRIDGE_KEK_FILE", "footbridge keys new --out"}) {
		t.Errorf("without any, serve ended with %d:\n%s", code, out)
	}
	if out, code = system.Run(t, folder, settings, "messages"); code != 1 ||
		!oneLineSays(out, []string{"operator.key", "footbridge keys new"}) {
		t.Errorf("without a key, a command ended with %d:\n%s", code, out)
	}
	if left, err := os.ReadDir(state); err == nil {
		t.Errorf("they made %v", left)
	}
	if out, code = system.Run(t, folder, settings, "keys", "new"); code != 0 {
		t.Fatalf("keys new ended with %d:\n%s", code, out)
	}
	for _, name := range []string{"gateway", "journey"} {
		if err := os.Remove(filepath.Join(state, "keys", name+".key")); err != nil {
			t.Fatal(err)
		}
	}
	out, code = system.Run(t, folder, settings, "serve")
	if code != 1 || !oneLineSays(out,
		[]string{"gateway.key", "journey.key", "not in " + filepath.Join(state, "keys")}) {
		t.Errorf("without two key files, serve ended with %d:\n%s", code, out)
	}
	if out, code = system.Run(t, folder, settings, "serve", "--only", "journey"); code != 1 ||
		oneLineSays(out, []string{"KEK"}) {
		t.Errorf("a service that needs no key that wraps keys asks for one: %d\n%s", code, out)
	}
}

func TestKeysAreMadeOnceAndForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	state := filepath.Join(folder, "state")
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": state}
	if out, code := system.Run(t, folder, settings, "keys", "new"); code != 0 || !strings.Contains(out, "intake.key") {
		t.Fatalf("keys new ended with %d:\n%s", code, out)
	}
	made, secrets := map[string]string{}, map[string]bool{}
	files, err := filepath.Glob(filepath.Join(state, "keys", "*.key"))
	if err != nil || len(files) < 10 {
		t.Fatalf("made %v, %v", files, err)
	}
	for _, path := range append(files, filepath.Join(state, "kek")) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		made[path] = string(content)
		var own struct{ Signing, NATS, Database string }
		_ = json.Unmarshal(content, &own)
		for _, secret := range []string{own.Signing, own.NATS, own.Database} {
			if secret != "" && secrets[secret] {
				t.Errorf("%s: a key stands in two files", path)
			}
			secrets[secret] = true
		}
	}
	out, code := system.Run(t, folder, settings, "keys", "new")
	for path, content := range made {
		if again, _ := os.ReadFile(path); string(again) != content {
			t.Errorf("made once more, %s is another: %d\n%s", path, code, out)
		}
	}
	public, err := os.ReadFile(filepath.Join(state, "keys", "public.json"))
	if err != nil {
		t.Fatal(err)
	}
	list, _ := system.Run(t, folder, settings, "keys", "list")
	users, code := system.Run(t, folder, settings, "keys", "nats")
	if code != 0 || !strings.Contains(users, "footbridge.offer.>") {
		t.Errorf("keys nats ended with %d:\n%s", code, users)
	}
	for secret := range secrets {
		if secret != "" && strings.Contains(out+list+users+string(public), secret) {
			t.Error("a private key is shown")
		}
	}
	kek := filepath.Join(folder, "kek")
	for _, want := range []int{0, 1} {
		if out, code := system.Run(t, folder, settings, "keys", "new", "--out", kek); code != want {
			t.Errorf("keys new --out ended with %d:\n%s", code, out)
		}
	}
	if out, code := system.Run(t, folder, settings, "keys", "lend"); code != 2 || !strings.Contains(out, "keys new") {
		t.Errorf("an unknown word ended with %d:\n%s", code, out)
	}
}

func TestDoctorSaysWhichKeysOthersMayRead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	settings := with(sound, "FOOTBRIDGE_STATE_DIR", folder)
	if out, code := system.Run(t, folder, settings, "keys", "new"); code != 0 {
		t.Fatalf("keys new ended with %d:\n%s", code, out)
	}
	for _, name := range []string{"kek", "keys/intake.key", "keys/gateway.key"} {
		path := filepath.Join(folder, name)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, code := system.Run(t, folder, settings, "doctor"); code != 1 ||
			!oneLineSays(out, []string{path, "chmod 600"}) {
			t.Errorf("%s, readable by others: %d\n%s", name, code, out)
		}
	}
}

// TestEveryKeyFileThatWrapsKeysIsChangedAndItsStoredKeysAreWrappedAgain: people's, workers' and endpoints'.
func TestEveryKeyFileThatWrapsKeysIsChangedAndItsStoredKeysAreWrappedAgain(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	settings := s.Settings()
	for service, c := range map[string]struct{ file, insert string }{
		schemas.Gateway: {"workers.kek", `insert into gateway.worker (id, partner, wrapped, name, mail, phone, added_at)
			values ($1, 'p', $2, '', '', '', now())`},
		schemas.Delivery: {"delivery.kek", `insert into delivery.subscription (id, partner, url, types, state, because,
			secret, key, taken, next_at, created_at) values ($1, $1, 'https://x.example', '{}', 'ended', '', '', $2, 0,
			now(), now())`},
	} {
		keys, err := vault.OpenFile(filepath.Join(s.StateDir, "keys", c.file))
		if err != nil {
			t.Fatal(err)
		}
		owner := clock.NewRandomID()
		_, wrapped, err := keys.NewKey(owner)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Admin().Exec(t.Context(), c.insert, owner, wrapped); err != nil {
			t.Fatalf("%s: %v", service, err)
		}
	}
	if out, code := system.Run(t, s.StateDir, settings, "keys", "rotate"); code != 0 ||
		!strings.Contains(out, "workers.kek") || !strings.Contains(out, "delivery.kek") {
		t.Fatalf("keys rotate ended with %d:\n%s", code, out)
	}
	if out, _ := system.Run(t, s.StateDir, settings, "doctor"); !oneLineSays(out, []string{"key that wraps keys",
		"1 stored keys of partners' workers", "1 stored keys of partners' endpoints"}) {
		t.Errorf("rotated key files:\n%s", out)
	}
	if out, code := system.Run(t, s.StateDir, settings, "keys", "rewrap"); code != 0 ||
		!oneLineSays(out, []string{"worker", "1 of 1"}) || !oneLineSays(out, []string{"subscription", "1 of 1"}) {
		t.Fatalf("keys rewrap ended with %d:\n%s", code, out)
	}
	if out, _ := system.Run(t, s.StateDir, settings, "doctor"); !oneLineSays(out,
		[]string{"key that wraps keys", "well"}) || strings.Contains(out, "older key") {
		t.Errorf("after it:\n%s", out)
	}
}

func TestDoctorKnowsTheKeyFileThatTheDatabaseWasMadeWith(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	hospital := s.Dial()
	s.Send(hospital, []byte(good("K1")))
	settings := s.Settings()
	if out, _ := system.Run(t, s.StateDir, settings, "doctor"); !oneLineSays(out,
		[]string{"key that wraps keys", "well"}) || !oneLineSays(out, []string{"key files", "this process needs"}) {
		t.Errorf("the same key file:\n%s", out)
	}
	if out, code := system.Run(t, s.StateDir, settings, "keys", "rotate"); code != 0 ||
		!strings.Contains(out, "rewrap") {
		t.Fatalf("keys rotate ended with %d:\n%s", code, out)
	}
	if out, _ := system.Run(t, s.StateDir, settings, "doctor"); !oneLineSays(out,
		[]string{"key that wraps keys", "older key", "keys rewrap"}) {
		t.Errorf("a rotated key file:\n%s", out)
	}
	if out, code := system.Run(t, s.StateDir, settings, "keys", "rewrap"); code != 0 ||
		!oneLineSays(out, []string{"person_key", "1 of 1"}) {
		t.Fatalf("keys rewrap ended with %d:\n%s", code, out)
	}
	if out, _ := system.Run(t, s.StateDir, settings, "doctor"); !oneLineSays(out,
		[]string{"key that wraps keys", "well"}) || strings.Contains(out, "older key") {
		t.Errorf("after it:\n%s", out)
	}
	// the running intake reads what the new key wrapped, without a restart
	if ack := s.Send(hospital, []byte(good("K2"))); ack.Code != "AA" {
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

// A key of one service opens that service's nouns and nothing else, in development as elsewhere.
func TestAStolenKeyOpensItsOwnServicesNounsAndNothingElse(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	navigator := principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "dev-navigator"}
	verifier, err := principal.NewVerifier(keyring.At(filepath.Join(s.StateDir, "keys")).Find,
		principal.Rules{Forwards: schemas.MayForward, May: func(holder, audience string, p principal.Principal) bool {
			return schemas.MayAssert(holder, audience, schemas.Role(p.Role), p.Subject, true)
		}})
	if err != nil {
		t.Fatal(err)
	}
	passwords := map[string]bool{}
	for _, thief := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging,
		schemas.Journey, schemas.Delivery, schemas.Console, schemas.SentinelKey} {
		own := s.Keys(thief)
		signer, err := own.Signer()
		if err != nil {
			t.Fatal(err)
		}
		for _, audience := range []string{schemas.Gateway, schemas.Intake, schemas.Threshold, schemas.Journey,
			schemas.Console} {
			forged, err := signer.Sign(navigator, audience, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			passedOn, err := signer.Forward(forged, audience, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{forged, passedOn} {
				if p, err := verifier.Verify(text, audience, time.Now()); err == nil {
					t.Errorf("the key of %s speaks to %s as %v", thief, audience, p)
				}
				for _, header := range [][]string{{"Authorization", principal.Scheme + " " + text},
					{"Authorization", "Bearer " + text}, {principal.Header, text},
					{"Cookie", "footbridge-session=" + text}} {
					if answer := s.AskWith("", "GET", "/api/messages", "", nil, header...); answer.Status != 401 {
						t.Errorf("the key of %s, by %s: %d", thief, header[0], answer.Status)
					}
				}
			}
		}
		if own.Database != "" && passwords[own.Database] {
			t.Errorf("%s has another's password", thief)
		}
		passwords[own.Database] = true
		if own.NATS == "" {
			continue
		}
		conn := testkit.Connect(t, bus.Config{URL: s.NATS, Seed: own.NATS, Name: "thief", Inbox: bus.InboxOf(thief)})
		refused := make(chan error, 64)
		conn.NATS.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })
		speaks := schemas.SubjectsEmittedBy(thief)
		if thief == schemas.SentinelKey {
			speaks = schemas.SubjectsEmittedBy(schemas.Journey)
		}
		for _, noun := range []string{"discharge.recorded", "offer.raised", "journey.closed", "call.reached",
			"pathway.decided"} {
			subject := "footbridge." + noun + ".v1.0b6f7c3a-0000-4000-8000-000000000000"
			if slices.ContainsFunc(speaks,
				func(own string) bool { return strings.HasPrefix(subject, strings.TrimSuffix(own, ">")) }) {
				continue
			}
			if err := conn.NATS.Publish(subject, []byte("{}")); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-refused:
				if !errors.Is(err, nats.ErrPermissionViolation) {
					t.Errorf("%s on %s: %v", thief, subject, err)
				}
			case <-time.After(system.Patience):
				t.Errorf("the key of %s may publish %s", thief, subject)
			}
		}
	}
}
