package vault

import (
	"fmt"
	"log/slog"
)

// Redacted is what everything personal prints as.
const Redacted = "[redacted]"

// Personal holds a value that identifies somebody. However it is printed, logged or marshalled, by itself or
// inside another value, it says "[redacted]"; only Reveal gives it away, and that can be searched for.
type Personal[T any] struct{ value T }

// Conceal makes a value personal.
func Conceal[T any](value T) Personal[T] { return Personal[T]{value: value} }

// Reveal returns the value. Seal it, compare it, or show it to somebody who may see it; nothing else.
func (p Personal[T]) Reveal() T { return p.value }

// String says that something is there and not what.
func (Personal[T]) String() string { return Redacted }

// GoString redacts %#v.
func (Personal[T]) GoString() string { return Redacted }

// Format redacts every verb, also %x and %+v, which do not ask String.
func (Personal[T]) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(Redacted)) }

// LogValue redacts in slog.
func (Personal[T]) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText redacts in every encoder that asks for text, JSON among them.
func (Personal[T]) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// Format redacts a key under every verb.
func (Key) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(Redacted)) }

// LogValue redacts a key in slog.
func (Key) LogValue() slog.Value { return slog.StringValue(Redacted) }

// Format redacts a vault under every verb.
func (*Vault) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(Redacted)) }
