package threshold

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestProbeGaps(t *testing.T) {
	r := FindGaps(example(t), "2026-11-20", GapBudget)
	t.Log(r.Complete, r.Looked)
	for _, g := range r.Regions {
		t.Logf("%.4f %v %s", g.Share, g.Talk, g.Words)
	}
	for _, n := range []int{15, 30, 60} {
		set := large(t, n, 1)
		start := time.Now()
		r := FindGaps(set, "2026-11-20", GapBudget)
		t.Log(n, r.Complete, r.Looked, len(r.Regions), len(r.Unexplored), time.Since(start))
	}
}

// large builds n services with about 400/60 criteria each, as a directory of a county might hold.
func large(t testing.TB, n int, seed uint64) *Directory {
	t.Helper()
	set, err := Compile(largeDocuments(n, seed)...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func largeDocuments(n int, seed uint64) []Document {
	random := rand.New(rand.NewPCG(seed, 1))
	docs := []Document{lastResortDocument()}
	for i := 1; i < n; i++ {
		from := []int{0, 5, 11, 16, 18, 18, 18, 25, 65}[random.IntN(9)]
		to := min(AgeMost, from+[]int{7, 12, 17, 46, 112}[random.IntN(5)])
		doc := Document{Format: Format, Version: "1", Service: Service{ID: fmt.Sprintf("service-%02d", i), Name: fmt.Sprintf("Service %d", i)},
			Sector: []string{Statutory, Statutory, ThirdSector}[random.IntN(3)], Kind: "team", Role: RoleCare, Provenance: provenance(),
			Ages: &Ages{From: &from, To: &to, Words: "ages"},
			Area: &Area{Of: []string{"residence", "gp", "staying"}[:1+random.IntN(3)], Codes: areas(random), Words: "area"}}
		pool := []string{`registeredGP`, `gender in ["woman", "non-binary"]`, `!(destination in ["ward", "custody"])`, `language == "en" || !interpreterNeeded`,
			`assessment in ["done", "offered"]`, `route != "self"`, `"phone" in channels || "video" in channels`, `workerGender != "man"`, `carer || age >= 16`,
			`inEducation || age < 16 || age > 18`, `destination != "police"`, `!("text" in channels)`}
		random.Shuffle(len(pool), func(a, b int) { pool[a], pool[b] = pool[b], pool[a] })
		for k, when := range pool[:4+random.IntN(2)] {
			doc.Criteria = append(doc.Criteria, Criterion{ID: fmt.Sprintf("c%d", k), Kind: "other", Effect: Include, When: when, Words: "words " + when})
		}
		docs = append(docs, doc)
	}
	return docs
}

func areas(random *rand.Rand) []string {
	all := []string{"area-north", "area-south", "area-coast", "area-moor", "area-city", "area-vale"}
	random.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	return all[:2+random.IntN(4)]
}

func provenance() Provenance {
	return Provenance{Source: "a leaflet", PublishedBy: "the service", CheckedOn: "2026-10-01", CheckedBy: "editor"}
}

func lastResortDocument() Document {
	return Document{Format: Format, Version: "1", Service: Service{ID: "navigator", Name: "Navigator"}, Sector: Statutory, Kind: "navigator", Role: RoleLastResort, Provenance: provenance()}
}
