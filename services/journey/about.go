package journey

import (
	"encoding/json"
	"fmt"
	"maps"
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
	case stepReviewSearches:
		set("search", s.About)
	}
	if strings.HasPrefix(s.Kind, helpKind) {
		set("help", first)
	}
	return about
}

// line is about of a step without what the step's own row says, as it is kept there for lists: nothing where somebody
// must not know of the journey, so that whoever asks for such a step is held against the journey itself.
func (k *JourneyState) line(s Step) (string, error) {
	if len(k.BarredBut(k.Sender)) > 0 {
		return "", nil
	}
	about := k.about(s)
	maps.DeleteFunc(about.IDs, func(of, id string) bool { return of == "step" || of == "journey" || id == "" })
	text, err := json.Marshal(about)
	if err != nil {
		return "", fmt.Errorf("writing what step %s is about: %w", s.ID, err)
	}
	return string(text), nil
}

// lineOf is what a step is about, from its line.
func lineOf(s Step) (about schemas.StepAbout, err error) {
	if err := json.Unmarshal([]byte(s.Line), &about); err != nil {
		return about, fmt.Errorf("reading what step %s is about: %w", s.ID, err)
	}
	if about.IDs == nil {
		about.IDs = map[string]string{}
	}
	about.IDs["step"], about.IDs["journey"] = s.ID, s.Journey
	return about, nil
}
