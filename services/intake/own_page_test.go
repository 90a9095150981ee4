package intake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/libs/written"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// door is the gateway, which alone asks whom a code opens for.
var door = principal.Principal{Organisation: schemas.Gateway, Role: string(schemas.ServiceItself),
	Subject: schemas.Gateway}

const wanted = `{"word":"Blue Kettle","wanted":true,"safeToHave":true}`

// give gives a page and returns its code.
func (p *process) give(t testing.TB, who principal.Principal, journey string, headers ...string) string {
	t.Helper()
	var shown ownPageShown
	answer := p.must(t, http.StatusCreated, who, "POST", "/api/journeys/"+journey+"/own-page", wanted, headers...)
	if err := json.Unmarshal([]byte(answer), &shown); err != nil || shown.State != "stands" {
		t.Fatalf("given %s: %v", answer, err)
	}
	if len(written.Code(shown.Code)) != 12 {
		t.Fatalf("the code is %q", shown.Code)
	}
	return shown.Code
}

// open tries a code and a word, and returns the session; empty where they open nothing.
func (p *process) open(t testing.TB, code, word string) (session string) {
	t.Helper()
	status, answer := p.ask(t, door, "POST", "/api/own-page/open", fmt.Sprintf(`{"code":%q,"word":%q}`, code, word))
	var opened schemas.OwnPageOpened
	switch {
	case status == http.StatusOK && json.Unmarshal([]byte(answer), &opened) == nil:
		return opened.Session
	case status != http.StatusNotFound || !strings.Contains(answer, "Nothing opens with this."):
		t.Errorf("what does not open is answered %d %s", status, answer)
	}
	return ""
}

// holds says whose a session is; empty where it is nobody's.
func (p *process) holds(t testing.TB, session string) (person string) {
	t.Helper()
	status, answer := p.ask(t, door, "POST", "/api/own-page/session", fmt.Sprintf(`{"session":%q}`, session))
	var holder schemas.OwnPageHolder
	switch {
	case status == http.StatusOK && json.Unmarshal([]byte(answer), &holder) == nil:
		return holder.Person
	case status != http.StatusNotFound:
		t.Fatalf("a session is answered %d %s", status, answer)
	}
	return ""
}

// later lets time pass for every page: what is kept of them happened so much earlier.
func (p *process) later(t testing.TB, by time.Duration) {
	t.Helper()
	if _, err := p.site.db.Admin().Exec(t.Context(), `update intake.own_page set given_at = given_at - $1::interval,
		ends_at = ends_at - $1::interval, session_began = session_began - $1::interval,
		session_seen = session_seen - $1::interval`, by); err != nil {
		t.Fatal(err)
	}
}

func TestACodeAndAWordOpenAPageAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	code := p.give(t, liaison, journey)
	if session := p.open(t, code, "blue kettle"); p.holds(t, session) != person {
		t.Error("code and word do not open the page")
	}
	typed := strings.NewReplacer("-", " ", "0", "o", "1", "l").Replace(strings.ToLower(code))
	session := p.open(t, typed, "BLUE-KETTLE")
	if p.holds(t, session) != person {
		t.Errorf("%q does not open what %q opens", typed, code)
	}
	for name, tried := range map[string][2]string{"another word": {code, "red kettle"}, "no word": {code, ""},
		"another code": {"0000-0000-0000", "blue kettle"}, "no code": {"", "blue kettle"},
		"too long": {strings.Repeat("7", 5000), "blue kettle"}} {
		if p.open(t, tried[0], tried[1]) != "" {
			t.Errorf("%s opens it", name)
		}
	}
	if p.holds(t, session) != person {
		t.Error("what others try ends the session of whoever has the word")
	}
	for _, who := range []principal.Principal{liaison, guide, doctor, {Organisation: "self",
		Role: string(schemas.Person), Subject: person}, {Organisation: schemas.Console,
		Role: string(schemas.ServiceItself), Subject: schemas.Console}} {
		p.must(t, http.StatusForbidden, who, "POST", "/api/own-page/open", `{"code":"`+code+`","word":"blue kettle"}`)
		p.must(t, http.StatusForbidden, who, "POST", "/api/own-page/session", `{"session":"`+session+`"}`)
	}
	p.canariesIn(t, []string{"own_page", "idempotency", "outbox", "access_log"}, code, written.Code(code), "kettle",
		session)
}

func TestASessionOfAPageEndsSoonAndAtOnceWhereItIsLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	code := p.give(t, liaison, journey)
	left := p.open(t, code, "blue kettle")
	p.must(t, http.StatusNoContent, door, "POST", "/api/own-page/leave", `{"session":"`+left+`"}`)
	if p.holds(t, left) != "" {
		t.Error("a session that was left goes on")
	}
	idle := p.open(t, code, "blue kettle")
	p.later(t, record.OwnPageIdle/2)
	if p.holds(t, idle) != person {
		t.Error("a session ends before its time")
	}
	p.later(t, record.OwnPageIdle)
	if p.holds(t, idle) != "" {
		t.Error("a session that nothing is done with goes on")
	}
	busy := p.open(t, code, "blue kettle")
	for range 4 {
		p.later(t, record.OwnPageSession/5)
		if p.holds(t, busy) != person {
			t.Fatal("a session in use ends before its time")
		}
	}
	p.later(t, record.OwnPageSession/5)
	if p.holds(t, busy) != "" {
		t.Error("a session outlasts its time")
	}
	first := p.open(t, code, "blue kettle")
	if second := p.open(t, code, "blue kettle"); p.holds(t, first) != "" || p.holds(t, second) != person {
		t.Error("a new session does not end the one before")
	}
}

// Whatever closes a page closes it at once, for whoever has it open too, and looks like a wrong code.
func TestAPageIsClosedByWhateverChangesWhoMayHaveIt(t *testing.T) {
	t.Parallel()
	for name, close := range map[string]func(p *process, journey, person string){
		"stopped by staff": func(p *process, journey, _ string) {
			p.must(t, http.StatusOK, guide, "POST", "/api/journeys/"+journey+"/own-page", `{"stop":true}`)
		},
		"stopped by themselves": func(p *process, journey, person string) {
			own := principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: person}
			p.must(t, http.StatusOK, own, "POST", "/api/journeys/"+journey+"/own-page", `{"stop":true}`)
			p.must(t, http.StatusForbidden, own, "POST", "/api/journeys/"+journey+"/own-page", wanted)
		},
		"a new code": func(p *process, journey, _ string) { p.give(t, guide, journey) },
		"30 days":    func(p *process, _, _ string) { p.later(t, record.OwnPageLasts) },
		"a death": func(p *process, _, person string) {
			if _, err := p.site.db.Admin().Exec(t.Context(), `update intake.person set deceased = true where id = $1`,
				person); err != nil {
				t.Fatal(err)
			}
		},
		"an unconfirmed merge": func(p *process, _, person string) {
			_, other := p.discharge(t, "V2", "L2", "1990-04-02")
			p.must(t, http.StatusOK, liaison, "POST", "/api/people/"+person+"/merge", `{"other":"`+other+
				`","reason":"the same name and street"}`)
		},
		"erasing": func(p *process, journey, person string) {
			p.close(t, journey)
			p.erase(t, person)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
			code := p.give(t, liaison, journey)
			session := p.open(t, code, "blue kettle")
			if p.holds(t, session) != person {
				t.Fatal("it was never open")
			}
			close(p, journey, person)
			if p.holds(t, session) != "" || p.open(t, code, "blue kettle") != "" {
				t.Error("it is open still")
			}
		})
	}
}

// Two records that are one person's may each have been given a page: whoever stops it, or has a new code, stops both.
func TestAPageIsStoppedOfEveryRecordOfThePerson(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(p *process, journey string){
		"by hand": func(p *process, journey string) {
			p.must(t, http.StatusOK, guide, "POST", "/api/journeys/"+journey+"/own-page", `{"stop":true}`)
		},
		"a new code": func(p *process, journey string) { p.give(t, guide, journey) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSite(t).start()
			journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
			earlier, other := p.discharge(t, "V2", "L2", "1990-04-02")
			code, before := p.give(t, guide, journey), p.give(t, guide, earlier)
			p.must(t, http.StatusOK, guide, "POST", "/api/people/"+person+"/merge", `{"other":"`+other+
				`","reason":"the same name and street","confirm":true}`)
			session := p.open(t, before, "blue kettle")
			if session == "" {
				t.Fatal("it was never open")
			}
			for _, of := range []string{journey, earlier} { // whoever asks about either sees that two codes are open
				shown := p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+of+"/own-page", "")
				if !strings.Contains(shown, `"state":"stands"`) || !strings.Contains(shown, `"otherCodes":1`) {
					t.Errorf("of %s staff see %s", of, shown)
				}
			}
			stop(p, journey)
			if p.open(t, code, "blue kettle") != "" || p.open(t, before, "blue kettle") != "" ||
				p.holds(t, session) != "" {
				t.Error("one of their codes is open still")
			}
			for _, of := range []string{journey, earlier} {
				shown := p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+of+"/own-page", "")
				if stands := name == "a new code"; strings.Contains(shown, `"state":"stands"`) != stands ||
					strings.Contains(shown, "otherCodes") {
					t.Errorf("afterwards staff see of %s %s", of, shown)
				}
			}
		})
	}
}

// Ten wrong words end a code for good; each is counted, however many come at once, and the person is asked about it.
func TestGuessingAWordStopsTheCodeAndThePersonIsAsked(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	code := p.give(t, liaison, journey)
	done := make(chan string, record.OwnPageWrong)
	for i := range record.OwnPageWrong {
		go func() { done <- p.open(t, code, fmt.Sprintf("guess %d", i)) }()
	}
	for range record.OwnPageWrong {
		if <-done != "" {
			t.Fatal("a guess opens it")
		}
	}
	if p.open(t, code, "blue kettle") != "" {
		t.Error("the code is open still")
	}
	shown := p.must(t, http.StatusOK, liaison, "GET", "/api/journeys/"+journey+"/own-page", "")
	if !strings.Contains(shown, `"stoppedWhy":"word-tries"`) || strings.Contains(shown, `"code"`) {
		t.Errorf("staff see %s", shown)
	}
	if asked := p.ownPageMatters(t, journey); !slices.Equal(asked, []string{schemas.OwnPageTries}) {
		t.Errorf("the person is asked about %v", asked)
	}
}

func (p *process) ownPageMatters(t testing.TB, journey string) (all []string) {
	t.Helper()
	for _, e := range p.eventsOf(t, journey, schemas.PreferencesChanged) {
		d, err := flow.Decode[schemas.PreferencesChangedData](e)
		if err != nil {
			t.Fatal(err)
		}
		if d.OwnPage != "" {
			all = append(all, d.OwnPage)
		}
	}
	return all
}

func TestAPageIsGivenToWhoWantsItAndMayHaveIt(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, _ := p.discharge(t, "V1", "L1", "1990-04-01")
	child, _ := p.discharge(t, "V2", "L2", "2012-04-01")
	path := "/api/journeys/" + journey + "/own-page"
	for name, body := range map[string]string{"not wanted": `{"word":"blue kettle","safeToHave":true}`,
		"not safe": `{"word":"blue kettle","wanted":true}`, "short": `{"word":"abc","wanted":true,"safeToHave":true}`,
		"one letter": `{"word":"éééé","wanted":true,"safeToHave":true}`,
		"their name": `{"word":"examplewood","wanted":true,"safeToHave":true}`,
		"birth date": `{"word":"01/04/1990","wanted":true,"safeToHave":true}`} {
		if status, answer := p.ask(t, liaison, "POST", path, body); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	elsewhere := principal.Principal{Organisation: "RYY", Role: string(schemas.SendingTeam), Subject: "nurse-2"}
	p.must(t, http.StatusNotFound, elsewhere, "POST", path, wanted)
	p.must(t, http.StatusNotFound, elsewhere, "GET", path, "")
	one := p.give(t, liaison, journey, "Idempotency-Key", "k1")
	if p.give(t, liaison, journey, "Idempotency-Key", "k1") != one {
		t.Error("the same request sent again gives another code")
	}

	theirs := "/api/journeys/" + child
	p.must(t, http.StatusConflict, doctor, "POST", theirs+"/own-page", wanted)
	p.must(t, http.StatusOK, doctor, "POST", theirs+"/consent", `{"mayConsent":`+parent+`}`)
	p.must(t, http.StatusConflict, doctor, "POST", theirs+"/own-page", wanted)
	p.must(t, http.StatusOK, doctor, "POST", theirs+"/consent", `{"mayConsent":`+
		strings.Replace(parent, "parental-responsibility", "gillick", 1)+`}`)
	p.must(t, http.StatusForbidden, liaison, "POST", theirs+"/own-page", wanted)
	code := p.give(t, doctor, child)
	session := p.open(t, code, "blue kettle")
	p.must(t, http.StatusOK, doctor, "POST", theirs+"/consent", `{"mayConsent":`+parent+`}`)
	if session == "" || p.holds(t, session) != "" {
		t.Error("the page of somebody for whom another answers now is open still")
	}
}

// What is said on the page goes by the same requests as everything, and is asked again: a new number is a question, a
// no holds at once, words are added to and not replaced.
func TestWhatIsSaidOnThePageIsAskedAgainAndReplacesNothing(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	base := "/api/journeys/" + journey
	own := principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: person}
	p.must(t, http.StatusOK, liaison, "POST", base+"/contact",
		`{"channels":[{"channel":"phone","value":"07700 900099","confirmed":true}],"neverTell":["an uncle"]}`)
	p.must(t, http.StatusOK, liaison, "POST", base+"/summary", `{"words":"the first words"}`)
	p.must(t, http.StatusOK, liaison, "POST", base+"/consent",
		`{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`)

	p.must(t, http.StatusOK, own, "POST", base+"/contact",
		`{"channels":[{"channel":"phone","value":"07700 900777","confirmed":true}]}`)
	for _, more := range []string{`{"neverTell":[]}`, `{"channels":[],"neverTell":null}`, `{"noSafeChannel":false}`,
		`{"channels":[]}`} {
		p.must(t, http.StatusUnprocessableEntity, own, "POST", base+"/contact", more)
	}
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", base+"/contact", `{"proposed":[]}`)
	seen := p.must(t, http.StatusOK, liaison, "GET", base+"/identity", "", ReasonHeader, "asking about a new number")
	var who identityShown
	if err := json.Unmarshal([]byte(seen), &who); err != nil {
		t.Fatal(err)
	}
	if len(who.Contact) != 1 || who.Contact[0].Value != "07700 900099" || !who.Contact[0].Confirmed ||
		len(who.NeverTell) != 1 || len(who.Proposed) != 1 || who.Proposed[0].Confirmed ||
		!slices.Contains(who.Questions, "phone") {
		t.Errorf("staff see %s", seen)
	}
	p.must(t, http.StatusOK, own, "POST", base+"/summary", `{"words":"and some more"}`)
	p.must(t, http.StatusUnprocessableEntity, own, "POST", base+"/summary", `{"words":""}`)
	p.must(t, http.StatusUnprocessableEntity, own, "POST", base+"/summary",
		`{"words":"x","release":[{"organisation":"`+ours.Organisation+`","state":"given"}]}`)
	p.must(t, http.StatusOK, own, "POST", base+"/consent",
		`{"answers":[{"purpose":"follow-up","state":"withdrawn"}],"how":"written"}`)
	if asked := p.ownPageMatters(t, journey); !slices.Equal(asked, []string{schemas.OwnPageNo}) {
		t.Errorf("the person is asked about %v", asked)
	}
	seen = p.must(t, http.StatusOK, liaison, "GET", base+"/identity", "", ReasonHeader, "reading what they added")
	if !strings.Contains(seen, "the first words") || !strings.Contains(seen, "and some more") {
		t.Errorf("staff read %s", seen)
	}
	p.must(t, http.StatusOK, liaison, "POST", base+"/contact",
		`{"channels":[{"channel":"phone","value":"07700 900777","confirmed":true}]}`)
	if seen = p.must(t, http.StatusOK, liaison, "GET", base+"/identity", "", ReasonHeader,
		"looking whether they were asked"); strings.Contains(seen, "proposed") {
		t.Errorf("they were asked, and staff still see %s", seen)
	}
	p.canariesIn(t, []string{"outbox", "own_page", "idempotency"}, "900777", "some more", "an uncle")
}

// Who printed what is kept where the person reads who looked, and nothing is printed where nobody may be told yet.
func TestWhoPrintedALetterIsKeptAndReadByThePerson(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	journey, person := p.discharge(t, "V1", "L1", "1990-04-01")
	child, _ := p.discharge(t, "V2", "L2", "2012-04-01")
	own := principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: person}
	for range 2 {
		p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/letter", `{"kind":"letter"}`,
			"Idempotency-Key", "k1")
	}
	p.must(t, http.StatusUnprocessableEntity, liaison, "POST", "/api/journeys/"+journey+"/letter", `{"kind":"poster"}`)
	p.must(t, http.StatusForbidden, own, "POST", "/api/journeys/"+journey+"/letter", `{"kind":"letter"}`)
	p.must(t, http.StatusConflict, liaison, "POST", "/api/journeys/"+child+"/letter", `{"kind":"slip"}`)
	read := p.must(t, http.StatusOK, own, "GET", "/api/people/"+person+"/access", "")
	if strings.Count(read, SeesLetter) != 1 || !strings.Contains(read, string(schemas.SendingTeam)) {
		t.Errorf("the person reads %s", read)
	}
}
