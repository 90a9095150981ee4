package intake

import (
	"cmp"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
	"slices"
	"strings"
)

// words say what each reason means, and where something is to be done, what. They are about messages and feeds, never
// about a person, and name no condition, so that they may stand anywhere: in the ledger, on the console's page, in the
// output of commands, and in the answer to whoever sent the message. There is no other list of them; what flags mean
// is in schemas, for the other services too.
var words = map[string]string{
	record.ReasonUndecided: "Nothing in this visit's codes says whether it is one to follow up. Look at the " +
		"visit: release it if it is, dismiss it if not.",
	record.ReasonRecoded: "The hospital first coded this visit as one to follow up and then changed it. Look " +
		"at the visit: release it if it is, dismiss it if not.",
	record.ReasonSetting: "The codes say that it is one to follow up, but the visit is not recorded as A&E or " +
		"urgent care. Release it if the person has left A&E or urgent care, dismiss it if not.",
	ReasonOther: "The request's coded reasons are none that are followed up here. Look at the " +
		"request: release it if it is for us, dismiss it if not.",
	record.ReasonByHand: "This kind of message needs somebody to carry it out by hand. Do so, then dismiss it.",
	record.ReasonNoPerson: "The message does not say who it is about in a way that can be matched. Ask the " +
		"hospital to send it again with the person's number.",
	record.ReasonNoVisit: "The message does not name the visits it is about. Ask the hospital, then release it " +
		"with the visit number or dismiss it.",
	reading.ReasonNoTime: "The message says that somebody left, but not when. Release it with the time, or ask " +
		"the hospital to send it again.",
	reading.ReasonBroken: "The message is damaged or lacks a part that every message needs. Ask the hospital " +
		"to send it again, then dismiss this one.",
	reading.ReasonTruncated: "The connection ended in the middle of a message. Check that it has come again; then " +
		"dismiss this one.",
	reading.ReasonFault: "The message could not be processed here. Tell the operator; it can be released when " +
		"that has been mended.",
	ReasonSilent: "Nothing has come from this sender for longer than usual. Ask the hospital's " +
		"integration team, and ask for tonight's list of A&E discharges.",
	ReasonFalling: "Far fewer visits of this sender are coded as ones to follow up than in the weeks " +
		"before. Coding may have changed: compare with tonight's list.",
	ReasonUnknowns: "This sender uses codes of a system that its profile does not know. Add the system " +
		"to the profile, or note that it is of no concern.",
	record.ReasonNumberChanged: "A person's NHS number has changed. Where the new one is not given, look it up and " +
		"record it, then dismiss this.",
	record.ReasonGPChanged: "A person has another GP practice now. Look up in which area it is, and release this " +
		"with it (facts, areaGP); or dismiss it if no area matters.",
	record.ReasonFlagChanged: "Flags in a person's national record have changed, such as what they need to be able " +
		"to talk with somebody. Look there, record what matters under their needs, then dismiss this.",
	ReasonFeedBack:     "The feed is as usual again.",
	record.ReasonDeath: "A death was reported. Contact has stopped; nothing is raised.",
	record.ReasonParted: "Contact had been stopped for somebody else, whose record had been mixed up with " +
		"this one.",
	record.ReasonByHandStop: "Somebody stopped all contact, or lifted that, by hand.",
	record.ReasonRecordChanged: "The person's national record has changed. Somebody asks whether the contact still " +
		"holds.",
	record.ReasonNotKnown:    "It is about somebody who is not known here; nothing of it is kept.",
	record.ReasonSignalOther: "Signals of this kind are of no concern here.",
	ReasonNotSignal:          "What came is no signal in either of the forms that are taken.",
	record.ReasonAlready:     "A journey had begun for this visit already; the message changed nothing.",
	record.ReasonVisitGone:   "The hospital cancelled the visit.",
	record.ReasonEndUndone:   "The hospital cancelled the discharge: the person has not left.",
	"recoded": "The hospital changed what the visit was about after a journey had begun. Somebody " +
		"looks at it.",
	record.ReasonUnasked: "The sender took the request back.",
	record.ReasonMerged: "Two records have been made one. Consent and contact are checked by somebody before " +
		"they are used.",
	record.ReasonRenamed:      "The hospital corrected the person's number.",
	record.ReasonVisitsJoined: "The hospital made two visit numbers one.",
	record.ReasonPersonOther: "Messages of this visit named two records that are not known to be one person. Check " +
		"whom it is about before anybody is contacted.",
	record.ReasonReused:       "The sender used the message's number before, with other content.",
	record.ReasonNotEnded:     "The visit has not ended yet.",
	record.ReasonOutOfScope:   "Nothing in the visit says that it is one to follow up.",
	record.ReasonHumanIn:      "Somebody looked at it and released it.",
	record.ReasonHumanOut:     "Somebody looked at it: it is of no concern here.",
	reading.ReasonAnswered:    "What came later answered the question.",
	record.ReasonDemographics: "It is about a person's details only.",
	record.ReasonType:         "Messages of this kind are of no concern here.",
	reading.ReasonAnswer:      "It was an answer to a message, and answers are not answered.",
	reading.ReasonEmpty:       "There was nothing in it.",
	reading.ReasonNotHL7:      "It was no HL7 message.",
	reading.ReasonTooLarge:    "It was larger than a message can be.",
	reading.ReasonEvent:       "Messages of this event or type are not taken from this sender.",
	reading.ReasonProcessing: "The message was marked for another system, such as a test system (MSH-11). If it is " +
		"about a real person, have it sent again with MSH-11 P, or name what this sender writes in its profile " +
		"(processingIDs).",
	reading.ReasonNoProcessing: "The message does not say whether it is about a real person (MSH-11 is empty). " +
		"Release it if it is. If this sender always leaves it empty, let its profile take that (processingIDs).",
	reading.ReasonVersion:  "The message is of a version that the profile does not take (MSH-12).",
	reading.ReasonUnframed: "What came over the connection was no message.",
	ReasonSource:           "The sender is not allowed to speak for that source or organisation.",
	ReasonNotEvent:         "It was no CloudEvent.",
	ReasonMediaType:        "It came in a form that is not taken here.",
	ReasonSchema:           "What it says is not as its description has it.",
	ReasonNotR4:            "It is no message in FHIR R4.",
	ReasonHeaders:          "A header that every request needs is missing, or is not what it should be.",
	record.ReasonNoEnd: "This visit is one to follow up, or may be, and has no end. Has the person left? " +
		"Release it with the time they left, and where to if you know; the visit's number stands as the message's. " +
		"Dismiss it if they have not left, or if it is of no concern here.",
	record.ReasonOnWard: "The person went to a ward and is there still, as far as we know. If they have left, " +
		"release it with the time. If not, dismiss it: it is asked again in some days, until the stay has ended.",
}

// wordsFor gives the words for a reason, or for each of several flags, which stand parted by blanks.
func wordsFor(reason string) string {
	if text := words[reason]; text != "" {
		return text
	}
	var all []string
	for flag := range strings.FieldsSeq(reason) {
		if text := cmp.Or(words[flag], readWords[flag]); text != "" {
			all = append(all, text)
		} else if text := schemas.FlagWords(flag); text != "" {
			all = append(all, text+".")
		}
	}
	return strings.Join(all, " ")
}

// readWords say what was read in the place of something that could not be.
var readWords = map[string]string{
	record.ReadEventTime:   "The time of the event (EVN-6, or else EVN-2) was used as the time of leaving.",
	record.ReadMessageTime: "The time at which the message was sent or came was used instead.",
	record.ReadNoBirth:     "The birth date is left out.",
	record.ReadNoArrival:   "The time of arrival is left out.",
	record.ReadDetected:    "The text was read in the character set that its bytes look like.",
}

// Remedy is something that a human can do about a message quarantined.
type Remedy struct {
	Do string `json:"do"` // release or dismiss
	// With are what a release may bring beside the message, the ones it needs first: leftAt, visit, facts.
	With  []string `json:"with,omitempty"`
	Needs bool     `json:"needs,omitempty"` // without the first of them it cannot be released
	Words string   `json:"words"`
}

// isQuestion says whether a message quarantined asks about the scope of its visit, which a human answers.
func isQuestion(reason string) bool {
	return slices.Contains([]string{record.ReasonUndecided, record.ReasonRecoded, record.ReasonSetting}, reason)
}

// listSender is who rows of a nightly list come from, in the ledger.
const listSender = "list"

func canRelease(l LedgerLine) bool {
	return slices.ContainsFunc(remedies(l), func(r Remedy) bool { return r.Do == "release" })
}

// remedies are what can be done about a message. There are none for what is not quarantined.
func remedies(l LedgerLine) []Remedy {
	if l.Outcome != string(record.Quarantined) {
		return nil
	}
	release := Remedy{Do: "release", With: []string{"facts", "leftAt", "visit"},
		Words: "Read it again as it came, by the sender's profile as it is now, with what you know better."}
	dismiss := Remedy{Do: "dismiss", Words: "Nothing follows from it."}
	switch {
	case l.Reason == record.ReasonNoEnd || l.Reason == record.ReasonOnWard:
		return []Remedy{{Do: "release", With: []string{"leftAt", "facts"}, Needs: true,
			Words: "The person left then; the journey begins from there."},
			{Do: "dismiss", Words: "The person has not left, or it is of no concern here. A stay on a ward is asked " +
				"about again."}}
	case l.Endpoint == record.EndpointAlarm:
		dismiss.Words = "The sender has been asked, and that nightly list has come or is on its way. It ends by " +
			"itself when the feed is as usual."
		return []Remedy{dismiss}
	case isQuestion(l.Reason):
		release.With, release.Words = []string{"facts"}, "The visit is one to follow up: its journey begins at once."
		dismiss.Words = "The visit is not one to follow up."
	case l.Reason == record.ReasonGPChanged:
		release.With, release.Needs, release.Words = []string{"facts"}, true, "Say in which area the GP practice is."
		return []Remedy{release, dismiss}
	case l.Reason == record.ReasonFlagChanged:
		dismiss.Words = "The record has been looked at, and what matters is recorded."
		return []Remedy{dismiss}
	case l.Reason == record.ReasonNumberChanged || l.Reason == reading.ReasonTruncated || l.Sender == listSender:
		return []Remedy{dismiss}
	case l.Reason == reading.ReasonNoTime:
		release.With, release.Needs, release.Words = []string{"leftAt", "visit", "facts"}, true,
			"Say when the person left."
	case l.Reason == record.ReasonNoVisit:
		release.With, release.Needs, release.Words = []string{"visit", "leftAt", "facts"}, true, "Say the visit number."
	case l.Reason == record.ReasonNoPerson:
		release.With = []string{"visit", "leftAt", "facts"}
		release.Words = "Say the visit number, if the visit is known here; the person cannot be added by hand."
	}
	return []Remedy{release, dismiss}
}
