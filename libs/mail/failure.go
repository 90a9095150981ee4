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
	// AboutPolicy: a server on the way refused it for reasons of its own (a blocklist, SPF, DMARC, what stands in it,
	// too much at once). One answer does not tell whether it refuses all of ours or what goes to this address alone,
	// and it says nothing of whether the address takes mail.
	AboutPolicy About = "policy"
	// AboutUs: our server cannot be reached, does not let us in, or does not take us as a sender. Nothing else would go
	// either, and nothing is said of anybody's address.
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
	if f.About = aboutWhom(f.Code, f.Enhanced, sent.Reason == gomail.ErrSMTPRcptTo,
		err.Error()); f.About == AboutPolicy &&
		sent.Reason == gomail.ErrSMTPMailFrom {
		f.About = AboutUs // before it was said for whom it is
	}
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

// ofPolicy are the words in which servers say that it is because of what they think of us, or of the mail.
var ofPolicy = regexp.MustCompile(
	`(?i)\b(block(ed|list\w*)?|black ?list\w*|spam\w*|spf|dkim|dmarc|relay\w*|reputation|` +
		`policy|rate|throttl\w*|too many|denied|listed|unauthenticated|not authori[sz]ed)\b`)

// aboutWhom says about whom an answer is: by its enhanced code where there is one, else by when it came and its words.
// What could be a policy is one: an address that is wrongly taken for dead would hear of nobody any more.
func aboutWhom(code int, enhanced string, toRecipient bool, words string) About {
	class, rest, _ := strings.Cut(enhanced, ".")
	switch {
	case code == 0 || code == 421:
		return AboutUs
	case code < 500:
		if ofPolicy.MatchString(words) && !strings.Contains(strings.ToLower(words), "greylist") {
			return AboutPolicy
		}
		return AboutMoment
	case rest == "2.2" || rest == "2.3": // full, or this one is too large for it
		return AboutMoment
	case class == "5" && (rest == "1.7" || rest == "1.8"): // the sender's address
		return AboutPolicy
	case class == "5" && (strings.HasPrefix(rest, "1.") || rest == "2.0" || rest == "2.1"):
		return AboutAddress
	case class == "5" && enhanced != "5.0.0" && enhanced != "5.5.0":
		return AboutPolicy
	case toRecipient && (code == 550 || code == 551 || code == 553) && !ofPolicy.MatchString(words):
		return AboutAddress
	}
	return AboutPolicy
}

// AboutStatus says about whom a report that came back is, by its enhanced code.
func AboutStatus(enhanced string) About { return aboutWhom(550, enhanced, true, "") }
