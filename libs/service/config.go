package service

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
)

// Secret is configuration that is never printed: use it as string(s) where it is needed. A field of this type may
// also be given as a file, under its name with _FILE (FOOTBRIDGE_API_TOKEN_FILE, --api-token-file); the file's last
// line break is not part of it.
type Secret string

// String masks the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "********"
}

// GoString masks the secret.
func (s Secret) GoString() string { return s.String() }

// MarshalText masks the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Sources are where Load reads from.
type Sources struct {
	// Prefix begins every variable's name: "FOOTBRIDGE_".
	Prefix string
	// Environ is in the form of os.Environ; nil is os.Environ().
	Environ []string
	// Args are the command's arguments without its name.
	Args []string
	// Elsewhere names further variables, without prefix, that other commands know, so that they are not warned
	// about. "*_DATABASE_URL" stands for many.
	Elsewhere []string
	// ReadFile reads a secret's file; nil is os.ReadFile.
	ReadFile func(string) ([]byte, error)
}

// Loaded tells about a configuration that has been read.
type Loaded struct {
	// Args are the arguments that are not flags, in order.
	Args []string
	// Warnings name variables that look like ours and are not known, with the name that was probably meant.
	Warnings []string
	// Help and PrintConfig say that --help or --print-config was given: show Usage or Print and end.
	Help, PrintConfig bool

	prefix   string
	settings []*setting
}

// Load fills the struct that into points to from the environment and from flags of the same names; a flag wins over
// a variable, a variable over the default. FOOTBRIDGE_DATABASE_URL is --database-url.
//
// Fields are named by the tag env (without prefix) and may have the tags help, default, required:"true" and
// as:"hostport", as:"url" (its password is masked) or as:"oneof=a|b". Types: string, Secret, bool, int, int64,
// float64, time.Duration, []string (comma between), and map[string]string or map[string]Secret with a name like
// "*_DATABASE_URL", whose keys are what the star stands for, in lower case. An embedded struct is read in place; a
// named struct field with the tag prefix:"WEB_" puts that before its fields' names.
//
// All that is wrong is returned together, a line each, every line saying which setting and what to use instead; the
// error is a Usage. Missing required settings are no error after --help. The result is never nil.
func Load(into any, from Sources) (*Loaded, error) {
	l := &Loaded{prefix: from.Prefix, settings: fields(reflect.ValueOf(into).Elem(), "")}
	if from.Environ == nil {
		from.Environ = os.Environ()
	}
	if from.ReadFile == nil {
		from.ReadFile = os.ReadFile
	}
	var errs []error
	for _, s := range l.settings {
		if s.fallback != "" {
			errs = append(errs, s.set(s.fallback, "default"))
		}
	}
	errs = append(errs, l.environment(from)...)
	errs = append(errs, l.flags(from)...)
	if l.Help {
		return l, nil
	}
	for _, s := range l.settings {
		if s.required && s.value.IsZero() && !s.failed {
			errs = append(errs, fmt.Errorf("%s%s is not set: set it, or give %s (%s)", l.prefix, s.name, s.flag(),
				s.help))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return l, Usage{err}
	}
	return l, nil
}

func (l *Loaded) environment(from Sources) []error {
	var errs []error
	for _, entry := range slices.Sorted(slices.Values(from.Environ)) {
		variable, value, _ := strings.Cut(entry, "=")
		name, ours := strings.CutPrefix(variable, l.prefix)
		if !ours {
			continue
		}
		s, suffix := l.find(name)
		switch {
		case s == nil && !matchesAny(from.Elsewhere, name):
			l.Warnings = append(l.Warnings, l.unknown(name))
		case s != nil && value != "": // set but empty is not set: compose files and shells do that
			errs = append(errs, s.take(variable, name, suffix, value, from))
		}
	}
	return errs
}

// flags reads --name=value, --name value, and --name for a bool. After -- nothing is a flag.
func (l *Loaded) flags(from Sources) []error {
	var errs []error
	args := from.Args
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			l.Args = append(l.Args, args...)
			return errs
		case arg == "--help" || arg == "-h":
			l.Help = true
			continue
		case arg == "--print-config":
			l.PrintConfig = true
			continue
		case !strings.HasPrefix(arg, "-") || arg == "-":
			l.Args = append(l.Args, arg)
			continue
		}
		given, value, has := strings.Cut(arg, "=")
		name := settingName(given)
		s, suffix := l.findFlag(name)
		if s == nil || !strings.HasPrefix(given, "--") {
			errs = append(errs, fmt.Errorf("%s is not a flag here%s; --help lists them", given,
				meant(flagName(nearest(name, l.names())))))
			continue
		}
		if !has && s.value.Kind() == reflect.Bool {
			value, has = "true", true
		}
		if !has && len(args) == 0 {
			errs = append(errs, fmt.Errorf("%s needs a value: %s=…", given, given))
			continue
		}
		if !has {
			value, args = args[0], args[1:]
		}
		errs = append(errs, s.take(given, name, suffix, value, from))
	}
	return errs
}

// findFlag is find for a flag: of two fields of one name the later has it, so that a command's own flag is not taken by
// a setting before it, which is given by its variable.
func (l *Loaded) findFlag(name string) (*setting, string) {
	for _, s := range slices.Backward(l.settings) {
		if s.name == name {
			return s, ""
		}
	}
	return l.find(name)
}

// settingName is the name, without prefix, that a flag stands for: --http-addr is HTTP_ADDR.
func settingName(flag string) string {
	return strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(flag, "--"), "-", "_"))
}

// TakesValue says whether a flag ("--http-addr") is one of these settings and is followed by its value.
func (l *Loaded) TakesValue(flag string) bool {
	s, _ := l.findFlag(settingName(flag))
	return s != nil && s.value.Kind() != reflect.Bool
}

// Flags lists the flags of the settings, in their order; of many of one kind ("--*-database-url") none.
func (l *Loaded) Flags() (flags []string) {
	for _, name := range l.names() {
		if !strings.Contains(name, "*") {
			flags = append(flags, flagName(name))
		}
	}
	return flags
}

// find returns the setting that a name without prefix belongs to, and "_FILE" when the value is the name of a file.
func (l *Loaded) find(name string) (*setting, string) {
	for _, s := range l.settings {
		if s.name == name {
			return s, ""
		}
	}
	for _, s := range l.settings {
		if s.secret() && s.name+"_FILE" == name {
			return s, "_FILE"
		}
		if _, ok := star(s.name+"_FILE", name); ok && s.secret() {
			return s, "_FILE"
		}
		if _, ok := star(s.name, name); ok {
			return s, ""
		}
	}
	return nil, ""
}

func (l *Loaded) names() []string {
	var names []string
	for _, s := range l.settings {
		names = append(names, s.name)
		if s.secret() {
			names = append(names, s.name+"_FILE")
		}
	}
	return names
}

func (l *Loaded) unknown(name string) string {
	near := nearest(name, l.names())
	if near != "" {
		near = l.prefix + near
	}
	return fmt.Sprintf("%s%s is not a setting and is ignored%s", l.prefix, name, meant(near))
}

// Print writes the effective settings, one a line with where it came from; secrets and passwords in URLs are masked.
func (l *Loaded) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range l.settings {
		for _, line := range s.show() {
			fmt.Fprintf(table, "%s%s\t%s\t# %s\n", l.prefix, line.name, line.value, line.origin)
		}
	}
	return table.Flush()
}

// Usage writes the settings with their flags, defaults and meaning.
func (l *Loaded) Usage(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range l.settings {
		note := ""
		if s.required {
			note = " (required)"
		}
		if s.fallback != "" {
			note = " (default " + mask(s, s.fallback) + ")"
		}
		fmt.Fprintf(table, "  %s\t%s%s\t%s%s\n", s.flag(), l.prefix, s.name, s.help, note)
	}
	fmt.Fprintf(table, "  --print-config\t\tshows the effective settings, secrets masked, and ends\n")
	return table.Flush()
}

func meant(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

func flagName(name string) string {
	if name == "" {
		return ""
	}
	return "--" + strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}
