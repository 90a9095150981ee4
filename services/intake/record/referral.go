package record

import (
	"cmp"
	"slices"
	"time"

	"footbridge/schemas"
)

// Request is what the newest request said of itself: somebody asks that the person be supported. It is part of a
// visit where there was one, and stands by itself where there was none: then it is kept as a visit without a number,
// so that a form and a feed of one attendance join.
type Request struct {
	Version
	At    Moment `json:"on,omitzero"`   // when it was asked for
	Left  Moment `json:"left,omitzero"` // when the person left hospital, as the request says
	Route string `json:"route,omitempty"`
	// Under18 is yes, no or not-known, where no birth date was given.
	Under18    string `json:"under18,omitempty"`
	Unverified bool   `json:"unverified,omitempty"`
	// Double is another record that may be the same person: nobody is contacted before a human has looked. Settled
	// says that one has.
	Double  string `json:"double,omitempty"`
	Decided bool   `json:"settled,omitempty"`
}

// IsRequested says that a request stands: it has been made, and not taken back later.
func (v *Visit) IsRequested() bool { return !v.Request.IsZero() && v.Request.After(v.Unasked) }

// IsUnasked says that whoever asked has taken it back, and nothing else says that the visit is in scope.
func (v *Visit) IsUnasked() bool {
	return !v.Unasked.IsZero() && !v.Request.After(v.Unasked) && v.Scope().Verdict != VerdictInScope
}

// joinRequest takes in a request, or that it is taken back.
func (v *Visit) joinRequest(s ClinicalEvent, stamp Version) {
	if s.Kind == KindUnask {
		v.Unasked = later(v.Unasked, stamp)
		return
	}
	if stamp.After(v.Request.Version) {
		settled := v.Request.Decided && v.Request.Double == s.Asked.Double
		v.Request = Request{Version: stamp, At: s.Asked.At, Left: s.Happened, Route: s.Asked.Route,
			Under18:    s.Asked.Under18,
			Unverified: s.Asked.Unverified, Double: s.Asked.Double, Decided: settled}
	}
}

// counts is the moment from which the window runs: leaving hospital, as the visit's end or the request says, else the
// request.
func (v *Visit) counts() Moment {
	if v.Ended() || v.Request.IsZero() {
		left, _ := v.left()
		return left
	}
	return FirstMoment(v.Request.Left, v.Request.At)
}

// begins is the event that begins a journey of this visit: a discharge where it has ended, else a request.
func (v *Visit) begins(who Subject, left *time.Time, on string) (schemas.Type, any) {
	if v.Ended() {
		return schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: who.Person,
			Organisation: who.Home.wire(v.Organisation),
			Visit:        v.ID, LeftAt: left, LeftOn: on, Facts: v.Published.Facts, Flags: v.Published.Flags}
	}
	var asked *time.Time
	if at := v.Request.At; at.Known() && !at.DayOnly {
		asked = &at.At
	}
	return schemas.ReferralRequested, schemas.ReferralRequestedData{Person: who.Person,
		Organisation: who.Home.wire(v.Organisation),
		Referral:     v.ID, Route: v.Request.Route, RequestedAt: asked, LeftOn: on, Facts: v.Published.Facts,
		Flags: v.Published.Flags}
}

// Attended makes of a request one attendance among others, of which nobody has said that it is to be followed up.
func (s *ClinicalEvent) Attended() {
	s.Kind, s.Asked.Route, s.Asked.Under18, s.Asked.At = KindReported, "", "", Moment{}
	s.Ends = append(s.Ends, Moment{At: s.StatedAt})
	s.Evidence = slices.DeleteFunc(s.Evidence, func(e Evidence) bool { return e.Role == RoleSender })
}

// ApplyContact takes over how the person may be reached: a number or an address of theirs, and what they said of it.
func (id *Identity) ApplyContact(safe *schemas.ReportedContact) {
	if safe == nil {
		return
	}
	copied := *safe
	switch {
	case safe.Channel == "phone" || safe.Channel == "text":
		copied.Value = cmp.Or(copied.Value, id.Phone)
		id.Phone = cmp.Or(id.Phone, copied.Value)
	case safe.Channel == "email":
		copied.Value = cmp.Or(copied.Value, id.Email)
		id.Email = cmp.Or(id.Email, copied.Value)
	case safe.Channel == "letter":
		copied.Value = cmp.Or(copied.Value, id.Address)
		id.Address = cmp.Or(id.Address, copied.Value)
	}
	id.SafeContact = &copied
}

// Card is how the person may be reached as a form said, until somebody records more: what they confirmed stands as
// confirmed, unless it is not known who filled the form in.
func (id Identity) Card() Card {
	safe := id.SafeContact
	switch {
	case safe == nil:
		return Card{}
	case safe.Channel == NoSafeChannel:
		return Card{NoSafeChannel: true, Arrangement: safe.Value}
	case safe.Value == "":
		return Card{}
	}
	return Card{Channels: []Channel{{Channel: safe.Channel, Value: safe.Value, Confirmed: safe.Confirmed,
		FromHour: safe.FromHour, ToHour: safe.ToHour,
		MayLeaveMessage: safe.MayLeaveMessage}}}
}
