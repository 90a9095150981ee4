package delivery

import (
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// maxBody bounds a request.
const maxBody = 16 << 10

// api answers HTTP.
type api struct {
	*Service
	pool *pgxpool.Pool
}

// Routes adds the service's paths to mux. The mux must have put a principal into the context (principal.Require);
// Attach comes first.
func (s *Service) Routes(mux *httpx.Mux, pool *pgxpool.Pool) error {
	a := api{Service: s, pool: pool}
	mux.Handle("POST "+schemas.SignInMails, a.mailSignIn)
	mux.Handle("POST "+schemas.OpenLink, a.openLink)
	return httpx.Register(mux, schemas.RoutesOf(Name), map[string]httpx.Handler{
		"GET /api/feed":                        a.feed,
		"GET /api/referrals/feed":              a.referralFeed,
		"GET /api/stream":                      a.stream,
		"GET /api/told":                        a.told,
		"GET /api/journeys/{id}/told":          a.toldOf,
		"GET /api/subscriptions":               a.listSubscriptions,
		"POST /api/subscriptions":              a.subscribeTo,
		"GET /api/subscriptions/{id}":          a.showSubscription,
		"DELETE /api/subscriptions/{id}":       onSubscription(a, false, a.end),
		"GET /api/subscriptions/{id}/attempts": a.attempts,
		"POST /api/subscriptions/{id}/secret":  onSubscription(a, true, a.changeSecret),
		"POST /api/subscriptions/{id}/state":   onSubscription(a, false, a.setState),
		"POST /api/subscriptions/{id}/again":   onSubscription(a, false, a.again),
		"POST /api/subscriptions/{id}/test":    onSubscription(a, false, a.test),
		"GET /api/partners/{id}/notice":        a.showNotice(partnersBox),
		"PUT /api/partners/{id}/notice":        a.setNotice(partnersBox),
		"GET /api/referrals/notice":            a.showNotice(referrersBox),
		"PUT /api/referrals/notice":            a.setNotice(referrersBox),
		"GET /api/outbox-mail":                 a.mailbox,
	}, principal.Guard)
}

func noSubscription() error {
	return httpx.NewProblem(http.StatusNotFound, "There is no such subscription of yours. GET /api/subscriptions "+
		"lists them.")
}
