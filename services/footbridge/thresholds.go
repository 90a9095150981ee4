package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

func noMore(rest []string) error {
	if len(rest) > 0 {
		return service.Usage{Err: fmt.Errorf("%q is not wanted here; --help shows what is", rest[0])}
	}
	return nil
}

// dayOr reads a local day; empty is today.
func dayOr(day, flag string) (string, error) {
	if day == "" {
		return systemClock().Now().In(london()).Format(time.DateOnly), nil
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return "", service.Usage{Err: fmt.Errorf("--%s %q is not a day; write YYYY-MM-DD", flag, day)}
	}
	return day, nil
}

type checkFlags struct {
	Facts string `env:"FACTS" placeholder:"FILE" help:"a JSON file of facts, or of {\"facts\": …, \"answers\": […]}; - is standard input"`
	On    string `env:"ON" placeholder:"DAY" help:"the local day to look at; empty: today"`
	JSON  bool   `env:"JSON" help:"print data: the full matrix"`
}

// checkFacts evaluates a set of facts and keeps nothing.
func checkFacts(_ context.Context, args []string) error {
	o, rest, err := load[checkFlags](args)
	if err != nil {
		return shown(err)
	}
	if err := noMore(rest); err != nil {
		return err
	}
	if o.Own.Facts == "" {
		return service.Usage{Err: errors.New("--facts FILE is needed: a JSON file such as {\"age\": 34, \"areaGP\": " +
			"\"area-north\"}")}
	}
	on, err := dayOr(o.Own.On, "on")
	if err != nil {
		return err
	}
	set, err := o.directory()
	if err != nil {
		return err
	}
	facts, answers, err := readFacts(o.Own.Facts)
	if err != nil {
		return err
	}
	decision := criteria.Evaluate(set, set.Situation(facts, answers, on))
	if o.Own.JSON {
		return printJSON(decision)
	}
	fmt.Print(decision.Table())
	return nil
}

func readFacts(name string) (facts schemas.Facts, answers []criteria.Answer, err error) {
	var content []byte
	if name == "-" {
		content, err = io.ReadAll(os.Stdin)
	} else {
		content, err = os.ReadFile(name)
	}
	if err != nil {
		return facts, nil, fmt.Errorf("reading the facts: %w", err)
	}
	var both struct {
		Facts   json.RawMessage   `json:"facts"`
		Answers []criteria.Answer `json:"answers"`
	}
	if json.Unmarshal(content, &both) == nil && both.Facts != nil {
		content = both.Facts
	}
	facts, faults := schemas.Read[schemas.Facts](content)
	if len(faults) > 0 {
		lines := make([]string, len(faults))
		for i, fault := range faults {
			lines[i] = fault.String()
		}
		return facts, nil, fmt.Errorf("the facts of %s cannot be used:\n%s", name, strings.Join(lines, "\n"))
	}
	return facts, both.Answers, nil
}

type gapFlags struct {
	On     string `env:"ON" placeholder:"DAY" help:"the local day to look at; empty: today"`
	Budget int    `env:"BUDGET" placeholder:"N" default:"400000" help:"how many boxes of the space of facts to look at"`
	JSON   bool   `env:"JSON" help:"print data"`
}

// criteriaOn loads the criteria for a command that looks at them on a day, today where none is named, and takes no
// further arguments.
func (c *Config) criteriaOn(day string, rest []string) (*criteria.Directory, criteria.Day, error) {
	if err := noMore(rest); err != nil {
		return nil, "", err
	}
	on, err := dayOr(day, "on")
	if err != nil {
		return nil, "", err
	}
	set, err := c.directory()
	return set, on, err
}

// findGaps searches the space of facts for combinations that no statutory service accepts.
func findGaps(_ context.Context, args []string) error {
	o, rest, err := load[gapFlags](args)
	if err != nil {
		return shown(err)
	}
	set, on, err := o.criteriaOn(o.Own.On, rest)
	if err != nil {
		return err
	}
	search := criteria.FindGaps(set, on, o.Own.Budget)
	if o.Own.JSON {
		return printJSON(search)
	}
	printRegions("No statutory service is open", search.Regions, false)
	printRegions("It takes a conversation with at least one, and none is open without", search.Regions, true)
	if search.Complete {
		fmt.Printf("Nothing was left out: %d boxes looked at. Shares count combinations of facts, not people; "+
			"regions may overlap.\n", search.Looked)
	} else {
		fmt.Printf("Not explored within %d boxes (give a larger --budget):\n", search.Looked)
		for _, r := range search.Unexplored {
			fmt.Printf("  %s\n", r.Words)
		}
	}
	fmt.Printf("Criteria of version %.12s, looked at for %s\n", search.Directory, on)
	return nil
}

func printRegions(heading string, regions []criteria.Region, talk bool) {
	first := true
	for _, r := range regions {
		if r.Talk != talk {
			continue
		}
		if first {
			fmt.Println(heading)
			first = false
		}
		example, _ := json.Marshal(r.Example) // facts always marshal
		fmt.Printf("  %5.1f%%  %s\n          for instance %s\n", 100*r.Share, r.Words, example)
	}
	if !first {
		fmt.Println()
	}
}

type whatIfFlags struct {
	Since string `env:"SINCE" placeholder:"DAY" help:"decisions made on this local day or later; empty: all"`
	JSON  bool   `env:"JSON" help:"print data"`
}

// whatIf replays past decisions under a draft set.
func whatIf(ctx context.Context, args []string) error {
	o, rest, err := load[whatIfFlags](args)
	if err != nil {
		return shown(err)
	}
	if err := noMore(rest); err != nil {
		return err
	}
	if o.Directory == "" {
		return service.Usage{Err: errors.New("--directory FILE is needed: the draft, a file or a folder of access " +
			"criteria")}
	}
	query := url.Values{}
	if o.Own.Since != "" {
		if _, err := dayOr(o.Own.Since, "since"); err != nil {
			return err
		}
		query.Set("since", o.Own.Since)
	}
	draft, err := criteriaAt(o.Directory)
	if err != nil {
		return err
	}
	c, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	var report struct {
		criteria.WhatIfReport
		Unkept int `json:"unkept,omitempty"`
	}
	if _, err := c.call(ctx, http.MethodPost, "/api/thresholds/what-if?"+query.Encode(), draft.Canonical(),
		"application/json", &report); err != nil {
		return err
	}
	if o.Own.JSON {
		return printJSON(report)
	}
	printWhatIf(report.WhatIfReport, report.Unkept)
	return nil
}

func printWhatIf(r criteria.WhatIfReport, unkept int) {
	fmt.Printf("Replayed the last decision of %d journeys under %.12s instead of %.12s. Nothing was changed.\n",
		r.Replayed, r.Draft, r.Running)
	if unkept > 0 {
		fmt.Printf("%d more were not replayed: what they were made from was not kept, or cannot be read.\n", unkept)
	}
	if r.Draft == r.Running {
		fmt.Println("The draft is the running set.")
	}
	printCounts("Would have been open", r.Opened)
	printCounts("Would have been less open", r.Closed)
	fmt.Printf("Gaps that close: %d. Gaps that open: %d.\n", r.GapCloses, r.GapOpens)
	for _, replay := range r.Changed {
		fmt.Printf("journey %s\n", replay.Journey)
		for _, change := range replay.Changes {
			fmt.Printf("  %-48s %s -> %s\n", change.Name, orElse(string(change.From), "not there"),
				orElse(string(change.To), "not there"))
			for _, because := range change.Because {
				fmt.Printf("      “%s”\n      %s, checked %s\n", because.Words, because.Source, because.CheckedOn)
			}
		}
		if replay.GapCloses != nil {
			fmt.Println("  the gap closes")
		}
		if replay.GapOpens != nil {
			fmt.Println("  a gap opens")
		}
	}
}

func printCounts(heading string, counts map[string]int) {
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		fmt.Printf("%s: %s, to %d\n", heading, id, counts[id])
	}
}

type toldFlags struct {
	JSON bool `env:"JSON" help:"print data"`
}

// toldReports holds what people were told against what is published. Where the running system cannot be asked, what
// the documents themselves carry is shown.
func toldReports(ctx context.Context, args []string) error {
	o, rest, err := load[toldFlags](args)
	if err != nil {
		return shown(err)
	}
	if err := noMore(rest); err != nil {
		return err
	}
	found, err := toldBySystem(ctx, &o.Config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "footbridge: only the reports in the criteria themselves are shown, not those "+
			"recorded since:", err)
		set, err := o.directory()
		if err != nil {
			return err
		}
		found = criteria.ToldAgainstPublished(set, nil)
	}
	if o.Own.JSON {
		return printJSON(found)
	}
	for _, d := range found {
		fmt.Printf("%s differs in %s: published %s, told %s (reports: %d; did not refer because of it: %d)\n  "+
			"published  “%s”\n             %s, checked %s\n",
			d.Name, d.In, d.Published, d.Told, d.Reports, d.DidNotRefer, d.Words, d.Source, d.CheckedOn)
		for _, words := range d.ToldWords {
			fmt.Printf("  told       “%s”\n", words)
		}
	}
	if len(found) == 0 {
		fmt.Println("What people were told is what services publish.")
	}
	return nil
}

func toldBySystem(ctx context.Context, c *Config) ([]criteria.Discrepancy, error) {
	client, err := c.client(schemas.Operator)
	if err != nil {
		return nil, err
	}
	var list page[criteria.Discrepancy]
	_, err = client.call(ctx, http.MethodGet, "/api/thresholds/told", nil, "", &list)
	return list.Items, err
}

type turnedFlags struct {
	Service string `env:"SERVICE" placeholder:"ID" help:"the id of the service whose criterion it is, where several have one of this id"`
	JSON    bool   `env:"JSON" help:"print data"`
}

// turnedShown is the report as it comes: a number, or the words that stand in its place.
type turnedShown struct {
	Service, Criterion, Words, Since string
	Journeys                         any
	Turned                           []struct {
		Finding  string
		Journeys any
		Facts    []struct {
			Fact     string
			Journeys any
			Ways     []struct {
				Way      string
				Journeys any
			}
		}
	}
}

// turnedFacts asks in how many journeys a fact turned one criterion, and by which ways it was said.
func turnedFacts(ctx context.Context, args []string) error {
	o, rest, err := load[turnedFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(rest) != 1 {
		return service.Usage{Err: errors.New("name one criterion by its id; footbridge thresholds rulebook shows them")}
	}
	client, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	query := url.Values{"criterion": {rest[0]}}
	if o.Own.Service != "" {
		query.Set("service", o.Own.Service)
	}
	var raw json.RawMessage
	if _, err := client.call(ctx, http.MethodGet, "/api/thresholds/turned?"+query.Encode(), nil, "", &raw); err != nil {
		return err
	}
	if o.Own.JSON {
		return printJSON(raw)
	}
	var found turnedShown
	if err := json.Unmarshal(raw, &found); err != nil {
		return fmt.Errorf("reading the report: %w", err)
	}
	found.print(os.Stdout)
	return nil
}

func (t turnedShown) print(w io.Writer) {
	fmt.Fprintf(w, "%s of %s: “%s”\n  journeys decided about more than once since %s: %v\n", t.Criterion, t.Service,
		t.Words, t.Since, t.Journeys)
	for _, into := range t.Turned {
		fmt.Fprintf(w, "  turned to %s: %v\n", strings.ReplaceAll(into.Finding, "-", " "), into.Journeys)
		for _, fact := range into.Facts {
			fmt.Fprintf(w, "    by %s: %v\n", fact.Fact, fact.Journeys)
			for _, way := range fact.Ways {
				fmt.Fprintf(w, "      %s: %v\n", map[string]string{criteria.WayMessage: "in a message or a form",
					criteria.WayRecorded: "recorded by staff as the person said"}[way.Way], way.Journeys)
			}
		}
	}
	if len(t.Turned) == 0 {
		fmt.Fprintln(w, "  No fact turned it.")
	}
}

type ruleBookFlags struct {
	On string `env:"ON" placeholder:"DAY" help:"the local day to say what is in force on; empty: today"`
}

// ruleBook writes the rule book as one page of HTML. The running system is asked which lines were reported to reach
// nobody.
func ruleBook(ctx context.Context, args []string) error {
	o, rest, err := load[ruleBookFlags](args)
	if err != nil {
		return shown(err)
	}
	set, on, err := o.criteriaOn(o.Own.On, rest)
	if err != nil {
		return err
	}
	dead, err := reportedLines(ctx, &o.Config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "footbridge: the page says that reports of numbers and links that do not work could "+
			"not be asked for:", err)
		dead = nil
	}
	book, err := criteria.RuleBook(set, on, dead)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(book)
	return err
}
