package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
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
		return "Service " + id
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
var outcomes = []string{"joined", "raised", "raised-flagged", "corrected", "cancelled", "ignored", "duplicate", "quarantined", "rejected"}

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

// messageTypes are what came, where its type is the name of an event; a sender's other types are the hospital's own words.
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
	schemas.PurposeFollowUp: "a follow-up session",
	schemas.PurposeBridging: "short calls while waiting",
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
	}{{d.Open, "open now"}, {d.OpenIf, "open once we know more"}, {d.Talk, "to be talked about"}, {d.NotOpen, "not offering this at present"}} {
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
	string(schemas.TreatingStaff): "Treating staff",

	string(schemas.YoungPeoplesClinician): "Young people’s clinician",
	string(schemas.Caller):                "Caller",
}

func mayRefer(role string) bool { return slices.Contains(referrers, schemas.Role(role)) }

const operator = string(schemas.Operator)

func mayReadMessages(role string) bool {
	return role == string(schemas.Navigator) || role == operator
}
