package intake

import (
	"net/http"
	"strings"
	"testing"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

var guest = principal.Principal{Organisation: "RXX", Role: string(schemas.Guest), Subject: string(schemas.Guest)}

func TestAGuestLearnsNothingAndOpensNothingByWhatTheyClaim(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.discharge(t, "V1", "L1", "1990-04-01")
	known := `{"route":"self","visit":"V1","person":{"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01"},
		"safeContact":{"channel":"text","value":"07700 900777","confirmed":true},
		"consents":[{"purpose":"follow-up","given":true,"how":"written","organisation":"` + ours.Organisation + `"}]}`
	unknown := `{"route":"self","person":{"familyName":"Nobody","givenName":"Known","birthDate":"1991-04-01"}}`
	one, two := p.must(t, http.StatusAccepted, guest, "POST", "/api/referrals", known),
		p.must(t, http.StatusAccepted, guest, "POST", "/api/referrals", unknown)
	if one != two || one != p.must(t, http.StatusAccepted, guest, "POST", "/api/referrals", known, "Idempotency-Key",
		"another") {
		t.Errorf("answers differ: %s and %s", one, two)
	}
	types, journeys := p.outbox(t)
	expect(t, types, "discharge.recorded", "referral.requested", "referral.requested", "referral.requested")
	for journey := range journeys {
		p.must(t, http.StatusNotFound, ours, "GET", "/api/journeys/"+journey+"/identity", "")
		if seen := p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+journey+"/identity", "", ReasonHeader,
			"to ring them back"); strings.Contains(seen, `"confirmed":true`) {
			t.Errorf("a guest's contact counts as confirmed: %s", seen)
		}
	}
}

func TestAGuestAsksForThemselvesAndNobodyElse(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	for claim, body := range map[string]string{
		"a program without its token": `{"referral":"R1","person":{"localId":"L1"}}`,
		"in another's name":           `{"route":"professional","person":{"familyName":"Examplewood"}}`,
	} {
		if status, answer := p.ask(t, guest, "POST", "/api/referrals", body); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", claim, status, answer)
		}
	}
	p.must(t, http.StatusForbidden, guest, "POST", "/api/referrals",
		`{"route":"self","organisation":"RZZ","person":{"familyName":"Examplewood"}}`)
	p.must(t, http.StatusForbidden, guest, "POST", "/api/referrals/list", `visit`)
	types, _ := p.outbox(t)
	expect(t, types)
}

func TestARequestSentTwiceIsAnsweredWithTheSameFlags(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	p.discharge(t, "V1", "L1", "1990-04-01")
	body := `{"person":{"familyName":"examplewood","givenName":"Rowan","birthDate":"1990-04-01"}}`
	first, again := p.refer(t, liaison, body, "Idempotency-Key", "k1"), p.refer(t, liaison, body, "Idempotency-Key",
		"k1")
	if len(first.Flags) == 0 || strings.Join(first.Flags, " ") != strings.Join(again.Flags, " ") ||
		again.Journey != first.Journey {
		t.Errorf("first %+v, again %+v", first, again)
	}
}
