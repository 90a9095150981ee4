package reading

import (
	"footbridge/services/intake/record"
	"slices"
	"strconv"
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
func (p *Profile) Weigh(role string, values []Coded) record.Evidence {
	evidence := record.Evidence{Role: role, Profile: p.Title()}
	for _, value := range values {
		if value.Code == "" && value.Text == "" {
			continue
		}
		if value.Code != "" && value.System != "" && p.system(value.System) == "" {
			evidence.Unknown++
		}
		if entry, ok := p.codeEntry(value.System, value.Code); ok && entry.Says == saysOther {
			evidence.Other = true
			continue
		}
		verdict, because := p.weighOne(role, value)
		if verdict == record.VerdictNothing {
			continue
		}
		evidence.Blank = (evidence.Blank || evidence.Verdict == record.VerdictNothing) && p.asksIfBlank(value)
		if verdict == record.VerdictInScope || evidence.Verdict == record.VerdictNothing {
			evidence.Verdict = verdict
		}
		evidence.Because = append(evidence.Because, because)
	}
	return evidence
}

func (p *Profile) weighOne(role string, value Coded) (record.Verdict, string) {
	if entry, ok := p.codeEntry(value.System, value.Code); ok && entry.weighs() {
		return record.Verdict(entry.Says), entry.Name + " " + entry.key
	}
	if strings.HasPrefix(role, record.RoleReason) || role == record.RoleWords {
		for _, local := range p.LocalReasons {
			if sameWords(local.Value, value.Text) || sameWords(local.Value, value.Code) {
				return record.Verdict(local.Says), "local reason"
			}
		}
	}
	// A code that a list knows, in a system that the message does not name or that nobody has agreed on.
	if p.system(value.System) == "" && value.Code != "" {
		for _, system := range []string{"snomed", "icd10"} {
			if entry, ok := p.codeEntry(system, value.Code); ok && entry.weighs() {
				return record.VerdictAsk, entry.Name + " by a code of an unknown system"
			}
		}
	}
	if p.Mention(value.Text) || p.Mention(value.Code) {
		return record.VerdictAsk, "mention"
	}
	return record.VerdictNothing, ""
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

// WeighWords adds what reasons in words say, by the same list whichever way they came.
func WeighWords(s *record.ClinicalEvent, profile *Profile, texts []string) {
	var values []Coded
	for _, text := range texts {
		values = append(values, Coded{Text: text})
	}
	if len(values) > 0 {
		s.Evidence = append(s.Evidence, profile.Weigh(record.RoleWords, values))
	}
}

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

// maxReason is the longest reason in words that is searched, in bytes.
const maxReason = 10_000

// Mention finds in free text a listed word, or two that count together, that no negation precedes by four words or
// fewer within its clause.
func (p *Profile) Mention(text string) bool {
	switch {
	case text == "":
		return false
	case len(text) > maxReason:
		return true // a human reads it
	}
	text = spaced(text)
	if slices.ContainsFunc(p.Mentions.Words, func(word string) bool { return p.finds(text, word) }) {
		return true
	}
	find := func(words []string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return p.finds(text, word) })
	}
	return slices.ContainsFunc(p.Mentions.Together, func(pair wordPair) bool {
		return find(pair.Done) && find(pair.Meant) && (pair.Number == 0 || hasNumber(text, pair.Number))
	})
}

// hasNumber finds a whole number of up to three digits, at least as large.
func hasNumber(text string, least int) bool {
	return slices.ContainsFunc(digitRun.FindAllString(text, -1), func(digits string) bool {
		n, err := strconv.Atoi(digits)
		return err == nil && len(digits) <= 3 && n >= least
	})
}

// spaced is a text in small letters in which one kind of blank and of hyphen is written.
func spaced(text string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r':
			return '\n'
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Pd, r):
			return '-'
		}
		return r
	}, text))
}

// finds says whether a word stands somewhere in a text without being negated. Words of up to three letters are whole
// words; longer ones may go on.
func (p *Profile) finds(text, word string) bool {
	for rest, at := text, 0; ; {
		i := strings.Index(rest, word)
		if i < 0 {
			return false
		}
		end := at + i + len(word)
		whole := len(word) > 3 || end == len(text) || !isWordByte(text[end])
		if startsWord(text, at+i) && whole && !p.negated(text[:at+i]) {
			return true
		}
		at = end
		rest = text[at:]
	}
}

func isWordByte(c byte) bool { return c == '\'' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func startsWord(text string, at int) bool {
	return at == 0 || !isWordByte(text[at-1])
}

// negated: a negation stands among the four words before, eight after an 'or', in the same clause. 'But' and 'then'
// begin another.
func (p *Profile) negated(before string) bool {
	if cut := strings.LastIndexAny(before, ".;,?\n"); cut >= 0 {
		before = before[cut+1:]
	}
	for _, turn := range []string{" but ", " however ", " then ", " now "} {
		if cut := strings.LastIndex(before, turn); cut >= 0 {
			before = before[cut+len(turn):]
		}
	}
	words, reach := strings.Fields(before), 4
	if n := len(words); n > 0 && (words[n-1] == "or" || words[n-1] == "nor") {
		reach = 8
	}
	for _, word := range words[max(0, len(words)-reach):] {
		if containsWords(p.Mentions.Negations, strings.Trim(word, ":()'\"/")) {
			return true
		}
	}
	return false
}
