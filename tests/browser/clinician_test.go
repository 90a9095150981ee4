package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestAClinicianRecordsWhoMayBeAskedWithoutScripts: from the journey's page, with an answer left out at first; and both
// pages are right by axe, on a screen and on a phone.
func TestAClinicianRecordsWhoMayBeAskedWithoutScripts(t *testing.T) {
	t.Parallel()
	browser, at := start(t), newSite(t, nil)
	plain := open(t, browser, phone)
	withoutScripts(t, plain)
	signIn(t, plain, at, "clinician")
	do(t, plain, visit(at.URL+"/journeys/"+journeyID), visible(`.fb-clinician`),
		press(`.fb-clinician`), visible(`[name="a1.mayConsent.whosePhone"]`),
		press(`[name="a1.mayConsent.basis"][value="gillick"]`), chromedp.SendKeys(`[name="a1.mayConsent.whosePhone"]`,
			"her own, after 4pm"), press(`#a1 button`), visible(`.nhsuk-error-summary`),
		chromedp.SendKeys(`[name="a1.mayConsent.mayKnow"]`, "her mother; not school"), press(`#a1 button`),
		visible(`.nhsuk-notification-banner--success`))
	sent := at.posted()
	const want = `{"mayConsent":{"basis":"gillick","mayKnow":"her mother; not school","whosePhone":"her own, after 4pm"}}`
	if len(sent) != 1 || sent[0].Body != want || sent[0].Who.Subject != "dev-clinician" {
		t.Errorf("sent %+v", sent)
	}
	for name, width := range map[string]int64{"a screen": 1280, "a phone": phone} {
		ctx := open(t, browser, width)
		signIn(t, ctx, at, "clinician")
		do(t, ctx, visit(at.URL+"/journeys/"+journeyID+"/clinician"),
			visible(`[name="a1.mayConsent.whosePhone"]`))
		check(t, ctx, width, "clinician on "+name)
		do(t, ctx, press(`#a1 button`), visible(`.nhsuk-error-summary`))
		check(t, ctx, width, "clinician unfinished on "+name)
	}
}
