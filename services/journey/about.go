package journey

import (
	"strings"

	"footbridge/schemas"
)

// about is what a step is about, as the journey knows it: what its requests need.
func (k *JourneyState) about(s Step) schemas.StepAbout {
	about := schemas.StepAbout{IDs: map[string]string{"step": s.ID, "journey": s.Journey, "person": k.Person,
		"facility": k.Sender}}
	first, second, _ := strings.Cut(s.Basis, "/")
	set := func(what, id string) { about.IDs[what] = id }
	switch s.Kind {
	case stepServiceAnswers, stepAskAgain, stepAskWhy, stepShareAssessment:
		set("service", first)
	case stepFindOut:
		about.Facts = k.missing()
	case stepCheck:
		_, v, _ := k.current()
		about.Flags = v.Flags
	case stepConfirmMerge:
		set("other", k.mergedWith())
	case stepCall, stepRingCaller:
		set("call", first)
	case stepAnswerPartner:
		set("offer", first)
		set("question", second)
	case stepDeletion, stepDeletionLate, stepAskDataContact, stepRingPartner, stepReachPartner, stepMayKnow,
		stepChoosePartner:
		set("offer", first)
		set("partner", k.Offers[first].Partner)
	case stepTellPartner, stepPartnerAnswers, stepAskAboutPartner, stepPartnerArranges, stepIntroduce, stepSession,
		stepAskWhatNext, stepAnotherTime, stepLateFollowUp:
		id, o, _ := k.active()
		set("offer", id)
		set("partner", o.Partner)
	case stepTellReferrer:
		set("referrer", first)
	case stepReadMessage:
		set("message", s.About)
	}
	if strings.HasPrefix(s.Kind, helpKind) {
		set("help", first)
	}
	return about
}
