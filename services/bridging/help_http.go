package bridging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// errNoHelp: there is no such request for help, or none that is the caller's.
var errNoHelp = errors.New("no such request for help")

func noHelp() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no such request for help that you may see. Check its id.")
}

// helpShown is what is answered to a request for help, and shown of one. It holds no identity and names no journey:
// what may be known of it is asked for elsewhere.
type helpShown struct {
	Help     string    `json:"help"`
	About    string    `json:"about"`
	Kind     string    `json:"kind"`
	StoredAt time.Time `json:"storedAt"`
	DueAt    time.Time `json:"dueAt"`
	// Words are to be shown as they are.
	Words   string   `json:"words"`
	Numbers []string `json:"numbers"`
	// Told are those on call whom a message was handed over for, or could not be.
	Told []toldShown `json:"told"`
	// Acknowledged says who has taken it on; absent until somebody has.
	Acknowledged *takenShown `json:"acknowledged,omitempty"`
	// Asks is what is still asked of whoever asked: whether the person knows of the concern, answered at
	// POST /api/help/{id}/person-knows.
	Asks string `json:"asks,omitempty"`
	// PersonKnows is what was answered.
	PersonKnows string `json:"personKnows,omitempty"`
	// Journey is shown to who may take it on.
	Journey string `json:"journey,omitempty"`
}

type toldShown struct {
	Rung  int    `json:"rung"`
	Who   string `json:"who"`
	By    string `json:"by"`
	State string `json:"state"`
}

type takenShown struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// helpAsked is the body of a request for help. Nothing in it is needed, and what cannot be read in it stops nothing.
type helpAsked struct {
	Kind        string `json:"kind"`
	Step        string `json:"step"`
	PersonKnows string `json:"personKnows"`
}

// help takes a request for help. It is stored alone, first; only then is anything looked up, and anybody told. What
// goes wrong after that is said in the answer, and done again by the loop.
func (a api) help(about string) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, id, err := principal.Asking(r,
			httpx.NewProblem(http.StatusNotFound, "%s What this is about has no such id, so "+
				"nothing was stored. Ring yourself: %s.", noAmbulance, strings.Join(a.numbers, "; ")))
		if err != nil {
			return err
		}
		h, request := a.helpOf(w, r, p, about, id)
		if err := storeHelp(r.Context(), a.pool, h, request); err != nil {
			return httpx.NewProblem(http.StatusServiceUnavailable, "%s This could NOT be stored, and nobody was "+
				"told. Ring yourself: %s.", noAmbulance, strings.Join(a.numbers, "; ")).Because(err)
		}
		if err := a.tellNow(r.Context(), h.ID); err != nil {
			a.log.Error("a request for help is stored and nobody could be told yet; it is tried again",
				schemas.AttrRunbook, "help.md", "error", err.Error())
		}
		shown, err := a.readShown(r.Context(), p, h.ID)
		if err != nil {
			shown = a.shownOf(*h, nil)
		}
		shown.Journey = ""
		return httpx.WriteJSON(w, http.StatusCreated, shown)
	}
}

// helpOf reads as much of a request as can be read.
func (a api) helpOf(w http.ResponseWriter, r *http.Request, p principal.Principal, about, id string) (*Help, *string) {
	var body helpAsked
	text, err := httpx.ReadBody(w, r, maxBody, "application/json")
	if err == nil {
		_ = json.Unmarshal(text, &body)
	}
	now := a.clock.Now()
	h := &Help{ID: clock.NewID(now), About: about, AboutID: strings.ToLower(id), Kind: schemas.HelpNow, At: now,
		Role: p.Role, By: p.Organisation, Mark: p.Mark()}
	if slices.Contains(schemas.Values("help-kind"), body.Kind) {
		h.Kind = body.Kind
	}
	if clock.IsID(body.Step) {
		h.Step = strings.ToLower(body.Step)
	}
	if slices.Contains(schemas.Values("yes-no"), body.PersonKnows) {
		h.PersonKnows = body.PersonKnows
	}
	given := r.Header.Get("Idempotency-Key")
	if given == "" {
		return h, nil
	}
	sum := sha256.Sum256([]byte(p.Key() + " " + r.URL.Path + " " + given))
	key := hex.EncodeToString(sum[:])
	return h, &key
}

// tellNow tells the first rung of a request that nobody was told of yet, and waits shortly for how that goes.
func (a api) tellNow(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second) // whoever asked may have gone
	defer cancel()
	var pages []Page
	var helps map[string]Help
	err := a.flow.Do(ctx, func(tx *flow.Tx) error {
		pages = nil
		var fresh []string
		lockHelp(tx, []string{id}, func(h *Help) {
			if h.Rung == 0 && h.LookAt != nil {
				fresh = append(fresh, h.ID)
			}
		})
		if err := tx.Flush(); err != nil || len(fresh) == 0 {
			return err
		}
		var err error
		pages, helps, err = a.raise(tx, fresh, tx.Now.Add(pageAgain))
		return err
	})
	if err != nil || len(pages) == 0 {
		return err
	}
	results := a.send(ctx, pages, helps)
	return a.flow.Do(ctx, func(tx *flow.Tx) error {
		savePages(tx, pages, results)
		return nil
	})
}

// readShown reads a request as it stands.
func (a api) readShown(ctx context.Context, p principal.Principal, id string) (helpShown, error) {
	var found *Help
	var pages []Page
	err := a.flow.Do(ctx, func(tx *flow.Tx) error {
		found, pages = nil, nil
		lockHelp(tx, []string{id}, func(h *Help) { found = h })
		pagesOf(tx, p, id, func(one Page) { pages = append(pages, one) })
		return tx.Flush()
	})
	if err != nil || found == nil {
		return helpShown{}, errors.Join(err, errNoHelp)
	}
	return a.shownOf(*found, pages), nil
}

func (a api) shownOf(h Help, pages []Page) helpShown {
	shown := helpShown{Help: h.ID, About: h.about(), Kind: h.Kind, StoredAt: h.At.In(a.zone),
		DueAt: h.dueAt().In(a.zone), Numbers: a.numbers,
		Words: helpWords(pages, h.TakenRole, a.numbers), Told: []toldShown{}, Asks: h.asks(),
		PersonKnows: h.PersonKnows, Journey: h.Journey}
	for _, p := range pages {
		shown.Told = append(shown.Told, toldShown{Rung: p.Rung, Who: p.Who, By: p.Channel, State: p.State})
	}
	if h.TakenAt != nil {
		shown.Acknowledged = &takenShown{By: h.TakenRole, At: h.TakenAt.In(a.zone)}
	}
	return shown
}

// withHelp locks a request that p may take on, does something about it, and shows how it stands.
func (a api) withHelp(w http.ResponseWriter, r *http.Request,
	do func(tx *flow.Tx, h *Help, p principal.Principal) error) error {
	p, id, err := principal.Asking(r, noHelp())
	if err != nil {
		return err
	}
	var shown helpShown
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		var found *Help
		var pages []Page
		findJourneys(tx, []string{id})
		lockHelpOf(tx, p, id, func(h *Help) { found = h })
		pagesOf(tx, p, id, func(one Page) { pages = append(pages, one) })
		if err := tx.Flush(); err != nil {
			return fmt.Errorf("reading request for help %s: %w", id, err)
		}
		if found == nil {
			return noHelp()
		}
		err := do(tx, found, p)
		shown = a.shownOf(*found, pages)
		return err
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

func (a api) showHelp(w http.ResponseWriter, r *http.Request) error {
	return a.withHelp(w, r, func(*flow.Tx, *Help, principal.Principal) error { return nil })
}

// takeHelp records that somebody has taken a request on: nobody further up is told any more. The first to say so is
// kept.
func (a api) takeHelp(w http.ResponseWriter, r *http.Request) error {
	return a.withHelp(w, r, func(tx *flow.Tx, h *Help, p principal.Principal) error {
		if h.TakenAt != nil {
			return nil
		}
		now := tx.Now
		h.TakenAt, h.TakenRole, h.LookAt = &now, p.Role, nil
		saved := []*Help{h}
		defer func() { saveHelp(tx, saved, p.Mark()) }()
		if h.Journey == "" {
			return nil
		}
		records := store.Load(tx, []string{h.Journey})
		if err := tx.Flush(); err != nil {
			return fmt.Errorf("locking journey %s: %w", h.Journey, err)
		}
		return a.emitTaken(tx, records[h.Journey], h)
	})
}

func (a api) emitTaken(tx *flow.Tx, r *record, h *Help) error {
	if r.Broken() != nil {
		h.LookAt = unreadAgain(tx.Now)
		return nil
	}
	a.emitHelp(r, h)
	return a.commit(tx, []*record{r})
}

// knowsAsked says whether the person knows: yes, no or not-known.
type knowsAsked struct {
	PersonKnows string `json:"personKnows"`
}

// personKnows takes in whether the person knows that somebody passed a concern on, from whoever did.
func (a api) personKnows(w http.ResponseWriter, r *http.Request) error {
	p, id, err := principal.Asking(r, noHelp())
	if err != nil {
		return err
	}
	body, _, err := httpx.ReadJSON[knowsAsked](w, r, maxBody)
	if err != nil {
		return err
	}
	if !slices.Contains(schemas.Values("yes-no"), body.PersonKnows) {
		return httpx.NewProblem(http.StatusBadRequest, "Say whether the person knows: yes, no or not-known.")
	}
	err = storeKnows(r.Context(), a.pool, p, id, body.PersonKnows)
	if errors.Is(err, errNoHelp) {
		return noHelp()
	}
	if err != nil {
		return fmt.Errorf("storing whether the person knows of %s: %w", id, err)
	}
	shown, err := a.readShown(r.Context(), p, id)
	if err != nil {
		return err
	}
	shown.Journey = ""
	return httpx.WriteJSON(w, http.StatusOK, shown)
}
