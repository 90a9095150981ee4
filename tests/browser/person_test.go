package browser

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"footbridge/libs/httpx"
	"footbridge/schemas"
)

const ownCode, ownWord, ownSession = "7K2M-4XQ9-W8TB", "blue kettle", "a-session"

// ownPage is intake as far as it says whose a code and a session are.
func (s *site) ownPage(w http.ResponseWriter, r *http.Request) {
	var said struct{ Code, Word, Session string }
	_ = json.NewDecoder(r.Body).Decode(&said)
	switch do := r.PathValue("do"); {
	case do == "open" && said.Code == ownCode && said.Word == ownWord:
		_ = httpx.WriteJSON(w, http.StatusOK, schemas.OwnPageOpened{Session: ownSession})
	case do == "session" && said.Session == ownSession:
		_ = httpx.WriteJSON(w, http.StatusOK, schemas.OwnPageHolder{Person: stepID, Journey: journeyID})
	case do == "leave":
		w.WriteHeader(http.StatusNoContent)
	default:
		httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusNotFound, "Nothing opens with this."))
	}
}

// TestAPersonOpensTheirPageWithoutScriptsAndSaysNo: after a word that was typed wrongly, on a phone; nothing of what
// was typed is in an address.
func TestAPersonOpensTheirPageWithoutScriptsAndSaysNo(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	ctx := open(t, browser, phone)
	withoutScripts(t, ctx)
	do(t, ctx, visit(at.URL+"/y"), visible(`#code`), chromedp.SendKeys(`#code`, ownCode),
		chromedp.SendKeys(`#word`, "red kettle"), press(`main form button`), visible(`.nhsuk-error-summary`),
		chromedp.SendKeys(`#code`, ownCode), chromedp.SendKeys(`#word`, ownWord), press(`main form button`),
		visible(`a[href="/y/more"]`), press(`a[href="/y/more"]`), visible(`#more`),
		press(`details:has(input[value="no"]) summary`), visible(`#to-1`), press(`#to-2`),
		press(`details:has(input[value="no"]) button`), visible(`.nhsuk-notification-banner--success`))
	sent := at.posted()
	if len(sent) != 1 || !strings.Contains(sent[0].Body, `"state":"declined"`) || sent[0].Who.Subject != stepID ||
		sent[0].Who.Role != string(schemas.Person) {
		t.Errorf("sent %+v", sent)
	}
	where := read(t, ctx, chromedp.Location())
	for _, planted := range []string{"kettle", journeyID, ownCode} {
		if strings.Contains(where, planted) {
			t.Errorf("the address is %s", where)
		}
	}
}

func TestThePersonsPagesAndWhatIsPrintedAreAccessible(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	for name, width := range map[string]int64{"a screen": 1280, "a phone": phone} {
		ctx := open(t, browser, width)
		do(t, ctx, visit(at.URL+"/y"), visible(`#code`))
		check(t, ctx, width, "code on "+name)
		do(t, ctx, chromedp.SendKeys(`#code`, "0000"), press(`main form button`),
			visible(`.nhsuk-error-summary`))
		check(t, ctx, width, "wrong code on "+name)
		do(t, ctx, visit(at.URL+"/y"), visible(`#code`), chromedp.SendKeys(`#code`, ownCode),
			chromedp.SendKeys(`#word`, ownWord), press(`main form button`), visible(`a[href="/y/more"]`))
		check(t, ctx, width, "person on "+name)
		do(t, ctx, visit(at.URL+"/y/more"), visible(`#more`))
		check(t, ctx, width, "person more on "+name)
		signIn(t, ctx, at, "liaison")
		do(t, ctx, visit(at.URL+"/journeys/"+journeyID+"/paper"), visible(`#paper`))
		check(t, ctx, width, "paper on "+name)
		do(t, ctx, press(`#kind-1`), chromedp.SendKeys(`#number`, "01632 960001"), press(`#checked-1`),
			press(`form:has(input[value="next"]) button`), visible(`.fb-paper`))
		check(t, ctx, width, "letter on "+name)
	}
}
