package followup

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What left for partners of one person, for them and for the organisation that looks after them. Who the person is is
// not part of an offer: each look at that is kept where it is read.

// passedOn is an offer that has left for its partner.
type passedOn struct {
	Offer   string `json:"offer"`
	Partner string `json:"partner"`
	// SentAt is when it left; absent, where it was told by telephone alone.
	SentAt *time.Time `json:"sentAt,omitempty"`
	// AcceptedAt is when its partner took it on.
	AcceptedAt *time.Time `json:"acceptedAt,omitempty"`
	EndedAt    *time.Time `json:"endedAt,omitempty"`
	// DeletedAt is when the partner said what it did with what it knew.
	DeletedAt *time.Time `json:"deletedAt,omitempty"`
	// Kept is what it keeps, as codes.
	Kept []string `json:"kept,omitempty"`
	// KeptBecause is why, as a code.
	KeptBecause string `json:"keptBecause,omitempty"`
	// Pages are what could be read of it before it was taken on.
	Pages []pageRead `json:"pages"`
}

// pageRead is what could be read of an offer.
type pageRead struct {
	// By is the link in a mail, which programs that look at mails open too, or signed-in: by a worker or a system.
	By string `json:"by"`
	// Fields are the names of what was shown.
	Fields []string `json:"fields"`
	// At is when it was first fetched.
	At time.Time `json:"at"`
}

// The ways by which an offer is read.
const (
	readByLink   = "link"
	readSignedIn = "signed-in"
)

// fields are the names of what is shown.
func (a *aboutShown) fields() []string {
	text, err := json.Marshal(a)
	var named map[string]json.RawMessage
	if err != nil || json.Unmarshal(text, &named) != nil {
		panic("what is shown of an offer is no object") // its type is one
	}
	delete(named, "withheld")
	return slices.Sorted(maps.Keys(named))
}

// notePages notes what a partner is shown of offers. To staff nothing is passed on.
func notePages(q flow.Queuer, who principal.Principal, now time.Time, offers ...offerShown) {
	by := readSignedIn
	if schemas.Role(who.Role) == schemas.OfferLink {
		by = readByLink
	}
	for _, o := range offers {
		if outside(who) && o.About != nil {
			savePage(q, who, o.Offer, pageRead{by, o.About.fields(), now})
		}
	}
}

func noJourney() error {
	return httpx.NewProblem(http.StatusNotFound, "There is no such journey that you may see. Check its id.")
}

// showPassedOn lists the offers of a journey that have left for a partner, the first in front.
func (a api) showPassedOn(w http.ResponseWriter, r *http.Request) error {
	who, journey, err := principal.Asking(r, noJourney())
	if err != nil {
		return err
	}
	var all []passedOn
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		records, pages := store.Load(tx, []string{journey}), map[string][]pageRead{}
		pagesOf(tx, who, journey, func(offer string, p pageRead) {
			p.At = p.At.In(a.zone)
			pages[offer] = append(pages[offer], p)
		})
		if err := tx.Flush(); err != nil {
			return err
		}
		known := records[journey]
		if !known.State.OpenTo(schemas.ScopeOf(schemas.Role(who.Role), who.Organisation, who.Subject),
			known.State.MustNotKnow, schemas.JourneyOfOwnPage(who.Team) == journey) {
			return noJourney()
		}
		all = known.passedOn(pages, a.zone)
		return nil
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.NewList(all, len(all), func(passedOn) []string { return nil }))
}

// passedOn are the journey's offers that have left for a partner, by telephone too.
func (r *record) passedOn(pages map[string][]pageRead, zone *time.Location) []passedOn {
	all, offers := []passedOn{}, slices.Clone(r.Past)
	if r.Open != nil {
		offers = append(offers, *r.Open)
	}
	for _, o := range offers {
		if o.SentAt.IsZero() && o.AcceptedAt.IsZero() {
			continue
		}
		one := passedOn{Offer: o.ID, Partner: o.Partner, Kept: o.Kept, KeptBecause: o.KeptBecause,
			Pages: append([]pageRead{}, pages[o.ID]...)}
		for into, at := range map[**time.Time]time.Time{&one.SentAt: o.SentAt, &one.AcceptedAt: o.AcceptedAt,
			&one.EndedAt: o.EndedAt, &one.DeletedAt: o.DeletedAt} {
			if local := at.In(zone); !at.IsZero() {
				*into = &local
			}
		}
		all = append(all, one)
	}
	return all
}
