package delivery

import (
	"context"
	"net/http"
	"strings"
	"time"

	"footbridge/libs/flow"
)

// handshakes asks new endpoints whether they want to get events, as the HTTP webhook specification of CloudEvents has
// it: an OPTIONS request with WebHook-Request-Origin, which the endpoint answers with WebHook-Allowed-Origin. Nothing
// is sent before that.
func (s *Service) handshakes(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	out := s.sending.Load()
	if out == nil {
		return 0, nil
	}
	var found []subscription
	newEndpoints(tx, limit, tx.Now, tx.Now.Add(leaseFor), func(one subscription) { found = append(found, one) })
	tx.AfterCommit(func() {
		for _, one := range found {
			out.begin(func() { s.shakeHands(out, one) })
		}
	})
	err = tx.Flush()
	return len(found), err
}

func (s *Service) shakeHands(out *sender, one subscription) {
	agreed, because := out.ask(one.URL, s.origin)
	patience, cancel := context.WithTimeout(context.WithoutCancel(out.life), leaseFor/2)
	defer cancel()
	err := s.flow.Do(patience, func(tx *flow.Tx) error {
		again := tx.Now
		if !agreed {
			again = again.Add(min(time.Second<<min(one.Failures, 12), time.Hour))
		}
		saveHandshake(tx, one.ID, agreed, because, again)
		return nil
	})
	if err == nil && agreed {
		s.wake("take")
	}
}

// ask asks an endpoint; because says why it has not agreed.
func (o *sender) ask(url, origin string) (agreed bool, because string) {
	request, err := http.NewRequestWithContext(o.life, http.MethodOptions, url, nil)
	if err != nil {
		return false, outOfReach
	}
	request.Header.Set("WebHook-Request-Origin", origin)
	request.Header.Set("User-Agent", userAgent)
	answer, err := o.client.Do(request)
	if err != nil {
		return false, outcomeOf(0, err)
	}
	_ = answer.Body.Close()
	allowed := strings.TrimSpace(answer.Header.Get("WebHook-Allowed-Origin"))
	if outcome := outcomeOf(answer.StatusCode, nil); outcome != cameThrough {
		return false, outcome
	}
	if allowed != "*" && !strings.EqualFold(allowed, origin) {
		return false, notAgreed
	}
	return true, ""
}

// notAgreed is that an endpoint answered the question whether it wants events, and did not say yes.
const notAgreed = "not-agreed"
