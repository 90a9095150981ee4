package reading

import (
	"fmt"
	"footbridge/libs/hl7"
	"footbridge/services/intake/record"
	"hash/fnv"
	"strings"
)

// What an action code says of its segment: HL7 tables 0206 and 0323, and table 0287, which some senders write in their
// place.
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

// acting is where a segment says what is to be done with it, and what it is known again by.
type acting struct{ action, id, code, set int }

// actingSegments are those that the standard gives an action code, of tables 0206, 0287 and 0323.
var actingSegments = map[string]acting{
	"DG1": {21, 20, 3, 1}, "PR1": {20, 19, 3, 1}, "PRB": {1, 4, 3, 0}, "GOL": {1, 4, 3, 0}, "PTH": {1, 3, 2, 0},
	"ROL": {2, 1, 3, 0},
	"PRT": {2, 1, 4, 0}, "ARV": {2, 0, 3, 1}, "IAM": {6, 7, 3, 1}, "OBX": {31, 21, 3, 1},
}

// withdrawnResults are values of OBX-11 (table 0085) that say that a result is deleted, or was of somebody else.
var withdrawnResults = []string{"D", "W"}

func actionOf(name string, segment hl7.Segment) partAction {
	where, acts := actingSegments[name]
	if !acts {
		return wholeSet
	}
	if name == "OBX" && containsWords(withdrawnResults, segment.Field(11).String()) {
		return deletesPart
	}
	field := segment.Field(where.action)
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
	return p.parts(message, "DG1", record.RoleDiagnosis, diagnosisValues)
}

// parts reads all segments of one name, each of which may add itself to what was said before, change it or take it
// back; and gives beside them the coded values of those that stand.
func (p *Profile) parts(message *hl7.Message, name, role string,
	valuesOf func(hl7.Segment) []Coded) (all []record.Evidence, stand []Coded) {
	var whole []record.Evidence
	isWhole, some := true, false
	for segment := range message.All(name) {
		isWhole, some = isWhole && actionOf(name, segment) == wholeSet, true
	}
	for segment := range message.All(name) {
		values, action := valuesOf(segment), actionOf(name, segment)
		part := p.Weigh(role, values)
		part.Left, part.Key, part.Gone = p.LeftBefore(values), p.partKey(name, segment, values), action == deletesPart
		if action == otherAction && part.Verdict == record.VerdictInScope {
			part.Verdict, part.Because = record.VerdictAsk, append(part.Because, "an action code that is not known")
		}
		if !part.Gone {
			stand = append(stand, values...)
		}
		if !isWhole {
			part.Updates = action == updatesPart
			all = append(all, part.Bare())
			continue
		}
		// of many results few say anything
		if name == "DG1" || part.Verdict != record.VerdictNothing || part.Other || part.Left {
			whole = append(whole, part)
		}
	}
	if some && isWhole {
		all = append(all, record.SumOf(role, p.Title(), whole))
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

func (p *Profile) partKey(name string, segment hl7.Segment, values []Coded) (key record.PartKey) {
	where := actingSegments[name]
	if id := segment.Field(where.id); !id.IsEmpty() && !id.IsNull() {
		key.ID = hashed(id.Text())
	}
	if where.set > 0 {
		key.Set = Named(segment.Field(where.set).String())
	}
	if name != "DG1" {
		if code := segment.Field(where.code); !code.IsEmpty() && !code.IsNull() {
			key.Code = hashed(strings.ToUpper(code.Text() + "|" + segment.Field(where.code+1).Text()))
		}
		return key
	}
	if len(values) > 0 && hasDigit(values[0].Code) && len(values[0].Code) <= 40 {
		key.Code = strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(values[0].Code), ".", ""))
	}
	return key
}

func hashed(text string) string {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(text)) // it never fails
	return fmt.Sprintf("%016x", sum.Sum64())
}

// hasDigit: a code has one; a word or a name in its place is not kept.
func hasDigit(code string) bool { return strings.ContainsAny(code, "0123456789") }
