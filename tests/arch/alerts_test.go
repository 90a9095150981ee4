package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryAlertIsTestedAndReadsAFigureThatThereIs: tools/promtool/check.sh runs the tests themselves.
func TestEveryAlertIsTestedAndReadsAFigureThatThereIs(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(repository, "deploy/observability", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	rules, tests := read("alerts.yaml"), read("alerts_test.yaml")
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !regexp.MustCompile(`alertname: ` + alert[1] + `\b`).MatchString(tests) {
			t.Errorf("alert %s has no test", alert[1])
		}
	}
	tree, err := Read(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	figures := []string{"http_server_request_duration_seconds_count"}
	made := regexp.MustCompile(`"(footbridge\.[a-z.]+)"`)
	for _, name := range tree.Sources() {
		text, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, figure := range made.FindAllStringSubmatch(string(text), -1) {
			figures = append(figures, strings.ReplaceAll(figure[1], ".", "_"))
		}
	}
	for _, figure := range regexp.MustCompile(
		`\b(footbridge_(?:flow|sentinel|listener|intake|void|help|channel)_[a-z_]+|http_server_[a-z_]+)\b`).FindAllString(rules, -1) {
		if figure != "footbridge_listener" && !slices.Contains(figures, figure) &&
			!slices.Contains(figures, strings.TrimSuffix(figure, "_total")) &&
			!slices.Contains(figures, strings.TrimSuffix(figure, "_seconds")) {
			t.Errorf("an alert reads %s, which nobody shows", figure)
		}
	}
}
