package intake

import (
	"slices"
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

	stored  bool // it has a row
	changed bool
}

// VisitSays is what is stored of a visit. It holds coded facts, and no identity and no free text.
type VisitSays struct {
	Person        string `json:"person,omitempty"`
	PersonSaid    Stamp  `json:"personSaid,omitzero"`
	PersonDiffers bool   `json:"personDiffers,omitempty"` // two records not known to be one person
	PersonMerged  bool   `json:"personMerged,omitempty"`

	Arrived     Moment   `json:"arrived,omitzero"`
	ArrivedSaid Stamp    `json:"arrivedSaid,omitzero"`
	Started     Stamp    `json:"started,omitzero"`   // newest A01, A04, A06, A07
	Cancelled   Stamp    `json:"cancelled,omitzero"` // newest A11, A23
	End         VisitEnd `json:"end,omitzero"`       // newest A03
	EndUndone   Stamp    `json:"endUndone,omitzero"` // newest A13
	Ward        Stamp    `json:"ward,omitzero"`      // newest A02

	Evidence   []EvidenceSaid `json:"evidence,omitempty"` // the newest of each role
	WasInScope bool           `json:"wasInScope,omitempty"`
	LeftBefore bool           `json:"leftBefore,omitempty"`
	Human      HumanSays      `json:"human,omitzero"`
	Asked      string         `json:"asked,omitempty"` // the quarantined message that waits for a human about scope

	Facts     schemas.Facts `json:"facts,omitzero"`
	FactsSaid Stamp         `json:"factsSaid,omitzero"`
	RaisedBy  string        `json:"raisedBy,omitempty"`

	Raised Raised `json:"raised,omitzero"`
}

// VisitEnd is what the newest A03 said.
type VisitEnd struct {
	Stamp
	Left        Moment `json:"left"`
	Destination string `json:"destination,omitempty"`
	Died        bool   `json:"died,omitempty"`
}

// EvidenceSaid is the newest evidence of one role.
type EvidenceSaid struct {
	Evidence
	Said Stamp `json:"at"`
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
	FirstEvent  string        `json:"firstEvent,omitempty"`
	Told        int64         `json:"told,omitempty"` // how many events have been given out
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
	stamp := Stamp{SaidAt: s.SaidAt, Seq: v.Version}
	switch s.Kind {
	case KindStart:
		v.Started = later(v.Started, stamp)
	case KindCancelStart:
		v.Cancelled = later(v.Cancelled, stamp)
	case KindCancelEnd:
		v.EndUndone = later(v.EndUndone, stamp)
	case KindMove:
		v.Ward = later(v.Ward, stamp)
	case KindEnd, KindReported:
		v.joinEnd(s, stamp)
	case KindHuman:
		if stamp.After(v.Human.Stamp) {
			v.Human = HumanSays{Stamp: stamp, InScope: s.InScope}
		}
	}
	if s.Arrived.Known() && stamp.After(v.ArrivedSaid) {
		v.Arrived, v.ArrivedSaid = s.Arrived, stamp
	}
	for _, evidence := range s.Evidence {
		v.joinEvidence(evidence, stamp)
	}
	v.LeftBefore = v.LeftBefore || s.LeftBefore
	v.joinFacts(s.Facts, stamp)
	if v.RaisedBy == "" {
		v.RaisedBy = s.RaisedBy
	}
}

func later(a, b Stamp) Stamp {
	if b.After(a) {
		return b
	}
	return a
}

func (v *Visit) joinEnd(s Statement, stamp Stamp) {
	if stamp.After(v.End.Stamp) {
		v.End = VisitEnd{Stamp: stamp, Left: s.Happened, Destination: s.Destination, Died: s.Died}
	}
}

func (v *Visit) joinEvidence(evidence Evidence, stamp Stamp) {
	v.WasInScope = v.WasInScope || evidence.Verdict == SaysInScope
	for i, known := range v.Evidence {
		if known.Role != evidence.Role {
			continue
		}
		if stamp.After(known.Said) {
			v.Evidence[i] = EvidenceSaid{evidence, stamp}
		}
		return
	}
	v.Evidence = append(v.Evidence, EvidenceSaid{evidence, stamp})
	slices.SortFunc(v.Evidence, func(a, b EvidenceSaid) int {
		if a.Role < b.Role {
			return -1
		}
		return 1
	})
}

// joinFacts lets newer facts replace older ones, and older ones fill only what is unknown.
func (v *Visit) joinFacts(facts schemas.Facts, stamp Stamp) {
	if stamp.After(v.FactsSaid) {
		v.Facts = overlayFacts(v.Facts, facts)
		v.FactsSaid = stamp
		return
	}
	v.Facts = overlayFacts(facts, v.Facts)
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
	verdict Verdict
	reason  string // a code of why a human must decide
	because []string
}

// Scope says whether the visit followed self-harm: by a human's decision, by any current code-list entry, or not
// known and for a human to say. Evidence recoded away is for a human too, never silence.
func (v *Visit) Scope() scope {
	var found scope
	var newest Stamp
	for _, evidence := range v.Evidence {
		newest = later(newest, evidence.Said)
		if evidence.Verdict == SaysNothing {
			continue
		}
		found.because = append(found.because, evidence.Because...)
		if evidence.Verdict == SaysInScope || found.verdict == SaysNothing {
			found.verdict = evidence.Verdict
		}
	}
	switch {
	case found.verdict == SaysInScope && !(v.Human.decided() && !v.Human.InScope && !v.newInScopeSince(v.Human.Stamp)):
		return found
	case v.Human.decided() && v.Human.InScope:
		found.verdict = SaysInScope
	case v.Human.decided():
		found.verdict = SaysNothing
	case found.verdict == SaysAsk:
		found.reason = ReasonUndecided
	case v.WasInScope:
		found.verdict, found.reason = SaysAsk, ReasonRecoded
	}
	return found
}

func (h HumanSays) decided() bool { return h.Stamp != Stamp{} }

func (v *Visit) newInScopeSince(stamp Stamp) bool {
	return slices.ContainsFunc(v.Evidence, func(e EvidenceSaid) bool {
		return e.Verdict == SaysInScope && e.Said.After(stamp)
	})
}

func overlayFacts(under, over schemas.Facts) schemas.Facts {
	out := under
	for _, overlay := range []func(){
		func() { set(&out.Age, over.Age) },
		func() { set(&out.AreaResidence, over.AreaResidence) },
		func() { set(&out.AreaStaying, over.AreaStaying) },
		func() { set(&out.AreaGP, over.AreaGP) },
		func() { set(&out.RegisteredGP, over.RegisteredGP) },
		func() { set(&out.Gender, over.Gender) },
		func() { set(&out.Language, over.Language) },
		func() { set(&out.InterpreterNeeded, over.InterpreterNeeded) },
		func() { set(&out.Route, over.Route) },
		func() { set(&out.Assessment, over.Assessment) },
		func() { set(&out.Destination, over.Destination) },
		func() { set(&out.WorkerGender, over.WorkerGender) },
		func() { set(&out.Carer, over.Carer) },
		func() { set(&out.InEducation, over.InEducation) },
	} {
		overlay()
	}
	for _, list := range []struct {
		to   *[]string
		from []string
	}{{&out.Channels, over.Channels}, {&out.WaitingOn, over.WaitingOn}, {&out.OpenTo, over.OpenTo}} {
		if list.from != nil {
			*list.to = list.from
		}
	}
	return out
}

func set[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}
