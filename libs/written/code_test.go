package written_test

import (
	"strings"
	"testing"

	"footbridge/libs/written"
)

func TestACodeIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	code := "01" + strings.Repeat("ab7", 8)
	for _, typed := range []string{code, strings.ToUpper(code), "ol" + code[2:], "OI" + code[2:], code + ".",
		code[:4] + "-" + code[4:8] + " " + code[8:], written.InFours(code), "\u00a0" + code[:3] + "\u2013" + code[3:],
		code[:3] + "\u200b" + code[3:]} {
		if got := written.Code(typed); got != code {
			t.Errorf("%q is read as %q", typed, got)
		}
	}
	if got := written.Code(code[1:]); got == code {
		t.Error("a code without its first character is taken for it")
	}
}

func TestACodeIsNeverTheSameAndHasNoLettersThatLookAlike(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		code := written.NewCode(12)
		if len(code) != 12 || seen[code] || strings.ContainsAny(code, "ilou") || written.Code(code) != code {
			t.Fatalf("%q", code)
		}
		seen[code] = true
	}
	for code, want := range map[string]string{"": "", "abc": "abc", "abcd": "abcd", "abcde": "abcd-e",
		"abcdefgh": "abcd-efgh"} {
		if got := written.InFours(code); got != want {
			t.Errorf("%q in fours is %q", code, got)
		}
	}
}
