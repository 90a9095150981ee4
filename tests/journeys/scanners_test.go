package journeys

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/console"
	"footbridge/services/gateway"
	"footbridge/tests/system"
)

// programs are what looks at what stands in a mail, a calendar or on paper before a human does, or beside them: each a
// request as it sends it.
var programs = map[string]struct {
	method  string
	form    url.Values
	headers []string
}{
	"SafeLinks":           {"GET", nil, []string{"User-Agent", "Mozilla/5.0 (compatible; MSIE 9.0) SafeLinks"}},
	"SafeLinks, the head": {"HEAD", nil, []string{"User-Agent", "Mozilla/5.0 (compatible; MSIE 9.0) SafeLinks"}},
	"Proofpoint": {"GET", nil, []string{"User-Agent", "Mozilla/5.0 Chrome/108", "Referer",
		"https://urldefense.com/"}},
	"Barracuda":          {"GET", nil, []string{"User-Agent", "BarracudaCentral", "Via", "1.1 barracuda"}},
	"Mimecast":           {"HEAD", nil, []string{"User-Agent", "Mimecast-URL-Protect", "Accept", "*/*"}},
	"a browser in a box": {"GET", nil, []string{"User-Agent", "HeadlessChrome/126.0", "Sec-Fetch-Mode", "navigate"}},
	"Slack": {"GET", nil, []string{"User-Agent", "Slackbot-LinkExpanding 1.0", "Range",
		"bytes=0-32768"}},
	"WhatsApp":         {"GET", nil, []string{"User-Agent", "WhatsApp/2.24.6 A"}},
	"Teams":            {"GET", nil, []string{"User-Agent", "SkypeUriPreview Preview/0.5"}},
	"a browser, ahead": {"GET", nil, []string{"Sec-Purpose", "prefetch;prerender", "Purpose", "prefetch"}},
	"Apple's mail": {"GET", nil, []string{"User-Agent", "Mozilla/5.0 Version/17 Safari", "X-Purpose",
		"preview"}},
	"a calendar's program": {"GET", nil, []string{"User-Agent", "Google-Calendar-Importer", "Accept", "text/calendar"}},
	"one that asks how":    {"OPTIONS", nil, []string{"Origin", "https://scanner.example"}},
	"one that posts blank": {"POST", url.Values{}, []string{"Origin", "https://scanner.example", "Sec-Fetch-Site",
		"cross-site"}},
}

// leads says that a route is where something leads that is mailed, printed or subscribed to: it opens something to
// whoever holds its address, or asks them on the page what else they hold.
func leads(r schemas.Route) bool {
	return r.Method == http.MethodGet && (strings.Contains(r.Pattern, "{token}") || r.ByToken() || r.ByLink() ||
		r.OwnPage())
}

// addresses are what is mailed, printed or subscribed to, by the route that it is of; used says whether a human still
// gets what it is for, which is tried last.
func (o *offering) addresses() map[string]struct {
	path string
	used func() string
} {
	o.t.Helper()
	partner := o.partner(secondService)
	o.leaves(partner)
	offer := o.mayBeSent(partner)
	o.brought(offer, partner)
	link := o.mailed(offer, partner, "0123456789abcdefghjkmnpqrs")
	calls := o.calendar(*as("RXX", schemas.Caller, "caller-1"), "/api/callers/me/calendar")
	sessions := o.calendar(*as(partner, schemas.Partner, "peer"), "/api/workers/me/calendar")
	signIn := o.signInLink(partner)
	reads := func(path, words string) func() string {
		return func() string {
			if status, text := o.scan("GET", path, nil); status != http.StatusOK || !strings.Contains(text, words) {
				return fmt.Sprintf("%d %s", status, text)
			}
			return ""
		}
	}
	type address = struct {
		path string
		used func() string
	}
	return map[string]address{
		schemas.LinkPattern: {"/p/" + link.token, func() string {
			if status, page := link.presses("?say=accept"); status != http.StatusSeeOther {
				return fmt.Sprintf("%d %s", status, page)
			}
			return ""
		}},
		"/api/calls.ics":    {calls, reads(calls, "BEGIN:VCALENDAR")},
		"/api/sessions.ics": {sessions, reads(sessions, "BEGIN:VCALENDAR")},
		"/sign-in/link/{token}": {signIn, func() string {
			status, page := o.scan("POST", signIn, url.Values{})
			if status != http.StatusSeeOther {
				return fmt.Sprintf("%d %s", status, page)
			}
			return ""
		}},
		schemas.OwnPath:            {schemas.OwnPath, reads(schemas.OwnPath, "Enter your code")},
		schemas.OwnPath + "/more":  {schemas.OwnPath + "/more", reads(schemas.OwnPath, "Enter your code")},
		schemas.OwnPath + "/shown": {schemas.OwnPath + "/shown", reads(schemas.OwnPath, "Enter your code")},
		schemas.OwnPath + "/leave": {schemas.OwnPath + "/leave", reads(schemas.OwnPath, "Enter your code")},
	}
}

// calendar makes the calendar of somebody, and gives its path.
func (o *offering) calendar(who principal.Principal, route string) string {
	o.t.Helper()
	var made struct{ URL string }
	got := o.must(o.AskAs(who, http.MethodPost, route, typeJSON, nil), http.StatusCreated)
	if json.Unmarshal(got.Body, &made) != nil || made.URL == "" {
		o.t.Fatalf("%s: %d %s", route, got.Status, got.Body)
	}
	at, err := url.Parse(made.URL)
	if err != nil {
		o.t.Fatal(err)
	}
	return at.RequestURI()
}

var signInIn = regexp.MustCompile(`/sign-in/link/[0-9a-z]+`)

// signInLink adds a worker of a partner, who asks for the link by which they sign in.
func (o *offering) signInLink(partner string) string {
	o.t.Helper()
	o.must(o.AskAs(*as("RXX", schemas.Navigator, "navigator"), http.MethodPost, "/api/partners/"+partner+"/workers",
		typeJSON, []byte(`{"name":"Robin Peer","mail":"robin@charity.example","phone":"07700 900123"}`)),
		http.StatusCreated)
	if status, page := o.scan("POST", "/sign-in/worker", url.Values{"mail": {"robin@charity.example"}}); status !=
		http.StatusOK {
		o.t.Fatalf("asking for a link: %d %s", status, page)
	}
	var found string
	system.Eventually(o.t, func() error {
		got := o.Ask(schemas.Navigator, http.MethodGet, "/api/outbox-mail", "", nil)
		if found = signInIn.FindString(string(got.Body)); found == "" {
			return fmt.Errorf("no link to sign in was mailed: %d %s", got.Status, got.Body)
		}
		return nil
	})
	return found
}

// scan asks for a path as a program does that is nobody; a form is posted as the page's own.
func (o *offering) scan(method, path string, form url.Values, headers ...string) (status int, text string) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, "http://"+o.HTTP+path,
		strings.NewReader(form.Encode()))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if len(headers) > 0 && slices.ContainsFunc(answer.Cookies(), func(c *http.Cookie) bool { return c.Value != "" }) {
		o.t.Errorf("%s %s: a program is given %v", method, path, answer.Cookies())
	}
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return answer.StatusCode, string(read)
}

// everything is all that looking at any of these could change or use up.
func (o *offering) everything() (all string) {
	o.t.Helper()
	o.one(&all, `select concat((select jsonb_agg(s order by s::text) from gateway.sign_in s),
		(select jsonb_agg(w order by w::text) from gateway.worker w), (select count(*) from gateway.worker_log),
		(select jsonb_agg(s order by s::text) from gateway.session s), (select jsonb_agg(p order by p::text)
		from gateway.passkey p),
		(select jsonb_agg(c order by c::text) from followup.calendar c),
		(select jsonb_agg(a order by a::text) from followup.appointment a),
		(select jsonb_agg(c order by c::text) from bridging.caller c),
		(select jsonb_agg(p order by p::text) from intake.own_page p),
		(select count(*) from intake.outbox), (select count(*) from bridging.outbox))`)
	return o.stands() + all
}

// TestProgramsThatLookAtLinksChangeNothing of what is mailed, printed or subscribed to, and use nothing up: each such
// route of the system has an address here that opens something, and a human can still use it afterwards.
func TestProgramsThatLookAtLinksChangeNothing(t *testing.T) {
	t.Parallel()
	o := &offering{System: system.Start(t), t: t}
	addresses := o.addresses()
	o.Resolve()
	found := 0
	for _, route := range slices.Concat(schemas.Routes(), console.Routes(), gateway.SigningRoutes()) {
		if !leads(route) {
			continue
		}
		found++
		if addresses[route.Pattern].path == "" {
			t.Errorf("%s has no address here: nobody looks whether a program that follows links changes something",
				route.Pattern)
		}
	}
	if found != len(addresses) {
		t.Errorf("%d routes lead from outside, and %d are tried", found, len(addresses))
	}
	before := o.everything()
	for pattern, one := range addresses {
		for name, p := range programs {
			if status, text := o.scan(p.method, one.path, p.form, p.headers...); status >= 500 {
				t.Errorf("%s at %s is answered with %d %s", name, pattern, status, text)
			}
		}
		if after := o.everything(); after != before {
			t.Fatalf("looking at %s changed something:\n%s\n%s", pattern, before, after)
		}
	}
	for pattern, one := range addresses {
		if fault := one.used(); fault != "" {
			t.Errorf("after all of them a human is answered at %s: %s", pattern, fault)
		}
	}
	if o.everything() == before {
		t.Error("what a human did is not seen here either, so that nothing above would show")
	}
}
