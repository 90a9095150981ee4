package operations

import (
	"cmp"
	"context"
	"slices"
	"time"

	"footbridge/libs/flow"
)

// Figure is one figure of the report.
type Figure struct {
	// Name is its code, Words what it counts.
	Name  string `json:"name"`
	Words string `json:"words"`
	// Service is whose it is; empty where it is the sum of all.
	Service string `json:"service,omitempty"`
	// Unit is count, seconds, days, bytes, or yes: 1 where it is so.
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	// Amiss says that it asks for somebody.
	Amiss bool `json:"amiss"`
	// Severity is page, at once, or look-today; empty where it is well.
	Severity Severity `json:"severity,omitempty"`
	// Unknown says that it could not be read, so that the value says nothing.
	Unknown bool `json:"unknown,omitempty"`
	// Partial says that it lacks a service which did not answer.
	Partial bool `json:"partial,omitempty"`
	// Since is since when it is so.
	Since *time.Time `json:"since,omitempty"`
	// Why says more, in words.
	Why string `json:"why,omitempty"`
	// Link is a page of the console that lists what is counted.
	Link string `json:"link,omitempty"`
	// Command lists what is counted where no page does.
	Command string `json:"command,omitempty"`
	// Lines are what is counted, one by one, as far as that is told.
	Lines []Line `json:"lines,omitempty"`
}

// Alert is one alert of deploy/observability/alerts.yaml, or of this page alone, and how it stands.
type Alert struct {
	// Name is the rule's of Prometheus, or the figure's where Prometheus has none.
	Name  string `json:"name"`
	Words string `json:"words"`
	// Severity is page, at once, or look-today.
	Severity Severity `json:"severity"`
	// Runbook is the page of docs/runbooks that says what to do.
	Runbook string `json:"runbook"`
	// Active says that it is so now.
	Active bool `json:"active"`
	// Unknown says that a figure of it could not be read: it has not ended by that.
	Unknown bool `json:"unknown,omitempty"`
	// Services are those for which it is so.
	Services []string `json:"services,omitempty"`
}

// Standing is how one service stands.
type Standing struct {
	Service string `json:"service"`
	// Answered is false where it did not answer: then nothing is known of it.
	Answered bool `json:"answered"`
	// Ready says that nothing stands in the way of its work.
	Ready bool `json:"ready"`
	// Why says what stands in the way, or is missing.
	Why string `json:"why,omitempty"`
}

// Report is how the whole stands.
type Report struct {
	// At is when it was asked for.
	At time.Time `json:"at"`
	// Figures are all that whoever asks may see, who is without a next step first.
	Figures []Figure `json:"figures"`
	// Alerts are those that are active first, then those of which nothing is known.
	Alerts []Alert `json:"alerts"`
	// Services are all that have figures, and how each stands.
	Services []Standing `json:"services"`
	// Hours are how figures stood in the last 24 hours, by service.
	Hours map[string][]flow.Sample `json:"hours,omitempty"`
	// Days are how figures stood in the last 7 days, by service.
	Days map[string][]flow.Sample `json:"days,omitempty"`
}

// GatherWithin is how long the services are waited for: a page is never held up for longer.
const GatherWithin = 2 * time.Second

// Gather asks every service at once and makes the report of what they answer within GatherWithin. all says that whoever
// asks sees every figure, not only the human ones.
func Gather(ctx context.Context, services []string, now time.Time, all bool,
	ask func(ctx context.Context, service string) (Answer, error)) Report {
	ctx, cancel := context.WithTimeout(ctx, GatherWithin)
	defer cancel()
	type got struct {
		service string
		answer  Answer
		err     error
	}
	came := make(chan got, len(services))
	for _, service := range services {
		go func() {
			answer, err := ask(ctx, service)
			came <- got{service, answer, err}
		}()
	}
	answers := map[string]Answer{}
	for range services {
		select {
		case g := <-came:
			if g.err == nil {
				answers[g.service] = g.answer
			}
			continue
		case <-ctx.Done():
		}
		break
	}
	return reportOf(services, answers, now, all)
}

// reportOf makes the report of what was answered; a service that is not among the answers did not.
func reportOf(services []string, answers map[string]Answer, now time.Time, all bool) Report {
	r := Report{At: now, Figures: []Figure{}, Alerts: []Alert{}, Hours: map[string][]flow.Sample{},
		Days: map[string][]flow.Sample{}}
	readings := map[string]map[string]Reading{} // by figure, by service
	note := func(service string, one Reading) {
		if readings[one.Name] == nil {
			readings[one.Name] = map[string]Reading{}
		}
		readings[one.Name][service] = one
	}
	for _, service := range services {
		a, answered := answers[service]
		standing := Standing{Service: service, Answered: answered, Ready: answered, Why: a.Missing}
		if !answered {
			standing.Why = "It did not answer, so that nothing is known of it."
		}
		if all {
			note(service, Reading{Name: Unseen, Value: yes(!answered)})
		}
		for _, one := range a.Readings {
			note(service, one)
			if one.Name == NotReady && one.Value > 0 {
				standing.Ready, standing.Why = false, one.Why
			}
		}
		if len(a.Hours) > 0 {
			r.Hours[service] = a.Hours
		}
		if len(a.Days) > 0 {
			r.Days[service] = a.Days
		}
		r.Services = append(r.Services, standing)
	}
	for _, k := range kinds {
		if !all && !k.Human {
			continue
		}
		figures := figuresOf(k, services, readings[k.Name])
		r.Figures = append(r.Figures, figures...)
		if k.Judged {
			r.Alerts = append(r.Alerts, alertOf(k, figures))
		}
	}
	slices.SortStableFunc(r.Alerts, func(a, b Alert) int {
		return cmp.Compare(b.urgency(), a.urgency())
	})
	return r
}

// urgency orders alerts: those that are active first, then those of which nothing is known.
func (a Alert) urgency() float64 {
	return 4*yes(a.Active) + 2*yes(a.Unknown && !a.Active) + yes(a.Severity == Page)
}

// figuresOf are the figures of one kind: one for all services, or one for each that reads it. What a service should
// have read and did not is unknown.
func figuresOf(k Kind, services []string, read map[string]Reading) (all []Figure) {
	figure := func(service string, one Reading) Figure {
		f := Figure{Name: k.Name, Words: k.Words, Service: service, Unit: k.Unit, Value: one.Value, Since: one.Since,
			Why: one.Why, Link: k.Link, Command: k.Command, Lines: one.Lines}
		if f.Amiss = k.Amiss(one.Value); f.Amiss {
			f.Severity = k.Severity
		}
		return f
	}
	sum, missing := Reading{}, 0
	for _, service := range services {
		one, there := read[service]
		switch {
		case !there && k.By != "" && k.By != service:
			continue
		case !there:
			missing++
			if !k.Summed {
				f := figure(service, Reading{})
				f.Amiss, f.Severity, f.Unknown = false, "", true
				all = append(all, f)
			}
		case !k.Summed:
			all = append(all, figure(service, one))
		default:
			sum.add(service, one)
		}
	}
	if k.Summed {
		f := figure("", sum)
		f.Partial, f.Unknown = missing > 0, missing == len(services)
		all = append(all, f)
	}
	return all
}

// add counts in what one service read.
func (r *Reading) add(service string, one Reading) {
	r.Value += one.Value
	if one.Since != nil && (r.Since == nil || one.Since.Before(*r.Since)) {
		r.Since = one.Since
	}
	for _, line := range one.Lines {
		line.Service = service
		r.Lines = append(r.Lines, line)
	}
}

func alertOf(k Kind, figures []Figure) Alert {
	a := Alert{Name: cmp.Or(k.Alert, k.Name), Words: k.Words, Severity: k.Severity, Runbook: k.Runbook}
	for _, f := range figures {
		a.Unknown = a.Unknown || f.Unknown || f.Partial
		if !f.Amiss {
			continue
		}
		a.Active = true
		if f.Service != "" {
			a.Services = append(a.Services, f.Service)
		}
	}
	return a
}

// Of is the figures of a name, one for each service that read it, or one for all.
func (r Report) Of(name string) (all []Figure) {
	for _, f := range r.Figures {
		if f.Name == name {
			all = append(all, f)
		}
	}
	return all
}
