package mail

import (
	"errors"
	"regexp"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// About says whom a failure is about.
type About string

// Whom a failure is about.
const (
	// AboutAddress: the recipient's address takes no mail, now or later.
	AboutAddress About = "address"
	// AboutMoment: it may be taken later; nothing is said of the address or of us.
	AboutMoment About = "later"
	// AboutUs: our server cannot be reached, does not let us in, or is refused because of who we are (a blocklist, SPF,
	// too much at once). It says nothing of anybody's address.
	AboutUs About = "us"
)

// Failure is why a mail was not taken. Its text holds no address.
type Failure struct {
	About About
	// Code is the server's answer, 0 where there was none; Enhanced as RFC 3463 has it, such as 5.1.1.
	Code     int
	Enhanced string
	cause    error
}

func (f *Failure) Error() string { return "handing a mail over: " + f.cause.Error() }

func (f *Failure) Unwrap() error { return f.cause }

// FailureOf is the Failure in an error, if there is one.
func FailureOf(err error) (f *Failure, ok bool) {
	ok = errors.As(err, &f)
	return f, ok
}

// failureOf reads what the library returns, with addresses left out.
func failureOf(err error) *Failure {
	f := &Failure{About: AboutUs, cause: without(err)}
	var sent *gomail.SendError
	if !errors.As(err, &sent) {
		return f // the line, TLS or the sign-in
	}
	f.Code, f.Enhanced = sent.ErrorCode(), sent.EnhancedStatusCode()
	f.About = aboutWhom(f.Code, f.Enhanced, sent.Reason == gomail.ErrSMTPRcptTo, err.Error())
	return f
}

// anAddress is whatever looks like one, the ids of messages too.
var anAddress = regexp.MustCompile(`[^\s<>"',;:()]+@[^\s<>"',;:()]+`)

// without takes addresses out of an error's text: servers write them in their own way, and name others.
func without(err error) error {
	text := anAddress.ReplaceAllString(err.Error(), "(address)")
	if len(text) > 500 {
		text = text[:500]
	}
	return errors.New(text)
}

// ofUs are the words in which servers say that it is because of us.
var ofUs = regexp.MustCompile(`(?i)\b(block(ed|list\w*)?|black ?list\w*|spam\w*|spf|dkim|dmarc|relay\w*|reputation|` +
	`policy|rate|throttl\w*|too many|denied|listed|unauthenticated|not authori[sz]ed)\b`)

// aboutWhom says about whom an answer is: by its enhanced code where there is one, else by when it came and its words.
// What could be about us is: an address that is wrongly taken for dead would hear of nobody any more.
func aboutWhom(code int, enhanced string, toRecipient bool, words string) About {
	class, rest, _ := strings.Cut(enhanced, ".")
	switch {
	case code == 0 || code == 421:
		return AboutUs
	case code < 500:
		if ofUs.MatchString(words) && !strings.Contains(strings.ToLower(words), "greylist") {
			return AboutUs
		}
		return AboutMoment
	case rest == "2.2" || rest == "2.3": // full, or this one is too large for it
		return AboutMoment
	case class == "5" && (rest == "1.7" || rest == "1.8"): // the sender's address
		return AboutUs
	case class == "5" && (strings.HasPrefix(rest, "1.") || rest == "2.0" || rest == "2.1"):
		return AboutAddress
	case class == "5" && enhanced != "5.0.0" && enhanced != "5.5.0":
		return AboutUs
	case toRecipient && (code == 550 || code == 551 || code == 553) && !ofUs.MatchString(words):
		return AboutAddress
	}
	return AboutUs
}

// AboutStatus says about whom a report that came back is, by its enhanced code.
func AboutStatus(enhanced string) About { return aboutWhom(550, enhanced, true, "") }
