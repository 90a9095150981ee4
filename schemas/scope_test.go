package schemas_test

import (
	"slices"
	"testing"

	"footbridge/schemas"
)

func TestAReasonIsOfSubstance(t *testing.T) {
	t.Parallel()
	for reason, good := range map[string]bool{
		"": false, "x": false, "xxxxxxxxxxxx": false, "x x x x x x x x": false, "aaaaa aaaaaa aaaaaa": false,
		"test test test": false, "the reason is this": false,
		"n/a n/a n/a n/a": false, "..............": false, "looking looking": false, "treating-now": true,
		"called about tonight": true, "ringing back": true,
		"the number is 9990000018": false, "write to a@example.org please": false, "she is on our ward tonight": true,
		"placeholder text here": false,
	} {
		if fault := schemas.ReasonFault(reason); (fault == "") != good {
			t.Errorf("%q: %q", reason, fault)
		}
	}
}

func TestOneRuleSaysWhatARoleReaches(t *testing.T) {
	t.Parallel()
	const why = "treating them tonight"
	type reach struct{ own, foreign, foreignForAReason bool }
	for role, want := range map[schemas.Role]reach{
		schemas.SendingTeam: {true, false, false}, schemas.YoungPeoplesClinician: {true, false, false},
		schemas.Navigator: {true, false, false}, schemas.TreatingStaff: {true, false, true},
		schemas.Operator: {true, true, true}, schemas.System: {true, false, false},
		schemas.Partner: {}, schemas.Commissioner: {}, schemas.Person: {}, schemas.Guest: {}, "": {},
	} {
		s := schemas.ScopeOf(role, "RXX", "subject")
		if got := (reach{s.Home("RXX"), s.Reads("x").Home("RYY"), s.Reads(why).Home("RYY")}); got != want {
			t.Errorf("%s: %+v, want %+v", role, got, want)
		}
		if (s.Person != "") != (role == schemas.Person) || s.ByOffer != (role == schemas.Partner) ||
			s.Organisations == nil {
			t.Errorf("%s: %+v", role, s)
		}
	}
}

func TestNoURLCarriesAReasonOrAName(t *testing.T) {
	t.Parallel()
	for _, r := range schemas.Routes() {
		for _, name := range []string{"reason", "name", "nhsNumber", "person", "postcode"} {
			if slices.Contains(r.Query(), name) {
				t.Errorf("%s takes %s in its URL", r.Mux(), name)
			}
		}
	}
}
