package record

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// An attendance is one time in A&E or urgent care. A hospital may speak of it under one visit number, under several
// (one for A&E, another for the ward it leads to), or under none. Its visits are kept apart as they were told, and
// which of them are one attendance is worked out again each time from all of them: so no order of arrival can join
// what a later message shows to be two, or part what is one.

// How far visits may be from one another to be one attendance.
const (
	// changedWithin: a second number begins within so long of the first, which has not ended before.
	changedWithin = 24 * time.Hour
	// openFor: what has no number, and begins nothing, belongs to the attendance that is open for no longer.
	openFor = 7 * 24 * time.Hour
	// endedFor: what has no number, and begins and ends nothing, belongs to the attendance that ended so recently.
	endedFor = 24 * time.Hour
)

// part is what goes by one visit number, and by those merged into it (A42), or one message without any.
type part struct {
	visits []*Visit
	Visit  // of one: itself; of several: what they say together
}

// Attendances works out which of one person's visits at one organisation are one attendance.
func Attendances(visits []*Visit) [][]*Visit {
	parts := partsOf(visits)
	slices.SortFunc(parts, inTime)
	var found [][]*Visit
	var current []part
	finish := func() {
		if len(current) > 0 {
			found, current = append(found, visitsIn(current)), nil
		}
	}
	for _, p := range parts {
		switch {
		case p.standsAlone():
			found = append(found, p.visits)
		case len(current) > 0 && p.continues(current):
			current = append(current, p)
		default:
			finish()
			current = []part{p}
		}
	}
	finish()
	return found
}

func visitsIn(parts []part) (visits []*Visit) {
	for _, p := range parts {
		visits = append(visits, p.visits...)
	}
	return visits
}

// partsOf puts visit numbers that were merged together.
func partsOf(visits []*Visit) []part {
	byNumber := map[string]*Visit{}
	for _, v := range visits {
		byNumber[v.Number] = v
	}
	leader := map[*Visit]*Visit{}
	var find func(v *Visit) *Visit
	find = func(v *Visit) *Visit {
		if up := leader[v]; up != nil {
			return find(up)
		}
		return v
	}
	for _, v := range visits {
		into := byNumber[v.Into]
		if v.Into == "" || into == nil {
			continue
		}
		if a, b := find(v), find(into); a != b {
			leader[a] = b
		}
	}
	groups := map[*Visit][]*Visit{}
	for _, v := range visits {
		groups[find(v)] = append(groups[find(v)], v)
	}
	var parts []part
	for _, group := range groups {
		slices.SortFunc(group, func(a, b *Visit) int { return cmp.Compare(a.Number, b.Number) })
		parts = append(parts, part{visits: group, Visit: *oneOf(group)})
	}
	return parts
}

// oneOf makes one visit of several numbers of it: the newest of everything.
func oneOf(visits []*Visit) *Visit {
	if len(visits) == 1 {
		return visits[0]
	}
	one := &Visit{ID: visits[0].ID, Organisation: visits[0].Organisation, Number: visits[0].Number}
	for _, v := range visits {
		one.overlay(v)
		one.Started, one.Cancelled = later(one.Started, v.Started), later(one.Cancelled, v.Cancelled)
		one.EndUndone = later(one.EndUndone, v.EndUndone)
		one.Corrected = laterCorrection(one.Corrected, v.Corrected)
		if v.End.Version.After(one.End.Version) {
			one.End = v.End
		}
	}
	return one
}

// inTime orders parts by when they began; the rest only makes the order the same whatever came first.
func inTime(a, b part) int {
	begins := func(p part) int {
		if p.Started.IsZero() {
			return 1
		}
		return 0
	}
	if c := cmp.Or(a.began().Compare(b.began()), cmp.Compare(begins(a), begins(b))); c != 0 {
		return c
	}
	if x, y := a.newest(), b.newest(); x != y {
		if y.After(x) {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.Number, b.Number)
}

// newest is when anything was last said of the visit, without the order of arrival.
func (v *Visit) newest() Version {
	var newest Version
	for _, stamp := range []Version{v.Started, v.Cancelled, v.End.Version, v.EndUndone, v.Ward, v.WardUndone,
		v.ArrivedVersion, v.Request.Version, v.Unasked, v.Corrected.Version, v.Went.Version} {
		newest = later(newest, stamp)
	}
	for _, evidence := range v.Evidence {
		newest = later(newest, evidence.Version)
	}
	newest.ArrivalNumber = 0
	return newest
}

// standsAlone: a visit that was cancelled, and a numbered one elsewhere than in A&E, an urgent treatment centre or
// on a ward, never is part of another.
func (p part) standsAlone() bool {
	return p.IsNumbered() && (p.IsCancelled() || p.Setting == SettingElsewhere)
}

// continues says whether a part that began later belongs to the attendance so far.
func (p part) continues(current []part) bool {
	so := Together(current)
	gap := p.began().Sub(current[0].began())
	if !so.Ended() {
		if p.Started.IsZero() && !(p.IsNumbered() && so.IsNumbered()) {
			return gap <= openFor
		}
		return gap <= changedWithin
	}
	left := so.End.Left
	switch {
	case !p.Started.IsZero(), p.IsNumbered():
		return p.substantial() && gap <= changedWithin && !p.began().After(left.At)
	case p.End.Left.Known():
		return p.End.Left.Same(left) || !p.began().After(left.At)
	}
	return p.began().Sub(left.At) <= endedFor
}

// substantial: more is known of it than a correction or a code.
func (v *Visit) substantial() bool { return !v.Started.IsZero() || v.End.Left.Known() }

// Together is what an attendance's parts say as one.
func Together(parts []part) *Visit {
	if len(parts) == 1 {
		one := parts[0].Visit
		return &one
	}
	so := &Visit{Organisation: parts[0].Organisation, Number: parts[0].Number, ID: parts[0].ID}
	var undone, loose Version // discharges taken back: by anything, and by messages without a number
	for _, p := range parts {
		so.overlay(&p.Visit)
		so.Started, so.Cancelled = later(so.Started, p.Started), later(so.Cancelled, p.Cancelled)
		undone = later(undone, p.EndUndone)
		so.Corrected = laterCorrection(so.Corrected, p.Corrected)
		if !p.IsNumbered() {
			loose = later(loose, p.EndUndone)
		} else {
			so.Number = p.Number
		}
	}
	ward := admission(parts)
	for _, p := range parts {
		against := later(p.EndUndone, loose)
		if !p.IsNumbered() {
			against = undone
		}
		if p.End.Left.Known() && p.End.Version.After(against) && !p.leadsTo(ward) &&
			p.End.Version.After(so.End.Version) {
			so.End = p.End
		}
	}
	so.EndUndone = Version{}
	return so
}

func laterCorrection(a, b Correction) Correction {
	if b.After(a.Version) {
		return b
	}
	return a
}

// admission is the last part that is a stay on a ward: the discharge is when that ends.
func admission(parts []part) *part {
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].IsNumbered() && parts[i].Setting == SettingWard && !parts[i].Started.IsZero() {
			return &parts[i]
		}
	}
	return nil
}

// leadsTo says that the end of a part is the way to the ward, and no leaving.
func (p part) leadsTo(ward *part) bool {
	if ward == nil || p.Number == ward.Number {
		return false
	}
	if p.IsNumbered() {
		return p.began().Before(ward.began())
	}
	return p.End.Left.At.Before(ward.began())
}

// overlay adds what another visit of the same attendance says, except for its beginnings, ends and cancellations.
// Evidence of different numbers stands side by side: what one system codes does not take back what another did.
func (v *Visit) overlay(o *Visit) {
	v.Named = append(v.Named, o.Named...)
	v.Evidence = addEvidence(v.Evidence, o)
	if o.Went.After(v.Went.Version) {
		v.Went = o.Went
	}
	v.Doubts = maps.Clone(v.Doubts)
	for about, doubt := range o.Doubts {
		v.doubted(map[string]Doubt{about: doubt}, doubt.Version)
	}
	v.WasInScope, v.LeftBefore = v.WasInScope || o.WasInScope, v.LeftBefore || o.LeftBefore
	v.Setting = widest(v.Setting, o.Setting)
	v.Ward, v.WardUndone = later(v.Ward, o.Ward), later(v.WardUndone, o.WardUndone)
	v.Unasked = later(v.Unasked, o.Unasked)
	if o.Request.After(v.Request.Version) {
		v.Request = o.Request
	}
	v.PublishedBy = max(v.PublishedBy, o.PublishedBy)
	if o.Human.After(v.Human.Version) {
		v.Human = o.Human
	}
	if o.MayAnswer.After(v.MayAnswer.Version) {
		v.MayAnswer = o.MayAnswer
	}
	if v.Since.IsZero() || (!o.Since.IsZero() && o.Since.Before(v.Since)) {
		v.Since = o.Since
	}
	if o.Arrived.Known() && (!v.Arrived.Known() || o.Arrived.At.Before(v.Arrived.At)) {
		v.Arrived, v.ArrivedVersion = o.Arrived, o.ArrivedVersion
	}
	v.overlayFacts(o)
}

// addEvidence keeps all evidence of numbered visits, and of messages without a number the newest of each role.
func addEvidence(all []VersionedEvidence, o *Visit) []VersionedEvidence {
	all = slices.Clone(all)
	for _, evidence := range o.current() {
		evidence.loose = !o.IsNumbered()
		i := slices.IndexFunc(all, func(e VersionedEvidence) bool {
			return e.loose && evidence.loose && e.Role == evidence.Role
		})
		switch {
		case i < 0:
			all = append(all, evidence)
		case evidence.Version.After(all[i].Version):
			all[i] = evidence
		}
	}
	return all
}
