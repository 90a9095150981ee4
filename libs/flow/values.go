package flow

import (
	"encoding"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"reflect"
	"sync"
	"time"
)

// appendValues appends the values that known, a pointer, has in JSON, so that two of one type have the same JSON where
// what is appended is the same: that of a nil list, map or pointer apart, which is as an empty one. It takes a tenth
// to a third of the time that JSON takes, and each event asks for it.
func appendValues(b []byte, known any) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("comparing what is known: %v", r)
		}
	}()
	v := reflect.ValueOf(known).Elem()
	return valuesOf(v.Type())(b, v), nil
}

// appender appends the values of one type.
type appender func(b []byte, v reflect.Value) []byte

var appenders sync.Map // by reflect.Type

func valuesOf(t reflect.Type) appender {
	if known, ok := appenders.Load(t); ok {
		return known.(appender)
	}
	a := newAppender(t)
	appenders.Store(t, a)
	return a
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	marshalers = []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()}
)

func newAppender(t reflect.Type) appender {
	if t == timeType {
		return appendTime
	}
	for _, marshaler := range marshalers {
		if t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler) {
			return appendJSON
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return func(b []byte, v reflect.Value) []byte { return binary.AppendUvarint(b, boolean(v.Bool())) }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(b []byte, v reflect.Value) []byte { return binary.AppendVarint(b, v.Int()) }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(b []byte, v reflect.Value) []byte { return binary.AppendUvarint(b, v.Uint()) }
	case reflect.Float32, reflect.Float64:
		return func(b []byte, v reflect.Value) []byte {
			return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
		}
	case reflect.String:
		return func(b []byte, v reflect.Value) []byte {
			return append(binary.AppendUvarint(b, uint64(v.Len())), v.String()...)
		}
	case reflect.Struct:
		return structAppender(t)
	case reflect.Slice, reflect.Array:
		return listAppender(t)
	case reflect.Map:
		return mapAppender(t)
	case reflect.Pointer, reflect.Interface:
		return appendPointed
	}
	return func([]byte, reflect.Value) []byte { panic(fmt.Sprintf("%s has no values that could be stored", t)) }
}

func boolean(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}

// appendTime appends a time as JSON shows it: the moment and the zone's offset.
func appendTime(b []byte, v reflect.Value) []byte {
	var at time.Time
	if v.CanAddr() {
		at = *v.Addr().Interface().(*time.Time) // the other way copies it to the heap
	} else {
		at = v.Interface().(time.Time)
	}
	_, offset := at.Zone()
	b = binary.AppendVarint(b, at.Unix())
	return binary.AppendVarint(binary.AppendVarint(b, int64(at.Nanosecond())), int64(offset))
}

// appendJSON is for types that have a JSON of their own.
func appendJSON(b []byte, v reflect.Value) []byte {
	if v.CanAddr() {
		v = v.Addr()
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		panic(err)
	}
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// structAppender appends the fields that JSON has.
func structAppender(t reflect.Type) appender {
	type field struct {
		index  int
		values appender
	}
	var fields []field
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("json") != "-" && (f.IsExported() || f.Anonymous) {
			fields = append(fields, field{i, valuesOf(f.Type)})
		}
	}
	return func(b []byte, v reflect.Value) []byte {
		for _, f := range fields {
			b = f.values(b, v.Field(f.index))
		}
		return b
	}
}

func listAppender(t reflect.Type) appender {
	var of appender // found when a list first holds something: a type may hold itself
	find := sync.OnceFunc(func() { of = valuesOf(t.Elem()) })
	return func(b []byte, v reflect.Value) []byte {
		n := v.Len()
		b = binary.AppendUvarint(b, uint64(n))
		if n > 0 {
			find()
		}
		for i := range n {
			b = of(b, v.Index(i))
		}
		return b
	}
}

// mapAppender appends what a map holds, in whatever order its entries come: the sums of two hashes of each entry, by
// seeds of this process. Two maps that differ are taken for the same once in 2^128 comparisons.
func mapAppender(t reflect.Type) appender {
	var key, value appender // found when a map first holds something: a type may hold itself
	find := sync.OnceFunc(func() { key, value = valuesOf(t.Key()), valuesOf(t.Elem()) })
	type pair struct{ key, value reflect.Value }
	entries := sync.Pool{New: func() any { return &pair{reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()} }}
	return func(b []byte, v reflect.Value) []byte {
		b = binary.AppendUvarint(b, uint64(v.Len()))
		if v.Len() == 0 {
			return b
		}
		find()
		start := len(b)
		var sums [2]uint64
		one := entries.Get().(*pair)
		for entry := v.MapRange(); entry.Next(); {
			one.key.SetIterKey(entry)
			one.value.SetIterValue(entry)
			b = value(key(b[:start], one.key), one.value)
			for i, seed := range entrySeeds {
				sums[i] += maphash.Bytes(seed, b[start:])
			}
		}
		one.key.SetZero() // holds nothing of a journey
		one.value.SetZero()
		entries.Put(one)
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b[:start], sums[0]), sums[1])
	}
}

var entrySeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// appendPointed appends what a pointer points to; of an interface, with its type.
func appendPointed(b []byte, v reflect.Value) []byte {
	b = binary.AppendUvarint(b, boolean(!v.IsNil()))
	if v.IsNil() {
		return b
	}
	pointed := v.Elem()
	if v.Kind() == reflect.Interface {
		b = append(append(b, pointed.Type().String()...), 0)
	}
	return valuesOf(pointed.Type())(b, pointed)
}
