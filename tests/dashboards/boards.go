package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/units"

	"footbridge/libs/operations"
)

// All are the dashboards, in the order in which whoever is on call reads them.
func All() []Board { return []Board{work, promises} }

// work says whether everything that is to be done is being done.
var work = Board{UID: "footbridge-work", Title: "Footbridge: does the work go on?", Since: "6h",
	What: "What stands still or waits. Silent feeds, messages for a human and deliveries to partners are on " +
		"Footbridge's own page /operations: they are no metrics.",
	Rows: []Row{{"Now", []Panel{
		judged(operations.WithoutStep, `max(footbridge_void_journeys)`),
		{"The first of them has had none for", "Runbook: docs/runbooks/void.md", units.Seconds, at(1), true,
			of(`max(footbridge_void_age_seconds)`, "")},
		judged(operations.SentinelAway, `min(footbridge_sentinel_away_seconds)`),
		judged(operations.HelpOverdue, `max(footbridge_help_overdue_seconds)`),
		judged(operations.ChannelDown, `max(footbridge_channel_down_seconds)`),
		judged(operations.DeadLetters, `sum(max by (service_name) (footbridge_flow_dead))`),
		judged(operations.Parked, `sum(max by (service_name) (footbridge_flow_parked))`),
		judged(operations.RowsAside, `sum(max by (service_name) (footbridge_flow_aside))`),
		{"Services that do no work",
			"By /readyz. A service that shows nothing at all is missing here: see who answers.",
			units.Short, at(1), true, of(`sum(min by (service_name) (footbridge_flow_ready) == bool 0)`, "")},
		{"Services whose figures are old", "Database or broker did not answer when they were read.",
			units.Short, at(1), true, of(`sum(max by (service_name) (footbridge_flow_unread))`, "")},
		{"Processes that do not answer", "Of those that Prometheus is told to ask.",
			units.Short, at(1), true, of(`sum(up{job="footbridge"} == bool 0)`, "")},
		judged(operations.UnprocessedAge, `max(footbridge_flow_unprocessed_age)`),
		judged(operations.UnpublishedAge, `max(footbridge_flow_unpublished_age)`),
		{"Requests that failed", "Answered 5xx, in five minutes.", units.Short, at(1), true,
			of(`sum(increase(http_server_request_duration_seconds_count{http_response_status_code=~"5.."}[5m]))`+
				` or 0 * sum(increase(http_server_request_duration_seconds_count[5m]))`, "")},
	}}, {"Events, by service", []Panel{
		overTime(operations.UnprocessedAge, `max by (service_name) (footbridge_flow_unprocessed_age)`),
		overTime(operations.EventsWaiting, `max by (service_name) (footbridge_flow_waiting)`),
		overTime(operations.UnpublishedAge, `max by (service_name) (footbridge_flow_unpublished_age)`),
		{"Ready", "1 where nothing stands in the way of the work. A line that ends is a service that shows nothing.",
			units.Short, nil, false, of(`min by (service_name) (footbridge_flow_ready)`, service)},
		{"Events applied", "Still, while messages come in: look at what waits.", units.CountsPerSecond, nil, false,
			of(`sum by (service_name) (rate(footbridge_flow_applied_total[5m]))`, service)},
		{"Events published", "As the broker acknowledged them.", units.CountsPerSecond, nil, false,
			of(`sum by (service_name) (rate(footbridge_flow_published_total[5m]))`, service)},
		{"Dead letters and parked events", "Each dead letter counts as the void.", units.Short, at(1), false, []Query{
			{`max by (service_name) (footbridge_flow_dead)`, service + ": dead letters"},
			{`max by (service_name) (footbridge_flow_parked)`, service + ": parked"}}},
		{"Published again, and refused", "They rise after faults; otherwise hardly.", units.Short, nil, false, []Query{
			{`sum by (service_name) (increase(footbridge_flow_swept_total[10m]))`, service + ": from the outbox"},
			{`sum by (service_name) (increase(footbridge_flow_rebuilt_total[10m]))`, service + ": by rebuilding"},
			{`sum by (service_name) (increase(footbridge_flow_refused_total[10m]))`, service + ": refused"}}},
		{"Events put aside", "They could not be applied, and are tried again.", units.Short, nil, false,
			of(`sum by (service_name) (increase(footbridge_flow_parkings_total[10m]))`, service)},
	}}, {"Requests, listeners and traces", []Panel{
		{"Failing requests, by route", "Answered 5xx.", units.RequestsPerSecond, at(0.1), false, of(
			`sum by (service_name, http_route) (rate(http_server_request_duration_seconds_count`+
				`{http_response_status_code=~"5.."}[5m]))`, service+" {{http_route}}")},
		{"Duration of requests", "95 of 100 take less.", units.Seconds, nil, false, of(`histogram_quantile(0.95, `+
			`sum by (service_name, le) (rate(http_server_request_duration_seconds_bucket[5m])))`, service)},
		{"Connections", "Those that hold a place, by listener.", units.Short, nil, false,
			of(`sum by (service_name, footbridge_listener) (footbridge_listener_connections)`, listener)},
		{"Memory of listeners", "For what is coming in and being handled.", units.BytesIEC, nil, false,
			of(`sum by (service_name, footbridge_listener) (footbridge_listener_bytes)`, listener)},
		{"Refused by a listener, and waiting", "Refusals begin to be shown with the first one.", units.Short, nil,
			false, []Query{
				{`sum by (service_name, footbridge_listener, footbridge_reason) ` +
					`(increase(footbridge_listener_refused_total[10m]))`, listener + ": {{footbridge_reason}}"},
				{`sum by (service_name, footbridge_listener) (footbridge_listener_waiting)`,
					listener + ": wait for memory"}}},
		{"Spans, by what became of them", "Dropped: traces did not take them in time.", units.CountsPerSecond, nil,
			false,
			of(`sum by (footbridge_outcome) (rate(footbridge_traces_spans_total[5m]))`, outcome)},
	}}}}

// promises says how long people wait, and whether what was agreed is kept. Each is a share or a sum, of nobody.
var promises = Board{UID: "footbridge-promises", Title: "Footbridge: are the promises kept?", Since: "30d",
	What: "How soon after a journey's first event there is an offer and a voice, and whether sessions fall in the " +
		"window. " +
		"Journeys that got neither are not counted here: their steps are on /operations.",
	Rows: []Row{{"Promises", []Panel{
		{"Offers within 5 seconds", "Of those prepared in a day. What was agreed to later takes longer, rightly.",
			units.PercentUnit, nil, false, of(within("footbridge_offer_after_seconds", `5(\\.0)?`), "within 5 s")},
		{"First voice within 72 hours", "Of those first spoken with in a day. Shown once somebody was spoken with.",
			units.PercentUnit, nil, false, of(within("footbridge_voice_after_seconds", `259200(\\.0)?`),
				"within 72 h")},
		{"Sessions, by whether they fell in the window", "Those that took place, in a week.", units.Short, nil, false,
			of(`sum by (footbridge_outcome) (increase(footbridge_session_kept_total[7d]))`, outcome)},
		{"Until an offer is prepared", "Half take less.", units.Seconds, nil, false,
			of(`histogram_quantile(0.5, sum by (le) (increase(footbridge_offer_after_seconds_bucket[1d])))`, "half")},
		{"Until a first voice", "Half take less.", units.Seconds, nil, false,
			of(`histogram_quantile(0.5, sum by (le) (increase(footbridge_voice_after_seconds_bucket[1d])))`, "half")},
		judgedChart(operations.HelpOverdue, `max(footbridge_help_overdue_seconds)`),
	}}, {"What comes in", []Panel{
		{"Messages, by what became of them", "None may be a quiet night: /operations knows each feed's rhythm.",
			units.Short, nil, false,
			of(`sum by (footbridge_outcome) (increase(footbridge_intake_messages_total[1h]))`, outcome)},
		{"Until a message is answered", "95 of 100 take less.", units.Seconds, nil, false,
			of(`histogram_quantile(0.95, sum by (le) (rate(footbridge_intake_held_seconds_bucket[5m])))`, "95 of 100")},
	}}}}

// Legends.
const (
	service  = "{{service_name}}"
	listener = "{{service_name}} {{footbridge_listener}}"
	outcome  = "{{footbridge_outcome}}"
)

func at(value float64) *float64 { return &value }

func of(expression, legend string) []Query { return []Query{{expression, legend}} }

// within is the share of a histogram's last day that took no longer than a bound; bound is a pattern, since Prometheus
// writes it with or without a decimal place, by its version.
func within(histogram, bound string) string {
	return `sum(increase(` + histogram + `_bucket{le=~"` + bound + `"}[1d])) / sum(increase(` + histogram +
		`_count[1d]))`
}

// judged is a figure of the operators' page as it is now: its words and limit are those of the page and the alerts.
func judged(name, expression string) Panel {
	p := judgedChart(name, expression)
	p.Now = true
	return p
}

// judgedChart is the same over time, as one line.
func judgedChart(name, expression string) Panel {
	kind := operations.KindOf(name)
	p := Panel{Title: kind.Words, Unit: units.Short, Queries: of(expression, "")}
	if kind.Unit == "seconds" {
		p.Unit = units.Seconds
	}
	if kind.Judged { // amiss is what is above the limit; Grafana colours from a value on
		p.Amiss = at(kind.Limit + 0.001)
	}
	if kind.Runbook != "" {
		p.What = "Runbook: docs/runbooks/" + kind.Runbook
	}
	return p
}

// overTime is the same with a line for each service.
func overTime(name, expression string) Panel {
	p := judgedChart(name, expression)
	p.Queries[0].Legend = service
	return p
}
