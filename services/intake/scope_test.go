package intake

import (
	"net/http"
	"strings"
	"testing"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Every read of a journey, as every role that may ask, of its own and of another organisation: by one rule. What is not
// there and what may not be seen look alike.
func TestOrganisationsAreWalledOffAlikeOnEveryRoute(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	grown, person := p.discharge(t, "V1", "L1", "1990-04-01")
	child, _ := p.discharge(t, "V2", "L2", "2014-04-01")
	const none, why = "11111111-1111-4111-8111-111111111111", "on our ward tonight"
	for _, route := range schemas.RoutesOf(Name) {
		if route.Method != http.MethodGet || !strings.Contains(route.Pattern, "/journeys/{id}") &&
			!strings.Contains(route.Pattern, "{ref}") {
			continue
		}
		journey := grown
		at := func(id string) string {
			if id == "" {
				id = journey
				if strings.Contains(route.Pattern, "{ref}") {
					id = person
				}
			}
			return strings.NewReplacer("{id}", id, "{ref}", id).Replace(route.Pattern)
		}
		for _, role := range route.Roles {
			journey = grown
			home := principal.Principal{Organisation: "RXX", Role: string(role), Subject: "one"}
			foreign := principal.Principal{Organisation: "RYY", Role: string(role), Subject: "one"}
			wantHome, wantForeign, wantBare := http.StatusOK, http.StatusNotFound, http.StatusNotFound
			switch role {
			case schemas.TreatingStaff:
				wantForeign = http.StatusOK
			case schemas.Partner, schemas.Person:
				wantHome = http.StatusNotFound
			case schemas.YoungPeoplesClinician:
				p.must(t, http.StatusNotFound, home, "GET", at(""), "", ReasonHeader, why) // an adult
				journey = child
			}
			for name, tc := range map[string]struct {
				who      principal.Principal
				path     string
				reason   string
				expected int
			}{
				"home, why":       {home, at(""), why, wantHome},
				"foreign, why":    {foreign, at(""), why, wantForeign},
				"foreign, no why": {foreign, at(""), "x", wantBare},
				"nothing there":   {foreign, at(none), why, http.StatusNotFound},
			} {
				if status, said := p.ask(t, tc.who, "GET", tc.path, "", ReasonHeader,
					tc.reason); status != tc.expected {
					t.Errorf("%s as %s, %s: %d %s, want %d", route.Mux(), role, name, status, said, tc.expected)
				}
			}
		}
		p.must(t, http.StatusBadRequest, guide, "GET", at("")+"?reason=on-our-ward-tonight", "")
	}
	if n := p.count(t, `select count(*) from intake.outbox where payload::text like '%person.seen.v1%'`); n != 2 {
		t.Errorf("%d looks from elsewhere are told to the journey's organisation", n)
	}
}
