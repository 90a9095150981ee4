package console

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"footbridge/schemas"
)

// What the pages show, decided from what the services answered. Time and zone come in as values.

// stepView is one next step.
type stepView struct {
	ID     string
	Words  string // what is to be done
	Owner  string
	Also   []string // owners who were added
	Due    string   // "Tuesday 3 March 2026, 5:00pm"
	Short  string   // the same for a table
	DueISO string
	Away   string // "in 5 hours"
	Late   bool
	First  string // the time first promised, where it is another
	Until  string // what ends it that is nobody's here to do
	TakeOn []takeOn
	// Ways lead to the forms that end it, the first the usual one.
	Ways []linkView
}

func viewStep(s step, now time.Time, zone *time.Location) stepView {
	v := stepView{ID: s.ID, Words: cmp.Or(s.Words, wordsFor(stepWords, s.Kind)), Until: s.Until,
		Owner: s.holder(s.Owner), Due: timeWords(s.DueAt, zone), Short: shortTime(s.DueAt, zone),
		DueISO: s.DueAt.In(zone).Format(time.RFC3339), Away: distance(now, s.DueAt), Late: now.After(s.DueAt)}
	for _, owner := range s.Also {
		v.Also = append(v.Also, s.holder(owner))
	}
	if !s.FirstDueAt.IsZero() && !s.FirstDueAt.Equal(s.DueAt) {
		v.First = timeWords(s.FirstDueAt, zone)
	}
	for _, owner := range s.TakeOn {
		v.TakeOn = append(v.TakeOn, takeOn{owner, lowerFirst(s.holder(owner))})
	}
	return v
}

// lineView is one journey of the list.
type lineView struct {
	ID, Code, Organisation string
	Unbegun                bool // it arrived without its beginning
	Next                   stepView
}

// byPromise puts journeys in the order of the time promised, and of nothing else.
func byPromise(lines []journeyLine, now time.Time, zone *time.Location) []lineView {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b journeyLine) int { return a.Next.DueAt.Compare(b.Next.DueAt) })
	views := make([]lineView, len(lines))
	for i, l := range lines {
		views[i] = lineView{ID: l.ID, Code: codeOf(l.ID), Organisation: l.Organisation, Unbegun: l.BeganAt == nil,
			Next: viewStep(l.Next, now, zone)}
	}
	return views
}

func countLate(lines []lineView) int {
	late := 0
	for _, l := range lines {
		if l.Next.Late {
			late++
		}
	}
	return late
}

// eventView is one line of a timeline.
type eventView struct{ Sentence, Detail, At, AtISO string }

// dayView is one local day of a timeline.
type dayView struct {
	Day    string
	Events []eventView
}

// latestFirst groups a timeline by local days, the latest first, as somebody reads who comes to it at night.
func latestFirst(timeline []event, zone *time.Location) []dayView {
	timeline = slices.Clone(timeline)
	slices.SortStableFunc(timeline, func(a, b event) int { return a.At.Compare(b.At) })
	var days []dayView
	for _, e := range slices.Backward(timeline) {
		at := e.At.In(zone)
		if day := at.Format("Monday 2 January 2006"); len(days) == 0 || days[len(days)-1].Day != day {
			days = append(days, dayView{Day: day})
		}
		today := &days[len(days)-1]
		today.Events = append(today.Events, eventView{Sentence: sentenceOf(e), Detail: detailsOf(e),
			At: at.Format("3:04pm"), AtISO: at.Format(time.RFC3339)})
	}
	return days
}

// decided says whether the services have been looked at for a journey, by its timeline.
func decided(timeline []event) bool {
	return slices.ContainsFunc(timeline, func(e event) bool { return e.Type == string(schemas.PathwayDecided) })
}

// eligibilityView is one service and why its door is as it is.
type eligibilityView struct {
	Name, Sector string
	Waiting      bool
	Missing      string // what would have to be known, in words
	Because      []reasonView
}

// reasonView is a criterion in its service's own words.
type reasonView struct{ Words, Source, Link, Checked string }

// eligibilityGroup is the services whose doors are alike.
type eligibilityGroup struct {
	Heading, About string
	Doors          []eligibilityView
}

var eligibilityWords = []struct {
	eligibility    schemas.Eligibility
	heading, about string
}{
	{schemas.Eligible, "Open now", "These services could offer support as things are."},
	{schemas.EligibleIf, "Open once we know more", "Not known is not a no. Asking the person may open these."},
	{schemas.TalkAbout, "To be talked about", "Only a conversation with the service can answer this. Ask them."},
	{schemas.NotEligible, "Not offering this at present", "These are the services’ own words, and where they are " +
		"published. A person can always ask them anyway."},
}

// groupByEligibility puts services under what their criteria say. A state that is not known here stands with those to
// be talked about: nothing is left out.
func groupByEligibility(doors []schemas.ServiceEligibility) []eligibilityGroup {
	var groups []eligibilityGroup
	for _, w := range eligibilityWords {
		group := eligibilityGroup{Heading: w.heading, About: w.about}
		for _, d := range doors {
			if stateOf(d.Eligibility) == w.eligibility {
				group.Doors = append(group.Doors, viewEligibility(d))
			}
		}
		if len(group.Doors) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

func stateOf(door schemas.Eligibility) schemas.Eligibility {
	for _, w := range eligibilityWords {
		if w.eligibility == door {
			return door
		}
	}
	return schemas.TalkAbout
}

func viewEligibility(d schemas.ServiceEligibility) eligibilityView {
	v := eligibilityView{Name: d.Name, Sector: sentenceCase(plain(d.Sector)), Waiting: d.Waiting}
	if len(d.Missing) > 0 {
		v.Missing = "We would need to know " + each(factWords, d.Missing) + "."
	}
	for _, c := range d.Because {
		v.Because = append(v.Because, viewReason(c))
	}
	return v
}

func viewReason(c schemas.CriterionResult) reasonView {
	reason := reasonView{Words: c.Words, Source: c.Source}
	if isLink(c.Source) {
		reason.Link = c.Source
	}
	if c.CheckedOn != "" {
		reason.Checked = dayWords(c.CheckedOn)
	}
	return reason
}

// gapView is what stands between the person and every statutory service, in the services' own words.
type gapView struct {
	Probable bool // one of the sentences is a condition that only a conversation can answer
	Sides    []sideView
	AskFirst string    // the services that the person is with already, in words
	Bridge   *stepView // who bridges it, and by when
}

type sideView struct {
	Name string
	reasonView
}

// viewGap shows the gap of a decision; nil where there is none.
func viewGap(d decision) *gapView {
	if d.Gap == nil {
		return nil
	}
	v := &gapView{Probable: d.Gap.Probable}
	for _, side := range d.Gap.Sides {
		v.Sides = append(v.Sides, sideView{side.Name, viewReason(side.CriterionResult)})
	}
	var names []string
	for _, id := range d.AskFirst {
		i := slices.IndexFunc(d.Items, func(door schemas.ServiceEligibility) bool { return door.Service == id })
		if i >= 0 && d.Items[i].Name != "" {
			id = d.Items[i].Name
		}
		names = append(names, id)
	}
	v.AskFirst = all(names)
	return v
}

func isLink(source string) bool {
	u, err := url.Parse(source)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// messageView is one line of the ledger.
type messageView struct {
	Received, ReceivedISO, Sender, ControlID, Type, Answer, Outcome, Reason string
	Journey, Code                                                           string
	// when somebody has to have read it, "" when nobody has to
	ReadBy string
	Late   bool // that time is over
	ID     string
}

func viewMessages(messages []message, now time.Time, zone *time.Location) []messageView {
	views := make([]messageView, len(messages))
	for i, m := range messages {
		views[i] = messageView{Received: shortTime(m.ReceivedAt, zone),
			ReceivedISO: m.ReceivedAt.In(zone).Format(time.RFC3339),
			Sender:      senderInWords(m.Sender), ControlID: m.ControlID, Type: cmp.Or(messageTypes[m.Type], m.Type),
			Answer: wordsFor(ackWords, m.Ack), Outcome: wordsFor(outcomeWords, m.Outcome),
			Reason: m.reason(), Journey: m.Journey, ID: m.ID}
		if m.Journey != "" {
			views[i].Code = codeOf(m.Journey)
		}
		if m.DueAt != nil && m.SettledAt == nil {
			views[i].ReadBy, views[i].Late = shortTime(*m.DueAt, zone), now.After(*m.DueAt)
		}
	}
	return views
}
