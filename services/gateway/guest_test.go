package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"footbridge/schemas"
)

// knock sends a request of nobody known from an address.
func (f *fixture) knock(method, path, body, address string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = address + ":40000"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func withGuests(c *Config) {
	c.GuestsOf = "RXX"
	c.Pages = append(c.Pages, schemas.Route{Method: "POST", Pattern: "/own", Service: schemas.Intake,
		Roles: []schemas.Role{schemas.Guest}})
}

func TestAGuestMayAskForSupportAndForNothingElse(t *testing.T) {
	t.Parallel()
	f := start(t, withGuests)
	if w := f.knock("POST", "/api/referrals", "{}", "192.0.2.7"); w.Code != http.StatusOK ||
		f.intake.who.Role != string(schemas.Guest) || f.intake.who.Organisation != "RXX" {
		t.Fatalf("answered %d, as %v", w.Code, f.intake.who)
	}
	for i, route := range schemas.Routes() {
		if route.Public || route.ByToken() || route.Mux() == "POST /api/referrals" {
			continue
		}
		path := strings.NewReplacer("{id}", "1", "{ref}", "1").Replace(route.Pattern)
		// From several addresses: one may not ask so often.
		if w := f.knock(route.Method, path, "", fmt.Sprintf("192.0.2.%d", 8+i%100)); w.Code != http.StatusUnauthorized {
			t.Errorf("%s answers a guest with %d", route.Mux(), w.Code)
		}
	}
	if w := f.knock("POST", "/api/referrals", "{}", "192.0.2.7", "Authorization",
		"Bearer of another time"); w.Code != http.StatusUnauthorized {
		t.Errorf("a credential that is not accepted is taken for a guest: %d", w.Code)
	}
	if w := f.knock("POST", "/api/referrals", "{}", "192.0.2.7", "Sec-Fetch-Site",
		"cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("a form of another site is answered with %d", w.Code)
	}
	if w := f.knock("POST", "/api/referrals", strings.Repeat(" ", formBody+1),
		"192.0.2.7"); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body is answered with %d", w.Code)
	}
	if w := start(t).knock("POST", "/api/referrals", "{}", "192.0.2.7"); w.Code != http.StatusNotFound {
		t.Errorf("where no organisation takes guests: %d", w.Code)
	}
}

func TestWhereGuestsAloneMayAskEverybodyIsOne(t *testing.T) {
	t.Parallel()
	f := start(t, withGuests)
	f.ask(t, "POST", "/own", "{}", &nurse)
	if f.intake.who.Role != string(schemas.Guest) || f.intake.who.Subject == nurse.Subject {
		t.Errorf("a page for the person was filled in as %q %q", f.intake.who.Role, f.intake.who.Subject)
	}
	f.ask(t, "POST", "/api/referrals", "{}", &nurse)
	if f.intake.who.Subject != nurse.Subject {
		t.Errorf("a nurse asked as %v", f.intake.who)
	}
}

func TestGuestsAreFewAtOnceFromOneAddressAndFromAll(t *testing.T) {
	t.Parallel()
	f := start(t, withGuests)
	for i := range guestsAtOnce {
		if w := f.knock("POST", "/api/referrals", "{}", "192.0.2.7"); w.Code != http.StatusOK {
			t.Fatalf("guest %d of one address: %d", i+1, w.Code)
		}
	}
	w := f.knock("POST", "/api/referrals", "{}", "192.0.2.7", "Accept", "text/html")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" ||
		!strings.Contains(w.Body.String(), "116 123") {
		t.Errorf("one more is answered with %d %v", w.Code, w.Header())
	}
	if w := f.knock("POST", "/api/referrals", "{}", "192.0.2.9"); w.Code != http.StatusOK {
		t.Errorf("another address is answered with %d", w.Code)
	}
	last := 0
	for i := range everyGuest {
		last = f.knock("POST", "/api/referrals", "{}", "198.51.100."+string(rune('0'+i/guestsAtOnce))).Code
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("all addresses together are never too many: %d", last)
	}
}

// A calendar program is nobody, whoever is signed in on the device, and whether or not anybody takes guests; it has
// limits of its own, which keep no guest out.
func TestACalendarProgramIsNobodyAndHasLimitsOfItsOwn(t *testing.T) {
	t.Parallel()
	f := start(t, withGuests, func(c *Config) {
		c.Pages = append(c.Pages, schemas.Route{Method: "GET", Pattern: "/own.ics", Service: schemas.Intake,
			Roles: []schemas.Role{schemas.Guest}})
	})
	f.ask(t, "GET", "/own.ics", "", &nurse)
	if f.intake.who.Role != string(schemas.Guest) || f.intake.who.Subject == nurse.Subject {
		t.Errorf("it asks as %q %q", f.intake.who.Role, f.intake.who.Subject)
	}
	last := 0
	for range 200 {
		if last = f.knock("GET", "/own.ics", "", "192.0.2.7").Code; last == http.StatusTooManyRequests {
			break
		}
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("two hundred at once from one address: %d", last)
	}
	if w := f.knock("POST", "/api/referrals", "{}", "192.0.2.7"); w.Code != http.StatusOK {
		t.Errorf("a guest of that address is answered with %d", w.Code)
	}
}
