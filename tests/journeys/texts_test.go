package journeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/schemas"
	"footbridge/tests/system"
)

// A session within a day is reminded of by text where the person asked for it, through the whole system: the number is
// asked for by delivery at sending, and stands in no table of its, no event and no trace.
func TestASessionIsRemindedOfByText(t *testing.T) {
	t.Parallel()
	const digits = "900654"
	o := &offering{System: system.Start(t), t: t}
	peers := o.partner(secondService)
	o.leaves(peers)
	o.must(o.Ask(schemas.SendingTeam, http.MethodPost, "/api/journeys/"+o.journey+"/contact", typeJSON,
		[]byte(`{"channels":[{"channel":"text","value":"07700 `+digits+
			`","confirmed":true,"toHour":24,"reminders":true}]}`)),
		http.StatusOK)
	offer := o.mayBeSent(peers)
	o.brought(offer, peers)
	o.must(o.says(peers, offer, "accept", `{}`), http.StatusOK)
	system.Eventually(t, func() error {
		if got := o.identity(peers); got.Status != http.StatusOK {
			return fmt.Errorf("who the person is: %d", got.Status)
		}
		return nil
	})
	o.must(o.says(peers, offer, "appointment", `{"startsAt":"`+ago(-12*time.Hour)+`","channel":"in-person"}`),
		http.StatusOK)
	system.Eventually(t, func() error {
		got := o.Ask(schemas.Navigator, http.MethodGet, "/api/outbox-mail", "", nil)
		var all struct {
			Items []struct{ Subject, To, Text string }
		}
		if err := json.Unmarshal(got.Body, &all); err != nil {
			return err
		}
		for _, one := range all.Items {
			if one.Subject == "A text" && strings.HasPrefix(one.Text, "The reminder that you asked for") {
				return nil
			}
		}
		return errors.New("no text so far")
	})
	for _, table := range []string{"delivery.text", "delivery.journey_state", "delivery.outbox", "followup.outbox",
		"intake.outbox", "delivery.partner_event"} {
		var with int
		o.one(&with, `select count(*) from `+table+` t where t::text like '%`+digits+`%'`)
		if with > 0 {
			t.Errorf("the number stands in %s", table)
		}
	}
	var uses int
	o.one(&uses, `select count(*) from intake.access_log where journey = $1::uuid and sees = 'number'`, o.journey)
	if uses != 1 {
		t.Errorf("its use is kept %d times", uses)
	}
}
