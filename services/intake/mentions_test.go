package intake

import (
	"os"
	"testing"

	"go.yaml.in/yaml/v3"
)

// statedRecall is what docs/guides/integration-engineer.md says of the list: of the texts to be shown, so many in a hundred are.
const statedRecall = 89

func TestTheListOfWordsFindsWhatItIsSaidToFind(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/mentions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Show, Missed, Leave []string }
	if err := yaml.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	profile := newWard(t).profiles.fallback
	if profile.Mentions.Version == "" {
		t.Error("the list has no version")
	}
	found := 0
	for _, text := range set.Show {
		if profile.mentions(text) {
			found++
		} else {
			t.Errorf("not shown to a human: %q", text)
		}
	}
	for _, text := range set.Missed {
		if profile.mentions(text) {
			t.Errorf("%q is found now: move it", text)
		}
	}
	for _, text := range set.Leave {
		if profile.mentions(text) {
			t.Errorf("shown to a human, though it is of something else: %q", text)
		}
	}
	if recall := 100 * found / (len(set.Show) + len(set.Missed)); recall != statedRecall {
		t.Errorf("recall is %d in a hundred, the guide says %d", recall, statedRecall)
	}
}
