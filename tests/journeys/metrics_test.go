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

	"go.yaml.in/yaml/v3"

	"footbridge/schemas"
	"footbridge/tests/dashboards"
	"footbridge/tests/system"
)

var writeMetrics = flag.Bool("write-metrics", false, "write docs/metrics.md from a running /metrics")

// figure is one metric as a running /metrics describes it.
type figure struct{ kind, help string }

var (
	helpLine    = regexp.MustCompile(`(?m)^# HELP (\S+) (.*)$`)
	typeLine    = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	figureName  = regexp.MustCompile(`\b(?:footbridge|http)_[a-z_]+\b`)
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

// missing are the figures, and the labels, that some expressions read and nobody shows; and an expression that is no
// PromQL, with what is wrong with it.
func missing(expressions []string, shown map[string]figure, with []string) (names []string) {
	for _, expression := range expressions {
		asked, err := dashboards.Read(expression)
		if err != nil {
			names = append(names, err.Error())
		}
		for _, name := range asked.Metrics {
			_, whole := shown[name]
			_, part := shown[ofHistogram.ReplaceAllString(name, "")]
			if !whole && !part && !slices.Contains(onlyOnce, ofHistogram.ReplaceAllString(name, "")) && name != "up" {
				names = append(names, name)
			}
		}
		for _, label := range asked.Labels {
			if !slices.Contains(with, label) && !slices.Contains(fromElsewhere, label) {
				names = append(names, label)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fromElsewhere are labels that no figure has at first: Prometheus gives job, and a reason comes with what is refused.
var fromElsewhere = []string{"job", "footbridge_reason"}

// labelsOf are the names of all labels in what is shown.
func labelsOf(text string) (names []string) {
	for _, line := range regexp.MustCompile(`(?m)^[a-z_]+\{.*\} `).FindAllString(text, -1) {
		for _, label := range regexp.MustCompile(`[{,]([a-z_]+)="`).FindAllStringSubmatch(line, -1) {
			names = append(names, label[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ofAlerts are the expressions of the alert rules.
func ofAlerts(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/observability/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			all = append(all, rule.Expr)
		}
	}
	return all
}

// ofDashboards are the expressions of the dashboards, as the files hold them.
func ofDashboards(t *testing.T) (all []string) {
	t.Helper()
	for _, board := range dashboards.All() {
		text, err := os.ReadFile("../../deploy/observability/dashboards/" + board.UID + ".json")
		if err != nil {
			t.Fatal(err)
		}
		queries, err := dashboards.Expressions(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, queries...)
	}
	return all
}

// onlyOnce are figures that appear when what they count has first been: a refusal, a call. They are listed besides.
var onlyOnce = []string{"footbridge_listener_refused_total", "footbridge_voice_after_seconds"}

// Every figure and label that an alert or a dashboard reads is shown by the running program under that very name, and
// every figure shown is in the operator's list.
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
	with := labelsOf(string(s.Metrics()))
	for of, read := range map[string][]string{"alerts": ofAlerts(t), "dashboards": ofDashboards(t)} {
		if absent := missing(read, shown, with); len(absent) > 0 || len(read) == 0 {
			t.Errorf("of %d expressions, %s read what nobody shows: %v", len(read), of, absent)
		}
		wrong := append(slices.Clone(read), "max by (footbridge_listeners) (footbridge_flow_deaths) > 0")
		if planted := missing(wrong, shown, with); !slices.Equal(planted,
			[]string{"footbridge_flow_deaths", "footbridge_listeners"}) {
			t.Errorf("of wrong names that were planted in %s, %v are found", of, planted)
		}
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
