package journeys

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/schemas"
	"footbridge/tests/system"
)

var writeMetrics = flag.Bool("write-metrics", false, "write docs/metrics.md from a running /metrics")

// figure is one metric as a running /metrics describes it.
type figure struct{ kind, help string }

var (
	helpLine    = regexp.MustCompile(`(?m)^# HELP (\S+) (.*)$`)
	typeLine    = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	figureName  = regexp.MustCompile(`\b(?:footbridge|http)_[a-z_]+\b`)
	notAFigure  = regexp.MustCompile(`\{[^}]*\}|\bby \([^)]*\)|"[^"]*"`)
	ofHistogram = regexp.MustCompile(`_(?:bucket|count|sum)$`)
)

func figuresOf(text string) map[string]figure {
	all := map[string]figure{}
	for _, line := range helpLine.FindAllStringSubmatch(text, -1) {
		all[line[1]] = figure{help: line[2]}
	}
	for _, line := range typeLine.FindAllStringSubmatch(text, -1) {
		all[line[1]] = figure{line[2], all[line[1]].help}
	}
	return all
}

// missing are the figures that some expressions read and nobody shows.
func missing(expressions string, shown map[string]figure) (names []string) {
	for _, name := range figureName.FindAllString(notAFigure.ReplaceAllString(expressions, ""), -1) {
		_, whole := shown[name]
		_, part := shown[ofHistogram.ReplaceAllString(name, "")]
		if !whole && !part && !slices.Contains(onlyOnce, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// expressionsOf are the expressions of the alert rules.
func expressionsOf(t *testing.T) string {
	t.Helper()
	rules, err := os.ReadFile("../../deploy/observability/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, part := range strings.Split(string(rules), "expr:")[1:] {
		until := regexp.MustCompile(`(?m)^\s+(?:for|labels):`).FindStringIndex(part)
		all.WriteString(part[:until[0]] + "\n")
	}
	return all.String()
}

// onlyOnce are figures that appear when what they count has first been: a refusal, a call. They are listed besides.
var onlyOnce = []string{"footbridge_listener_refused_total", "footbridge_voice_after_seconds"}

// Every figure that an alert reads is shown by the running program under that very name, and every figure shown is in
// the operator's list.
func TestEveryFigureThatIsReadIsShownAndEveryOneShownIsListed(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	p := &player{t: t, System: s, scenario: Scenario{Person: Person{Age: 34}}, now: time.Now(), sender: "METRICS1",
		number: 1}
	p.act(0, Act{ADT: "A03", At: "-1h", Reason: "248062006^Self-harm^SCT"})
	if got := s.Ask(schemas.Navigator, http.MethodGet, "/api/journeys", "", nil); got.Status != http.StatusOK {
		t.Fatalf("answered %d", got.Status)
	}
	var shown map[string]figure
	system.Eventually(t, func() error {
		if shown = figuresOf(string(s.Metrics())); shown["footbridge_offer_after_seconds"].kind != "histogram" {
			return errors.New("it is not shown how long an offer took")
		}
		return nil
	})
	if absent := missing(expressionsOf(t), shown); len(absent) > 0 {
		t.Errorf("alerts read what nobody shows: %v", absent)
	}
	if planted := missing(expressionsOf(t)+"max(footbridge_flow_deaths) > 0", shown); !slices.Equal(planted,
		[]string{"footbridge_flow_deaths"}) {
		t.Errorf("of a wrong name that was planted, %v is found", planted)
	}
	if *writeMetrics {
		if err := os.WriteFile("../../docs/metrics.md", []byte(listOf(shown)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := listed(shown); err != nil {
		t.Error(err)
	}
}

// listOf writes the operator's list of figures.
func listOf(shown map[string]figure) string {
	var b strings.Builder
	b.WriteString("# Metrics\n\nWhat `/metrics` of the processes shows, written from a running one by\n`go test " +
		"./tests/journeys -run TestEveryFigureThatIsRead -write-metrics`. Each has `service_name`; none has a " +
		"journey, a " +
		"sender's name\nor anything of a person. A name that ends in `_seconds` or `_bytes` says its unit; all else " +
		"counts.\n\n| metric | kind | meaning |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if one := shown[name]; figureName.MatchString(name) && !slices.Contains(onlyOnce, name) {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, one.kind, one.help)
		}
	}
	b.WriteString("| `footbridge_listener_refused_total` | counter | once a listener has refused or ended a " +
		"connection: how " +
		"many, by why |\n| `footbridge_voice_after_seconds` | histogram | once somebody was spoken with: time from a " +
		"journey's first event until somebody first spoke with the person in a call |\n")
	return b.String()
}

// listed says whether the list has every figure that is shown, with its meaning, and none besides.
func listed(shown map[string]figure) (err error) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		return err
	}
	for name, one := range shown {
		row := fmt.Sprintf("| `%s` | %s | %s |", name, one.kind, one.help)
		if figureName.MatchString(name) && !slices.Contains(onlyOnce, name) && !strings.Contains(string(text), row) {
			err = errors.Join(err, fmt.Errorf("docs/metrics.md lacks %s", row))
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)`").FindAllStringSubmatch(string(text), -1) {
		if _, is := shown[row[1]]; !is && !slices.Contains(onlyOnce, row[1]) {
			err = errors.Join(err, fmt.Errorf("docs/metrics.md lists %s, which nobody shows", row[1]))
		}
	}
	return err
}
