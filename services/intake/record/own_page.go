package record

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"footbridge/libs/written"
	"footbridge/schemas"
)

// A person who wants one gets a page of their own, by a code on paper and a word that they chose. Whoever comes with
// both is not proven to be them: so the page shows little, tells nobody's name, and what is said there is asked again.

// What a code and a word are bounded by (domain: the page of the person).
const (
	// OwnPageLasts is how long a code holds.
	OwnPageLasts = 30 * 24 * time.Hour
	// OwnPageWrong is how many wrong words end a code, in its whole life: nobody who holds the paper tries on.
	OwnPageWrong = 10
	// A session ends after so long without a request, and at the latest after so long.
	OwnPageIdle, OwnPageSession = 10 * time.Minute, 30 * time.Minute

	// codeLength is 60 bits.
	codeLength                = 12
	shortestWord, longestWord = 4, 40
)

// Why a page was stopped.
const (
	StoppedByHand   = "by-hand"    // by staff, or by the person on the page
	StoppedReplaced = "replaced"   // by a new code
	StoppedGuessed  = "word-tries" // too many wrong words
)

// OwnPageCode writes 60 random bits as they stand on the paper: three groups of four, in capitals.
func OwnPageCode(random []byte) string {
	return strings.ToUpper(written.InFours(written.CodeOf(random, codeLength)))
}

// ReadOwnPageWord reads a word however it was typed: letters and digits alone, in small letters.
func ReadOwnPageWord(typed string) string {
	if len(typed) > 4*longestWord {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, written.Line(typed))
}

// OwnPageWordFault says why a word cannot be taken, or nothing. What others know of the person is no word of theirs.
func OwnPageWordFault(typed string, who Identity) string {
	word := ReadOwnPageWord(typed)
	length := utf8.RuneCountInString(word)
	first, _ := utf8.DecodeRuneInString(word)
	switch {
	case length < shortestWord || length > longestWord:
		return "The word has to have 4 to 40 letters or digits."
	case strings.Trim(word, string(first)) == "":
		return "Choose a word that is not one letter again and again."
	}
	for _, known := range []string{who.GivenName, who.FamilyName, who.GivenName + who.FamilyName, who.Postcode,
		who.NHSNumber, who.Phone} {
		if known = ReadOwnPageWord(known); known != "" && word == known {
			return "Choose a word that others cannot know: not a name, a number or a postcode of theirs."
		}
	}
	if born, err := time.Parse(time.DateOnly, who.BirthDate); err == nil {
		for _, layout := range []string{"2006", "02012006", "020106", "20060102", "212006"} {
			if word == born.Format(layout) {
				return "Choose a word that others cannot know: not their date of birth."
			}
		}
	}
	return ""
}

// OwnPage is a page that was given to somebody.
type OwnPage struct {
	ID, Journey, Person string
	GivenBy             string // the role of who gave it
	GivenAt, EndsAt     time.Time
	OpenedAt, StoppedAt *time.Time
	StoppedWhy          string
	Wrong               int
}

// Stands says that a code has not ended and was not stopped.
func (p OwnPage) Stands(now time.Time) bool { return p.StoppedAt == nil && now.Before(p.EndsAt) }

// OwnPageHolder is what deciding about a page takes of whom it is about.
type OwnPageHolder struct {
	Guard            Guard
	Deceased, Erased bool
	Unplaced         bool // it came from where nobody has agreed
	Doubtful         bool // another record was merged with theirs, and no human has confirmed it
}

// MayHaveOwnPage says why somebody may have no page, or nothing. Of somebody under 18 a young people's clinician
// decides, and only where they answer for themselves.
func MayHaveOwnPage(h OwnPageHolder) string {
	switch {
	case h.Erased, h.Deceased:
		return "There is nothing to hand out: what was kept of the person is gone, or a death was reported."
	case h.Unplaced:
		return "It is not agreed which organisation this came from. Place it first."
	case h.Doubtful:
		return "Two records were joined, and nobody has confirmed yet that they are one person. Confirm it first, " +
			"so that nobody reads what is another's."
	case h.Guard.First:
		return "The person is under 18, or their age is not known. First a young people's clinician records who may " +
			"be asked."
	case h.Guard.Answers != "" && h.Guard.Answers != schemas.AnswersPerson:
		return "A young people's clinician recorded that somebody else answers for them. A page is for a person " +
			"who answers for themselves."
	}
	return ""
}

// MayHaveLetter says why nothing is printed for somebody, or nothing. What they are handed shows less than a page does,
// so that a doubt about whose record it is stops it, and who answers for them does not.
func MayHaveLetter(h OwnPageHolder) string {
	h.Guard.Answers = ""
	return MayHaveOwnPage(h)
}

// SessionHolds says whether a session that began and was last used at these times holds.
func SessionHolds(began, seen, now time.Time) bool {
	return now.Sub(began) < OwnPageSession && now.Sub(seen) < OwnPageIdle
}
