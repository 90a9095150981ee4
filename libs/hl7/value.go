package hl7

import (
	"bytes"
	"iter"
)

// The levels of a value, from the outside in. A value knows its own, so that stepping into a level that the sender
// did not divide gives the value itself: a lone component is its own first sub-component.
const (
	levelField uint8 = iota
	levelRepetition
	levelComponent
	levelSubcomponent
	levelLiteral // MSH-1 and MSH-2: neither divided nor unescaped
)

// Value is a field, one of its repetitions, a component or a sub-component. It is a view on the message's bytes;
// getting one allocates nothing. The zero value is empty.
type Value struct {
	m     *Message
	raw   []byte
	level uint8
}

// nth returns piece n, counted from 0, of b divided at sep. A zero sep divides nothing.
func nth(b []byte, sep byte, n int) []byte {
	if sep == 0 {
		if n == 0 {
			return b
		}
		return nil
	}
	for ; n > 0; n-- {
		i := bytes.IndexByte(b, sep)
		if i < 0 {
			return nil
		}
		b = b[i+1:]
	}
	if i := bytes.IndexByte(b, sep); i >= 0 {
		b = b[:i:i]
	}
	return b
}

// Rep returns repetition i of a field, counted from 0; empty if there are not so many. Never take the first
// repetition of PID-3 for the person's number: see [Message.NHSNumber].
func (v Value) Rep(i int) Value {
	switch {
	case v.m == nil || i < 0 || (v.level > levelField && i > 0):
		return Value{}
	case v.level > levelField:
		return v
	}
	return Value{m: v.m, raw: nth(v.raw, v.m.delims.Repetition, i), level: levelRepetition}
}

// RepCount returns the number of repetitions sent; 0 for an empty value.
func (v Value) RepCount() int {
	switch {
	case len(v.raw) == 0:
		return 0
	case v.level > levelField || v.m.delims.Repetition == 0:
		return 1
	}
	return 1 + bytes.Count(v.raw, []byte{v.m.delims.Repetition})
}

// Reps walks over the repetitions of a field in their order; over none if the field is empty.
func (v Value) Reps() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.level > levelField || v.m == nil {
			if len(v.raw) > 0 {
				yield(v)
			}
			return
		}
		for rest, more := v.raw, len(v.raw) > 0; more; {
			var piece []byte
			piece, rest, more = cut(rest, v.m.delims.Repetition)
			if !yield(Value{m: v.m, raw: piece, level: levelRepetition}) {
				return
			}
		}
	}
}

func cut(b []byte, sep byte) (piece, rest []byte, more bool) {
	if sep == 0 {
		return b, nil, false
	}
	return bytes.Cut(b, []byte{sep})
}

// Comp returns component n, counted from 1; of a field, that of its first repetition.
func (v Value) Comp(n int) Value {
	if v.level == levelField {
		v = v.Rep(0)
	}
	switch {
	case v.m == nil || n < 1 || (v.level > levelRepetition && n > 1):
		return Value{}
	case v.level > levelRepetition:
		return v
	}
	return Value{m: v.m, raw: nth(v.raw, v.m.delims.Component, n-1), level: levelComponent}
}

// Sub returns sub-component n, counted from 1; of a field or repetition, that of its first component.
func (v Value) Sub(n int) Value {
	if v.level < levelComponent {
		v = v.Comp(1)
	}
	switch {
	case v.m == nil || n < 1 || (v.level > levelComponent && n > 1):
		return Value{}
	case v.level > levelComponent:
		return v
	}
	return Value{m: v.m, raw: nth(v.raw, v.m.delims.Subcomponent, n-1), level: levelSubcomponent}
}

// IsEmpty tells whether nothing was said: no bytes, or nothing but delimiters. It means 'no change', never 'delete'.
func (v Value) IsEmpty() bool {
	if len(v.raw) == 0 {
		return true
	}
	if v.level == levelLiteral {
		return false
	}
	d := &v.m.delims
	for _, c := range v.raw {
		if c != d.Component && c != d.Repetition && c != d.Subcomponent {
			return false
		}
	}
	return true
}

// IsNull tells whether the sender wrote `""`: delete the value that is stored.
func (v Value) IsNull() bool { return string(v.raw) == `""` }

// Raw returns the value's bytes as sent, escapes and delimiters included. It shares memory with the message.
func (v Value) Raw() []byte { return v.raw }

// String returns the text of the value's first sub-component, unescaped and in UTF-8, without blanks around it. So a
// field that one sender divides more finely than another ("E" and "E^Emergency") reads the same, as HL7's rules of
// compatibility ask (2.4, 2.11.5). Null and empty both give "": ask [Value.IsNull] where it matters. For a text in
// which people forget to escape delimiters, take [Value.Text].
func (v Value) String() string { return string(trimBlanks(v.Sub(1).decode())) }

// Text returns all of the value unescaped and in UTF-8, delimiters kept as they stand: for free texts such as
// NTE-3, where 'fish & chips' is more likely than a sub-component.
func (v Value) Text() string { return string(trimBlanks(v.decode())) }

// Is tells whether the value's first sub-component is s, ignoring the case of ASCII letters. It allocates nothing
// for values without escapes.
func (v Value) Is(s string) bool { return equalFold(trimBlanks(v.Sub(1).decode()), s) }

func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
