package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
	"footbridge/services/journey"
)

// Timeline is what one of the people may read of what was done for them, from beginning to end.
type Timeline struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Until    string `json:"until"`
	Lines    []Line `json:"lines"`
	Next     string `json:"next,omitempty"` // the kind of the step that comes next, at the end
}

// Line is one line of a timeline.
type Line struct {
	At      time.Time       `json:"at"`
	Type    string          `json:"type"`
	Details json.RawMessage `json:"details,omitempty"`
}

// readTimeline reads the timeline of the journey of which the most was said; of several, the one that began first.
func (r *run) readTimeline(ctx context.Context) (*Timeline, error) {
	var most *followed
	for _, id := range slices.Sorted(maps.Keys(r.journeys)) {
		if f := r.journeys[id]; f.person != nil && (most == nil || f.said() > most.said()) {
			most = f
		}
	}
	if most == nil {
		return nil, nil
	}
	var shown struct {
		Timeline []Line
		Steps    []step
	}
	if err := r.read(ctx, whoOf(r.cfg.Organisation, duty), "/api/journeys/"+most.id, &shown); err != nil {
		return nil, fmt.Errorf("reading a timeline: %w", err)
	}
	slices.SortStableFunc(shown.Timeline, func(a, b Line) int { return a.At.Compare(b.At) })
	t := &Timeline{Scenario: r.cfg.Scenario.Name, Seed: r.cfg.Scenario.seed, Until: r.report.Until,
		Lines: shown.Timeline}
	if len(shown.Steps) > 0 {
		t.Next = shown.Steps[0].Kind
	}
	return t, nil
}

// said is how many events there were of a journey.
func (f *followed) said() (n int) {
	for _, times := range f.events {
		n += times
	}
	return n
}

// Markdown is the timeline as the person reads it, by local days. What is said twice on a day stands there once.
func (t *Timeline) Markdown(zone *time.Location) string {
	var w strings.Builder
	fmt.Fprintf(&w, "# What one person reads, until %s\n\n", onDay(t.Until, zone))
	fmt.Fprintf(&w, "*%s*, seed %d: the timeline of one made-up person, in the words in which they may read it. It is "+
		"made by the simulator ([how](../simulator.md#what-comes-out)), and a test keeps its words those of the "+
		"system.\n", t.Scenario, t.Seed)
	day, said := calendar.Day(-1), map[string]bool{}
	for _, l := range t.Lines {
		if on := calendar.DayOf(l.At, zone); on != day {
			day, said = on, map[string]bool{}
			fmt.Fprintf(&w, "\n**%s**\n\n", onDay(on.String(), zone))
		}
		sentence := journey.Sentence(l.Type, l.Details)
		if sentence == "" || said[sentence] {
			continue
		}
		said[sentence] = true
		fmt.Fprintf(&w, "- %s %s\n", l.At.In(zone).Format("15:04"), sentence)
	}
	if kind, ok := schemas.StepKindOf(t.Next); ok {
		fmt.Fprintf(&w, "\nWhat comes next, at the end of the simulation: *%s*.\n", kind.Words)
	}
	return w.String()
}

func onDay(day string, zone *time.Location) string {
	d, err := calendar.ParseDay(day)
	if err != nil {
		return day
	}
	return d.At(12, 0, zone).Format("Monday 2 January 2006")
}

// write writes a timeline, and what it was made from, into a folder.
func (t *Timeline) write(dir string, zone *time.Location) error {
	made, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"timeline.json": append(made, '\n'),
		"timeline.md": []byte(t.Markdown(zone))} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
