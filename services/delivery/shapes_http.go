package delivery

import "footbridge/libs/httpx"

// partnersPage is a page of a partner's log as it reads it (page.write).
type partnersPage struct {
	Items []partnersItem `json:"items"`
	// Next is the cursor after the last of the items: asking with it says that everything up to there has come.
	Next string `json:"next"`
	// More says that there is more already.
	More bool `json:"more"`
}

// partnersItem is one event of a partner's log.
type partnersItem struct {
	// Cursor is the cursor after it.
	Cursor string `json:"cursor"`
	// Event is the CloudEvent, byte for byte as a webhook brings it.
	Event envelope `json:"event"`
}

// referralsPage is a page of what an organisation is told of those it referred.
type referralsPage struct {
	Items []referralsItem `json:"items"`
	// Next is the cursor after the last of the items: asking with it says that everything up to there has come.
	Next string `json:"next"`
	// More says that there is more already.
	More bool `json:"more"`
}

// referralsItem is one event of it.
type referralsItem struct {
	// Cursor is the cursor after it.
	Cursor string `json:"cursor"`
	// Event is the CloudEvent.
	Event referralEvent `json:"event"`
}

// Shapes are what the routes read and answer.
func Shapes() map[string]httpx.Shape {
	stream := httpx.Gives[envelope]()
	stream.Media = "text/event-stream"
	shown := httpx.Takes[nothing, subscriptionShown]()
	ends := httpx.Gives[subscriptionShown]()
	return map[string]httpx.Shape{
		"GET /api/feed":                        httpx.Gives[partnersPage](),
		"GET /api/referrals/feed":              httpx.Gives[referralsPage](),
		"GET /api/stream":                      stream,
		"GET /api/subscriptions":               httpx.Gives[httpx.List[subscriptionShown]](),
		"POST /api/subscriptions":              httpx.ShapeOf[subscriptionAsked, subscriptionShown](201),
		"GET /api/subscriptions/{id}":          httpx.Gives[subscriptionShown](),
		"DELETE /api/subscriptions/{id}":       ends,
		"GET /api/subscriptions/{id}/attempts": httpx.Gives[httpx.List[attemptRow]](),
		"POST /api/subscriptions/{id}/secret":  shown,
		"POST /api/subscriptions/{id}/state":   httpx.Takes[stateAsked, subscriptionShown](),
		"POST /api/subscriptions/{id}/again":   httpx.Takes[againAsked, subscriptionShown](),
		"POST /api/subscriptions/{id}/test":    shown,
		"GET /api/partners/{id}/notice":        httpx.Gives[noticeShown](),
		"PUT /api/partners/{id}/notice":        httpx.Takes[noticeAsked, noticeShown](),
		"GET /api/referrals/notice":            httpx.Gives[noticeShown](),
		"PUT /api/referrals/notice":            httpx.Takes[noticeAsked, noticeShown](),
		"GET /api/outbox-mail":                 httpx.Gives[httpx.List[mailSeen]](),
		"GET /api/told":                        httpx.Gives[httpx.List[given]](),
		"GET /api/journeys/{id}/told":          httpx.Gives[httpx.List[partnerTold]](),
	}
}
