package intake

import (
	"slices"
	"strings"
	"unicode"
)

// Coded is a coded or written value of a message, before its meaning is known.
type Coded struct {
	System string // as the message calls it; may be empty
	Code   string
	Text   string // free text; read here and not kept
}

// Weigh says what a field's values mean under a profile: the strongest of them, with every reason. A text that
// merely mentions something makes a human look; it never raises, and a negated mention says nothing.
func (p *Profile) Weigh(role string, values []Coded) Evidence {
	evidence := Evidence{Role: role, Profile: p.Title()}
	for _, value := range values {
		if value.Code != "" && value.System != "" && p.system(value.System) == "" {
			evidence.unknown++
		}
		if entry, ok := p.codeEntry(value.System, value.Code); ok && entry.Says == saysOther {
			evidence.Other = true
			continue
		}
		verdict, because := p.weighOne(role, value)
		if verdict == SaysNothing {
			continue
		}
		evidence.Blank = (evidence.Blank || evidence.Verdict == SaysNothing) && p.asksIfBlank(value)
		if verdict == SaysInScope || evidence.Verdict == SaysNothing {
			evidence.Verdict = verdict
		}
		evidence.Because = append(evidence.Because, because)
	}
	return evidence
}

func (p *Profile) weighOne(role string, value Coded) (Verdict, string) {
	if entry, ok := p.codeEntry(value.System, value.Code); ok && entry.weighs() {
		return Verdict(entry.Says), entry.Name + " " + entry.key
	}
	if role == RoleReason {
		for _, local := range p.LocalReasons {
			if sameWords(local.Value, value.Text) || sameWords(local.Value, value.Code) {
				return Verdict(local.Says), "local reason"
			}
		}
	}
	// A code that a list knows, in a system that the message does not name or that nobody has agreed on.
	if p.system(value.System) == "" && value.Code != "" {
		for _, system := range []string{"snomed", "icd10"} {
			if entry, ok := p.codeEntry(system, value.Code); ok && entry.weighs() {
				return SaysAsk, entry.Name + " by a code of an unknown system"
			}
		}
	}
	if p.mentions(value.Text) {
		return SaysAsk, "mention"
	}
	return SaysNothing, ""
}

// asksIfBlank says that a value is for a human only while no other intent is recorded: a poisoning.
func (p *Profile) asksIfBlank(value Coded) bool {
	entry, ok := p.codeEntry(value.System, value.Code)
	return ok && entry.blank
}

// LeftBefore says whether a code means that the person left before being assessed or treated.
func (p *Profile) LeftBefore(values []Coded) bool { return p.anySays(values, saysLeft) }

// Died says whether a code means that the person had died on arrival, or died in the department.
func (p *Profile) Died(values []Coded) bool { return p.anySays(values, saysDied) }

func (p *Profile) anySays(values []Coded, says string) bool {
	return slices.ContainsFunc(values, func(value Coded) bool {
		entry, ok := p.codeEntry(value.System, value.Code)
		return ok && entry.Says == says
	})
}

// Roles of evidence.
const (
	RoleReason    = "reason"
	RoleDiagnosis = "diagnosis"
	RoleIntent    = "intent"
	RoleSender    = "sender" // the sender's own statement, as in discharge.reported
)

func (p *Profile) codeEntry(system, code string) (codeEntry, bool) {
	code = strings.ToUpper(strings.TrimSpace(code))
	switch p.system(system) {
	case "snomed":
		entry, ok := p.exact["snomed:"+code]
		return entry, ok
	case "ecds":
		// ECDS fields carry SNOMED CT codes.
		entry, ok := p.exact["snomed:"+code]
		return entry, ok
	case systemLocal:
		entry, ok := p.exact[localKey(strings.TrimSpace(system), code)]
		return entry, ok
	case "icd10":
		category, ok := icdCategory(code)
		if !ok {
			return codeEntry{}, false
		}
		bare := strings.ReplaceAll(code, ".", "")
		for _, sub := range p.subcategories {
			if strings.HasPrefix(bare, sub.from) {
				return sub.entry, true
			}
		}
		for _, r := range p.ranges {
			if category >= r.from && category <= r.to {
				return r.entry, true
			}
		}
	}
	return codeEntry{}, false
}

// icdCategory gives the three-character category of an ICD-10 code: X61 of "X61.8", "X618" and "X61".
func icdCategory(code string) (string, bool) {
	if len(code) < 3 || code[0] < 'A' || code[0] > 'Z' || !digit(code[1]) || !digit(code[2]) {
		return "", false
	}
	for i, c := range []byte(code[3:]) {
		if !digit(c) && !(i == 0 && c == '.') && c != 'X' && c != '-' {
			return "", false
		}
	}
	return code[:3], true
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func sameWords(a, b string) bool {
	return a != "" && strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// mentions finds a listed word in free text that no negation precedes by four words or fewer within its clause.
func (p *Profile) mentions(text string) bool {
	text = strings.ToLower(text)
	for _, word := range p.Mentions.Words {
		for rest, at := text, 0; ; {
			i := strings.Index(rest, word)
			if i < 0 {
				break
			}
			if startsWord(text, at+i) && !p.negated(text[:at+i]) {
				return true
			}
			at += i + len(word)
			rest = text[at:]
		}
	}
	return false
}

func startsWord(text string, at int) bool {
	return at == 0 || !unicode.IsLetter(rune(text[at-1]))
}

func (p *Profile) negated(before string) bool {
	if cut := strings.LastIndexAny(before, ".;,\n"); cut >= 0 {
		before = before[cut+1:]
	}
	words := strings.Fields(before)
	for _, word := range words[max(0, len(words)-4):] {
		for _, negation := range p.Mentions.Negations {
			if strings.Trim(word, ":()'\"") == negation {
				return true
			}
		}
	}
	return false
}
