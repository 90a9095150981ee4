package reading

import (
	"fmt"
	"footbridge/libs/hl7"
	"footbridge/services/intake/record"
	"hash/fnv"
	"strings"
)

// What an action code says of its segment: HL7 table 0206 (DG1-21), and table 0287, which some senders write there.
type partAction int

const (
	wholeSet partAction = iota // none, or S: the message says all diagnoses as they are now
	addsPart                   // A, X, AD, UC, LI
	updatesPart
	deletesPart
	otherAction // none that is known: for a human
)

var partActions = map[string]partAction{
	"": wholeSet, "S": wholeSet, "A": addsPart, "X": addsPart, "AD": addsPart, "UC": addsPart, "LI": addsPart,
	"U": updatesPart, "UP": updatesPart, "CO": updatesPart, "D": deletesPart, "DE": deletesPart, "UN": deletesPart,
}

func actionOf(segment hl7.Segment) partAction {
	field := segment.Field(21)
	if field.IsNull() {
		return wholeSet
	}
	if action, known := partActions[strings.ToUpper(field.String())]; known {
		return action
	}
	return otherAction
}

// diagnoses reads all DG1 segments, and gives beside them the coded values of those that stand.
func (p *Profile) diagnoses(message *hl7.Message) (all []record.Evidence, stand []Coded) {
	var whole record.Evidence
	isWhole, some := true, false
	for segment := range message.All("DG1") {
		isWhole, some = isWhole && actionOf(segment) == wholeSet, true
	}
	for segment := range message.All("DG1") {
		values := diagnosisValues(segment)
		action := actionOf(segment)
		part := p.Weigh(record.RoleDiagnosis, values)
		part.Left, part.Key = p.LeftBefore(values), p.partKey(segment, values)
		part.Gone = action == deletesPart
		if action == otherAction && part.Verdict == record.SaysInScope {
			part.Verdict, part.Because = record.SaysAsk, append(part.Because, "an action code that is not known")
		}
		if !part.Gone {
			stand = append(stand, values...)
		}
		if !isWhole {
			part.Updates = action == updatesPart
			all = append(all, part.Bare())
			continue
		}
		whole.Parts = append(whole.Parts, part)
	}
	if some && isWhole {
		all = append(all, record.SumOf(p.Title(), whole.Parts))
	}
	return all, stand
}

func diagnosisValues(segment hl7.Segment) (values []Coded) {
	for value := range segment.Field(3).Reps() {
		values = append(values, coded(value, segment.Field(2).String())...)
	}
	if text := segment.Field(4); !text.IsEmpty() && !text.IsNull() {
		values = append(values, Coded{Text: text.Text()})
	}
	return values
}

func (p *Profile) partKey(segment hl7.Segment, values []Coded) (key record.PartKey) {
	if id := segment.Field(20); !id.IsEmpty() && !id.IsNull() {
		sum := fnv.New64a()
		_, _ = sum.Write([]byte(id.Text())) // it never fails
		key.ID = fmt.Sprintf("%016x", sum.Sum64())
	}
	key.Set = Named(segment.Field(1).String())
	if len(values) > 0 && hasDigit(values[0].Code) && len(values[0].Code) <= 40 {
		key.Code = strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(values[0].Code), ".", ""))
	}
	return key
}

// hasDigit: a code has one; a word or a name in its place is not kept.
func hasDigit(code string) bool { return strings.ContainsAny(code, "0123456789") }
