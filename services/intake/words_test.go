package intake

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"footbridge/libs/httpx"
	"footbridge/schemas"
)

func TestEveryReasonToSetAMessageAsideHasWords(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{ReasonUndecided, ReasonRecoded, ReasonSetting, ReasonByHand, ReasonNoPerson, ReasonNoVisit, ReasonNoTime, ReasonBroken,
		ReasonTruncated, ReasonFault, ReasonSilent, ReasonFalling, ReasonUnknowns} {
		if wordsFor(reason) == "" {
			t.Errorf("no words for %s", reason)
		}
	}
	for _, flag := range schemas.Values("flag") {
		if wordsFor(flag+" "+ReasonPersonOther) == "" {
			t.Errorf("no words for %s", flag)
		}
	}
}

func TestAMessageIsReleasedWithWhatAHumanKnowsBetter(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client, h := p.dial(t), newHospital()
	send(t, client, h.message("A04", reason("248062006", "", "SCT")))
	end := string(h.message("A03"))
	stamp := h.at.In(london).Format("20060102150405")
	send(t, client, []byte(strings.ReplaceAll(replaceOnce(end, "EVN|A03|"+stamp, "EVN|A03|"), "|"+stamp+"\r", "|\r")))
	navigator := httptest.NewServer(p.mux("navigator", ""))
	t.Cleanup(navigator.Close)
	var list httpx.List[LedgerLine]
	call(t, http.MethodGet, navigator.URL+"/api/messages?outcome=quarantined", http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].Reason != ReasonNoTime || list.Items[0].Words == "" {
		t.Fatalf("set aside: %+v", list.Items)
	}
	release := func(body string) (int, string) {
		response, err := http.Post(navigator.URL+"/api/messages/"+list.Items[0].ID+"/release", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		answer := make([]byte, 4096)
		n, _ := response.Body.Read(answer)
		return response.StatusCode, string(answer[:n])
	}
	if status, answer := release(`{"facts":{"gender":"F"}}`); status != http.StatusUnprocessableEntity {
		t.Errorf("a fact that is none: %d %s", status, answer)
	}
	if status, answer := release(`{"facts":{"areaResidence":"area-north"}}`); status != http.StatusUnprocessableEntity {
		t.Errorf("still without a time: %d %s", status, answer)
	}
	status, answer := release(`{"leftAt":"` + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + `","facts":{"areaResidence":"area-north"}}`)
	if status != http.StatusOK || !strings.Contains(answer, `"raised"`) {
		t.Errorf("with a time: %d %s", status, answer)
	}
}
