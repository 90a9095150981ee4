package schemas_test

import (
	"slices"
	"testing"

	"footbridge/schemas"
)

func TestAnAnswerIsToTheOrganisationItNames(t *testing.T) {
	t.Parallel()
	type said struct {
		at           int64
		organisation string
		yes          bool
	}
	for name, tc := range map[string]struct {
		said            []said
		whole, toA, toB schemas.Answered
	}{
		"nothing said": {nil, schemas.Answered{}, schemas.Answered{}, schemas.Answered{}},
		"a yes to any": {[]said{{1, "", true}}, schemas.Answered{At: 1, Yes: true},
			schemas.Answered{At: 1, Yes: true}, schemas.Answered{At: 1, Yes: true}},
		"a yes to one": {[]said{{1, "a", true}}, schemas.Answered{At: 1, Yes: true},
			schemas.Answered{At: 1, Yes: true}, schemas.Answered{}},
		"a no to one": {[]said{{1, "a", false}}, schemas.Answered{}, schemas.Answered{At: 1},
			schemas.Answered{}},
		"a yes to any but one": {[]said{{1, "", true}, {2, "a", false}}, schemas.Answered{At: 1, Yes: true},
			schemas.Answered{At: 2}, schemas.Answered{At: 1, Yes: true}},
		"a no to any, then a yes to one": {[]said{{1, "", false}, {2, "a", true}}, schemas.Answered{At: 2, Yes: true},
			schemas.Answered{At: 2, Yes: true}, schemas.Answered{At: 1}},
		"a yes to one, then a no to any": {[]said{{1, "a", true}, {2, "", false}}, schemas.Answered{At: 2},
			schemas.Answered{At: 2}, schemas.Answered{At: 2}},
		"a yes to one, then another's no": {[]said{{1, "a", true}, {2, "b", false}},
			schemas.Answered{At: 1, Yes: true}, schemas.Answered{At: 1, Yes: true}, schemas.Answered{At: 2}},
		"a yes to one that was taken back": {[]said{{1, "a", true}, {2, "a", false}}, schemas.Answered{},
			schemas.Answered{At: 2}, schemas.Answered{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, order := range [][]said{tc.said, reversed(tc.said), append(slices.Clone(tc.said), tc.said...)} {
				var a schemas.Answers
				for _, s := range order {
					a.Apply(s.organisation, schemas.Answered{At: s.at, Yes: s.yes})
				}
				if a.Whole() != tc.whole || a.To("a") != tc.toA || a.To("b") != tc.toB {
					t.Errorf("heard as %v: whole %v, to a %v, to b %v", order, a.Whole(), a.To("a"), a.To("b"))
				}
				if over := a.Since(9); over.Whole() != (schemas.Answered{}) || len(over.Yes())+len(over.No()) > 0 {
					t.Error("answers to what is over still count")
				}
			}
		})
	}
}

func reversed[T any](list []T) []T {
	turned := slices.Clone(list)
	slices.Reverse(turned)
	return turned
}
