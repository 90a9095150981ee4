package mail_test

import (
	"context"
	"maps"
	"net"
	"strings"
	"testing"

	"footbridge/libs/mail"
)

// zone answers what stands in it, and fails where it is told to.
type zone map[string][]string

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	found, known := z[name]
	if !known {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if len(found) == 1 && found[0] == "fails" {
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	return found, nil
}

func TestWhatOthersJudgeMailByIsLookedAt(t *testing.T) {
	t.Parallel()
	well := zone{"fb.trust.example": {"some-other=1", "v=spf1 include:mx.example -all"},
		"s1._domainkey.fb.trust.example": {"v=DKIM1; k=rsa; p=MIIB"},
		"_dmarc.trust.example":           {"v=DMARC1; p=reject; rua=mailto:x@trust.example"}}
	for name, c := range map[string]struct {
		change   zone
		selector string
		want     string // in the error, or with a plus sign in the notes
	}{
		"all well":                {nil, "s1", ""},
		"no SPF":                  {zone{"fb.trust.example": {"other"}}, "s1", "SPF: fb.trust.example does not say"},
		"two of them":             {zone{"fb.trust.example": {"v=spf1 -all", "v=spf1 ~all"}}, "s1", "2 records"},
		"everybody may":           {zone{"fb.trust.example": {"v=spf1 +all"}}, "s1", "lets everybody"},
		"nothing of others":       {zone{"fb.trust.example": {"v=spf1 mx"}}, "s1", "+does not say what is to become"},
		"one that only looks so":  {zone{"fb.trust.example": {"v=spf10 -all"}}, "s1", "does not say"},
		"no selector":             {nil, "", "FOOTBRIDGE_MAIL_DKIM_SELECTOR"},
		"another selector":        {nil, "s2", "no key at s2._domainkey"},
		"a key that was taken":    {zone{"s1._domainkey.fb.trust.example": {"v=DKIM1; p="}}, "s1", "taken back"},
		"no DMARC":                {zone{"_dmarc.trust.example": {"x"}}, "s1", "DMARC: fb.trust.example"},
		"DMARC that only watches": {zone{"_dmarc.trust.example": {"v=DMARC1; p=none"}}, "s1", "+p=none"},
		"its own DMARC first":     {zone{"_dmarc.fb.trust.example": {"v=DMARC1;p=none"}}, "s1", "+_dmarc.fb.trust"},
		"a server that fails":     {zone{"fb.trust.example": {"fails"}}, "s1", "could not be looked up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := maps.Clone(well)
			maps.Copy(at, c.change)
			notes, err := mail.CheckDomain(t.Context(), at, "a@fb.trust.example", "", c.selector)
			said := strings.Join(notes, " ")
			if err != nil {
				said = err.Error()
			}
			want, note := strings.CutPrefix(c.want, "+")
			if (err == nil) != (note || want == "") || !strings.Contains(said, want) || want == "" && said != "" {
				t.Errorf("it says %q (%v), and not %q", said, err, c.want)
			}
		})
	}
	if _, err := mail.CheckDomain(t.Context(), well, "a@fb.trust.example", "r@back.example", "s1"); err == nil ||
		!strings.Contains(err.Error(), "SPF: back.example") {
		t.Errorf("where it comes back to is not looked at: %v", err)
	}
}
