package reading

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/hl7"
	"footbridge/services/intake/record"
)

// layer is one file of a profile, as it was read.
type layer struct {
	file string
	root *yaml.Node
}

// Applied is one thing that a profile said of a message, with the line that says so.
type Applied struct {
	At    string `json:"at"`              // the field, such as PV1-36, or which kind of code: reason, diagnosis
	Key   string `json:"key"`             // where in the profile, such as events.end or codes.self-harm
	Entry string `json:"entry,omitempty"` // what stands there
	File  string `json:"file"`            // default.yaml, or the sender's own
	Line  int    `json:"line"`            // in that file, from 1
}

// keepLayers remembers where each line of the profile stands. The files are named from the lowest layer on.
func (p *Profile) keepLayers(contents [][]byte, files []string) {
	p.layers = nil
	for i, content := range contents {
		var document yaml.Node
		if yaml.Unmarshal(content, &document) == nil && len(document.Content) > 0 {
			p.layers = append(p.layers, layer{files[min(i, len(files)-1)], document.Content[0]})
		}
	}
}

// names says whether any line of the profile names a text as it stands.
func (p *Profile) names(text string) bool {
	for _, one := range p.layers {
		if scalarIn(one.root, func(value string) bool { return strings.EqualFold(value, text) }) != nil {
			return true
		}
	}
	return false
}

// line finds the entry under a key (its parts joined by dots) in the uppermost layer that has the key. Without an
// entry that fits it is the line of the key itself.
func (p *Profile) line(at, key string, fits func(entry string) bool) (Applied, bool) {
	for _, one := range slices.Backward(p.layers) {
		node := descend(one.root, strings.Split(key, "."))
		if node == nil {
			continue
		}
		found := Applied{At: at, Key: key, File: one.file, Line: node.Line}
		if entry := scalarIn(node, fits); entry != nil {
			found.Line, found.Entry = entry.Line, entry.Value
			return found, true
		}
		return found, fits == nil
	}
	return Applied{}, false
}

// descend goes down by the names of members; a list of maps is entered by the name of one of them.
func descend(node *yaml.Node, path []string) *yaml.Node {
	for _, part := range path {
		var next *yaml.Node
		switch node.Kind {
		case yaml.MappingNode:
			next = member(node, part)
		case yaml.SequenceNode:
			for _, one := range node.Content {
				if name := member(one, "name"); name != nil && name.Value == part {
					next = one
				}
			}
		}
		if next == nil {
			return nil
		}
		node = next
	}
	return node
}

func member(node *yaml.Node, name string) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i+1]
		}
	}
	return nil
}

// scalarIn finds the first value beneath a node that fits; names of members are none.
func scalarIn(node *yaml.Node, fits func(string) bool) *yaml.Node {
	if fits == nil {
		return nil
	}
	switch node.Kind {
	case yaml.ScalarNode:
		if fits(node.Value) {
			return node
		}
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			if found := scalarIn(node.Content[i], fits); found != nil {
				return found
			}
		}
	case yaml.SequenceNode:
		for _, one := range node.Content {
			if found := scalarIn(one, fits); found != nil {
				return found
			}
		}
	}
	return nil
}

// Lines are the lines of its profile by which a message was read, in the order of its segments.
func (p *Profile) Lines(message *hl7.Message, parsed Reading) (all []Applied) {
	add := func(at, key string, fits func(string) bool) {
		if found, is := p.line(at, key, fits); is {
			all = append(all, found)
		}
	}
	add("MSH-3", "senders", equals(message.SendingApplication()))
	if trigger := message.Trigger(); trigger != "" {
		if kind, known := p.kinds[trigger]; known {
			add("MSH-9", "events."+string(kind), equals(trigger))
		}
	}
	add("MSH-11", "processingIDs", equals(message.ProcessingID()))
	add("MSH-12", "versions", func(entry string) bool {
		return message.Version() == entry || strings.HasPrefix(message.Version(), entry+".")
	})
	pv1 := message.Segment("PV1")
	for _, setting := range []string{"emergency", "ward", "elsewhere"} {
		add("PV1-2", "settings."+setting, equals(pv1.Field(2).String()))
	}
	add("PV1-3", "settings.places", func(entry string) bool {
		return entry != "" && (entry == pv1.Field(3).Comp(1).String() || entry == pv1.Field(3).Comp(4).String())
	})
	for _, value := range valuesOf(pv1.Field(36)) {
		for _, text := range []string{value.Code, value.Text} {
			if to := p.destinations[plainWords(text)]; to != "" {
				add("PV1-36", "destinations."+to,
					func(entry string) bool { return plainWords(entry) == plainWords(text) })
				break
			}
		}
	}
	return append(all, p.evidenceLines(parsed.ClinicalEvent)...)
}

// evidenceLines are the lines by which codes and words weighed on whether a visit is one to follow up.
func (p *Profile) evidenceLines(event *record.ClinicalEvent) (all []Applied) {
	if event == nil {
		return nil
	}
	seen := map[string]bool{}
	var add func(evidence []record.Evidence)
	add = func(evidence []record.Evidence) {
		for _, one := range evidence {
			for _, because := range one.Because {
				if found, is := p.lineOf(one.Role, because); is && !seen[one.Role+because] {
					seen[one.Role+because], all = true, append(all, found)
				}
			}
			add(one.Parts)
		}
	}
	add(event.Evidence)
	return all
}

// lineOf finds the line behind one reason of a piece of evidence: "self-harm snomed:248062006", "mention".
func (p *Profile) lineOf(role, because string) (Applied, bool) {
	switch because {
	case "mention":
		return p.line(role, "mentions.words", nil)
	case "local reason":
		return p.line(role, "localReasons", nil)
	}
	list, key, _ := strings.Cut(because, " ")
	_, code, coded := strings.Cut(key, ":")
	if !coded {
		return p.line(role, "codes."+list, nil)
	}
	return p.line(role, "codes."+list, equals(code))
}

func equals(text string) func(string) bool {
	return func(entry string) bool { return text != "" && strings.EqualFold(entry, text) }
}

// Names are all the profiles that there are, in order; the default one is first.
func (ps *Profiles) Names() []string {
	names := []string{ps.Fallback.Name}
	for _, one := range ps.BySender {
		if !slices.Contains(names, one.Name) {
			names = append(names, one.Name)
		}
	}
	slices.Sort(names[1:])
	return names
}

// ByName gives a profile by its name; nil where there is none.
func (ps *Profiles) ByName(name string) *Profile {
	if ps.Fallback.Name == name {
		return ps.Fallback
	}
	for _, one := range ps.BySender {
		if one.Name == name {
			return one
		}
	}
	return nil
}

// Rehearsed is what a message would become by a profile. Nothing of it is kept.
type Rehearsed struct {
	SampleLine
	Lines []Applied      `json:"lines"`           // of the profile, by which it was read
	Facts map[string]any `json:"facts,omitempty"` // told with the journey, where one began
}

// Where writes the place of a line for people: default.yaml:57.
func (a Applied) Where() string { return a.File + ":" + strconv.Itoa(a.Line) }

// Rehearse reads a message by a profile that need not be its sender's, after others of its visit, the oldest first.
func (p *Profile) Rehearse(before [][]byte, raw []byte, received time.Time) Rehearsed {
	alone := &Profiles{Fallback: p}
	r := newRehearsal(alone, received)
	for _, one := range before {
		r.applyAll(one)
	}
	r.facts = map[string]any{}
	done := Rehearsed{SampleLine: r.applyAll(raw), Lines: []Applied{}}
	if message, err := hl7.Parse(raw); err == nil {
		done.Lines = append(done.Lines, p.Lines(message, ReadHL7(message, alone, received))...)
	}
	done.Facts = r.facts
	return done
}
