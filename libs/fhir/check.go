package fhir

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// checker walks a resource and notes what R4 does not allow, up to a limit.
type checker struct {
	limits Limits
	issues []Issue
	full   bool
}

func (c *checker) note(code, at, words string) {
	if len(c.issues) >= c.limits.Issues {
		c.full = true
		return
	}
	c.issues = append(c.issues, failed(code, at, words))
}

var typeName = regexp.MustCompile(`^[A-Z][A-Za-z]{1,63}$`)

func (c *checker) root(n *node) {
	if n.kind != isObject {
		c.note("structure", "", "The JSON is "+n.kind.String()+", not a resource.")
		return
	}
	at := ""
	if kind := n.text("resourceType"); typeName.MatchString(kind) {
		at = kind
	}
	c.resource(n, at, 0)
}

// resource checks one resource, whose type's name begins the path at its root.
func (c *checker) resource(n *node, at string, contained int) {
	if n.kind != isObject {
		c.note("structure", at, "This is "+n.kind.String()+", not a resource.")
		return
	}
	kind := n.text("resourceType")
	if !typeName.MatchString(kind) {
		c.note("structure", at, "There is no resourceType, or it is no type of R4.")
		return
	}
	if contained > 1 {
		c.note("structure", at, "A contained resource contains others.")
		return
	}
	shape := shapeOf()[kind]
	if resourceTypes[kind] == "" {
		c.other(n, at, contained)
		return
	}
	c.object(n, at, shape, contained, "resourceType")
	c.invariants(kind, n, at)
}

// other checks what holds for a resource of every type: its common elements, and that nothing in it is null or
// empty.
func (c *checker) other(n *node, at string, contained int) {
	common := shapeOf()["AnyResource"]
	for _, name := range n.names {
		if e, ok := common.elements[name]; ok {
			c.element(n, name, at, e, contained)
		} else if name != "resourceType" {
			c.loose(n.members[name], at+"."+shown(name), strings.HasPrefix(name, "_"))
		}
	}
}

func (c *checker) loose(n *node, at string, sibling bool) {
	switch n.kind {
	case isNull:
		c.note("structure", at, "This is null: leave it out.")
	case isString:
		if n.value == "" {
			c.note("value", at, "This is empty: leave it out.")
		}
	case isObject:
		if len(n.names) == 0 {
			c.note("structure", at, "This object is empty: leave it out.")
		}
		for _, name := range n.names {
			c.loose(n.members[name], at+"."+shown(name), strings.HasPrefix(name, "_"))
		}
	case isList:
		if len(n.items) == 0 {
			c.note("structure", at, "This list is empty: leave it out.")
		}
		for i, item := range n.items {
			if item.kind != isNull { // beside primitive values and their extensions
				c.loose(item, fmt.Sprintf("%s[%d]", at, i), sibling)
			}
		}
	}
}

// elementNames are the names of all elements described here.
var elementNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, shape := range shapeOf() {
		for name := range shape.elements {
			names[name] = true
		}
	}
	return names
})

// shown is a member's name fit for an issue: that of an element in a wrong place. Any other may be somebody's name.
func shown(name string) string {
	if elementNames()[strings.TrimPrefix(name, "_")] {
		return name
	}
	return "?"
}

// object checks an object against its type.
func (c *checker) object(n *node, at string, shape *typeShape, contained int, beside ...string) {
	if c.full {
		return
	}
	if n.kind != isObject {
		c.note("structure", at, "This is "+n.kind.String()+", not an object.")
		return
	}
	if len(n.names) == 0 {
		c.note("structure", at, "This object is empty: leave it out.")
		return
	}
	chosen := map[string]string{}
	for _, name := range n.names {
		if slices.Contains(beside, name) {
			continue
		}
		stem := strings.TrimPrefix(name, "_")
		e, known := shape.elements[stem]
		if !known || (stem != name && !isPrimitive(e.kind)) {
			c.note("structure", at, fmt.Sprintf("The element %q is not one of R4 here.", shown(name)))
			continue
		}
		if other := chosen[e.choice]; e.choice != "" && other != "" && other != stem {
			c.note("structure", at, fmt.Sprintf("Of %s only one may be there.", e.choice))
		}
		chosen[e.choice] = stem
		if stem == name {
			c.element(n, name, at, e, contained)
		} else {
			c.sibling(n, name, at, e, contained)
		}
	}
	for _, name := range shape.required {
		if !there(n, name, chosen) {
			c.note("required", at+"."+strings.TrimSuffix(name, "[x]"), fmt.Sprintf("The element %q is missing.", name))
		}
	}
}

func there(n *node, name string, chosen map[string]string) bool {
	return n.members[name] != nil || n.members["_"+name] != nil || chosen[name] != ""
}

// element checks one element's value or values.
func (c *checker) element(n *node, name, at string, e elementShape, contained int) {
	value := n.members[name]
	at += "." + name
	if !e.list {
		if value.kind == isList {
			c.note("structure", at, "This is a list; one value is expected.")
			return
		}
		c.one(value, at, e, contained)
		return
	}
	if value.kind != isList {
		c.note("structure", at, "This is "+value.kind.String()+"; a list is expected.")
		return
	}
	if len(value.items) == 0 {
		c.note("structure", at, "This list is empty: leave it out.")
	}
	siblings := n.members["_"+name]
	for i, item := range value.items {
		if item.kind == isNull && isPrimitive(e.kind) && siblings != nil && i < len(siblings.items) &&
			siblings.items[i].kind == isObject {
			continue // the extension beside it stands for the value
		}
		c.one(item, fmt.Sprintf("%s[%d]", at, i), e, contained)
		if c.full {
			return
		}
	}
}

// sibling checks the extensions of a primitive element, in the member with the underscore.
func (c *checker) sibling(n *node, name, at string, e elementShape, contained int) {
	value := n.members[name]
	at += "." + name[1:]
	element := shapeOf()["Element"]
	if !e.list {
		c.object(value, at, element, contained)
		return
	}
	if value.kind != isList || (n.members[name[1:]] != nil && len(value.items) != len(n.members[name[1:]].items)) {
		c.note("structure", at, "The extensions beside this list are not a list of the same length.")
		return
	}
	for i, item := range value.items {
		if item.kind != isNull {
			c.object(item, fmt.Sprintf("%s[%d]", at, i), element, contained)
		}
	}
}

func (c *checker) one(n *node, at string, e elementShape, contained int) {
	switch {
	case n.kind == isNull:
		c.note("structure", at, "This is null: leave it out.")
	case e.kind == "Resource":
		if strings.Contains(at, ".contained[") {
			contained++
		}
		c.resource(n, at, contained)
	case isPrimitive(e.kind):
		if words, ok := primitive(e.kind, n); !ok {
			c.note("value", at, "The value "+words+".")
		} else if len(e.codes) > 0 && !slices.Contains(e.codes, n.value) {
			c.note("code-invalid", at, "The code is not one of "+strings.Join(e.codes, ", ")+".")
		}
	default:
		if shape := shapeOf()[e.kind]; shape != nil {
			c.object(n, at, shape, contained)
			c.invariants(e.kind, n, at)
		} else if n.kind != isObject {
			c.note("structure", at, "This is "+n.kind.String()+", not an object.")
		} else {
			c.loose(n, at, false)
		}
	}
}
