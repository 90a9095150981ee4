package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"footbridge/libs/testkit"
	"footbridge/tests/system"
)

// Staff sign in by an identity provider, choose who they are where that is several, work, and sign out here and there,
// with scripts and without; whoever is nobody here is told whom to ask.
func TestStaffSignInByTheirProviderWithABrowser(t *testing.T) {
	t.Parallel()
	s := system.StartWith(t, "FOOTBRIDGE_OIDC=true", "FOOTBRIDGE_OIDC_ADDR="+testkit.FreeAddr(t))
	browser := start(t)
	for _, scripts := range []bool{true, false} {
		ctx := open(t, browser, 1280)
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: !scripts})
		ok(t, err)
		words := func(selector string, says ...string) {
			t.Helper()
			text := strings.ToLower(read(t, ctx, chromedp.Text(selector)))
			for _, one := range says {
				if !strings.Contains(text, strings.ToLower(one)) {
					t.Errorf("scripts %v: %q is not said: %s", scripts, one, text)
				}
			}
		}
		accessible := func(name string) {
			t.Helper()
			if scripts {
				check(t, ctx, 1280, name)
			}
		}
		toProvider := `a[href^="/sign-in/with/made-up"]`
		do(t, ctx, visit("http://"+s.HTTP+"/journeys"), visible(toProvider))
		picture(t, ctx, "sign-in-with-provider")
		do(t, ctx, press(toProvider), visible(`input[value="stranger"]`), press(`input[value="stranger"]`),
			press(`form button`), visible(`a[href="/get-support"]`))
		words("main", "You cannot use Footbridge yet", "whoever started this system")
		accessible("somebody who is nobody here")
		picture(t, ctx, "sign-in-nobody")
		do(t, ctx, visit("http://"+s.HTTP+"/journeys"), press(toProvider),
			visible(`input[value="liaison-navigator"]`), press(`input[value="liaison-navigator"]`),
			press(`form button`), visible(`form[action="/sign-in/role"]`))
		accessible("choosing who one is")
		do(t, ctx, press(`form[action="/sign-in/role"] button`), visible(`.nhsuk-error-summary`))
		words("main", "Choose who you are here today")
		accessible("choosing nobody")
		do(t, ctx, press(`input[value="RXX navigator "]`), press(`form[action="/sign-in/role"] button`),
			visible(`.nhsuk-header__account`))
		words(".nhsuk-header__account", "navigator")
		words("h1", "journeys")
		do(t, ctx, press(`form[action="/sign-out"] button`), visible(`a[href="/sign-in/leave/made-up"]`))
		words("main", "You have signed out", "Sign out of the made-up provider too")
		accessible("signed out here")
		do(t, ctx, press(`a[href="/sign-in/leave/made-up"]`), visible(toProvider))
		words("h1", "Sign in")
	}
}
