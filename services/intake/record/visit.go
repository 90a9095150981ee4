package record

import (
	"cmp"
	"maps"
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
	Version      int64  // counts the statements joined
	VisitSays

	Stored  bool // it has a row
	changed bool
}

// VisitSays is what is stored of a visit. It holds coded facts, and no identity and no free text.
type VisitSays struct {
	Person        string  `json:"person,omitempty"`        // the newest of Named, as far as it is not anonymous
	Named         []Named `json:"named,omitempty"`         // every record that a message of this visit was about
	PersonDiffers bool    `json:"personDiffers,omitempty"` // two records not known to be one person

	Into        string    `json:"into,omitempty"` // the visit number this one was merged into (A42)
	IntoSaid    Stamp     `json:"intoSaid,omitzero"`
	Since       time.Time `json:"since,omitzero"` // the earliest that anything was said of it, or happened
	Setting     Setting   `json:"setting,omitempty"`
	Arrived     Moment    `json:"arrived,omitzero"`
	ArrivedSaid Stamp     `json:"arrivedSaid,omitzero"`
	Started     Stamp     `json:"started,omitzero"`    // newest A01, A04, A06, A07
	Cancelled   Stamp     `json:"cancelled,omitzero"`  // newest A11, A23
	End         VisitEnd  `json:"end,omitzero"`        // newest A03
	EndUndone   Stamp     `json:"endUndone,omitzero"`  // newest A13
	Request     Request   `json:"request,omitzero"`    // newest request for support
	Unasked     Stamp     `json:"unasked,omitzero"`    // newest request taken back
	Ward        Stamp     `json:"ward,omitzero"`       // newest A02
	WardUndone  Stamp     `json:"wardUndone,omitzero"` // newest A12

	Corrected Correction       `json:"corrected,omitzero"` // newest A08 that says when they left
	Went      Went             `json:"went,omitzero"`      // the newest that was said of where they went
	Doubts    map[string]Doubt `json:"doubts,omitempty"`   // the newest of each part

	Evidence   []EvidenceSaid `json:"evidence,omitempty"` // the newest of each role
	WasInScope bool           `json:"wasInScope,omitempty"`
	LeftBefore bool           `json:"leftBefore,omitempty"`
	Human      HumanSays      `json:"human,omitzero"`
	MayAnswer  MayAnswer      `json:"mayAnswer,omitzero"` // newest record of a young people's clinician
	Watch      Watch          `json:"watch,omitzero"`
	Asked      string         `json:"asked,omitempty"` // the quarantined message that waits for a human about scope

	Answers []SaidAnswer `json:"answers,omitempty"` // passed on, until a journey stands to hang them on

	Facts    schemas.Facts    `json:"facts,omitzero"`
	FactSaid map[string]Stamp `json:"factSaid,omitempty"`
	RaisedBy string           `json:"raisedBy,omitempty"`

	Raised Raised `json:"raised,omitzero"`
}

// Named is a record that a message of a visit was about.
type Named struct {
	Person    string `json:"person"`
	Anonymous bool   `json:"anonymous,omitempty"`
	Said      Stamp  `json:"at"`
}

// VisitEnd is what the newest A03 said.
type VisitEnd struct {
	Stamp
	Left    Moment `json:"left"`
	Else    Moment `json:"else,omitzero"`     // what else the message said that may be it
	Message string `json:"message,omitempty"` // the ledger's id of the message that said it
}

// Correction is what the newest update said of when the person left.
type Correction struct {
	Stamp
	Left Moment `json:"left"`
}

// Went is the newest that was said of where the person went: a destination, or that it is not known.
type Went struct {
	Stamp
	To string `json:"to,omitempty"`
}

// EvidenceSaid is the newest evidence of one role.
type EvidenceSaid struct {
	Evidence
	Said Stamp `json:"at"`

	loose bool // of a message without a visit number
}

// HumanSays is a named human's decision on scope; it outranks codes said before it, and no code said after it.
type HumanSays struct {
	Stamp
	InScope bool `json:"inScope"`
}

// Raised is what has been told of the visit: its journey, and what was last said about it, so that a correction
// says only what changed.
type Raised struct {
	Journey     string        `json:"journey,omitempty"`
	At          time.Time     `json:"at,omitzero"`
	Withdrawn   string        `json:"withdrawn,omitempty"` // the reason, while withdrawn
	Left        Moment        `json:"left,omitzero"`
	LeftOn      string        `json:"leftOn,omitempty"`
	Facts       schemas.Facts `json:"facts,omitzero"`
	Flags       []string      `json:"flags,omitempty"`
	ContactOver bool          `json:"contactOver,omitempty"`
}

// Standing says that a journey of this visit stands.
func (r Raised) Standing() bool { return r.Journey != "" && r.Withdrawn == "" }

// join takes in one statement. It changes the visit only where the statement is newer than what the visit knew of
// the same thing.
func (v *Visit) join(s Statement) {
	v.Version++
	v.changed = true
	stamp := s.Stamp(v.Version)
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
		if v.Scope().Verdict != SaysInScope {
			v.Human = HumanSays{Stamp: stamp, InScope: true} // whoever says when they left says that it is of concern
		}
		v.joinEnd(s, stamp)
	case KindHuman:
		if stamp.After(v.Human.Stamp) {
			v.Human = HumanSays{Stamp: stamp, InScope: s.InScope}
		}
	}
	if s.Arrived.Known() && stamp.After(v.ArrivedSaid) {
		v.Arrived, v.ArrivedSaid = s.Arrived, stamp
	}
	if s.Corrects.Known() && stamp.After(v.Corrected.Stamp) {
		v.Corrected = Correction{stamp, s.Corrects}
	}
	if s.Destination != "" && stamp.After(v.Went.Stamp) {
		v.Went = Went{stamp, s.Destination}
	}
	v.doubted(s.Doubts, stamp)
	for _, evidence := range s.Evidence {
		v.joinEvidence(evidence, stamp)
	}
	v.LeftBefore = v.LeftBefore || s.LeftBefore
	v.JoinFacts(s.Facts, s.TakenBack, stamp)
	v.joinAnswers(s)
	v.RaisedBy = max(v.RaisedBy, s.RaisedBy) // any order ends the same
}

// since remembers the earliest that is known of the visit.
func (v *Visit) since(s Statement) {
	for _, at := range []time.Time{s.SaidAt, s.Happened.At} {
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

func later(a, b Stamp) Stamp {
	if b.After(a) {
		return b
	}
	return a
}

func (v *Visit) joinEnd(s Statement, stamp Stamp) {
	if stamp.After(v.End.Stamp) {
		v.End = VisitEnd{Stamp: stamp, Left: s.Happened, Else: s.Else, Message: s.Message}
	}
}

// left is when the person left: as a later update corrected it, else as the end says. An end before the arrival is not
// believed where the message says another time that is not, and doubted in any case.
func (v *Visit) left() (left Moment, beforeArrival bool) {
	left = v.End.Left
	other := v.End.Else
	if left.Known() && v.Corrected.Stamp.After(v.End.Stamp) {
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
	if v.EndUndone.After(v.Went.Stamp) {
		return ""
	}
	return v.Went.To
}

// leftBefore says whether the person left before being seen.
func (v *Visit) leftBefore() bool {
	return v.LeftBefore || slices.ContainsFunc(v.current(), func(e EvidenceSaid) bool { return e.Left })
}

func (v *Visit) joinEvidence(evidence Evidence, stamp Stamp) {
	v.WasInScope = v.WasInScope || evidence.Verdict == SaysInScope
	for i, known := range v.Evidence {
		if known.Role != evidence.Role || known.Key != evidence.Key {
			continue
		}
		if stamp.After(known.Said) || stamp == known.Said { // of one message the last word counts
			v.Evidence[i] = EvidenceSaid{Evidence: evidence, Said: stamp}
		}
		return
	}
	v.Evidence = append(v.Evidence, EvidenceSaid{Evidence: evidence, Said: stamp})
	slices.SortFunc(v.Evidence, func(a, b EvidenceSaid) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), a.Key.compare(b.Key))
	})
}

// JoinFacts lets each newer fact replace an older one. What is left out stays; what is taken back is known no more.
func (v *Visit) JoinFacts(facts schemas.Facts, takenBack []string, stamp Stamp) {
	stated := maps.Collect(facts.Fields())
	for name, field := range v.Facts.Fields() {
		gone := slices.Contains(takenBack, name)
		if stated[name].IsZero() && !gone || !stamp.After(v.FactSaid[name]) {
			continue
		}
		if v.FactSaid == nil {
			v.FactSaid = map[string]Stamp{}
		}
		field.Set(stated[name])
		v.FactSaid[name] = stamp
	}
}

// overlayFacts takes over each fact that another visit of the same attendance said later.
func (v *Visit) overlayFacts(o *Visit) {
	theirs := maps.Collect(o.Facts.Fields())
	said := maps.Clone(v.FactSaid)
	for name, field := range v.Facts.Fields() {
		if stamp := o.FactSaid[name]; stamp.After(said[name]) {
			if said == nil {
				said = map[string]Stamp{}
			}
			field.Set(theirs[name])
			said[name] = stamp
		}
	}
	v.FactSaid = said
}

// Ended says whether the newest end stands: no cancellation of it was said later.
func (v *Visit) Ended() bool {
	return v.End.Left.Known() && v.End.Stamp.After(v.EndUndone)
}

// IsCancelled says that the hospital took the visit back, and nothing later said that it goes on or has ended.
func (v *Visit) IsCancelled() bool {
	return v.Cancelled != (Stamp{}) && !v.Started.After(v.Cancelled) && !v.End.Stamp.After(v.Cancelled)
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
	other := slices.ContainsFunc(stands, func(e EvidenceSaid) bool { return e.Other })
	for _, evidence := range stands {
		if evidence.Verdict == SaysNothing || (evidence.Verdict == SaysAsk && evidence.Blank && other) {
			continue
		}
		found.because = append(found.because, evidence.Because...)
		if evidence.Verdict == SaysInScope || found.Verdict == SaysNothing {
			found.Verdict = evidence.Verdict
		}
		bySender = bySender || (evidence.Role == RoleSender && evidence.Verdict == SaysInScope)
	}
	switch {
	case v.Human.decided() && v.Human.InScope:
		found.Verdict = SaysInScope
	case v.Human.decided() && !v.newInScopeSince(v.Human.Stamp):
		found.Verdict = SaysNothing
	case found.Verdict == SaysInScope && v.Setting == SettingElsewhere && !bySender:
		found.Verdict, found.reason = SaysAsk, ReasonSetting
	case found.Verdict == SaysInScope:
	case found.Verdict == SaysAsk:
		found.reason = ReasonUndecided
	case v.WasInScope:
		found.Verdict, found.reason = SaysAsk, ReasonRecoded
	}
	return found
}

func (h HumanSays) decided() bool { return h.Stamp != Stamp{} }

func (v *Visit) newInScopeSince(stamp Stamp) bool {
	return slices.ContainsFunc(v.current(), func(e EvidenceSaid) bool {
		return e.Verdict == SaysInScope && e.Said.After(stamp)
	})
}
