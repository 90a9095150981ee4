package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What the other services answer, as far as it is shown. Members that are not named here are ignored.

type journeyLine struct {
	ID           string     `json:"journey"`
	Organisation string     `json:"organisation"`
	State        string     `json:"state"`
	BeganAt      *time.Time `json:"beganAt"` // nil: it arrived without its beginning
	Next         step       `json:"next"`
}

type step struct {
	ID         string    `json:"step"`
	Kind       string    `json:"kind"`
	Owner      string    `json:"owner"`
	Also       []string  `json:"alsoOwners"`
	DueAt      time.Time `json:"dueAt"`
	FirstDueAt time.Time `json:"firstDueAt"`
	Words      string    `json:"words"`
	// Actions are the requests by which it ends that are open to the caller; Until is what ends it beside them.
	Actions []schemas.Action `json:"actions"`
	Until   string           `json:"until"`
	// TakeOn are the owners as whom the caller may take it on.
	TakeOn []string `json:"takeOn"`
	State  string   `json:"state"`
	// Service is the id of the one that it is about, if any; its name is put into Words.
	Service string            `json:"service"`
	names   map[string]string // of services that stand in it, by their ids
	// Of a step that is not listed with its journey: whose it is. One may be about no journey.
	Journey      string `json:"journey"`
	Organisation string `json:"organisation"`
}

// stepList is a list of steps; ReadAt is given back to hear what has come to it since.
type stepList struct {
	httpx.List[step]
	ReadAt string `json:"readAt"`
}

type journey struct {
	journeyLine
	Steps    []step    `json:"steps"`
	Timeline []event   `json:"timeline"`
	OnHold   *held     `json:"held"`
	Closed   *closedAs `json:"closed"`
	careOf
	// Actions are what the caller may record of it as a whole.
	Actions []schemas.Action `json:"actions"`
}

type event struct {
	ID       string          `json:"event"`
	Type     string          `json:"type"`
	At       time.Time       `json:"at"`
	Sentence string          `json:"sentence"`
	Details  json.RawMessage `json:"details"`
}

type message struct {
	ID         string     `json:"id"`
	ReceivedAt time.Time  `json:"receivedAt"`
	Sender     string     `json:"sender"`
	ControlID  string     `json:"controlId"`
	Type       string     `json:"type"`
	Ack        string     `json:"ack"`
	Outcome    string     `json:"outcome"`
	Reason     string     `json:"reason"`
	Words      string     `json:"words"` // the reason, as intake words it
	Journey    string     `json:"journey"`
	DueAt      *time.Time `json:"dueAt"`     // by when a person has to have looked at it
	SettledAt  *time.Time `json:"settledAt"` // when one had
	// Of one message: what it says, whether it is known whom it is about, and whom, for a stated reason.
	Can   []remedy     `json:"can"` // what may be done about it
	Says  *messageSays `json:"says"`
	Named bool         `json:"named"`
	Who   *messageWho  `json:"who"`
}

// remedy is "release" or "dismiss", with what a release may bring.
type remedy struct {
	Do    string   `json:"do"`
	With  []string `json:"with"`
	Needs bool     `json:"needs"`
	Words string   `json:"words"`
}

type messageSays struct {
	Visit     string        `json:"visit"`
	ArrivedAt *time.Time    `json:"arrivedAt"`
	LeftAt    *time.Time    `json:"leftAt"`
	Facts     schemas.Facts `json:"facts"`
}

type messageWho struct {
	FamilyName string `json:"familyName"`
	GivenName  string `json:"givenName"`
	BirthDate  string `json:"birthDate"`
	LocalID    string `json:"localId"`
	NHSNumber  string `json:"nhsNumber"`
	Verified   bool   `json:"nhsNumberVerified"`
}

// reason is why, in words: intake has them, beside the codes.
func (m message) reason() string {
	if m.Words != "" {
		return m.Words
	}
	return sentenceCase(plain(m.Reason))
}

// client asks the other services as the principal who is asking the console: what the gateway asserted to the console
// is passed on, and the console's own key says only to whom.
type client struct {
	backends map[string]http.Handler
	signer   *principal.Signer
	clock    clock.Clock
	kept     keptNames
}

func (c *client) journeys(ctx context.Context, p principal.Principal, cursor string) (httpx.List[journeyLine], error) {
	var list httpx.List[journeyLine]
	err := c.get(ctx, p, schemas.Journey, "/api/journeys"+query("cursor", cursor), &list)
	for i := range list.Items {
		c.name(ctx, p, &list.Items[i].Next)
	}
	return list, err
}

func (c *client) journey(ctx context.Context, p principal.Principal, id, reason string) (journey, error) {
	var j journey
	err := c.call(ctx, p, schemas.Journey, http.MethodGet, "/api/journeys/"+url.PathEscape(id), "", nil, &j,
		header{schemas.ReasonHeader, reason})
	c.name(ctx, p, &j.Next)
	for i := range j.Steps {
		c.name(ctx, p, &j.Steps[i])
	}
	return j, err
}

// decision is what was decided last about a journey: what each service's criteria said, with the reasons, and where
// nothing statutory is open the sentences between which the person falls.
type decision struct {
	Items []schemas.ServiceEligibility `json:"items"`
	Gap   *struct {
		Probable bool `json:"probable"`
		Sides    []struct {
			Name string `json:"name"`
			schemas.CriterionResult
		} `json:"sides"`
	} `json:"gap"`
	AskFirst []string `json:"askFirst"` // ids of the services that the person is with already
	Tried    []tried  `json:"tried"`
}

// tried is what a service answered on this journey.
type tried struct {
	Service string `json:"service"`
	On      string `json:"on"`
	Said    string `json:"said"`
	Words   string `json:"words"`
}

// decision is read for a reason by whoever treats the person now; others give none.
func (c *client) decision(ctx context.Context, p principal.Principal, id, reason string) (d decision, err error) {
	err = c.call(ctx, p, schemas.Threshold, http.MethodGet, "/api/journeys/"+url.PathEscape(id)+"/doors", "", nil, &d,
		header{schemas.ReasonHeader, reason})
	return d, err
}

// messageFilter narrows a list of messages; from and to are local days.
type messageFilter struct{ Outcome, Sender, From, To string }

func (f messageFilter) query(more ...string) string {
	return query(append([]string{"outcome", f.Outcome, "sender", f.Sender, "from", f.From, "to", f.To}, more...)...)
}

func (c *client) messages(ctx context.Context, p principal.Principal, filter messageFilter,
	cursor string) (httpx.List[message], error) {
	var list httpx.List[message]
	err := c.get(ctx, p, schemas.Intake, "/api/messages"+filter.query("cursor", cursor), &list)
	return list, err
}

// messageTaken is a message taken apart, as intake shows it.
type messageTaken struct {
	Profile  string `json:"profile"`
	Format   string `json:"format"`
	Segments []struct {
		Name   string         `json:"name"`
		Fields []messageField `json:"fields"`
	} `json:"segments"`
	Lines     []profileLine `json:"lines"`
	Profiles  []string      `json:"profiles"`
	SameVisit []message     `json:"sameVisit"`
	Events    []struct {
		Type string    `json:"type"`
		At   time.Time `json:"at"`
	} `json:"events"`
	ReadAgain bool `json:"readAgain"`
}

type messageField struct {
	At     string `json:"at"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden"`
}

// profileLine is a line of a profile that said something of a message.
type profileLine struct {
	At    string `json:"at"`
	Key   string `json:"key"`
	Entry string `json:"entry"`
	File  string `json:"file"`
	Line  int    `json:"line"`
}

// messageTried is what another profile would make of a message.
type messageTried struct {
	Profile string        `json:"profile"`
	Outcome string        `json:"outcome"`
	Reason  string        `json:"reason"`
	Words   string        `json:"words"`
	Before  int           `json:"before"`
	Lines   []profileLine `json:"lines"`
}

func (c *client) taken(ctx context.Context, p principal.Principal, id string) (taken messageTaken, err error) {
	err = c.get(ctx, p, schemas.Intake, "/api/messages/"+url.PathEscape(id)+"/content", &taken)
	return taken, err
}

// try reads a message by another profile; nothing is written.
func (c *client) try(ctx context.Context, p principal.Principal, id, profile string) (tried messageTried, err error) {
	err = c.call(ctx, p, schemas.Intake, http.MethodPost, "/api/messages/"+url.PathEscape(id)+"/dry-run", "",
		map[string]string{"profile": profile}, &tried)
	return tried, err
}

// messagesOfVisit are those of the visits of one number, the oldest first.
func (c *client) messagesOfVisit(ctx context.Context, p principal.Principal, visit, key string) ([]message, error) {
	var list httpx.List[message]
	err := c.call(ctx, p, schemas.Intake, http.MethodPost, "/api/messages/search", key,
		map[string]string{"visit": visit}, &list)
	return list.Items, err
}

// waiting are the messages that wait for somebody, by the time promised.
func (c *client) waiting(ctx context.Context, p principal.Principal, cursor string) (httpx.List[message], error) {
	var list httpx.List[message]
	err := c.get(ctx, p, schemas.Intake, "/api/messages"+query("waiting", "true", "cursor", cursor), &list)
	return list, err
}

// message is one message; reason, where it is given, is why somebody looks at whom it is about.
func (c *client) message(ctx context.Context, p principal.Principal, id, reason string) (message, error) {
	var m message
	err := c.call(ctx, p, schemas.Intake, http.MethodGet, "/api/messages/"+url.PathEscape(id), "", nil, &m,
		header{"Access-Reason", reason})
	return m, err
}

// decide does "release" or "dismiss" with a message.
func (c *client) decide(ctx context.Context, p principal.Principal, id, decision, key string, body any) error {
	return c.call(ctx, p, schemas.Intake, http.MethodPost, "/api/messages/"+url.PathEscape(id)+"/"+decision, key, body,
		nil)
}

// act sends the request of an action, and reads what is answered into answer, where that is not nil.
func (c *client) act(ctx context.Context, p principal.Principal, action schemas.Action, key string, body []byte,
	answer any) error {
	return c.call(ctx, p, serviceOf(action.Method, action.Path), action.Method, action.Path, key, json.RawMessage(body),
		answer)
}

// steps are open steps by the time promised, of a whole organisation or as the parameters narrow them.
func (c *client) steps(ctx context.Context, p principal.Principal, asked ...string) (list stepList, err error) {
	err = c.get(ctx, p, schemas.Journey, "/api/steps"+query(asked...), &list)
	for i := range list.Items {
		c.name(ctx, p, &list.Items[i])
	}
	return list, err
}

func (c *client) step(ctx context.Context, p principal.Principal, id string) (s step, err error) {
	err = c.get(ctx, p, schemas.Journey, "/api/steps/"+url.PathEscape(id), &s)
	c.name(ctx, p, &s)
	return s, err
}

// changeStep does something with a step: "acknowledge". key makes a second press of the button harmless.
func (c *client) changeStep(ctx context.Context, p principal.Principal, id, change, key string, body any) error {
	return c.call(ctx, p, schemas.Journey, http.MethodPost, "/api/steps/"+url.PathEscape(id)+"/"+change, key, body, nil)
}

// refer asks for support for somebody. key makes a form that is sent twice one request.
func (c *client) refer(ctx context.Context, p principal.Principal, key string, asked referral) (referred, error) {
	var answer referred
	err := c.call(ctx, p, schemas.Intake, http.MethodPost, "/api/referrals", key, asked, &answer)
	return answer, err
}

func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func (c *client) get(ctx context.Context, p principal.Principal, service, path string, into any) error {
	return c.call(ctx, p, service, http.MethodGet, path, "", nil, into)
}

// header is a further header of a request; an empty one is not sent.
type header struct{ name, value string }

// call sends one request and reads its answer into into. A refusal is returned as the *httpx.Problem that it is.
func (c *client) call(ctx context.Context, p principal.Principal, service, method, path, key string, body, into any,
	more ...header) error {
	request, err := c.request(ctx, p, service, method, path, key, body)
	if err != nil {
		return fmt.Errorf("asking %s: %w", service, err)
	}
	for _, h := range more {
		if h.value != "" {
			request.Header.Set(h.name, h.value)
		}
	}
	backend := c.backends[service]
	if backend == nil {
		return httpx.NewProblem(http.StatusServiceUnavailable, "The part that answers this, %s, does not run here at "+
			"present.", service)
	}
	reply, err := httpx.Ask(backend, request)
	if err != nil {
		return httpx.NewProblem(http.StatusBadGateway, "The part that answers this, %s, broke off.",
			service).Because(err)
	}
	switch {
	case reply.Status >= 400:
		return refusal(reply)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(reply.Body.Bytes(), into); err != nil {
		// the text may hold anything
		return fmt.Errorf("reading what %s answered: it is not in the form agreed", service)
	}
	return nil
}

func refusal(reply *httpx.Reply) error {
	p := &httpx.Problem{}
	if err := json.Unmarshal(reply.Body.Bytes(), p); err != nil || p.Status == 0 {
		p = &httpx.Problem{}
	}
	p.Status, p.Extensions = reply.Status, nil
	return p
}

func (c *client) request(ctx context.Context, p principal.Principal, service, method, path, key string,
	body any) (*http.Request, error) {
	content := io.Reader(http.NoBody)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+service+path, content)
	if err != nil {
		return nil, err
	}
	if !p.Valid() {
		return nil, principal.ErrNone
	}
	signed, err := c.signer.Forward(principal.Carried(ctx), service, c.clock.Now())
	if err != nil {
		return nil, err
	}
	request.Header.Set(principal.Header, signed)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("X-Request-Id", httpx.RequestID(ctx))
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	return request, nil
}
