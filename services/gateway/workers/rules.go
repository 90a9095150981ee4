package workers

import (
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"footbridge/schemas"
)

const rolePartner = string(schemas.Partner)

const (
	// tokenLength is 160 bits, codeLength 40: nobody guesses a code in the few tries there are.
	tokenLength, codeLength = 32, 8

	// linkLasts is from asking; pendingLasts from using the link, and from the second factor for changing one's own.
	linkLasts    = 15 * time.Minute
	pendingLasts = 10 * time.Minute
	// codeLasts is how long a code that was told may be used.
	codeLasts = 24 * time.Hour

	// Links to one address that somebody may ask for from one place, in linkLasts and in a day, and everybody together
	// in a day. Beyond that there is one whenever none is waiting that was asked for within freshFor and not used: no
	// crowd of requests keeps the worker out, as whoever asked for a link, it opens for whoever has the mailbox.
	mostLinks, mostLinksADay, mostLinksByAll = 3, 20, 60
	freshFor                                 = 10 * time.Minute
	// Wrong second factors in one sign-in, and of one worker in wrongLasts.
	mostWrong, mostWrongInAll = 5, 10
	wrongLasts                = time.Hour

	// signInKept is how long it is remembered that somebody asked.
	signInKept = 48 * time.Hour
	// mostWorkers of one partner, mostPasskeys of one worker.
	mostWorkers, mostPasskeys = 200, 10
)

func isDigits(code string) bool { return len(code) == 6 && strings.Trim(code, "0123456789") == "" }

// normalMail is an address in the one way in which it is looked up; ok is false for what is none.
func normalMail(text string) (address string, ok bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || len(text) > 254 || strings.ContainsFunc(text, unicode.IsControl) {
		return "", false
	}
	return text, true
}

// line is one line of text of at most so many characters, without blanks around it.
func line(text string, most int) (string, bool) {
	text = strings.TrimSpace(text)
	return text, utf8.ValidString(text) && utf8.RuneCountInString(text) <= most &&
		!strings.ContainsFunc(text, unicode.IsControl)
}

// Verdict is why something about a worker is not done; empty: it is.
type Verdict string

// Why something is not done.
const (
	Fine          Verdict = ""
	Foreign       Verdict = "foreign"        // it looks as if it were not there
	HeldElsewhere Verdict = "held-elsewhere" // the agreement is another organisation's
	NotFirst      Verdict = "not-first"      // the partner has workers: it adds its own
	Oneself       Verdict = "oneself"        // a colleague or a navigator does that
	Taken         Verdict = "taken"          // the address is somebody's here already
	TooMany       Verdict = "too-many"       //
	BadAddress    Verdict = "bad-address"    //
	BadName       Verdict = "bad-name"       //
	BadPhone      Verdict = "bad-phone"      //
	NotFound      Verdict = "not-found"      //
)

// act is what somebody would do about the workers of a partner.
type act int

const (
	list act = iota
	add
	giveCode
	changeMail
	end
)

// may says whether somebody of a role and organisation may do it. self: it is about themselves; ready: how many of the
// partner's workers can sign in by themselves. A navigator adds the first, with the agreement, and helps whoever cannot
// help themselves; a partner's own workers do the rest, but nobody gives themselves a new key: whoever sits at a screen
// that somebody left would.
func may(do act, role schemas.Role, organisation, partner string, self bool, ready int) Verdict {
	switch {
	case role == schemas.Navigator:
		if do == add && ready > 0 {
			return NotFirst
		}
		return Fine
	case role != schemas.Partner || organisation != partner:
		return Foreign
	case self && (do == giveCode || do == changeMail):
		return Oneself
	}
	return Fine
}

// locked says whether too many wrong second factors were shown for anybody to be believed now.
func locked(wrong int, since *time.Time, now time.Time) bool {
	return since != nil && now.Sub(*since) < wrongLasts && wrong >= mostWrongInAll
}

// stepOf is the step of an authenticator at a time.
func stepOf(now time.Time) int64 { return now.Unix() / 30 }

// wait is how long it is until a mail that was not taken is tried again.
func wait(tries int) time.Duration { return min(time.Second<<min(tries, 6), time.Minute) }
