package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"footbridge/libs/service"
	"footbridge/services/gateway/signin"
)

// TestTheDryRunSaysWhomClaimsMakeAndWhy: as the guide shows it, by the examples that are shipped.
func TestTheDryRunSaysWhomClaimsMakeAndWhy(t *testing.T) {
	t.Parallel()
	m, err := signin.LoadMapping("../../deploy/sign-in/cis2.yaml")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := readClaims("../../deploy/sign-in/cis2.claims.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := providerOf(m, "", claims) // by the issuer that they name
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	printDecision(&out, p, m.Try(p, claims))
	guide, err := os.ReadFile("../../docs/guides/sign-in.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), out.String()) {
		t.Errorf("the guide shows another answer than\n%s", out.String())
	}
	claims["acr"] = "AAL1_USERPASS"
	if d := m.Try(p, claims); len(d.Choices) != 0 || !strings.Contains(strings.Join(d.Why, "\n"), "requirements") {
		t.Errorf("with less assurance than is asked for: %+v", d)
	}
	for claim, other := range map[string]map[string]any{"no issuer": {},
		"another issuer": {"iss": "https://x.example"}} {
		if _, err := providerOf(&signin.Mapping{Providers: append(m.Providers,
			signin.Provider{ID: "b", Issuer: "https://b.example"})}, "",
			other); service.ExitCode(err) != 2 {
			t.Errorf("claims of %s: %v", claim, err)
		}
	}
}

func TestAMistakeInHowStaffSignInIsSaidBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	wrong := filepath.Join(t.TempDir(), "sign-in.yaml")
	if err := os.WriteFile(wrong, []byte("providers: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const file, url = "../../deploy/sign-in/cis2.yaml", "https://footbridge.example.nhs.uk"
	secret := func(of string) map[string]service.Secret { return map[string]service.Secret{of: "geheim"} }
	for says, c := range map[string]Config{
		"":                          {URL: url, SignIn: signInSettings{File: file, Secrets: secret("cis2")}},
		"FOOTBRIDGE_URL is":         {SignIn: signInSettings{File: file}},
		"FOOTBRIDGE_OUR_TRUST_SIGN": {URL: url, SignIn: signInSettings{File: file, Secrets: secret("our-trust")}},
		"FOOTBRIDGE_SIGN_IN_FILE":   {URL: url, SignIn: signInSettings{File: "./nowhere.yaml"}},
		"names no provider":         {URL: url, SignIn: signInSettings{File: wrong}},
	} {
		err := c.checkSignIn()
		if (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) ||
			strings.Contains(err.Error(), "geheim")) {
			t.Errorf("%q: %v", says, err)
		}
	}
	if err := (&Config{}).checkSignIn(); err != nil {
		t.Errorf("without a file, which is no mistake: %v", err)
	}
}

// The sign-in page names the providers of the file as it is now; one that is wrong changes nothing.
func TestTheSignInPageNamesTheProvidersOfTheFileAsItIsNow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sign-in.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	provider := func(id string) string {
		return "  - {id: " + id + ", name: The " + id + ", issuer: 'https://" + id + ".example', client: footbridge}\n"
	}
	write("providers:\n" + provider("first"))
	ways, err := (&Config{SignIn: signInSettings{File: path}}).ways()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, names string }{{"providers:\n" + provider("first"), "The first"},
		{"providers:\n" + provider("first") + provider("second"), "The first, The second"},
		{"providers: []\n", "The first, The second"}, {"providers:\n" + provider("second"), "The second"}} {
		write(c.text)
		var names []string
		for _, way := range ways.now() {
			names = append(names, way.Name)
		}
		if got := strings.Join(names, ", "); got != c.names {
			t.Errorf("the page names %s, not %s", got, c.names)
		}
	}
}
