package browser

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// TestTheWholeWayOfACharity is what somebody sees who starts the system on a clean machine: a navigator adds a partner,
// two people turn sending on, a mail comes to the mailbox of development, its link is answered in two presses, and the
// partner's worker signs in, books in the person's hours and says that the session was kept. Then that worker leaves,
// and all of it is done once more by another, with scripts off.
func TestTheWholeWayOfACharity(t *testing.T) {
	t.Parallel()
	c := charityOf(t, system.Start(t))
	c.seen = true
	for _, way := range []struct {
		scripts                    bool
		name, worker, desk, person string
	}{
		{true, "Robin Peer", "robin@northgate.example", "desk@northgate.example", "Examplewood"},
		{false, "Sam Peer", "sam@northgate.example", "office@northgate.example", "Samplefield"},
	} {
		at := func(width int64) context.Context {
			ctx := open(t, c.browser, width)
			if !way.scripts {
				withoutScripts(t, ctx)
			}
			return ctx
		}
		navigator, deputy, partner := at(1280), at(1280), at(phone390)
		c.desk = navigator
		c.choose(navigator, "navigator")
		c.addsPartner(navigator, way.desk)
		code := c.added(navigator, way.name, way.worker)
		c.choose(deputy, "deputy")
		c.goesLive(navigator, deputy, way.desk)

		_, offer := c.leaves(way.person, `,"hours":["weekday-daytime"]`)
		c.answers(partner, way.desk, way.person)
		if way.scripts {
			c.entersByPasskey(partner, way.worker, code)
		} else {
			c.entersByDigits(partner, way.worker, code)
		}
		do(t, partner, visit(c.at+"/offers/"+offer))
		c.keeps(partner, offer, way.person, phone390, way.scripts)

		do(t, navigator, visit(c.at+"/partners/"+c.partner+"/workers"))
		c.unfolds(navigator, `details:has(input[name="do"][value="end"])`)
		do(t, navigator, press(`form:has(input[name="do"][value="end"]) button`),
			absent(`form:has(input[name="do"][value="end"])`))
		c.isOut(partner)
	}
}

// choose signs somebody of a development system in.
func (c *charity) choose(ctx context.Context, who string) {
	c.t.Helper()
	do(c.t, ctx, visit(c.at+"/sign-in"), press(`input[value="`+who+`"]`),
		press(`form[action="/sign-in"] button`), visible(`.nhsuk-header__account`))
}

// addsPartner is what a navigator does to have a partner: its agreement is recorded, and where its mail goes.
func (c *charity) addsPartner(ctx context.Context, mail string) {
	c.t.Helper()
	page := `/partners/` + c.partner
	do(c.t, ctx, visit(c.at+"/steps"), press(`a[href="/partners"]`),
		visible(`main a[href="`+page+`"]`))
	do(c.t, ctx, press(`main a[href="`+page+`"]`), visible(`#next`))
	values := map[string]string{"outwardName": "Northgate", "safeguarding": "01632 960001"}
	for part, day := range map[string]time.Time{"from": time.Now().AddDate(0, 0, -1),
		"until": time.Now().AddDate(1, 0, 0)} {
		values[part+"-day"], values[part+"-month"], values[part+"-year"] = strconv.Itoa(day.Day()),
			strconv.Itoa(int(day.Month())), strconv.Itoa(day.Year())
	}
	c.fills(ctx, "/agreement", values)
	do(c.t, ctx, visit(c.at+page), visible(`#next`))
	c.fills(ctx, "/notice", map[string]string{"to": mail}, chosen("by", "email"))
	if text := read(c.t, ctx, chromedp.Text("main")); !strings.Contains(text, mail) || !strings.Contains(text,
		"In force") {
		c.t.Errorf("the partner is shown as %q", text)
	}
}

// fills unfolds the form that sends to a path, fills it in, chooses, and sends it.
func (c *charity) fills(ctx context.Context, does string, values map[string]string, choices ...string) {
	c.t.Helper()
	about := `details:has(input[name="does"][value$="` + does + `"]):has(input:not([type="hidden"]))`
	c.unfolds(ctx, about)
	for name, value := range values {
		do(c.t, ctx, chromedp.SetValue(about+` input[name$=".`+name+`"]:not([type="hidden"])`, value))
	}
	for _, choice := range choices {
		do(c.t, ctx, press(about+` `+choice))
	}
	do(c.t, ctx, press(about+` form button`), visible(`.nhsuk-notification-banner--success`))
}

// goesLive is what two people decide: one says what it rests on, the other has read that and confirms it.
func (c *charity) goesLive(first, second context.Context, version string) {
	c.t.Helper()
	do(c.t, first, visit(c.at+"/going-live"), visible(`#next`))
	c.fills(first, "/going-live", map[string]string{"safetyOfficer": "Dr Example, since 3 May", "hazardLog": version,
		"dpia": "DPIA-12", "caldicott": "1 June, by the Guardian"})
	const confirm = `form:has(input[type="hidden"][name$=".hazardLog"]) button`
	if read(c.t, first, chromedp.Evaluate[bool](`!!document.querySelector('`+confirm+`')`)) {
		c.t.Error("who asked may confirm")
	}
	do(c.t, second, visit(c.at+"/going-live"), visible(`#next`), press(confirm),
		visible(`.nhsuk-notification-banner--success`))
	if text := read(c.t, second, chromedp.Text("main")); !strings.Contains(text, "Confirmed") ||
		!strings.Contains(text, version) {
		c.t.Errorf("confirmed, it is shown as %q", text)
	}
}

// linkShown waits until a mail to an address was sent, and gives the link in the newest one that was not given before,
// as the page of what was mailed shows it.
func (c *charity) linkShown(to, link string) (found string) {
	c.t.Helper()
	if c.given == nil {
		c.given = map[string]bool{}
	}
	looks := principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "dev-navigator"}
	of := regexp.MustCompile(link)
	system.Eventually(c.t, func() error {
		var sent struct{ Items []struct{ To, Text string } }
		if err := json.Unmarshal(c.AskAs(looks, http.MethodGet, "/api/outbox-mail", "", nil).Body, &sent); err != nil {
			return err
		}
		for _, mail := range sent.Items {
			if found = of.FindString(mail.Text); mail.To == to && found != "" && !c.given[found] {
				c.given[found] = true
				return nil
			}
		}
		return errors.New("no mail with a new link was sent")
	})
	do(c.t, c.desk, visit(c.at+"/outbox-mail"), visible("h1"))
	if shown := read(c.t, c.desk, chromedp.Text("main")); !strings.Contains(shown, found) {
		c.t.Errorf("the mail is not shown in %q", shown)
	}
	return found
}

// answers is what whoever reads the partner's mailbox does: the link in the mail is opened and answered in two presses.
func (c *charity) answers(ctx context.Context, desk, person string) {
	c.t.Helper()
	link := c.linkShown(desk, `/p/[0-9a-z]+`)
	if shown := read(c.t, c.desk, chromedp.Text("main")); strings.Contains(shown, person) {
		c.t.Error("the mail names the person")
	}
	do(c.t, ctx, visit(c.at+link), visible(`#next`))
	do(c.t, ctx, press(`a[href="?say=accept"]`), press(`form#next button`),
		visible(`input[value="undo"] ~ button`))
	if shown := read(c.t, ctx, chromedp.Text("body")); !strings.Contains(shown, "You said yes") ||
		strings.Contains(shown, person) {
		c.t.Errorf("what was answered is shown as %q", shown)
	}
}

// isOut looks that somebody who has left sees nothing any more.
func (c *charity) isOut(ctx context.Context) {
	c.t.Helper()
	do(c.t, ctx, visit(c.at+"/offers"), visible(`a[href="/sign-in/worker"]`))
}
