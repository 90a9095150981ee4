package record

import (
	"cmp"
	"slices"
)

// A message says its diagnoses (DG1) in one of two ways: all of them as they are now, which replace those said before;
// or, with action codes (DG1-21), one by one. Then each changes itself alone.

// PartKey is what one diagnosis is known again by: its identifier (DG1-20), hashed; else its code; else its number in
// the message (DG1-1). It holds no text.
type PartKey struct {
	ID   string `json:"id,omitempty"`
	Code string `json:"code,omitempty"`
	Set  string `json:"set,omitempty"`
}

func (k PartKey) compare(o PartKey) int {
	return cmp.Or(cmp.Compare(k.ID, o.ID), cmp.Compare(k.Code, o.Code), cmp.Compare(k.Set, o.Set))
}

// isOf says whether a change is about a diagnosis: by the identifier where both have one, else by the code; where the
// change has no code, or is an update that brings another, by the number.
func (k PartKey) isOf(o PartKey, updates bool) bool {
	switch {
	case k.ID != "" && o.ID != "":
		return k.ID == o.ID
	case k.Code != "" && k.Code == o.Code:
		return true
	case k.Code == "" || updates:
		return k.Set != "" && k.Set == o.Set
	}
	return false
}

// Bare leaves of a diagnosis that is taken back only that it is.
func (e Evidence) Bare() Evidence {
	if e.Gone {
		return Evidence{Role: e.Role, Profile: e.Profile, Key: e.Key, Gone: true}
	}
	return e
}

// SumOf is what several diagnoses say together: the strongest of them, with every reason.
func SumOf(profile string, parts []Evidence) Evidence {
	sum := Evidence{Role: RoleDiagnosis, Profile: profile, Parts: parts}
	for _, part := range parts {
		sum.Other, sum.Left, sum.Unknown = sum.Other || part.Other, sum.Left || part.Left, sum.Unknown+part.Unknown
		if part.Verdict == SaysNothing {
			continue
		}
		sum.Blank = (sum.Blank || sum.Verdict == SaysNothing) && part.Blank
		if part.Verdict == SaysInScope || sum.Verdict == SaysNothing {
			sum.Verdict = part.Verdict
		}
		sum.Because = append(sum.Because, part.Because...)
	}
	return sum
}

// current is the evidence as it stands: diagnoses that were said as a set, less those that were changed one by one
// since, and these.
func (v *Visit) current() []EvidenceSaid {
	isChange := func(e EvidenceSaid) bool { return e.Key != PartKey{} }
	if !slices.ContainsFunc(v.Evidence, isChange) {
		return v.Evidence
	}
	var whole EvidenceSaid
	var stand, changes []EvidenceSaid
	for _, e := range v.Evidence {
		switch {
		case isChange(e):
			changes = append(changes, e)
		case e.Role == RoleDiagnosis:
			whole = e
		default:
			stand = append(stand, e)
		}
	}
	changes = slices.DeleteFunc(changes, func(e EvidenceSaid) bool { return !e.Said.After(whole.Said) })
	slices.SortStableFunc(changes, func(a, b EvidenceSaid) int {
		switch {
		case a.Said == b.Said:
			return 0
		case a.Said.After(b.Said):
			return 1
		}
		return -1
	})
	parts := slices.Clone(whole.Parts)
	var added []EvidenceSaid
	for _, change := range changes {
		parts = slices.DeleteFunc(parts, func(p Evidence) bool { return change.Key.isOf(p.Key, change.Updates) })
		added = slices.DeleteFunc(added, func(e EvidenceSaid) bool { return change.Key.isOf(e.Key, change.Updates) })
		if !change.Gone {
			added = append(added, change)
		}
	}
	if whole.Role != "" {
		stand = append(stand, EvidenceSaid{Evidence: SumOf(whole.Profile, parts), Said: whole.Said})
	}
	for _, e := range added {
		e.Key = PartKey{}
		stand = append(stand, e)
	}
	return stand
}
