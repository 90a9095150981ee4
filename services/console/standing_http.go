package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

func (c *client) plan(ctx context.Context, p principal.Principal, journey string) (plan planOf, err error) {
	err = c.get(ctx, p, schemas.Bridging, "/api/journeys/"+url.PathEscape(journey)+"/plan", &plan)
	return plan, err
}

// standingOf puts together how a journey stands.
func (s *Console) standingOf(r *http.Request, p principal.Principal, j journey, d decision) standingView {
	now := s.config.Clock.Now()
	v := standingView{Spoke: spokeWords(j.Timeline, now, s.zone), Window: viewWindow(j.Timeline, now, s.zone)}
	v.State, v.Words = stateWords(j, s.zone)
	for i, a := range j.Actions {
		if strings.HasSuffix(a.Path, "/reopen") || strings.HasSuffix(a.Path, "/release") {
			way := recordWays(j)[i]
			v.Way = &way
		}
	}
	names := map[string]string{}
	for _, one := range d.Items {
		names[one.Service] = one.Name
	}
	v.Waits, v.OpenTo = waitsOf(d, names), openToOf(d, names)
	v.Care = careFacts(j.careOf, names)
	if opens(http.MethodGet, "/journeys/{id}/record", p.Role) {
		if plan, err := s.client.plan(r.Context(), p, j.ID); err == nil {
			v.Calls = s.viewPlan(plan, p.Role)
		}
	}
	return v
}

func (s *Console) viewPlan(plan planOf, role string) *planView {
	words := map[string]string{"proposed": "Short calls were suggested. They have not said yes.",
		"paused": "Short calls are paused.", "ended": "The short calls have ended."}[plan.State]
	if plan.State == "active" {
		every := everyWords(plan.EveryDays)
		if plan.Monthly {
			every = "Every month"
		}
		words = every + ", " + plural(plan.Minutes, "minute") + " each."
	}
	if words == "" {
		return nil
	}
	v := &planView{Words: words}
	if plan.Next != nil {
		v.Next = timeWords(plan.Next.DueAt, s.zone)
		if opens(http.MethodGet, "/calls/{id}", role) {
			v.Path = "/calls/" + url.PathEscape(plan.Next.Call)
		}
	}
	return v
}
