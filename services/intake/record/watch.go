package record

import "time"

// A visit that followed self-harm, or may have, and has no end is in nobody's hands: the message that should end it
// was lost, or is never sent. After a while a human is asked whether the person has left, when, and where to. While
// somebody is on a ward their visit is held, and looked at again every so often until it ends.

// Reasons in the ledger for visits without an end. Each is a message that the system itself quarantines (ADR 12).
const (
	ReasonNoEnd  = "visit-without-end"
	ReasonOnWard = "stay-to-review"
)

// How long a visit may go on before a human is asked, and how often a stay on a ward is looked at.
const (
	NoEndAfter = 24 * time.Hour
	WardReview = 7 * 24 * time.Hour
)

// Watch is when a visit without an end is looked at next, and the question that was asked about it last.
type Watch struct {
	At      time.Time `json:"at,omitzero"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"` // the ledger's id of the question
}

// Same says that a visit is looked at at the same time, with the same question, as by another watch.
func (w Watch) Same(o Watch) bool {
	return w.At.Equal(o.At) && w.Reason == o.Reason && w.Message == o.Message
}

// Waits are for how long visits without an end are left alone.
type Waits struct{ NoEnd, Ward time.Duration }

// watched is the watch that a visit is under as it stands. What is in scope only perhaps is watched too: a question
// about scope is asked of visits that have ended alone.
func (v *Visit) watched(scope scope, who Subject, after Waits) Watch {
	if scope.Verdict == VerdictNothing || v.Published.Journey != "" || v.Ended() || v.IsCancelled() ||
		v.IsRequested() || v.IsUnasked() || who.Deceased {
		return Watch{}
	}
	wanted := Watch{Reason: ReasonNoEnd, At: v.began().Add(after.NoEnd)}
	if since, on := v.onWard(); on {
		wanted = Watch{Reason: ReasonOnWard, At: since.Add(after.Ward)}
		if v.Setting != SettingWard { // the move may have been to another bed in A&E
			wanted.At = since.Add(after.NoEnd)
		}
	}
	if v.Watch.Reason == wanted.Reason && v.Watch.Message != "" {
		return v.Watch // it has been asked about
	}
	return wanted
}

// onWard says since when the person is on a ward, or has at least been moved.
func (v *Visit) onWard() (time.Time, bool) {
	switch {
	case v.Ward.After(v.WardUndone):
		return v.Ward.StatedAt, true
	case v.Setting == SettingWard:
		return v.began(), true
	}
	return time.Time{}, false
}

// Review says what follows when a visit's time to be looked at has come: a question under the given id, unless the one
// about a stay still stands. About an end that never comes it is asked once.
func (v *Visit) Review(message string, stands bool, now time.Time, after Waits) (asks bool) {
	v.RowVersion++
	next := Watch{Reason: v.Watch.Reason, Message: v.Watch.Message}
	if v.Watch.Reason == ReasonOnWard {
		next.At = now.Add(after.Ward)
	}
	if !stands {
		next.Message = message
	}
	v.Watch = next
	return !stands
}
