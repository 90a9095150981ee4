package console

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"footbridge/schemas"
)

// TestWhatEachOrganisationWasShownCanBePrinted: by organisation what it could read, was told, has looked at and has
// said afterwards, in words; alike for the person and for staff, with nothing of staff's looks, nothing that names the
// person or the journey, and with nothing of the page around it on paper.
func TestWhatEachOrganisationWasShownCanBePrinted(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Partners = []Partner{{ID: peersID, Name: "Northgate Peers"}} })
	papers := map[string]string{}
	for path, who := range map[string]string{"/journeys/" + firstID + "/shown": nurse.Role,
		"/y/shown": themselves.Role} {
		as := nurse
		if who == themselves.Role {
			as = themselves
		}
		w := f.ask(t, "GET", path, nil, as)
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d %v", path, w.Code, w.Header())
		}
		papers[who] = printed(t, w.Body.String())
		title, _, _ := strings.Cut(w.Body.String(), "</title>")
		if tellsWhatFor.MatchString(title[strings.Index(title, "<title>"):]) {
			t.Errorf("%s is called %q", path, title)
		}
	}
	for who, paper := range papers {
		for _, words := range []string{"Northgate Peers", "Since Sunday 1 March 2026, 9:30am: your age, as a " +
			"band; how you like to talk; which hours suit you. By the link in a mail. Programs that look " +
			"at mails open it too.",
			"the area in which you live", "They were asked whether they have a place for you",
			"A mail that says only that something waits", "The time of your session was confirmed to them",
			"It went out; that it came is not known", "your name and how to reach you",
			"The organisation has kept what it paid or was paid, because it has to keep its accounts",
			"An organisation that is not listed any more", "Nobody has opened that.",
			"separate from the hospital team's own follow-up", "116 123"} {
			if !strings.Contains(strings.ReplaceAll(paper, "&#39;", "'"), words) {
				t.Errorf("to %s it does not say %q: %s", who, words, paper)
			}
		}
		for _, hidden := range []string{"RXX", "to agree on a time", firstID, codeOf(firstID), "<a ", "<form",
			"<button"} {
			if strings.Contains(paper, hidden) {
				t.Errorf("to %s the paper has %q", who, hidden)
			}
		}
		if told, asked := strings.Index(paper, "was confirmed"), strings.Index(paper, "They were asked"); told < asked {
			t.Errorf("to %s what came later stands first", who)
		}
	}
	if page := f.page(t, "/journeys/"+firstID, nurse); !strings.Contains(page, `href="/journeys/`+firstID+`/shown"`) {
		t.Error("no journey's page leads to it")
	}
	f.services.answerConsent()
	if page := f.page(t, "/y/more", themselves); !strings.Contains(page, `href="/y/shown"`) {
		t.Error("the page of the person does not lead to it")
	}
	if page := f.ask(t, "GET", "/y/shown", nil, peer).Body.String(); !strings.Contains(page, "Enter your code") {
		t.Error("whoever is signed in as somebody else is not asked for the code")
	}
}

// TestWhateverAPartnerIsToldHasWordsForThePerson: each type, each member, and each field of an offer.
func TestWhateverAPartnerIsToldHasWordsForThePerson(t *testing.T) {
	t.Parallel()
	for typ := range newsWords {
		if toldOfYou[typ] == "" {
			t.Errorf("%s is told to partners, and has no words for the person", typ)
		}
	}
	for i := range reflect.TypeFor[schemas.PartnerOfferData]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[schemas.PartnerOfferData]().Field(i).Tag.Get("json"), ",")
		if toldFields[name] == "" {
			t.Errorf("%s is told to partners, and has no words for the person", name)
		}
	}
}
