package record

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// Visit is one time in A&E or urgent care, as far as the messages about it have said. What they say is kept by
// when they said it, not by when they came, so that any order of arrival leads to the same visit.
type Visit struct {
	ID           string
	Organisation string
	Number       string // PV1-19; for a visit without one, a number of our own
	RowVersion   int64  // counts the statements joined
	VisitState

	Stored  bool // it has a row
	changed bool
}

// VisitState is what is stored of a visit. It holds coded facts, and no identity and no free text.
type VisitState struct {
	Person        string  `json:"person,omitempty"`        // the newest of Named, as far as it is not anonymous
	Named         []Named `json:"named,omitempty"`         // every record that a message of this visit was about
	PersonDiffers bool    `json:"personDiffers,omitempty"` // two records not known to be one person

	Into           string    `json:"into,omitempty"` // the visit number this one was merged into (A42)
	IntoVersion    Version   `json:"intoSaid,omitzero"`
	Since          time.Time `json:"since,omitzero"` // the earliest that anything was said of it, or happened
	Setting        Setting   `json:"setting,omitempty"`
	Arrived        Moment    `json:"arrived,omitzero"`
	ArrivedVersion Version   `json:"arrivedSaid,omitzero"`
	Started        Version   `json:"started,omitzero"`    // newest A01, A04, A06, A07
	Cancelled      Version   `json:"cancelled,omitzero"`  // newest A11, A23
	End            VisitEnd  `json:"end,omitzero"`        // newest A03
	EndUndone      Version   `json:"endUndone,omitzero"`  // newest A13
	Request        Request   `json:"request,omitzero"`    // newest request for support
	Unasked        Version   `json:"unasked,omitzero"`    // newest request taken back
	Ward           Version   `json:"ward,omitzero"`       // newest A02
	WardUndone     Version   `json:"wardUndone,omitzero"` // newest A12

	Corrected Correction       `json:"corrected,omitzero"` // newest A08 that says when they left
	Went      Went             `json:"went,omitzero"`      // the newest that was said of where they went
	Doubts    map[string]Doubt `json:"doubts,omitempty"`   // the newest of each part

	Evidence   []VersionedEvidence `json:"evidence,omitempty"` // the newest of each role
	WasInScope bool                `json:"wasInScope,omitempty"`
	LeftBefore bool                `json:"leftBefore,omitempty"`
	Human      HumanDecision       `json:"human,omitzero"`
	MayAnswer  MayAnswer           `json:"mayAnswer,omitzero"` // newest record of a young people's clinician
	Watch      Watch               `json:"watch,omitzero"`
	// the quarantined message that waits for a human about scope
	Asked string `json:"asked,omitempty"`

	Answers []ReportedAnswer `json:"answers,omitempty"` // passed on, until a journey stands to hang them on

	Facts       schemas.Facts   `json:"facts,omitzero"`
	StatedFact  ByName[Version] `json:"factSaid,omitempty"`
	PublishedBy string          `json:"raisedBy,omitempty"`

	Published Published `json:"raised,omitzero"`
}

// Named is a record that a message of a visit was about.
type Named struct {
	Person    string  `json:"person"`
	Anonymous bool    `json:"anonymous,omitempty"`
	Version   Version `json:"at"`
}

// VisitEnd is what the newest A03 said.
type VisitEnd struct {
	Version
	Left    Moment `json:"left"`
	Else    Moment `json:"else,omitzero"`     // what else the message said that may be it
	Message string `json:"message,omitempty"` // the ledger's id of the message that said it
}

// Correction is what the newest update said of when the person left.
type Correction struct {
	Version
	Left Moment `json:"left"`
}

// Went is the newest that was said of where the person went: a destination, or that it is not known.
type Went struct {
	Version
	To string `json:"to,omitempty"`
}

// VersionedEvidence is the newest evidence of one role.
type VersionedEvidence struct {
	Evidence
	Version Version `json:"at"`

	loose bool // of a message without a visit number
}

// HumanDecision is a named human's decision on scope; it outranks codes said before it, and no code said after it.
type HumanDecision struct {
	Version
	InScope bool `json:"inScope"`
}

// Published is what has been told of the visit: its journey, and what was last said about it, so that a correction
// says only what changed.
type Published struct {
	Journey     string        `json:"journey,omitempty"`
	At          time.Time     `json:"at,omitzero"`
	Withdrawn   string        `json:"withdrawn,omitempty"` // the reason, while withdrawn
	Left        Moment        `json:"left,omitzero"`
	LeftOn      string        `json:"leftOn,omitempty"`
	Facts       schemas.Facts `json:"facts,omitzero"`
	Flags       []string      `json:"flags,omitempty"`
	ContactOver bool          `json:"contactOver,omitempty"`
}

// Active says that a journey of this visit stands.
func (r Published) Active() bool { return r.Journey != "" && r.Withdrawn == "" }

// join takes in one statement. It changes the visit only where the statement is newer than what the visit knew of
// the same thing.
func (v *Visit) join(s ClinicalEvent) {
	v.RowVersion++
	v.changed = true
	stamp := s.Version(v.RowVersion)
	v.since(s)
	v.Setting = widest(v.Setting, s.Setting)
	switch s.Kind {
	case KindStart:
		v.Started = later(v.Started, stamp)
	case KindCancelStart:
		v.Cancelled = later(v.Cancelled, stamp)
	case KindCancelEnd:
		v.EndUndone = later(v.EndUndone, stamp)
	case KindMove:
		v.Ward = later(v.Ward, stamp)
	case KindCancelMove:
		v.WardUndone = later(v.WardUndone, stamp)
	case KindReferral, KindUnask:
		v.joinRequest(s, stamp)
	case KindEnd, KindReported:
		v.joinEnd(s, stamp)
	case KindLeft:
		if v.Scope().Verdict != VerdictInScope {
			// whoever says when they left says that it is of concern
			v.Human = HumanDecision{Version: stamp, InScope: true}
		}
		v.joinEnd(s, stamp)
	case KindHuman:
		if stamp.After(v.Human.Version) {
			v.Human = HumanDecision{Version: stamp, InScope: s.InScope}
		}
	}
	if s.Arrived.Known() && stamp.After(v.ArrivedVersion) {
		v.Arrived, v.ArrivedVersion = s.Arrived, stamp
	}
	if s.Corrects.Known() && stamp.After(v.Corrected.Version) {
		v.Corrected = Correction{stamp, s.Corrects}
	}
	if s.Destination != "" && stamp.After(v.Went.Version) {
		v.Went = Went{stamp, s.Destination}
	}
	v.doubted(s.Doubts, stamp)
	for _, evidence := range s.Evidence {
		v.joinEvidence(evidence, stamp)
	}
	v.LeftBefore = v.LeftBefore || s.LeftBefore
	v.JoinFacts(s.Facts, s.Retracted, stamp)
	v.joinAnswers(s)
	v.PublishedBy = max(v.PublishedBy, s.PublishedBy) // any order ends the same
}

// since remembers the earliest that is known of the visit.
func (v *Visit) since(s ClinicalEvent) {
	for _, at := range []time.Time{s.StatedAt, s.Happened.At} {
		if !at.IsZero() && (v.Since.IsZero() || at.Before(v.Since)) {
			v.Since = at
		}
	}
}

// began is when the visit began, as far as is known.
func (v *Visit) began() time.Time {
	if v.Arrived.Known() && !v.Arrived.DayOnly {
		return v.Arrived.At
	}
	return v.Since
}

// widest keeps the strongest of two settings: one message from A&E makes the visit one.
func widest(a, b Setting) Setting {
	order := []Setting{SettingUnknown, SettingElsewhere, SettingEmergency, SettingWard}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// IsNumbered says whether the sender gave the visit a number.
func (v *Visit) IsNumbered() bool { return !strings.HasPrefix(v.Number, Numberless) }

// Numberless begins the number that a message without one gets: no sender's number begins so.
const Numberless = "~"

func later(a, b Version) Version {
	if b.After(a) {
		return b
	}
	return a
}

func (v *Visit) joinEnd(s ClinicalEvent, stamp Version) {
	if stamp.After(v.End.Version) {
		v.End = VisitEnd{Version: stamp, Left: s.Happened, Else: s.Else, Message: s.Message}
	}
}

// left is when the person left: as a later update corrected it, else as the end says. An end before the arrival is not
// believed where the message says another time that is not, and doubted in any case.
func (v *Visit) left() (left Moment, beforeArrival bool) {
	left = v.End.Left
	other := v.End.Else
	if left.Known() && v.Corrected.Version.After(v.End.Version) {
		left, other = v.Corrected.Left, left
	}
	if !left.Known() || !v.Arrived.Known() || !left.Before(v.Arrived) {
		return left, false
	}
	if other.Known() && !other.Before(v.Arrived) {
		left = other
	}
	return left, true
}

// leftBeforeArrival says that the time from which the window runs is before the arrival, as an end or a request gives
// it.
func (v *Visit) leftBeforeArrival() bool {
	if v.Ended() || v.Request.IsZero() {
		_, before := v.left()
		return before
	}
	return v.Request.Left.Known() && v.Arrived.Known() && v.Request.Left.Before(v.Arrived)
}

// destination is where the person went, as far as it was said of this end: not before a discharge was taken back.
func (v *Visit) destination() string {
	if v.EndUndone.After(v.Went.Version) {
		return ""
	}
	return v.Went.To
}

// leftBefore says whether the person left before being seen.
func (v *Visit) leftBefore() bool {
	return v.LeftBefore || slices.ContainsFunc(v.current(), func(e VersionedEvidence) bool { return e.Left })
}

func (v *Visit) joinEvidence(evidence Evidence, stamp Version) {
	v.WasInScope = v.WasInScope || evidence.Verdict == VerdictInScope
	for i, known := range v.Evidence {
		if known.Role != evidence.Role || known.Key != evidence.Key {
			continue
		}
		if stamp.After(known.Version) || stamp == known.Version { // of one message the last word counts
			v.Evidence[i] = VersionedEvidence{Evidence: evidence, Version: stamp}
		}
		return
	}
	v.Evidence = append(v.Evidence, VersionedEvidence{Evidence: evidence, Version: stamp})
	slices.SortFunc(v.Evidence, func(a, b VersionedEvidence) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), a.Key.compare(b.Key))
	})
}

// JoinFacts lets each newer fact replace an older one. What is left out stays; what is taken back is known no more.
func (v *Visit) JoinFacts(facts schemas.Facts, takenBack []string, stamp Version) {
	v.Facts.Beside(&facts, func(name string, field, stated reflect.Value) {
		if stated.IsZero() && !slices.Contains(takenBack, name) || !stamp.After(v.StatedFact[name]) {
			return
		}
		if v.StatedFact == nil {
			v.StatedFact = map[string]Version{}
		}
		field.Set(stated)
		v.StatedFact[name] = stamp
	})
}

// overlayFacts takes over each fact that another visit of the same attendance said later.
func (v *Visit) overlayFacts(o *Visit) {
	said := maps.Clone(v.StatedFact)
	v.Facts.Beside(&o.Facts, func(name string, field, theirs reflect.Value) {
		if stamp := o.StatedFact[name]; stamp.After(said[name]) {
			if said == nil {
				said = map[string]Version{}
			}
			field.Set(theirs)
			said[name] = stamp
		}
	})
	v.StatedFact = said
}

// Ended says whether the newest end stands: no cancellation of it was said later.
func (v *Visit) Ended() bool {
	return v.End.Left.Known() && v.End.Version.After(v.EndUndone)
}

// IsCancelled says that the hospital took the visit back, and nothing later said that it goes on or has ended.
func (v *Visit) IsCancelled() bool {
	return v.Cancelled != (Version{}) && !v.Started.After(v.Cancelled) && !v.End.Version.After(v.Cancelled)
}

// scope weighs all evidence on the visit.
type scope struct {
	Verdict Verdict
	reason  string // a code of why a human must decide
	because []string
}

// Scope says whether the visit followed self-harm: by a human's decision, by any current code-list entry, or not
// known and for a human to say. Evidence recoded away, and codes on a visit elsewhere than in A&E, are for a human
// too, never silence.
func (v *Visit) Scope() scope {
	var found scope
	bySender := false
	stands := v.current()
	other := slices.ContainsFunc(stands, func(e VersionedEvidence) bool { return e.Other })
	for _, evidence := range stands {
		if evidence.Verdict == VerdictNothing || (evidence.Verdict == VerdictAsk && evidence.Blank && other) {
			continue
		}
		found.because = append(found.because, evidence.Because...)
		if evidence.Verdict == VerdictInScope || found.Verdict == VerdictNothing {
			found.Verdict = evidence.Verdict
		}
		bySender = bySender || (evidence.Role == RoleSender && evidence.Verdict == VerdictInScope)
	}
	switch {
	case v.Human.decided() && v.Human.InScope:
		found.Verdict = VerdictInScope
	case v.Human.decided() && !v.newInScopeSince(v.Human.Version):
		found.Verdict = VerdictNothing
	case found.Verdict == VerdictInScope && v.Setting == SettingElsewhere && !bySender:
		found.Verdict, found.reason = VerdictAsk, ReasonSetting
	case found.Verdict == VerdictInScope:
	case found.Verdict == VerdictAsk:
		found.reason = ReasonUndecided
	case v.WasInScope:
		found.Verdict, found.reason = VerdictAsk, ReasonRecoded
	}
	return found
}

func (h HumanDecision) decided() bool { return h.Version != Version{} }

func (v *Visit) newInScopeSince(stamp Version) bool {
	return slices.ContainsFunc(v.current(), func(e VersionedEvidence) bool {
		return e.Verdict == VerdictInScope && e.Version.After(stamp)
	})
}
