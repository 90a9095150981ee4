package service

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// setting is one field of a configuration struct.
type setting struct {
	name     string // without prefix, in capitals
	help     string
	fallback string
	as       string
	required bool
	value    reflect.Value
	origin   string
	origins  map[string]string // of a map's keys
	failed   bool
}

var secretType, secretsType = reflect.TypeFor[Secret](), reflect.TypeFor[map[string]Secret]()

func (s *setting) secret() bool { return s.value.Type() == secretType || s.value.Type() == secretsType }

func (s *setting) flag() string { return flagName(s.name) }

// fields lists the settings of a struct, in its order.
func fields(v reflect.Value, prefix string) []*setting {
	var settings []*setting
	for i := range v.NumField() {
		field := v.Type().Field(i)
		env, named := field.Tag.Lookup("env")
		switch {
		case !named && field.Type.Kind() == reflect.Struct && (field.IsExported() || field.Anonymous):
			settings = append(settings, fields(v.Field(i), prefix+field.Tag.Get("prefix"))...)
		case named:
			settings = append(settings, &setting{name: prefix + env, help: field.Tag.Get("help"),
				fallback: field.Tag.Get("default"), as: field.Tag.Get("as"),
				required: field.Tag.Get("required") == "true",
				value:    v.Field(i), origin: "not set", origins: map[string]string{}})
		}
	}
	return settings
}

// take puts a value given under a name (a variable or a flag) into the field.
func (s *setting) take(given, name, suffix, value string, from Sources) error {
	if suffix == "_FILE" {
		content, err := from.ReadFile(value)
		if err != nil {
			s.failed = true
			return fmt.Errorf("%s: the file cannot be read (%w); give the path of a file that holds only the secret",
				given, err)
		}
		value = strings.TrimRight(string(content), "\r\n")
	}
	if s.value.Kind() == reflect.Map {
		return s.setKey(given, strings.TrimSuffix(name, suffix), value)
	}
	return s.set(value, given)
}

func (s *setting) setKey(given, name, value string) error {
	if err := s.check(value); err != nil {
		return fmt.Errorf("%s: %w", given, err)
	}
	key, _ := star(s.name, name)
	key = strings.ToLower(strings.ReplaceAll(key, "_", "-"))
	if s.value.IsNil() {
		s.value.Set(reflect.MakeMap(s.value.Type()))
	}
	s.value.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(value).Convert(s.value.Type().Elem()))
	s.origins[key] = given
	return nil
}

func (s *setting) set(text, origin string) error {
	err := s.check(text)
	if err == nil {
		err = s.parse(text)
	}
	if err != nil {
		s.failed = true
		return fmt.Errorf("%s: %w", origin, err)
	}
	s.origin = origin
	return nil
}

var durationType = reflect.TypeFor[time.Duration]()

// parse reads text as the field's type. Errors repeat the text, since only secrets must not be repeated and those
// are strings, which always parse.
func (s *setting) parse(text string) error {
	v := s.value
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return fmt.Errorf("'%s' is not a duration; use for example 30s, 5m or 1h30m", text)
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("'%s' is neither true nor false; use one of them", text)
		}
		v.SetBool(b)
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v.OverflowInt(n) {
			return fmt.Errorf("'%s' is not a whole number; use for example 256", text)
		}
		v.SetInt(n)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("'%s' is not a number; use for example 0.5", text)
		}
		v.SetFloat(f)
	case v.Type() == reflect.TypeFor[[]string]():
		var parts []string
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				parts = append(parts, part)
			}
		}
		v.Set(reflect.ValueOf(parts))
	default:
		panic(fmt.Sprintf("configuration field %s has type %s, which Load does not read", s.name, v.Type()))
	}
	return nil
}

// check looks at the form that the tag as asks for.
func (s *setting) check(text string) error {
	form, choices, _ := strings.Cut(s.as, "=")
	switch form {
	case "":
		return nil
	case "hostport":
		if !isHostPort(text) {
			return fmt.Errorf("'%s' is not host:port; use for example 127.0.0.1:%s", text, s.examplePort())
		}
	case "url":
		for part := range strings.SplitSeq(text, ",") {
			if u, err := url.Parse(strings.TrimSpace(part)); err != nil || u.Scheme == "" ||
				(u.Host == "" && u.Path == "" && u.Opaque == "") {
				return fmt.Errorf("it is not a URL (not repeated here: it may hold a password); use for example " +
					"scheme://user@127.0.0.1:1234/name")
			}
		}
	case "oneof":
		if !slices.Contains(strings.Split(choices, "|"), text) {
			return fmt.Errorf("'%s' is not one of its values; use one of %s", text,
				strings.ReplaceAll(choices, "|", ", "))
		}
	default:
		panic(fmt.Sprintf("configuration field %s has the tag as:%q, which Load does not know", s.name, s.as))
	}
	return nil
}

func isHostPort(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func (s *setting) examplePort() string {
	if _, port, err := net.SplitHostPort(s.fallback); err == nil {
		return port
	}
	return "8080"
}

type shown struct{ name, value, origin string }

func (s *setting) show() []shown {
	if s.value.Kind() != reflect.Map {
		return []shown{{s.name, s.text(), s.origin}}
	}
	var lines []shown
	for _, key := range slices.Sorted(mapKeys(s.value)) {
		name := strings.Replace(s.name, "*", strings.ToUpper(strings.ReplaceAll(key, "-", "_")), 1)
		value := s.value.MapIndex(reflect.ValueOf(key)).String()
		lines = append(lines, shown{name, mask(s, value), s.origins[key]})
	}
	return lines
}

func (s *setting) text() string {
	if list, ok := s.value.Interface().([]string); ok {
		return mask(s, strings.Join(list, ","))
	}
	return mask(s, fmt.Sprint(s.value.Interface()))
}

func mapKeys(v reflect.Value) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, key := range v.MapKeys() {
			if !yield(key.String()) {
				return
			}
		}
	}
}

func mask(s *setting, value string) string {
	if s.secret() {
		return Secret(value).String()
	}
	return MaskURL(value)
}

var (
	urlBegin  = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://`)
	dsnSecret = regexp.MustCompile(
		`(?i)((?:^|[\s?&])(?:password|passwd|sslpassword|token|secret|api_?key)\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&,]+)`)
)

const masked = "********"

// MaskURL hides the passwords in a text of URLs or of key=value pairs: what stands between the user's colon and the
// last @, what follows password=, token= and the like, and a user of 20 characters or more without a password, which
// is a token. It rather hides too much: a password need not be escaped properly to be hidden.
func MaskURL(text string) string {
	var out strings.Builder
	begins := append(urlBegin.FindAllStringIndex(text, -1), []int{len(text), len(text)})
	out.WriteString(text[:begins[0][0]])
	for i, begin := range begins[:len(begins)-1] {
		rest := text[begin[1]:begins[i+1][0]]
		url, after := rest, ""
		if blank := strings.IndexFunc(rest, unicode.IsSpace); blank >= 0 {
			url, after = rest[:blank], rest[blank:]
		}
		out.WriteString(text[begin[0]:begin[1]] + maskUser(url) + after)
	}
	return dsnSecret.ReplaceAllString(out.String(), "${1}"+masked)
}

// maskUser hides the password in what follows "scheme://".
func maskUser(url string) string {
	at := strings.LastIndexByte(url, '@')
	if at < 0 {
		return url
	}
	user, _, hasPassword := strings.Cut(url[:at], ":")
	switch {
	case hasPassword:
		return user + ":" + masked + url[at:]
	case len(user) >= 20:
		return masked + url[at:]
	default:
		return url
	}
}

// star matches a name against a pattern with one star and returns what the star stands for.
func star(pattern, name string) (string, bool) {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild || len(name) <= len(before)+len(after) || !strings.HasPrefix(name, before) ||
		!strings.HasSuffix(name, after) {
		return "", false
	}
	return name[len(before) : len(name)-len(after)], true
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		_, ok := star(pattern, name)
		return ok || pattern == name
	})
}

// nearest returns the name with the fewest edits from given, if those are few enough to be a slip.
func nearest(given string, names []string) string {
	best, fewest := "", max(2, len(given)/4)+1
	for _, name := range names {
		if d := edits(given, name); d < fewest {
			best, fewest = name, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
