package criteria

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"footbridge/schemas"
)

// The hand-written clauses below are the floor that evaluation is held against: the same conditions of the shipped
// example, written in Go, three-valued, and nothing else: no words, no reasons, no matrix, no questions.

// BenchmarkEvaluationBesideHandWritten measures both in the same run, turn about, and gives the ratio.
func BenchmarkEvaluationBesideHandWritten(b *testing.B) {
	for _, services := range []int{15, 60} {
		set := example(b)
		if services > 15 {
			set = large(b, services)
		}
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			facts := northerner()
			situation := Situation{Facts: facts, Today: today, Window: window}
			var doors [15]schemas.Eligibility
			var ours, byHand time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				Evaluate(set, situation)
				between := time.Now()
				for range 100 * services / 15 { // a hundred times, to be longer than looking at the clock
					handWritten(&facts, &doors)
				}
				ours, byHand = ours+between.Sub(start), byHand+time.Since(between)/100
			}
			b.ReportMetric(float64(ours)/float64(byHand), "x-hand-written")
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/evaluation")
		})
	}
}

// BenchmarkSixtyServicesToFifteen gives how many times longer a decision takes with 60 services (388 criteria) than
// with 15: the shipped example (31 criteria), and 15 of the same kind (93). They are measured turn about; medians are
// compared.
func BenchmarkSixtyServicesToFifteen(b *testing.B) {
	situation := Situation{Facts: northerner(), Today: today, Window: window}
	sixty := large(b, 60)
	for name, fifteen := range map[string]*Directory{"the-example": example(b), "of-the-same-kind": large(b, 15)} {
		b.Run(name, func(b *testing.B) {
			var few, many []time.Duration
			for b.Loop() {
				start := time.Now()
				Evaluate(fifteen, situation)
				between := time.Now()
				Evaluate(sixty, situation)
				few, many = append(few, between.Sub(start)), append(many, time.Since(between))
			}
			slices.Sort(few)
			slices.Sort(many)
			b.ReportMetric(float64(many[len(many)/2])/float64(few[len(few)/2]), "x-fifteen")
			b.ReportMetric(float64(few[len(few)/2].Nanoseconds()), "ns/15-services")
			b.ReportMetric(float64(many[len(many)/2].Nanoseconds()), "ns/60-services")
		})
	}
}

func BenchmarkEvaluateWhatAnADTSays(b *testing.B) {
	set := example(b)
	s := Situation{Facts: schemas.Facts{Age: new(34), Route: new("discharge"), Destination: new("home")}, Today: today,
		Window: window}
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(set, s)
	}
}

// One program a clause and nothing around it: what CEL itself costs.
func BenchmarkProgramsOfTheExample(b *testing.B) {
	set, on := example(b), newActivation(knownFacts(northerner(), today), 0)
	for b.Loop() {
		for _, s := range set.services {
			for _, c := range s.clauses {
				if c.expr != nil {
					c.expr.evaluate(on)
				}
			}
		}
	}
}

func handWritten(f *schemas.Facts, doors *[15]schemas.Eligibility) {
	north, coast := []string{"area-north", "area-south"}, []string{"area-north", "area-south", "area-coast"}
	doors[0] = all(between(f.Age, 18, ageMost), either(in(f.AreaGP, north), in(f.AreaResidence, north)))
	doors[1] = all(between(f.Age, 18, 64), in(f.AreaGP, north))
	doors[2] = all(between(f.Age, 18, ageMost), either(in(f.AreaResidence, north), in(f.AreaStaying, north)),
		-in(f.Destination, []string{"ward", "custody"}))
	doors[3], doors[4], doors[5], doors[14] = schemas.Eligible, schemas.Eligible, schemas.Eligible, schemas.Eligible
	doors[6] = all(between(f.Age, 18, ageMost), either(either(in(f.AreaResidence, coast), in(f.AreaStaying, coast)),
		in(f.AreaGP, coast)))
	doors[7] = all(between(f.Age, 16, ageMost), either(in(f.AreaResidence, coast), in(f.AreaStaying, coast)),
		in(f.Gender, []string{"woman", "non-binary"}))
	doors[8] = all(between(f.Age, 18, ageMost), in(f.Gender, []string{"man", "non-binary"}))
	doors[9] = all(between(f.Age, 16, ageMost), in(f.AreaResidence, north))
	doors[10] = all(between(f.Age, 0, 17), either(in(f.AreaResidence, coast), in(f.AreaGP, coast)))
	doors[11] = all(between(f.Age, 5, 18), is(f.InEducation))
	doors[12] = all(is(f.Carer))
	doors[13] = all(between(f.Age, 18, ageMost), min(is(f.RegisteredGP), in(f.AreaGP, coast[2:])))
}

func all(findings ...threeValued) schemas.Eligibility {
	least := yes
	for _, finding := range findings {
		least = min(least, finding)
	}
	switch least {
	case yes:
		return schemas.Eligible
	case unknown:
		return schemas.EligibleIf
	}
	return schemas.NotEligible
}

func either(a, b threeValued) threeValued { return max(a, b) }

func between(age *int, from, to int) threeValued {
	if age == nil {
		return unknown
	}
	return truth(*age >= from && *age <= to)
}

func in(fact *string, codes []string) threeValued {
	if fact == nil {
		return unknown
	}
	for _, code := range codes {
		if *fact == code {
			return yes
		}
	}
	return no
}

func is(fact *bool) threeValued {
	if fact == nil {
		return unknown
	}
	return truth(*fact)
}

func BenchmarkFindGaps(b *testing.B) {
	for _, services := range []int{15, 30, 60} {
		set := large(b, services)
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			looked := 0
			for b.Loop() {
				looked = FindGaps(set, today, GapBudget).Looked
			}
			b.ReportMetric(float64(looked), "boxes")
		})
	}
}
