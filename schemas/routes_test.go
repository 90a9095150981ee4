package schemas_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"footbridge/schemas"
)

func TestEveryRouteSaysWhoMayAsk(t *testing.T) {
	t.Parallel()
	for _, r := range schemas.Routes() {
		if r.Public != (len(r.Roles) == 0) {
			t.Errorf("%s is public and has roles, or neither", r.Mux())
		}
		for _, role := range r.Roles {
			if !slices.Contains(schemas.Roles(), role) {
				t.Errorf("%s allows %q, which is no role", r.Mux(), role)
			}
		}
		if r.Public && r.Method != http.MethodGet {
			t.Errorf("%s lets anybody change something", r.Mux())
		}
		if slices.Contains(r.Roles, schemas.Guest) && !r.ByToken() && r.Mux() != "POST /api/referrals" {
			t.Errorf("%s is open to guests, who may ask for support and nothing else", r.Mux())
		}
		if !slices.Contains(services, r.Service) || !strings.HasSuffix(r.Meaning, ".") {
			t.Errorf("%s has no service or no meaning", r.Mux())
		}
	}
}

func TestRoutesFitTogetherInOneMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, r := range schemas.Routes() {
		mux.Handle(r.Mux(), http.NotFoundHandler()) // panics where two patterns conflict
	}
	count := 0
	for _, service := range services {
		count += len(schemas.RoutesOf(service))
	}
	if count != len(schemas.Routes()) {
		t.Errorf("%d routes belong to services, of %d", count, len(schemas.Routes()))
	}
}

// The domain's table: an operator and a commissioner see nobody, treating staff state a reason.
func TestAccessFollowsTheDomain(t *testing.T) {
	t.Parallel()
	for _, a := range schemas.AccessTable() {
		nobody := slices.Contains([]schemas.Role{schemas.Operator, schemas.Commissioner, schemas.System, schemas.Guest,
			schemas.OfferLink}, a.Role)
		if a.Identity == nobody || a.Identity != (a.Condition != "") {
			t.Errorf("%s may read who a person is: %v, if %q", a.Role, a.Identity, a.Condition)
		}
		if a.Reason != (a.Role == schemas.TreatingStaff) {
			t.Errorf("%s states a reason: %v", a.Role, a.Reason)
		}
		if a.Who == "" || a.Sees == "" || a.Does == "" || a.Never == "" {
			t.Errorf("%s is not described", a.Role)
		}
	}
	for _, r := range schemas.Routes() {
		if r.Service == schemas.Journey && (r.Allows(schemas.Partner) || r.Allows(schemas.Commissioner)) {
			t.Errorf("%s shows a journey to a partner or commissioner", r.Mux())
		}
	}
}

func TestAttributesAreAClosedList(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, key := range schemas.AllowedAttributes {
		if seen[key] {
			t.Errorf("%s is listed twice", key)
		}
		seen[key] = true
		if identity.MatchString(key) && !strings.HasSuffix(key, ".name") && key != schemas.AttrServerAddress &&
			key != schemas.AttrAddress {
			t.Errorf("%s could identify somebody", key)
		}
	}
	if schemas.AllowedOnMetrics(schemas.AttrJourney) || !schemas.AllowedOnMetrics(schemas.AttrEventType) {
		t.Error("a metric may carry a type, and never a journey")
	}
	if schemas.AllowedOnMetrics("person") {
		t.Error("a name that is not in the list is allowed")
	}
}
