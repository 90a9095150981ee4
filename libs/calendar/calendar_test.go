package calendar_test

import (
	"testing"
	"time"

	"footbridge/libs/calendar"
)

func day(t *testing.T, s string) calendar.Day {
	t.Helper()
	d, err := calendar.ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func london(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestDaysAreCountedByTheLocalClock(t *testing.T) {
	t.Parallel()
	zone := london(t)
	for name, tc := range map[string]struct{ instant, want string }{
		"half past midnight in summer is still yesterday in UTC": {"2026-07-01T23:30:00Z", "2026-07-02"},
		"half past midnight in winter is the same day":           {"2026-12-01T00:30:00Z", "2026-12-01"},
		"the night the clocks go forward":                        {"2026-03-29T00:59:59Z", "2026-03-29"},
		"the night the clocks go back, before midnight UTC":      {"2026-10-24T23:10:00Z", "2026-10-25"},
	} {
		at, err := time.Parse(time.RFC3339, tc.instant)
		if err != nil {
			t.Fatal(err)
		}
		if got := calendar.DayOf(at, zone).String(); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestFiveInTheAfternoonIsFiveOnBothSidesOfAClockChange(t *testing.T) {
	t.Parallel()
	zone := london(t)
	for s, want := range map[string]string{
		"2026-03-28": "2026-03-28T17:00:00Z", "2026-03-29": "2026-03-29T16:00:00Z",
		"2026-10-24": "2026-10-24T16:00:00Z", "2026-10-25": "2026-10-25T17:00:00Z",
	} {
		if got := day(t, s).At(17, 0, zone).Format(time.RFC3339); got != want {
			t.Errorf("17:00 on %s: got %s, want %s", s, got, want)
		}
	}
}

func TestWorkingDaysSkipWeekendsAndBankHolidays(t *testing.T) {
	t.Parallel()
	week := calendar.MondayToFriday
	for name, tc := range map[string]struct {
		from string
		n    int
		want string
	}{
		"over a weekend":                 {"2026-11-20", 2, "2026-11-24"},
		"over Christmas 2026":            {"2026-12-24", 2, "2026-12-30"},
		"over New Year 2027":             {"2026-12-31", 1, "2027-01-04"},
		"over Easter 2027":               {"2027-03-25", 1, "2027-03-30"},
		"Christmas on a Saturday, 2027":  {"2027-12-24", 1, "2027-12-29"},
		"New Year on a Saturday, 2028":   {"2027-12-31", 1, "2028-01-04"},
		"nought working days is the day": {"2026-12-25", 0, "2026-12-25"},
	} {
		if got := calendar.England().AddWorking(day(t, tc.from), tc.n, week).String(); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestNobodysWeekCountsCalendarDays(t *testing.T) {
	t.Parallel()
	if got := calendar.England().AddWorking(day(t, "2026-12-24"), 2,
		calendar.Weekdays{}).String(); got != "2026-12-26" {
		t.Errorf("got %s", got)
	}
}

func TestTheCalendarSaysWhichYearsItKnows(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"2025-12-31": false, "2026-01-01": true, "2028-12-31": true,
		"2029-01-01": false} {
		if got := calendar.England().Covers(day(t, s)); got != want {
			t.Errorf("Covers(%s) = %v", s, got)
		}
	}
}

func TestADayThatIsNoDayIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "2026-02-30", "20261220", "2026-12-20T00:00:00Z"} {
		if _, err := calendar.ParseDay(s); err == nil {
			t.Errorf("%q was taken for a day", s)
		}
	}
}

func TestMonthsAreCountedFromTheFirstDayAgreed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		from   string
		months int
		want   string
	}{
		{"2026-01-31", 1, "2026-02-28"}, {"2026-01-31", 2, "2026-03-31"}, {"2028-01-31", 1, "2028-02-29"},
		{"2026-12-31", 1, "2027-01-31"},
		{"2026-10-31", 13, "2027-11-30"}, {"2026-02-28", 1, "2026-03-28"}, {"2026-05-15", 0, "2026-05-15"},
	} {
		if got := day(t, tc.from).AddMonths(tc.months).String(); got != tc.want {
			t.Errorf("%s and %d months: %s, not %s", tc.from, tc.months, got, tc.want)
		}
	}
}

func TestEachNationHasItsOwnHolidays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ nation, is, isNot string }{
		{calendar.NationEngland, "2026-04-06", "2026-06-15"}, {calendar.NationWales, "2026-08-31", "2026-08-03"},
		{calendar.NationScotland, "2026-06-15", "2026-04-06"}, {calendar.NationScotland, "2027-11-30", "2027-08-30"},
		{calendar.NationNorthernIreland, "2026-07-13", "2026-11-30"}, {calendar.NationNorthernIreland, "2027-03-17",
			"2027-07-13"}, {"elsewhere", "2026-12-25", "2026-07-13"},
	} {
		h := calendar.Of(tc.nation)
		if !h.Is(day(t, tc.is)) || h.Is(day(t, tc.isNot)) || h.Last() < 2028 {
			t.Errorf("%s: %s %v, %s %v, until %d", tc.nation, tc.is, h.Is(day(t, tc.is)), tc.isNot,
				h.Is(day(t, tc.isNot)), h.Last())
		}
	}
}
