package console

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

var guest = principal.Principal{Organisation: "RXX", Role: string(schemas.Guest), Subject: string(schemas.Guest)}

const partnerID = "8c4bba9e-7c82-48a1-8bbd-6fb23f09d446"

// sixAnswers are a form filled in.
func sixAnswers() url.Values {
	return url.Values{"request": {"k1"}, "local": {"L1"}, "given": {"Rowan"}, "family": {"Examplewood"},
		"birth-day": {"1"}, "birth-month": {"4"}, "birth-year": {"1990"},
		"nhs": {"999 000 0018"}, "traced": {"yes"}, "visit": {"V1"}, "left-day": {"2"}, "left-month": {"3"},
		"left-year": {"2026"}, "left-at": {"2:30am"},
		"channel": {"phone"}, "place": {"07700 900099"}, "confirmed": {"yes"}, "from": {"18"}, "to": {"21"},
		"leave":     {"yes"},
		"follow-up": {"yes"}, "bridging": {"not-asked"}, "how": {"spoken"}, "towards": {partnerID},
		"assessment": {"offered"}, "under18": {"no"},
		"told": {"what-it-is", "may-say-no", "anything-else"}}
}

func withPartner(c *Config) { c.Partners = []Partner{{ID: partnerID, Name: "Peer Follow-up"}} }

func TestSixAnswersAreSentAsTheDoorTakesThem(t *testing.T) {
	t.Parallel()
	f := start(t, withPartner)
	w := f.ask(t, "POST", "/refer", sixAnswers(), nurse)
	if w.Code != http.StatusOK || len(f.services.changes) != 1 {
		t.Fatalf("answered %d, sent %v", w.Code, f.services.changes)
	}
	want := `{"person":{"nhsNumber":"9990000018","nhsNumberVerified":true,"localId":"L1","familyName":"Examplewood","givenName":"Rowan","birthDate":"1990-04-01"},` +
		`"visit":"V1","leftAt":"2026-03-02T02:30:00Z","facts":{"assessment":"offered"},` +
		`"consents":[{"purpose":"follow-up","given":true,"how":"spoken","organisation":"` + partnerID + `"}],` +
		`"safeContact":{"channel":"phone","value":"07700 900099","confirmed":true,"fromHour":18,"toHour":21,"mayLeaveMessage":true},"under18":"no","told":["what-it-is","may-say-no"]}`
	if got := f.services.changes[0]; got != (change{"/api/referrals", "k1", want}) {
		t.Errorf("sent %+v", got)
	}
	full := strings.Replace(want, `{"person"`, `{"organisation":"RXX","referral":"k1","route":"professional","person"`,
		1)
	if _, faults := schemas.ReadReferralSubmitted([]byte(full)); len(faults) > 0 {
		t.Errorf("the door would not take it: %v", faults)
	}
	page := w.Body.String()
	for _, words := range []string{"Support has been asked for", codeOf(firstID), "Ask the person what they would like",
		"Liaison team", "Tuesday 3 March 2026, 5:00pm",
		"Somebody may be here twice", "separate from the hospital team"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page that follows does not say %q", words)
		}
	}
	for _, hidden := range []string{"Examplewood", "900099", "9990000018"} {
		if strings.Contains(page, hidden) {
			t.Errorf("the page that follows says %q", hidden)
		}
	}
}

func TestAFormThatIsNotFinishedKeepsWhatWasEnteredAndSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := start(t)
	for claim, c := range map[string]struct {
		change url.Values
		link   string
	}{
		"nobody": {url.Values{"local": nil, "given": nil, "family": nil},
			`#local">Enter a hospital number, or a name`},
		"no day of the calendar": {url.Values{"birth-day": {"31"}}, `#birth-day">Enter a day, a month and a year`},
		"a birth to come": {url.Values{"birth-year": {"2027"}},
			`#birth-day">This cannot be a date of birth`},
		"a wrong check digit":  {url.Values{"nhs": {"9990000019"}}, `#nhs">This cannot be an NHS number`},
		"a day without a time": {url.Values{"left-at": nil}, `#left-at">Enter both the day and the time`},
		"a time that is none":  {url.Values{"left-at": {"25:00"}}, `#left-at">Enter a time such as`},
		"a time in words":      {url.Values{"left-at": {"half past two"}}, `#left-at">Enter a time such as`},
		"half a number":        {url.Values{"place": {"07700 900 12"}}, `#place">Write the whole number`},
		"no number to text": {url.Values{"channel": {"text"}, "place": {"ask my mum"}},
			`#place">Write the whole number`},
		"no address of email": {url.Values{"channel": {"email"}, "place": {"rowan at example"}},
			`#place">Write the whole email address`},
		"a day to come": {url.Values{"left-year": {"2027"}}, `#left-day">This is in the future`},
		"no channel":    {url.Values{"channel": nil}, `#channel-1">Choose what is safe`},
		"no number":     {url.Values{"place": {" "}}, `#place">Enter the number or address`},
		"no safe channel, and no way": {url.Values{"channel": {"no-safe-channel"}, "place": nil},
			`#place">Enter the number or address, or what you arranged`},
		"hours the wrong way round": {url.Values{"to": {"9"}}, `#to">Choose an hour that is later`},
		"no answer to calls": {url.Values{"bridging": nil},
			`#bridging-1">Say what they answered about short calls`},
		"a yes without its manner": {url.Values{"how": nil}, `#how-1">Say how they said yes`},
		"an age that does not fit": {url.Values{"under18": {"yes"}},
			`#under18-1">This does not fit the date of birth`},
		"no answer about age": {url.Values{"under18": {"perhaps"}},
			`#under18-1">Say whether they are under 18`},
		"no assessment": {url.Values{"assessment": nil},
			`#assessment-1">Say what became of the assessment`},
		"too long a name": {url.Values{"family": {strings.Repeat("x", 201)}},
			`#family">Write this in at most 200`},
	} {
		entered := sixAnswers()
		for name, value := range c.change {
			entered[name] = value
		}
		w := f.ask(t, "POST", "/refer", entered, nurse)
		page := w.Body.String()
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(page, `<a href="`+c.link) ||
			!strings.Contains(page, "<title>Error: ") {
			t.Errorf("%s: %d", claim, w.Code)
		}
		if !strings.Contains(page, `name="request" value="k1"`) || !strings.Contains(page, `value="spoken" checked`) &&
			c.change["how"] == nil && claim != "a yes without its manner" {
			t.Errorf("%s: what was entered is lost", claim)
		}
		for _, link := range regexp.MustCompile(`<li><a href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
			if !strings.Contains(page, ` id="`+link[1]+`"`) {
				t.Errorf("%s: the summary leads to %q, which is not there", claim, link[1])
			}
		}
	}
	if len(f.services.changes) != 0 {
		t.Errorf("sent on %v", f.services.changes)
	}
}

func TestTheFormReadsNumbersAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	f := start(t)
	entered := sixAnswers()
	entered.Set("nhs", "999-000\u00a00018")
	entered.Set("place", "+44 (0)7700 900099, ask for Ro")
	if w := f.ask(t, "POST", "/refer", entered, nurse); w.Code != http.StatusOK ||
		!strings.Contains(f.services.changes[0].Body, `"nhsNumber":"9990000018"`) {
		t.Errorf("answered %d, sent %v", w.Code, f.services.changes)
	}
}

func TestARequestThatCouldNotBeKeptStaysOnTheScreen(t *testing.T) {
	t.Parallel()
	f := start(t)
	for status, wantKey := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusTooManyRequests: true,
		http.StatusInternalServerError: true, http.StatusConflict: false} {
		f.services.refuse = httpx.NewProblem(status, "No.")
		for path, who := range map[string]principal.Principal{"/refer": nurse, "/get-support": guest} {
			w := f.ask(t, "POST", path, sixAnswers(), who)
			page := w.Body.String()
			if w.Code != status || !strings.Contains(page, `value="Rowan"`) ||
				!strings.Contains(page, `<a href="#send">`) ||
				strings.Contains(page, `name="request" value="k1"`) != wantKey {
				t.Errorf("%s with %d: answered %d", path, status, w.Code)
			}
		}
	}
}

func TestTheOwnRequestGoesAsAGuestsAndSaysTheSameToEverybody(t *testing.T) {
	t.Parallel()
	f := start(t)
	w := f.ask(t, "POST", "/get-support", url.Values{"request": {"k2"}, "given": {"Rowan"}, "under18": {"not-known"},
		"channel": {"no-safe-channel"}, "place": {"by way of the hostel"},
		"from": {"18"}, "talk": {"in-person", "video"}, "worker": {"woman"}, "interpreter": {"yes"}, "traced": {"yes"},
		"follow-up": {"yes"}, "how": {"written"}}, guest)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "It has reached us") || f.services.asked != guest {
		t.Fatalf("answered %d to %q, as %v", w.Code, w.Header().Get("Location"), f.services.asked)
	}
	want := `{"route":"self","person":{"givenName":"Rowan"},"facts":{"interpreterNeeded":true,"channels":["in-person","video"],"workerGender":"woman"},` +
		`"safeContact":{"channel":"no-safe-channel","value":"by way of the hostel"},"under18":"not-known"}`
	if got := f.services.changes[0]; got.Body != want || got.Key != "k2" {
		t.Errorf("sent %+v", got)
	}
	full := strings.Replace(want, `"route"`, `"organisation":"RXX","referral":"k2","route"`, 1)
	var whole map[string]any
	ok(t, json.Unmarshal([]byte(full), &whole))
	if _, faults := schemas.ReadReferralSubmitted([]byte(full)); len(faults) > 0 {
		t.Errorf("the door would not take it: %v", faults)
	}
}

func TestPagesForThePersonShowHelpBeforeAndAfterAndNobodysSession(t *testing.T) {
	t.Parallel()
	f := start(t)
	for path, page := range map[string]string{"the form": f.page(t, "/get-support", nurse),
		"the thanks": f.ask(t, "POST", "/get-support", ownAnswers(), guest).Body.String()} {
		main := page[strings.Index(page, "<main"):strings.Index(page, "</main>")]
		for _, words := range []string{"tel:999", "tel:111", "option 2", "tel:116123", "sms:85258",
			"separate from the hospital team", "by 5pm tomorrow"} {
			if !strings.Contains(main, words) {
				t.Errorf("%s does not say %q", path, words)
			}
		}
		if !strings.Contains(page, `href="`+leaveTo+`" rel="noreferrer nofollow"`) ||
			strings.Index(page, leaveTo) > strings.Index(page, "<header") {
			t.Errorf("%s cannot be left at one press", path)
		}
		if strings.Contains(page, "Sign out") || strings.Contains(page, "RXX") {
			t.Errorf("%s shows who is signed in", path)
		}
	}
	if w := f.ask(t, "GET", "/get-support/received", nil, principal.Principal{}); w.Code != http.StatusSeeOther ||
		w.Header().Get("Location") != "/get-support" {
		t.Errorf("whoever sent nothing is thanked: %d", w.Code)
	}
	if page := f.ask(t, "POST", "/get-support", url.Values{}, guest).Body.String(); strings.Contains(page,
		"Sign out") || !strings.Contains(page, leaveTo) {
		t.Error("an unfinished form shows a session, or cannot be left")
	}
}

func TestEveryAnswerThatMayBeChosenIsOneThatIsTaken(t *testing.T) {
	t.Parallel()
	for kind, options := range map[string][]option{"assessment": assessmentOptions, "yes-no": yesNoUnknown,
		"how": howOptions, "channel": talkOptions, "worker-gender": workerOptions,
		"safe-channel": channelOptions("None")} {
		if got, want := strings.Join(codesOf(options), " "), strings.Join(schemas.Values(kind), " "); got != want &&
			kind != "worker-gender" {
			t.Errorf("%s offers %q of %q", kind, got, want)
		}
		for _, o := range options {
			if o.Words == "" {
				t.Errorf("%s %s has no words", kind, o.Code)
			}
		}
	}
}

var carried = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// turned sends a page of the request with what is entered on it, and gives what goes along from the page that follows.
func (f *fixture) turned(t *testing.T, before url.Values, entered ...string) (status int, page string,
	along url.Values) {
	t.Helper()
	form := url.Values{}
	for name, values := range before {
		form[name] = values
	}
	for i := 0; i < len(entered); i += 2 {
		form.Add(entered[i], entered[i+1])
	}
	w := f.ask(t, "POST", "/refer", form, nurse)
	page, along = w.Body.String(), url.Values{}
	_, inside, _ := strings.Cut(page, `<form action="/refer"`)
	for _, found := range carried.FindAllStringSubmatch(inside, -1) {
		along.Add(found[1], html.UnescapeString(found[2]))
	}
	return w.Code, page, along
}

// TestARequestIsSixAnswersOneThingAPage: nothing is sent before all was looked at once more, what is missing keeps
// somebody on its page, going back loses nothing, and what is sent is what one form would send.
func TestARequestIsSixAnswersOneThingAPage(t *testing.T) {
	t.Parallel()
	f := start(t, withPartner, func(c *Config) { c.Advocate = "Advocate on call, 01234 567890" })
	first := f.page(t, "/refer", nurse)
	if !strings.Contains(first, "01234 567890") || strings.Contains(first[strings.Index(first, "<main"):], " checked") {
		t.Error("the advocate's number is not there, or something is chosen beforehand")
	}
	status, page, _ := f.turned(t, url.Values{"page": {"1"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, `href="#local">Enter a hospital number`) {
		t.Errorf("nobody is taken: %d", status)
	}
	_, _, along := f.turned(t, url.Values{"page": {"1"}, "request": {"k9"}}, "local", "L1", "visit", "V1")
	status, page, kept := f.turned(t, along, "channel", "phone", "place", "half a number")
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, `value="half a number"`) ||
		kept.Get("local") != "L1" {
		t.Errorf("a number that cannot be rung: %d, %v", status, kept)
	}
	_, page, back := f.turned(t, along, "channel", "phone", "place", "half a number", "go", "1")
	if !strings.Contains(page, `value="L1"`) || back.Get("place") != "half a number" {
		t.Errorf("going back loses what was entered: %v", back)
	}
	_, _, along = f.turned(t, along, "channel", "phone", "place", "07700 900099", "confirmed", "yes")
	for _, press := range [][2]string{{"said", "yes spoken"}, {"assessment", "done"}, {"under18", "no"}} {
		_, page, along = f.turned(t, along, press[0], press[1])
	}
	if !strings.Contains(page, "What were they told?") {
		t.Fatalf("the sixth page is %q", page)
	}
	_, page, along = f.turned(t, along, "told", "what-it-is")
	for _, words := range []string{"Check your answers", "Nothing has been sent yet", "07700 900099", "Spoken",
		"Done"} {
		if !strings.Contains(page, words) {
			t.Errorf("what is looked at once more does not say %q", words)
		}
	}
	if len(f.services.changes) > 0 {
		t.Fatalf("sent before it was looked at: %v", f.services.changes)
	}
	status, page, _ = f.turned(t, along)
	want := `{"person":{"localId":"L1"},"visit":"V1","facts":{"assessment":"done"},"consents":[{"purpose":"follow-up",` +
		`"given":true,"how":"spoken"}],"safeContact":{"channel":"phone","value":"07700 900099","confirmed":true},` +
		`"under18":"no","told":["what-it-is"]}`
	if status != http.StatusOK || len(f.services.changes) != 1 ||
		f.services.changes[0] != (change{"/api/referrals", "k9", want}) {
		t.Errorf("answered %d, sent %+v", status, f.services.changes)
	}
	if !strings.Contains(page, "/paper") || !strings.Contains(page, "/record") {
		t.Error("no slip, and no more, is led to")
	}
}

// TestShortCallsAreAgreedToWithoutASession: whoever says no to a session, or was not asked, may say yes to short calls.
func TestShortCallsAreAgreedToWithoutASession(t *testing.T) {
	t.Parallel()
	f := start(t, withPartner)
	before := sixAnswers()
	for _, name := range []string{"follow-up", "bridging", "how", "towards"} {
		before.Del(name)
	}
	before.Set("page", "3")
	status, page, along := f.turned(t, before, "bridging", "yes", "said", "no")
	if status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, `href="#calls-how-1">Say how they said yes`) ||
		!strings.Contains(page, `id="calls-how-1"`) {
		t.Fatalf("how they agreed to short calls is not asked for: %d", status)
	}
	_, page, along = f.turned(t, along, "bridging", "yes", "calls-how", "written", "said", "no")
	if !strings.Contains(page, "psychosocial assessment") {
		t.Fatalf("it does not go on from there: %q", page)
	}
	_, page, again := f.turned(t, along, "go", "3")
	if !strings.Contains(page, `value="written" checked`) {
		t.Error("going back does not show how they agreed to short calls")
	}
	_, _, again = f.turned(t, again, "bridging", "yes", "said", "yes interpreter")
	if again.Get("how") != "interpreter" || again.Get("follow-up") != "yes" {
		t.Errorf("another answer is not taken: %v", again)
	}
	along.Set("page", "7")
	along.Set("assessment", "done")
	f.turned(t, along)
	if len(f.services.changes) != 1 || !strings.Contains(f.services.changes[0].Body, `"consents":[{"purpose":`+
		`"follow-up","given":false},{"purpose":"bridging","given":true,"how":"written"}]`) {
		t.Errorf("sent %+v", f.services.changes)
	}
}

// TestNobodyIsTakenToHaveSaidYesByTheEnterKey: the button that a browser presses for whoever presses Enter answers
// nothing, and what is missing is said.
func TestNobodyIsTakenToHaveSaidYesByTheEnterKey(t *testing.T) {
	t.Parallel()
	f := start(t, withPartner)
	before := sixAnswers()
	for _, name := range []string{"follow-up", "bridging", "how", "assessment", "under18"} {
		before.Del(name)
	}
	usual := regexp.MustCompile(`<button[^>]*>`)
	for number, missing := range map[string]string{"3": "Say what they answered about", "4": "Say what became of",
		"5": "Say whether they are under 18"} {
		before.Set("page", number)
		status, page, _ := f.turned(t, before)
		if status != http.StatusUnprocessableEntity || !strings.Contains(page, `href="#press-1">`+missing) {
			t.Errorf("page %s: %d, and what is missing is not said", number, status)
		}
		_, form, _ := strings.Cut(page, `<form action="/refer"`)
		if first := usual.FindString(form); strings.Contains(first, "value=") {
			t.Errorf("page %s: Enter presses %s", number, first)
		}
	}
}

// TestAYesToTellingTheReferrerIsAskedForAndSent, by the form in one page and by the one of six; a no too; and nothing
// where nobody asked.
func TestAYesToTellingTheReferrerIsAskedForAndSent(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"yes": `{"purpose":"tell-referrer","given":true,"how":"spoken"}`,
		"no":  `{"purpose":"tell-referrer","given":false}`, "not-asked": "", "": "",
	} {
		f := start(t, withPartner)
		entered := sixAnswers()
		entered.Set("tell-referrer", answer)
		if w := f.ask(t, "POST", "/refer", entered, nurse); w.Code != http.StatusOK || len(f.services.changes) != 1 {
			t.Fatalf("%q: answered %d, sent %v", answer, w.Code, f.services.changes)
		}
		sent := f.services.changes[0].Body
		if strings.Contains(sent, "tell-referrer") != (want != "") || !strings.Contains(sent, want) {
			t.Errorf("%q is sent as %s", answer, sent)
		}
	}
	f := start(t)
	page := f.ask(t, "POST", "/refer", url.Values{"page": {"2"}, "local": {"L1"}, "channel": {"phone"},
		"place": {"07700 900099"}}, nurse).Body.String()
	if !strings.Contains(page, "May your team know that they met") {
		t.Error("the page about what they would like does not ask whether the team may know more")
	}
	without := f.ask(t, "POST", "/refer", url.Values{"page": {"3"}, "local": {"L1"}, "channel": {"phone"},
		"place": {"07700 900099"}, "tell-referrer": {"yes"}, "said": {"no"}, "go": {"3"}}, nurse).Body.String()
	if !strings.Contains(without, "How did they say yes to that?") {
		t.Error("nobody is asked how they said yes to telling who referred them")
	}
}
