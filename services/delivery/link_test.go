package delivery

import (
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
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
		or link::text ilike '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%') from link where token = any($2)`, first,
		[][]byte{hashToken(first), hashToken(second)}).Scan(&kept, &clear); err != nil {
		t.Fatal(err)
	}
	if kept != 2 || clear != 0 {
		t.Errorf("%d links are kept, %d in clear", kept, clear)
	}
}

func TestATokenIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	token := "01" + strings.Repeat("ab7", 8)
	for _, typed := range []string{strings.ToUpper(token), "ol" + token[2:], "OI" + token[2:], token + ".",
		token[:4] + "-" + token[4:8] + " " + token[8:]} {
		if string(hashToken(typed)) != string(hashToken(token)) {
			t.Errorf("%q is not taken for %q", typed, token)
		}
	}
	if string(hashToken(token[1:])) == string(hashToken(token)) {
		t.Error("a token without its first character is taken for it")
	}
}
