package criteria

import "footbridge/schemas"

// Gap is what a person falls into: nothing statutory is open. Where two services say no from opposite sides of one
// axis, both sentences stand side by side.
type Gap struct {
	// Axis both sides lie on; empty where nothing statutory is open without two opposite refusals.
	Axis string `json:"axis,omitempty"`
	// Probable where a criterion that only a conversation can decide stands in for one of the refusals.
	Probable bool `json:"probable,omitempty"`
	// New is false where the prior decision had found a gap already: one gap, one step.
	New bool `json:"new,omitempty"`
	// Sides are the two opposite refusals, above first; without an axis, every statutory no.
	Sides []GapSide `json:"sides,omitempty"`
}

// GapSide is one no, in its own words.
type GapSide struct {
	Service  string `json:"service"`
	Name     string `json:"name"`
	Side     string `json:"side,omitempty"`
	Axis     string `json:"axis,omitempty"`
	Answered bool   `json:"answered,omitempty"` // by a recorded answer rather than a published rule
	StandIn  bool   `json:"standIn,omitempty"`  // not evaluable, and not yet answered
	schemas.CriterionResult
}

// Results returns the sides as an event carries them; the source names the service.
func (g *Gap) Results() []schemas.CriterionResult {
	results := make([]schemas.CriterionResult, len(g.Sides))
	for i, side := range g.Sides {
		results[i] = side.CriterionResult
		results[i].Source = side.Name + ": " + side.Source
	}
	return results
}

// findGap looks at the statutory doors to ongoing care. Help for the moment, and the last resort, do not count:
// they take everybody, and would hide that nobody takes the person on.
func findGap(set *Directory, d Decision, last map[string]Answer) *Gap {
	doors := statutoryCare(set, d.Eligibilities)
	pending := false
	for _, door := range doors {
		if door.Eligibility == schemas.Eligible {
			return nil
		}
		pending = pending || door.Eligibility != schemas.NotEligible
	}
	if len(doors) == 0 && !d.Nobody {
		return nil
	}
	sides := refusals(d, doors, last)
	gap := opposite(sides, pending)
	if gap == nil && !pending {
		gap = &Gap{Sides: sides}
	}
	return gap
}

func statutoryCare(set *Directory, doors []schemas.ServiceEligibility) []schemas.ServiceEligibility {
	care := make([]schemas.ServiceEligibility, 0, len(doors))
	for _, door := range doors {
		if door.Sector == Statutory && set.role(door.Service) == RoleCare {
			care = append(care, door)
		}
	}
	return care
}

// refusals collects every statutory no: recorded answers, rules not met, and what stands in for a no because only a
// conversation could decide it.
func refusals(d Decision, doors []schemas.ServiceEligibility, last map[string]Answer) []GapSide {
	var sides []GapSide
	for _, door := range doors {
		answer, answered := last[door.Service]
		if answered && answer.Said == StateNo {
			sides = append(sides, GapSide{Service: door.Service, Name: door.Name, Side: answer.Side, Axis: answer.Axis,
				Answered: true, CriterionResult: answerResult(answer)})
			continue
		}
		rows := d.rows(door.Service)
		for i := range rows {
			row := &rows[i]
			if row.Finding == schemas.Met {
				continue
			}
			standIn := row.Finding == schemas.NotEvaluable && row.Axis != "" && door.Eligibility == schemas.TalkAbout
			if !standIn && (row.Finding != schemas.NotMet || door.Eligibility != schemas.NotEligible) {
				continue
			}
			sides = append(sides, GapSide{Service: door.Service, Name: door.Name, Side: row.Side, Axis: row.Axis,
				StandIn: standIn, CriterionResult: row.CriterionResult})
		}
		if door.Eligibility == schemas.NotEligible && len(door.Because) > 0 &&
			door.Because[0].Criterion == criterionOverride {
			sides = append(sides, GapSide{Service: door.Service, Name: door.Name, Answered: true,
				CriterionResult: door.Because[0]})
		}
	}
	return sides
}

// opposite finds the surest pair of refusals from two services on opposite sides of one axis.
//
// A no that was answered is certain. Two published rules alone make a gap only where no other statutory door could
// still open: services for the young and for the old are always on opposite sides of everybody in between. And two
// clauses that only a conversation can decide make none: nobody has said no yet.
func opposite(sides []GapSide, pending bool) *Gap {
	var best *Gap
	bestRank := 0
	for _, above := range sides {
		if above.Side != SideAbove {
			continue
		}
		for _, below := range sides {
			if below.Side != SideBelow || above.Axis != below.Axis || above.Axis == "" ||
				above.Service == below.Service {
				continue
			}
			if rank := certainty(above, below, pending); rank > bestRank {
				bestRank = rank
				best = &Gap{Axis: above.Axis, Probable: above.StandIn || below.StandIn, Sides: []GapSide{above, below}}
			}
		}
	}
	return best
}

// certainty ranks a pair: 0 is no gap, more is surer.
func certainty(a, b GapSide, pending bool) int {
	answers := 0
	for _, side := range []GapSide{a, b} {
		if side.Answered {
			answers++
		}
	}
	switch {
	case a.StandIn && b.StandIn, answers == 0 && pending && !a.StandIn && !b.StandIn:
		return 0
	case a.StandIn || b.StandIn:
		return 1 + answers
	}
	return 3 + answers
}
