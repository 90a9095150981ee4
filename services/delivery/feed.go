package delivery

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// A cursor is where a reader of a partner's log has come: the incarnation of the log and a position. It says "up to
// here I have everything". One of an earlier incarnation (the log was restored from a backup since), ahead of the log,
// or before what is kept, is told so and where to begin again: an empty page would look like "nothing new".
type cursor struct{ Incarnation, Position int64 }

func (c cursor) String() string { return fmt.Sprintf("%d-%d", c.Incarnation, c.Position) }

// parseCursor reads a cursor; the empty one is where the log begins.
func parseCursor(text string) (c cursor, begins bool, err error) {
	if text == "" {
		return cursor{}, true, nil
	}
	incarnation, position, found := strings.Cut(text, "-")
	if c.Incarnation, err = strconv.ParseInt(incarnation, 10, 64); err == nil {
		c.Position, err = strconv.ParseInt(position, 10, 64)
	}
	if err != nil || !found || c.Incarnation < 0 || c.Position < 0 {
		return c, false, httpx.NewProblem(http.StatusBadRequest, "The cursor is not one of this feed. Take it from "+
			"next of the page before, or leave it out to begin with the first event that is kept.")
	}
	return c, false, nil
}

// place is the position to go on after, as a log stands; a cursor that does not fit it is a problem (410) that says
// where to begin.
func (l logState) place(c cursor, begins bool) (after int64, err error) {
	first := max(l.First-1, 0)
	gone := func(why string) error {
		return httpx.NewProblem(http.StatusGone, "%s Begin again after the cursor %s.", why,
			cursor{l.Incarnation, first}).With("begin", cursor{l.Incarnation, first}.String())
	}
	switch {
	case begins:
		return first, nil
	case c.Incarnation != l.Incarnation:
		return 0, gone("This log was restored since that cursor was given: what came after it may read otherwise.")
	case c.Position > l.Last:
		return 0, gone("That cursor is ahead of the log.")
	case c.Position < first:
		return 0, gone("What came after that cursor is not kept any more.")
	}
	return c.Position, nil
}

// page is what a reader of the log gets at a time. Next is the cursor after the last of its items: what it names has
// been taken, once it is asked with. More says that there is more already.
type page struct {
	Items []item
	Next  string
	More  bool
}

// item is one event, as it stands in the log, with the cursor after it.
type item struct {
	Cursor, Type string
	Event        []byte
}

// write answers with a page. Events are written byte for byte: a signature of the same event elsewhere holds for them.
func (p page) write(w http.ResponseWriter) error {
	var text bytes.Buffer
	text.WriteString(`{"items":[`)
	for i, one := range p.Items {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"cursor":"%s","event":%s}`, one.Cursor, one.Event)
	}
	fmt.Fprintf(&text, `],"next":"%s","more":%t}`, p.Next, p.More)
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(text.Bytes())
	return err
}

// read gives the asking partner what comes after a cursor; where takes is set, it has said by it that everything up to
// there has come to it.
// newest begins with so many of the last events where no cursor says where to begin; 0: with the first that is kept.
func (a api) read(r *http.Request, who principal.Principal, c cursor, begins, takes bool, newest, limit int) (p page,
	err error) {
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		var state logState
		p = page{Items: []item{}}
		readLog(tx, who, &state)
		if err := tx.Flush(); err != nil {
			return err
		}
		after, err := state.place(c, begins)
		if err != nil {
			return err
		}
		if begins && newest > 0 {
			after = max(after, state.Last-int64(newest))
		}
		taken := map[string][]string{}
		if takes && !begins {
			takenUpTo(tx, who, after, func(offer, journey string) { taken[journey] = append(taken[journey], offer) })
			if err := tx.Flush(); err != nil {
				return err
			}
			if len(taken) > 0 {
				if err := a.made(tx, taken, schemas.DeliveryHandedOver); err != nil {
					return err
				}
			}
		}
		last := after
		giveOut(tx, who, after, limit, tx.Now, func(l logged) {
			last = l.Position
			p.Items = append(p.Items, item{cursor{state.Incarnation, l.Position}.String(), l.Type, l.Body})
		})
		if takes && !begins {
			takenBy(tx, who, after)
		}
		if err := tx.Flush(); err != nil {
			return err
		}
		p.Next, p.More = cursor{state.Incarnation, last}.String(), len(p.Items) == limit
		return nil
	})
	return p, err
}

// streamPage is how many events a stream reads at once.
const streamPage = 100

// feed gives the next page of the asking partner's log. With wait=SECONDS an empty one is waited with, until something
// comes.
func (a api) feed(w http.ResponseWriter, r *http.Request) error {
	who, err := partnerAsking(r)
	if err != nil {
		return err
	}
	return a.feedOf(w, r, who)
}

// feedOf gives the next page of the log of who asks.
func (a api) feedOf(w http.ResponseWriter, r *http.Request, who principal.Principal) error {
	query := r.URL.Query()
	c, begins, err := parseCursor(query.Get("after"))
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/feed")
	limits, err := httpx.ParsePage(query, 1, usual, most)
	if err != nil {
		return err
	}
	newest, err := newestOf(query.Get("newest"))
	if err != nil {
		return err
	}
	wait, err := waitOf(query.Get("wait"))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		news := a.news.next()
		p, err := a.read(r, who, c, begins, true, newest, limits.Limit)
		if err != nil || len(p.Items) > 0 || wait == 0 {
			return errOr(err, func() error { return p.write(w) })
		}
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-httpx.Draining(r.Context()):
			wait = 0
		case <-end.C:
			wait = 0
		case <-news:
		case <-time.After(lookEvery):
		}
	}
}

func errOr(err error, do func() error) error {
	if err != nil {
		return err
	}
	return do()
}

func waitOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	within := schemas.ParameterOf("GET /api/feed", "wait")
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < within.Min {
		return 0, httpx.NewProblem(http.StatusBadRequest, "Say for how many seconds an empty answer may be waited "+
			"with (wait): a whole number up to %d.", within.Max)
	}
	return time.Duration(min(seconds, within.Max)) * time.Second, nil
}

// newestOf reads with how many of the last events a page begins; 0 where that is not asked for.
func newestOf(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	within := schemas.ParameterOf("GET /api/referrals/feed", "newest")
	many, err := strconv.Atoi(text)
	if err != nil || many < within.Min {
		return 0, httpx.NewProblem(http.StatusBadRequest, "Say with how many of the last events to begin (newest): a "+
			"whole number from %d to %d.", within.Min, within.Max)
	}
	return min(many, within.Max), nil
}

// partnerAsking is the partner that asks; nobody else has a log.
func partnerAsking(r *http.Request) (principal.Principal, error) {
	who, err := principal.Need(r.Context())
	if err == nil && !clock.IsID(who.Organisation) {
		err = httpx.NewProblem(http.StatusForbidden, "Only a partner has a log of its own, and you do not ask for one.")
	}
	return who, err
}

// told lists what the asking partner was told, the newest first. Asking for it tells nothing and takes nothing.
func (a api) told(w http.ResponseWriter, r *http.Request) error {
	who, err := partnerAsking(r)
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/told")
	page, err := httpx.ParsePage(r.URL.Query(), 1, usual, most)
	if err != nil {
		return err
	}
	before := int64(math.MaxInt64)
	if len(page.After) == 1 {
		if before, err = strconv.ParseInt(page.After[0], 10, 64); err != nil {
			return httpx.NewProblem(http.StatusBadRequest, "The cursor is not one of this list. Begin again without "+
				"it.")
		}
	}
	var all []given
	batch := &pgx.Batch{}
	givenTo(batch, who, before, page.Limit+1, &all)
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("listing what a partner was told: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.NewList(all, page.Limit,
		func(one given) []string { return []string{strconv.FormatInt(one.Position, 10)} }))
}
