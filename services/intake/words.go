package intake

import (
	"cmp"
	"slices"
	"strings"
)

// words say what each reason means, and where something is to be done, what. They are about messages and feeds, never
// about a person, and name no condition, so that they may stand anywhere: in the ledger, on the console's page, in the
// output of commands, and in the answer to whoever sent the message. There is no other list of them.
var words = map[string]string{
	ReasonUndecided:     "Nothing in this visit's codes says whether it is one to follow up. Look at the visit: release it if it is, dismiss it if not.",
	ReasonRecoded:       "The hospital first coded this visit as one to follow up and then changed it. Look at the visit: release it if it is, dismiss it if not.",
	ReasonSetting:       "The codes say that it is one to follow up, but the visit is not recorded as A&E or urgent care. Release it if the person has left A&E or urgent care, dismiss it if not.",
	ReasonOther:         "The request's coded reasons are none that are followed up here. Look at the request: release it if it is for us, dismiss it if not.",
	ReasonByHand:        "This kind of message needs somebody to carry it out by hand. Do so, then dismiss it.",
	ReasonNoPerson:      "The message does not say who it is about in a way that can be matched. Ask the hospital to send it again with the person's number.",
	ReasonNoVisit:       "The message does not name the visits it is about. Ask the hospital, then release it with the visit number or dismiss it.",
	ReasonNoTime:        "The message says that somebody left, but not when. Release it with the time, or ask the hospital to send it again.",
	ReasonBroken:        "The message is damaged or lacks a part that every message needs. Ask the hospital to send it again, then dismiss this one.",
	ReasonTruncated:     "The connection ended in the middle of a message. Check that it has come again; then dismiss this one.",
	ReasonFault:         "The message could not be processed here. Tell the operator; it can be released when that has been mended.",
	ReasonSilent:        "Nothing has come from this sender for longer than usual. Ask the hospital's integration team, and ask for tonight's list of A&E discharges.",
	ReasonFalling:       "Far fewer visits of this sender are coded as ones to follow up than in the weeks before. Coding may have changed: compare with tonight's list.",
	ReasonUnknowns:      "This sender uses codes of a system that its profile does not know. Add the system to the profile, or note that it is of no concern.",
	ReasonNumberChanged: "A person's NHS number has changed. Where the new one is not given, look it up and record it, then dismiss this.",
	ReasonFeedBack:      "The feed is as usual again.",
	ReasonDeath:         "A death was reported. Contact has stopped; nothing is raised.",
	ReasonParted:        "Contact had been stopped for somebody else, whose record had been mixed up with this one.",
	ReasonByHandStop:    "Somebody stopped all contact, or lifted that, by hand.",
	ReasonRecordChanged: "The person's national record has changed. Somebody asks whether the contact still holds.",
	ReasonNotKnown:      "It is about somebody who is not known here; nothing of it is kept.",
	ReasonSignalOther:   "Signals of this kind are of no concern here.",
	ReasonNotSignal:     "What came is no signal in either of the forms that are taken.",
	ReasonAlready:       "A journey had begun for this visit already; the message changed nothing.",
	ReasonVisitGone:     "The hospital cancelled the visit.",
	ReasonEndUndone:     "The hospital cancelled the discharge: the person has not left.",
	"recoded":           "The hospital changed what the visit was about after a journey had begun. Somebody looks at it.",
	ReasonUnasked:       "The sender took the request back.",
	ReasonMerged:        "Two records have been made one. Consent and contact are checked by somebody before they are used.",
	ReasonRenamed:       "The hospital corrected the person's number.",
	ReasonVisitsJoined:  "The hospital made two visit numbers one.",
	ReasonPersonOther:   "Messages of this visit named two records that are not known to be one person. Check whom it is about before anybody is contacted.",
	ReasonReused:        "The sender used the message's number before, with other content.",
	ReasonNotEnded:      "The visit has not ended yet.",
	ReasonOutOfScope:    "Nothing in the visit says that it is one to follow up.",
	ReasonHumanIn:       "Somebody looked at it and released it.",
	ReasonHumanOut:      "Somebody looked at it: it is of no concern here.",
	ReasonAnswered:      "What came later answered the question.",
	ReasonDemographics:  "It is about a person's details only.",
	ReasonType:          "Messages of this kind are of no concern here.",
	ReasonAnswer:        "It was an answer to a message, and answers are not answered.",
	ReasonEmpty:         "There was nothing in it.",
	ReasonNotHL7:        "It was no HL7 message.",
	ReasonTooLarge:      "It was larger than a message can be.",
	ReasonEvent:         "Messages of this event or type are not taken from this sender.",
	ReasonProcessing:    "The message was marked for another system, such as a test system (MSH-11). If it is about a real person, have it sent again with MSH-11 P, or name what this sender writes in its profile (processingIDs).",
	ReasonNoProcessing:  "The message does not say whether it is about a real person (MSH-11 is empty). Release it if it is. If this sender always leaves it empty, let its profile take that (processingIDs).",
	ReasonVersion:       "The message is of a version that the profile does not take (MSH-12).",
	ReasonUnframed:      "What came over the connection was no message.",
	ReasonSource:        "The sender is not allowed to speak for that source or organisation.",
	ReasonNotEvent:      "It was no CloudEvent.",
	ReasonMediaType:     "It came in a form that is not taken here.",
	ReasonSchema:        "What it says is not as its description has it.",
	ReasonNotR4:         "It is no message in FHIR R4.",
	ReasonHeaders:       "A header that every request needs is missing, or is not what it should be.",
	ReasonNoEnd:         "This visit is one to follow up, or may be, and has no end. Has the person left? Release it with the time they left, and where to if you know; the visit's number stands as the message's. Dismiss it if they have not left, or if it is of no concern here.",
	ReasonOnWard:        "The person went to a ward and is there still, as far as we know. If they have left, release it with the time. If not, dismiss it: it is asked again in some days, until the stay has ended.",
}

// wordsFor gives the words for a reason, or for each of several flags, which stand parted by blanks.
func wordsFor(reason string) string {
	if text := words[reason]; text != "" {
		return text
	}
	var all []string
	for flag := range strings.FieldsSeq(reason) {
		if text := cmp.Or(words[flag], flagWords[flag]); text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, " ")
}

// flagWords say why a discharge that was raised is shown to somebody.
var flagWords = map[string]string{
	"under-18":               "The person is under 18: nobody is contacted before a young people's clinician has said who may agree.",
	"age-unknown":            "The age is not known, so the rules for under 18 hold.",
	"late":                   "It came so late that few days of the two weeks are left.",
	"discharge-in-future":    "The time of leaving is in the future: it is not believed, and another was used.",
	"nhs-number-invalid":     "The NHS number given cannot be one.",
	"left-before-assessment": "The person left before an assessment.",
	"gone-elsewhere":         "The person went on to a ward, another hospital, the police or custody. Hold the journey there, with a day to look again, or find out how they may be reached.",
	"returned":               "The person has come back while their journey is open.",
	"possible-double":        "Another record may be the same person: compare them before anybody is contacted.",
	"unverified":             "Who asked is not known for certain until somebody has spoken with them.",
	"time-not-believed":      "A time in the message cannot be one (no such day or hour, before birth, or far from the message's own): it is not believed.",
	"left-before-arrival":    "The time of leaving is before the arrival: it is not believed.",
	"text-damaged":           "Bytes of the message do not fit the character set that it declares, or could not be read: a name may be spelt wrongly.",
	"no-visit-details":       "The message says nothing of the visit that has ended (no PV1): the class, the place and the visit number are not known.",
	"destination-unknown":    "Where the person went is in a code or word that the profile does not know: ask the hospital, and add it to the profile.",
	"unplaced":               "Where it came from is agreed with no organisation: a navigator says whose it is, and nobody sees who the person is before.",
	"protected":              "The record is protected (PD1-12, PV2-22 or ARV): nothing goes out until the person has been asked.",
	"no-safe-channel":        "No telephone and no address came: there is no safe channel yet. Ask before the person leaves the list.",

	readEventTime:   "The time of the event (EVN-6, or else EVN-2) was used as the time of leaving.",
	readMessageTime: "The time at which the message was sent or came was used instead.",
	readNoBirth:     "The birth date is left out.",
	readNoArrival:   "The time of arrival is left out.",
	readDetected:    "The text was read in the character set that its bytes look like.",
}

// Remedy is something that a human can do about a message set aside.
type Remedy struct {
	Do string `json:"do"` // release or dismiss
	// With are what a release may bring beside the message, the ones it needs first: leftAt, visit, facts.
	With  []string `json:"with,omitempty"`
	Needs bool     `json:"needs,omitempty"` // without the first of them it cannot be released
	Words string   `json:"words"`
}

// isQuestion says whether a message set aside asks about the scope of its visit, which a human answers.
func isQuestion(reason string) bool {
	return slices.Contains([]string{ReasonUndecided, ReasonRecoded, ReasonSetting}, reason)
}

// listSender is who rows of a night's list come from, in the ledger.
const listSender = "list"

func canRelease(l LedgerLine) bool {
	return slices.ContainsFunc(remedies(l), func(r Remedy) bool { return r.Do == "release" })
}

// remedies are what can be done about a message. There are none for what is not set aside.
func remedies(l LedgerLine) []Remedy {
	if l.Outcome != string(Quarantined) {
		return nil
	}
	release := Remedy{Do: "release", With: []string{"facts", "leftAt", "visit"}, Words: "Read it again as it came, by the sender's profile as it is now, with what you know better."}
	dismiss := Remedy{Do: "dismiss", Words: "Nothing follows from it."}
	switch {
	case l.Reason == ReasonNoEnd || l.Reason == ReasonOnWard:
		return []Remedy{{Do: "release", With: []string{"leftAt", "facts"}, Needs: true, Words: "The person left then; the journey begins from there."},
			{Do: "dismiss", Words: "The person has not left, or it is of no concern here. A stay on a ward is asked about again."}}
	case l.Door == doorAlarm:
		dismiss.Words = "The sender has been asked, and that night's list has come or is on its way. It ends by itself when the feed is as usual."
		return []Remedy{dismiss}
	case isQuestion(l.Reason):
		release.With, release.Words = []string{"facts"}, "The visit is one to follow up: its journey begins at once."
		dismiss.Words = "The visit is not one to follow up."
	case l.Reason == ReasonNumberChanged || l.Reason == ReasonTruncated || l.Sender == listSender:
		return []Remedy{dismiss}
	case l.Reason == ReasonNoTime:
		release.With, release.Needs, release.Words = []string{"leftAt", "visit", "facts"}, true, "Say when the person left."
	case l.Reason == ReasonNoVisit:
		release.With, release.Needs, release.Words = []string{"visit", "leftAt", "facts"}, true, "Say the visit number."
	case l.Reason == ReasonNoPerson:
		release.With = []string{"visit", "leftAt", "facts"}
		release.Words = "Say the visit number, if the visit is known here; the person cannot be added by hand."
	}
	return []Remedy{release, dismiss}
}
