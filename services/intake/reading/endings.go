package reading

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"footbridge/libs/hl7"
)

// destinationDied is what a profile calls a destination that is a death.
const destinationDied = "died"

// Where somebody went when they left, and whether they have died, stands in many fields and in many words. All of them
// are read, by every event: any one sign of a death stops contact, and a human lifts it.

// ending is what a message says of how a visit ended.
type ending struct {
	to      string
	died    bool
	left    bool // before being seen
	unknown bool // it says something that nobody knows here
}

// whereTo reads the destination (PV1-36), and what codes among the reason and the diagnoses say of it. Numbers and
// words are looked up in the destination's own field alone; SNOMED CT codes wherever they stand.
func (p *Profile) whereTo(pv1 hl7.Segment, others []Coded) (found ending) {
	own := pv1.Field(36)
	if !own.IsEmpty() && !own.IsNull() {
		found = p.endingStated(valuesOf(own))
	}
	beside := ending{died: p.Died(others) || slices.ContainsFunc(others, p.isDeathPhrase)}
	for _, value := range others {
		if to := p.destinations[value.Code]; to != "" && isSNOMED(value.Code) && p.mayBeSNOMED(value.System) {
			beside.to = cmp.Or(beside.to, to)
		}
	}
	if beside.to == destinationDied {
		beside.to, beside.died = "", true
	}
	found.to, found.died = cmp.Or(found.to, beside.to), found.died || beside.died
	return found
}

// valuesOf reads a field that may be a code, a word, or a coded value with its words and an alternate.
func valuesOf(field hl7.Value) (values []Coded) {
	for value := range field.Reps() {
		if !value.IsEmpty() && !value.IsNull() {
			values = append(values, coded(value, "")...)
		}
	}
	return values
}

// endingStated reads values of a field that says where the person went, and says where nobody knows any of them.
func (p *Profile) endingStated(values []Coded) ending {
	found := p.endingOf(values)
	found.unknown = len(values) > 0 && found == ending{} && !p.knowsAny(values)
	return found
}

// endingOf reads values of a field that says where the person went.
func (p *Profile) endingOf(values []Coded) (found ending) {
	for _, value := range values {
		if value.System == "" && isSNOMED(value.Code) {
			value.System = "SCT"
		}
		found.left = found.left || p.LeftBefore([]Coded{value})
		found.died = found.died || p.Died([]Coded{value}) || saysAnyOf(p.Deaths.Words, value.Code+" "+value.Text)
		for _, text := range []string{value.Code, value.Text} {
			if to := p.destinations[plainWords(text)]; to == destinationDied {
				found.died = true
			} else {
				found.to = cmp.Or(found.to, to)
			}
		}
	}
	return found
}

// knowsAny says whether any of the codes is one that the profile has a list for.
func (p *Profile) knowsAny(values []Coded) bool {
	return slices.ContainsFunc(values, func(value Coded) bool {
		_, known := p.codeEntry(cmp.Or(value.System, "SCT"), value.Code)
		return known
	})
}

func (p *Profile) mayBeSNOMED(system string) bool {
	return system == "" || slices.Contains([]string{"", "snomed", "ecds"}, p.system(system))
}

var snomedCode = regexp.MustCompile(`^[1-9][0-9]{5,17}$`)

func isSNOMED(code string) bool { return snomedCode.MatchString(strings.TrimSpace(code)) }

// maxPlain is how much of a text is looked at that should be a code or a few words, in bytes.
const maxPlain = 300

// plainWords is a text without what people write differently: case, points, strokes, and blanks of any kind.
func plainWords(text string) string {
	text = text[:min(len(text), maxPlain)]
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}

// saysAnyOf finds whole words in a text.
func saysAnyOf(words []string, text string) bool {
	padded := " " + plainWords(text) + " "
	return slices.ContainsFunc(words,
		func(word string) bool { return strings.Contains(padded, " "+plainWords(word)+" ") })
}

// isDeathPhrase: a whole reason or diagnosis says it. Within a sentence it may be about somebody else.
func (p *Profile) isDeathPhrase(value Coded) bool {
	for _, text := range []string{value.Text, value.Code} {
		if len(text) <= maxPlain && containsWords(p.Deaths.Phrases, plainWords(text)) {
			return true
		}
	}
	return false
}

// died reads every other sign of a death: the time (PID-29) whatever the indicator (PID-30) says, the indicator, a
// segment that is sent of the dead alone, and the place (PV1-3, PV1-37, PV1-42). A message about
// several people says it of each.
func (p *Profile) died(message *hl7.Message) bool {
	for pid := range message.All("PID") {
		if at := pid.Field(29); (!at.IsEmpty() && !at.IsNull() && strings.Trim(at.String(), "0") != "") ||
			containsWords(p.Deaths.Indicators, pid.Field(30).String()) {
			return true
		}
	}
	for _, name := range p.Deaths.Segments {
		for segment := range message.All(name) {
			if actionOf(name, segment) == deletesPart {
				continue
			}
			for n := 1; n <= segment.FieldCount(); n++ {
				if field := segment.Field(n); !field.IsEmpty() && !field.IsNull() && !field.Is("N") &&
					!(n == 1 && field.Is("1")) {
					return true
				}
			}
		}
	}
	pv1 := message.Segment("PV1")
	if to := pv1.Field(37); saysAnyOf(p.Deaths.Words, to.Text()) ||
		p.destinations[plainWords(to.String())] == destinationDied {
		return true
	}
	return saysAnyOf(p.Deaths.Places, pv1.Field(3).Text()) || saysAnyOf(p.Deaths.Places, pv1.Field(42).Text())
}

// indicators says whether a message states by indicator that somebody has died (PID-30) or that their record is
// protected (PD1-12, PV2-22), and whether it does so in a way that nobody knows here: table 0136 has Y and N, senders
// have more.
func (p *Profile) indicators(message *hl7.Message) (stated, unknown bool) {
	died, protected := append(slices.Clone(p.Deaths.Indicators), saysNo...), append(slices.Clone(saysYes), saysNo...)
	for _, one := range []struct {
		field hl7.Value
		known []string
	}{{message.Segment("PID").Field(30), died}, {message.Segment("PD1").Field(12), protected},
		{message.Segment("PV2").Field(22), protected}} {
		if one.field.IsEmpty() || one.field.IsNull() {
			continue
		}
		stated, unknown = true, unknown || !containsWords(one.known, one.field.String())
	}
	return stated, unknown
}

// What senders write into an indicator for yes and for no.
var (
	saysYes = []string{"Y", "YES", "TRUE", "1"}
	saysNo  = []string{"N", "NO", "FALSE", "F", "0", "ALIVE"}
)

// isProtected reads the protection indicators: PD1-12, PV2-22, and ARV, which replaced them in version 2.9.
func isProtected(message *hl7.Message) bool {
	yes := func(value hl7.Value) bool { return containsWords(saysYes, value.String()) }
	if yes(message.Segment("PD1").Field(12)) || yes(message.Segment("PV2").Field(22)) {
		return true
	}
	for restriction := range message.All("ARV") {
		if value := restriction.Field(3); !value.IsEmpty() && !value.IsNull() &&
			actionOf("ARV", restriction) != deletesPart {
			return true
		}
	}
	return false
}

// mustBeRead: a message of an event that is of no concern here says that somebody has died, or that their record is
// protected.
func (p *Profile) mustBeRead(message *hl7.Message) bool {
	_, stand := p.evidence(message)
	return p.died(message) || isProtected(message) || p.whereTo(message.Segment("PV1"), stand).died
}
