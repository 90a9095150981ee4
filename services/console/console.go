// Package console is where liaison staff, navigators and operators see what happens next and say that it is done.
//
// In come requests of people who signed in, by way of the gateway; out go pages, made here from what the other
// services answer over HTTP to the same principal. It hears and says no events and has no tables. Promises:
//   - it shows what the other services show to this principal, and never more: it has no access of its own;
//   - journeys are listed by the time promised; nothing else orders them, and nothing about a person is weighed;
//   - every page works without scripts and without the style files, at 320 pixels, by keyboard and by screen reader;
//   - a button pressed twice does its work once;
//   - times are local, in Europe/London, and every due time stands beside its owner;
//   - no page's title or address carries a clinical word or anything that identifies a person.
//
// The words that people read are in words.go and templates/; the style files of NHS.UK frontend are put into
// frontend/ by tools/frontend/ensure.sh. Who may sign in is not decided here, save in development.
package console

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the binary must know Europe/London on a machine that does not

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed static
var static embed.FS

// built holds the files of NHS.UK frontend, or nothing but a note when they have not been fetched.
//
//go:embed all:frontend
var built embed.FS

// Config is what the console needs. Backends, Verifier and Signer must be given.
type Config struct {
	// Backends answer for the other services, by name: the same that the gateway has.
	Backends map[string]http.Handler
	// Verifier verifies who is asking, as the gateway asserted it.
	Verifier *principal.Verifier
	// Signer forwards that to the other services, with the console's own key.
	Signer *principal.Signer
	// SignIn lets people choose who they are, in development; nil elsewhere.
	SignIn *SignIn
	// Ways are the identity providers by which staff sign in, as they are now; nil: there are none.
	Ways func() []Way
	// Partners may be named in a yes; none leaves it open to which organisation it was said.
	Partners []Partner
	// Advocate is the name and number of the advocate on call, who can be rung while a person is still there; empty
	// where there is none.
	Advocate string
	// Built are the files of NHS.UK frontend; nil takes those embedded.
	Built fs.FS

	Clock   clock.Clock
	Log     *slog.Logger
	Tracers trace.TracerProvider
	Meters  metric.MeterProvider
}

// Partner is an organisation to which somebody may say yes.
type Partner struct {
	// ID is opaque; Name is for whoever records the yes.
	ID, Name string
}

// SignIn is the sign-in page of development: fixed principals, one of which is chosen.
// The gateway signs in whoever was chosen.
type SignIn struct {
	Choices []Choice
}

// Way is an identity provider as the sign-in page offers it; the gateway leads there.
type Way struct {
	// ID stands in its address; Name is what people call it.
	ID, Name string
}

// Choice is one principal of the sign-in page, in words.
type Choice struct {
	// ID stands in the form.
	ID string
	// Name and About say who that is and what they would do here.
	Name, About string
	Principal   principal.Principal
}

// DevChoices are the people of a development system: each role that somebody can hold, at made-up organisations; and of
// each partner somebody who works there. A guest is whoever does not sign in.
func DevChoices(partners ...Partner) []Choice {
	at := func(organisation string, role schemas.Role, subject string) principal.Principal {
		return principal.Principal{Organisation: organisation, Role: string(role), Subject: subject}
	}
	choices := []Choice{
		{"liaison", "Liaison nurse", "Works in the hospital’s liaison team, RXX. Sees the journeys that began there.",
			at("RXX", schemas.SendingTeam, "dev-liaison")},
		{"navigator", "Navigator", "Takes on what nobody else holds. Sees every journey of RXX and the messages.",
			at("RXX", schemas.Navigator, "dev-navigator")},
		{"clinician", "Young people’s clinician", "Decides who may be asked when somebody is under 18 or their age " +
			"is not known. Sees the journeys of RXX.", at("RXX", schemas.YoungPeoplesClinician, "dev-clinician")},
		{"operator", "Operator", "Keeps the system running. Sees messages and traces, and never who a person is.",
			at("RXX", schemas.Operator, "dev-operator")},
		{"deputy", "Deputy navigator", "Takes on what the navigator on duty could not see to in time. Sees what the " +
			"navigator sees.",
			principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "dev-deputy",
				Team: "navigator:deputy"}},
		{"caller", "Caller", "Makes the short calls of RXX’s calling team. Sees name and number for the call that " +
			"they are about to make.", at("RXX", schemas.Caller, "dev-caller")},
		{"treating", "Doctor at another hospital", "Treats somebody tonight at RYY. Sees one journey at a time, for " +
			"a reason that is kept.", at("RYY", schemas.TreatingStaff, "dev-doctor")},
		{"commissioner", "Commissioner", "Pays for services, at QXX. Reads what is published and counted, and never " +
			"about one person.", at("QXX", schemas.Commissioner, "dev-commissioner")},
		{"person", "A person", "Somebody with a journey of their own. Their page is at /y, by a code and a word.",
			at("self", schemas.Person, "dev-person")},
		{"system", "A hospital’s system", "Sends messages for RXX. It has no pages: it is here to try its paths.",
			at("RXX", schemas.System, "dev-system")},
	}
	for i, partner := range partners {
		choices = append(choices, Choice{fmt.Sprintf("partner-%d", i+1), "Worker at " + partner.Name,
			"Answers the offers that come to this partner organisation, and says how sessions went.",
			at(partner.ID, schemas.Partner, fmt.Sprintf("dev-peer-%d", i+1))})
	}
	return choices
}

// Routes are the console's pages, for the gateway.
func Routes() []schemas.Route {
	var everybody []schemas.Role
	for _, role := range schemas.Roles() {
		if role != schemas.Guest && role != schemas.OfferLink {
			everybody = append(everybody, role)
		}
	}
	reading := slices.DeleteFunc(slices.Clone(everybody), func(r schemas.Role) bool { return r == schemas.System })
	lists := []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.YoungPeoplesClinician, schemas.Operator}
	teams := []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.YoungPeoplesClinician}
	searching := []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.TreatingStaff,
		schemas.YoungPeoplesClinician}
	calling := []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.Caller, schemas.Partner}
	offered := []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.Partner}
	answering := []schemas.Role{schemas.Navigator, schemas.Partner}
	helping := []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.TreatingStaff,
		schemas.YoungPeoplesClinician, schemas.Caller, schemas.Partner, schemas.Person}
	guests := []schemas.Role{schemas.Guest}
	page := func(method, pattern, meaning string, roles ...schemas.Role) schemas.Route {
		return schemas.Route{Method: method, Pattern: pattern, Service: schemas.Console, Roles: roles,
			Public: len(roles) == 0, Meaning: meaning}
	}
	return []schemas.Route{
		page("GET", "/sign-in", "Asks who is there."),
		page("GET", "/assets/{file...}", "Style files and icons."),
		page("GET", "/favicon.ico", "The icon."),
		page("GET", "/{$}", "The start.", everybody...),
		page("GET", "/steps", "What to do next, by the time promised.", lists...),
		page("GET", schemas.StepNews, "Says to a list that is open how many steps are new, as server-sent events.",
			lists...),
		page("GET", "/steps/{id}", "One step, with the forms that end it.", lists...),
		page("POST", "/steps/{id}", "Records what a step was for, by one of its actions, or takes it on.", teams...),
		page("GET", "/journeys", "Journeys by the time promised.", lists...),
		page("GET", "/journeys/{id}", "One journey.", lists...),
		page("POST", "/journeys/{id}/help", "Asks for help now, about a journey or one of its steps.", helping...),
		page("GET", "/journeys/{id}/record", "What may be recorded of a journey at any time, one form a page.",
			teams...),
		page("POST", "/journeys/{id}/record", "Records it.", teams...),
		page("GET", "/journeys/{id}/paper", "What can be printed for the person: a letter, a slip, a code.", teams...),
		page("POST", "/journeys/{id}/paper", "Prints it, and keeps who did so.", teams...),
		page("GET", "/journeys/{id}/shown", "What each organisation was shown of the person, to be printed for them.",
			schemas.SendingTeam, schemas.Navigator),
		page("GET", "/journeys/{id}/who", "Asks why somebody looks at who the person is.", teams...),
		page("POST", "/journeys/{id}/who", "Shows who the person is, for a stated reason.", teams...),
		page("GET", "/journeys/{id}/clinician", "Asks a young people's clinician who may be asked.",
			schemas.YoungPeoplesClinician),
		page("POST", "/journeys/{id}/clinician", "Records who may be asked.", schemas.YoungPeoplesClinician),
		page("GET", "/journeys/{id}/trace", "How a journey was processed.", schemas.Operator),
		page("GET", "/search", "Asks what is searched for.", searching...),
		page("POST", "/search", "Shows which journeys of one's organisation were found, by their codes.", searching...),
		page("GET", "/searches", "What was searched for, for whoever reviews it.", schemas.Navigator),
		page("POST", "/searches", "Records what a reviewer found of it.", schemas.Navigator),
		page("GET", "/traces", "What was done, how long it took and what failed.", schemas.Operator),
		page("GET", "/traces/{id}", "One trace.", schemas.Operator),
		page("GET", "/look", "Asks staff who treat somebody now which journey they look at, and why.",
			schemas.TreatingStaff),
		page("POST", "/look", "Shows a journey and who the person is, for a stated reason.", schemas.TreatingStaff),
		page("GET", "/help/{id}", "A request for help: who was told, and who has taken it on.", teams...),
		page("POST", "/help/{id}", "Takes a request for help on.", teams...),
		page("GET", "/calls", "The calls of one's team for today.", calling...),
		page("GET", "/calls/{id}", "One call.", calling...),
		page("POST", "/calls/{id}", "Says that one rings now, which shows name and number, or what became of the call.",
			calling...),
		page("POST", "/calls/{id}/help", "Asks for help now, about a call.", helping...),
		page("GET", "/hours", "One's own hours of making calls, being away, and a calendar of one's own.", calling...),
		page("POST", "/hours", "Changes them, hands one's calls on, or makes or ends a calendar.", calling...),
		page("GET", "/offers", "Offers that stand.", offered...),
		page("GET", "/offers/{id}", "One offer.", offered...),
		page("POST", "/offers/{id}", "Says something of an offer, or shows who the person is to the partner that has "+
			"taken them on.", answering...),
		page("POST", "/offers/{id}/help", "Asks for help now, about an offer.", helping...),
		page("GET", "/calendar", "A partner's sessions that are booked, by day.", schemas.Partner),
		page("POST", "/calendar", "Makes or ends the calendar of a partner's worker.", schemas.Partner),
		page("GET", "/told", "What a partner was told, and when.", schemas.Partner),
		page("GET", schemas.ReferralsPage, "What became of those whom an organisation referred, and its mailbox for "+
			"news.",
			schemas.SendingTeam),
		page("POST", schemas.ReferralsPage, "Changes which mailbox is told.", schemas.SendingTeam),
		page("GET", "/partners", "The organisations that may be partners: an agreement makes one of them.",
			schemas.Navigator),
		page("GET", "/partners/{id}", "A partner: its places, days and agreement.", answering...),
		page("POST", "/partners/{id}", "Changes a partner.", answering...),
		page("GET", "/going-live", "Whether anything is sent outward for an organisation.", schemas.Navigator,
			schemas.Operator),
		page("POST", "/going-live", "Turns outward sending on, by two people, or off, by one.", schemas.Navigator),
		page("GET", "/outbox-mail", "What was mailed, in development alone.", reading...),
		page("GET", "/operations", "How it stands: the operators' figures, alerts and charts; to navigators those "+
			"about work that people do.", schemas.Navigator, schemas.Operator),
		page("POST", "/operations", "Puts a dead letter back in line.", schemas.Operator),
		page("GET", schemas.OperationsNews, "Says to that page how the figures stand, as server-sent events.",
			schemas.Navigator, schemas.Operator),
		page("GET", "/messages", "Every message received.", schemas.Navigator, schemas.Operator),
		page("GET", "/messages/{id}", "One message.", schemas.Navigator, schemas.Operator),
		page("POST", "/messages/search", "What became of a visit, by its number.", schemas.Navigator, schemas.Operator),
		page("POST", "/messages/{id}/try", "What another profile would make of a message; nothing is written.",
			schemas.Navigator, schemas.Operator),
		page("POST", "/messages/{id}/read-again", "Has a message read again as it came.", schemas.Navigator,
			schemas.Operator),
		page("POST", "/messages/{id}/who", "Shows whom a message is about, for a stated reason.", schemas.Navigator),
		page("POST", "/messages/{id}/release", "Releases a message that was quarantined.", schemas.Navigator,
			schemas.Operator),
		page("POST", "/messages/{id}/dismiss", "Ends a message that was quarantined.", schemas.Navigator),
		page("GET", "/refer", "A professional's request for support.", referrers...),
		page("POST", "/refer", "Asks for support for somebody.", referrers...),
		page("GET", schemas.LinkPattern, "An offer, to whoever holds the link in a partner's mail. Looking changes "+
			"nothing.", schemas.OfferLink),
		page("POST", schemas.LinkPattern, "Answers it, or takes the answer back.", schemas.OfferLink),
		page("GET", "/get-support", "The person's own request."),
		page("POST", "/get-support", "Asks for support for oneself.", guests...),
		page("GET", schemas.OwnPath, "The page of the person: asks for a code and a word, or shows the next step "+
			"and its day."),
		page("POST", schemas.OwnPath, "Opens it, or says something on it."),
		page("GET", schemas.OwnPath+"/more", "What the person may know of their own journey, and what they can say."),
		page("GET", schemas.OwnPath+"/shown", "What each organisation was shown of the person, to be printed."),
		page("GET", ownLeave, "Leaves it at once, for a page that anybody might be looking at."),
		page("GET", "/get-support/received", "Leads to the form: what was sent is thanked for once."),
	}
}

// referrers may ask for support for somebody.
var referrers = []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.TreatingStaff}

// Console serves the pages.
type Console struct {
	config   Config
	client   *client
	zone     *time.Location
	pages    map[string]*template.Template
	mux      *httpx.Mux
	assets   files
	frontend bool // the files of NHS.UK frontend are there
}

// New makes the console. An error says what to change.
func New(c Config) (*Console, error) {
	if c.Signer == nil || c.Verifier == nil {
		return nil, errors.New("making the console: a verifier and a signer of principals must be given, or it could " +
			"not tell who is asking")
	}
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Built == nil {
		c.Built = embedded()
	}
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return nil, err
	}
	s := &Console{config: c, zone: zone, client: &client{backends: c.Backends, signer: c.Signer, clock: c.Clock}}
	if s.assets, s.frontend, err = readAssets(c.Built); err != nil {
		return nil, err
	}
	if s.pages, err = parsePages(s.assets.at); err != nil {
		return nil, err
	}
	return s, s.register()
}

// Handler returns the pages' handler. It is to be reached through the gateway alone.
func (s *Console) Handler() http.Handler { return s.mux }

// register adds every page that Routes promises.
func (s *Console) register() error {
	c := s.config
	s.mux = httpx.NewMux(httpx.Options{Log: c.Log, Tracers: c.Tracers, Meters: c.Meters, Clock: c.Clock,
		TrustCaller: true})
	return httpx.Register(s.mux, append(Routes(), schemas.RoutesOf(schemas.Console)...), map[string]httpx.Handler{
		"GET /api/operations":            s.giveOperations,
		"POST /api/operations/redrive":   s.redriveByAPI,
		"GET /operations":                s.showOperations,
		"POST /operations":               s.redriveForm,
		"GET " + schemas.OperationsNews:  s.operationsNews,
		"GET /assets/{file...}":          s.serveAsset,
		"GET /favicon.ico":               s.serveAsset,
		"GET /sign-in":                   s.showSignIn,
		"GET /{$}":                       s.begin,
		"GET /steps":                     s.listSteps,
		"GET " + schemas.StepNews:        s.stepNews,
		"GET /steps/{id}":                s.showStep,
		"POST /steps/{id}":               s.recordStep,
		"GET /journeys":                  s.listJourneys,
		"GET /journeys/{id}":             s.showJourney,
		"POST /journeys/{id}/help":       s.askHelp("journeys"),
		"GET /journeys/{id}/record":      s.showRecord,
		"POST /journeys/{id}/record":     s.record,
		"GET /journeys/{id}/paper":       s.showPaper,
		"POST /journeys/{id}/paper":      s.printPaper,
		"GET /journeys/{id}/shown":       s.showShown,
		"GET /journeys/{id}/who":         s.showWho,
		"POST /journeys/{id}/who":        s.lookWho,
		"GET /journeys/{id}/clinician":   s.showClinician,
		"POST /journeys/{id}/clinician":  s.recordClinician,
		"GET /journeys/{id}/trace":       s.showTrace,
		"GET /search":                    s.showSearch,
		"POST /search":                   s.search,
		"GET /searches":                  s.showSearches,
		"POST /searches":                 s.reviewSearches,
		"GET /traces":                    s.searchTraces,
		"GET /traces/{id}":               s.showOneTrace,
		"GET /look":                      s.showLook,
		"POST /look":                     s.lookAt,
		"GET /help/{id}":                 s.showHelp,
		"POST /help/{id}":                s.takeHelp,
		"GET /calls":                     s.listCalls,
		"GET /calls/{id}":                s.showCall,
		"POST /calls/{id}":               s.makeCall,
		"POST /calls/{id}/help":          s.askHelp("calls"),
		"GET /offers":                    s.listOffers,
		"GET /offers/{id}":               s.showOffer,
		"POST /offers/{id}":              s.answerOffer,
		"POST /offers/{id}/help":         s.askHelp("offers"),
		"GET /calendar":                  s.showCalendar,
		"POST /calendar":                 s.makeCalendar,
		"GET /hours":                     s.showHours,
		"POST /hours":                    s.changeHours,
		"GET /told":                      s.showTold,
		"GET " + schemas.ReferralsPage:   s.showReferrals,
		"POST " + schemas.ReferralsPage:  s.changeReferrals,
		"GET /partners":                  s.showPartners,
		"GET /partners/{id}":             s.showPartner,
		"POST /partners/{id}":            s.changePartner,
		"GET /going-live":                s.showLive,
		"POST /going-live":               s.changeLive,
		"GET /outbox-mail":               s.showMailbox,
		"GET /messages":                  s.listMessages,
		"GET /messages/{id}":             s.showMessage,
		"POST /messages/{id}/who":        s.lookAtMessage,
		"POST /messages/search":          s.findMessages,
		"POST /messages/{id}/try":        s.tryProfile,
		"POST /messages/{id}/read-again": s.readMessageAgain,
		"POST /messages/{id}/release":    s.decideMessage("release"),
		"POST /messages/{id}/dismiss":    s.decideMessage("dismiss"),
		"GET /refer":                     s.showRefer,
		"POST /refer":                    s.refer,
		"GET " + schemas.LinkPattern:     s.showLink,
		"POST " + schemas.LinkPattern:    s.answerLink,
		"GET /get-support":               s.showOwn,
		"POST /get-support":              s.askOwn,
		"GET /get-support/received":      s.ownReceived,
		"GET /y":                         s.showPerson,
		"POST /y":                        s.personSays,
		"GET /y/more":                    s.showMore,
		"GET /y/shown":                   s.showOwnShown,
		"GET /y/leave":                   s.leavePerson,
	}, s.around)
}

// around answers refusals with a page, and lets nobody see a page that is not public whom the gateway has not named.
// A file, and what is asked for as data, are refused as they are.
func (s *Console) around(page schemas.Route, h httpx.Handler) httpx.Handler {
	api := strings.HasPrefix(page.Pattern, "/api/")
	if api {
		h = principal.Guard(page, h)
	}
	if !page.Public {
		h = principal.Require(principal.Signed(s.config.Verifier, schemas.Console, s.config.Clock))(principal.Carry(h))
	}
	if page.OwnPage() {
		h = s.perhaps(principal.Carry(h))
	}
	if api || page.Pattern == "/assets/{file...}" || page.Pattern == "/favicon.ico" {
		return h
	}
	return s.answering(h)
}
