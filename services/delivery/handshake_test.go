package delivery

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/testkit"
)

// TestAnEndpointAgreesByNamingWhoAsksOrAnybody, as the webhook specification of CloudEvents has it; until then nothing
// but the question comes to it, and why is shown. It is asked again, so that it may agree later.
func TestAnEndpointAgreesByNamingWhoAsksOrAnybody(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		allowed []string
		agrees  bool
	}{"who asks": {[]string{"footbridge.example"}, true}, "in another case": {[]string{"Footbridge.Example"}, true},
		"anybody": {[]string{"*"}, true}, "somebody else": {[]string{"another.example"}, false},
		"more than the name": {[]string{"evil-footbridge.example"}, false}, "nobody": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked, wrong, sent, later atomic.Int32
			e := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodOptions {
					sent.Add(1)
					return
				}
				if r.Header.Get("WebHook-Request-Origin") != "footbridge.example" {
					wrong.Add(1)
				}
				allowed := tc.allowed
				if asked.Add(1); later.Load() > 0 {
					allowed = []string{"*"}
				}
				for _, one := range allowed {
					w.Header().Set("WebHook-Allowed-Origin", one)
				}
			}))
			t.Cleanup(e.Close)
			s, partner := newSite(t, Config{Allow: loopback()}), clock.NewRandomID()
			made := s.subscribes(partner, e.URL, "")
			s.offers(partner)
			s.work()
			shown := func() (one subscriptionShown) {
				s.ask(partner, "GET", "/api/subscriptions/"+made.ID, "", &one)
				return one
			}
			if !tc.agrees {
				testkit.Eventually(t, "why nothing is sent is shown", func() bool {
					return shown().Because == notAgreed
				})
				if state := shown().State; state != pending || sent.Load() != 0 {
					t.Errorf("it is %s, and %d events came", state, sent.Load())
				}
				later.Store(1)
				s.clock.Set(s.clock.Offset() + time.Hour)
			}
			testkit.Eventually(t, "what waits comes once it agrees", func() bool {
				return shown().State == active && sent.Load() == 1
			})
			if wrong.Load() != 0 || asked.Load() == 0 {
				t.Errorf("it was asked %d times, %d of them not by the name of this system", asked.Load(), wrong.Load())
			}
		})
	}
}
