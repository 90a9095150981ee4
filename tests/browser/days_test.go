package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"footbridge/libs/clock"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// everybody are the working days of those who hold a step, in one system whose clock is steered, with one browser.
type everybody struct {
	*system.Steered
	t       *testing.T
	browser context.Context
	partner string
}

// atNight is when the days begin: a Tuesday in November, at twenty to three.
var atNight = time.Date(2026, 11, 3, 2, 40, 0, 0, time.UTC)

// TestTheDaysOfEverybodyWhoHoldsAStep goes with each of them from sign-in to done, twice: by keyboard alone on a
// screen, and on a phone without scripts. Each page that they come to is looked at by axe and by its width, and of a
// screen at 400 % and on paper.
// A charity that has nothing but a mailbox has its day in TestTheWholeWayOfACharity, and its pages are looked at in
// TestALinksPagesAreAccessibleAndAnsweredByKeyboard and TestALinkIsAnsweredInTwoPressesWithoutScripts.
func TestTheDaysOfEverybodyWhoHoldsAStep(t *testing.T) {
	t.Parallel()
	d := &everybody{Steered: system.StartAt(t, atNight, "FOOTBRIDGE_ADVOCATE=Ash Example, 01632 960100"), t: t,
		browser: start(t)}
	ok(t, d.Admin().QueryRow(t.Context(), `select id::text from followup.partner where service = 'peer-follow-up'`).
		Scan(&d.partner))
	var between, young, another []string
	people := []string{"Rowan Examplewood 1999-08-03", "Ash Samplefield 1998-11-21"} // who are alike are compared first
	for i := range ways {
		between, young = append(between, d.between(people[i])), append(young, d.young(i))
		another = append(another, d.young(i+len(ways)))
	}
	d.Settle()
	each := func(name string, does func(h *hand, i int)) {
		for i, way := range ways {
			t.Run(name+" "+way.name, func(t *testing.T) {
				h := &hand{t: t, ctx: open(t, d.browser, way.width), at: "http://" + d.HTTP, width: way.width,
					keys: way.keys, plain: way.plain, seen: map[string]bool{}}
				scripts(t, h.ctx, !way.plain)
				does(h, i)
			})
		}
	}
	each("liaison nurse by night", func(h *hand, i int) { d.nurse(h, fmt.Sprintf("L00047%d", i)) })
	each("doctor at another hospital", func(h *hand, i int) { d.doctor(h, between[i]) })
	each("young people's clinician", func(h *hand, i int) { d.clinician(h, young[i], another[i]) })
	each("person", func(h *hand, i int) { d.person(h, between[i]) })
	d.MoveTo(d.lastCall(between).Add(time.Minute))
	each("navigator", func(h *hand, i int) { d.navigator(h, between[i]) })
	each("caller", func(h *hand, i int) { d.caller(h, between[i]) })
}

// nurse is a night: somebody is about to leave, and a request is six answers; one is left out at first. They get a slip
// to put into a pocket. Then somebody rings who was asked what they would like, and says yes.
func (d *everybody) nurse(h *hand, local string) {
	h.signsIn("liaison")
	h.opens("refer-1", `a.nhsuk-header__navigation-link[href="/refer"]`)
	h.did = counted{pages: 1}
	h.writes(`#local`, local)
	h.opens("refer-2", `#send`)
	h.reads("Is the person with you now?")
	if !h.says(`[...document.querySelectorAll("main details")].some(e => e.textContent.includes("Ash Example, 01632 960100"))`) {
		h.t.Error("whom to ring while they are there is not named")
	}
	h.picks(`#channel-1`)
	h.opens("refer-2-unfinished", `#send`)
	if h.keys { // the first stop is what is missing
		h.does(chromedp.KeyEvent(kb.Tab))
		if !h.says(`!!document.activeElement?.matches('.nhsuk-error-summary a[href="#place"]')`) {
			h.t.Error("the first stop after an error is not what is missing")
		}
	}
	h.writes(`#place`, "07700 90009"+local[len(local)-1:])
	h.picks(`#confirmed-1`)
	h.opens("refer-3", `#send`)
	h.opens("refer-4", `[name="said"][value="not-asked"]`)
	h.opens("refer-5", `[name="assessment"][value="done"]`)
	h.opens("refer-6", `[name="under18"][value="no"]`)
	h.picks(`#told-1`)
	h.opens("refer-check", `#send`)
	h.opens("referred", `#send`)
	h.within("a request with an error on the way", counted{13, 60, 9})
	h.reads("Support has been asked for")
	journey := read(h.t, h.ctx, chromedp.Evaluate[string](
		`document.querySelector('a[href^="/journeys/"]').getAttribute("href").split("/")[2]`))
	h.opens("paper", `a[href$="/paper"]`)
	h.picks(`input[name="kind"][value="slip"]`)
	h.writes(`#number`, "01632 960001")
	h.picks(`#checked-1`)
	h.opens("slip", `form:has(input[name="do"][value="next"]) button`)
	if !h.says(`document.querySelector(".fb-paper").innerText.includes("01632 960001")`) {
		h.t.Error("the slip has no number")
	}
	d.Settle()
	h.visits("steps", "/steps")
	h.did = counted{}
	h.opens("step", `tr:has(a[href="/journeys/`+journey+`"]) a.fb-do`)
	h.picks(`input[name="a1.answers.0.state"][value="given"]`)
	h.picks(`input[name="a1.how"][value="spoken"]`)
	h.opens("step-check", `#a1 form button`)
	h.opens("step-done", `button[name="checked"]`)
	h.within("a yes after a call", counted{5, 0, 3})
	h.reads("It is recorded")
	d.corrects(h, journey)
	h.signsOut()
}

// corrects is a number that was written down wrongly: what was there and what will be is seen before anything changes.
func (d *everybody) corrects(h *hand, journey string) {
	h.visits("record", "/journeys/"+journey+"/record")
	way := read(h.t, h.ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("main a.fb-way")]
		.find(a => a.textContent.startsWith("Correct who"))?.getAttribute("href") ?? ""`))
	h.opens("correction", `main a[href="`+way+`"]`)
	form := `details:has([name$=".familyName"])`
	h.writes(form+` [name$=".familyName"]`, "Exampleford")
	h.opens("correction-unfinished", form+` form button`)
	h.reads("There is a problem")
	h.writes(form+` [name$=".reason"]`, "it stands so on their letter")
	h.opens("correction-check", form+` form button`)
	h.reads("Check what will change", "Was: not known", "Will be: Exampleford")
	h.opens("corrected", `button[name="checked"]`)
	h.reads("It is recorded")
}

// doctor is a night at another hospital: who is this, what has been agreed, and whom to ask. It is read, for a reason.
func (d *everybody) doctor(h *hand, journey string) {
	h.signsIn("treating")
	h.reads("Look at a journey")
	h.writes(`#number`, journey)
	h.opens("look-unfinished", `#send`)
	h.reads("Write in a few words of your own why you look")
	h.writes(`#why`, "they are on our ward tonight")
	h.opens("looked", `#send`)
	h.reads("You read here", "How it stands", "What happens next", "service is open at present")
	if !h.says(`![...document.querySelectorAll("main form")].some(f => !f.action.endsWith("/help"))`) {
		h.t.Error("there is something to record on a page that is for reading")
	}
	if !h.says(`!location.href.includes("` + journey + `")`) {
		h.t.Error("the address holds the journey")
	}
	h.opens("look", `main a[href="/look"]`)
	h.signsOut()
}

// clinician is a morning: nobody may be asked before a named clinician has recorded who answers. Of another, a
// colleague was faster: what has changed is shown, and nothing that was written is lost.
func (d *everybody) clinician(h *hand, journey, another string) {
	h.signsIn("clinician")
	h.opens("clinician-step", `tr:has(a[href="/journeys/`+journey+`"]) a.fb-do`)
	h.reads("Say who may be asked, and how")
	h.picks(`[name="a1.mayConsent.basis"][value="gillick"]`)
	h.writes(`[name="a1.mayConsent.whosePhone"]`, "their own, after 4pm")
	h.opens("clinician-unfinished", `#a1 form button`)
	h.writes(`[name="a1.mayConsent.mayKnow"]`, "their mother; not school")
	h.opens("clinician-done", `#a1 form button`)
	h.reads("It is recorded")
	d.Settle()
	h.visits("clinician-steps", "/steps")
	if strings.Contains(h.words(), "Say who may be asked, and how\nJourney "+code(journey)) {
		h.t.Error("the step is open still")
	}
	h.opens("clinician-step of another", `tr:has(a[href="/journeys/`+another+`"]) a.fb-do`)
	h.picks(`[name="a1.mayConsent.basis"][value="gillick"]`)
	h.writes(`[name="a1.mayConsent.whosePhone"]`, "their own, after 4pm")
	h.writes(`[name="a1.mayConsent.mayKnow"]`, "their aunt; not school")
	does := read(h.t, h.ctx, chromedp.Value(`#a1 input[name="does"]`))
	if got := d.Ask(schemas.YoungPeoplesClinician, http.MethodPost, does, "application/json", []byte(
		`{"mayConsent":{"basis":"gillick","whosePhone":"their own","mayKnow":"their aunt"}}`)); got.Status/100 != 2 {
		h.t.Fatalf("a colleague: %d %s", got.Status, got.Body)
	}
	d.Settle()
	h.opens("clinician-overtaken", `#a1 form button`)
	h.reads("Somebody else was faster", "What has changed since you opened this", "their own, after 4pm",
		"their aunt; not school")
	h.signsOut()
}

// person is an evening: with the code from a slip and a word. They say no to something, change their hours, and add
// something in their own words.
func (d *everybody) person(h *hand, journey string) {
	got := d.Ask(schemas.SendingTeam, http.MethodPost, "/api/journeys/"+journey+"/own-page", "application/json",
		[]byte(`{"word":"blue kettle","wanted":true,"safeToHave":true}`))
	var page struct{ Code string }
	if err := json.Unmarshal(got.Body, &page); err != nil || page.Code == "" {
		h.t.Fatalf("a page: %d %s", got.Status, got.Body)
	}
	h.visits("own", "/y")
	h.writes(`#code`, page.Code)
	h.writes(`#word`, "blue kettle")
	h.opens("own-next", `main form button`)
	h.reads("What happens next", "This is separate from the hospital team")
	h.opens("own-more", `a[href="/y/more"]`)
	form := func(does string) string { return `details:has(input[name="do"][value="` + does + `"])` }
	h.picks(form("suits") + ` summary`)
	h.picks(form("suits") + ` [value="weekend-daytime"]`)
	h.opens("own-suits", form("suits")+` button`)
	h.reads("It is kept. Whoever plans something with you sees it")
	h.picks(form("words") + ` summary`)
	h.writes(form("words")+` [name="words"]`, "mornings are hard")
	h.opens("own-words", form("words")+` button`)
	h.reads("It is kept, and not shown here again")
	h.picks(form("no") + ` summary`)
	h.picks(form("no") + ` [value^="follow-up"]`)
	h.opens("own-no", form("no")+` button`)
	h.reads("Your no is kept, and holds from now on")
	if words := h.words(); strings.Contains(words, "mornings are hard") || strings.Contains(words, "Rowan") {
		h.t.Errorf("what was said, or who it is, is read back: %s", words)
	}
	h.opens("own-stopped", `form:has(input[value="stop"]) button`)
	h.reads("Enter your code")
}

// code is a journey's short name on screens.
func code(journey string) string {
	short := strings.ToUpper(strings.ReplaceAll(journey, "-", ""))
	return short[24:28] + "-" + short[28:]
}

// navigator is an evening: what is past its time is a list of its own; the journey's page says what both services said;
// and the gap is bridged by asking a third one, whose answer is a step from then on.
func (d *everybody) navigator(h *hand, journey string) {
	var step string
	ok(h.t, d.Admin().QueryRow(h.t.Context(), `select id::text from journey.step where kind = 'bridge-the-gap'
		and state = 'open' and journey = $1::uuid`, journey).Scan(&step))
	h.signsIn("navigator")
	h.opens("past", `a[href="/steps?which=past"]`)
	h.reads("Past its time")
	h.opens("journey with a gap", `td a[href="/journeys/`+journey+`"]`)
	h.reads("service is open at present", "We do not see people who have harmed themselves in the last four weeks",
		"This does not meet what we are for at present", "sees to it:")
	h.opens("gap", `a.fb-do[href^="/steps/`+step+`"]`)
	h.selects(`#a1 select`, "recovery-learning", "Recov")
	h.opens("gap-bridged", `#a1 form button`)
	h.reads("It is recorded")
	d.Settle()
	h.visits("journey without a gap to bridge", "/journeys/"+journey)
	h.reads("Record what it answered")
	h.signsOut()
}

// caller is an evening: the list, help that is asked for before anything else, a call with its script, and what became
// of it in two presses.
func (d *everybody) caller(h *hand, journey string) {
	var call string
	ok(h.t, d.Admin().QueryRow(h.t.Context(), `select id::text from bridging.call where state = 'scheduled'
		and journey = $1::uuid`, journey).Scan(&call))
	h.signsIn("caller")
	h.reads("Calls for today", code(journey))
	h.inTheirHours()
	h.opens("call", `a[href="/calls/`+call+`"]`)
	h.reads("This is the first contact")
	h.opens("help", `form[action="/calls/`+call+`/help"]:not(details form) button`)
	h.reads("This does not call an ambulance", "Somebody is to have taken it on by")
	h.opens("call again", `a[href="/calls/`+call+`"]`)
	h.opens("ringing", `form:has(input[value="ring"]) button`)
	for !h.says(`!!document.querySelector(".fb-script")`) { // that they ring has to have come to where identity is kept
		d.Settle()
		h.opens("ringing still", `form:has(input[value="ring"]) button`)
	}
	h.reads("What you say", "07700 90012")
	if !h.says(`document.querySelector('a[href="#help-now"]').getBoundingClientRect().bottom <= innerHeight`) {
		h.t.Error("while they ring, help is not in reach")
	}
	h.did = counted{}
	h.picks(`[name="a1.outcome"][value="unanswered"]`)
	h.opens("called", `#a1 form button`)
	h.within("the outcome of a call", counted{2, 0, 1})
	h.reads("Nobody answered", "The next call is on")
	if strings.Contains(h.words(), "07700") {
		h.t.Error("the number is shown after the call")
	}
	if h.width == phone390 {
		d.tries(h, journey)
	}
	h.signsOut()
}

// inTheirHours holds a list of calls against the hours that the people named: from six to eight in the evening.
func (h *hand) inTheirHours() {
	h.t.Helper()
	if !h.says(`[...document.querySelectorAll(".fb-list time")].every(e => /T1[89]:/.test(e.dateTime)) &&
		document.querySelector(".fb-list time") !== null`) {
		h.t.Errorf("a call is not in the hours of the person: %s", h.words())
	}
}

// tries is the next evening of a caller: how the last call went is said, this one reaches the person, so that the next
// is theirs too; then they fall ill, and it is somebody else's.
func (d *everybody) tries(h *hand, journey string) {
	h.visits("hours", "/hours")
	hours := `details:has([name$=".fromHour"])`
	h.picks(hours + ` summary`)
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		if box := hours + ` [value="` + day + `"]`; h.says(`!document.querySelector('` + box + `').checked`) {
			h.picks(box)
		}
	}
	h.does(chromedp.SetValue(hours+` [name$=".fromHour"]`, "17"), chromedp.SetValue(hours+` [name$=".toHour"]`, "21"))
	h.opens("hours-changed", hours+` form button`)
	h.reads("From 17:00 until 21:00")
	h.signsOut()
	d.MoveTo(d.lastCall([]string{journey}).Add(time.Minute))
	h.signsIn("caller")
	h.reads(code(journey), "Try 2", "Not reached on")
	h.inTheirHours()
	var call string
	ok(h.t, d.Admin().QueryRow(h.t.Context(), `select id::text from bridging.call where state = 'scheduled'
		and journey = $1::uuid`, journey).Scan(&call))
	h.opens("call, second try", `a[href="/calls/`+call+`"]`)
	h.reads("Last contact", "Not reached on")
	h.opens("ringing again", `form:has(input[value="ring"]) button`)
	for !h.says(`!!document.querySelector(".fb-script")`) {
		d.Settle()
		h.opens("ringing again still", `form:has(input[value="ring"]) button`)
	}
	h.did = counted{}
	h.picks(`[name="a1.outcome"][value="reached/same"]`)
	h.opens("called and reached", `#a1 form button`)
	h.within("the outcome of a call", counted{2, 0, 1})
	h.reads("The next call is on")
	until := d.Now().AddDate(0, 0, 20)
	h.visits("hours again", "/hours")
	ill := `details:has([name$=".until-day"])`
	h.picks(ill + ` summary`)
	h.writes(ill+` [name$=".until-day"]`, until.Format("2"))
	h.writes(ill+` [name$=".until-month"]`, until.Format("1"))
	h.writes(ill+` [name$=".until-year"]`, until.Format("2006"))
	h.opens("ill", ill+` form button`)
	h.reads("anybody of your team makes it", "Until "+until.Format("Monday 2 January 2006"))
}

// between is somebody for whom no service is open: both that were asked say no, for opposite reasons. They said yes to
// a session and to short calls, and their first call is on the next day.
func (d *everybody) between(who string) string {
	d.t.Helper()
	id, now, one := clock.NewRandomID(), d.Now(), strings.Fields(who)
	got := d.AskWith(system.Token(schemas.System), http.MethodPost, "/events", "application/cloudevents+json",
		[]byte(fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"care.footbridge.discharge.reported.v1",
		"time":%q,"datacontenttype":"application/json","data":{"organisation":"RXX","visit":"V%[4]s","inScope":true,
		"leftAt":%[5]q,"person":{"localId":"L%[4]s","familyName":%[6]q,"givenName":%[7]q,"birthDate":%[8]q},
		"facts":{"destination":"home","assessment":"done","areaResidence":"area-north","areaStaying":"area-north",
		"areaGP":"area-north","registeredGP":true,"gender":"woman","carer":false}}}`, id, system.HospitalSource,
			now.Format(time.RFC3339), id[:8], now.Add(-time.Hour).Format(time.RFC3339), one[1], one[0], one[2])))
	var answer struct{ Journey string }
	if err := json.Unmarshal(got.Body, &answer); err != nil || answer.Journey == "" {
		d.t.Fatalf("a report: %d %s", got.Status, got.Body)
	}
	d.Resolve()
	says := func(role schemas.Role, what, body string) {
		d.t.Helper()
		if got := d.Ask(role, http.MethodPost, "/api/journeys/"+answer.Journey+"/"+what, "application/json",
			[]byte(body)); got.Status/100 != 2 {
			d.t.Fatalf("%s: %d %s", what, got.Status, got.Body)
		}
	}
	says(schemas.SendingTeam, "contact", `{"channels":[{"channel":"phone","value":"07700 90012`+one[2][3:4]+
		`","confirmed":true}]}`)
	says(schemas.SendingTeam, "consent", `{"how":"spoken","answers":[{"purpose":"follow-up","organisation":"`+d.partner+
		`","state":"given"},{"purpose":"bridging","state":"given"}]}`)
	for service, no := range map[string]string{
		"talking-therapies": `"reason":"too-high","answeredBy":"duty-worker","side":"above","words":"We do not see people who have harmed themselves in the last four weeks."`,
		"community-team":    `"reason":"24","answeredBy":"coordinator","side":"below","words":"This does not meet what we are for at present."`} {
		says(schemas.SendingTeam, "asked", `{"service":"`+service+`"}`)
		says(schemas.SendingTeam, "answered", `{"service":"`+service+`","answer":"no",`+no+`}`)
	}
	d.Settle()
	says(schemas.SendingTeam, "plan", fmt.Sprintf(`{"everyDays":14,"firstOn":%q,"windows":[{"days":["mon","tue","wed",
		"thu","fri","sat","sun"],"fromHour":18,"toHour":20}]}`, now.AddDate(0, 0, 1).Format(time.DateOnly)))
	return answer.Journey
}

// young is somebody under 18, for whom nobody may be asked before a clinician has recorded who.
func (d *everybody) young(i int) string {
	d.t.Helper()
	got := d.Ask(schemas.SendingTeam, http.MethodPost, "/api/referrals", "application/json", []byte(
		`{"person":{"localId":"Y`+clock.NewRandomID()[:6]+`"},"under18":"yes","safeContact":{"channel":"text",
		"value":"07700 9004`+fmt.Sprint(50+i)+`","confirmed":true}}`))
	var answer struct{ Journey string }
	if err := json.Unmarshal(got.Body, &answer); err != nil || answer.Journey == "" {
		d.t.Fatalf("a request: %d %s", got.Status, got.Body)
	}
	return answer.Journey
}

// lastCall is when the last of the first calls of some journeys is due.
func (d *everybody) lastCall(journeys []string) (last time.Time) {
	d.t.Helper()
	system.Eventually(d.t, func() error {
		var calls int
		if err := d.Admin().QueryRow(d.t.Context(), `select count(distinct journey), coalesce(max(due_at), now()) from bridging.call
			where state = 'scheduled' and journey = any($1::uuid[])`, journeys).Scan(&calls, &last); err != nil {
			return err
		}
		if calls != len(journeys) {
			return fmt.Errorf("%d of %d have a call; of the first there is %v", calls, len(journeys),
				d.Emitted(journeys[0]))
		}
		return nil
	})
	return last
}
