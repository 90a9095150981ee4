package intake

import "strings"

// words say for staff what each reason means, and where something is to be done, what. They are about messages and
// feeds, never about a person.
var words = map[string]string{
	ReasonUndecided:    "Nothing in this visit's codes says whether it followed self-harm. Look at the visit: release it if it did, dismiss it if not.",
	ReasonRecoded:      "The hospital first coded this visit as following self-harm and then changed it. Look at the visit: release it if it did, dismiss it if not.",
	ReasonSetting:      "The codes say self-harm, on a visit that is not recorded as A&E or urgent care. Release it if the person has left A&E or urgent care, dismiss it if not.",
	ReasonByHand:       "This kind of message needs somebody to carry it out by hand.",
	ReasonNoPerson:     "The message does not say who it is about in a way that can be matched. Ask the hospital to send it again with the person's number.",
	ReasonNoVisit:      "The message does not name the visits it is about. Ask the hospital, then release it with the visit number or dismiss it.",
	ReasonNoTime:       "The message says that somebody left, but not when. Release it with the time, or ask the hospital to send it again.",
	ReasonBroken:       "The message is damaged or lacks a part that every message needs. Ask the hospital to send it again, then dismiss this one.",
	ReasonTruncated:    "The connection ended in the middle of a message. Check that it has come again; then dismiss this one.",
	ReasonFault:        "The message could not be processed here. Tell the operator; it can be released when the fault has been mended.",
	ReasonSilent:       "Nothing has come from this sender for longer than usual. Ask the hospital's integration team, and ask for tonight's list of A&E discharges.",
	ReasonFalling:      "Far fewer visits of this sender are coded as following self-harm than in the weeks before. Coding may have changed: compare with tonight's list.",
	ReasonUnknowns:     "This sender uses codes of a system that its profile does not know. Add the system to the profile, or note that it is of no concern.",
	ReasonFeedBack:     "The feed is as usual again.",
	ReasonDeath:        "A death was reported. Contact has stopped; nothing is raised.",
	ReasonAlready:      "This visit has been raised already; the message changed nothing.",
	ReasonVisitGone:    "The hospital cancelled the visit.",
	ReasonEndUndone:    "The hospital cancelled the discharge: the person has not left.",
	ReasonMerged:       "Two records have been made one. Consent and contact are checked by somebody before they are used.",
	ReasonRenamed:      "The hospital corrected the person's number.",
	ReasonVisitsJoined: "The hospital made two visit numbers one.",
	ReasonPersonOther:  "Messages of this visit named two records that are not known to be one person. Check whom it is about before anybody is contacted.",
	ReasonReused:       "The sender used the message's number before, with other content.",
	ReasonNotEnded:     "The visit has not ended yet.",
	ReasonOutOfScope:   "Nothing in the visit says self-harm.",
	ReasonHumanIn:      "Somebody looked at it and released it.",
	ReasonHumanOut:     "Somebody looked at it: it is of no concern here.",
	ReasonAnswered:     "What came later answered the question.",
	ReasonDemographics: "It is about a person's details only.",
	ReasonType:         "Messages of this kind are of no concern here.",
	ReasonAnswer:       "It was an answer to a message, and answers are not answered.",
	ReasonEmpty:        "There was nothing in it.",
	ReasonNotHL7:       "It was no HL7 message.",
	ReasonTooLarge:     "It was larger than a message can be.",
	ReasonEvent:        "The sender's profile does not take this event.",
	ReasonProcessing:   "The message was marked for another system, such as a test system (MSH-11).",
	ReasonVersion:      "The message is of a version that the profile does not take (MSH-12).",
	ReasonUnframed:     "What came over the connection was no message.",
	ReasonSource:       "The sender is not allowed to speak for that source or organisation.",
	ReasonNotEvent:     "It was no CloudEvent.",
	ReasonMediaType:    "It came in a form that is not taken here.",
	ReasonSchema:       "The event is not as its description says.",
}

// wordsFor gives the words for a reason, or for each of several flags, which stand parted by blanks.
func wordsFor(reason string) string {
	if text := words[reason]; text != "" {
		return text
	}
	var all []string
	for flag := range strings.FieldsSeq(reason) {
		if text := firstOf(words[flag], flagWords[flag]); text != "" {
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
	"discharge-in-future":    "The time of leaving is in the future.",
	"nhs-number-invalid":     "The NHS number given cannot be one.",
	"left-before-assessment": "The person left before an assessment.",
	"returned":               "The person has come back while their journey is open.",
}
