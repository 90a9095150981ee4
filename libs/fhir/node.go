package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// node is one JSON value. Members keep their order, so that issues come in the order of the text.
type node struct {
	kind    nodeKind
	value   string // of a string or a number
	names   []string
	members map[string]*node
	items   []*node
}

type nodeKind byte

const (
	isNull nodeKind = iota
	isBool
	isNumber
	isString
	isObject
	isList
)

func (k nodeKind) String() string {
	return [...]string{"null", "true or false", "a number", "a text", "an object", "a list"}[k]
}

// text is a member that is a string, or empty.
func (n *node) text(name string) string {
	if member := n.members[name]; member != nil && member.kind == isString {
		return member.value
	}
	return ""
}

var (
	errDeep = errors.New("nested too deeply")
	errMany = errors.New("too many values")
)

// repeated is a member that is there twice: readers would disagree on which one counts.
type repeated struct{}

func (repeated) Error() string { return "a member is there twice" }

type parser struct {
	decoder *json.Decoder
	limits  Limits
	values  int
}

func parse(body []byte, limits Limits) (*node, *Issue) {
	p := &parser{decoder: json.NewDecoder(bytes.NewReader(body)), limits: limits}
	p.decoder.UseNumber()
	root, err := p.value(0)
	if err == nil {
		if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
			issue := fatal("structure", "", "There is more than one JSON value. Send one resource.")
			return nil, &issue
		}
		return root, nil
	}
	issue := p.issue(err)
	return nil, &issue
}

func (p *parser) issue(err error) Issue {
	switch {
	case errors.Is(err, errDeep):
		return fatal("too-costly", "", fmt.Sprintf("The JSON is nested more than %d deep. Send less at a time.",
			p.limits.Depth))
	case errors.Is(err, errMany):
		return fatal("too-costly", "", fmt.Sprintf("The JSON holds more than %d values. Send less at a time.",
			p.limits.Values))
	case errors.Is(err, repeated{}):
		return fatal("structure", "", fmt.Sprintf("A member is there twice before byte %d. Each may be there once.",
			p.decoder.InputOffset()))
	}
	return fatal("structure", "", fmt.Sprintf("This is not JSON at byte %d. Correct it and send it again.",
		p.decoder.InputOffset()))
}

func (p *parser) value(depth int) (*node, error) {
	if depth > p.limits.Depth {
		return nil, errDeep
	}
	if p.values++; p.values > p.limits.Values {
		return nil, errMany
	}
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return p.object(depth)
		}
		return p.list(depth)
	case string:
		return &node{kind: isString, value: token}, nil
	case json.Number:
		return &node{kind: isNumber, value: token.String()}, nil
	case bool:
		return &node{kind: isBool, value: fmt.Sprint(token)}, nil
	}
	return &node{kind: isNull}, nil
}

func (p *parser) object(depth int) (*node, error) {
	n := &node{kind: isObject, members: map[string]*node{}}
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if n.members[name] != nil {
			return nil, repeated{}
		}
		member, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.members[name] = member
		n.names = append(n.names, name)
	}
	_, err := p.decoder.Token()
	return n, err
}

func (p *parser) list(depth int) (*node, error) {
	n := &node{kind: isList}
	for p.decoder.More() {
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	_, err := p.decoder.Token()
	return n, err
}
