package schemas

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind says what a value may be. A field names its kind in the tag "is"; the JSON Schemas and Validate both follow
// it, so that neither can allow what the other refuses.
type Kind struct {
	// Values is the closed list of what may be said; empty where the list is open.
	Values []string
	// Pattern must match the whole value. It is written in what Go's and ECMAScript's expressions share.
	Pattern string
	// Never must not match: what would look right and yet identify somebody.
	Never string
	// Format is "uuid" or "date" (JSON Schema formats); empty for none.
	Format string
	// MaxLength counts characters; 0 is no bound.
	MaxLength int
	// Min and Max bound a whole number, both inclusive. Used where Number is true.
	Number   bool
	Min, Max int
	// Do tells a sender what to write instead.
	Do string

	pattern, never *regexp.Regexp
}

// Patterns shared by several kinds. A line holds no control character, lines may hold tabs and line breaks; both
// keep out NUL, which PostgreSQL cannot store.
const (
	linePattern  = `^[^\x00-\x1f\x7f]+$`
	linesPattern = `^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+$`
	codePattern  = `^[a-z0-9]+(-[a-z0-9]+)*$`
	idPattern    = `^[A-Za-z0-9][A-Za-z0-9._:-]*$`
	// OwnerPattern is that of who owns a step.
	OwnerPattern   = `^(team|navigator|partner|service):[A-Za-z0-9][A-Za-z0-9._-]*$`
	partnerPattern = `^[A-Za-z0-9][A-Za-z0-9_-]*$` // one token of a NATS subject
	fullPostcode   = `^[A-Za-z]{1,2}[0-9][A-Za-z0-9]?[0-9][A-Za-z]{2}$`
)

// TimePattern is RFC 3339 with an offset as events write it: capital letters, a point before a fraction, no leap
// second.
const TimePattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?` +
	`(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`

var timeShape = regexp.MustCompile(TimePattern)

// By which ways whoever makes calls is reminded of them.
const (
	ReminderByEmail   = "email"
	ReminderByWebhook = "webhook"
	ReminderByNothing = "none"
)

var kinds = compile(map[string]Kind{
	"uuid":         {Format: "uuid", Do: "use a UUID"},
	"date":         {Format: "date", Do: "use a local date, YYYY-MM-DD"},
	"ods":          {Pattern: `^[A-Z0-9]{3,12}$`, Do: "use the ODS code: 3 to 12 capital letters and digits"},
	"service":      {Pattern: idPattern, MaxLength: 64, Do: "use the id from the directory"},
	"partner":      {Pattern: partnerPattern, MaxLength: 64, Do: "use the partner's opaque id"},
	"organisation": {Pattern: partnerPattern, MaxLength: 64, Do: "use the organisation's opaque id or its ODS code"},
	"mark":         {Pattern: `^[A-Za-z0-9_-]{16}$`, MaxLength: 16, Do: "use the principal's mark"},
	"version":      {Pattern: idPattern, MaxLength: 100, Do: "use the version's hash"},
	"owner": {Pattern: OwnerPattern, MaxLength: 100,
		Do: "use kind:id, the kind being team, navigator, partner or service"},
	"code": {Pattern: codePattern, MaxLength: 60, Do: "use lower-case words joined by hyphens"},
	"coded": {Pattern: `^[A-Za-z0-9][A-Za-z0-9._/+-]*$`, MaxLength: 40,
		Do: "use the code alone, without its words"},
	"language": {Pattern: `^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`, MaxLength: 35,
		Do: "use a BCP 47 code such as en or cy"},
	"area": {Pattern: `^[A-Za-z0-9][A-Za-z0-9_-]*$`, Never: fullPostcode, MaxLength: 40,
		Do: "use an area's code such as E06000027, never a postcode"},

	"line-40":    line(40),
	"line-100":   line(100),
	"line-200":   line(200),
	"line-254":   line(254),
	"line-300":   line(300),
	"line-2000":  line(2000),
	"lines-500":  lines(500),
	"lines-2000": lines(2000),

	"years":    {Number: true, Min: 0, Max: 130, Do: "use whole years, 0 to 130"},
	"hour":     {Number: true, Min: 0, Max: 24, Do: "use a whole hour, 0 to 24"},
	"sequence": {Number: true, Min: 0, Max: 1<<53 - 1, Do: "use an event's sequence as a number"},
	"days":     {Number: true, Min: 1, Max: 366, Do: "use whole days, 1 to 366"},
	"tries":    {Number: true, Min: 1, Max: 3, Do: "use which try it was, 1 to 3"},
	"minutes":  {Number: true, Min: 1, Max: 120, Do: "use whole minutes, 1 to 120"},

	"gender":        oneOf("woman", "man", "non-binary", "not-said"),
	"route":         oneOf("discharge", "professional", "self"),
	"asked-by":      oneOf("professional", "self"),
	"assessment":    oneOf("done", "offered", "declined", "left-before", "not-known"),
	"destination":   oneOf("home", "temporary", "ward", "police", "custody", "other-hospital", "not-known"),
	"channel":       oneOf("in-person", "video", "phone", "text"),
	"meeting-hours": oneOf("weekday-daytime", "weekday-evening", "weekend-daytime", "weekend-evening"),
	"access-need": oneOf("step-free", "hearing-loop", "bsl", "lip-speaker", "large-print", "easy-read", "quiet-room",
		"supporter-present"),
	"own-group": oneOf("women", "men", "lgbtq", "young-adults", "older-people", "racialised-communities",
		"neurodivergent", "deaf"),
	"worker-gender": oneOf("any", "woman", "man"),
	"fact":          oneOf(FactNames()...),

	"purpose":   oneOf(PurposeFollowUp, PurposeBridging, PurposeTellReferrer),
	"how":       oneOf("spoken", "written", "interpreter"),
	"answerer":  oneOf(AnswersPerson, AnswersParent),
	"code-role": oneOf("reason", "diagnosis", "intent"),
	"flag": oneOf(FlagUnder18, FlagAgeUnknown, FlagLate, FlagFutureDischarge, FlagMerged, FlagNumberInvalid,
		FlagLeftBefore, FlagPossibleDouble, FlagUnverified, FlagReturned, FlagElsewhere, FlagTimeNotBelieved,
		FlagLeftBeforeArrival,
		FlagTextDamaged, FlagNoVisitDetails, FlagDestinationUnknown, FlagIndicatorUnknown, FlagProtected,
		FlagNoSafeChannel, FlagUnplaced),
	"safe-channel":    oneOf("phone", "text", "email", "letter", "no-safe-channel"),
	"yes-no":          oneOf("yes", "no", "not-known"),
	"paper":           oneOf("letter", "slip"),
	"own-page-matter": oneOf(OwnPageNo, OwnPageTries),
	"contact-question": oneOf("phone", "email", "address", "record", "answer", "no-safe-channel",
		"too-many-must-not-know"),
	"withdrawal":     oneOf("discharge-cancelled", "visit-cancelled", "recoded", "merged", "request-cancelled"),
	"seen":           oneOf("identity", "consent", "doors"),
	"access-finding": oneOf(AccessInOrder, AccessPassedOn),
	"stop-reason":    oneOf("death-reported", "by-hand"),
	"sector":         oneOf("statutory", "third-sector"),
	"finding":        oneOf(string(Met), string(NotMet), string(Unknown), string(NotEvaluable)),
	"door":           oneOf(string(Eligible), string(NotEligible), string(EligibleIf), string(TalkAbout)),
	"override-door":  oneOf(string(Eligible), string(NotEligible)),
	"override-reason": oneOf("agreed-with-the-service", "clinical-decision", "criteria-are-out-of-date",
		"facts-are-wrong",
		"not-safe-for-the-person", "reasonable-adjustment", "the-person-asked", "the-person-said-no"),
	"offer-withdrawal": oneOf("discharge-withdrawn", "contact-stopped", "replaced", "clinician-first", "person",
		"human", "journey-closed", "not-reached",
		"no-place", "another-accepted"),
	"offer-decline": oneOf("21", "22", "23", "24", "26", "27", "31", "32", "40", "41", "42", "99", "no-place",
		"may-know"),
	"hand-back": oneOf("worker-away", "closing", "no-place", "could-not-contact", "may-know", "not-suitable",
		"another-reason"),
	"undone-answer": oneOf(AnsweredYes, AnsweredNo),
	"delivery-how":  oneOf(DeliveryHandedOver, DeliveryAcknowledged),
	"partner-offer-state": oneOf(StateWaits, StatePaused, StateAccepted, StateConfirmed, StateBooked, StateKept,
		StateNotKept, StateCancelled, StateCompleted,
		StateOver),
	"referral-state": oneOf(NewsOffered, NewsInTouch, NewsNotWith, NewsKept, NewsCompleted, NewsWithheld),
	"ledger-outcome": oneOf(OutcomeJoined, OutcomeRaised, OutcomeRaisedFlagged, OutcomeCorrected, OutcomeCancelled,
		OutcomeIgnored, OutcomeDuplicate, OutcomeQuarantined, OutcomeRejected),
	"nudge":          oneOf(NudgeAnswer, NudgeBook, NudgeOutcome, NudgeDeletion),
	"offer-question": oneOf("hours", "access", "interpreter", "worker", "channel", "area", "anything-else"),
	"offer-reply":    oneOf("yes", "no", "asked-the-person", "see-the-offer", "not-known"),
	"changed-since": oneOf("nothing-has-changed", "came-back-to-hospital", "where-they-live", "who-supports-them",
		"what-they-want", "care-they-have", "health", "something-else"),
	"contact-within":  oneOf("24", "48", "72"),
	"first-contact":   oneOf("reached", "not-wanted-any-more"),
	"summary-release": oneOf("given", "withdrawn"),
	"introduced-how":  oneOf("named-worker", "one-call"),
	"may-know":        oneOf("another-worker", "another-partner"),
	"kept":            oneOf("name-and-contact", "notes", "dates-of-contact", "payments"),
	"seen-to":         oneOf("another-worker", "another-partner", "not-known-after-all"),
	"notice-by":       oneOf("none", "email", "telephone"),
	"news-by":         oneOf("none", "email"),
	"weekday":         oneOf("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
	"kept-because":    oneOf("law", "safeguarding", "complaint", "accounts"),
	"what-next":       oneOf("nothing-more", "another-session", "short-calls", "other-support", "to-be-decided"),
	"answer":          oneOf("yes", "no", "waiting", "no-reply"),
	"decline-reason": oneOf("21", "22", "23", "24", "26", "27", "31", "32", "40", "41", "42", "99",
		"threshold-not-published", "too-high", "too-low", "waiting-list-closed"),
	"side":           oneOf("above", "below"),
	"asking-role":    oneOf(string(SendingTeam), string(Navigator)),
	"answering-role": oneOf("duty-worker", "clinician", "coordinator", "administrator", "team", "letter"),
	"closing": oneOf(ClosedComplete, ClosedSaidNo, ClosedCareStarted, ClosedMoved, ClosedNotReached, ClosedDied,
		ClosedInError),
	"reopening":      oneOf(ReopenedByPerson, ReopenedByStaff, ReopenedCameBack, ReopenedResumed),
	"hold-place":     oneOf("ward", "other-hospital", "custody", "residential-care"),
	"told-by":        oneOf("in-person", "video", "phone", "text", "email", "letter", "somebody-named", ToldNobody),
	"way-back":       oneOf("our-number", "own-request", "through-gp", "through-service", WayBackNone),
	"call-answer":    oneOf(AnswerBetter, AnswerSame, AnswerWorse, AnswerNotSaid),
	"no-answer":      oneOf(NoAnswer, LeftMessage, WrongNumber),
	"not-made":       oneOf("caller-ill", "caller-away", "no-caller", "no-time", "system-down", "other"),
	"stopped-by":     oneOf(StoppedByPerson, StoppedByOther),
	"help-about":     oneOf(HelpAboutJourney, HelpAboutOffer, HelpAboutCall, HelpAboutStep),
	"help-kind":      oneOf(HelpNow, HelpSafety, HelpWorse),
	"giver":          oneOf("person", "parental-responsibility", "attorney", "deputy"),
	"consent-answer": oneOf("given", "declined", "withdrawn"),
	"consent-basis":  oneOf("gillick", "parental-responsibility"),
	"reach-channel":  oneOf("phone", "text", "email", "letter"),
	"check-result":   oneOf("as-it-was", "put-right", "nobody-knows"),
	"confirming":     oneOf("hospital", "gp-practice", "registrar", "family", "the-person", "another-service"),
	"telling":        oneOf("in-person", "video", "phone", "text", "email", "letter", "somebody-named"),
	"call-outcome": oneOf("reached", "unanswered", "someone-else-answered", "left-the-agreed-message",
		"wrong-number", "asked-to-stop", "help-needed-now", "not-made"),
	"reminder-by":     oneOf(ReminderByEmail, ReminderByWebhook, ReminderByNothing),
	"session-outcome": oneOf("kept", "not-kept", "cancelled", "could-not-contact"),
	"reach-decision":  oneOf("safe-letter", "by-somebody-named", "through-another-service", "try-later"),
	"void-reason":     oneOf("no-step", "overdue", "dead-letter", "not-opened", "differs"),
})

// KindNamed returns the kind that a field's tag "is" names.
func KindNamed(name string) (Kind, bool) {
	k, ok := kinds[name]
	return k, ok
}

// Values returns the closed list of the named kind, for instance Values("gender"), in its published order. It is
// nil for a kind without one.
func Values(kind string) []string { return slices.Clone(kinds[kind].Values) }

// FactNames returns the names of the facts, as events and criteria write them, in the order of Facts.
func FactNames() []string {
	var names []string
	for f := range reflect.TypeFor[Facts]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// Allows says whether a text is of the kind.
func (k Kind) Allows(text string) bool { return text != "" && k.allows(text) }

// allows says whether a non-empty text is of the kind.
func (k *Kind) allows(text string) bool {
	switch {
	case len(k.Values) > 0:
		return slices.Contains(k.Values, text)
	case k.Format == "uuid":
		return isUUID(text)
	case k.Format == "date":
		_, err := time.Parse(time.DateOnly, text)
		return err == nil
	case k.MaxLength > 0 && utf8.RuneCountInString(text) > k.MaxLength:
		return false
	case k.pattern != nil && !k.pattern.MatchString(text):
		return false
	}
	return k.never == nil || !k.never.MatchString(text)
}

// isUUID says whether text has the shape of a UUID, in either letter case.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if hyphen != (c == '-') || !hyphen && !hex {
			return false
		}
	}
	return true
}

func oneOf(values ...string) Kind {
	return Kind{Values: values, Do: "use one of: " + strings.Join(values, ", ")}
}

func line(length int) Kind {
	return Kind{Pattern: linePattern, MaxLength: length,
		Do: "use one line of text, shorter, without control characters"}
}

func lines(length int) Kind {
	return Kind{Pattern: linesPattern, MaxLength: length, Do: "use shorter text, without control characters"}
}

func compile(all map[string]Kind) map[string]Kind {
	for name, k := range all {
		if k.Pattern != "" {
			k.pattern = regexp.MustCompile(k.Pattern)
		}
		if k.Never != "" {
			k.never = regexp.MustCompile(k.Never)
		}
		all[name] = k
	}
	return all
}
