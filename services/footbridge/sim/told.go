package sim

import (
	"context"
	"maps"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// told is what the log says for whoever counts again, besides what happens: who is who and what they want, which days
// nobody works, and at each step of the clock which steps stand past their time and which journeys have one at all.
// Nothing is read for it where no log is kept.
type told struct {
	covered map[string]bool // journeys with an open step that has an owner, as the log last said
}

// grace is how long a step may be past its time before its journey counts as in the void.
const grace = 4 * time.Hour

// openStep is a step that stands, as the log has it.
type openStep struct {
	Step       string    `json:"step"`
	Journey    string    `json:"journey,omitempty"`
	Kind       string    `json:"kind"`
	Owner      string    `json:"owner"`
	AlsoOwners []string  `json:"alsoOwners,omitempty"`
	DueAt      time.Time `json:"dueAt"`
	// Asks says that doing it is talking with the person.
	Asks bool `json:"asks,omitempty"`
}

// tellsWorld writes down the calendar, the people with what they will say, and the partners as the directory lists
// them.
func (r *run) tellsWorld() {
	if r.log.to == nil {
		return
	}
	s := r.cfg.Scenario
	var holidays []string
	for day := s.first - 30; day < s.first+calendar.Day(s.days)+60; day++ {
		if calendar.England().Is(day) {
			holidays = append(holidays, day.String())
		}
	}
	r.log.write(line{At: r.now, Kind: "calendar", Data: map[string]any{"zone": r.zone.String(),
		"first": s.first.String(), "days": s.days, "holidays": holidays, "graceMinutes": grace.Minutes()}})
	for _, p := range r.world.People {
		r.log.write(line{At: r.now, Kind: "person", Person: &p.N, Data: p.told()})
	}
	for _, p := range r.partners {
		r.log.write(line{At: r.now, Kind: "listed", By: "partner:" + p.ID, About: p.id, Data: map[string]any{
			"from": p.From, "to": p.To, "areas": p.Areas, "weekly": p.Weekly, "holidays": p.Holidays,
			"closes": p.Closes}})
	}
}

// told is what a person wants, and by which marks anybody could know them.
func (p *Person) told() map[string]any {
	marks := []string{p.Family, p.LocalID, p.NHS}
	if p.Phone != "" {
		marks = append(marks, p.Phone)
	}
	if p.Second != "" {
		marks = append(marks, p.Second)
	}
	said := map[string]any{"inScope": p.InScope, "born": p.Birth.String(), "area": p.Area,
		"telephone": p.Phone != "", "session": p.WantsSession, "calls": p.WantsCalls, "marks": marks}
	if p.ToHour > 0 {
		said["fromHour"], said["toHour"] = p.FromHour, p.ToHour
	}
	return said
}

// tellsTick writes down what stands at this step of the clock, when all that follows from it has happened.
func (r *run) tellsTick(ctx context.Context) error {
	if r.log.to == nil {
		return nil
	}
	overdue, err := r.openSteps(ctx, r.now)
	if err != nil {
		return err
	}
	var now []string
	if err := r.patiently(ctx, func() (err error) {
		now, err = journeysWithAStep(ctx, r.cfg.Database)
		return err
	}); err != nil {
		return err
	}
	covered := make(map[string]bool, len(now))
	said := map[string]any{}
	var gained []string
	for _, id := range now {
		covered[id] = true
		if !r.told.covered[id] {
			gained = append(gained, id)
		}
		delete(r.told.covered, id)
	}
	lost := slices.Collect(maps.Keys(r.told.covered))
	for name, list := range map[string][]string{"gained": gained, "lost": lost} {
		if len(list) > 0 {
			slices.Sort(list)
			said[name] = list
		}
	}
	if len(overdue) > 0 {
		said["overdue"] = overdue
	}
	r.told.covered = covered
	r.log.write(line{At: r.now, Kind: "tick", Data: said})
	return nil
}

// tellsVoid writes down which journeys stand past their time and grace; each evening the list that people read is
// compared with that (void).
func (r *run) tellsVoid(list []listedJourney) {
	ids := make([]string, len(list))
	for i, j := range list {
		ids[i] = j.Journey
	}
	r.log.write(line{At: r.now, Kind: "void", Data: ids})
}

// tellsSteps writes down all steps that stand in the evening, by journey.
func (r *run) tellsSteps(ctx context.Context) error {
	if r.log.to == nil {
		return nil
	}
	all, err := r.openSteps(ctx, r.now.AddDate(100, 0, 0))
	if err != nil {
		return err
	}
	for len(all) > 0 {
		journey := all[0].Journey
		n := slices.IndexFunc(all, func(s openStep) bool { return s.Journey != journey })
		if n < 0 {
			n = len(all)
		}
		for i := range all[:n] {
			all[i].Journey = ""
		}
		r.log.write(line{At: r.now, Kind: "steps", Journey: journey, Data: all[:n], Person: r.follow(journey).number()})
		all = all[n:]
	}
	return nil
}

// openSteps are the steps that stand, of those that fall due by a time.
func (r *run) openSteps(ctx context.Context, by time.Time) (all []openStep, err error) {
	err = r.patiently(ctx, func() (err error) {
		all, err = stepsDueBy(ctx, r.cfg.Database, by)
		return err
	})
	for i, s := range all {
		kind, _ := schemas.StepKindOf(s.Kind)
		all[i].DueAt, all[i].Owner, all[i].Asks = s.DueAt.UTC(), r.owner(s.Owner), kind.Asks
	}
	return all, err
}
