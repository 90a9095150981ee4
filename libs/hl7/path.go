package hl7

import (
	"errors"
	"fmt"
	"strings"
)

// ErrPath comes for a path that cannot be read; see [ParsePath] for what one looks like.
var ErrPath = errors.New("hl7: not a path such as PID-3, PID-3.1, PID-3[1].4.2 or DG1[0]-3.1")

// Path names a place in a message. Occurrence and Rep are counted from 0, Field, Comp and Sub from 1; Comp and Sub
// are 0 where the path does not go so deep.
type Path struct {
	Segment               string
	Occurrence            int
	Field, Rep, Comp, Sub int
}

// ParsePath reads a path, for profiles that hold paths as text:
//
//	PID-3          a field
//	PID-3.1        the first component of its first repetition
//	PID-3[1].4.2   the second repetition, fourth component, second sub-component
//	DG1[2]-3.1     in the third DG1 segment
//
// The error is [ErrPath], wrapped with the text. Numbers go up to 9999.
func ParsePath(text string) (Path, error) {
	p, ok := parsePath(text)
	if !ok {
		return Path{}, fmt.Errorf("reading path %q: %w", text, ErrPath)
	}
	return p, nil
}

func parsePath(text string) (p Path, ok bool) {
	if len(text) < 5 || !isSegmentName([]byte(text[:3])) {
		return p, false
	}
	p.Segment, text = text[:3], text[3:]
	if p.Occurrence, text, ok = parseBracket(text); !ok || !strings.HasPrefix(text, "-") {
		return p, false
	}
	if p.Field, text, ok = parseNumber(text[1:]); !ok || p.Field == 0 {
		return p, false
	}
	if p.Rep, text, ok = parseBracket(text); !ok {
		return p, false
	}
	for _, part := range []*int{&p.Comp, &p.Sub} {
		if text == "" {
			return p, true
		}
		if text[0] != '.' {
			return p, false
		}
		if *part, text, ok = parseNumber(text[1:]); !ok || *part == 0 {
			return p, false
		}
	}
	return p, text == ""
}

// parseBracket reads "[n]" if it is there, else 0.
func parseBracket(text string) (n int, rest string, ok bool) {
	if !strings.HasPrefix(text, "[") {
		return 0, text, true
	}
	n, rest, ok = parseNumber(text[1:])
	if !ok || !strings.HasPrefix(rest, "]") {
		return 0, text, false
	}
	return n, rest[1:], true
}

func parseNumber(text string) (n int, rest string, ok bool) {
	i := 0
	for ; i < len(text) && '0' <= text[i] && text[i] <= '9'; i++ {
		if i == 4 {
			return 0, text, false
		}
		n = n*10 + int(text[i]-'0')
	}
	return n, text[i:], i > 0
}

// String writes the path as [ParsePath] reads it.
func (p Path) String() string {
	var b strings.Builder
	b.WriteString(p.Segment)
	if p.Occurrence > 0 {
		fmt.Fprintf(&b, "[%d]", p.Occurrence)
	}
	fmt.Fprintf(&b, "-%d", p.Field)
	if p.Rep > 0 {
		fmt.Fprintf(&b, "[%d]", p.Rep)
	}
	if p.Comp > 0 {
		fmt.Fprintf(&b, ".%d", p.Comp)
		if p.Sub > 0 {
			fmt.Fprintf(&b, ".%d", p.Sub)
		}
	}
	return b.String()
}

// At returns the value at a path; empty if the message has nothing there. A path without component gives the whole
// field, or the whole repetition where Rep is above 0.
func (m *Message) At(p Path) Value {
	v := m.SegmentN(p.Segment, p.Occurrence).Field(p.Field)
	if p.Rep > 0 || p.Comp > 0 {
		v = v.Rep(p.Rep)
	}
	if p.Comp > 0 {
		v = v.Comp(p.Comp)
	}
	if p.Sub > 0 {
		v = v.Sub(p.Sub)
	}
	return v
}

// Get returns the value at a path written as [ParsePath] reads it. A path that cannot be read gives an empty value:
// use ParsePath once, and [Message.At], for paths that come from configuration.
func (m *Message) Get(path string) Value {
	p, ok := parsePath(path)
	if !ok {
		return Value{}
	}
	return m.At(p)
}
