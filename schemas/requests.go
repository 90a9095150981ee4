package schemas

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bodies of requests by which people record something, as far as a step's actions speak of them. A form is made from
// these, and each service's own tests see that it takes what is made so.

// StepDone is the body of POST /api/steps/{id}/done: what is to be said differs by the kind of step.
type StepDone struct {
	// What happens next, where that is for whoever did this to say.
	Next *StepNext `json:"next,omitempty"`
	// What somebody found who checked.
	Found string `json:"found,omitempty" is:"check-result"`
	// Who confirmed it.
	ConfirmedBy string `json:"confirmedBy,omitempty" is:"confirming"`
	// How the person was told.
	Told string `json:"told,omitempty" is:"telling"`
	// The role of whoever was rung and heard it: lower-case words joined by hyphens, never a name.
	Heard string `json:"heard,omitempty" is:"code"`
	// What was decided about somebody who could not be reached.
	Decided string `json:"decided,omitempty" is:"reach-decision"`
	// Who sees to somebody whom one at the partner may know.
	SeenTo string `json:"seenTo,omitempty" is:"seen-to"`
	// Who takes over, as kind:id: the adults' service or partner of somebody who turns 18.
	TakesOver string `json:"takesOver,omitempty" is:"owner"`
	// The local day on which it happened.
	On string `json:"on,omitempty" is:"date"`
}

// StepNext is what somebody who did a step says happens next.
type StepNext struct {
	// What is to be done, as lower-case words joined by hyphens.
	Kind string `json:"kind" is:"code"`
	// Who does it, as kind:id.
	Owner string `json:"owner" is:"owner"`
	// By when.
	DueAt time.Time `json:"dueAt"`
}

// AssessmentRecord is the body of POST /api/journeys/{id}/assessment.
type AssessmentRecord struct {
	// Who holds the last assessment, as kind:id: a team or a service.
	Holder string `json:"holder,omitempty" is:"owner"`
	// From which local day it is.
	On string `json:"on,omitempty" is:"date"`
	// Who the aftercare within 48 hours of it is with, as kind:id. Only where an assessment was done.
	Aftercare string `json:"aftercare,omitempty" is:"owner"`
	// What has changed since.
	Changed []string `json:"changed,omitempty" is:"changed-since" items:"0,10"`
	// A service that was told of it, by the directory's id.
	Service string `json:"service,omitempty" is:"service"`
}

// FirstContactRecord is the body of POST /api/journeys/{id}/first-contact: that the person would like an early voice,
// or what became of it.
type FirstContactRecord struct {
	// Within how many hours of leaving.
	Within string `json:"within,omitempty" is:"contact-within"`
	// Who makes it, as kind:id; the sending team where nothing else was agreed.
	By string `json:"by,omitempty" is:"owner"`
	// What became of it.
	Outcome string `json:"outcome,omitempty" is:"first-contact"`
}

// RetoldRecord is the body of POST /api/journeys/{id}/retold: the person had to tell it all again.
type RetoldRecord struct {
	// To whom: a role, never a name.
	To string `json:"to,omitempty" is:"code"`
	// On which local day; today where it is left out.
	On string `json:"on,omitempty" is:"date"`
}

// CorrectionRecord is the body of POST /api/journeys/{id}/correction: who a request is about, where it was written down
// wrongly. What is left out stays.
type CorrectionRecord struct {
	// Family name.
	FamilyName string `json:"familyName,omitempty" is:"line-200"`
	// Given names.
	GivenName string `json:"givenName,omitempty" is:"line-200"`
	// Date of birth.
	BirthDate string `json:"birthDate,omitempty" is:"date"`
	// NHS number, as on a letter: it counts as not verified.
	NHSNumber string `json:"nhsNumber,omitempty" is:"line-40"`
	// How it is known, in a few words: kept, and the person can read it.
	Reason string `json:"reason" is:"line-200"`
}

// LookReviewRecord is the body of POST /api/journeys/{id}/look-review: what a navigator found of looks from elsewhere.
type LookReviewRecord struct {
	// In order, or not and passed on.
	Finding string `json:"finding" is:"access-finding"`
	// To which role it was passed on, where it was not in order; never a name.
	PassedTo string `json:"passedTo,omitempty" is:"code"`
}

// SearchReviewRecord is the body of POST /api/people/searches/review: what a reviewer found of searches of others.
type SearchReviewRecord struct {
	// The newest that was looked at: all up to it are reviewed by this.
	UpTo string `json:"upTo"`
	// In order, or not and passed on.
	Finding string `json:"finding" is:"access-finding"`
	// To which role it was passed on, where it was not in order, such as privacy-officer; never a name.
	PassedTo string `json:"passedTo,omitempty" is:"code"`
}

// SummaryRecord is the body of POST /api/journeys/{id}/summary.
type SummaryRecord struct {
	// What the person agreed to pass on, in their words; empty takes it back. What is left out stays.
	Words *string `json:"words,omitempty" is:"lines-2000"`
	// To whom it may be passed on, or no more.
	Release []SummaryRelease `json:"release,omitempty" items:"0,20"`
}

// OwnPageRecord is the body of POST /api/journeys/{id}/own-page: somebody wants a page of their own, or it is stopped.
type OwnPageRecord struct {
	// The word that the person chose; with the code it opens the page. It is kept as a keyed hash alone.
	Word string `json:"word,omitempty"`
	// The person said that they want a page.
	Wanted bool `json:"wanted,omitempty"`
	// The person said that it is safe for them to have the paper with the code.
	SafeToHave bool `json:"safeToHave,omitempty"`
	// Stops the page that stands, and its session with it.
	Stop bool `json:"stop,omitempty"`
}

// LetterPrinted is the body of POST /api/journeys/{id}/letter.
type LetterPrinted struct {
	// What was printed.
	Kind string `json:"kind" is:"paper"`
}

// OwnPageTried is the body of POST /api/own-page/open: a code and a word, as they were typed.
type OwnPageTried struct {
	Code string `json:"code"`
	Word string `json:"word"`
}

// OwnPageOpened names a session of such a page, between the gateway and who keeps it.
type OwnPageOpened struct {
	Session string `json:"session"`
}

// OwnPageHolder says whose a session is.
type OwnPageHolder struct {
	Person  string `json:"person"`
	Journey string `json:"journey"`
}

// SummaryRelease is what the person said to passing their words on to one partner.
type SummaryRelease struct {
	// Opaque id of the partner.
	Organisation string `json:"organisation" is:"partner"`
	// What they said.
	State string `json:"state" is:"summary-release"`
}

// NoAnswerRecord is the body of POST /api/steps/{id}/no-answer: the person was tried, and could not be reached.
type NoAnswerRecord struct {
	// By which channel.
	Channel string `json:"channel,omitempty" is:"safe-channel"`
}

// StepOwner is the body of POST /api/steps/{id}/reassign and /acknowledge.
type StepOwner struct {
	// Who it is handed to, or as whom it is taken on, as kind:id.
	Owner string `json:"owner" is:"owner"`
}

// ConsentRecord is the body of POST /api/journeys/{id}/consent.
type ConsentRecord struct {
	// What the person said to each purpose.
	Answers []ConsentAnswer `json:"answers,omitempty" items:"0,20"`
	// Who said it: the person, unless another may answer for them.
	Giver string `json:"giver,omitempty" is:"giver"`
	// How it was said.
	How string `json:"how,omitempty" is:"how"`
	// What a young people's clinician decided.
	MayConsent *MayConsentRecord `json:"mayConsent,omitempty"`
}

// ConsentAnswer is what somebody said to one purpose.
type ConsentAnswer struct {
	// What it was said to.
	Purpose string `json:"purpose" is:"purpose"`
	// Opaque id of the partner; absent for any.
	Organisation string `json:"organisation,omitempty" is:"partner"`
	// What they said.
	State string `json:"state" is:"consent-answer"`
}

// MayConsentRecord is a young people's clinician's decision.
type MayConsentRecord struct {
	// Why that person may answer.
	Basis string `json:"basis" is:"consent-basis"`
	// Whose the contact is.
	WhosePhone string `json:"whosePhone" is:"line-200"`
	// Who may know, and who not.
	MayKnow string `json:"mayKnow" is:"line-200"`
}

// ContactRecord is the body of POST /api/journeys/{id}/contact, as far as a step asks for it.
type ContactRecord struct {
	// The ways to reach the person.
	Channels []ContactChannel `json:"channels,omitempty" items:"0,20"`
	// That no way is safe.
	NoSafeChannel bool `json:"noSafeChannel,omitempty"`
	// What was arranged instead.
	Arrangement string `json:"arrangement,omitempty" is:"line-200"`
}

// ContactChannel is one way to reach the person.
type ContactChannel struct {
	// Which.
	Channel string `json:"channel" is:"reach-channel"`
	// The number or address.
	Value string `json:"value" is:"line-254"`
	// That the person said themselves that it is safe.
	Confirmed bool `json:"confirmed,omitempty"`
}

// FactsRecord is the body of POST /api/journeys/{id}/facts.
type FactsRecord struct {
	// What has become known.
	Facts Facts `json:"facts,omitzero"`
	// What the person was asked and would rather not say, or nobody can find out: it stays unknown, and excludes
	// nothing.
	NotSaid []string `json:"notSaid,omitempty" is:"fact" items:"0,40"`
}

// ReasonRecord is the body of requests that take a reason alone.
type ReasonRecord struct {
	// Why.
	Reason string `json:"reason" is:"line-200"`
}

// MergeRecord is the body of POST /api/people/{ref}/merge and /unmerge.
type MergeRecord struct {
	// Reference of the other record.
	Other string `json:"other" is:"uuid"`
	// Why.
	Reason string `json:"reason" is:"line-200"`
	// That somebody compared both, and consent and contact of both may be used together.
	Confirm bool `json:"confirm,omitempty"`
}

// ServiceAskedRecord is the body of POST /api/journeys/{id}/asked.
type ServiceAskedRecord struct {
	// The service, by the directory's id.
	Service string `json:"service" is:"service"`
}

// ServiceAnsweredRecord is the body of POST /api/journeys/{id}/answered.
type ServiceAnsweredRecord struct {
	// The service, by the directory's id.
	Service string `json:"service" is:"service"`
	// What it answered.
	Answer string `json:"answer" is:"answer"`
	// Why, where it said no.
	Reason string `json:"reason,omitempty" is:"decline-reason"`
	// What it said of itself, in its own words; nothing about the person.
	Words string `json:"words,omitempty" is:"lines-500"`
}

// OverrideRecord is the body of POST /api/journeys/{id}/override: a human's decision about one service.
type OverrideRecord struct {
	// The service, by the directory's id.
	Service string `json:"service" is:"service"`
	// Whether it is open to the person.
	Door string `json:"door" is:"override-door"`
	// Why.
	Reason string `json:"reason" is:"override-reason"`
}

// PreferencesRecord is the body of POST /api/journeys/{id}/preferences, as far as a form asks for it.
type PreferencesRecord struct {
	// How they like to talk.
	Channels []string `json:"channels,omitempty" is:"channel"`
	// Whom they would like to talk to.
	WorkerGender string `json:"workerGender,omitempty" is:"worker-gender"`
	// The language they prefer.
	Language string `json:"language,omitempty" is:"language"`
	// That an interpreter would help.
	Interpreter bool `json:"interpreterNeeded,omitempty"`
	// When they can meet.
	Hours []string `json:"hours,omitempty" is:"meeting-hours"`
	// What access they need.
	Access []string `json:"access,omitempty" is:"access-need"`
}

// HoldRecord is the body of POST /api/journeys/{id}/hold.
type HoldRecord struct {
	// Where the person is.
	Place string `json:"place" is:"hold-place"`
	// Who has them there: a role, never a name.
	HeldBy string `json:"heldBy" is:"code"`
	// On which local day somebody looks again.
	ReviewOn string `json:"reviewOn" is:"date"`
}

// PlaceRecord is the body of POST /api/facilities/{id}/place.
type PlaceRecord struct {
	// ODS code of the organisation.
	Organisation string `json:"organisation" is:"ods"`
}

// CloseRecord is the body of POST /api/journeys/{id}/close.
type CloseRecord struct {
	// Why.
	Reason string `json:"reason" is:"closing"`
	// How the person was told.
	Told string `json:"told" is:"told-by"`
	// How they come back if they want to.
	WayBack string `json:"wayBack" is:"way-back"`
	// The local day of what the reason says has happened.
	On string `json:"on,omitempty" is:"date"`
	// That the person says so themselves.
	PersonAgrees bool `json:"personAgrees,omitempty"`
	// Whose care has started, by the directory's id.
	Service string `json:"service,omitempty" is:"service"`
	// Who has taken over where the person lives now.
	AcknowledgedBy string `json:"acknowledgedBy,omitempty" is:"answering-role"`
	// The channels by which the person was tried.
	Tried []string `json:"tried,omitempty" is:"safe-channel" items:"0,10"`
}

// OfferDeclinedRecord, and the others below, are the bodies of a partner's answers to an offer.
type (
	// OfferDeclinedRecord is the body of POST /api/offers/{id}/decline.
	OfferDeclinedRecord struct {
		// Why.
		Code string `json:"code" is:"offer-decline"`
	}
	// OfferIntroducedRecord is the body of POST /api/offers/{id}/introduce.
	OfferIntroducedRecord struct {
		// How the person was introduced to whoever sees them there.
		How string `json:"how" is:"introduced-how"`
	}

	// OfferHandedBackRecord is the body of POST /api/offers/{id}/hand-back.
	OfferHandedBackRecord struct {
		// Why.
		Reason string `json:"reason" is:"hand-back"`
		// That everything the partner has taken on goes back.
		All bool `json:"all,omitempty"`
	}
	// OfferMayKnowRecord is the body of POST /api/offers/{id}/may-know.
	OfferMayKnowRecord struct {
		// Who sees to it instead.
		Who string `json:"who" is:"may-know"`
	}
	// OfferBookedRecord is the body of POST /api/offers/{id}/appointment.
	OfferBookedRecord struct {
		// When it begins.
		StartsAt time.Time `json:"startsAt"`
		// How they meet.
		Channel string `json:"channel" is:"channel"`
		// Its length.
		Minutes int `json:"minutes,omitempty" is:"minutes"`
	}
	// OfferWentRecord is the body of POST /api/offers/{id}/outcome.
	OfferWentRecord struct {
		// How it went.
		Outcome string `json:"outcome" is:"session-outcome"`
		// What comes next, as it was agreed with the person.
		Next string `json:"next,omitempty" is:"what-next"`
	}
	// OfferAnsweredRecord is the body of POST /api/offers/{id}/question: a partner says what it asks about, and a
	// navigator answers one question.
	OfferAnsweredRecord struct {
		// What it is about, of a new question.
		About string `json:"about,omitempty" is:"offer-question"`
		// Id of the question that is answered.
		Question string `json:"question,omitempty" is:"uuid"`
		// The answer.
		Reply string `json:"reply,omitempty" is:"offer-reply"`
	}
	// DeletionConfirmedRecord is the body of POST /api/offers/{id}/confirm-deletion.
	DeletionConfirmedRecord struct {
		// Why something is kept; absent where all is deleted.
		KeptBecause string `json:"keptBecause,omitempty" is:"kept-because"`
		// What is kept.
		Kept []string `json:"kept,omitempty" is:"kept" items:"1,10"`
	}
)

// PartnerCapacityRecord, and the others below, are the bodies of PUT /api/partners/{id}/….
type (
	// PartnerCapacityRecord is what a partner can do for how many people.
	PartnerCapacityRecord struct {
		// Places: new ones a week, and at the same time; 0 is no bound.
		Weekly int `json:"weekly,omitempty"`
		AtMost int `json:"atMost,omitempty"`
		// The days on which it answers.
		Works []string `json:"works,omitempty" is:"weekday"`
		// What it can do; empty is anything.
		Channels      []string `json:"channels,omitempty" is:"channel"`
		Languages     []string `json:"languages,omitempty" is:"language"`
		WorkerGenders []string `json:"workerGenders,omitempty" is:"worker-gender"`
		Hours         []string `json:"hours,omitempty" is:"meeting-hours"`
		Access        []string `json:"access,omitempty" is:"access-need"`
		Groups        []string `json:"groups,omitempty" is:"own-group"`
		Areas         []string `json:"areas,omitempty" is:"area"`
	}
	// PartnerHolidaysRecord is when a partner is away: all of it that is to come.
	PartnerHolidaysRecord struct {
		Holidays []DaysAway `json:"holidays"`
	}
	// DaysAway is from one local day until another, both inclusive.
	DaysAway struct {
		From  string `json:"from" is:"date"`
		Until string `json:"until" is:"date"`
	}
	// PartnerPauseRecord is the last local day of a pause; an empty text ends it.
	PartnerPauseRecord struct {
		Until string `json:"until" is:"date"`
	}
	// CallerHoursRecord is when somebody makes calls, and how many.
	CallerHoursRecord struct {
		Days []string `json:"days" is:"weekday"`
		// Local hours of the day, from one until another.
		FromHour int `json:"fromHour"`
		ToHour   int `json:"toHour"`
		Most     int `json:"most"`
		// How they are reminded of their calls a day ahead and when one is due.
		Channel string `json:"channel,omitempty" is:"reminder-by"`
		// Where to: an address, or that of the site's paging.
		Address string `json:"address,omitempty" is:"line-200"`
	}
	// CallerAwayRecord is until which local day somebody who makes calls is ill or away; today where it is left out.
	CallerAwayRecord struct {
		Until string `json:"until,omitempty" is:"date"`
	}
	// PartnerNoticeRecord is how a partner wants to be told.
	PartnerNoticeRecord struct {
		By string `json:"by" is:"notice-by"`
		To string `json:"to,omitempty" is:"line-200"`
		// One mail a day for all that waits; what is called off is mailed at once.
		Digest bool `json:"digest,omitempty"`
	}
	// ReferrerNoticeRecord is how an organisation wants to be told that there is news of those it referred.
	ReferrerNoticeRecord struct {
		By string `json:"by" is:"news-by"`
		// A mailbox of the team.
		To string `json:"to,omitempty" is:"line-200"`
		// One mail a day.
		Digest bool `json:"digest,omitempty"`
	}
	// GoingLiveRecord is what outward sending rests on, of whoever asks for it; or that somebody else confirms it, who
	// names what they read.
	GoingLiveRecord struct {
		SafetyOfficer string `json:"safetyOfficer,omitempty" is:"line-200"`
		HazardLog     string `json:"hazardLog,omitempty" is:"line-200"`
		DPIA          string `json:"dpia,omitempty" is:"line-200"`
		Caldicott     string `json:"caldicott,omitempty" is:"line-200"`
		Confirm       bool   `json:"confirm,omitempty"`
	}
	// PartnerAgreementRecord is an agreement with a partner.
	PartnerAgreementRecord struct {
		From         string `json:"from" is:"date"`
		Until        string `json:"until" is:"date"`
		OutwardName  string `json:"outwardName" is:"line-100"`
		Safeguarding string `json:"safeguarding" is:"line-200"`
		DataContact  string `json:"dataContact,omitempty" is:"line-200"`
	}
)

// CallOutcomeRecord is the body of POST /api/calls/{id}/outcome.
type CallOutcomeRecord struct {
	// What became of it.
	Outcome string `json:"outcome" is:"call-outcome"`
	// What the person said, where they were reached.
	Answer string `json:"answer,omitempty" is:"call-answer"`
	// Why it was not made.
	Reason string `json:"reason,omitempty" is:"not-made"`
	// Who asked to stop.
	By string `json:"by,omitempty" is:"stopped-by"`
	// When it happened, where that was not just now.
	HappenedAt *time.Time `json:"happenedAt,omitempty"`
}

// requestBodies are the bodies that actions speak of, by route.
var requestBodies = map[string]reflect.Type{
	"POST /api/steps/{id}/done":              reflect.TypeFor[StepDone](),
	"POST /api/steps/{id}/no-answer":         reflect.TypeFor[NoAnswerRecord](),
	"POST /api/steps/{id}/reassign":          reflect.TypeFor[StepOwner](),
	"POST /api/steps/{id}/acknowledge":       reflect.TypeFor[StepOwner](),
	"POST /api/journeys/{id}/consent":        reflect.TypeFor[ConsentRecord](),
	"POST /api/journeys/{id}/contact":        reflect.TypeFor[ContactRecord](),
	"POST /api/journeys/{id}/assessment":     reflect.TypeFor[AssessmentRecord](),
	"POST /api/journeys/{id}/first-contact":  reflect.TypeFor[FirstContactRecord](),
	"POST /api/journeys/{id}/facts":          reflect.TypeFor[FactsRecord](),
	"POST /api/journeys/{id}/asked":          reflect.TypeFor[ServiceAskedRecord](),
	"POST /api/journeys/{id}/answered":       reflect.TypeFor[ServiceAnsweredRecord](),
	"POST /api/journeys/{id}/hold":           reflect.TypeFor[HoldRecord](),
	"POST /api/journeys/{id}/release":        reflect.TypeFor[struct{}](),
	"POST /api/journeys/{id}/reopen":         reflect.TypeFor[struct{}](),
	"POST /api/journeys/{id}/override":       reflect.TypeFor[OverrideRecord](),
	"POST /api/journeys/{id}/preferences":    reflect.TypeFor[PreferencesRecord](),
	"POST /api/journeys/{id}/summary":        reflect.TypeFor[SummaryRecord](),
	"POST /api/journeys/{id}/correction":     reflect.TypeFor[CorrectionRecord](),
	"POST /api/journeys/{id}/look-review":    reflect.TypeFor[LookReviewRecord](),
	"POST /api/people/searches/review":       reflect.TypeFor[SearchReviewRecord](),
	"POST /api/journeys/{id}/retold":         reflect.TypeFor[RetoldRecord](),
	"POST /api/journeys/{id}/close":          reflect.TypeFor[CloseRecord](),
	"POST /api/people/{ref}/contact-resumed": reflect.TypeFor[ReasonRecord](),
	"POST /api/people/{ref}/merge":           reflect.TypeFor[MergeRecord](),
	"POST /api/people/{ref}/unmerge":         reflect.TypeFor[MergeRecord](),
	"POST /api/offers/{id}/accept":           reflect.TypeFor[struct{}](),
	"POST /api/offers/{id}/decline":          reflect.TypeFor[OfferDeclinedRecord](),
	"POST /api/offers/{id}/undo":             reflect.TypeFor[struct{}](),
	"POST /api/offers/{id}/introduce":        reflect.TypeFor[OfferIntroducedRecord](),
	"POST /api/offers/{id}/hand-back":        reflect.TypeFor[OfferHandedBackRecord](),
	"POST /api/offers/{id}/appointment":      reflect.TypeFor[OfferBookedRecord](),
	"POST /api/offers/{id}/outcome":          reflect.TypeFor[OfferWentRecord](),
	"POST /api/offers/{id}/may-know":         reflect.TypeFor[OfferMayKnowRecord](),
	"POST /api/offers/{id}/question":         reflect.TypeFor[OfferAnsweredRecord](),
	"POST /api/offers/{id}/confirm-deletion": reflect.TypeFor[DeletionConfirmedRecord](),
	"POST /api/calls/{id}/outcome":           reflect.TypeFor[CallOutcomeRecord](),
	"POST /api/help/{id}/acknowledge":        reflect.TypeFor[struct{}](),
	callersOwn:                               reflect.TypeFor[CallerHoursRecord](),
	callersAway:                              reflect.TypeFor[CallerAwayRecord](),
	callersCalendar:                          reflect.TypeFor[struct{}](),
	callersCalendar + "/revoke":              reflect.TypeFor[struct{}](),
	workersCalendar:                          reflect.TypeFor[struct{}](),
	workersCalendar + "/revoke":              reflect.TypeFor[struct{}](),
	"PUT /api/partners/{id}/capacity":        reflect.TypeFor[PartnerCapacityRecord](),
	"PUT /api/partners/{id}/holidays":        reflect.TypeFor[PartnerHolidaysRecord](),
	"PUT /api/partners/{id}/pause":           reflect.TypeFor[PartnerPauseRecord](),
	"PUT /api/partners/{id}/notice":          reflect.TypeFor[PartnerNoticeRecord](),
	"PUT /api/referrals/notice":              reflect.TypeFor[ReferrerNoticeRecord](),
	"PUT /api/partners/{id}/agreement":       reflect.TypeFor[PartnerAgreementRecord](),
	"POST " + goingLive:                      reflect.TypeFor[GoingLiveRecord](),
	"DELETE " + goingLive:                    reflect.TypeFor[struct{}](),
	"POST /api/messages/{id}/release":        reflect.TypeFor[struct{}](),
	"POST /api/messages/{id}/dismiss":        reflect.TypeFor[struct{}](),
	"POST /api/facilities/{id}/place":        reflect.TypeFor[PlaceRecord](),
}

// BodyOf is the type of the body of a route's requests, where actions speak of them.
func BodyOf(route string) (reflect.Type, bool) {
	t, found := requestBodies[route]
	return t, found
}

// Field is one thing that an action asks for, so that a page can build its form.
type Field struct {
	// Name is where it stands in the body: members and places in lists joined by points, such as answers.0.state.
	Name string `json:"name"`
	// Kind is how it is given: choice (one of Values), yes-no, number, date, time, text, or days-away
	// (YYYY-MM-DD/YYYY-MM-DD).
	Kind string `json:"kind"`
	// Words ask for it.
	Words string `json:"words,omitempty"`
	// Values is the closed list of a choice, in its published order.
	Values []string `json:"values,omitempty"`
	// Value is known already and is sent as it is; nobody is asked for it.
	Value string `json:"value,omitempty"`
	// Now is what stands there at present, of what is changed as a whole.
	Now []string `json:"now,omitempty"`
	// Seen says that Now is sent back as it was shown to whoever decides: nobody is asked for it, and the request is
	// refused where something else stands there by then.
	Seen bool `json:"seen,omitempty"`
	// Required says that the request is refused without it.
	Required bool `json:"required,omitempty"`
	// List says that several values may be given, as a list.
	List bool `json:"list,omitempty"`
	// MaxLength bounds a text, in characters.
	MaxLength int `json:"maxLength,omitempty"`
	// Is says of a text that it is no words but a code of one of the published kinds, such as owner, service, partner
	// or code: a page can offer what there is, by name.
	Is string `json:"is,omitempty"`
}

// formField finds a field by its name in a body's type, as a form asks for it.
func formField(body reflect.Type, name string) (Field, error) {
	f, is := Field{Name: name}, ""
	if body == nil {
		return f, fmt.Errorf("%s: the request has no body that is known", name)
	}
	at := body
	for part := range strings.SplitSeq(name, ".") {
		for at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		if _, err := strconv.Atoi(part); err == nil && at.Kind() == reflect.Slice {
			at = at.Elem()
			continue
		}
		if at.Kind() != reflect.Struct {
			return f, fmt.Errorf("%s: %s is within no object", name, part)
		}
		i := slices.IndexFunc(slices.Collect(at.Fields()), func(member reflect.StructField) bool {
			return strings.Split(member.Tag.Get("json"), ",")[0] == part
		})
		if i < 0 {
			return f, fmt.Errorf("%s: there is no %s in %s", name, part, at.Name())
		}
		is, at = at.Field(i).Tag.Get("is"), at.Field(i).Type
	}
	for at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice {
		f.List = f.List || at.Kind() == reflect.Slice
		at = at.Elem()
	}
	kind, _ := KindNamed(is)
	f.Values, f.MaxLength = slices.Clone(kind.Values), kind.MaxLength
	switch {
	case len(kind.Values) > 0:
		f.Kind = "choice"
	case at == reflect.TypeFor[time.Time]():
		f.Kind = "time"
	case at == reflect.TypeFor[DaysAway]():
		f.Kind = "days-away"
	case kind.Format == "date":
		f.Kind = "date"
	case at.Kind() == reflect.Bool:
		f.Kind = "yes-no"
	case at.Kind() == reflect.Int:
		f.Kind = "number"
	case at.Kind() == reflect.String:
		f.Kind = "text"
		if kind.MaxLength > 0 && !strings.HasPrefix(is, "line") || kind.Format == "uuid" {
			f.Is = is
		}
	default:
		return f, fmt.Errorf("%s: a form cannot ask for %s", name, at)
	}
	return f, nil
}

// Fill writes the body of an action from what somebody filled in, by the fields' names. What nobody filled in is left
// out, and with it what only goes along with that.
func (a Action) Fill(filled map[string][]string) ([]byte, error) {
	body := map[string]any{}
	for _, f := range a.Fields {
		values := slices.DeleteFunc(slices.Clone(filled[f.Name]),
			func(v string) bool { return strings.TrimSpace(v) == "" })
		if f.Value != "" {
			values = []string{f.Value}
			if within, _ := path(f.Name); within != "" && !a.anyWithin(within, filled) {
				continue
			}
		}
		if len(values) == 0 && a.Method != "PUT" {
			continue
		}
		all := []any{}
		for _, text := range values {
			value, err := f.read(strings.TrimSpace(text))
			if err != nil {
				return nil, err
			}
			all = append(all, value)
		}
		switch {
		case f.List:
			put(body, strings.Split(f.Name, "."), all)
		case len(all) == 0 && f.Kind == "number":
			continue
		case len(all) == 0 && f.Kind == "yes-no": // a box that nobody ticked
			put(body, strings.Split(f.Name, "."), false)
		case len(all) == 0:
			put(body, strings.Split(f.Name, "."), "") // a change by PUT says what is to stand there: nothing
		default:
			put(body, strings.Split(f.Name, "."), all[0])
		}
	}
	return json.Marshal(listed(body))
}

// path is the part of a name up to its last place in a list, and the rest.
func path(name string) (within, rest string) {
	parts := strings.Split(name, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		if _, err := strconv.Atoi(parts[i]); err == nil {
			return strings.Join(parts[:i+1], ".") + ".", strings.Join(parts[i+1:], ".")
		}
	}
	return "", name
}

// anyWithin says whether somebody filled in anything under a part of the body, or nothing there is for them to fill in.
func (a Action) anyWithin(within string, filled map[string][]string) bool {
	asks := false
	for _, f := range a.Fields {
		if f.Value != "" || !strings.HasPrefix(f.Name, within) {
			continue
		}
		asks = true
		if strings.Join(filled[f.Name], "") != "" {
			return true
		}
	}
	return !asks
}

func (f Field) read(text string) (any, error) {
	switch f.Kind {
	case "yes-no":
		return text == "true" || text == "yes" || text == "on", nil
	case "number":
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%s is not a whole number", f.Name)
		}
		return n, nil
	case "days-away":
		from, until, _ := strings.Cut(text, "/")
		return DaysAway{from, until}, nil
	}
	return text, nil
}

func put(into map[string]any, parts []string, value any) {
	if len(parts) == 1 {
		into[parts[0]] = value
		return
	}
	next, _ := into[parts[0]].(map[string]any)
	if next == nil {
		next = map[string]any{}
		into[parts[0]] = next
	}
	put(next, parts[1:], value)
}

// listed turns objects whose members are places into lists.
func listed(value any) any {
	object, is := value.(map[string]any)
	if !is {
		return value
	}
	var places []int
	for name := range object {
		object[name] = listed(object[name])
		if n, err := strconv.Atoi(name); err == nil {
			places = append(places, n)
		}
	}
	if len(places) == 0 || len(places) != len(object) {
		return object
	}
	slices.Sort(places)
	list := make([]any, 0, len(places))
	for _, n := range places {
		list = append(list, object[strconv.Itoa(n)])
	}
	return list
}
