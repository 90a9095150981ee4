package console

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"footbridge/libs/operations"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// operationsView is how it stands, as it is shown.
type operationsView struct {
	Shown, News  string
	Lede         string
	Calm         bool // nothing asks for anybody
	Alerts, Well []alertView
	Figures      []figureView
	Services     []serviceView
	Letters      []letterView
	MayRedrive   bool
	All          bool // every figure is shown, not only those about work that people do
	Endpoints    []endpointView
	Mails        []endpointView
	Feeds        []feedView
	Charts       []chartView
}

type alertView struct {
	Words, Services, Runbook, Tag, Colour string
}

type figureView struct {
	Words, Value, Since, Why, Link, Command, Tag, Colour string
}

// serviceView is how one service stands.
type serviceView struct {
	Service, Tag, Colour, Why          string
	Waiting, Oldest, Unpublished, Days string
	Size                               string
}

type letterView struct {
	ID, Service, Words, Journey, Code, Since, Why string
}

type endpointView struct {
	Partner, Link, State, Since, Why, Colour string
	Count                                    int
}

type feedView struct {
	Sender, Organisation, Last, By, Tag, Colour string
}

// viewOperations words a report.
func (s *Console) viewOperations(p principal.Principal, r operations.Report) operationsView {
	v := operationsView{Shown: r.At.In(s.zone).Format("3:04pm"), News: schemas.OperationsNews,
		All: p.Role == string(schemas.Operator), MayRedrive: opens("POST", operationsPath, p.Role)}
	v.viewAlerts(r)
	for _, f := range r.Figures {
		if k := operations.KindOf(f.Name); k.Link != "#services" || k.Summed { // the others stand with their service
			v.Figures = append(v.Figures, viewFigure(f, p, s.zone))
		}
	}
	if v.All {
		v.Services = viewStandings(r)
	}
	s.viewLines(&v, p, r)
	v.Charts = s.viewCharts(r)
	return v
}

func (v *operationsView) viewAlerts(r operations.Report) {
	pages, unknown := 0, 0
	for _, a := range r.Alerts {
		one := alertView{Words: a.Words, Services: strings.Join(a.Services, ", "), Runbook: runbookWords(a.Runbook)}
		switch {
		case a.Active && a.Severity == operations.Page:
			one.Tag, one.Colour = "At once", "red"
			pages++
		case a.Active:
			one.Tag, one.Colour = "Today", "orange"
		case a.Unknown:
			one.Tag, one.Colour = "Not known", "grey"
			unknown++
		default:
			one.Tag, one.Colour = "Well", "green"
			v.Well = append(v.Well, one)
			continue
		}
		v.Alerts = append(v.Alerts, one)
	}
	v.Calm = len(v.Alerts) == 0
	switch {
	case pages > 0:
		v.Lede = fmt.Sprintf("%s at once.", needs(pages))
	case len(v.Alerts) > unknown:
		v.Lede = fmt.Sprintf("%s today.", needs(len(v.Alerts)-unknown))
	case unknown > 0:
		v.Lede = "Some figures could not be read, so that it is not known whether all is well."
	default:
		v.Lede = "Nothing asks for anybody."
	}
}

// runbookWords name a runbook without a word that is ours alone.
func runbookWords(name string) string {
	if name == "void.md" {
		return "README.md, the first line"
	}
	return name
}

func needs(n int) string {
	if n == 1 {
		return "1 thing needs somebody"
	}
	return fmt.Sprintf("%d things need somebody", n)
}

func viewFigure(f operations.Figure, p principal.Principal, zone *time.Location) figureView {
	v := figureView{Words: f.Words, Value: amount(f.Unit, f.Value), Why: f.Why, Link: f.Link, Command: f.Command}
	if path, _, _ := strings.Cut(f.Link, "?"); !strings.HasPrefix(path, "#") && !opens("GET", path, p.Role) {
		v.Link = ""
	}
	if f.Since != nil {
		v.Since = shortTime(*f.Since, zone)
	}
	switch {
	case f.Unknown:
		v.Value, v.Tag, v.Colour = "not known", "Not known", "grey"
	case f.Amiss && f.Severity == operations.Page:
		v.Tag, v.Colour = "At once", "red"
	case f.Amiss:
		v.Tag, v.Colour = "Today", "orange"
	}
	if f.Partial && !f.Unknown {
		v.Value += ", and not all could be read"
	}
	return v
}

// amount is a value in words: "3", "none", "2 hours".
func amount(unit string, value float64) string {
	switch unit {
	case "seconds":
		return span(value)
	case "bytes":
		return fmt.Sprintf("%.0f MB", value/(1<<20))
	case "yes":
		if value > 0 {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprintf("%.0f", value)
}

// span is a duration in its largest unit.
func span(seconds float64) string {
	switch {
	case seconds < 1:
		return "0 seconds"
	case seconds < 120:
		return fmt.Sprintf("%.0f seconds", seconds)
	case seconds < 2*3600:
		return fmt.Sprintf("%.0f minutes", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%.0f hours", seconds/3600)
	}
	return fmt.Sprintf("%.0f days", seconds/86400)
}

func viewStandings(r operations.Report) (all []serviceView) {
	value := func(name, service string) string {
		for _, f := range r.Of(name) {
			switch {
			case f.Service != service:
			case f.Unknown:
				return "not known"
			default:
				return amount(f.Unit, f.Value)
			}
		}
		return "not known"
	}
	for _, one := range r.Services {
		v := serviceView{Service: one.Service, Why: one.Why, Tag: "Works", Colour: "green",
			Waiting:     value(operations.EventsWaiting, one.Service),
			Oldest:      value(operations.UnprocessedAge, one.Service),
			Unpublished: value(operations.UnpublishedAge, one.Service),
			Days:        value(operations.DaysAhead, one.Service), Size: value(operations.DatabaseBytes, one.Service)}
		switch {
		case !one.Answered:
			v.Tag, v.Colour = "Does not answer", "red"
		case !one.Ready:
			v.Tag, v.Colour = "Does no work", "red"
		case one.Why != "":
			v.Tag, v.Colour = "Figures missing", "orange"
		}
		all = append(all, v)
	}
	return all
}

// viewLines shows what figures count, one by one.
func (s *Console) viewLines(v *operationsView, p principal.Principal, r operations.Report) {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return shortTime(*t, s.zone)
	}
	for _, f := range r.Figures {
		for _, line := range f.Lines {
			switch f.Name {
			case operations.DeadLetters:
				v.Letters = append(v.Letters, letterView{ID: line.ID, Service: line.Service,
					Words: eventWords(line.What), Journey: line.Journey, Code: codeOf(line.Journey),
					Since: at(line.Since), Why: line.Why})
			case operations.EndpointsFailing:
				one := s.viewEndpoint(line, p, endpointWords)
				one.Since = at(line.Since)
				v.Endpoints = append(v.Endpoints, one)
			case operations.MailFailed:
				one := s.viewEndpoint(line, p, mailWords)
				one.Since = at(line.Since)
				v.Mails = append(v.Mails, one)
			case operations.FeedsSilent:
				one := feedView{Sender: line.ID, Organisation: line.Organisation, Last: at(line.Since),
					By: cmp.Or(at(line.By), "no rhythm is known yet"), Tag: "In its rhythm", Colour: "green"}
				if line.Amiss {
					one.Tag, one.Colour = "Silent", "red"
				}
				v.Feeds = append(v.Feeds, one)
			}
		}
	}
}

// endpointWords say how a partner's endpoint stands, mailWords what became of mails.
var (
	endpointWords = map[string]string{"pending": "Has not answered our first question yet",
		"active": "Gets what comes", "paused": "Paused by the partner", "off": "Off: nothing is sent to it"}
	mailWords = map[string]string{"refused": "Not taken", "returned": "Came back", "given-up": "Given up"}
)

func (s *Console) viewEndpoint(line operations.Line, p principal.Principal, words map[string]string) endpointView {
	v := endpointView{State: wordsFor(words, line.What), Count: line.Count, Why: plain(line.Why),
		Partner: cmp.Or(s.partnerName(line.ID),
			"Partner "+codeOf(line.ID)), Colour: "green"}
	if opens("GET", "/partners/{id}", p.Role) {
		v.Link = "/partners/" + line.ID
	}
	if line.Amiss {
		v.Colour = "red"
		if line.What == "active" {
			v.State = "Fails"
		}
	}
	return v
}

// eventWords say what an event is, for whoever keeps the system running.
func eventWords(code string) string {
	if e, known := schemas.Lookup(schemas.Type(code)); known {
		return e.Meaning
	}
	return "A message of a kind that is not known here: " + code
}
