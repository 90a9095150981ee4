package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"footbridge/libs/operations"
)

// prometheusOnly are alerts whose figures are rates, or of the scraping itself: no service can read them of itself.
// FootbridgeEventRefused is a rate there and a count of the outbox on the page.
var prometheusOnly = []string{"FootbridgeProcessGone", "FootbridgeRequestsFail", "FootbridgeListenerRefuses"}

// TestTheOperatorsFiguresHaveTheAlertsThatPrometheusHas: with the same limit, severity and runbook. Each runbook that a
// figure names is there.
func TestTheOperatorsFiguresHaveTheAlertsThatPrometheusHas(t *testing.T) {
	t.Parallel()
	rules := rulesOf(t)
	for _, k := range operations.Kinds() {
		if k.Runbook != "" {
			if _, err := os.Stat(filepath.Join(repository, "docs/runbooks", k.Runbook)); err != nil {
				t.Errorf("%s: %v", k.Name, err)
			}
		}
		if k.Alert == "" {
			continue
		}
		rule, there := rules[k.Alert]
		if !there {
			t.Errorf("%s has alert %s, which Prometheus has not", k.Name, k.Alert)
			continue
		}
		if rule.severity != string(k.Severity) || rule.runbook != k.Runbook {
			t.Errorf("%s: %+v, and the figure has %s and %s", k.Alert, rule, k.Severity, k.Runbook)
		}
		if limit := regexp.MustCompile(`> (\d+)`).FindStringSubmatch(rule.expr); limit != nil &&
			limit[1] != amountOf(k.Limit) {
			t.Errorf("%s is above %s in Prometheus, and above %v on the page", k.Alert, limit[1], k.Limit)
		}
	}
	for name := range rules {
		if !slices.Contains(prometheusOnly, name) && !slices.ContainsFunc(operations.Kinds(),
			func(k operations.Kind) bool { return k.Alert == name }) {
			t.Errorf("Prometheus has alert %s, and the operators' page does not: give a figure of libs/operations "+
				"that name, or say here why none can have it", name)
		}
	}
}

type rule struct{ expr, severity, runbook string }

// rulesOf are the rules of Prometheus, by their names.
func rulesOf(t *testing.T) map[string]rule {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy/observability/alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]rule{}
	for _, part := range strings.Split(string(text), "- alert: ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		one := rule{expr: rest[:strings.Index(rest, "labels:")]}
		if found := regexp.MustCompile(`severity: ([a-z-]+)`).FindStringSubmatch(rest); found != nil {
			one.severity = found[1]
		}
		if found := regexp.MustCompile(`runbook: docs/runbooks/(\S+)`).FindStringSubmatch(rest); found != nil {
			one.runbook = found[1]
		}
		rules[strings.TrimSpace(name)] = one
	}
	return rules
}

// amountOf is a limit as a rule writes it.
func amountOf(limit float64) string { return strconv.FormatFloat(limit, 'f', -1, 64) }
