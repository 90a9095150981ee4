package flow

import "testing"

func TestAFilterTakesWhatTheBrokerWouldGive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, subject string
		want            bool
	}{
		{"footbridge.offer.raised.v1.*", "footbridge.offer.raised.v1.j", true},
		{"footbridge.offer.raised.v1.*", "footbridge.offer.raised.v1", false},
		{"footbridge.offer.raised.v1.*", "footbridge.offer.raised.v1.j.k", false},
		{"footbridge.offer.raised.v1.*", "footbridge.offer.sent.v1.j", false},
		{"footbridge.>", "footbridge.journey.in-void.v1.j", true},
		{"footbridge.>", "footbridge", false},
		{">", "partner.p", true},
	} {
		if got := fits(c.filter, c.subject); got != c.want {
			t.Errorf("%s takes %s: %v", c.filter, c.subject, got)
		}
	}
}
