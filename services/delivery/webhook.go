package delivery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/outward"
	"footbridge/schemas"
)

// Webhooks: a structured CloudEvent as the body, the headers of Standard Webhooks, signed anew with each attempt under
// the same id. An attempt is a committed row before it leaves; what came of it is recorded in batches. Endpoints that
// failed or were slow last time share slots of their own, so that nobody else waits for them.

// The shares of one process: how many requests are under way at once, and to how many events at a time one endpoint
// may have them.
const (
	soundSlots, soundWidth = 96, 12
	shakySlots, shakyWidth = 32, 1
	leaseFor               = time.Minute
	slowFrom               = 2 * time.Second
	mostWaiting            = 2000 // events of one endpoint that are taken out of the log ahead of being sent
	giveUpAfter            = 72 * time.Hour
	// an endpoint that gave up an event and from which nothing came through for so long is off
	silentFor      = 48 * time.Hour
	mostRest       = time.Minute
	mostRetryAfter = 24 * time.Hour
	readOfAnswer   = 4 << 10
)

// ladder is after which time an event is tried again, by how often it has been tried; the last for all that follow.
var ladder = []time.Duration{0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 12 * time.Hour}

// Outcomes of an attempt, as the partner reads them.
const (
	cameThrough    = "delivered"
	outOfReach     = "not-reached" // nothing was answered in time
	notAllowed     = "not-allowed" // the address leads inside a network that nothing is sent to
	notSigned      = "not-signed"  // what it is signed with cannot be read here: nothing was sent
	redirected     = "redirected"  // redirects are not followed
	tooMany        = "later"       // 429, or 503 with Retry-After
	goneForGood    = "gone"        // 410
	refusedIt      = "refused"     // any other answer
	silentTooLong  = "silent"      // nothing came through for three days
	stateWaiting   = "waiting"
	stateDelivered = "delivered"
	stateGivenUp   = "given-up"
)

// outcomeOf reads an answer.
func outcomeOf(status int, err error) string {
	switch {
	case errors.Is(err, outward.ErrInside):
		return notAllowed
	case err != nil:
		return outOfReach
	case status >= 200 && status < 300:
		return cameThrough
	case status >= 300 && status < 400:
		return redirected
	case status == http.StatusGone:
		return goneForGood
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return tooMany
	}
	return refusedIt
}

// resultOf decides what follows from an attempt: jitter is between 0 and 1.
func resultOf(p parcel, status int, outcome string, after time.Duration, took time.Duration, now time.Time,
	jitter float64) result {
	r := result{parcel: p, Status: status, Outcome: outcome, Slow: took >= slowFrom, State: stateWaiting}
	switch outcome {
	case cameThrough:
		r.State = stateDelivered
		return r
	case goneForGood:
		r.Off = goneForGood
	}
	wait := ladder[min(p.Number, len(ladder)-1)]
	wait += time.Duration(float64(wait) * jitter / 5) // up to a fifth more, so that not all come at once
	if outcome == tooMany {
		wait = max(wait, min(after, mostRetryAfter))
		r.Rest = now.Add(min(max(after, time.Second), mostRetryAfter))
	} else if p.Failures >= 2 {
		r.Rest = now.Add(min(time.Second<<min(p.Failures-2, 6), mostRest))
	}
	r.DueAt = now.Add(wait)
	if r.DueAt.After(p.First.Add(giveUpAfter)) {
		r.State = stateGivenUp
	}
	return r
}

// retryAfter reads the header: seconds or a date; nonsense and what is past is nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
		return time.Duration(min(max(seconds, 0), int(mostRetryAfter.Seconds()))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// sign signs a body as Standard Webhooks has it: with each secret, the one that is given up last.
func sign(id string, at time.Time, body []byte, secrets ...[]byte) string {
	var all []string
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue
		}
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}

// sender sends parcels, and records what came of them.
type sender struct {
	client *http.Client
	sound  atomic.Int32
	shaky  atomic.Int32
	done   chan result
	life   context.Context

	mu     sync.Mutex
	closed bool
	flying sync.WaitGroup
}

// begin runs something that ends before the sender does; a closed one begins nothing any more.
func (o *sender) begin(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.flying.Go(do)
	}
}

// close ends what is under way, and begins nothing more.
func (o *sender) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.flying.Wait()
	close(o.done)
}

// take notes that an endpoint has taken what its partner's log holds.
func (s *Service) take(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	var ids []string
	behind(tx, limit, func(id string) { ids = append(ids, id) })
	if err := tx.Flush(); err != nil || len(ids) == 0 {
		return 0, err
	}
	takeOut(tx, ids, takeAtOnce, tx.Now)
	tx.AfterCommit(func() { s.wake("webhooks") })
	return len(ids), nil
}

// takeAtOnce is how many events an endpoint takes out of the log in a transaction.
const takeAtOnce = 200

// dispatch claims what is to be sent now, and sends it once the attempts are written down.
func (s *Service) dispatch(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	if s.sending.Load() == nil {
		return 0, nil
	}
	out := s.sending.Load()
	var parcels []parcel
	for _, share := range []struct {
		shaky        bool
		slots, width int
		flying       *atomic.Int32
	}{{false, soundSlots, soundWidth, &out.sound}, {true, shakySlots, shakyWidth, &out.shaky}} {
		if free := min(limit, share.slots-int(share.flying.Load())); free > 0 {
			claim(tx, share.shaky, share.width, free, tx.Now, tx.Now.Add(leaseFor), func(p parcel) {
				p.Attempt, p.Lease = clock.NewOrderedID(tx.Now, len(parcels)), tx.Now.Add(leaseFor)
				s.openSecrets(&p)
				parcels = append(parcels, p)
			})
		}
	}
	if err := tx.Flush(); err != nil || len(parcels) == 0 {
		return 0, err
	}
	noteAttempts(tx, parcels, tx.Now)
	tx.AfterCommit(func() {
		for _, p := range parcels {
			out.fly(p)
		}
	})
	return len(parcels), nil
}

// fly sends one parcel; what comes of it goes to whoever records.
func (o *sender) fly(p parcel) {
	flying := &o.sound
	if p.Shaky {
		flying = &o.shaky
	}
	flying.Add(1)
	o.begin(func() {
		began := time.Now()
		if len(p.Secret) == 0 {
			flying.Add(-1)
			o.done <- result{parcel: p, Outcome: notSigned}
			return
		}
		status, after, err := o.post(p, began)
		flying.Add(-1)
		o.done <- result{parcel: p, Status: status, Outcome: outcomeOf(status, err), after: after,
			took: time.Since(began)}
	})
}

// post makes the request.
func (o *sender) post(p parcel, at time.Time) (status int, after time.Duration, err error) {
	request, err := http.NewRequestWithContext(o.life, http.MethodPost, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return 0, 0, err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/cloudevents+json; charset=utf-8", "User-Agent": userAgent,
		"Webhook-Id": p.Event, "Webhook-Timestamp": strconv.FormatInt(at.Unix(), 10),
		"Webhook-Signature": sign(p.Event, at, p.Body, p.Secret, p.Former),
	} {
		request.Header.Set(name, value)
	}
	answer, err := o.client.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, readOfAnswer)) // an answer that never ends is none
	return answer.StatusCode, retryAfter(answer.Header.Get("Retry-After"), at), err
}

const userAgent = "Footbridge"

// Run sends what is claimed until ctx ends, and records what came of it. What is under way then has a moment to end;
// what has not is sent again by whoever comes next.
func (s *Service) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	out := &sender{client: s.client, done: make(chan result, soundSlots+shakySlots), life: life}
	s.sending.Store(out)
	s.wake("webhooks")
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		s.record(context.WithoutCancel(ctx), out.done)
	}()
	<-ctx.Done()
	s.sending.Store(nil)
	defer time.AfterFunc(endWithin, end).Stop()
	out.close()
	<-recorded
	return nil
}

// endWithin is how long requests under way may take once the process is told to stop.
const endWithin = 3 * time.Second

// record writes down what came of attempts, as many at a time as there are.
func (s *Service) record(ctx context.Context, done <-chan result) {
	for first := range done {
		batch := []result{first}
		for more := true; more && len(batch) < 256; {
			select {
			case r, open := <-done:
				if more = open; open {
					batch = append(batch, r)
				}
			default:
				more = false
			}
		}
		patience, cancel := context.WithTimeout(ctx, leaseFor/2)
		err := s.flow.Do(patience, func(tx *flow.Tx) error { return s.settle(tx, batch) })
		cancel()
		if err != nil { // the leases end, and the events are sent again
			s.log.Warn("what came of attempts could not be written down; they are made again", schemas.AttrError, err)
		}
		s.wake("webhooks")
	}
}

// settle writes down what came of attempts, and what follows for offers.
func (s *Service) settle(tx *flow.Tx, batch []result) error {
	ends := map[string]*standing{}
	var all []standing
	came := map[string][]string{}
	var reached []string
	for i := range batch {
		p := batch[i]
		r := resultOf(p.parcel, p.Status, p.Outcome, p.after, p.took, tx.Now, rand.Float64())
		batch[i] = r
		at := ends[r.Subscription]
		if at == nil {
			at = &standing{ID: r.Subscription}
			ends[r.Subscription] = at
		}
		at.add(r)
		if r.Position > 0 && r.State == stateDelivered { // a test is about nobody
			reached = append(reached, r.Offer)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ends)) {
		all = append(all, *ends[id])
	}
	saveStandings(tx, all, tx.Now) // endpoints before their events, as whoever asks for events again locks them
	saveResults(tx, batch, tx.Now)
	waitedFor(tx, reached, func(offer, journey string) { came[journey] = append(came[journey], offer) })
	if err := tx.Flush(); err != nil {
		return err
	}
	if len(came) == 0 {
		return nil
	}
	return s.made(tx, came, schemas.DeliveryHandedOver)
}

// add takes in one result.
func (s *standing) add(r result) {
	s.Slow = r.Slow
	if r.State == stateDelivered {
		s.Through, s.Bad, s.Rest = s.Through+1, 0, time.Time{}
		return
	}
	s.Bad++
	if r.Rest.After(s.Rest) {
		s.Rest = r.Rest
	}
	if r.Off != "" {
		s.Off = r.Off
	}
	if r.State == stateGivenUp && s.Off == "" { // the store looks since when nothing has come through
		s.Off = silentTooLong
	}
}
