package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/outward"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/threshold"
	"footbridge/services/threshold/criteria"
)

type importFlags struct {
	To      string `env:"TO" placeholder:"FOLDER" default:"./draft-directory" help:"the folder to write drafts to; it must be empty or absent"`
	Sector  string `env:"SECTOR" placeholder:"SECTOR" help:"statutory or third-sector, for all that come in; empty: left for a human to say in each"`
	Kind    string `env:"KIND" default:"imported" help:"what the services are, as a code"`
	PerPage int    `env:"PER_PAGE" placeholder:"N" default:"100" help:"how many services to ask for at once"`
	List    bool   `env:"LIST_ONLY" help:"do not ask for each service by itself, which gives all of its fields"`
	JSON    bool   `env:"JSON" help:"print data"`
}

// importReport is what came in, where it was written, and what a human still has to say.
type importReport struct {
	From      string                 `json:"from"`
	To        string                 `json:"to"`
	Pages     int                    `json:"pages"`
	Entries   int                    `json:"entries"`
	Taken     int                    `json:"taken"`
	Skipped   int                    `json:"skipped"`
	Says      *int                   `json:"headerSays,omitempty"`
	Faults    []criteria.ImportFault `json:"faults"`
	Files     []string               `json:"files"`
	ToPublish []string               `json:"toBeSaid"`
}

// importDirectory drafts one document for each sound service, whole, and reports each fault of the others. Each file
// is read back and compared before it counts as taken.
func importDirectory(ctx context.Context, args []string) error {
	o, rest, err := load[importFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(rest) != 1 {
		return service.Usage{Err: errors.New("directory import FILE|URL [--to FOLDER]")}
	}
	if s := o.Own.Sector; s != "" && s != criteria.Statutory && s != criteria.ThirdSector {
		return service.Usage{Err: fmt.Errorf("--sector %q: use statutory or third-sector", s)}
	}
	if entries, err := os.ReadDir(o.Own.To); err == nil && len(entries) > 0 {
		return service.Usage{Err: fmt.Errorf("--to %s: the folder is not empty; name another, so that nothing is "+
			"overwritten", o.Own.To)}
	}
	allow, err := o.outwardAllow()
	if err != nil {
		return err
	}
	pages, err := openReferral(ctx, rest[0], o.Own, allow)
	if err != nil {
		return err
	}
	in := criteria.ImportOpenReferral(pages.page)
	in.Faults = append(in.Faults, pages.faults...)
	report := importReport{From: rest[0], To: o.Own.To, Pages: in.Pages, Entries: in.Entries, Skipped: in.Skipped,
		Says: in.HeaderSays, Faults: in.Faults}
	if err := writeDrafts(&report, in.Services, rest[0], o.Own); err != nil {
		return err
	}
	if o.Own.JSON {
		err = printJSON(report)
	} else {
		printImport(report)
	}
	if err == nil && report.Taken == 0 {
		err = fmt.Errorf("nothing could be taken in from %s", rest[0])
	}
	return err
}

func printImport(r importReport) {
	fmt.Printf("%d entries on %d pages: %d taken, %d skipped", r.Entries, r.Pages, r.Taken, r.Skipped)
	if r.Says != nil {
		fmt.Printf("; the header says %d", *r.Says)
	}
	fmt.Println(".")
	for _, f := range r.Faults {
		where := fmt.Sprintf("page %d", f.Page)
		if f.Entry > 0 {
			where += fmt.Sprintf(", entry %d", f.Entry)
		}
		if f.ID != "" {
			where += " (" + f.ID + ")"
		}
		fmt.Printf("  %s: %s %s\n", where, orElse(f.Field, "it"), f.What)
	}
	if r.Taken == 0 {
		return
	}
	fmt.Printf("Drafts are in %s. A human reads each, and writes its conditions.\n", r.To)
	if len(r.ToPublish) > 0 {
		fmt.Println("Before they load as part of a set, with a last resort in it:")
		for _, line := range r.ToPublish {
			fmt.Println("  " + line)
		}
	}
}

// pager gets pages of a directory.
type pager struct {
	page   func(number int) ([]byte, error)
	faults []criteria.ImportFault
}

// openReferral reads a file, or a directory over HTTP.
func openReferral(ctx context.Context, from string, own importFlags, allow []netip.Prefix) (*pager, error) {
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		content, err := os.ReadFile(from)
		if err != nil {
			return nil, fmt.Errorf("reading the directory: %w", err)
		}
		return &pager{page: criteria.OnePage(content)}, nil
	}
	base, err := url.Parse(from)
	if err != nil {
		return nil, service.Usage{Err: fmt.Errorf("%q is not a web address: %w", from, err)}
	}
	f := fetcher{ctx: ctx, http: outward.NewClient(outward.Config{Allow: allow, Patience: time.Minute,
		Redirects: redirects, MostBytes: mostBytes})}
	p := &pager{}
	if strings.HasSuffix(base.Path, ".json") {
		p.page = func(number int) ([]byte, error) {
			if number > 1 {
				return nil, nil
			}
			return f.get(base)
		}
		return p, nil
	}
	if !strings.HasSuffix(strings.TrimSuffix(base.Path, "/"), "/services") {
		base = base.JoinPath("services")
	}
	p.page = func(number int) ([]byte, error) {
		at := *base
		query := at.Query()
		query.Set("page", strconv.Itoa(number))
		query.Set("per_page", strconv.Itoa(own.PerPage))
		at.RawQuery = query.Encode()
		content, err := f.get(&at)
		if err != nil || own.List {
			return content, err
		}
		return p.whole(f, base, number, content), nil
	}
	return p, nil
}

// mostBytes bounds one answer of a directory; redirects is how many are followed to it.
const (
	mostBytes = 64 << 20
	redirects = 3
)

type fetcher struct {
	ctx  context.Context
	http *http.Client
}

func (f fetcher) get(from *url.URL) ([]byte, error) {
	request, err := http.NewRequestWithContext(f.ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := f.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", from.Redacted(), response.Status)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", from.Redacted(), err)
	}
	return content, nil
}

// whole puts each service of a page in full in the place of its line in the list, which has few of its fields. Where
// that cannot be had, the line stays, and it is a fault.
func (p *pager) whole(f fetcher, base *url.URL, number int, content []byte) []byte {
	var header map[string]json.RawMessage
	if json.Unmarshal(content, &header) != nil {
		return content
	}
	for _, name := range []string{"contents", "content"} {
		var entries []json.RawMessage
		if json.Unmarshal(header[name], &entries) != nil {
			continue
		}
		for i, entry := range entries {
			var line struct {
				ID string `json:"id"`
			}
			if json.Unmarshal(entry, &line) != nil || line.ID == "" {
				continue // reported as what it is
			}
			full, err := f.get(base.JoinPath(url.PathEscape(line.ID)))
			var same struct {
				ID string `json:"id"`
			}
			if err == nil && (json.Unmarshal(full, &same) != nil || same.ID != line.ID) {
				err = errors.New("it answers with something else")
			}
			if err != nil {
				p.faults = append(p.faults, criteria.ImportFault{Page: number, Entry: i + 1, ID: line.ID,
					What: "could not be had in full, its line in the list was taken: " + err.Error()})
				continue
			}
			entries[i] = full
		}
		if again, err := json.Marshal(entries); err == nil {
			header[name] = again
		}
	}
	again, err := json.Marshal(header)
	if err != nil {
		return content
	}
	return again
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// writeDrafts writes a draft for each service, and notes what it lacks.
func writeDrafts(report *importReport, services []criteria.Service, from string, own importFlags) error {
	if len(services) == 0 {
		return nil
	}
	if err := os.MkdirAll(own.To, 0o755); err != nil {
		return fmt.Errorf("making the folder of drafts: %w", err)
	}
	lacks := map[string]int{}
	for _, s := range services {
		doc := s.Draft(own.Sector, own.Kind, provenanceOf(s, from))
		name := filepath.Join(own.To, strings.TrimLeft(notInNames.ReplaceAllString(s.ID, "-"), ".-")+".yaml")
		for n := 2; ; n++ {
			if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
				break
			}
			name = strings.TrimSuffix(name, ".yaml") + fmt.Sprintf("-%d.yaml", n)
		}
		if err := writeDraft(name, doc); err != nil {
			return err
		}
		report.Files, report.Taken = append(report.Files, name), report.Taken+1
		if doc.Sector == "" {
			lacks["sector (statutory or third-sector)"]++
		}
		if doc.Provenance.CheckedOn == "" {
			lacks["provenance.checkedOn and checkedBy: nobody is said to have assured it"]++
		}
	}
	for what, n := range lacks {
		report.ToPublish = append(report.ToPublish, fmt.Sprintf("%d lack %s", n, what))
	}
	return nil
}

func provenanceOf(s criteria.Service, from string) criteria.Provenance {
	p := criteria.Provenance{Source: "Open Referral UK data, " + filepath.Base(from)}
	if strings.HasPrefix(from, "http") {
		p.Source, p.Link = "Open Referral UK data, "+from, from
	}
	p.PublishedBy = "the publisher of these data"
	if s.Organization != nil {
		p.PublishedBy = s.Organization.Name
	}
	if s.AssuredDate != "" {
		p.CheckedOn, p.CheckedBy = s.AssuredDate, "the assurer these data name"
	}
	return p
}

// writeDraft writes a document as YAML, keeping each value as it was written, and reads it back: what comes out must be
// what went in.
func writeDraft(name string, doc criteria.Document) error {
	want, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("writing the draft of service %q: %w", doc.Service.ID, err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(want, &node); err != nil {
		return fmt.Errorf("writing the draft of service %q: %w", doc.Service.ID, err)
	}
	plain(&node)
	var text bytes.Buffer
	text.WriteString("# A draft from Open Referral UK data. It holds no condition beyond what the data say: write " +
		"them, with words, source and date.\n")
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(&node), encoder.Close()); err != nil {
		return fmt.Errorf("writing the draft of service %q: %w", doc.Service.ID, err)
	}
	var back, before any
	if err := errors.Join(yaml.Unmarshal(text.Bytes(), &back), yaml.Unmarshal(want, &before)); err != nil ||
		!reflect.DeepEqual(back, before) {
		return fmt.Errorf("writing the draft of service %q: it does not come back as it was (%w)", doc.Service.ID, err)
	}
	if err := os.WriteFile(name, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the draft of service %q: %w", doc.Service.ID, err)
	}
	return nil
}

// plain takes JSON's braces and quotes from a tree, where YAML does not need them.
func plain(node *yaml.Node) {
	node.Style &^= yaml.FlowStyle
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		node.Style = 0
		if strings.Contains(node.Value, "\n") {
			node.Style = yaml.DoubleQuotedStyle
		}
	}
	for _, child := range node.Content {
		plain(child)
	}
}

type lintFlags struct {
	On     string `env:"ON" placeholder:"DAY" help:"the local day to look at; empty: today"`
	Check  bool   `env:"CHECK_LINKS" help:"try every published link"`
	Report bool   `env:"REPORT" help:"with --check-links: report links that reach nobody to the running system, which opens a step for each"`
	Live   bool   `env:"LIVE" help:"include lines that were reported to the running system"`
	Strict bool   `env:"STRICT" help:"end with 1 where there is any finding"`
	JSON   bool   `env:"JSON" help:"print data"`
}

// lintDirectory looks the criteria over.
func lintDirectory(ctx context.Context, args []string) error {
	o, rest, err := load[lintFlags](args)
	if err != nil {
		return shown(err)
	}
	set, on, err := o.criteriaOn(o.Own.On, rest)
	if err != nil {
		return err
	}
	var dead []criteria.DeadLine
	if o.Own.Live {
		if dead, err = reportedLines(ctx, &o.Config); err != nil {
			return err
		}
	}
	found := criteria.Lint(set, on, dead)
	if o.Own.Check {
		allow, err := o.outwardAllow()
		if err != nil {
			return err
		}
		links := tryLinks(ctx, criteria.Links(set), allow)
		found = append(found, links...)
		if o.Own.Report {
			if err := reportLinks(ctx, &o.Config, links); err != nil {
				return err
			}
		}
	}
	if o.Own.JSON {
		err = printJSON(found)
	} else {
		err = printLint(found)
	}
	if err == nil && o.Own.Strict && len(found) > 0 {
		err = fmt.Errorf("%d findings", len(found))
	}
	return err
}

func printLint(found []criteria.LintFinding) error {
	if len(found) == 0 {
		fmt.Println("Nothing to look at.")
		return nil
	}
	return table(func(w io.Writer) {
		fmt.Fprintln(w, "SERVICE\tWHERE\tWHAT\tSTEP")
		for _, f := range found {
			step := ""
			if f.Step {
				step = "needs an owner"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Service, f.Where, f.What, step)
		}
	})
}

// reportedLines are those that people reported to the running system.
func reportedLines(ctx context.Context, cfg *Config) ([]criteria.DeadLine, error) {
	c, err := cfg.client(schemas.Operator)
	if err != nil {
		return nil, err
	}
	type listed struct {
		Service struct {
			ID string `json:"id"`
		} `json:"service"`
		DeadLines []struct {
			Line       string `json:"line"`
			ReportedOn string `json:"reportedOn"`
		} `json:"deadLines"`
	}
	services, err := all[listed](ctx, c, "/api/services", url.Values{})
	if err != nil {
		return nil, err
	}
	dead := []criteria.DeadLine{}
	for _, s := range services {
		for _, l := range s.DeadLines {
			dead = append(dead, criteria.DeadLine{Service: s.Service.ID, What: l.Line, On: l.ReportedOn})
		}
	}
	return dead, nil
}

// tryLinks tries each address once, eight at a time, and returns a finding for each place of those that answer nobody.
func tryLinks(ctx context.Context, links []criteria.Link, allow []netip.Prefix) []criteria.LintFinding {
	client := outward.NewClient(outward.Config{Allow: allow, Redirects: redirects})
	answers, places := map[string]string{}, make(chan struct{}, 8)
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, link := range links {
		mu.Lock()
		_, tried := answers[link.URL]
		answers[link.URL] = ""
		mu.Unlock()
		if tried {
			continue
		}
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			why := tryLink(ctx, client, link.URL)
			mu.Lock()
			answers[link.URL] = why
			mu.Unlock()
		})
	}
	wait.Wait()
	var found []criteria.LintFinding
	for _, link := range links {
		if why := answers[link.URL]; why != "" {
			found = append(found, criteria.LintFinding{Service: link.Service, Where: link.Where,
				What: link.URL + " reaches nobody: " + why, Step: true})
		}
	}
	return found
}

// tryLink says why an address does not answer, or "". One that wants us to sign in, or counts our requests, is there.
func tryLink(ctx context.Context, client *http.Client, link string) string {
	for _, method := range []string{http.MethodHead, http.MethodGet} { // some answer only the second
		request, err := http.NewRequestWithContext(ctx, method, link, nil)
		if err != nil {
			return "it is no web address"
		}
		response, err := client.Do(request)
		if err != nil {
			return reasonOf(err)
		}
		_ = response.Body.Close()
		switch status := response.StatusCode; {
		case status < 400, status == http.StatusUnauthorized, status == http.StatusForbidden,
			status == http.StatusTooManyRequests:
			return ""
		case method == http.MethodGet:
			return "it answers " + response.Status
		}
	}
	return ""
}

func reasonOf(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err.Error()
}

// reportLinks opens a step for each link that reaches nobody; one that was reported before opens none.
func reportLinks(ctx context.Context, cfg *Config, found []criteria.LintFinding) error {
	c, err := cfg.client(schemas.Operator)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, f := range found {
		line, _, _ := strings.Cut(f.What, " ")
		if seen[f.Service+" "+line] {
			continue
		}
		seen[f.Service+" "+line] = true
		body, err := json.Marshal(threshold.LineReport{Line: line})
		if err != nil {
			return err
		}
		if _, err := c.call(ctx, http.MethodPost, "/api/services/"+url.PathEscape(f.Service)+"/dead-line", body,
			"application/json", nil); err != nil {
			return fmt.Errorf("reporting %s of %s: %w", line, f.Service, err)
		}
	}
	return nil
}
