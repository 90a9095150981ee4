package delivery

import (
	"fmt"
	"net/http"
	"testing"

	"footbridge/libs/clock"
	"footbridge/schemas"
)

// TestWhatAPartnerWasToldIsListedOnceItWasGivenOut: looking gives nothing out, so that it can still be taken back.
func TestWhatAPartnerWasToldIsListedOnceItWasGivenOut(t *testing.T) {
	t.Parallel()
	s, partner, other := newSite(t, Config{}), clock.NewRandomID(), clock.NewRandomID()
	_, first := s.offers(partner)
	list := func(who, query string) (items []given, next string) {
		t.Helper()
		var p struct {
			Items []given
			Next  string
		}
		if status := s.ask(who, "GET", "/api/told"+query, "", &p); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
		return p.Items, p.Next
	}
	for range 2 {
		if got, _ := list(partner, ""); len(got) != 0 {
			t.Errorf("what nobody has read yet is listed as told: %v", got)
		}
	}
	_, second := s.offers(partner)
	s.fed(partner)
	got, next := list(partner, "?limit=1")
	if len(got) != 1 || got[0].Offer != second || got[0].Type != string(schemas.OfferSent) || got[0].GivenAt.IsZero() {
		t.Errorf("the newest is %+v, not offer %s", got, second)
	}
	rest, none := list(partner, "?limit=1&cursor="+next)
	if len(rest) != 1 || rest[0].Offer != first || none != "" {
		t.Errorf("the next is %+v, then %q", rest, none)
	}
	if got, _ := list(other, ""); len(got) != 0 {
		t.Errorf("another partner is told of %+v", got)
	}
	if status := s.ask(partner, "GET", fmt.Sprintf("/api/told?cursor=%s", "bm90"), "", nil); status != 400 {
		t.Errorf("a cursor that is none: %d", status)
	}
}
