package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"footbridge/schemas"
)

// pagePath is the page of an event, from package schemas.
func pagePath(t schemas.Type) string { return "../docs/events/" + t.File() + ".md" }

// eventPage is what a reader needs of one event: what it means, who sees it, its data, an example.
func eventPage(dir string, e schemas.Entry, schema []byte) ([]byte, error) {
	example, err := os.ReadFile(filepath.Join(dir, "examples", e.Type.File()+".json"))
	if err != nil {
		return nil, fmt.Errorf("reading the example of %s: %w", e.Type, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s%s\n\n", e.Type.File(), made, e.Meaning)
	fmt.Fprintf(&b, "Type `%s`, %s. [All events](../events.md), [schema](../../schemas/events/%s.schema.json).\n\n",
		e.Type, carriedBy(e), e.Type.File())
	b.WriteString("## Who sees it\n\n")
	for _, line := range seenBy(e) {
		b.WriteString("- " + line + "\n")
	}
	if err := dataTable(&b, schema); err != nil {
		return nil, fmt.Errorf("describing the data of %s: %w", e.Type, err)
	}
	exampleOn(&b, example)
	return []byte(b.String()), nil
}

func carriedBy(e schemas.Entry) string {
	if !e.OnBus() {
		return "sent to `POST /events`"
	}
	return "on the subject `" + e.Type.SubjectFilter() + "`"
}

// seenBy says who gets an event, by the registry alone.
func seenBy(e schemas.Entry) []string {
	lines := []string{"**On the bus**: " + e.By + " publishes it; " + orNobody(e.To) + " subscribe to it. Nobody " +
		"else reads the bus, but whom the site gives a login to it."}
	if !e.OnBus() {
		lines = []string{"**Intake** alone, by HTTP. It carries who the person is, and is never published."}
	}
	partners := "no."
	if e.Partners {
		partners = "the one it is about, in its own log and in [another, thinner shape](partner.offer.v1.md), while " +
			"the person's yes and the agreement are in force."
	}
	return append(lines, "**Partners**: "+partners,
		"**The person**, where it stands on their timeline, as: “"+e.Sentence+"”")
}

func orNobody(services []string) string {
	if len(services) == 0 {
		return "no services"
	}
	return strings.Join(services, ", ")
}

// partnerPage is the page of what partners get.
func partnerPage(dir string, schema []byte) ([]byte, error) {
	example, err := os.ReadFile(filepath.Join(dir, schemas.PartnerSchemaType.File()+".example.json"))
	if err != nil {
		return nil, fmt.Errorf("reading the example of what partners are told: %w", err)
	}
	var b strings.Builder
	b.WriteString("# " + schemas.PartnerSchemaType.File() + "\n\n" + made +
		"What a partner is told about an offer of its own: the same bytes by webhook, feed and server-sent events. " +
		"`sequence` is the position in the partner's log, without a gap.\n\n" +
		"[All events](../events.md), [schema](../../schemas/" + schemas.PartnerSchemaType.File() + ".schema.json), " +
		"[how to get them](../guides/integrators.md#a-partner-with-a-system).\n\n" +
		"## Who sees it\n\n" +
		"- **The partner** whose offer it is. No other partner is told the offer's id.\n" +
		"- Who the person is, the journey and what other partners do are never in it.\n\n## Types\n\n" +
		"| `type` | meaning |\n|---|---|\n")
	for _, t := range schemas.PartnerTypes() {
		e, _ := schemas.Lookup(t)
		fmt.Fprintf(&b, "| [`%s`](%s.md) | %s |\n", t, t.File(), e.Meaning)
	}
	fmt.Fprintf(&b, "| `%s` | It stands in the place of what was taken back before it was given out. |\n",
		schemas.OfferWithheld)
	if err := dataTable(&b, schema); err != nil {
		return nil, fmt.Errorf("describing what partners are told: %w", err)
	}
	exampleOn(&b, example)
	return []byte(b.String()), nil
}

// referralPage is the page of what an organisation is told of those it referred.
func referralPage(dir string, schema []byte) ([]byte, error) {
	example, err := os.ReadFile(filepath.Join(dir, schemas.ReferralUpdated.File()+".example.json"))
	if err != nil {
		return nil, fmt.Errorf("reading the example of what referrers are told: %w", err)
	}
	var b strings.Builder
	b.WriteString("# " + schemas.ReferralUpdated.File() + "\n\n" + made +
		"What an organisation is told of somebody whom it referred or sent home: the same bytes by webhook and feed. " +
		"`sequence` is the position in the organisation's log, without a gap.\n\n" +
		"[All events](../events.md), [schema](../../schemas/" + schemas.ReferralUpdated.File() + ".schema.json), " +
		"[how to get them](../guides/integrators.md#a-referrers-system).\n\n" +
		"## Who sees it\n\n" +
		"- **The organisation** that asked for support, or that the person left. No other organisation.\n" +
		"- `session-kept` and `completed` are told by the person's yes to `tell-referrer` alone.\n" +
		"- No partner, day, reason or word is ever in it.\n\n## Types\n\n" +
		"| `type` | meaning |\n|---|---|\n")
	fmt.Fprintf(&b, "| `%s` | How the referral stands now. |\n", schemas.ReferralUpdated)
	fmt.Fprintf(&b, "| `%s` | It stands in the place of what was taken back before it was given out. |\n",
		schemas.ReferralWithheld)
	if err := dataTable(&b, schema); err != nil {
		return nil, fmt.Errorf("describing what referrers are told: %w", err)
	}
	exampleOn(&b, example)
	return []byte(b.String()), nil
}

func exampleOn(b *strings.Builder, example []byte) {
	b.WriteString("\n## Example\n\n```json\n" + strings.TrimSpace(string(example)) + "\n```\n")
}

// described is a schema as far as a page shows it.
type described struct {
	Description string
	Type        any
	Format      string
	Enum        []string
	Const       any
	Ref         string `json:"$ref"`
	Items       *described
	Required    []string
	Properties  json.RawMessage
}

// dataTable lists the members of an event's data in the order of the schema; what is below them is in the schema.
func dataTable(b *strings.Builder, schema []byte) error {
	var event struct{ Properties struct{ Data described } }
	if err := json.Unmarshal(schema, &event); err != nil {
		return err
	}
	names, members, err := inOrder(event.Properties.Data.Properties)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		b.WriteString("\n## Data\n\nIts data is empty.\n")
		return nil
	}
	required := map[string]string{}
	for _, name := range event.Properties.Data.Required {
		required[name] = "always"
	}
	b.WriteString("\n## Data\n\n| member | is | there | meaning |\n|---|---|---|---|\n")
	for i, name := range names {
		there := required[name]
		if there == "" {
			there = "may be left out"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, members[i].words(), there,
			strings.ReplaceAll(members[i].Description, "|", "\\|"))
	}
	return nil
}

// inOrder reads the members of an object in the order in which they are written.
func inOrder(text json.RawMessage) (names []string, members []described, err error) {
	if len(text) == 0 {
		return nil, nil, nil
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var one described
		if err := d.Decode(&one); err != nil {
			return nil, nil, err
		}
		names, members = append(names, name.(string)), append(members, one)
	}
	return names, members, nil
}

// words say what a value is.
func (d described) words() string {
	switch {
	case len(d.Enum) > 0:
		return "one of " + codes(d.Enum)
	case d.Const != nil:
		return fmt.Sprintf("`%v`", d.Const)
	case d.Ref != "":
		return "object `" + d.Ref[strings.LastIndex(d.Ref, "/")+1:] + "`"
	case d.Items != nil:
		return "list: " + d.Items.words()
	case d.Format != "":
		return d.Format
	}
	return strings.Trim(fmt.Sprint(d.Type), "[]")
}
