package criteria

import "footbridge/schemas"

// PastDecision is one decision to replay: what it was made from, and what it is called.
type PastDecision struct {
	Decision  string    `json:"decision"`
	Journey   string    `json:"journey"`
	Situation Situation `json:"situation"`
}

// EligibilityChange is one door that would be another under the draft.
type EligibilityChange struct {
	Service string                    `json:"service"`
	Name    string                    `json:"name"`
	From    schemas.Eligibility       `json:"from,omitempty"` // empty where the running set has no such service
	To      schemas.Eligibility       `json:"to,omitempty"`   // empty where the draft has none
	Because []schemas.CriterionResult `json:"because,omitempty"`
}

// Replay is one past decision that would come out otherwise.
type Replay struct {
	Decision string              `json:"decision"`
	Journey  string              `json:"journey"`
	Changes  []EligibilityChange `json:"changes,omitempty"`
	// A gap that the draft closes, or opens. Both may be set where one gap gives way to another.
	GapCloses *Gap `json:"gapCloses,omitempty"`
	GapOpens  *Gap `json:"gapOpens,omitempty"`
}

// WhatIfReport says whose doors a draft set would have opened or closed.
type WhatIfReport struct {
	Running   string         `json:"running"`
	Draft     string         `json:"draft"`
	Replayed  int            `json:"replayed"`
	Changed   []Replay       `json:"changed,omitempty"`
	Opened    map[string]int `json:"opened,omitempty"` // people to whom a service would have been open, by service
	Closed    map[string]int `json:"closed,omitempty"`
	GapCloses int            `json:"gapCloses"`
	GapOpens  int            `json:"gapOpens"`
}

// WhatIf replays past decisions under the running set and under a draft, each as if for the first time, so that a
// door which is held open today does not hide what the draft would do. It changes nothing and writes nothing.
func WhatIf(running, draft *Directory, past []PastDecision) WhatIfReport {
	report := WhatIfReport{Running: running.Hash, Draft: draft.Hash, Replayed: len(past), Opened: map[string]int{},
		Closed: map[string]int{}}
	for _, p := range past {
		p.Situation.Prior = nil
		replay := compare(Evaluate(running, p.Situation), Evaluate(draft, p.Situation))
		report.count(replay)
		if len(replay.Changes) > 0 || replay.GapCloses != nil || replay.GapOpens != nil {
			replay.Decision, replay.Journey = p.Decision, p.Journey
			report.Changed = append(report.Changed, replay)
		}
	}
	return report
}

func (r *WhatIfReport) count(replay Replay) {
	for _, change := range replay.Changes {
		switch {
		case change.To == schemas.Eligible:
			r.Opened[change.Service]++
		case change.From == schemas.Eligible || change.To == schemas.NotEligible:
			r.Closed[change.Service]++
		}
	}
	if replay.GapCloses != nil {
		r.GapCloses++
	}
	if replay.GapOpens != nil {
		r.GapOpens++
	}
}

func compare(before, after Decision) Replay {
	var replay Replay
	was := make(map[string]schemas.ServiceEligibility, len(before.Eligibilities))
	for _, door := range before.Eligibilities {
		was[door.Service] = door
	}
	for _, door := range after.Eligibilities {
		if old := was[door.Service]; old.Eligibility != door.Eligibility {
			replay.Changes = append(replay.Changes, EligibilityChange{Service: door.Service, Name: door.Name,
				From: old.Eligibility, To: door.Eligibility, Because: door.Because})
		}
		delete(was, door.Service)
	}
	for _, door := range before.Eligibilities {
		if _, gone := was[door.Service]; gone {
			replay.Changes = append(replay.Changes, EligibilityChange{Service: door.Service, Name: door.Name,
				From: door.Eligibility})
		}
	}
	if !sameGap(before.Gap, after.Gap) {
		replay.GapCloses, replay.GapOpens = before.Gap, after.Gap
	}
	return replay
}

// sameGap compares what lies on the sides, not the words: a reworded sentence is no other gap.
func sameGap(a, b *Gap) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Axis != b.Axis || a.Probable != b.Probable || len(a.Sides) != len(b.Sides) {
		return false
	}
	for i := range a.Sides {
		if a.Sides[i].Service != b.Sides[i].Service || a.Sides[i].Criterion != b.Sides[i].Criterion {
			return false
		}
	}
	return true
}
