package record

import (
	"cmp"
	"maps"
	"slices"
)

// A message says its diagnoses (DG1), and whatever else comes with an action code, in one of two ways: all of them as
// they are now, which replace those said before; or, with action codes (DG1-21), one by one. Then each changes itself
// alone.

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

// SumOf is what several parts of one role say together: the strongest of them, with every reason.
func SumOf(role, profile string, parts []Evidence) Evidence {
	sum := Evidence{Role: role, Profile: profile, Parts: parts}
	for _, part := range parts {
		sum.Other, sum.Left, sum.Unknown = sum.Other || part.Other, sum.Left || part.Left, sum.Unknown+part.Unknown
		if part.Verdict == VerdictNothing {
			continue
		}
		sum.Blank = (sum.Blank || sum.Verdict == VerdictNothing) && part.Blank
		if part.Verdict == VerdictInScope || sum.Verdict == VerdictNothing {
			sum.Verdict = part.Verdict
		}
		sum.Because = append(sum.Because, part.Because...)
	}
	return sum
}

// current is the evidence as it stands: what was said as a set, less those of it that were changed one by one since,
// and these; role by role.
func (v *Visit) current() []VersionedEvidence {
	isChange := func(e VersionedEvidence) bool { return e.Key != PartKey{} }
	if !slices.ContainsFunc(v.Evidence, isChange) {
		return v.Evidence
	}
	whole, changes := map[string]VersionedEvidence{}, map[string][]VersionedEvidence{}
	var stand []VersionedEvidence
	for _, e := range v.Evidence {
		if isChange(e) {
			changes[e.Role] = append(changes[e.Role], e)
		} else {
			whole[e.Role] = e
		}
	}
	for _, e := range v.Evidence {
		if !isChange(e) && len(changes[e.Role]) == 0 {
			stand = append(stand, e)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(changes)) {
		stand = append(stand, changed(whole[role], changes[role])...)
	}
	return stand
}

// changed is what stands of one role after some of it was changed.
func changed(whole VersionedEvidence, changes []VersionedEvidence) (stand []VersionedEvidence) {
	changes = slices.DeleteFunc(changes, func(e VersionedEvidence) bool { return !e.Version.After(whole.Version) })
	slices.SortStableFunc(changes, func(a, b VersionedEvidence) int {
		switch {
		case a.Version == b.Version:
			return 0
		case a.Version.After(b.Version):
			return 1
		}
		return -1
	})
	parts := slices.Clone(whole.Parts)
	for _, change := range changes {
		parts = slices.DeleteFunc(parts, func(p Evidence) bool { return change.Key.isOf(p.Key, change.Updates) })
		stand = slices.DeleteFunc(stand,
			func(e VersionedEvidence) bool { return change.Key.isOf(e.Key, change.Updates) })
		if !change.Gone {
			stand = append(stand, change)
		}
	}
	for i := range stand {
		stand[i].Key = PartKey{}
	}
	if whole.Role == "" {
		return stand
	}
	return append([]VersionedEvidence{{Evidence: SumOf(whole.Role, whole.Profile, parts), Version: whole.Version}},
		stand...)
}
