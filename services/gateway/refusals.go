package gateway

import (
	"errors"
	"net/http"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// kind is one reason for which the gateway turns somebody away: a name for programs, and words for people.
type kind struct {
	name, title, words string
	status             int
}

var (
	otherSite = kind{"other-site", "This did not come from a page of Footbridge",
		"It was sent from another site, or from a page that is not open here any more, so nothing was done. Open " +
			"Footbridge itself and send it from there.", http.StatusForbidden}
	notSignedIn = kind{"not-signed-in", "Please sign in",
		"You are not signed in here, so nothing was done. Sign in and send it again.", http.StatusUnauthorized}
	signedOut = kind{"signed-out", "You have signed out",
		"This session was ended by signing out, so nothing was done. Sign in again to go on. What was recorded " +
			"before is kept.", http.StatusUnauthorized}
	idleTooLong = kind{"session-idle", "You were signed out because nothing was done for a while",
		"After 30 minutes without doing anything you are signed out, so that nobody else acts in your name. Nothing " +
			"was done now, and what was recorded before is kept. Sign in and send it again.", http.StatusUnauthorized}
	shiftOver = kind{"session-over", "You have been signed in for 12 hours",
		"After that time you are asked to sign in again. Nothing was done now, and what was recorded before is kept. " +
			"Sign in and send it again.", http.StatusUnauthorized}
	notVouched = kind{"not-vouched", "Please sign in again",
		"The service by which you signed in does not say any more that you are this, so nothing was done. Sign in " +
			"again; " +
			"if that does not help, ask whoever gives out access. What was recorded before is kept.",
		http.StatusUnauthorized}
	cannotSay = kind{"sign-in-unavailable", "We cannot look up who is signed in just now",
		"Nothing you did is wrong, and nothing was done. Please try again in a minute. You are still signed in.",
		http.StatusServiceUnavailable}
	formOfAnother = kind{"form-of-another", "This form was opened as somebody else",
		"Somebody else is signed in now than when this form was opened, so nothing was done. What was entered is kept.",
		http.StatusConflict}
	notForYou = kind{"not-for-role", "This page is not open to you",
		"This is not open to your role. Ask your organisation's administrator if it should be.", http.StatusForbidden}
	unknownCaller = kind{"not-known", "Please sign in",
		"It is not known who is asking. Sign in, or send the token or certificate that was agreed.",
		http.StatusUnauthorized}
)

// problemPrefix begins the type of each problem of this service.
const problemPrefix = "urn:footbridge:problem:"

func (k kind) problem(cause error) *httpx.Problem {
	p := httpx.NewProblem(k.status, k.words).Because(cause)
	p.Type, p.Title = problemPrefix+k.name, k.title
	switch k.status {
	case http.StatusUnauthorized:
		p.Header = http.Header{"Www-Authenticate": {"Bearer"}}
	case http.StatusServiceUnavailable:
		p.Header = http.Header{"Retry-After": {"60"}}
	}
	return p
}

// whoIsMissing says why it is not known who is asking. Whoever sent a token, or comes as a program, is told so shortly.
func whoIsMissing(err error, form bool) kind {
	switch {
	case errors.Is(err, errSessionEnded):
		return signedOut
	case errors.Is(err, errSessionIdle):
		return idleTooLong
	case errors.Is(err, errSessionOver):
		return shiftOver
	case errors.Is(err, errNotVouched):
		return notVouched
	case form && (errors.Is(err, principal.ErrNone) || errors.Is(err, errSessionUnknown)):
		return notSignedIn
	}
	return unknownCaller
}

// unanswered says whether a source could not find out who is asking, which is not the asker's doing.
func unanswered(err error) bool {
	return err != nil && !errors.Is(err, principal.ErrNone) && !errors.Is(err, principal.ErrRefused)
}
