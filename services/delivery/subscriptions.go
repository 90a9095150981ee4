package delivery

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

const testType = schemas.PartnerTest

// Bounds of what a partner may have, and for how long a former secret still signs.
const (
	mostSubscriptions = 20
	secretBytes       = 32
	formerSigns       = 24 * time.Hour
)

// How an endpoint stands.
const (
	pending = "pending" // it has not said yet that it wants to get events
	active  = "active"
	paused  = "paused" // by its partner; what comes is kept
	off     = "off"    // it said that it is gone, or nothing came through for days; what comes is kept
	ended   = "ended"
)

// subscriptionShown is an endpoint as its partner sees it. Secret is shown once, when it is made.
type subscriptionShown struct {
	ID      string   `json:"id"`
	URL     string   `json:"url"`
	Types   []string `json:"types"`
	Areas   []string `json:"areas"`
	State   string   `json:"state"`
	Because string   `json:"because,omitempty"`
	// Taken is the position up to which the log has been taken; Failures how often in a row something did not come
	// through.
	Taken       int64      `json:"taken"`
	Failures    int        `json:"failures"`
	FailingAt   *time.Time `json:"failingAt,omitempty"`
	NextAt      *time.Time `json:"nextAt,omitempty"`
	CreatedAt   time.Time  `json:"createdAt"`
	Secret      string     `json:"secret,omitempty"`
	FormerUntil *time.Time `json:"formerUntil,omitempty"`
	Again       *int64     `json:"again,omitempty"`
	Event       string     `json:"event,omitempty"`
}

func (s subscription) shown() subscriptionShown {
	shown := subscriptionShown{ID: s.ID, URL: s.URL, Types: s.Types, Areas: s.Areas, State: s.State, Because: s.Because,
		Taken:     s.Taken,
		Failures:  s.Failures,
		FailingAt: s.FailingAt, CreatedAt: s.CreatedAt, FormerUntil: s.FormerUntil}
	if s.Failures > 0 {
		shown.NextAt = &s.NextAt
	}
	return shown
}

// secretText writes a secret as the libraries of Standard Webhooks take it.
func secretText(secret []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(secret) }

func newSecret() []byte {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails: it ends the program instead
	return secret
}

// subscriptionAsked is what a partner asks for.
type subscriptionAsked struct {
	URL   string   `json:"url"`
	Types []string `json:"types"`
	// Areas are the areas of which it is told; none for all. Where an offer's area may not be shown it is told all the
	// same, so that nobody is missed and nothing is shown by it.
	Areas []string `json:"areas"`
	// After is the cursor after which events are sent; now where it is left out.
	After string `json:"after"`
}

func (a api) fault(asked subscriptionAsked, about []schemas.Type) string {
	at, err := url.Parse(asked.URL)
	switch {
	case err != nil || len(asked.URL) > 500 || at.Host == "" || at.User != nil || at.Fragment != "" ||
		at.Scheme != "https" && !(a.plain && at.Scheme == "http"):
		return "Name where events go (url): an https address of yours, up to 500 characters, without a password or a " +
			"fragment."
	case len(asked.Types) > 50:
		return "Name up to 50 types, or none for all."
	case len(asked.Areas) > 50:
		return "Name up to 50 areas, or none for all."
	}
	if area, _ := schemas.KindNamed("area"); slices.ContainsFunc(asked.Areas, func(a string) bool {
		return !area.Allows(a)
	}) {
		return "One of the areas is not written as a code of the directory, such as E06000027."
	}
	for _, t := range asked.Types {
		if !slices.Contains(about, schemas.Type(t)) {
			return "One of the types is not one that you can be told of. GET /asyncapi.json and docs/events.md list " +
				"them."
		}
	}
	return ""
}

// subscribeTo adds an endpoint. It gets nothing before it has said that it wants to.
func (a api) subscribeTo(w http.ResponseWriter, r *http.Request) error {
	who, err := logAsking(r)
	if err != nil {
		return err
	}
	asked, key, err := httpx.ReadRequest[subscriptionAsked](w, r, maxBody, who.Key())
	if err != nil {
		return err
	}
	about := schemas.PartnerTypes()
	if isReferrer(who) {
		about = []schemas.Type{schemas.ReferralUpdated}
	}
	if fault := a.fault(asked, about); fault != "" {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "%s", fault)
	}
	c, begins, err := parseCursor(asked.After)
	if err != nil {
		return err
	}
	answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
		var state logState
		count := 0
		readLog(tx, who, &state)
		subscriptionsOf(tx, who, func(subscription) { count++ })
		if err := tx.Flush(); err != nil {
			return 0, nil, err
		}
		if count >= mostSubscriptions {
			return 0, nil, httpx.NewProblem(http.StatusConflict, "You have %d subscriptions, as many as anybody may. "+
				"End one first.", count)
		}
		taken := state.Last
		if !begins {
			if taken, err = state.place(c, false); err != nil {
				return 0, nil, err
			}
		}
		s := subscription{ID: clock.NewID(tx.Now), Partner: who.Organisation, URL: asked.URL,
			Types: append([]string{}, asked.Types...), Areas: append([]string{}, asked.Areas...), State: pending,
			Taken: taken, CreatedAt: tx.Now}
		if err := a.newSecretFor(&s); err != nil {
			return 0, nil, err
		}
		addSubscription(tx, who, s)
		tx.AfterCommit(func() { a.wake("handshakes") })
		return http.StatusCreated, s.shown(), nil
	})
	if err != nil {
		return err
	}
	return a.withSecret(w, r, who, answer)
}

// listSubscriptions lists the asking partner's endpoints.
func (a api) listSubscriptions(w http.ResponseWriter, r *http.Request) error {
	who, err := logAsking(r)
	if err != nil {
		return err
	}
	all := []subscriptionShown{}
	batch := &pgx.Batch{}
	subscriptionsOf(batch, who, func(s subscription) { all = append(all, s.shown()) })
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("listing subscriptions: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.List[subscriptionShown]{Items: all})
}

// showSubscription shows one.
func (a api) showSubscription(w http.ResponseWriter, r *http.Request) error {
	who, err := logAsking(r)
	if err != nil {
		return err
	}
	id, ok := httpx.PathID(r, "id")
	var found []subscription
	batch := &pgx.Batch{}
	subscriptionsOf(batch, who, func(s subscription) {
		if s.ID == id {
			found = append(found, s)
		}
	})
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("reading a subscription: %w", err)
	}
	if !ok || len(found) == 0 {
		return noSubscription()
	}
	w.Header().Set("ETag", httpx.VersionTag(found[0].Version))
	return httpx.WriteJSON(w, http.StatusOK, found[0].shown())
}

// onSubscription handles a change of one endpoint of the asking partner. secret says that the answer shows what it is
// signed with.
func onSubscription[B any](a api, secret bool, change func(tx *flow.Tx, who principal.Principal, s *subscription,
	body B) (subscriptionShown, error)) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := logAsking(r)
		if err != nil {
			return err
		}
		id, ok := httpx.PathID(r, "id")
		if !ok {
			return noSubscription()
		}
		body, key, err := httpx.ReadRequest[B](w, r, maxBody, who.Key())
		if err != nil {
			return err
		}
		answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
			var found []subscription
			lockSubscription(tx, who, id, func(s subscription) { found = append(found, s) })
			if err := tx.Flush(); err != nil {
				return 0, nil, err
			}
			if len(found) == 0 {
				return 0, nil, noSubscription()
			}
			shown, err := change(tx, who, &found[0], body)
			if err != nil {
				return 0, nil, err
			}
			saveSubscription(tx, found[0])
			tx.AfterCommit(func() {
				for _, due := range []string{"handshakes", "take", "webhooks"} {
					a.wake(due)
				}
			})
			return http.StatusOK, shown, nil
		})
		if err != nil {
			return err
		}
		if secret {
			return a.withSecret(w, r, who, answer)
		}
		return answer.Write(w)
	}
}

type nothing struct{}

// end ends an endpoint for good.
func (a api) end(_ *flow.Tx, _ principal.Principal, s *subscription, _ nothing) (subscriptionShown, error) {
	s.State = ended
	return s.shown(), nil
}

// changeSecret gives an endpoint a new secret; the former one signs too for a day.
func (a api) changeSecret(tx *flow.Tx, _ principal.Principal, s *subscription, _ nothing) (subscriptionShown, error) {
	until := tx.Now.Add(formerSigns)
	s.FormerUntil = &until
	if err := a.newSecretFor(s); err != nil {
		return subscriptionShown{}, err
	}
	return s.shown(), nil
}

type stateAsked struct {
	On *bool `json:"on"`
}

// setState pauses an endpoint, or has it go on: it is asked again whether it wants events, and then gets all that was
// kept.
func (a api) setState(tx *flow.Tx, who principal.Principal, s *subscription, asked stateAsked) (subscriptionShown,
	error) {
	switch {
	case asked.On == nil:
		return subscriptionShown{}, httpx.NewProblem(http.StatusUnprocessableEntity,
			"Say whether the subscription is on: true, or false to pause it. What comes meanwhile is kept.")
	case !*asked.On:
		s.State, s.Because = paused, ""
	case s.State == paused || s.State == off:
		var again int64
		s.State, s.Because, s.Failures, s.Slow, s.FailingAt, s.NextAt = pending, "", 0, false, nil, tx.Now
		againFrom(tx, who, s.ID, 0, false, tx.Now, &again)
	}
	return s.shown(), nil
}

// againAsked names what an endpoint gets again: one event, or what came after a cursor or since a time, all of it or
// what did not come through.
type againAsked struct {
	Event string     `json:"event"`
	After string     `json:"after"`
	Since *time.Time `json:"since"`
	All   bool       `json:"all"`
}

// again sends events again, with the ids and bodies they had.
func (a api) again(tx *flow.Tx, who principal.Principal, s *subscription, asked againAsked) (subscriptionShown, error) {
	var count, position int64
	switch {
	case asked.Event != "":
		if !clock.IsID(asked.Event) {
			return subscriptionShown{}, httpx.NewProblem(http.StatusUnprocessableEntity,
				"The event is not an id of one. Take it from the attempts, or from the event.")
		}
		againOne(tx, who, s.ID, asked.Event, tx.Now, &count)
	case asked.Since != nil:
		positionAt(tx, who, *asked.Since, &position)
		if err := tx.Flush(); err != nil {
			return subscriptionShown{}, err
		}
		againFrom(tx, who, s.ID, position, asked.All, tx.Now, &count)
	default:
		c, begins, err := parseCursor(asked.After)
		if err != nil {
			return subscriptionShown{}, err
		}
		var state logState
		readLog(tx, who, &state)
		if err := tx.Flush(); err != nil {
			return subscriptionShown{}, err
		}
		if position, err = state.place(c, begins); err != nil {
			return subscriptionShown{}, err
		}
		againFrom(tx, who, s.ID, position, asked.All, tx.Now, &count)
	}
	if asked.All && asked.Event == "" {
		s.Taken = min(s.Taken, position) // what it had not taken, since it is newer, comes too
	}
	if err := tx.Flush(); err != nil {
		return subscriptionShown{}, err
	}
	s.NextAt = tx.Now
	shown := s.shown()
	shown.Again = &count
	return shown, nil
}

// test sends a test, about nobody.
func (a api) test(tx *flow.Tx, _ principal.Principal, s *subscription, _ nothing) (subscriptionShown, error) {
	id := clock.NewID(tx.Now)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{"specversion": "1.0", "id": id, "source": schemas.PartnerSource,
		"type": testType, "time": tx.Now,
		"datacontenttype": "application/json",
		"data":            map[string]string{"says": "This is a test, about nobody."}}); err != nil {
		return subscriptionShown{}, err
	}
	addTest(tx, *s, id, bytes.TrimSpace(text.Bytes()), tx.Now)
	shown := s.shown()
	shown.Event = id
	return shown, nil
}

// attempts lists what was tried at an endpoint, the newest first.
func (a api) attempts(w http.ResponseWriter, r *http.Request) error {
	who, err := logAsking(r)
	if err != nil {
		return err
	}
	id, ok := httpx.PathID(r, "id")
	if !ok {
		return noSubscription()
	}
	usual, most := schemas.Limits("GET /api/subscriptions/{id}/attempts")
	page, err := httpx.ParsePage(r.URL.Query(), 1, usual, most)
	if err != nil {
		return err
	}
	before := clock.HighestID
	if len(page.After) == 1 && clock.IsID(page.After[0]) {
		before = page.After[0]
	}
	found, all := false, []attemptRow(nil)
	batch := &pgx.Batch{}
	subscriptionsOf(batch, who, func(s subscription) { found = found || s.ID == id })
	attemptsOf(batch, who, id, before, page.Limit+1, func(one attemptRow) { all = append(all, one) })
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("listing attempts: %w", err)
	}
	if !found {
		return noSubscription()
	}
	return httpx.WriteJSON(w, http.StatusOK,
		httpx.NewList(all, page.Limit, func(one attemptRow) []string { return []string{one.ID} }))
}
