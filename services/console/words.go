package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"footbridge/schemas"
)

// Words for codes. A code that is not here is shown as it is, its hyphens as spaces: new ones of other services must
// never be an empty line.

// stepWords are those of the table of steps, for a line that says its kind alone.
var stepWords = func() map[string]string {
	words := map[string]string{}
	for _, k := range schemas.StepKinds() {
		words[k.Kind] = k.Words
	}
	return words
}()

var ownerWords = map[string]string{
	"team:liaison":      "Liaison team",
	"team:young-people": "Young people’s team",
	"team:callers":      "Calling team",
	"team:on-call":      "Whoever is on call",
	"navigator:duty":    "Navigator on duty",
	"navigator:deputy":  "Deputy navigator",
}

// owners are those of ownerWords, in the order in which a form offers them.
var owners = []string{"team:liaison", "navigator:duty", "navigator:deputy", "team:young-people", "team:callers",
	"team:on-call"}

// ownerName names who has to do something, from kind:id. A partner is not named: who they are is for the pages of
// offers, under consent.
func ownerName(owner string) string {
	if words, ok := ownerWords[owner]; ok {
		return words
	}
	kind, id, _ := strings.Cut(owner, ":")
	switch kind {
	case schemas.OwnerTeam:
		return sentenceCase(plain(id)) + " team"
	case schemas.OwnerNavigator:
		return "Navigator, " + plain(id)
	case schemas.OwnerPartner:
		return "Partner organisation"
	case schemas.OwnerService:
		return "A service" // holderName names it
	default:
		return plain(owner)
	}
}

var outcomeWords = map[string]string{
	"joined":         "Kept with its visit",
	"raised":         "Began a journey",
	"raised-flagged": "Began a journey, and someone is shown why",
	"corrected":      "Corrected a journey",
	"cancelled":      "Cancelled by the hospital",
	"ignored":        "Of no concern here",
	"duplicate":      "Came before",
	"quarantined":    "Set aside for a person to read",
	"rejected":       "Sent back",
}

var ackWords = map[string]string{
	"AA":       "Accepted (AA)",
	"AE":       "Could not be read (AE)",
	"AR":       "Not taken here (AR)",
	"CA":       "Accepted (CA)",
	"CE":       "Could not be read (CE)",
	"CR":       "Not taken here (CR)",
	"accepted": "Accepted",
	"failed":   "Could not be read",
	"refused":  "Not taken here",
	"none":     "None",
}

// outcomes are in the order of the interface.
var outcomes = []string{"joined", "raised", "raised-flagged", "corrected", "cancelled", "ignored", "duplicate",
	"quarantined", "rejected"}

var factWords = map[string]string{
	"age":               "how old they are",
	"ageRisesOn":        "by when they will be a year older",
	"lastSelfHarm":      "when they last came to hospital for this",
	"areaResidence":     "where they live",
	"areaStaying":       "where they are staying now",
	"areaGP":            "where their GP practice is",
	"registeredGP":      "whether they have a GP",
	"gender":            "the gender they give",
	"language":          "which language they prefer",
	"interpreterNeeded": "whether an interpreter would help",
	"route":             "how support was asked for",
	"assessment":        "whether the hospital’s assessment was done",
	"destination":       "where they went on leaving",
	"channels":          "how they like to talk",
	"workerGender":      "whom they would like to talk to",
	"hours":             "when they can meet",
	"access":            "what access they need",
	"group":             "which group of their own they would like",
	"carer":             "whether they care for someone",
	"inEducation":       "whether they go to school or college",
	"waitingOn":         "which services they are waiting for",
	"openTo":            "which services they already see",
}

// toThePerson turns words about somebody into words to them: the timeline is theirs to read.
var toThePerson = strings.NewReplacer("they ", "you ", "their ", "your ")

// messageTypes are what came, where its type is the name of an event; a sender's other types are the hospital's own
// words.
var messageTypes = map[string]string{
	string(schemas.ReferralSubmitted): "A request for support",
	string(schemas.DischargeReported): "A report that somebody left",
}

// senderInWords says from whom something came. Forms are numbered inside, so that none names who filled it in.
func senderInWords(sender string) string {
	switch {
	case sender == "list":
		return "A nightly list"
	case strings.HasPrefix(sender, "form "):
		return "A form"
	}
	return sender
}

// FactsInWords says of each fact, by its name in schemas, what would have to be asked, for a person to read.
func FactsInWords(facts []string) (words []string) {
	for _, fact := range facts {
		words = append(words, wordsFor(factWords, fact))
	}
	return words
}

var purposeWords = map[string]string{
	schemas.PurposeFollowUp:     "a follow-up session",
	schemas.PurposeBridging:     "short calls while waiting",
	schemas.PurposeTellReferrer: "telling whoever referred them what came of it",
}

// wordsFor looks a code up and makes something readable of one that is not known.
func wordsFor(words map[string]string, code string) string {
	if found, ok := words[code]; ok {
		return found
	}
	return sentenceCase(plain(code))
}

func plain(code string) string { return strings.ReplaceAll(code, "-", " ") }

func sentenceCase(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// all joins words as people do: "a, b and c".
func all(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// named puts codes into words.
func named(words map[string]string, codes []string) []string {
	named := make([]string, len(codes))
	for i, code := range codes {
		named[i] = wordsFor(words, code)
	}
	return named
}

// flagsInWords say why somebody looks at something before it goes on.
func flagsInWords(flags []string) (words []string) {
	for _, flag := range flags {
		words = append(words, cmp.Or(schemas.FlagWords(flag), sentenceCase(plain(flag))))
	}
	return words
}

func each(words map[string]string, codes []string) string { return all(named(words, codes)) }

// sentenceOf is what the person may read about an event. The service that keeps the timeline may send the words, or
// only the event's type as their key.
func sentenceOf(e event) string {
	if e.Sentence != "" && e.Sentence != e.Type {
		return e.Sentence
	}
	if sentence := schemas.Sentence(e.Type); sentence != "" {
		return sentence
	}
	return "Something was recorded."
}

// detail holds whatever the coded details of a line may be.
type detail struct {
	LeftOn    string   `json:"leftOn"`
	Purposes  []string `json:"purposes"`
	Facts     []string `json:"facts"`
	FirstDay  string   `json:"firstDay"`
	LastDay   string   `json:"lastDay"`
	EveryDays int      `json:"everyDays"`
	Minutes   int      `json:"minutes"`
	On        string   `json:"on"`
	Open      int      `json:"open"`
	OpenIf    int      `json:"open-if"`
	Talk      int      `json:"to-be-talked-about"`
	NotOpen   int      `json:"not-open"`
	Kind      string   `json:"kind"`
	AsBefore  bool     `json:"asBefore"` // nobody said so: two records were joined or taken apart
}

// detailsOf says in a few words what an event's coded details mean; "" where they add nothing.
func detailsOf(e event) string {
	var d detail
	if len(e.Details) == 0 || json.Unmarshal(e.Details, &d) != nil {
		return ""
	}
	switch {
	case d.Kind != "":
		return wordsFor(stepWords, d.Kind) + "."
	case len(d.Purposes) > 0:
		return sentenceCase(each(purposeWords, d.Purposes)) + "."
	case len(d.Facts) > 0:
		return "It is about " + toThePerson.Replace(each(factWords, d.Facts)) + "."
	case d.FirstDay != "" && d.LastDay != "":
		return "Between " + dayWords(d.FirstDay) + " and " + dayWords(d.LastDay) + "."
	case d.LastDay != "":
		return "Promised by " + dayWords(d.LastDay) + "."
	case d.EveryDays > 0:
		return fmt.Sprintf("%s, %d minutes each.", everyWords(d.EveryDays), d.Minutes)
	case d.On != "":
		return "On " + dayWords(d.On) + "."
	case d.LeftOn != "":
		return "Days are counted from " + dayWords(d.LeftOn) + "."
	default:
		return eligibilityCounts(d)
	}
}

func everyWords(days int) string {
	switch days {
	case 7:
		return "Every week"
	case 14:
		return "Every two weeks"
	default:
		return fmt.Sprintf("Every %d days", days)
	}
}

func eligibilityCounts(d detail) string {
	var parts []string
	for _, part := range []struct {
		count int
		words string
	}{{d.Open, "open now"}, {d.OpenIf, "open once we know more"}, {d.Talk, "to be talked about"},
		{d.NotOpen, "not offering this at present"}} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.words))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Services: " + all(parts) + "."
}

// dayWords shows a local date as people write it; what is no date is shown as it is.
func dayWords(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("Monday 2 January 2006")
}

// timeWords shows a time: "Monday 2 March 2026, 2:41am".
func timeWords(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("Monday 2 January 2006, 3:04pm")
}

// shortTime is timeWords for a table: "Mon 2 Mar 2026, 2:41am".
func shortTime(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("Mon 2 Jan 2006, 3:04pm")
}

// distance says how far off a time is, in its largest unit: "in 5 hours", "2 days ago", "now".
func distance(now, t time.Time) string {
	between := t.Sub(now)
	ago := between < 0
	if ago {
		between = -between
	}
	var words string
	switch {
	case between < time.Minute:
		return "now"
	case between < time.Hour:
		words = plural(int(between/time.Minute), "minute")
	case between < 48*time.Hour:
		words = plural(int(between/time.Hour), "hour")
	default:
		words = plural(int(between/(24*time.Hour)), "day")
	}
	if ago {
		return words + " ago"
	}
	return "in " + words
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// codeOf is a journey's short name on screens: the last eight characters of its id, which are random.
func codeOf(id string) string {
	id = strings.ToUpper(strings.ReplaceAll(id, "-", ""))
	if len(id) < 8 {
		return id
	}
	return id[len(id)-8:len(id)-4] + "-" + id[len(id)-4:]
}

var roleNames = map[string]string{
	string(schemas.SendingTeam):   "Liaison team",
	string(schemas.Navigator):     "Navigator",
	string(schemas.Operator):      "Operator",
	string(schemas.ServiceItself): "Footbridge itself",
	string(schemas.TreatingStaff): "Treating staff",

	string(schemas.YoungPeoplesClinician): "Young people’s clinician",
	string(schemas.Caller):                "Caller",
	string(schemas.Partner):               "Partner organisation",
	string(schemas.Commissioner):          "Commissioner",
	string(schemas.Person):                "Person",
	string(schemas.System):                "Hospital’s system",
}

// doerNames say who records something, where several may.
var doerNames = map[string]string{
	string(schemas.SendingTeam):           "the liaison team",
	string(schemas.Navigator):             "a navigator",
	string(schemas.YoungPeoplesClinician): "a young people’s clinician",
	string(schemas.Caller):                "whoever makes the call",
	string(schemas.Partner):               "the partner organisation",
	string(schemas.Operator):              "an operator",
}

// startWords say what there is for somebody who has no list of their own.
var startWords = map[string][]string{
	string(schemas.Commissioner): {"Reports with small numbers suppressed are for you. They are not built yet.",
		"What services publish, and what people were told, can be read now at /api/services and " +
			"/api/thresholds/told. No page or path shows you one person, journey or message."},
	string(schemas.Person): {"Your page is at /y: it opens with the code from your slip of paper and the word that " +
		"you chose. If you have none and would like one, ask whoever is in touch with you.",
		"You can ask for support at any time, without signing in."},
	string(schemas.System): {"A hospital’s system has no pages. It sends to /events or /fhir/$process-message, and " +
		"is answered there.", "What it may do stands in the description of the interface, /openapi.json."},
}

// separateWords are said on every page that speaks of the session.
func separateWords(organisation string) string { return schemas.SeparateFrom(organisation) }

// offerStates say how an offer stands.
var offerStates = map[string]string{
	"raised":       "Prepared. Nobody outside has been told yet",
	"sent":         "Sent, and waiting for an answer",
	"acknowledged": "Waiting for an answer",
	"accepted":     "Taken on. A time is to be agreed on",
	"waiting":      "The place is kept while the person is asked",
	"booked":       "A time has been agreed on",
	"kept":         "The session took place. What comes next is to be said",
	"not-kept":     "The session did not take place. Another time can be tried, and nobody is to blame",
	"declined":     "Answered with a no. Another organisation is asked",
	"passed-on":    "No answer came in time, and another organisation is asked. A late yes is still welcome",
	"withdrawn":    "Not asked any more. Nothing is asked of anybody",
	"handed-back":  "Handed back. The person is offered another place",
	"completed":    "Completed",
}

// consideredWords say why an organisation is asked, or is not; another code is shown as it reads.
var consideredWords = map[string]string{"fits": "It could take the person on",
	"not-open": "Its own criteria do not leave it open"}

// knownWords say who outside knows of an offer.
var knownWords = map[string]string{"nobody": "Nobody outside has been told yet",
	"channel": "It is on its way: nobody there has said that they have it", "partner": "The organisation has it"}

// newsWords say what a partner was told; another type is shown as it reads.
var newsWords = map[string]string{
	string(schemas.OfferSent):              "You were asked for a person",
	string(schemas.OfferNudged):            "You were reminded of a question",
	string(schemas.OfferPaused):            "Contact is stopped for the time being, or goes on",
	string(schemas.OfferAccepted):          "Your yes was recorded",
	string(schemas.OfferConfirmed):         "The person said yes to you by name",
	string(schemas.OfferAcceptedLate):      "Your late yes was recorded: the person chooses",
	string(schemas.OfferDeclined):          "Your no was recorded",
	string(schemas.OfferPassedOn):          "Another organisation is asked; a late yes is welcome",
	string(schemas.OfferWithdrawn):         "Nothing is asked of you any more",
	string(schemas.OfferHandedBack):        "What you handed back was recorded",
	string(schemas.OfferUndone):            "Your answer was taken back",
	string(schemas.OfferQuestionAnswered):  "Your question was answered",
	string(schemas.OfferDeletionConfirmed): "What you did with what you knew was recorded",
	string(schemas.OfferWithheld):          "Something was taken back before you were told",
	string(schemas.AppointmentBooked):      "A time was recorded",
	string(schemas.AppointmentKept):        "A session that took place was recorded",
	string(schemas.AppointmentNotKept):     "A session that did not take place was recorded",
	string(schemas.AppointmentCancelled):   "A session was called off",
	string(schemas.FollowupCompleted):      "What comes next was recorded",
}

// callStates say what became of a call.
var callStates = map[string]string{
	"scheduled": "It is still to be made", "reached": "The person was reached", "unanswered": "Nobody answered",
	"someone-else-answered":   "Somebody else answered",
	"left-the-agreed-message": "The message that was agreed on was left", "wrong-number": "The number is wrong",
	"asked-to-stop":   "They asked for the calls to stop",
	"help-needed-now": "Help was needed", "not-made": "The call was not made",
}

var (
	channelWords = map[string]string{"phone": "Phone call", "text": "Text message", "email": "Email",
		"letter": "Letter"}
	byWords   = map[string]string{"email": "By email", "webhook": "By the site’s paging"}
	toldWords = map[string]string{"told": "A message has gone out", "failed": "No message could be sent",
		"": "A message is on its way"}
	backWords = map[string]string{"journeys": "Back to the journey", "offers": "Back to the offer",
		"calls": "Back to the call"}
	dayNames = map[string]string{"mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday",
		"fri": "Friday", "sat": "Saturday", "sun": "Sunday"}
)

// languageWords name the languages that are asked for most often; another is shown by its code.
var languageWords = map[string]string{"en": "English", "cy": "Welsh", "pl": "Polish", "ro": "Romanian", "pa": "Panjabi",
	"ur": "Urdu", "bn": "Bengali", "gu": "Gujarati", "ar": "Arabic",
	"pt": "Portuguese", "es": "Spanish", "fr": "French", "so": "Somali", "fa": "Persian", "tr": "Turkish",
	"uk": "Ukrainian", "zh": "Chinese", "ta": "Tamil", "bfi": "British Sign Language"}

// listed puts codes into one line of words.
func listed(words map[string]string, codes []string) string {
	var lowered []string
	for _, code := range codes {
		lowered = append(lowered, lowerFirst(wordsFor(words, code)))
	}
	return sentenceCase(all(lowered))
}

func lowerFirst(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if second, _ := utf8.DecodeRuneInString(text[size:]); unicode.IsUpper(second) {
		return text // such as GP
	}
	return string(unicode.ToLower(first)) + text[size:]
}

// valueWords are words for what may be chosen; a code that is not here is shown with blanks for its hyphens.
var valueWords = map[string]string{
	"in-order":  "Yes, they were in order",
	"passed-on": "No: I have passed it on",
	"given":     "Yes", "declined": "No", "withdrawn": "They take back an earlier yes", "spoken": "They said so",
	"written": "In writing", "interpreter": "Through an interpreter",
	"gillick":                 "They do, themselves: they understand and can decide this",
	"parental-responsibility": "Somebody with parental responsibility does, together with them",
	"as-it-was":               "It is right as it was", "put-right": "It has been put right",
	"nobody-knows": "Nobody can find out",
	"no-reply":     "No reply", "yes": "Yes", "no": "No", "waiting": "On a list",
	"gp-practice": "GP practice", "email": "Email", "in-person": "In person", "our-number": "Our number",
	"through-gp": "Through the GP", "entered-in-error": "It was entered in error",
	"said-no": "They said no to all of it", "not-reached": "They could not be reached", "died": "They have died",
	"21": "There is no way to get there", "22": "No place is free", "23": "It is not the right kind of support",
	"24": "No, without more said", "26": "The person chose something else",
	"27": "The person could not be reached", "31": "No time is free", "32": "The times do not suit",
	"40": "It is not for this person, by its own conditions", "41": "A visit at home is wanted",
	"42": "It is too far away", "99": "Another reason", "no-place": "No place is free",
	"may-know":       "Somebody here may know the person",
	"another-worker": "Another worker here", "another-partner": "Another organisation",
	"could-not-contact": "The person could not be reached", "worker-away": "The worker is away",
	"closing": "We are closing", "not-suitable": "It does not suit the person", "another-reason": "Another reason",
	"kept": "Yes, it took place", "not-kept": "No, it did not take place", "cancelled": "It was called off",
	"nothing-more": "Nothing more", "to-be-decided": "It is still to be decided",
	"asked-the-person": "The person has been asked", "see-the-offer": "It stands in the offer",
	"not-known": "Not known",
	"reached":   "The person was reached", "unanswered": "Nobody answered",
	"someone-else-answered":   "Somebody else answered",
	"left-the-agreed-message": "The message that was agreed on was left",
	"asked-to-stop":           "Somebody asked for the calls to stop", "help-needed-now": "Help is needed now",
	"not-made": "The call was not made", "did-not-say": "They did not say",
	"better": "Better", "same": "About the same", "worse": "Worse: somebody is in touch within 4 hours",
	"ward": "On a ward", "other-hospital": "In another hospital", "custody": "In custody",
	"residential-care": "In residential care",
	"complete":         "The follow-up has happened and they want nothing more",
	"care-started":     "Care elsewhere has started, and they say so",
	"moved":            "They have moved, and somebody there has taken over",
	"somebody-named":   "Through somebody they named", "own-request": "They can ask for themselves",
	"through-service": "Through the service", "nobody": "Nobody could be told",
	"nothing-has-changed": "Nothing has changed", "came-back-to-hospital": "They came back to hospital",
	"where-they-live": "Where they live", "who-supports-them": "Who supports them",
	"what-they-want": "What they want", "care-they-have": "The care they have", "health": "Their health",
	"something-else":      "Something else",
	"not-wanted-any-more": "They do not want it any more",
	"open":                "Yes", "not-open": "No",
	"agreed-with-the-service":  "The service agreed to it in a conversation",
	"clinical-decision":        "A clinician decided so together with the person",
	"criteria-are-out-of-date": "What the service publishes is no longer how it works",
	"facts-are-wrong":          "What was known here is not how it is",
	"not-safe-for-the-person":  "The person would not be safe there",
	"reasonable-adjustment":    "An adjustment was agreed that makes it possible",
	"the-person-asked":         "The person asked for it",
	"the-person-said-no":       "The person does not want this service",
	"any":                      "Anybody", "woman": "A woman", "man": "A man",
	"none": "Not at all", "telephone": "By telephone", "law": "The law asks for it", "video": "By video",
	"text": "By text", "phone": "By phone", "person": "The person", "somebody-else": "Somebody else",
	"weekday-daytime": "On weekdays by day", "weekday-evening": "On weekdays in the evening",
	"weekend-daytime": "At weekends by day", "weekend-evening": "At weekends in the evening",
	"mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday", "sat": "Saturday",
	"sun": "Sunday",
}
