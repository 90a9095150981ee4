package delivery

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// minted is a token to an offer that opens for an hour.
func (s *site) minted(offer, partner string) (token string) {
	s.t.Helper()
	if err := s.flow.Do(s.t.Context(), func(tx *flow.Tx) error {
		token = s.mint(tx, offer, partner, tx.Now.Add(time.Hour))
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	return token
}

func TestALinkIsKeptAsAHashAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{})
	partner := clock.NewRandomID()
	_, offer := s.offers(partner)
	first, second := s.minted(offer, partner), s.minted(offer, partner)
	if len(first) != 26 || first == second || strings.ToLower(first) != first || strings.ContainsAny(first, "ilou.-/") {
		t.Errorf("tokens are %q and %q", first, second)
	}
	var kept, clear int
	if err := s.pool.QueryRow(t.Context(), `select count(*), count(*) filter (where link::text ilike '%' || $1 || '%'
		or link::text ilike '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%')
		from link where token = any($2)`, first,
		[][]byte{hashToken(first), hashToken(second)}).Scan(&kept, &clear); err != nil {
		t.Fatal(err)
	}
	if kept != 2 || clear != 0 {
		t.Errorf("%d links are kept, %d in clear", kept, clear)
	}
}

// opened is what a token opens, as the gateway asks for it.
func (s *site) opened(role schemas.Role, token string) (opened schemas.LinkOpened, status int) {
	s.t.Helper()
	mux := httpx.NewMux(httpx.Options{})
	mux.Use(principal.Require(principal.Fixed(principal.Principal{Organisation: "footbridge", Role: string(role),
		Subject: schemas.Gateway})))
	if err := s.Routes(mux, s.pool); err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(s.t.Context(), "POST", schemas.OpenLink,
		strings.NewReader(`{"token":"`+token+`"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &opened); err != nil {
			s.t.Fatal(err)
		}
	}
	return opened, w.Code
}

func TestALinkOpensItsOfferUntilItsTimeToTheGatewayAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{})
	partner := clock.NewRandomID()
	_, offer := s.offers(partner)
	token := s.minted(offer, partner)
	for _, typed := range []string{token, strings.ToUpper(token)} {
		want := schemas.LinkOpened{Offer: offer, Partner: partner}
		if got, _ := s.opened(schemas.ServiceItself, typed); got != want {
			t.Errorf("a link opens %v", got)
		}
	}
	for _, role := range schemas.Roles() {
		if _, status := s.opened(role, token); status != http.StatusNotFound {
			t.Errorf("%s is told which offer a link is to: %d", role, status)
		}
	}
	s.clock.Set(time.Hour)
	for what, other := range map[string]string{"one whose time is over": token, "an unknown one": "abc", "none": ""} {
		got, status := s.opened(schemas.ServiceItself, other)
		if got != (schemas.LinkOpened{}) || status != http.StatusOK {
			t.Errorf("%s opens %v, %d", what, got, status)
		}
	}
	kept := func() (n int) {
		if err := s.pool.QueryRow(t.Context(), `select count(*) from link`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.due("links")
	if n := kept(); n != 1 {
		t.Errorf("%d links are kept", n)
	}
	s.clock.Set(time.Hour + keepLinks)
	s.due("links")
	if n := kept(); n != 0 {
		t.Errorf("%d links are kept for ever", n)
	}
}

// TestAnAnswerIsConfirmedToThePartnersContact: a link may have been given on, so that whoever is mailed hears that an
// answer has come, with a link by which it is taken back; the mail does not say which answer.
func TestAnAnswerIsConfirmedToThePartnersContact(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.post()
	accepted, first := m.offers(m.partner)
	declined, second := m.offers(m.partner)
	m.comes(mailSent, 2)
	m.hears(accepted, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: first, Partner: m.partner})
	m.hears(declined, schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: second, Reason: "no-place"})
	m.comes(mailSent, 4)
	for _, one := range m.posted()[2:] {
		text, rest, found := strings.Cut(one.Text, "https://footbridge.example/p/")
		token, after, _ := strings.Cut(rest, "\n")
		if one.Subject != "Your answer has come" || one.To != deskAddress || !found ||
			len(strings.TrimSpace(token)) != 26 {
			t.Errorf("it is confirmed to %s by %q: %s", one.To, one.Subject, one.Text)
		}
		for _, never := range []string{first, second, "no-place", "accept", "declin", "yes"} {
			if strings.Contains(strings.ToLower(text+after), never) {
				t.Errorf("the mail says %q: %s", never, one.Text)
			}
		}
	}
}
