package signin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"footbridge/services/gateway/signin"
)

const cis2 = `
providers:
  - id: cis2
    name: NHS smartcard
    issuer: https://am.example.nhs.uk/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare
    client: "123.apps.national"
    subject: nhsid_useruid
  - id: trust
    issuer: https://login.example.nhs.uk/realms/staff
    client: footbridge
disabled: [trust/leaver]
rules:
  - {provider: cis2, each: nhsid_nrbac_roles, when: {org_code: RXX, role_code: ["S8000:G8000:R8001", "S0080:G0450:R5080"]},
     organisation: RXX, role: sending-team}
  - {provider: cis2, each: nhsid_nrbac_roles, when: {org_code: RYY, role_code: "S8000:G8000:R8001"},
     organisation: RYY, role: treating-staff}
  - {provider: trust, when: {realm_access.roles: navigators, email_verified: "true"}, organisation: RXX, role: navigator,
     teams: [navigator:deputy], name: Deputy navigator}
  - {provider: trust, when: {"https://example.nhs.uk/groups": operators}, organisation: RXX, role: operator}
`

func read(t *testing.T, text string) *signin.Mapping {
	t.Helper()
	m, err := signin.ReadMapping([]byte(text))
	ok(t, err)
	return m
}

// decided is who somebody may be, by claims as JSON.
func decided(t *testing.T, m *signin.Mapping, provider, claims string) signin.Decision {
	t.Helper()
	var all map[string]any
	ok(t, json.Unmarshal([]byte(claims), &all))
	p, known := m.Provider(provider)
	if !known {
		t.Fatalf("no provider %q", provider)
	}
	d := m.Decide(p, all)
	// what a session keeps decides alike
	if again := m.Decide(p, m.Kept(p, all)); !slices.Equal(again.Choices, d.Choices) || again.Subject != d.Subject ||
		!slices.Equal(again.LeftOut, d.LeftOut) {
		t.Errorf("by the claims that are kept: %+v, not %+v", again, d)
	}
	return d
}

func TestClaimsMakeSomebodyWhomTheFileSays(t *testing.T) {
	t.Parallel()
	m := read(t, cis2)
	role := func(org, code string) string {
		return `{"org_code":"` + org + `","role_code":"` + code + `","person_roleid":"555"}`
	}
	for claim, c := range map[string]struct {
		provider, claims string
		want             []string
	}{
		"a role of theirs": {"cis2", `{"nhsid_useruid":"910","nhsid_nrbac_roles":[` + role("RXX", "S8000:G8000:R8001") +
			`]}`, []string{"RXX sending-team "}},
		"two roles at two hospitals": {"cis2", `{"nhsid_useruid":"910","nhsid_nrbac_roles":[` +
			role("RXX", "S0080:G0450:R5080") + "," + role("RYY", "S8000:G8000:R8001") + `]}`,
			[]string{"RXX sending-team ", "RYY treating-staff "}},
		"organisation and role of two different roles": {"cis2", `{"nhsid_useruid":"910","nhsid_nrbac_roles":[` +
			role("RXX", "R9") + "," + role("RZZ", "S8000:G8000:R8001") + `]}`, nil},
		"no subject":    {"cis2", `{"nhsid_nrbac_roles":[` + role("RXX", "S8000:G8000:R8001") + `]}`, nil},
		"no roles":      {"cis2", `{"nhsid_useruid":"910"}`, nil},
		"roles as text": {"cis2", `{"nhsid_useruid":"910","nhsid_nrbac_roles":"S8000:G8000:R8001"}`, nil},
		"another provider's claims": {"trust", `{"sub":"910","nhsid_useruid":"910","nhsid_nrbac_roles":[` +
			role("RXX", "S8000:G8000:R8001") + `]}`, nil},
		"nested": {"trust", `{"sub":"a","email_verified":true,"realm_access":{"roles":["staff","navigators"]}}`,
			[]string{"RXX navigator navigator:deputy"}},
		"half of what is asked for": {"trust", `{"sub":"a","realm_access":{"roles":["navigators"]}}`, nil},
		"part of a word": {"trust", `{"sub":"a","email_verified":true,"realm_access":{"roles":["navigators-of-old"]}}`,
			nil},
		"a name with dots": {"trust", `{"sub":"a","https://example.nhs.uk/groups":["operators"]}`,
			[]string{"RXX operator "}},
		"a leaver":            {"trust", `{"sub":"leaver","https://example.nhs.uk/groups":["operators"]}`, nil},
		"a subject of blanks": {"trust", `{"sub":"a b","https://example.nhs.uk/groups":["operators"]}`, nil},
	} {
		d := decided(t, m, c.provider, c.claims)
		var got []string
		for _, choice := range d.Choices {
			got = append(got, choice.Key())
		}
		if !slices.Equal(got, c.want) || len(d.Why) == 0 {
			t.Errorf("%s: %q, because %q", claim, got, d.Why)
		}
	}
}

func TestAClaimThatWasLeftOutForItsLengthIsSaidToBe(t *testing.T) {
	t.Parallel()
	m := read(t, strings.ReplaceAll(cis2, `"https://example.nhs.uk/groups"`, "groups"))
	for _, claims := range []string{`{"sub":"a","hasgroups":true}`,
		`{"sub":"a","_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://elsewhere.example"}}}`} {
		if d := decided(t, m, "trust", claims); len(d.Choices) > 0 || !slices.Equal(d.LeftOut, []string{"groups"}) {
			t.Errorf("%s: %+v", claims, d)
		}
	}
	if d := decided(t, m, "trust", `{"sub":"a"}`); d.LeftOut != nil {
		t.Errorf("somebody in no group: %+v", d)
	}
}

func TestAMistakeInTheFileIsSaidInALine(t *testing.T) {
	t.Parallel()
	for change, says := range map[[2]string]string{
		{"id: cis2", "id: CIS 2"}:                                   "lower-case letters",
		{"issuer: https://login", "issuer: http://login"}:           "is to begin with https://",
		{"client: footbridge", "client: \"\""}:                      "client is to be",
		{"role: navigator", "role: system"}:                         "not one that people sign in with",
		{"role: operator", "role: person"}:                          "not one that people sign in with",
		{"role: operator", "role: chief"}:                           "not one that people sign in with",
		{"{provider: trust, when", "{provider: other, when"}:        "no provider has the id",
		{"{org_code: RYY, role_code: \"S8000:G8000:R8001\"}", "{}"}: "everybody there would come in",
		{"teams: [navigator:deputy]", "teams: [\"a b\"]"}:           "is to be one word",
		{"organisation: RYY", "organisation: \"\""}:                 "organisation is to be its code",
		{"{org_code: RYY", "{org_code: \"\""}:                       "are empty",
		{"subject: nhsid_useruid", "secret: abc"}:                   "field secret not found",
		{"id: trust", "id: cis2"}:                                   "stands there twice",
		{"disabled: [trust/leaver]", "disabled: [leaver]"}:          "is to be a provider",
		{"[trust/leaver]", "[elsewhere/leaver]"}:                    "is to be a provider",
		{"rules:", "---\nrules:"}:                                   "only one document",
	} {
		text := strings.Replace(cis2, change[0], change[1], 1)
		if text == cis2 {
			t.Fatalf("%q is not in the file", change[0])
		}
		if _, err := signin.ReadMapping([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, not %q", change[1], err, says)
		}
	}
	if _, err := signin.LoadMapping(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a file that is not there is read")
	}
}

func TestTheExamplesCanBeRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../deploy/sign-in/*.yaml")
	ok(t, err)
	if len(files) < 2 {
		t.Fatalf("there are %d examples", len(files))
	}
	for _, file := range files {
		m, err := signin.LoadMapping(file)
		if err != nil {
			t.Error(err)
			continue
		}
		claims, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".claims.json")
		ok(t, err)
		if d := decided(t, m, m.Providers[0].ID, string(claims)); len(d.Choices) == 0 {
			t.Errorf("%s: its claims make nobody: %q", file, d.Why)
		}
	}
}
