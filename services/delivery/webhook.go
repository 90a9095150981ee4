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
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/outward"
	"footbridge/schemas"
)

// Webhooks: a structured CloudEvent as the body, the headers of Standard Webhooks, signed anew with each attempt under
// the same id. An attempt is a committed row before it leaves; what came of it is recorded in batches. Endpoints that
// failed or were slow last time, and those that have taken nothing yet, share slots of their own, so that nobody else
// waits for them.

// The shares of one process: how many requests are under way at once, and for how many events at a time one endpoint
// may have them. An endpoint may have an eighth of the slots that are free and no more than its width: however many of
// them answer nothing any more from one moment to the next, some slots are left for the others.
const (
	soundSlots, soundWidth = 256, 12
	shakySlots, shakyWidth = 128, 1
	partOfFree             = 8
	leaseFor               = 2 * attemptPatience // the request, and then writing down what came of it
	slowFrom               = time.Second
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
	} else if p.Failing != nil { // half as long again as it has failed: what was under way at once counts once
		r.Rest = now.Add(min(max(now.Sub(*p.Failing)/2, time.Second), mostRest))
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
	done   chan result
	life   context.Context

	mu     sync.Mutex
	closed bool
	flying sync.WaitGroup
	under  underWay
}

// underWay counts the requests of one process that are under way: those of each share, and by endpoint.
type underWay struct {
	sound, shaky int
	of           map[string]int
}

// now is what is under way at the moment.
func (o *sender) now() underWay {
	o.mu.Lock()
	defer o.mu.Unlock()
	return underWay{o.under.sound, o.under.shaky, maps.Clone(o.under.of)}
}

// count adds requests (1), or takes them away (-1).
func (o *sender) count(one int, parcels ...parcel) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range parcels {
		if p.Shaky {
			o.under.shaky += one
		} else {
			o.under.sound += one
		}
		if o.under.of[p.Subscription] += one; o.under.of[p.Subscription] == 0 {
			delete(o.under.of, p.Subscription)
		}
	}
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
	behind(tx, limit, tx.Now, func(id string) { ids = append(ids, id) })
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
	out := s.sending.Load()
	if out == nil {
		return 0, nil
	}
	var parcels []parcel
	under := out.now()
	for _, share := range []struct {
		shaky       bool
		free, width int
	}{{false, soundSlots - under.sound, soundWidth}, {true, shakySlots - under.shaky, shakyWidth}} {
		if free := min(limit, share.free); free > 0 {
			width := max(1, min(share.width, share.free/partOfFree))
			claim(tx, share.shaky, under.of, width, free, tx.Now, tx.Now.Add(leaseFor), func(p parcel) {
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

// fly sends one parcel; what comes of it goes to whoever records. Until that is written down it is under way.
func (o *sender) fly(p parcel) {
	o.count(1, p)
	o.begin(func() {
		began := time.Now()
		if len(p.Secret) == 0 {
			o.done <- result{parcel: p, Outcome: notSigned}
			return
		}
		status, after, err := o.post(p, began)
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
	out := &sender{client: s.client, done: make(chan result, soundSlots+shakySlots), life: life,
		under: underWay{of: map[string]int{}}}
	s.sending.Store(out)
	s.wake("webhooks")
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		s.record(context.WithoutCancel(ctx), out)
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
func (s *Service) record(ctx context.Context, out *sender) {
	for first := range out.done {
		batch := []result{first}
		for more := true; more && len(batch) < 256; {
			select {
			case r, open := <-out.done:
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
		for _, r := range batch {
			out.count(-1, r.parcel)
		}
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
	var reached, reachedIn []string
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
			reached, reachedIn = append(reached, r.Offer), append(reachedIn, r.Partner)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ends)) {
		all = append(all, *ends[id])
	}
	saveStandings(tx, all, tx.Now) // endpoints before their events, as whoever asks for events again locks them
	saveResults(tx, batch, tx.Now)
	waitedFor(tx, reached, reachedIn, func(offer, journey string) { came[journey] = append(came[journey], offer) })
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
