package gateway

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Whoever holds the link in a partner's mail is nobody but that, whoever signed in on the same device. What the link
// opens is delivery's to say; the token goes no further than there. One that opens nothing is somebody's to an offer
// that there is none of, so that it is answered by the same parts, and with the same page, as one that did.

// noOffer is what a link is to that opens nothing.
const noOffer = "00000000-0000-0000-0000-000000000000"

// longestToken is how long what somebody typed for a token may be, in bytes.
const longestToken = 200

// asLink is the principal of whoever holds the link of a request. As for every public page it is bounded how often one
// address may ask at all, before anybody else is asked.
func (g *Gateway) asLink(r *http.Request) (principal.Principal, error) {
	if err := g.unknown.Check(r); err != nil {
		return principal.Principal{}, err
	}
	opened, err := g.opened(r)
	if err != nil {
		return principal.Principal{}, err
	}
	p := principal.Principal{Organisation: opened.Partner, Role: string(schemas.OfferLink), Subject: opened.Offer}
	if !p.Valid() {
		p.Organisation, p.Subject = noOffer, noOffer
		return p, nil
	}
	return p, g.people.Check(r.WithContext(principal.With(r.Context(), p)))
}

// opened asks delivery, as the gateway itself, which offer the link of a request is to.
func (g *Gateway) opened(r *http.Request) (opened schemas.LinkOpened, err error) {
	token := r.PathValue("token")
	if len(token) > longestToken || !utf8.ValidString(token) || strings.ContainsFunc(token, unreadable) {
		token = "" // opens nothing, as any other that is none
	}
	status, err := g.exchange(r.Context(), itself, schemas.Delivery, http.MethodPost, schemas.OpenLink,
		schemas.LinkAsked{Token: token}, &opened)
	if err != nil || status != http.StatusOK {
		return schemas.LinkOpened{}, unavailable(schemas.Delivery).Because(err)
	}
	return opened, nil
}

// unreadable are letters that no service takes in a text.
func unreadable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

// withoutToken is a request as it goes on: where a link leads is said by the principal, and the token stops here like
// every credential.
func withoutToken(r *http.Request) {
	path := strings.Replace(schemas.LinkPattern, "{token}", "-", 1)
	r.URL.Path, r.URL.RawPath, r.RequestURI = path, "", path
}

// guesses bounds how often an address may open what is no link: a page that was not found is then one that is to be
// waited for. A link that opens something passes, whoever else is behind the same address.
type guesses struct {
	http.ResponseWriter
	request *http.Request
	limiter *httpx.Limiter
}

// WriteHeader implements http.ResponseWriter.
func (g guesses) WriteHeader(status int) {
	if status == http.StatusNotFound {
		var p *httpx.Problem
		if errors.As(g.limiter.Check(g.request), &p) {
			g.Header().Set("Retry-After", p.Header.Get("Retry-After"))
			status = p.Status
		}
	}
	g.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (g guesses) Unwrap() http.ResponseWriter { return g.ResponseWriter }
