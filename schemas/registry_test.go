package schemas_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"footbridge/schemas"
)

var services = []string{
	schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey, schemas.Gateway,
	schemas.Console, schemas.Delivery, schemas.Traces,
}

func TestEveryEntryIsWhole(t *testing.T) {
	t.Parallel()
	for _, e := range schemas.Registry() {
		if e.By != schemas.Outside && !slices.Contains(services, e.By) {
			t.Errorf("%s is said by %q, which is no service", e.Type, e.By)
		}
		for _, s := range e.To {
			if !slices.Contains(services, s) || s == e.By {
				t.Errorf("%s is heard by %q", e.Type, s)
			}
		}
		if !strings.HasSuffix(e.Meaning, ".") || e.Data == nil {
			t.Errorf("%s lacks a meaning or a Go type", e.Type)
		}
		if !e.OnBus() && (len(e.To) > 0 || e.Partners) {
			t.Errorf("%s carries identity and may not go anywhere", e.Type)
		}
	}
}

// Who hears what, as the architecture has it for the services there are.
func TestServicesHearWhatTheArchitectureSays(t *testing.T) {
	t.Parallel()
	hears := map[string]func(schemas.Entry) bool{
		schemas.Intake: func(e schemas.Entry) bool {
			return e.Type == schemas.JourneyOpened || turns(e) || opens(e) || rings(e) ||
				e.Type == schemas.PartnerChanged
		},
		schemas.Threshold: func(e schemas.Entry) bool {
			return noun(e, "discharge", "referral") || e.Type == schemas.InformationSupplied ||
				e.Type == schemas.PreferencesChanged || turns(e) && e.Type != schemas.JourneyHeld
		},
		schemas.Followup: func(e schemas.Entry) bool {
			return waits(e) || e.Type == schemas.PreferencesChanged || e.Type == schemas.InformationSupplied ||
				turns(e) || e.Type == schemas.DeliveryMade || e.Type == schemas.DeliveryFailed ||
				e.Type == schemas.PersonShown
		},
		schemas.Bridging: func(e schemas.Entry) bool {
			return waits(e) || e.Type == schemas.PreferencesChanged || e.Type == schemas.GapFound ||
				e.Type == schemas.ServiceAnswered || turns(e) || noun(e, "appointment") ||
				e.Type == schemas.OfferRaised ||
				e.Type == schemas.PartnerChanged
		},
		// what is about no journey stands on no timeline
		schemas.Journey: func(e schemas.Entry) bool {
			return e.By != schemas.Journey &&
				e.Type != schemas.PartnerChanged
		},
		schemas.Delivery: func(e schemas.Entry) bool {
			return asks(e) || e.Type == schemas.OfferAcknowledged || e.Type == schemas.OfferQuestioned || turns(e) ||
				e.Type == schemas.PreferencesChanged || e.Type == schemas.ContactStopped ||
				e.Type == schemas.ContactResumed ||
				noun(e, "consent") && e.Type != schemas.ConsentExpiring ||
				// who referred them, and whose they are
				e.Type == schemas.DischargeRecorded || e.Type == schemas.DischargeCorrected ||
				e.Type == schemas.ReferralRequested
		},
	}
	for _, service := range services {
		for _, e := range schemas.Registry() {
			rule := hears[service]
			want := rule != nil && e.OnBus() && rule(e)
			if got := slices.Contains(schemas.SubscribedBy(service), e.Type); got != want {
				t.Errorf("%s hears %s: %v, want %v", service, e.Type, got, want)
			}
		}
	}
}

func waits(e schemas.Entry) bool {
	return (noun(e, "discharge", "referral", "consent") && e.Type != schemas.ConsentExpiring) ||
		e.Type == schemas.PathwayDecided ||
		e.Type == schemas.ContactStopped || e.Type == schemas.ContactResumed
}

// asks says whether an event is part of what a partner is told of an offer.
func asks(e schemas.Entry) bool {
	return noun(e, "offer", "appointment", "followup") &&
		!slices.Contains([]schemas.Type{schemas.OfferSent, schemas.OfferAcknowledged,
			schemas.OfferQuestioned, schemas.OfferIntroduced, schemas.OfferPossiblyKnown, schemas.OfferExhausted,
			schemas.OfferNotInTime},
			e.Type)
}

// opens says whether an event opens to a partner who somebody is, or ends that.
func opens(e schemas.Entry) bool {
	return slices.Contains([]schemas.Type{schemas.OfferAccepted, schemas.OfferDeclined, schemas.OfferWithdrawn,
		schemas.OfferHandedBack, schemas.OfferUndone,
		schemas.OfferExhausted, schemas.FollowupCompleted, schemas.OfferDeletionConfirmed}, e.Type)
}

// rings says whether an event opens to a caller whom they ring, or ends that.
func rings(e schemas.Entry) bool {
	return noun(e, "call") && e.Type != schemas.CallScheduled || e.Type == schemas.AskedToStop
}

// turns says whether somebody held, released, closed or reopened a journey.
func turns(e schemas.Entry) bool {
	return noun(e, "journey") && e.Type != schemas.JourneyOpened && e.Type != schemas.JourneyInVoid
}

func noun(e schemas.Entry, nouns ...string) bool { return slices.Contains(nouns, e.Type.Noun()) }

func TestNoNounBelongsToTwoServices(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	for _, service := range services {
		for _, subject := range schemas.SubjectsEmittedBy(service) {
			if other, taken := owner[subject]; taken {
				t.Errorf("%s may be published by %s and %s", subject, other, service)
			}
			owner[subject] = service
		}
	}
	if got := schemas.SubjectsEmittedBy(schemas.Followup); !slices.Equal(got,
		[]string{"footbridge.offer.>", "footbridge.appointment.>", "footbridge.followup.>",
			"footbridge.partner.>"}) {
		t.Errorf("followup may publish %v", got)
	}
	if got := schemas.SubjectsEmittedBy(schemas.Outside); got != nil {
		t.Errorf("what comes from outside may be published to %v", got)
	}
}

// Words that shame, alarm, or are ours and not the person's.
var unkind = regexp.MustCompile(`(?i)\b(void|shut|too much|fail|failed|refused|rejected|reject|ineligible|harm|risk|` +
	`patient|attender|dead|journey|event|message id|compliance|attention)\b|!`)

func TestEverySentenceIsFitForThePerson(t *testing.T) {
	t.Parallel()
	said := map[string]schemas.Type{}
	for _, e := range schemas.Registry() {
		s := schemas.Sentence(string(e.Type))
		if s == "" || !strings.HasSuffix(s, ".") || len(s) > 140 {
			t.Errorf("%s has no sentence of fitting length: %q", e.Type, s)
		}
		if word := unkind.FindString(s); word != "" {
			t.Errorf("%s says %q: %s", e.Type, word, s)
		}
		if other, twice := said[s]; twice {
			t.Errorf("%s and %s say the same: %s", e.Type, other, s)
		}
		said[s] = e.Type
	}
	if s := schemas.Sentence("care.footbridge.nothing.known.v1"); s != "" {
		t.Errorf("an unknown type has the sentence %q", s)
	}
}

func TestRegistryCannotBeChangedFromOutside(t *testing.T) {
	t.Parallel()
	schemas.Registry()[0].By = "somebody"
	if schemas.Registry()[0].By == "somebody" {
		t.Error("a caller changed the registry")
	}
}
