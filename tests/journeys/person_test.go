package journeys

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// TestThePersonSaysNoOnTheirPageAndIsAskedAboutIt goes through the whole system: a code is given, the page is opened
// with it and the word, a no is said, and everything that the person is afterwards asked stands as a step. Then the
// code is stopped, and the browser that had the page open has it no more.
func TestThePersonSaysNoOnTheirPageAndIsAskedAboutIt(t *testing.T) {
	t.Parallel()
	o := &openToNobody{system.Start(t), t}
	k := o.keep(birds(t)[0], "OWN", clock.NewRandomID())
	path := "/api/journeys/" + k.journey
	given := o.Ask(schemas.Navigator, http.MethodPost, path+"/own-page", typeJSON,
		[]byte(`{"word":"blue kettle","wanted":true,"safeToHave":true}`))
	var page struct{ Code string }
	if err := json.Unmarshal(given.Body, &page); err != nil || given.Status != http.StatusCreated {
		t.Fatalf("giving a page: %d %s", given.Status, given.Body)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	wrong := o.browse(browser, "/y", url.Values{"code": {page.Code}, "word": {"red kettle"}})
	first := o.browse(browser, "/y", url.Values{"code": {page.Code}, "word": {"Blue Kettle"}})
	if strings.Contains(wrong, "What happens next") || !strings.Contains(first, "What happens next") {
		t.Fatalf("a wrong word shows %s, the right one %s", wrong, first)
	}
	more := o.browse(browser, "/y/more", nil)
	if found := scan([]place{{kindAnswer, "the page", []byte(first + more)}}, k.bird.canaries()); len(found) > 0 {
		t.Errorf("the page shows %v", found)
	}
	option := regexp.MustCompile(`name="to" type="radio" value="(follow-up [^"]+)"`).FindStringSubmatch(more)
	mark := regexp.MustCompile(`name="` + schemas.OpenedAs + `" value="([^"]+)"`).FindStringSubmatch(more)
	if option == nil || mark == nil {
		t.Fatalf("there is nothing to say no to on %s", more)
	}
	said := o.browse(browser, "/y", url.Values{"do": {"no"}, "to": {option[1]}, schemas.OpenedAs: {mark[1]},
		"request": {clock.NewRandomID()}})
	if !strings.Contains(said, "Your no is kept") {
		t.Fatalf("saying no shows %s", said)
	}
	o.Resolve()
	journey, err := o.Journey(k.journey)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(journey.Steps, func(s system.Step) bool { return s.Kind == "ask-about-own-page" }) {
		t.Errorf("nobody asks the person about it: %+v", journey.Steps)
	}
	if o.Emitted(k.journey)["consent.withdrawn.v1"] == 0 {
		t.Errorf("the no is not told: %v", o.Emitted(k.journey))
	}
	o.staff(path+"/own-page", `{"stop":true}`)
	if now := o.browse(browser, "/y", nil); !strings.Contains(now, "Enter your code") {
		t.Errorf("with a code that was stopped the page shows %s", now)
	}
}

// browse gets a page, or sends a form, as a browser does.
func (o *openToNobody) browse(browser *http.Client, path string, form url.Values) string {
	o.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequestWithContext(o.t.Context(), method, "http://"+o.HTTP+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := browser.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(read)
}
