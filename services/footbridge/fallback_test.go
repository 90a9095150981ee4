package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"footbridge/libs/calendar"
	"footbridge/services/journey"
)

func onCallKey(t *testing.T) (private []byte, public string) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return []byte("# made by age-keygen\n" + key.String() + "\n"), key.Recipient().String()
}

func fallbackTo(t *testing.T, publics ...string) *fallback {
	t.Helper()
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i, public := range publics {
		text.WriteString("# somebody\n\nphone-" + string(rune('a'+i)) + " " + public + "\n")
	}
	names, keys, err := fallbackKeys(text.String())
	if err != nil || len(names) != len(publics) {
		t.Fatalf("%v, %v", names, err)
	}
	return &fallback{dir: t.TempDir(), at: 2 * time.Hour, zone: zone, keys: keys,
		owners: journey.Owners{Navigator: "navigator:duty", Deputy: "navigator:deputy", OutOfHours: "team:nights"}}
}

func TestTheFallbackListIsReadByWhoeverIsOnCallAndByNobodyElse(t *testing.T) {
	t.Parallel()
	first, firstPublic := onCallKey(t)
	second, secondPublic := onCallKey(t)
	stranger, _ := onCallKey(t)
	f := fallbackTo(t, firstPublic, secondPublic)
	now := time.Now()
	file := f.wanted(now)
	rows := []fallbackRow{{journey.Waiting{Journey: "0196b3a4-7f2c-7d10-9a55-2f4c6e8a1b3d", Organisation: "RXX",
		Kind: "ask-the-person", Owner: "team:liaison", Added: []string{"navigator:duty"},
		FirstDueAt: now.Add(-time.Hour)},
		"=V1"}, {journey.Waiting{Kind: "what-next", FirstDueAt: now.Add(time.Hour)}, "V2"}}
	if err := f.write(file, rows, now); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"the first": first, "the second": second} {
		list, err := openFallback(file, key, now)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines := strings.Split(string(list), "\r\n")
		if want := "# As of " + now.In(f.zone).Format("15:04") + " on "; !strings.HasPrefix(lines[0], want) ||
			!strings.Contains(lines[0], "CHECK STOPS FIRST") {
			t.Errorf("it begins with %q", lines[0])
		}
		for _, want := range []string{"navigator:duty, else navigator:deputy, else team:nights", "Destroy this by " +
			now.Add(fallbackKept).In(f.zone).Format(fallbackTime), ",yes,", ",'=V1,",
			"team:liaison,navigator:duty,RXX"} {
			if !strings.Contains(string(list), want) {
				t.Errorf("no %q in %s", want, list)
			}
		}
	}
	if _, err := openFallback(file, stranger, now); err == nil {
		t.Error("a stranger's key opens it")
	}
	if _, err := openFallback(file, first, now.Add(fallbackKept)); err == nil {
		t.Error("it is read after 48 hours")
	}
	sealed, err := os.ReadFile(file)
	if err != nil || bytes.Contains(sealed, []byte("liaison")) {
		t.Errorf("it can be read without a key: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("everybody may copy it: %v, %v", info.Mode(), err)
	}
}

func TestAFallbackListIsDestroyedAfter48Hours(t *testing.T) {
	t.Parallel()
	_, public := onCallKey(t)
	f := fallbackTo(t, public)
	now := time.Now()
	for _, hours := range []int{1, 25, 47, 49, 80} {
		at := now.Add(-time.Duration(hours) * time.Hour)
		if err := f.write(filepath.Join(f.dir, at.Format("footbridge-2006-01-02T15.csv.age")), nil, at); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(f.dir, "of-somebody-else.txt")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(other, now.AddDate(0, 0, -9), now.AddDate(0, 0, -9)); err != nil {
		t.Fatal(err)
	}
	if err := f.destroy(now); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(f.dir, "*"))
	if err != nil || len(left) != 4 || !slices.Contains(left, other) {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestTheFallbackListOfANightIsThatOfItsTime: the one of the day before is the one that is there until then, on the
// nights on which clocks change too.
func TestTheFallbackListOfANightIsThatOfItsTime(t *testing.T) {
	t.Parallel()
	_, public := onCallKey(t)
	f := fallbackTo(t, public)
	for _, day := range []time.Time{time.Date(2030, 3, 31, 0, 0, 0, 0, f.zone),
		time.Date(2030, 10, 27, 0, 0, 0, 0, f.zone),
		time.Date(2031, 1, 1, 0, 0, 0, 0, f.zone)} {
		before, after := filepath.Base(f.wanted(day.Add(30*time.Minute))), filepath.Base(f.wanted(day.Add(4*time.Hour)))
		if before != day.AddDate(0, 0, -1).Format(fallbackName) || after != day.Format(fallbackName) {
			t.Errorf("on %s: %s, then %s", day.Format(time.DateOnly), before, after)
		}
	}
}

func TestAKeyOfTheFallbackListIsSomebodys(t *testing.T) {
	t.Parallel()
	_, public := onCallKey(t)
	for name, text := range map[string]string{"nobody": "# nobody yet\n", "no name": public,
		"no key": "phone age1short",
		"twice":  "phone " + public + "\nphone " + public} {
		if _, _, err := fallbackKeys(text); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	dir := t.TempDir()
	for name, c := range map[string]*Config{
		"without keys":   {FallbackDir: dir, FallbackAt: "02:00"},
		"without a time": {FallbackDir: dir, FallbackKeys: writeKeys(t, "phone "+public), FallbackAt: "at night"},
		"nowhere": {FallbackDir: dir + "/nowhere", FallbackKeys: writeKeys(t, "phone "+public),
			FallbackAt: "02:00"},
	} {
		if _, err := c.fallback(); err == nil {
			t.Errorf("%s it starts", name)
		}
	}
	if note, err := (&Config{}).checkFallback(); err != nil || !strings.Contains(note, "FOOTBRIDGE_FALLBACK_DIR") {
		t.Errorf("doctor says %q, %v", note, err)
	}
}

func writeKeys(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "on-call.keys")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
