package main

import (
	"fmt"
	"strings"

	"footbridge/schemas"
)

const made = "<!-- Made by `make generate` from schemas/. Change it there. -->\n\n"

// eventsPage is docs/events.md.
func eventsPage() []byte {
	var b strings.Builder
	b.WriteString("# Events\n\n" + made)
	b.WriteString("One CloudEvent 1.0 a message, structured JSON, on the NATS subject " +
		"`footbridge.<noun>.<past-tense>.v1.<journey>`. Types and subjects carry no clinical word and nothing that " +
		"identifies a person. Within a major version events only gain optional fields, and lists of values may grow: " +
		"readers ignore names they do not know and expect values they do not know.\n\n" +
		"The whole is described for tools in [asyncapi.json](../schemas/asyncapi.json), and the facts that events may " +
		"carry in [facts.schema.json](../schemas/facts.schema.json). Each event has a page with its data, an example " +
		"and who sees it; [one](events/partner.offer.v1.md) is about what partners get, " +
		"and [one](events/referral.updated.v1.md) about what referrers are told.\n\n")
	b.WriteString("| event | from | to | meaning | see |\n|---|---|---|---|---|\n")
	for _, e := range schemas.Registry() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | [page](events/%s.md), [example](../schemas/examples/%s.json), "+
			"[schema](../schemas/events/%s.schema.json) |\n",
			e.Type.File(), e.By, subscribers(e), e.Meaning, e.Type.File(), e.Type.File(), e.Type.File())
	}
	b.WriteString("\nWhat comes from `outside` arrives at `POST /events` only. It carries the person's details and " +
		"is never " +
		"published.\n\n## What partners may be told\n\n")
	for _, e := range schemas.Registry() {
		if e.Partners {
			fmt.Fprintf(&b, "- `%s`, each partner its own only, through the gateway, under a grant in force.\n",
				e.Type.File())
		}
	}
	b.WriteString("\n## What the person reads\n\n| event | sentence |\n|---|---|\n")
	for _, e := range schemas.Registry() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Type.File(), e.Sentence)
	}
	b.WriteString("\n## What a service may publish\n\n| service | subjects |\n|---|---|\n")
	for _, service := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging,
		schemas.Journey, schemas.Delivery} {
		fmt.Fprintf(&b, "| %s | %s |\n", service, codes(schemas.SubjectsEmittedBy(service)))
	}
	return []byte(b.String())
}

func subscribers(e schemas.Entry) string {
	switch {
	case !e.OnBus():
		return "intake (HTTP)"
	case len(e.To) == 0:
		return "-"
	}
	return strings.Join(e.To, ", ")
}

// accessPage is docs/access.md.
func accessPage() []byte {
	var b strings.Builder
	b.WriteString("# Who may see and do what\n\n" + made)
	b.WriteString("Everybody who asks has one role, an organisation and a name of their own. What is not said here " +
		"is refused.\n\n")
	b.WriteString("| role | who | sees | does | never | who a person is |\n|---|---|---|---|---|---|\n")
	for _, a := range schemas.AccessTable() {
		identity := "no"
		if a.Identity {
			identity = "if " + a.Condition
		}
		if a.Reason {
			identity += "; each look is kept and the person can read it"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", a.Role, a.Who, a.Sees, a.Does, a.Never, identity)
	}
	b.WriteString("\n## Paths\n\n| path | served by | roles | meaning |\n|---|---|---|---|\n")
	for _, r := range schemas.Routes() {
		fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s |\n", r.Method, r.Pattern, r.Service, roles(r), r.Meaning)
	}
	b.WriteString("\n## Whose\n\nOf the paths that are about one thing: who gets it, of the organisation they act " +
		"for and of another. To everybody else it looks as if it were not there. " +
		"`" + schemas.ReasonHeader + "` is a stated reason of substance: it is kept, and the person can read it. A " +
		"person reaches their own alone; a partner what it has accepted an offer for; a young people's clinician " +
		"what somebody said, how they are reached and who they are only where they are under 18 or of unknown age; " +
		"an organisation that must not know nothing at all. `TestEveryRouteIsAskedAsEverybody` asks each path as " +
		"everybody.\n\n" +
		"| path | about a | their own | another organisation's |\n|---|---|---|---|\n")
	for _, r := range schemas.Routes() {
		if r.Thing() != schemas.AboutNothing {
			fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s |\n", r.Method, r.Pattern, r.Thing(), visibilities(r, true),
				visibilities(r, false))
		}
	}
	return []byte(b.String())
}

// visibilities are who gets a thing by a route, and who for a stated reason alone.
func visibilities(r schemas.Route, own bool) string {
	var names []string
	for _, role := range schemas.Roles() {
		switch {
		case r.Expect(role, own, true) != schemas.Reached:
		case r.Expect(role, own, false) != schemas.Reached && r.Method == "GET":
			names = append(names, string(role)+" (for a reason)")
		default:
			names = append(names, string(role))
		}
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

func roles(r schemas.Route) string {
	if r.Public {
		return "everyone"
	}
	var names []string
	for _, role := range r.Roles {
		names = append(names, string(role))
	}
	return strings.Join(names, ", ")
}

func codes(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }
