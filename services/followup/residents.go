package followup

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"footbridge/schemas"
)

// Before a partner has taken an offer on it sees little: bands and areas of fixed lists, and of those only as many as
// still fit at least ten residents together. How many residents there are is the operator's table, with its source;
// without one nothing is shown that residents could be counted by.

// fewest is how many residents what is shown must fit at least. A default, for the Caldicott Guardian to set.
const fewest = 10

// Residents is how many people live in each area, in all and by what a partner may be shown; nil knows nothing.
type Residents struct {
	Source string
	in     map[string]map[trait]int // by area, and over all areas by ""
}

// trait is something that residents share: an attribute and its value.
type trait struct{ attribute, value string }

var everybody = trait{"all", ""}

// What a table counts residents by.
const (
	byArea        = "area"
	byAge         = "age"
	byLanguage    = "language"
	byAccess      = "access"
	byInterpreter = "interpreter"
	byGroup       = "group"
)

// ReadResidents reads a table: a first line '# source: …', a header area,attribute,value,residents, then a line for
// each count. Every area has a line of everybody (attribute all, no value), and no other count of it is greater than
// that. An error says in which line, and what is wrong.
func ReadResidents(r io.Reader) (*Residents, error) {
	lines := bufio.NewReader(r)
	first, err := lines.ReadString('\n')
	source, found := strings.CutPrefix(strings.TrimSpace(first), "# source:")
	if source = strings.TrimSpace(source); err != nil || !found || source == "" {
		return nil, errors.New("the first line says where the numbers come from, as '# source: …'")
	}
	table := csv.NewReader(lines)
	table.FieldsPerRecord, table.Comment = 4, '#'
	if header, err := table.Read(); err != nil ||
		!slices.Equal(header, []string{"area", "attribute", "value", "residents"}) {
		return nil, errors.New("the second line is the header area,attribute,value,residents")
	}
	all := &Residents{Source: source, in: map[string]map[trait]int{"": {}}}
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := table.FieldPos(0)
		if err == nil {
			err = all.add(row)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line+1, err)
		}
	}
	return all, all.whole()
}

// add takes one line in.
func (r *Residents) add(row []string) error {
	area, what := row[0], trait{row[1], row[2]}
	n, err := strconv.Atoi(row[3])
	kind, _ := schemas.KindNamed("area")
	switch {
	case !kind.Allows(area):
		return fmt.Errorf("area %q: %s", area, kind.Do)
	case err != nil || n < 0:
		return fmt.Errorf("residents %q: use a whole number from 0", row[3])
	case !what.known():
		return fmt.Errorf("%q of %q is not counted by: use all without a value, age with one of %s, language, "+
			"access, interpreter with yes, or group", what.value, what.attribute, strings.Join(bandNames(), ", "))
	}
	if r.in[area] == nil {
		r.in[area] = map[trait]int{}
	}
	if _, twice := r.in[area][what]; twice {
		return fmt.Errorf("%s %s of %s is counted twice", what.attribute, what.value, area)
	}
	r.in[area][what] = n
	r.in[""][what] += n
	return nil
}

// known says whether a table may count by it.
func (t trait) known() bool {
	kinds := map[string]string{byLanguage: "language", byAccess: "access-need", byGroup: "own-group"}
	switch t.attribute {
	case everybody.attribute:
		return t == everybody
	case byAge:
		return slices.Contains(bandNames(), t.value)
	case byInterpreter:
		return t.value == "yes"
	}
	kind, ok := schemas.KindNamed(kinds[t.attribute])
	return ok && kind.Allows(t.value)
}

// whole says what a table lacks, or nothing.
func (r *Residents) whole() error {
	for _, area := range slices.Sorted(maps.Keys(r.in)) {
		for what, n := range r.in[area] {
			if n > r.in[area][everybody] {
				return fmt.Errorf("area %s: more people are counted by %s %s than live there: is its line of all "+
					"missing?", area, what.attribute, what.value)
			}
		}
	}
	if len(r.in) == 1 {
		return errors.New("no area is in it")
	}
	return nil
}

// fit is how many residents share all of some traits, in one area or, where it is empty, in all together: the share of
// each is taken for independent of the others. What is not counted fits nobody.
func (r *Residents) fit(area string, traits []trait) float64 {
	if r == nil || r.in[area][everybody] == 0 {
		return 0
	}
	people := float64(r.in[area][everybody])
	left := people
	for _, t := range traits {
		left *= float64(r.in[area][t]) / people
	}
	return left
}

// few leaves out of what is shown, the rarest first, what would leave it fitting fewer than ten residents.
func (r *Residents) few(about aboutShown) *aboutShown {
	for {
		area, traits := about.traits()
		if area == "" && len(traits) == 0 || r.fit(area, traits) >= fewest {
			return &about
		}
		rarest := trait{}
		if len(traits) > 0 {
			rarest = slices.MinFunc(traits, func(a, b trait) int {
				return cmp.Or(cmp.Compare(r.fit(area, []trait{a}), r.fit(area, []trait{b})),
					cmp.Compare(a.attribute, b.attribute), cmp.Compare(a.value, b.value))
			})
		}
		if area != "" && (len(traits) == 0 || r.fit(area, nil) <= r.fit("", []trait{rarest})) {
			rarest = trait{byArea, area}
		}
		about = about.without(rarest)
	}
}

// traits are the area that is shown and what residents may be counted by beside it.
func (a aboutShown) traits() (area string, all []trait) {
	for attribute, value := range map[string]string{byAge: a.AgeBand, byLanguage: a.Language, byGroup: a.Group} {
		if value != "" {
			all = append(all, trait{attribute, value})
		}
	}
	if a.Interpreter {
		all = append(all, trait{byInterpreter, "yes"})
	}
	for _, need := range a.Access {
		all = append(all, trait{byAccess, need})
	}
	return a.Area, all
}

// without leaves one of them out.
func (a aboutShown) without(t trait) aboutShown {
	a.Withheld = true
	switch t.attribute {
	case byArea:
		a.Area = ""
	case byAge:
		a.AgeBand = ""
	case byLanguage:
		a.Language = ""
	case byGroup:
		a.Group = ""
	case byInterpreter:
		a.Interpreter = false
	case byAccess:
		a.Access = slices.DeleteFunc(slices.Clone(a.Access), func(need string) bool { return need == t.value })
	}
	return a
}
