package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is one thing wrong with what a sender wrote. It never repeats the value: that may identify somebody, and
// faults are logged and sent back.
type Fault struct {
	// Pointer is the JSON pointer (RFC 6901) of the value inside the event's data; "" is the data as a whole.
	Pointer string `json:"pointer"`
	// Problem is what is wrong, Do what to write instead.
	Problem string `json:"problem"`
	Do      string `json:"do"`
}

// String returns the fault as one line that a sender can act on.
func (f Fault) String() string {
	where := f.Pointer
	if where == "" {
		where = "data"
	}
	return where + " " + f.Problem + ": " + f.Do
}

// MostFaults is how many faults are named at most; a message with more is wrong in a way that the first ones show.
const MostFaults = 32

// ReadDischargeReported reads the data of a DischargeReported event as it came in. Without faults the value is as
// the JSON Schema of the type demands; with any, it must not be used.
func ReadDischargeReported(raw []byte) (DischargeReportedData, []Fault) {
	return Read[DischargeReportedData](raw)
}

// ReadReferralSubmitted reads the data of a ReferralSubmitted event as it came in.
func ReadReferralSubmitted(raw []byte) (ReferralSubmittedData, []Fault) {
	return Read[ReferralSubmittedData](raw)
}

// ValidateDischargeReported checks a report that was made in Go, by a form for instance. What only the JSON can show
// (a missing yes or no, a wrong type, an unknown fact) is checked by ReadDischargeReported.
func ValidateDischargeReported(d DischargeReportedData) []Fault { return Validate(d) }

// ValidateReferralSubmitted checks a request that was made in Go, like ValidateDischargeReported.
func ValidateReferralSubmitted(d ReferralSubmittedData) []Fault { return Validate(d) }

// Validate checks facts against their closed lists and bounds. Facts that are absent are unknown, never wrong.
func (f Facts) Validate() []Fault { return Validate(f) }

// Read decodes JSON into T, a struct of this package, and checks it against the kinds of its fields: what the JSON
// Schema accepts it accepts, what the schema refuses it refuses, and each fault says where and what to do. Unlike
// encoding/json it takes names exactly as published and tells an absent field from an empty one. Unknown names are
// ignored, except among facts, whose list is closed.
func Read[T any](raw []byte) (T, []Fault) {
	var v T
	tree, err := parse(raw)
	if err != nil {
		return v, []Fault{{"", "is not one JSON value", "send one JSON object"}}
	}
	r := reader{}
	r.fill(reflect.ValueOf(&v).Elem(), tree, "")
	shape := r.faults
	values := checker{}
	values.check(reflect.ValueOf(&v).Elem(), nil, "")
	for _, f := range values.faults {
		hides := func(s Fault) bool { return s.Problem != unknownFact && within(f.Pointer, s.Pointer) }
		if !slices.ContainsFunc(shape, hides) { // what could not be read is not also called missing
			r.add(f.Pointer, f.Problem, f.Do)
		}
	}
	return v, r.faults
}

// Validate checks a struct of this package, or a pointer to one, against the kinds of its fields. An empty text or
// a zero time counts as absent. It returns nil when nothing is wrong.
func Validate(v any) []Fault {
	c := checker{}
	c.check(reflect.Indirect(reflect.ValueOf(v)), nil, "")
	return c.faults
}

// within says whether pointer is outer or lies below it.
func within(pointer, outer string) bool {
	return pointer == outer || strings.HasPrefix(pointer, outer+"/")
}

func parse(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return tree, nil
}

// notes collects faults, up to MostFaults.
type notes struct{ faults []Fault }

func (fs *notes) add(pointer, problem, do string) {
	if len(fs.faults) < MostFaults {
		fs.faults = append(fs.faults, Fault{pointer, problem, do})
	}
}

// reader fills structs from a tree of JSON and notes what has the wrong shape.
type reader struct{ notes }

func (r *reader) fill(v reflect.Value, tree any, at string) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case v.Type() == timeType:
		r.fillTime(v, tree, at)
	case v.Kind() == reflect.Struct:
		r.fillStruct(v, tree, at)
	case v.Kind() == reflect.Slice:
		r.fillList(v, tree, at)
	case v.Kind() == reflect.String:
		r.fillText(v, tree, at)
	case v.Kind() == reflect.Int:
		r.fillNumber(v, tree, at)
	case v.Kind() == reflect.Bool:
		yes, ok := tree.(bool)
		if v.SetBool(yes); !ok {
			r.add(at, "is not true or false", "use true or false, without quotes, or leave it out where it may be")
		}
	}
}

func (r *reader) fillStruct(v reflect.Value, tree any, at string) {
	object, ok := tree.(map[string]any)
	if !ok {
		r.add(at, "is not an object", "use a JSON object")
		return
	}
	s := shapeOf(v.Type())
	for _, f := range s.fields {
		below, said := object[f.name]
		switch {
		case !said && f.required:
			r.add(at+"/"+f.name, "is missing", f.do())
		case !said, below == nil && f.nullable:
		default:
			r.fill(v.Field(f.index), below, at+"/"+f.name)
		}
	}
	if s.closed {
		r.refuseUnknown(s, object, at)
	}
}

const unknownFact = "holds a name that is not in the closed list of facts"

func (r *reader) refuseUnknown(s *shape, object map[string]any, at string) {
	for name := range object {
		if !slices.ContainsFunc(s.fields, func(f field) bool { return f.name == name }) {
			r.add(at, unknownFact, "leave out what the list does not have")
			return // the name itself may be anything, and is not repeated
		}
	}
}

func (r *reader) fillList(v reflect.Value, tree any, at string) {
	list, ok := tree.([]any)
	if !ok {
		r.add(at, "is not a list", "use a JSON array")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i, below := range list {
		r.fill(v.Index(i), below, at+"/"+strconv.Itoa(i))
	}
}

func (r *reader) fillText(v reflect.Value, tree any, at string) {
	text, ok := tree.(string)
	switch {
	case !ok:
		r.add(at, "is not text", "use a JSON string, or leave it out where it may be")
	case text == "":
		r.add(at, "is empty", "leave out what is not known")
	}
	v.SetString(text)
}

func (r *reader) fillNumber(v reflect.Value, tree any, at string) {
	if number, ok := tree.(json.Number); ok {
		if whole, ok := wholeNumber(string(number)); ok {
			v.SetInt(whole)
			return
		}
	}
	r.add(at, "is not a whole number", "use a whole number, without quotes, or leave it out where it may be")
}

// wholeNumber reads a JSON number; 20.0 and 2e1 are whole, as in JSON Schema.
func wholeNumber(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func (r *reader) fillTime(v reflect.Value, tree any, at string) {
	var t time.Time
	text, ok := tree.(string)
	// Go alone is more generous than RFC 3339: it reads a comma before the fraction, and an offset of 24 hours.
	if !ok || !timeShape.MatchString(text) || t.UnmarshalText([]byte(text)) != nil {
		r.add(at, "is not a time", "use RFC 3339 with an offset, such as 2026-03-01T14:30:00Z")
		return
	}
	v.Set(reflect.ValueOf(t))
}

// checker walks a filled struct and notes values that their kind does not allow.
type checker struct{ notes }

func (c *checker) check(v reflect.Value, f *field, at string) {
	switch {
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			c.checkEmitted(v.Elem(), f, at)
		}
	case v.Kind() == reflect.Struct && v.Type() != timeType:
		for i := range shapeOf(v.Type()).fields {
			below := &shapeOf(v.Type()).fields[i]
			c.check(v.Field(below.index), below, at+"/"+below.name)
		}
	case v.Kind() == reflect.Slice:
		c.checkList(v, f, at)
	case v.Kind() != reflect.Int && v.Kind() != reflect.Bool && v.IsZero():
		if f.required {
			c.add(at, "is missing", f.do())
		}
	default:
		c.checkEmitted(v, f, at)
	}
}

func (c *checker) checkList(v reflect.Value, f *field, at string) {
	switch n := v.Len(); {
	case v.IsNil():
		if f.required {
			c.add(at, "is missing", f.do())
		}
		return
	case n < f.atLeast:
		c.add(at, "is shorter than "+strconv.Itoa(f.atLeast), "name at least that many")
	case f.atMost > 0 && n > f.atMost:
		c.add(at, "is longer than "+strconv.Itoa(f.atMost), "send fewer")
		return
	}
	for i := range v.Len() {
		c.checkEmitted(v.Index(i), f, at+"/"+strconv.Itoa(i))
	}
}

// checkEmitted checks one value that is there.
func (c *checker) checkEmitted(v reflect.Value, f *field, at string) {
	switch {
	case v.Kind() == reflect.Struct && v.Type() != timeType:
		c.check(v, nil, at)
	case v.Kind() == reflect.String && !f.kind.allows(v.String()):
		c.add(at, "is not allowed", f.kind.Do)
	case v.Kind() == reflect.Int && (v.Int() < int64(f.kind.Min) || v.Int() > int64(f.kind.Max)):
		c.add(at, "is out of bounds", f.kind.Do)
	}
}

// shape is what a struct's tags say, read once.
type shape struct {
	fields []field
	closed bool
}

type field struct {
	name               string
	index              int
	required, nullable bool
	kind               *Kind
	atLeast, atMost    int
}

func (f *field) do() string {
	if f.kind != nil {
		return f.kind.Do
	}
	return "say it"
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	factsType = reflect.TypeFor[Facts]()
	shapes    sync.Map // reflect.Type to *shape
)

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := &shape{closed: t == factsType}
	for i := range t.NumField() {
		s.fields = append(s.fields, fieldOf(t.Field(i), i))
	}
	shapes.Store(t, s)
	return s
}

func fieldOf(sf reflect.StructField, index int) field {
	name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
	f := field{name: name, index: index}
	f.required = options == ""
	f.nullable = f.required && sf.Type.Kind() == reflect.Pointer
	if k, ok := kinds[sf.Tag.Get("is")]; ok {
		f.kind = &k
	}
	f.atLeast, f.atMost = itemsOf(sf.Tag)
	return f
}

// itemsOf reads the tag "items": the least and the most a list may hold; 0 is no bound.
func itemsOf(tag reflect.StructTag) (atLeast, atMost int) {
	least, most, _ := strings.Cut(tag.Get("items"), ",")
	atLeast, _ = strconv.Atoi(least)
	atMost, _ = strconv.Atoi(most)
	return atLeast, atMost
}
