// Package operations decides what the operators' figures are: which there are, what each is called, from where on it
// is amiss, which alert and runbook belong to it, and what it counts. `footbridge status`, GET /api/operations and the
// page /operations show the same ones, from here.
//
// Each service answers for itself (Source): it reads its own database and its own durable when it is asked. Whoever
// shows the figures asks all of them at once (Gather) and waits two seconds at most. One that does not answer is shown
// as not answering, never as nothing waiting. Once a minute each service keeps how its figures stood, for the charts.
//
// Figures count and name by opaque ids. They say nothing about a person.
package operations

import (
	"fmt"
	"time"

	"footbridge/libs/flow"
)

// Severity is what a figure that is amiss asks for.
type Severity string

// The severities, as alerts and runbooks have them.
const (
	Page      Severity = "page"
	LookToday Severity = "look-today"
)

// Kind is one figure that there is.
type Kind struct {
	Name  string
	Words string
	// Unit is count, seconds, days, bytes, or yes: 1 where it is so.
	Unit string
	// By is the service that reads it; empty: each does.
	By string
	// Judged says that a value above Limit (below it, with Below) is amiss.
	Judged   bool
	Limit    float64
	Below    bool
	Severity Severity
	// Alert is the Prometheus rule of deploy/observability/alerts.yaml with the same limit; empty: there is none.
	Alert string
	// Runbook is a page of docs/runbooks; Link a page of the console that lists what is counted; Command what lists it
	// where no page does.
	Runbook, Link, Command string
	// Human figures are about work that people do: navigators see them too, of the organisations that they serve.
	Human bool
	// Summed says that the services' values are added up; else each service has a line of its own.
	Summed bool
	Chart  bool
}

// The names of figures.
const (
	WithoutStep       = "journeys-without-step"
	StepsLate         = "steps-late"
	HelpWaiting       = "help-waiting"
	HelpOverdue       = "help-overdue"
	ChannelDown       = "channel-down"
	MessagesWaiting   = "messages-waiting"
	FacilitiesOpen    = "facilities-unplaced"
	FeedsSilent       = "feeds-silent"
	DeadLetters       = "dead-letters"
	Parked            = "events-parked"
	EventsWaiting     = "events-waiting"
	UnprocessedAge    = "events-unprocessed-age"
	UnpublishedAge    = "events-unpublished-age"
	TooLarge          = "events-too-large"
	NotReady          = "not-ready"
	Unread            = "figures-unread"
	Unseen            = "service-unseen"
	RowsAside         = "rows-aside"
	SentinelAway      = "sentinel-away"
	SentinelBlind     = "sentinel-blind"
	VoidFound         = "void-found"
	EndpointsFailing  = "endpoints-failing"
	DeliveriesWaiting = "deliveries-waiting"
	MailStopped       = "mail-stopped"
	MailWaiting       = "mail-waiting"
	MailFailed        = "mail-failed"
	TextsWaiting      = "texts-waiting"
	TextsLate         = "texts-late"
	BrokerBehind      = "partners-unpublished-age"
	TimersLate        = "timers-late"
	TimersAhead       = "timers-ahead"
	DaysAhead         = "partitions-ahead"
	DatabaseBytes     = "database-bytes"
)

// kinds are all figures, in the order in which they are shown: who is without a next step comes first.
var kinds = []Kind{
	{Name: WithoutStep, By: "journey",
		Words: "Journeys without a next step in time", Unit: "count", Judged: true, Severity: Page,
		Alert: "FootbridgeVoid", Runbook: "void.md", Link: "/journeys", Human: true, Chart: true},
	{Name: StepsLate, By: "journey",
		Words: "Steps past their time", Unit: "count", Judged: true, Severity: LookToday,
		Runbook: "void.md", Link: "/steps?which=past", Human: true, Chart: true},
	{Name: HelpWaiting, By: "bridging",
		Words: "Requests for help that nobody on call has taken on", Unit: "count", Human: true,
		Runbook: "help.md", Link: "/steps"},
	{Name: HelpOverdue, By: "bridging",
		Words: "Help that should have been taken on, for", Unit: "seconds", Judged: true,
		Severity: Page, Alert: "FootbridgeHelpWaits", Runbook: "help.md", Link: "/steps", Human: true},
	{Name: ChannelDown, By: "bridging",
		Words: "Those on call and callers cannot be told, for", Unit: "seconds", Judged: true,
		Limit: 300, Severity: Page, Alert: "FootbridgeChannelDown", Runbook: "help.md",
		Command: "footbridge status"},
	{Name: MessagesWaiting, By: "intake",
		Words: "Messages quarantined for a human", Unit: "count", Judged: true,
		Severity: LookToday, Runbook: "quarantined-messages.md", Link: "/messages", Human: true, Chart: true},
	{Name: FacilitiesOpen, By: "intake",
		Words: "Facilities that belong to no agreed organisation", Unit: "count", Judged: true,
		Severity: LookToday, Runbook: "quarantined-messages.md", Command: "footbridge doctor", Human: true},
	{Name: FeedsSilent, By: "intake",
		Words: "Feeds that are silent beyond their rhythm", Unit: "count", Judged: true,
		Severity: Page, Runbook: "feed-silent.md", Link: "/messages", Human: true},
	{Name: DeadLetters, Words: "Dead letters", Unit: "count", Judged: true,
		Severity: Page, Alert: "FootbridgeDeadLetters", Runbook: "dead-letters.md", Link: "#dead-letters",
		Summed: true, Chart: true},
	{Name: NotReady, Words: "Does no work", Unit: "yes", Judged: true, Severity: Page,
		Alert: "FootbridgeServiceNotReady", Runbook: "broker.md", Link: "#services"},
	{Name: Unread, Words: "What waits cannot be read", Unit: "yes", Judged: true, Severity: Page,
		Alert: "FootbridgeFiguresOld", Runbook: "broker.md", Link: "#services"},
	{Name: Unseen, Words: "Does not answer", Unit: "yes", Judged: true, Severity: Page,
		Alert: "FootbridgeServiceUnseen", Runbook: "broker.md", Link: "#services"},
	{Name: UnprocessedAge, Words: "Oldest event before a service", Unit: "seconds", Judged: true,
		Limit: flow.StillFor.Seconds(), Severity: LookToday, Alert: "FootbridgeServiceFallsBehind",
		Runbook: "broker.md", Link: "#services", Chart: true},
	{Name: EventsWaiting, Words: "Events before a service", Unit: "count", Link: "#services", Chart: true},
	{Name: UnpublishedAge, Words: "Oldest event that has not reached the broker", Unit: "seconds", Judged: true,
		Limit: 30, Severity: Page, Alert: "FootbridgeEventsUnpublished", Runbook: "broker.md", Link: "#services"},
	{Name: TooLarge, Words: "Events that the broker does not take", Unit: "count", Judged: true, Severity: Page,
		Alert: "FootbridgeEventRefused", Runbook: "broker.md", Link: "#services", Summed: true},
	{Name: Parked, Words: "Parked events", Unit: "count", Judged: true, Severity: Page,
		Alert: "FootbridgeEventsParked", Runbook: "dead-letters.md", Link: "#services", Summed: true},
	{Name: RowsAside, Words: "Rows that fell due and could not be done", Unit: "count", Judged: true,
		Severity: Page, Alert: "FootbridgeRowsAside", Runbook: "rows-aside.md", Link: "#services", Summed: true},
	{Name: SentinelAway, By: "journey",
		Words: "Nobody watches for journeys that nobody holds, for", Unit: "seconds", Judged: true,
		Limit: 60, Severity: Page, Alert: "FootbridgeNobodyWatches", Runbook: "sentinel.md",
		Command: "footbridge doctor"},
	{Name: SentinelBlind, By: "journey",
		Words: "The sentinel last looked everywhere, before", Unit: "seconds", Judged: true,
		Limit: 3600, Severity: Page, Runbook: "sentinel.md", Command: "footbridge doctor"},
	{Name: VoidFound, By: "journey",
		Words: "What the sentinel found in the last day", Unit: "count", Judged: true,
		Severity: LookToday, Runbook: "void.md", Link: "/steps"},
	{Name: EndpointsFailing, By: "delivery",
		Words: "Partners' endpoints that fail or are off", Unit: "count", Judged: true,
		Severity: LookToday, Runbook: "partners-endpoints.md", Link: "#partners", Human: true},
	{Name: DeliveriesWaiting, By: "delivery",
		Words: "Deliveries that wait for partners' endpoints", Unit: "count",
		Link: "#partners", Human: true, Chart: true},
	{Name: MailStopped, By: "delivery",
		Words: "No mail can be sent, for", Unit: "seconds", Judged: true, Severity: Page,
		Runbook: "mail-stopped.md", Command: "footbridge doctor"},
	{Name: MailWaiting, By: "delivery",
		Words: "Mails that wait", Unit: "count", Link: "#partners", Chart: true},
	{Name: MailFailed, By: "delivery",
		Words: "Mails that did not arrive in the last week", Unit: "count", Judged: true,
		Severity: LookToday, Runbook: "mail-stopped.md", Link: "#partners"},
	{Name: TextsLate, By: "delivery",
		Words: "A text that was due has not gone, for", Unit: "seconds", Judged: true, Limit: 600,
		Severity: LookToday, Runbook: "texts.md", Command: "footbridge doctor"},
	{Name: TextsWaiting, By: "delivery",
		Words: "Texts that wait for their time, or to be taken", Unit: "count", Command: "footbridge doctor"},
	{Name: BrokerBehind, By: "delivery",
		Words: "An event for a partner has not reached the broker, for", Unit: "seconds", Judged: true,
		Limit: flow.StillFor.Seconds(), Severity: LookToday, Runbook: "broker.md", Command: "footbridge doctor"},
	{Name: TimersLate, By: "bridging",
		Words: "Calls, reminders and pages that are late by a minute", Unit: "count", Judged: true,
		Severity: LookToday, Runbook: "process-stood-still.md", Command: "footbridge timers"},
	{Name: TimersAhead, By: "bridging",
		Words: "Calls, reminders and pages of the next hour", Unit: "count",
		Command: "footbridge timers"},
	{Name: DaysAhead, Words: "Days for which partitions stand ready", Unit: "days", Judged: true, Limit: 2,
		Below: true, Severity: LookToday, Runbook: "process-stood-still.md", Link: "#services"},
	{Name: DatabaseBytes, Words: "Size of the database", Unit: "bytes", Link: "#services"},
}

// Kinds returns all figures, in the order in which they are shown.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// KindOf returns one by its name; it panics for a name that no figure has.
func KindOf(name string) Kind {
	for _, k := range kinds {
		if k.Name == name {
			return k
		}
	}
	panic(fmt.Sprintf("there is no figure %q", name))
}

// Amiss says whether a value asks for somebody.
func (k Kind) Amiss(value float64) bool {
	return k.Judged && (k.Below && value < k.Limit || !k.Below && value > k.Limit)
}

// Reading is what a service read of one figure.
type Reading struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Since is since when it is so: by when the oldest was due, since when the first fails. Of the sentinel, when it
	// looked last.
	Since *time.Time `json:"since,omitempty"`
	// Why says more, in words.
	Why string `json:"why,omitempty"`
	// Lines are what is counted, one by one, as far as that is told.
	Lines []Line `json:"lines,omitempty"`
}

// Line is one of what a figure counts.
type Line struct {
	// ID names it: a dead letter's event, a partner, a sender.
	ID string `json:"id"`
	// Journey is the opaque id of the journey that it concerns.
	Journey string `json:"journey,omitempty"`
	// What is its kind, as a code: an event's type, how an endpoint stands.
	What string `json:"what,omitempty"`
	// Service is whose dead letter it is, Organisation whose feed.
	Service      string     `json:"service,omitempty"`
	Organisation string     `json:"organisation,omitempty"`
	Count        int        `json:"count,omitempty"`
	Since        *time.Time `json:"since,omitempty"`
	// By is by when something is expected of it.
	By *time.Time `json:"by,omitempty"`
	// Why is the reason, as it was found.
	Why string `json:"why,omitempty"`
	// Amiss says that this one asks for somebody.
	Amiss bool `json:"amiss,omitempty"`
}

// SecondsSince is for how many seconds something has been so; 0 where it is not, or not yet.
func SecondsSince(at *time.Time, now time.Time) float64 {
	if at == nil || at.IsZero() {
		return 0
	}
	return max(0, now.Sub(*at).Seconds())
}
