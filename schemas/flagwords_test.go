package schemas

import (
	"regexp"
	"strings"
	"testing"
)

func TestEveryFlagHasWordsThatNameNoCondition(t *testing.T) {
	t.Parallel()
	clinical := regexp.MustCompile(`(?i)self-harm|suicid|overdose|attempt|\brisk|severe`)
	said := map[string]string{}
	for _, flag := range Values("flag") {
		words := FlagWords(flag)
		if words == "" || strings.HasSuffix(words, ".") || clinical.MatchString(words) {
			t.Errorf("%s: %q", flag, words)
		}
		if other := said[words]; other != "" {
			t.Errorf("%s and %s say the same", flag, other)
		}
		said[words] = flag
	}
	for flag := range flagWords {
		if FlagWords(flag) != "" && !strings.Contains(" "+strings.Join(Values("flag"), " ")+" ", " "+flag+" ") {
			t.Errorf("%s has words and is no flag", flag)
		}
	}
}
