package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What may be recorded of a journey at any time, whether or not a step asks for it: one form a page, built from what
// the journey's service says may be done.

type recordView struct {
	ID, Code string
	Ways     []linkView // what may be recorded, where nothing has been chosen
	Acts     actionsView
	News     []eventView // what has happened since the form was opened
}

// recordWays lead to what may be recorded of a journey.
func recordWays(j journey) []linkView {
	ways := make([]linkView, len(j.Actions))
	for i, a := range j.Actions {
		ways[i] = linkView{"/journeys/" + url.PathEscape(j.ID) + "/record" + query("do", keyOf(i)), a.Words}
	}
	return ways
}

func (s *Console) showRecord(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	j, err := s.client.journey(r.Context(), p, r.PathValue("id"), "")
	if err != nil {
		return err
	}
	return s.recordPage(w, r, p, j)(http.StatusOK, filledIn{})
}

// recordPage shows the form that was chosen, or what there is to choose from.
func (s *Console) recordPage(w http.ResponseWriter, r *http.Request, p principal.Principal, j journey) again {
	return func(status int, f filledIn, more ...problemView) error {
		page := recordView{ID: j.ID, Code: codeOf(j.ID)}
		chosen := f.entered.Get("action")
		if chosen == "" {
			chosen = r.URL.Query().Get("do")
		}
		title := "Record something"
		acts := formsWith(s.offered(r.Context(), p, j.ID, j.Actions), j.standing(), "/journeys/"+url.PathEscape(j.ID)+
			"/record", "Journey "+page.Code, clock.NewRandomID(), j.Actions, f).openedAt(s.config.Clock.Now())
		for _, form := range acts.Forms {
			if form.Key == chosen && !f.gone {
				acts.Forms, form.Open, title = []actionView{form}, true, form.Words
				acts.Forms[0].Open = true
				page.Acts = acts
			}
		}
		if len(page.Acts.Forms) == 0 {
			page.Ways, page.Acts = recordWays(j), actionsView{Kept: acts.Kept}
		}
		if check := page.Acts.Check; check != nil && correctsWho(check.Does) {
			refused, matter, err := s.compared(r.Context(), p, j.ID, check)
			if err != nil && matter == nil {
				return err
			}
			if matter != nil {
				f.check = false
				return s.recordPage(w, r, p, j)(refused, f, *matter)
			}
		}
		if f.changed {
			page.News = s.newsSince(j.Timeline, f.entered)
		}
		return s.show(w, r, status, "record", view{Title: title, Here: "/journeys",
			Problems: append(page.Acts.problems(), more...), Separate: s.separateFrom(r, p, j.Organisation),
			Page: page})
	}
}

func (s *Console) record(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	j, err := s.client.journey(r.Context(), p, r.PathValue("id"), "")
	if err != nil {
		return err
	}
	done, err := s.actOn(r, p, j.standing(), j.Actions, s.recordPage(w, r, p, j), nil)
	if err != nil || !done {
		return err
	}
	http.Redirect(w, r, "/journeys/"+url.PathEscape(j.ID)+"?said=recorded", http.StatusSeeOther)
	return nil
}

// standing is how a journey stands for whoever records something of it: something else that happened makes another.
func (j journey) standing() string {
	return j.State + strconv.Itoa(len(j.Timeline))
}

// newsSince are the events of a timeline since a form was opened, the latest first.
func (s *Console) newsSince(timeline []event, entered url.Values) (news []eventView) {
	opened, err := time.Parse(time.RFC3339Nano, entered.Get("opened"))
	if err != nil {
		return nil
	}
	for _, day := range latestFirst(slices.DeleteFunc(slices.Clone(timeline),
		func(e event) bool { return e.At.Before(opened) }), s.zone) {
		for _, e := range day.Events {
			e.At = day.Day + ", " + e.At
			news = append(news, e)
		}
	}
	return news
}

// offered are the names of what actions ask for by a code: organisations, services, and who does something. Services
// are read where they are asked for.
func (s *Console) offered(ctx context.Context, p principal.Principal, journey string,
	actions []schemas.Action) offered {
	there := offered{}
	for _, partner := range s.config.Partners {
		there["partner"] = append(there["partner"], option{Code: partner.ID, Words: partner.Name})
	}
	for _, owner := range owners {
		there["owner"] = append(there["owner"], option{Code: owner, Words: ownerName(owner)})
	}
	asks := func(is string) bool {
		return slices.ContainsFunc(actions, func(a schemas.Action) bool {
			return slices.ContainsFunc(a.Fields, func(f schemas.Field) bool { return f.Is == is && f.Value == "" })
		})
	}
	if journey == "" || !asks("service") && !asks("owner") {
		return there
	}
	if decided, err := s.client.decision(ctx, p, journey, ""); err == nil {
		for _, one := range decided.Items {
			there["service"] = append(there["service"], option{Code: one.Service, Words: one.Name})
			there["owner"] = append(there["owner"],
				option{Code: schemas.OwnerService + ":" + one.Service, Words: one.Name})
		}
	}
	slices.SortStableFunc(there["service"], func(a, b option) int { return strings.Compare(a.Words, b.Words) })
	return there
}
