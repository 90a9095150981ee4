package dashboards

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Asked is what an expression asks of Prometheus.
type Asked struct {
	// Metrics are the names of those it reads, each once.
	Metrics []string
	// Labels are those that it picks or groups by, each once.
	Labels []string
}

// Read parses an expression by Prometheus's own grammar. An error says where it is wrong.
func Read(expression string) (asked Asked, err error) {
	parsed, err := parser.ParseExpr(expression)
	if err != nil {
		return asked, fmt.Errorf("reading the query %q: %w", expression, err)
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				if m.Name == labels.MetricName {
					asked.Metrics = append(asked.Metrics, m.Value)
				} else {
					asked.Labels = append(asked.Labels, m.Name)
				}
			}
		case *parser.AggregateExpr:
			asked.Labels = append(asked.Labels, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				asked.Labels = append(asked.Labels, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	return Asked{once(asked.Metrics), once(asked.Labels)}, nil
}

func once(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// Expressions are those of every panel in a dashboard's file, as Grafana would send them.
func Expressions(file []byte) (all []string, err error) {
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(file, &board); err != nil {
		return nil, fmt.Errorf("reading a dashboard: %w", err)
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	return all, nil
}
