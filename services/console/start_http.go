package console

import (
	"net/http"
	"net/url"
	"slices"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Where somebody begins, and what stands in their menu, follow from the routes that are open to their role.

// menu are the parts of the site, in the order in which they stand; the first that is open to somebody is where they
// begin.
var menu = []linkView{{"/steps", "What to do next"}, {"/offers", "Offers"}, {"/calendar", "Calendar"},
	{"/calls", "Calls"}, {"/told", "What you were told"},
	{"/journeys", "Journeys"}, {"/look", "Look at a journey"}, {"/search", "Search"}, {"/refer", "Ask for support"},
	{schemas.ReferralsPage, "What became of them"},
	{"/messages", "Messages"}, {operationsPath, "How it stands"}, {"/traces", "Traces"},
	{"/partners", "Your organisation"}}

type menuView struct {
	linkView
	Here bool
}

// menuOf is what somebody may open.
func menuOf(p principal.Principal, here string) (shown []menuView) {
	for _, part := range menu {
		path := part.Path
		switch {
		case path == "/partners" && p.Role == string(schemas.Partner):
			path += "/" + url.PathEscape(p.Organisation)
		case path == "/partners" && opens("GET", path, p.Role):
			part.Words = "Partners"
		case !opens("GET", path, p.Role):
			continue
		}
		shown = append(shown, menuView{linkView{path, part.Words}, part.Path == here})
	}
	return shown
}

// opens says whether a page is open to a role, by the console's own routes.
func opens(method, pattern, role string) bool {
	i := slices.IndexFunc(pageRoutes, func(r schemas.Route) bool { return r.Method == method && r.Pattern == pattern })
	return i >= 0 && pageRoutes[i].Allows(schemas.Role(role))
}

var pageRoutes = Routes()

// begin leads somebody to where they begin. Whoever has no list of their own reads what there is for them.
func (s *Console) begin(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if shown := menuOf(p, ""); len(shown) > 0 {
		http.Redirect(w, r, shown[0].Path, http.StatusSeeOther)
		return nil
	}
	return s.show(w, r, http.StatusOK, "start", view{Title: "Start", Page: startWords[p.Role]})
}
