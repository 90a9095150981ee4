package criteria

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/bits"
	"slices"
	"sort"
	"strings"

	"footbridge/schemas"
)

// GapBudget is how many boxes of the space of facts a search looks at unless told otherwise.
const GapBudget = 400_000

// GapSearch is what a search of the whole space of facts found: before anybody meets it.
type GapSearch struct {
	Directory string `json:"directory"`
	On        Day    `json:"on"`
	// certain ones first, then by share, largest first; they may overlap
	Regions    []Region `json:"regions"`
	Share      float64  `json:"share"`                // of the space of facts that lies in some region, 0 to 1
	Unexplored []Region `json:"unexplored,omitempty"` // what the budget did not reach, exactly
	Complete   bool     `json:"complete"`
	Looked     int      `json:"looked"` // boxes looked at
}

// Region is a set of facts for which no statutory service of ongoing care is open.
type Region struct {
	// Share of the space of facts that the criteria can tell apart, 0 to 1. It counts combinations, not people.
	Share float64 `json:"share"`
	// Talk is true where at least one service leaves it to a conversation; false where every one says no.
	Talk  bool   `json:"talk,omitempty"`
	Words string `json:"words"`
	// Example is one set of facts inside the region; evaluating it reproduces the finding.
	Example schemas.Facts `json:"example"`
}

// FindGaps searches the facts that the set's statutory services speak of for combinations that none accepts, as of
// a day. It works on whole intervals and sets, and splits the largest box first, until nothing is undecided or the
// budget is spent; then Unexplored holds exactly what was left. It looks at people whom no statutory service has
// yet: being in the care, or on the list, of one of them is taken to be no.
func FindGaps(set *Directory, on Day, budget int) GapSearch {
	s := newSearch(set, on)
	result := GapSearch{Directory: set.Hash, On: on}
	open := &frontier{s.whole()}
	var found [2][]box
	for open.Len() > 0 && result.Looked < budget {
		b := heap.Pop(open).(searched)
		result.Looked++
		s.explore(b, open, &found)
	}
	for talk, boxes := range found {
		merged := s.merge(boxes)
		for _, b := range merged {
			result.Share += s.share(b)
		}
		result.Regions = append(result.Regions, s.regions(s.widen(merged, talk == 1), talk == 1)...)
	}
	var rest []box
	for _, b := range *open {
		rest = append(rest, b.box)
	}
	result.Unexplored = s.regions(s.merge(rest), false)
	result.Complete = len(rest) == 0
	return result
}

// search is the set made ready for searching.
type search struct {
	on         Day
	dimensions []dimension
	words      int // uint64s of a box
	services   []searchService
}

// dimension is one fact, cut into classes that no criterion can tell apart; for a list fact, one constant of it.
type dimension struct {
	fact    Fact
	element string    // of a list fact
	other   any       // the value that stands for any code no criterion names; nil where there is none
	classes [][]any   // values of each class
	weights []float64 // of each class, summing to 1
	at      int       // first uint64 in a box
	words   int
}

// box is a set of classes for every dimension, as bits.
type box []uint64

// searched is a box with the services that are still undecided in it.
type searched struct {
	box      box
	services []int
	talk     bool // some service leaves the whole box to a conversation
	share    float64
}

type frontier []searched

func (f frontier) Len() int           { return len(f) }
func (f frontier) Less(i, j int) bool { return f[i].share > f[j].share }
func (f frontier) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(x any)        { *f = append(*f, x.(searched)) }
func (f *frontier) Pop() any {
	last := len(*f) - 1
	b := (*f)[last]
	*f = (*f)[:last]
	return b
}

type searchService struct {
	clauses []searchClause
	talk    bool // has a criterion that only a conversation decides
}

type searchClause struct {
	tree    *searchNode
	include bool
}

// searchNode is the tree of an expression with each comparison as the classes it holds for.
type searchNode struct {
	op        string
	kids      []*searchNode
	dimension int
	mask      []uint64
}

func newSearch(set *Directory, on Day) *search {
	s := &search{on: on}
	atoms := map[string][]atom{}
	var services []*compiled
	for _, service := range set.services {
		if service.doc.Sector != Statutory || service.doc.Role != RoleCare || service.closedOn(on) ||
			service.fullOn(on) {
			continue
		}
		services = append(services, service)
		for _, c := range service.clauses {
			if c.expr == nil || c.claim != nil || !c.inForce(on) {
				continue
			}
			for _, a := range c.expr.tree.atoms(nil) {
				atoms[a.fact] = append(atoms[a.fact], a)
			}
		}
	}
	for _, fact := range DeclaredFacts {
		s.cut(fact, atoms[fact.Name])
	}
	for _, service := range services {
		s.add(service, on)
	}
	return s
}

func (s *compiled) closedOn(day Day) bool {
	return slices.ContainsFunc(s.clauses, func(c *clause) bool { return c.closed && c.inForce(day) })
}

// fullOn says that the capacity which the service states shuts its door whoever asks.
func (s *compiled) fullOn(day Day) bool {
	return slices.ContainsFunc(s.clauses, func(c *clause) bool {
		return c.claim != nil && c.inForce(day) && c.capacity(day) == schemas.NotMet
	})
}

// cut makes the dimensions of one fact.
func (s *search) cut(fact Fact, atoms []atom) {
	switch {
	case len(atoms) == 0:
	case fact.Type == factList:
		var elements []string
		for _, a := range atoms {
			elements = union(elements, a.texts)
		}
		for _, element := range elements {
			s.addDimension(dimension{fact: fact, element: element, classes: [][]any{{false}, {true}},
				weights: []float64{0.5, 0.5}})
		}
	case fact.Type == factNumber:
		s.addDimension(cutNumbers(fact, atoms))
	default:
		s.addDimension(cutValues(fact, atoms))
	}
}

func (s *search) addDimension(d dimension) {
	d.at, d.words = s.words, (len(d.classes)+63)/64
	s.words += d.words
	s.dimensions = append(s.dimensions, d)
}

// cutNumbers cuts 0 to the greatest number into the longest runs that no comparison tells apart.
func cutNumbers(fact Fact, atoms []atom) dimension {
	d := dimension{fact: fact}
	before := ""
	for number := range fact.most() + 1 {
		now := signature(number, atoms)
		if number == 0 || now != before {
			d.classes = append(d.classes, nil)
			d.weights = append(d.weights, 0)
		}
		last := len(d.classes) - 1
		d.classes[last] = append(d.classes[last], number)
		d.weights[last] += 1.0 / float64(fact.most()+1)
		before = now
	}
	return d
}

// cutValues groups the values that no comparison tells apart.
func cutValues(fact Fact, atoms []atom) dimension {
	d := dimension{fact: fact}
	values := witnesses(fact, atoms)
	if fact.Type == factText && len(fact.Values) == 0 {
		d.other = values[len(values)-1]
	}
	place := map[string]int{}
	for _, value := range values {
		now := signature(value, atoms)
		at, ok := place[now]
		if !ok {
			at = len(d.classes)
			place[now] = at
			d.classes, d.weights = append(d.classes, nil), append(d.weights, 0)
		}
		d.classes[at] = append(d.classes[at], value)
		d.weights[at] += 1.0 / float64(len(values))
	}
	return d
}

func signature(value any, atoms []atom) string {
	b := make([]byte, len(atoms))
	for i, a := range atoms {
		b[i] = '0'
		if a.holds(value) {
			b[i] = '1'
		}
	}
	return string(b)
}

func (s *search) add(service *compiled, on Day) {
	var ready searchService
	for _, c := range service.clauses {
		switch {
		case !c.inForce(on):
		case c.expr == nil:
			ready.talk = true
		case c.claim != nil:
			ready.talk = ready.talk || c.capacity(on) == schemas.NotEvaluable
		default:
			ready.clauses = append(ready.clauses, searchClause{tree: s.tree(c.expr.tree), include: c.Effect == Include})
		}
	}
	s.services = append(s.services, ready)
}

func (s *search) tree(n *node) *searchNode {
	if n.op != opAtom {
		ready := &searchNode{op: n.op}
		for _, kid := range n.kids {
			ready.kids = append(ready.kids, s.tree(kid))
		}
		return ready
	}
	at := slices.IndexFunc(s.dimensions, func(d dimension) bool {
		return d.fact.Name == n.atom.fact && (d.element == "" || d.element == n.atom.texts[0])
	})
	d := s.dimensions[at]
	mask := make([]uint64, d.words)
	for i, class := range d.classes {
		held := class[0] == true
		if d.element == "" {
			held = n.atom.holds(class[0])
		}
		if held {
			mask[i/64] |= 1 << (i % 64)
		}
	}
	return &searchNode{op: opAtom, dimension: at, mask: mask}
}

// whole is the space of facts: everything possible, but nobody yet in the care of a statutory service.
func (s *search) whole() searched {
	b := make(box, s.words)
	for _, d := range s.dimensions {
		for i := range d.classes {
			b[d.at+i/64] |= 1 << (i % 64)
		}
		if d.fact.Name == "openTo" || d.fact.Name == "waitingOn" {
			b[d.at] = 1 // only the class 'not'
		}
	}
	all := make([]int, len(s.services))
	for i := range all {
		all[i] = i
	}
	return searched{box: b, services: all, share: s.share(b)}
}

// explore decides a box, or splits it in two.
func (s *search) explore(b searched, open *frontier, found *[2][]box) {
	var mixed []int
	certain := false // whether a service without a conversation is undecided
	for _, i := range b.services {
		switch s.accepts(&s.services[i], b.box) {
		case yes:
			if !s.services[i].talk {
				return
			}
			b.talk = true
		case unknown:
			mixed = append(mixed, i)
			certain = certain || !s.services[i].talk
		}
	}
	if len(mixed) == 0 || b.talk && !certain {
		found[ordinal(b.talk)] = append(found[ordinal(b.talk)], b.box)
		return
	}
	on := s.splitOn(b.box, mixed)
	for _, inside := range []bool{true, false} {
		part := s.part(b.box, on, inside)
		heap.Push(open, searched{box: part, services: mixed, talk: b.talk, share: s.share(part)})
	}
}

func ordinal(b bool) int {
	if b {
		return 1
	}
	return 0
}

// accepts: yes for all of the box, no for all of it, or unknown.
func (s *search) accepts(service *searchService, b box) threeValued {
	all := yes
	for i := range service.clauses {
		held := s.holds(service.clauses[i].tree, b)
		if !service.clauses[i].include {
			held = -held
		}
		if held == no {
			return no
		}
		all = min(all, held)
	}
	return all
}

func (s *search) holds(n *searchNode, b box) threeValued {
	switch n.op {
	case opAnd:
		left := s.holds(n.kids[0], b)
		if left == no {
			return no
		}
		return min(left, s.holds(n.kids[1], b))
	case opOr:
		left := s.holds(n.kids[0], b)
		if left == yes {
			return yes
		}
		return max(left, s.holds(n.kids[1], b))
	case opNot:
		return -s.holds(n.kids[0], b)
	}
	at := s.dimensions[n.dimension].at
	in, out := false, false
	for i, mask := range n.mask {
		in = in || b[at+i]&mask != 0
		out = out || b[at+i]&^mask != 0
	}
	switch {
	case in && out:
		return unknown
	case in:
		return yes
	}
	return no
}

// splitOn picks an undecided comparison of the service that would soonest cover the box: fewest undecided ones.
func (s *search) splitOn(b box, mixed []int) *searchNode {
	var best *searchNode
	fewest := 1 << 30
	for _, i := range mixed {
		service := &s.services[i]
		var undecided []*searchNode
		for c := range service.clauses {
			undecided = s.undecided(service.clauses[c].tree, b, undecided)
		}
		cost := len(undecided)
		if service.talk {
			cost += 1 << 20
		}
		if cost < fewest {
			fewest, best = cost, s.cheapest(undecided, b)
		}
	}
	return best
}

// cheapest is the comparison that cuts off most of the box where the service says no.
func (s *search) cheapest(undecided []*searchNode, b box) *searchNode {
	best, least := undecided[0], 2.0
	for _, n := range undecided {
		if share := s.share(s.part(b, n, true)); share < least {
			best, least = n, share
		}
	}
	return best
}

func (s *search) undecided(n *searchNode, b box, to []*searchNode) []*searchNode {
	if n.op == opAtom {
		if s.holds(n, b) == unknown {
			to = append(to, n)
		}
		return to
	}
	if s.holds(n, b) != unknown {
		return to
	}
	for _, kid := range n.kids {
		to = s.undecided(kid, b, to)
	}
	return to
}

func (s *search) part(b box, on *searchNode, inside bool) box {
	part := slices.Clone(b)
	at := s.dimensions[on.dimension].at
	for i, mask := range on.mask {
		if inside {
			part[at+i] &= mask
		} else {
			part[at+i] &^= mask
		}
	}
	return part
}

func (s *search) share(b box) float64 {
	share := 1.0
	for i := range s.dimensions {
		d := &s.dimensions[i]
		if d.fact.Name == "openTo" || d.fact.Name == "waitingOn" {
			continue
		}
		sum := 0.0
		for word := range d.words {
			for rest := b[d.at+word]; rest != 0; rest &= rest - 1 {
				sum += d.weights[word*64+bits.TrailingZeros64(rest)]
			}
		}
		share *= min(sum, 1)
	}
	return share
}

// merge joins boxes that differ in one dimension only, until none are left to join.
func (s *search) merge(boxes []box) []box {
	for changed := true; changed; {
		changed = false
		for i := range s.dimensions {
			d := &s.dimensions[i]
			groups := make(map[string]int, len(boxes))
			var joined []box
			for _, b := range boxes {
				key := s.keyWithout(b, d)
				if at, ok := groups[key]; ok {
					for word := range d.words {
						joined[at][d.at+word] |= b[d.at+word]
					}
					changed = true
					continue
				}
				groups[key] = len(joined)
				joined = append(joined, slices.Clone(b))
			}
			boxes = joined
		}
	}
	return boxes
}

func (s *search) keyWithout(b box, d *dimension) string {
	key := make([]byte, 0, 8*len(b))
	for i, word := range b {
		if i >= d.at && i < d.at+d.words {
			word = 0
		}
		for range 8 {
			key = append(key, byte(word))
			word >>= 8
		}
	}
	return string(key)
}

// mostWidened bounds how many regions are widened; the smallest ones beyond stay as the search cut them.
const mostWidened = 1000

// widen makes each region as wide as it can be said in one sentence, the largest first, and leaves out what then
// lies inside another: the search cuts where it has to decide, not where a reader would.
func (s *search) widen(boxes []box, talk bool) []box {
	shares := make(map[*uint64]float64, len(boxes))
	for _, b := range boxes {
		if len(b) > 0 {
			shares[&b[0]] = s.share(b)
		}
	}
	if len(shares) < len(boxes) {
		return boxes // no criterion speaks of any fact
	}
	slices.SortStableFunc(boxes, func(a, b box) int { return cmp.Compare(shares[&b[0]], shares[&a[0]]) })
	var kept []box
	for _, b := range boxes {
		if slices.ContainsFunc(kept[:min(len(kept), mostWidened)], func(k box) bool { return k.holds(b) }) {
			continue
		}
		if len(kept) < mostWidened {
			s.widenOne(b, talk)
		}
		kept = append(kept, b)
	}
	return kept
}

func (b box) holds(other box) bool {
	for i := range b {
		if other[i]&^b[i] != 0 {
			return false
		}
	}
	return true
}

func (s *search) widenOne(b box, talk bool) {
	for i := range s.dimensions {
		d := &s.dimensions[i]
		if d.fact.Name == "openTo" || d.fact.Name == "waitingOn" {
			continue
		}
		before := slices.Clone(b[d.at : d.at+d.words])
		for class := range d.classes {
			b[d.at+class/64] |= 1 << (class % 64)
		}
		if s.isRegion(b, talk) {
			continue
		}
		copy(b[d.at:], before)
		for class := range d.classes {
			word, bit := d.at+class/64, uint64(1)<<(class%64)
			if b[word]&bit == 0 {
				if b[word] |= bit; !s.isRegion(b, talk) {
					b[word] &^= bit
				}
			}
		}
	}
}

// isRegion says whether nobody in the box is surely let in: every service says no to all of it, or, where it is
// left to a conversation, some service with a conversation would see all of it and no other could see any.
func (s *search) isRegion(b box, talk bool) bool {
	talked := !talk
	for i := range s.services {
		service := &s.services[i]
		if talk && talked && service.talk {
			continue
		}
		accepts := s.accepts(service, b)
		switch {
		case accepts == yes && talk && service.talk:
			talked = true
		case accepts != no && !(talk && service.talk):
			return false
		}
	}
	return talked
}

// regions describes boxes, largest first.
func (s *search) regions(boxes []box, talk bool) []Region {
	var regions []Region
	for _, b := range boxes {
		regions = append(regions, Region{Share: s.share(b), Talk: talk, Words: s.describe(b), Example: s.example(b)})
	}
	sort.Slice(regions, func(i, j int) bool {
		if regions[i].Share != regions[j].Share {
			return regions[i].Share > regions[j].Share
		}
		return regions[i].Words < regions[j].Words
	})
	return regions
}

func (d *dimension) chosen(b box) (in, out []any, all bool) {
	for i, class := range d.classes {
		if b[d.at+i/64]&(1<<(i%64)) != 0 {
			in = append(in, class...)
		} else {
			out = append(out, class...)
		}
	}
	return in, out, len(out) == 0
}

func (s *search) example(b box) schemas.Facts {
	var facts schemas.Facts
	for i := range s.dimensions {
		d := &s.dimensions[i]
		in, _, _ := d.chosen(b)
		value := in[0]
		if d.element != "" {
			value = []string{}
			if in[0] == true {
				value = []string{d.element}
			}
		}
		setFact(&facts, d.fact.Name, value, s.on)
	}
	return facts
}

// setFact states a fact as it is on a day; a list gains what is named.
func setFact(f *schemas.Facts, name string, value any, on Day) {
	switch v := value.(type) {
	case int:
		if name == lastSelfHarm {
			f.LastSelfHarm = new(AddDays(on, -v))
			return
		}
		f.Age = &v
	case bool:
		*map[string]**bool{"registeredGP": &f.RegisteredGP, "interpreterNeeded": &f.InterpreterNeeded,
			"carer": &f.Carer, "inEducation": &f.InEducation}[name] = &v
	case string:
		*map[string]**string{"areaResidence": &f.AreaResidence, "areaStaying": &f.AreaStaying, "areaGP": &f.AreaGP,
			"gender": &f.Gender, "language": &f.Language,
			"route": &f.Route, "assessment": &f.Assessment, "destination": &f.Destination,
			"workerGender": &f.WorkerGender, "group": &f.Group}[name] = &v
	case []string:
		list := map[string]*[]string{"channels": &f.Channels, "hours": &f.Hours, "access": &f.Access,
			"waitingOn": &f.WaitingOn, "openTo": &f.OpenTo}[name]
		if *list == nil {
			*list = []string{}
		}
		*list = append(*list, v...)
	}
}

// phrases say a fact's value, and its absence, to a reader.
var phrases = map[string][2]string{
	"areaResidence":     {"living in %s", "not living in %s"},
	"areaStaying":       {"staying in %s", "not staying in %s"},
	"areaGP":            {"with a GP practice in %s", "with no GP practice in %s"},
	"registeredGP":      {"registered with a GP practice", "not registered with a GP practice"},
	"gender":            {"gender stated as %s", "gender not stated as %s"},
	"language":          {"who want to speak %s", "who want to speak another language than %s"},
	"interpreterNeeded": {"who want an interpreter", "who want no interpreter"},
	"route":             {"asked for by %s", "not asked for by %s"},
	"assessment":        {"whose assessment is %s", "whose assessment is not %s"},
	"destination":       {"who went to %s", "who did not go to %s"},
	"channels":          {"who would like %s", "who have not named %s"},
	"workerGender":      {"who would rather talk to %s", "who would not rather talk to %s"},
	"hours":             {"who can meet at %s", "who have not named %s"},
	"access":            {"who need %s", "who do not need %s"},
	"group":             {"who would like a group for %s", "who would not like a group for %s"},
	"carer":             {"who care for somebody who self-harms", "who do not care for somebody who self-harms"},
	"inEducation":       {"at school or college", "not at school or college"},
	"waitingOn":         {"waiting for %s", "not waiting for %s"},
	"openTo":            {"in the care of %s", "not in the care of %s"},
}

func (s *search) describe(b box) string {
	var parts []string
	for i := range s.dimensions {
		d := &s.dimensions[i]
		in, out, all := d.chosen(b)
		if !all || d.fact.Type == factList && d.fact.Name != "channels" && in[0] == true {
			if part := d.describe(in, out); part != "" {
				parts = append(parts, part)
			}
		}
	}
	if len(parts) == 0 {
		return "everybody"
	}
	return "people " + strings.Join(parts, ", ")
}

func (d *dimension) describe(in, out []any) string {
	phrase := phrases[d.fact.Name]
	switch {
	case d.fact.Name == lastSelfHarm:
		return "who left hospital " + runsOf(in, d.fact.most()) + " days ago"
	case d.fact.Type == factNumber:
		return "aged " + runsOf(in, d.fact.most())
	case d.fact.Type == factYesNo:
		return phrase[ordinal(in[0] == false)]
	case d.element != "" && d.fact.Name != "channels":
		return "" // taken to be no, for everybody
	case d.element != "":
		return fmt.Sprintf(phrase[ordinal(in[0] == false)], d.element)
	case d.other != nil && slices.Contains(in, d.other), len(out) < len(in) && len(d.fact.Values) > 0:
		return fmt.Sprintf(phrase[1], joinOr(out))
	}
	return fmt.Sprintf(phrase[0], joinOr(in))
}

func joinOr(values []any) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = fmt.Sprint(value)
	}
	return strings.Join(texts, " or ")
}

// runsOf writes numbers as runs: "0 to 17 or 65 and over".
func runsOf(ages []any, most int) string {
	var runs []string
	for i := 0; i < len(ages); {
		from, j := ages[i].(int), i
		for j+1 < len(ages) && ages[j+1].(int) == ages[j].(int)+1 {
			j++
		}
		switch to := ages[j].(int); {
		case to == most:
			runs = append(runs, fmt.Sprintf("%d and over", from))
		case to == from:
			runs = append(runs, fmt.Sprint(from))
		default:
			runs = append(runs, fmt.Sprintf("%d to %d", from, to))
		}
		i = j + 1
	}
	return strings.Join(runs, " or ")
}
