package reading

import "time"

// Rhythm is what is expected of a sender when nothing is wrong.
type Rhythm struct {
	// Day, Night and Weekend are messages an hour, on working days from 8 to 20, at night, and on weekend days; 0 is
	// that no silence counts. The feed is silent when as many hours have passed as would have brought ten messages,
	// and at least QuietFor.
	Day      float64       `yaml:"day"`
	Night    float64       `yaml:"night"`
	Weekend  float64       `yaml:"weekend"`
	QuietFor time.Duration `yaml:"quietFor"`
}

// Given says whether anybody agreed on a rhythm.
func (r Rhythm) Given() bool { return r.Day > 0 || r.Night > 0 || r.Weekend > 0 }

// Rate is the messages an hour expected at a time.
func (r Rhythm) Rate(at time.Time, zone *time.Location) float64 {
	local := at.In(zone)
	switch {
	case local.Weekday() == time.Saturday || local.Weekday() == time.Sunday:
		return r.Weekend
	case local.Hour() >= 8 && local.Hour() < 20:
		return r.Day
	}
	return r.Night
}

// Expected is how many messages would have come between two times, counted by quarters of an hour.
func (r Rhythm) Expected(from, to time.Time, zone *time.Location) float64 {
	const step = 15 * time.Minute
	sum := 0.0
	for at := from; at.Before(to) && sum < 1000; at = at.Add(step) {
		sum += r.Rate(at, zone) * min(step, to.Sub(at)).Hours()
	}
	return sum
}
