package signin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/schemas"
)

// Mapping is the one file that says which identity providers people sign in with, and which of their claims make
// somebody whom here. Nobody is anybody by default.
type Mapping struct {
	Providers []Provider `yaml:"providers"`
	Rules     []Rule     `yaml:"rules"`
	// Disabled are people who may not come in whatever their claims: provider/subject, as the dry run prints it.
	Disabled []string `yaml:"disabled"`
	// Ask says in words whom somebody asks who can sign in there and is nobody here.
	Ask string `yaml:"ask"`

	folder string // where the file stands, from which it names others
}

// Provider is one identity provider, as it is configured.
type Provider struct {
	// ID stands in addresses and in the name of the setting of its secret: lower-case letters, digits and hyphens.
	ID string `yaml:"id"`
	// Name is what people call it: "NHS smartcard or passkey".
	Name   string `yaml:"name"`
	Issuer string `yaml:"issuer"`
	Client string `yaml:"client"`
	// SecretFile holds the client's secret; from the mapping file's folder. Empty: the secret is a setting, or there is
	// none.
	SecretFile string `yaml:"secret_file"`
	// KeyFile holds a private key, PEM of PKCS 8, by which the client signs who it is (private_key_jwt).
	KeyFile string `yaml:"key_file"`
	// KeyID is what the provider calls that key; empty: its thumbprint (RFC 7638).
	KeyID string `yaml:"key_id"`
	// KeyAudience is for whom what it signs is; empty: the token endpoint.
	KeyAudience string `yaml:"key_audience"`
	// Scopes are asked for; openid always is.
	Scopes []string `yaml:"scopes"`
	// ACR are the levels of assurance that are asked for, and one of which must come back; empty: any.
	ACR []string `yaml:"acr"`
	// AMR are means of signing in, one of which must have been used; empty: any.
	AMR []string `yaml:"amr"`
	// Require are further claims that must have one of these values.
	Require map[string]Values `yaml:"require"`
	// MaxAge is how long ago somebody may have shown at the provider who they are; 0: however long.
	MaxAge time.Duration `yaml:"max_age"`
	// Subject is the claim that tells one person from another, for good; empty: sub.
	Subject string `yaml:"subject"`
	// UserInfo has the claims completed by those of the provider's userinfo endpoint.
	UserInfo bool `yaml:"userinfo"`
	// CheckEvery is how often a provider that gives refresh tokens is asked whether somebody still may; 0: 5 minutes.
	CheckEvery time.Duration `yaml:"check_every"`
}

// Rule makes whoever has some claims somebody here. Several may hold: the person then chooses at sign-in.
type Rule struct {
	Provider string `yaml:"provider"`
	// Each is a claim that is a list of objects, as roles of NHS CIS2 are: When is then about one of them at a time.
	Each string `yaml:"each"`
	// When are claims and the values of which one must be there; all of them must hold. A dot leads inside:
	// realm_access.roles.
	When         map[string]Values `yaml:"when"`
	Organisation string            `yaml:"organisation"`
	Role         schemas.Role      `yaml:"role"`
	// Teams are which owners of steps such a person is, where that is not what everybody of their role is.
	Teams []string `yaml:"teams"`
	// Name is the choice in words; empty: the role's.
	Name string `yaml:"name"`
}

// Values is one value or a list of them.
type Values []string

// UnmarshalYAML takes one value or a list.
func (v *Values) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*v = Values{node.Value}
		return nil
	}
	return node.Decode((*[]string)(v))
}

// Roles are those in which staff can come in by a provider. A person has a code and a word, a system a token.
var Roles = []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.TreatingStaff, schemas.YoungPeoplesClinician,
	schemas.Caller, schemas.Partner, schemas.Operator, schemas.Commissioner}

// usualCheck is how often a provider is asked again whether somebody still may.
const usualCheck = 5 * time.Minute

// LoadMapping reads a mapping file, YAML or JSON. Errors say which line of it is wrong and what to write instead.
func LoadMapping(path string) (*Mapping, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the sign-in file: %w", err)
	}
	m, err := ReadMapping(content)
	if err != nil {
		return nil, fmt.Errorf("reading the sign-in file %q: %w", path, err)
	}
	m.folder = filepath.Dir(path)
	return m, nil
}

// ReadMapping is LoadMapping of its content.
func ReadMapping(content []byte) (*Mapping, error) {
	var m Mapping
	decoder := yaml.NewDecoder(bytes.NewReader(content)) // JSON is YAML
	decoder.KnownFields(true)
	if err := decoder.Decode(&m); err != nil {
		return nil, err
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil,
			errors.New("it is to hold only one document: what stands after a line of --- would not be looked at")
	}
	return &m, m.Check()
}

var providerID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// Check says all that is wrong with a mapping.
func (m *Mapping) Check() error {
	var errs []error
	seen := map[string]bool{}
	for i := range m.Providers {
		p := &m.Providers[i]
		if err := p.check(); err != nil {
			errs = append(errs, fmt.Errorf("provider %d, %q: %w", i+1, p.ID, err))
		}
		if seen[p.ID] {
			errs = append(errs, fmt.Errorf("provider %q stands there twice", p.ID))
		}
		seen[p.ID] = true
	}
	if len(m.Providers) == 0 {
		errs = append(errs, errors.New("it names no provider"))
	}
	for i, rule := range m.Rules {
		if err := rule.check(seen); err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i+1, err))
		}
	}
	for i, person := range m.Disabled {
		if provider, subject, _ := strings.Cut(person, "/"); !seen[provider] || !goodSubject(subject) {
			errs = append(errs, fmt.Errorf("disabled %d is to be a provider named here, a slash and a subject, as "+
				"footbridge sign-in check prints it; so it keeps nobody out", i+1))
		}
	}
	return errors.Join(errs...)
}

func (p *Provider) check() error {
	at, err := url.Parse(p.Issuer)
	switch {
	case !providerID.MatchString(p.ID):
		return errors.New("id is to be lower-case letters, digits and hyphens")
	case err != nil || at.Host == "" || at.RawQuery != "" || at.Fragment != "" || at.User != nil:
		return errors.New("issuer is to be an address, exactly as the provider writes it")
	case at.Scheme != "https" && (at.Scheme != "http" || !isLoopback(at.Hostname())):
		return errors.New("issuer is to begin with https://, so that nobody between can say who signs in")
	case p.Client == "":
		return errors.New("client is to be what the provider calls this installation (client_id)")
	case p.KeyFile != "" && p.SecretFile != "":
		return errors.New("key_file and secret_file: give one of them")
	case p.KeyFile == "" && p.KeyID+p.KeyAudience != "":
		return errors.New("key_id and key_audience are of a key: name it as key_file")
	case p.MaxAge < 0 || p.CheckEvery < 0:
		return errors.New("max_age and check_every are to be durations such as 12h and 5m")
	}
	if p.Name == "" {
		p.Name = p.ID
	}
	if p.Subject == "" {
		p.Subject = "sub"
	}
	if p.CheckEvery == 0 {
		p.CheckEvery = usualCheck
	}
	if !slices.Contains(p.Scopes, "openid") {
		p.Scopes = append([]string{"openid"}, p.Scopes...)
	}
	return nil
}

func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

func (r Rule) check(providers map[string]bool) error {
	switch {
	case !providers[r.Provider]:
		return fmt.Errorf("no provider has the id %q", r.Provider)
	case len(r.When) == 0:
		return errors.New("when is empty, so that everybody there would come in; name a claim and its value")
	case r.Organisation == "" || strings.ContainsAny(r.Organisation, " \t"):
		return errors.New("organisation is to be its code, such as RXX")
	case !slices.Contains(Roles, r.Role):
		return fmt.Errorf("role %q is not one that people sign in with here; there are %v", r.Role, Roles)
	}
	for claim, values := range r.When {
		if len(values) == 0 || slices.Contains(values, "") {
			return fmt.Errorf("the values of claim %q are empty", claim)
		}
	}
	for _, team := range r.Teams {
		if team == "" || strings.ContainsAny(team, " \t\n") {
			return fmt.Errorf("team %q is to be one word, such as team:ed-liaison", team)
		}
	}
	return nil
}

// Provider finds a provider by its id.
func (m *Mapping) Provider(id string) (Provider, bool) {
	i := slices.IndexFunc(m.Providers, func(p Provider) bool { return p.ID == id })
	if i < 0 {
		return Provider{}, false
	}
	return m.Providers[i], true
}

// Choice is one that somebody may be here.
type Choice struct {
	Organisation string       `json:"organisation"`
	Role         schemas.Role `json:"role"`
	Team         string       `json:"team,omitempty"` // teams, blanks between
	Name         string       `json:"name"`
	Rule         int          `json:"rule"` // counted from 1
}

// Key names a choice in a form: what it is, not where it stands, so that a file changed meanwhile makes nobody another.
func (c Choice) Key() string { return fmt.Sprintf("%s %s %s", c.Organisation, c.Role, c.Team) }

// Decision is what becomes of somebody's claims, and why.
type Decision struct {
	Subject string   `json:"subject,omitempty"` // as disabled names it
	Choices []Choice `json:"choices"`
	// Why has a line for each rule of the provider, and for what let nobody in. It repeats no value of a claim.
	Why []string `json:"why"`
	// LeftOut are claims that the provider left out for being too long: it is not known what they would have said.
	LeftOut []string `json:"leftOut,omitempty"`
}

// Decide says by the claims of somebody at a provider whom they may be here.
func (m *Mapping) Decide(provider Provider, claims map[string]any) Decision {
	d := Decision{Choices: []Choice{}}
	value, _ := claims[provider.Subject].(string)
	if !goodSubject(value) {
		d.Why = append(d.Why, fmt.Sprintf("claim %q, which tells people apart, is missing or no short word",
			provider.Subject))
		return d
	}
	d.Subject = provider.ID + "/" + value
	if slices.Contains(m.Disabled, d.Subject) {
		d.Why = append(d.Why, "this person stands in disabled")
		return d
	}
	for i, rule := range m.Rules {
		if rule.Provider != provider.ID {
			continue
		}
		missing := rule.misses(claims)
		if missing != "" {
			d.Why = append(d.Why, fmt.Sprintf("rule %d does not hold: %s", i+1, missing))
			d.LeftOut = append(d.LeftOut, rule.leftOut(claims)...)
			continue
		}
		choice := Choice{rule.Organisation, rule.Role, strings.Join(rule.Teams, " "), rule.Name, i + 1}
		if choice.Name == "" {
			choice.Name = wordsOf(rule.Role)
		}
		d.Why = append(d.Why, fmt.Sprintf("rule %d holds: %s at %s", i+1, rule.Role, rule.Organisation))
		if !slices.ContainsFunc(d.Choices, func(c Choice) bool { return c.Key() == choice.Key() }) {
			d.Choices = append(d.Choices, choice)
		}
	}
	slices.Sort(d.LeftOut)
	d.LeftOut = slices.Compact(d.LeftOut)
	for _, claim := range d.LeftOut {
		d.Why = append(d.Why, fmt.Sprintf("the provider left claim %q out for being too long: have it send fewer "+
			"groups, such as those given to this application alone", claim))
	}
	return d
}

// Try is Decide for a dry run: it looks at what the provider requires as well.
func (m *Mapping) Try(provider Provider, claims map[string]any) Decision {
	d := m.Decide(provider, claims)
	if missing := provider.meets(claims); missing != "" {
		d.Choices = []Choice{}
		d.Why = append(d.Why, "the provider's requirements (acr, amr, require) are not met: "+missing)
	}
	return d
}

// goodSubject says whether a text can tell somebody apart in our records: short, without blanks or what does not print.
func goodSubject(text string) bool {
	return text != "" && len(text) <= 200 && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r > '~'
	})
}

// misses says what of a rule does not hold; empty: it holds.
func (r Rule) misses(claims map[string]any) string {
	if r.Each == "" {
		return unmet(r.When, claims)
	}
	list, _ := claimAt(claims, r.Each).([]any)
	for _, one := range list {
		if object, ok := one.(map[string]any); ok && unmet(r.When, object) == "" {
			return ""
		}
	}
	return fmt.Sprintf("none of the %d in claim %q has what it asks for", len(list), r.Each)
}

// unmet names the first claim, in order, that has none of the values asked for; empty: all have.
func unmet(when map[string]Values, claims map[string]any) string {
	for _, claim := range slices.Sorted(maps.Keys(when)) {
		found := claimAt(claims, claim)
		switch {
		case found == nil:
			return fmt.Sprintf("claim %q is not there", claim)
		case !slices.ContainsFunc(textsOf(found), func(text string) bool { return slices.Contains(when[claim], text) }):
			return fmt.Sprintf("claim %q has another value", claim)
		}
	}
	return ""
}

// claimAt finds a claim by its name, which may have dots in it, or by names with dots between, which lead inside.
func claimAt(claims map[string]any, name string) any {
	if value, there := claims[name]; there {
		return value
	}
	for i, c := range name {
		if c != '.' {
			continue
		}
		if inside, ok := claims[name[:i]].(map[string]any); ok {
			if value := claimAt(inside, name[i+1:]); value != nil {
				return value
			}
		}
	}
	return nil
}

// textsOf are the values of a claim: one, or a list's.
func textsOf(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		var all []string
		for _, one := range v {
			if _, list := one.([]any); !list {
				all = append(all, textsOf(one)...)
			}
		}
		return all
	}
	return nil
}

// leftOut are the claims of a rule that a provider says it left out for being too long, by a pointer to elsewhere
// (OpenID Connect Core 5.6.2) or by hasgroups: whoever has too many groups is not nobody, but it is not known who.
func (r Rule) leftOut(claims map[string]any) (names []string) {
	elsewhere, _ := claims["_claim_names"].(map[string]any)
	many, _ := claims["hasgroups"].(bool)
	for claim := range r.reads() {
		first, _, _ := strings.Cut(claim, ".")
		if claimAt(claims, claim) != nil {
			continue
		}
		if elsewhere[claim] != nil || elsewhere[first] != nil || many && first == "groups" {
			names = append(names, claim)
		}
	}
	return names
}

// reads are the claims that a rule looks at.
func (r Rule) reads() map[string]bool {
	if r.Each != "" {
		return map[string]bool{r.Each: true}
	}
	all := map[string]bool{}
	for claim := range r.When {
		all[claim] = true
	}
	return all
}

// Kept are the claims of somebody that the mapping looks at, and no others: what a session keeps, to be decided by
// again when the file changes. Of a list of objects only what rules ask for is kept.
func (m *Mapping) Kept(provider Provider, claims map[string]any) map[string]any {
	kept := map[string]any{provider.Subject: claims[provider.Subject]}
	// that something was left out is to be known too
	for _, mark := range []string{"_claim_names", "hasgroups", fromUserInfo} {
		if value, there := claims[mark]; there {
			kept[mark] = value
		}
	}
	inside := map[string]map[string]bool{}
	for _, rule := range m.Rules {
		if rule.Provider != provider.ID {
			continue
		}
		if rule.Each == "" {
			for claim := range rule.When {
				if value := claimAt(claims, claim); value != nil {
					kept[claim] = value
				}
			}
			continue
		}
		if inside[rule.Each] == nil {
			inside[rule.Each] = map[string]bool{}
		}
		for claim := range rule.When {
			inside[rule.Each][claim] = true
		}
	}
	for each, names := range inside {
		kept[each] = narrowed(claimAt(claims, each), names)
	}
	return kept
}

// narrowed is a list of objects with only some of their claims.
func narrowed(value any, names map[string]bool) []any {
	list, _ := value.([]any)
	all := make([]any, 0, len(list))
	for _, one := range list {
		object, _ := one.(map[string]any)
		some := map[string]any{}
		for name := range names {
			if value := claimAt(object, name); value != nil {
				some[name] = value
			}
		}
		all = append(all, some)
	}
	return all
}

// meets says what of a provider's requirements somebody's claims do not meet; empty: all is met.
func (p Provider) meets(claims map[string]any) string { return unmet(p.asked(), claims) }

// stillMeets is meets of a renewed token, which need not say everything again: what it says otherwise is not met.
func (p Provider) stillMeets(claims map[string]any) string {
	asked := p.asked()
	maps.DeleteFunc(asked, func(claim string, _ Values) bool { return claimAt(claims, claim) == nil })
	return unmet(asked, claims)
}

// asked are all claims that a provider is required to give, with their values.
func (p Provider) asked() map[string]Values {
	asked := maps.Clone(p.Require)
	if asked == nil {
		asked = map[string]Values{}
	}
	if len(p.ACR) > 0 {
		asked["acr"] = p.ACR
	}
	if len(p.AMR) > 0 {
		asked["amr"] = p.AMR
	}
	return asked
}

// wordsOf is a role as people call it.
func wordsOf(role schemas.Role) string {
	words := strings.ReplaceAll(string(role), "-", " ")
	words = strings.ReplaceAll(words, "young peoples", "young people’s")
	return strings.ToUpper(words[:1]) + words[1:]
}
