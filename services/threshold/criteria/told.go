package criteria

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Ways in which what people were told can differ from what is published.
const (
	DiffersInLength = "length"
	DiffersInScope  = "scope"
)

// ToldReport is one 'I was told…' that came in, about one service.
type ToldReport struct {
	Service string `json:"service"`
	Told
}

// Discrepancy is one way in which people are told something else than a service publishes.
type Discrepancy struct {
	Service     string   `json:"service"`
	Name        string   `json:"name"`
	Criterion   string   `json:"criterion"`
	In          string   `json:"in"` // length or scope
	Published   string   `json:"published"`
	Told        string   `json:"told"`
	Words       string   `json:"words"` // published, in its own words
	Source      string   `json:"source"`
	CheckedOn   Day      `json:"checkedOn"`
	ToldWords   []string `json:"toldWords"`
	Reports     int      `json:"reports"`
	DidNotRefer int      `json:"didNotRefer"` // reports that say somebody was not referred because of it
}

// ToldAgainstPublished holds what people were told against what is published: the reports in the documents and
// those given. One report can differ in both length and scope: that is two discrepancies. Reports that say the
// same are counted together. A report of no length, or about a criterion without published terms, says nothing of it.
func ToldAgainstPublished(set *Directory, reports []ToldReport) []Discrepancy {
	all := slices.Clone(reports)
	for _, s := range set.services {
		for _, told := range s.doc.Told {
			all = append(all, ToldReport{Service: s.doc.Service.ID, Told: told})
		}
	}
	found := map[string]*Discrepancy{}
	for _, report := range all {
		c, _ := set.Criterion(report.Service, report.Criterion)
		for _, d := range c.differences(report.Terms) {
			d.Service, d.Name, d.Criterion = report.Service, set.byID[report.Service].doc.Service.Name, c.ID
			d.Words, d.Source, d.CheckedOn = c.Words, c.Source, c.CheckedOn
			count(found, d, report.Told)
		}
	}
	list := make([]Discrepancy, 0, len(found))
	for _, d := range found {
		list = append(list, *d)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].key() < list[j].key() })
	return list
}

func count(found map[string]*Discrepancy, d Discrepancy, told Told) {
	if found[d.key()] == nil {
		found[d.key()] = &d
	}
	same := found[d.key()]
	same.Reports++
	same.ToldWords = union(same.ToldWords, []string{told.Words})
	if told.DidNotRefer {
		same.DidNotRefer++
	}
}

func (d Discrepancy) key() string {
	return strings.Join([]string{d.Service, d.Criterion, d.In, d.Told}, "\x00")
}

// DiffersIn says in which ways what was told differs from what the criterion publishes: DiffersInLength,
// DiffersInScope, both or neither. A criterion without published terms differs in nothing.
func (c Criterion) DiffersIn(told Terms) []string {
	ways := []string{}
	for _, d := range c.differences(told) {
		ways = append(ways, d.In)
	}
	return ways
}

func (c Criterion) differences(told Terms) []Discrepancy {
	if c.Terms == nil {
		return nil
	}
	var list []Discrepancy
	published := *c.Terms
	if told.Days != 0 && published.Days != 0 && told.Days != published.Days {
		list = append(list, Discrepancy{In: DiffersInLength, Published: days(published.Days), Told: days(told.Days)})
	}
	is, said := scope(published.Scope), scope(told.Scope)
	if said != "" && is != "" && said != is {
		list = append(list, Discrepancy{In: DiffersInScope, Published: is, Told: said})
	}
	return list
}

func days(n int) string { return strconv.Itoa(n) + " days" }

func scope(codes []string) string {
	sorted := slices.Clone(codes)
	slices.Sort(sorted)
	return strings.Join(sorted, ", ")
}
