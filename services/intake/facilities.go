package intake

import (
	"cmp"
	"footbridge/services/intake/reading"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Where a message comes from may be agreed with no organisation: a new site, or a name spelt otherwise. Then nobody's
// role would reach the journey. So it is raised as the host's to look at, with who it is about hidden, until a
// navigator says whose it is. The facility goes on telling its numbers of people and visits apart from those of others.

// bareName is a facility's name as it is compared: without case, blanks and punctuation.
func bareName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, name)
}

// agree notes which organisations send people here: the host, those configured, and those that profiles name.
func (s *Service) agree(further []string) {
	s.agreed = map[string]string{}
	note := func(code string) {
		if code != "" {
			s.agreed[bareName(code)] = code
		}
	}
	note(s.host)
	for _, code := range further {
		note(code)
	}
	for _, profile := range append(slices.Collect(maps.Values(s.profiles.BySender)), s.profiles.Fallback) {
		note(profile.Organisation)
		for code := range profile.Facilities {
			note(code)
		}
	}
}

// placedAs is the code of the organisation that a sender's spelling means, or the spelling where it means none.
func (s *Service) placedAs(profile *reading.Profile, facility string) string {
	bare := bareName(facility)
	if bare == "" {
		return facility
	}
	for _, code := range slices.Sorted(maps.Keys(profile.Facilities)) {
		if slices.ContainsFunc(profile.Facilities[code], func(spelt string) bool { return bareName(spelt) == bare }) {
			return code
		}
	}
	return cmp.Or(s.agreed[bare], facility)
}

// isAgreed: without a host there is nobody to place anything, and every organisation counts.
func (s *Service) isAgreed(facility string) bool {
	return s.host == "" || facility == "" || s.agreed[bareName(facility)] == facility
}
