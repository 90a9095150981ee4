package fhir

import (
	"fmt"
	"strings"
)

// invariants are R4's rules beyond the shape, as far as breaking them would lead to a message being misread. Each is
// named as R4 names it. That a period ends after it starts (per-1) is not among them: whoever reads the times shows one
// that does not to a human, as by any other way in, where a refusal would lose the person.
func (c *checker) invariants(kind string, n *node, at string) {
	if n.kind != isObject {
		return
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if n.members[name] != nil {
				return true
			}
		}
		return false
	}
	broken := func(name, words string, when bool) {
		if when {
			c.note("invariant", at, words+" ("+name+")")
		}
	}
	switch kind {
	case "Bundle":
		c.bundle(n, at)
	case "Bundle.entry":
		broken("bdl-5", "An entry holds a resource, a request or a response.", !has("resource", "request", "response"))
		broken("bdl-8", "A fullUrl names no version.", strings.Contains(n.text("fullUrl"), "/_history/"))
	case "Patient.contact":
		broken("pat-1", "A contact has a name, a telecom, an address or an organization.",
			!has("name", "telecom", "address", "organization"))
	case "ServiceRequest":
		broken("prr-1", "orderDetail is there only with a code.", has("orderDetail") && !has("code"))
	case "ContactPoint":
		broken("cpt-2", "A contact point with a value has a system.", has("value") && !has("system"))
	case "Extension":
		broken("ext-1", "An extension has a value or extensions, not both.", has("extension") == hasValue(n))
	case "Parameters.parameter":
		broken("inv-1", "A parameter has a value, a resource or parts: one of them.",
			count(hasValue(n), has("resource"), has("part")) > 1)
	}
}

func hasValue(n *node) bool {
	for _, name := range n.names {
		if strings.HasPrefix(strings.TrimPrefix(name, "_"), "value") {
			return true
		}
	}
	return false
}

func count(all ...bool) int {
	sum := 0
	for _, one := range all {
		if one {
			sum++
		}
	}
	return sum
}

// bundle checks the rules that depend on the bundle's type.
func (c *checker) bundle(n *node, at string) {
	kind := n.text("type")
	if n.members["total"] != nil && kind != "searchset" && kind != "history" {
		c.note("invariant", at, "Only a searchset or a history has a total. (bdl-1)")
	}
	entries := n.members["entry"]
	if entries == nil || entries.kind != isList {
		if kind == "message" {
			c.note("invariant", at, "A message begins with a MessageHeader. (bdl-12)")
		}
		return
	}
	seen := map[string]bool{}
	for i, entry := range entries.items {
		where := fmt.Sprintf("%s.entry[%d]", at, i)
		if entry.kind != isObject {
			continue
		}
		if i == 0 && kind == "message" &&
			(entry.members["resource"] == nil || entry.members["resource"].text("resourceType") != "MessageHeader") {
			c.note("invariant", where, "A message begins with a MessageHeader. (bdl-12)")
		}
		if entry.members["search"] != nil && kind != "searchset" {
			c.note("invariant", where, "Only an entry of a searchset has a search. (bdl-2)")
		}
		if url := entry.text("fullUrl"); url != "" && kind != "history" {
			if seen[url] {
				c.note("invariant", where, "Two entries have the same fullUrl. (bdl-7)")
			}
			seen[url] = true
		}
	}
}
