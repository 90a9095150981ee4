package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The ways in which a partner of the simulation is told. Whoever has none is rung by a navigator.
const (
	byTelephone = "telephone"
	byFeed      = "feed"    // its system asks for what is new
	byWebhook   = "webhook" // what is new is sent to its system, signed
	byStream    = "stream"  // its system listens to server-sent events
	byMail      = "mail"    // its workers are written to, and answer by the page behind the link
)

// inbox is what came to a partner's system by itself, since its workers last looked; each event once.
type inbox struct {
	mu    sync.Mutex
	came  []json.RawMessage
	ids   map[string][]byte // of all events that ever came, by id
	wrong []string          // what must not have come
}

// take takes an event in. One that comes again is the same, byte for byte.
func (b *inbox) take(event []byte) {
	var e struct{ ID string }
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := json.Unmarshal(event, &e); err != nil || e.ID == "" {
		b.wrong = append(b.wrong, "something came that is no event")
		return
	}
	if before, again := b.ids[e.ID]; again {
		if !bytes.Equal(before, event) {
			b.wrong = append(b.wrong, "an event came again and was another")
		}
		return
	}
	event = bytes.Clone(event)
	b.ids[e.ID] = event
	one, _ := json.Marshal(map[string]json.RawMessage{"event": event})
	b.came = append(b.came, one)
}

func (b *inbox) refuse(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, why)
}

// takesInbox has the partner's workers see what has come.
func (p *partner) takesInbox() {
	p.inbox.mu.Lock()
	defer p.inbox.mu.Unlock()
	for _, item := range p.inbox.came {
		p.log.write(line{At: p.now, Kind: "received", By: "partner:" + p.ID, About: string(p.Way), Data: item})
	}
	for _, wrong := range p.inbox.wrong {
		p.fault("partner "+p.ID+", by "+string(p.Way)+": "+wrong, "")
	}
	p.inbox.came, p.inbox.wrong = nil, nil
}

// begins has the partner's system begin to take what comes to it.
func (p *partner) begins(ctx context.Context) error {
	switch p.Way {
	case byWebhook:
		return p.subscribes(ctx)
	case byMail:
		return p.must(ctx, "notice", []byte(`{"by":"email","to":"desk@`+p.ID+`.example"}`))
	case byStream:
		listening, stop := context.WithCancel(ctx)
		var ended sync.WaitGroup
		ended.Go(func() { p.listens(listening) })
		p.shut = func() { stop(); ended.Wait() }
	}
	return nil
}

// listens follows the partner's stream, again from where it ended.
func (p *partner) listens(ctx context.Context) {
	for last := ""; ctx.Err() == nil; {
		err := p.cfg.System.Follow(ctx, p.who, "/api/stream", last, func(id string, event []byte) {
			last = id
			p.inbox.take(event)
		})
		if err != nil && ctx.Err() == nil && p.cfg.Breaker == nil {
			p.inbox.refuse("its stream was refused: " + err.Error())
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// subscribes opens an endpoint of the partner's, and has what is new sent there.
func (p *partner) subscribes(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening an endpoint: %w", err)
	}
	endpoint := &endpoint{inbox: &p.inbox}
	server := &http.Server{Handler: endpoint, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	p.shut = func() { _ = server.Close() }
	body, _ := json.Marshal(map[string]any{"url": "http://" + listener.Addr().String() + "/events"})
	answer, err := p.cfg.System.Ask(ctx, p.who, Request{Method: http.MethodPost, Path: "/api/subscriptions",
		Body: body})
	if err != nil {
		return err
	}
	var made struct{ Secret string }
	if !answer.ok() || json.Unmarshal(answer.Body, &made) != nil {
		return errors.New("subscribing: " + answer.problem())
	}
	signed, err := webhooks.NewWebhook(made.Secret)
	endpoint.mu.Lock()
	defer endpoint.mu.Unlock()
	endpoint.signed = signed
	return err
}

// endpoint is where a partner's system is sent to: it agrees to that, and takes what is signed with its secret.
type endpoint struct {
	inbox  *inbox
	mu     sync.Mutex
	signed *webhooks.Webhook
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		w.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
		return
	}
	e.mu.Lock()
	signed := e.signed
	e.mu.Unlock()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || signed == nil || signed.Verify(body, r.Header) != nil {
		e.inbox.refuse("what was sent is not signed with its secret")
		http.Error(w, "This is not signed with the secret of this subscription.", http.StatusUnauthorized)
		return
	}
	e.inbox.take(body)
	w.WriteHeader(http.StatusNoContent)
}

// complete sees that all that stands in the partner's log for longer than a day has come to it by its way.
func (p *partner) complete(ctx context.Context) error {
	if p.shut == nil {
		return nil
	}
	p.takesInbox()
	return p.feed(ctx, p.mustHave)
}

// mustHave sees that an item of the partner's feed that is older than a day has come to it.
func (p *partner) mustHave(item json.RawMessage) {
	var one struct {
		Event struct {
			ID   string
			Time time.Time
		}
	}
	if err := json.Unmarshal(item, &one); err != nil {
		p.fault("partner "+p.ID+": an item of its feed is no event", "")
		return
	}
	p.inbox.mu.Lock()
	_, came := p.inbox.ids[one.Event.ID]
	p.inbox.mu.Unlock()
	if !came && p.now.Sub(one.Event.Time) > 24*time.Hour {
		p.fault(fmt.Sprintf("partner %s: an event of %s has not come to it by %s", p.ID,
			one.Event.Time.Format(time.RFC3339), p.Way), "")
	}
}

// letter is a mail with a link to an offer that waits for an answer.
type letter struct {
	path string // of the page behind the link
	nth  int    // of the partner's
	came time.Time
}

// readsMail has the partner's workers read what has been mailed to them.
func (p *partner) readsMail(ctx context.Context) error {
	var box struct {
		Items []struct{ ID, Subject, Text string }
	}
	if err := p.read(ctx, p.who, "/api/outbox-mail", &box); err != nil {
		return err
	}
	slices.Reverse(box.Items) // the oldest first
	for _, m := range box.Items {
		if p.mailed[m.ID] {
			continue
		}
		p.mailed[m.ID] = true
		_, link, found := strings.Cut(m.Text, "/p/")
		if token := strings.Fields(link + " ."); found && strings.Contains(m.Text, "for your answer") {
			p.letters = append(p.letters, letter{"/p/" + token[0], len(p.mailed), p.now})
		}
	}
	return nil
}

// answersMail has workers open the links that they were sent, and say yes or no there, without an account.
func (p *partner) answersMail(ctx context.Context) (done int, err error) {
	if err := p.readsMail(ctx); err != nil {
		return 0, err
	}
	waiting := p.letters
	p.letters = nil
	for _, l := range waiting {
		luck := p.world.luck("answers by mail", p.ID, l.nth)
		switch {
		case luck >= p.Accepts+p.Declines: // nobody looks
			continue
		case p.now.Before(l.came.Add(time.Duration(luck%10) * time.Hour)):
			p.letters = append(p.letters, l)
			continue
		}
		say := "accept"
		if luck >= p.Accepts {
			say = "full"
		}
		did, err := p.presses(ctx, l.path, say)
		if err != nil {
			return done, err
		}
		if did {
			done++
		}
	}
	return done, nil
}

// hidden finds a field of a form that nobody sees.
var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// presses opens the page behind a link, and presses a button there and the one that it asks for.
func (p *partner) presses(ctx context.Context, path, say string) (bool, error) {
	page, err := p.cfg.System.Ask(ctx, Who{}, Request{Method: http.MethodGet, Path: path + "?say=" + say})
	if err != nil || page.Status == http.StatusNotFound { // the offer is over
		return false, err
	}
	form := url.Values{}
	for _, field := range hidden.FindAllSubmatch(page.Body, -1) {
		form.Set(string(field[1]), html.UnescapeString(string(field[2])))
	}
	said := say
	if say == "full" {
		form.Set("code", "no-place")
		said = "decline"
	}
	answer, err := p.cfg.System.Ask(ctx, Who{}, Request{Method: http.MethodPost, Path: path,
		Body: []byte(form.Encode()), ContentType: "application/x-www-form-urlencoded"})
	if err != nil {
		return false, err
	}
	p.log.write(line{At: p.now, Kind: "request", By: "partner:" + p.ID, About: "link", Method: http.MethodPost,
		Path: "/p/" + said, Status: answer.Status, Data: map[string]string{"say": say}})
	p.report.Requests++
	if answer.Status != http.StatusSeeOther {
		p.refused("partner:"+p.ID, "link "+say, fmt.Sprintf("%d, of a page of %d", answer.Status, page.Status))
	}
	return answer.Status == http.StatusSeeOther, nil
}
