// Package dashboards makes the Grafana dashboards of deploy/observability/dashboards, and reads what their queries and
// the alert rules ask of Prometheus, so that a test can hold every name against a running /metrics.
//
// It lies among the tests since nothing of the running program needs it: what it is made with (grafana-foundation-sdk,
// Prometheus's own parser) is then no part of the binary. `make generate` writes the files.
//
// A panel shows what /metrics shows, and no more. Feeds that are silent and deliveries to partners are read from the
// services' databases: both are on the page /operations alone.
package dashboards

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

//go:generate go run ./cmd/write ../../deploy/observability/dashboards

// Board is one dashboard: rows of panels, in the order in which they are shown.
type Board struct {
	// UID is also the name of its file, without .json. It stays: links lead to it.
	UID, Title, What string
	// Since is how far back it shows at first, as Grafana writes it.
	Since string
	Rows  []Row
}

// Row is a heading and what stands under it.
type Row struct {
	Title  string
	Panels []Panel
}

// Panel is one figure or chart.
type Panel struct {
	Title, What string
	// Unit is one of Grafana's.
	Unit string
	// Amiss is the value from which on somebody is asked for; nil: none is.
	Amiss *float64
	// Now shows the value of this moment as a figure; else it is a chart over time.
	Now     bool
	Queries []Query
}

// Query is one expression of PromQL, and what its lines are called.
type Query struct{ Expression, Legend string }

// Queries are all of a dashboard.
func (b Board) Queries() (all []Query) {
	for _, row := range b.Rows {
		for _, panel := range row.Panels {
			all = append(all, panel.Queries...)
		}
	}
	return all
}

// source is the Prometheus that whoever looks has chosen.
var source = common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}

// JSON is the dashboard as Grafana imports it.
func (b Board) JSON() ([]byte, error) {
	//lint:ignore SA1019 the older form is the one that a site's Grafana of any age imports from a file
	built := dashboard.NewDashboardBuilder(b.Title).Uid(b.UID).Description(b.What).Tags([]string{"footbridge"}).
		Readonly().Refresh("30s").Time("now-"+b.Since, "now").Timezone("browser").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus"))
	for _, row := range b.Rows {
		built = built.WithRow(dashboard.NewRowBuilder(row.Title))
		for _, panel := range row.Panels {
			built = built.WithPanel(panel.builder())
		}
	}
	made, err := built.Build()
	if err != nil {
		return nil, fmt.Errorf("building dashboard %q: %w", b.UID, err)
	}
	text, err := json.MarshalIndent(made, "", "  ")
	return append(text, '\n'), err
}

// unknown is shown where there is no value: what could not be read is not 0.
const unknown = "not known"

func (p Panel) builder() cog.Builder[dashboard.Panel] {
	if p.Now {
		figure := stat.NewPanelBuilder().Title(p.Title).Description(p.What).Datasource(source).Unit(p.Unit).
			NoValue(unknown).Thresholds(p.thresholds()).GraphMode(common.BigValueGraphModeNone).Height(4).Span(4)
		for i, q := range p.Queries {
			figure = figure.WithTarget(q.builder(i).Instant())
		}
		return figure
	}
	chart := timeseries.NewPanelBuilder().Title(p.Title).Description(p.What).Datasource(source).Unit(p.Unit).
		NoValue(unknown).Thresholds(p.thresholds()).Min(0).Height(8).Span(8)
	if p.Amiss != nil {
		chart = chart.ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().
			Mode(common.GraphThresholdsStyleModeDashed))
	}
	if p.Unit == units.PercentUnit {
		chart = chart.Max(1)
	}
	for i, q := range p.Queries {
		chart = chart.WithTarget(q.builder(i).Range())
	}
	return chart
}

func (q Query) builder(i int) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(q.Expression).LegendFormat(q.Legend).Datasource(source).
		RefId(string(rune('A' + i)))
}

func (p Panel) thresholds() *dashboard.ThresholdsConfigBuilder {
	steps := []dashboard.Threshold{{Color: "green"}}
	if p.Amiss != nil {
		steps = append(steps, dashboard.Threshold{Value: p.Amiss, Color: "red"})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}
