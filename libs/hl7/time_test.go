package hl7

import (
	"errors"
	"testing"
	"time"
)

func london(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestTimeStampKeepsItsPrecision(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]struct {
		precision Precision
		rfc3339   string
		offset    bool
	}{
		"2026":                      {PrecisionYear, "2026-01-01T00:00:00Z", false},
		"202607":                    {PrecisionMonth, "2026-07-01T00:00:00+01:00", false},
		"20260701":                  {PrecisionDay, "2026-07-01T00:00:00+01:00", false},
		"2026070113":                {PrecisionHour, "2026-07-01T13:00:00+01:00", false},
		"202607011305":              {PrecisionMinute, "2026-07-01T13:05:00+01:00", false},
		" 20260701130559 ":          {PrecisionSecond, "2026-07-01T13:05:59+01:00", false},
		"20260701130559.25":         {PrecisionFraction, "2026-07-01T13:05:59.25+01:00", false},
		"20260701130559.1234567899": {PrecisionFraction, "2026-07-01T13:05:59.123456789+01:00", false},
		"20260701130559+0200":       {PrecisionSecond, "2026-07-01T13:05:59+02:00", true},
		"202607011305-0330":         {PrecisionMinute, "2026-07-01T13:05:00-03:30", true},
		"20260701130559Z":           {PrecisionSecond, "2026-07-01T13:05:59Z", true},
		"20240229":                  {PrecisionDay, "2024-02-29T00:00:00Z", false},
	} {
		got, err := ParseTime(s, london(t))
		if err != nil || got.Precision != want.precision || got.HasOffset != want.offset ||
			got.Time.Format(time.RFC3339Nano) != want.rfc3339 || got.Ambiguous || got.Skipped {
			t.Errorf("%q: %+v (%s), %v", s, got, got.Time.Format(time.RFC3339Nano), err)
		}
	}
}

func TestDayWithoutHourHasNoClock(t *testing.T) {
	t.Parallel()
	day, _ := ParseTime("20261120", london(t))
	midnight, _ := ParseTime("202611200000", london(t))
	if day.HasClock() || !day.HasDay() || !midnight.HasClock() {
		t.Errorf("day %+v, midnight %+v", day, midnight)
	}
}

func TestHourThatOccursTwiceIsFlaggedAndReadAsTheFirst(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]struct {
		utc                string
		ambiguous, skipped bool
	}{
		"202610250059":      {"2026-10-24T23:59:00Z", false, false},
		"202610250100":      {"2026-10-25T00:00:00Z", true, false},
		"2026102501":        {"2026-10-25T00:00:00Z", true, false},
		"20261025015959":    {"2026-10-25T00:59:59Z", true, false},
		"202610250200":      {"2026-10-25T02:00:00Z", false, false},
		"202610250130+0000": {"2026-10-25T01:30:00Z", false, false},
		"20261025":          {"2026-10-24T23:00:00Z", false, false},
		"202603290059":      {"2026-03-29T00:59:00Z", false, false},
		"202603290130":      {"2026-03-29T01:30:00Z", false, true},
		"202603290200":      {"2026-03-29T01:00:00Z", false, false},
	} {
		got, err := ParseTime(s, london(t))
		if err != nil || got.Ambiguous != want.ambiguous || got.Skipped != want.skipped ||
			got.Time.UTC().Format(time.RFC3339) != want.utc {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
}

func TestTimeStampThatDoesNotExistIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "202", "20261", "202613", "202600", "20260431", "20230229", "2026112024",
		"202611201260",
		"20261120126060", "2026112012+1", "2026112012+01:00", "2026112012+1500", "2026-11-20", "20261120T12", "today",
		"20261120120000.", "2026112012.5", "00000000", "20261120120000.x", "20261120120000 +0100"} {
		if got, err := ParseTime(s, nil); !errors.Is(err, ErrTime) || !got.IsZero() {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	if got, err := ParseTime("  ", nil); err != nil || !got.IsZero() {
		t.Errorf("empty: %+v, %v", got, err)
	}
}
