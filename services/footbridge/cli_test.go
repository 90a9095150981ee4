package main

import (
	"bytes"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"footbridge/libs/service"
	"footbridge/services/intake"
)

// nodes are the program, and every command of it that people see.
func nodes(t *testing.T) []*kong.Node {
	t.Helper()
	k, err := newParser()
	if err != nil {
		t.Fatal(err)
	}
	all := []*kong.Node{k.Model.Node}
	for i := 0; i < len(all); i++ {
		for _, c := range all[i].Children {
			if !c.Hidden {
				all = append(all, c)
			}
		}
	}
	return all
}

// helpOf is what is shown for what was typed.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	typed, err := parse(args)
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if err := typed.help(&shown, typed.asked("--settings")); err != nil {
		t.Fatal(err)
	}
	return shown.String()
}

func TestEveryHelpHasPurposeUsageArgumentsCommandsFlagsAndAnExample(t *testing.T) {
	t.Parallel()
	for _, node := range nodes(t) {
		t.Run(node.Path(), func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(node.Path())
			text := helpOf(t, append(words, "--help")...)
			wanted := []string{usage(node), node.Help, "\nExample\n  "}
			for _, c := range node.Children {
				if !c.Hidden {
					wanted = append(wanted, "\n  "+c.Name+" ", c.Help)
				}
			}
			for _, arg := range node.Positional {
				wanted = append(wanted, "\n  "+arg.Name+" ", arg.Help)
			}
			for _, flag := range node.Flags {
				wanted = append(wanted, "\n  --"+flag.Name+" ", flag.Help)
			}
			for _, want := range wanted {
				if strings.TrimSpace(want) == "" || !strings.Contains(text, want) {
					t.Errorf("%q is not in:\n%s", want, text)
				}
			}
			if strings.Contains(text, "FOOTBRIDGE_KEK_FILE") {
				t.Errorf("the settings are not folded away:\n%s", text)
			}
			if with := helpOf(t, append(words, "--help", "--settings")...); !strings.Contains(with, "--database-url") ||
				!strings.Contains(with, "FOOTBRIDGE_KEK_FILE") {
				t.Errorf("the settings are not listed when they are asked for:\n%s", with)
			}
		})
	}
}

// TestWhatAnExampleTypesIsUnderstood: the line after footbridge, up to where the shell takes it further, is a command
// with the arguments and flags it takes.
func TestWhatAnExampleTypesIsUnderstood(t *testing.T) {
	t.Parallel()
	for path, do := range actions() {
		if strings.HasPrefix(path, "__") {
			continue
		}
		for line := range strings.SplitSeq(do.example, "\n") {
			_, typedLine, _ := strings.Cut(line, "footbridge "+strings.Fields(path)[0])
			typedLine, _, _ = strings.Cut(strings.TrimSuffix(typedLine, ")"), " > ")
			args := append(strings.Fields(path)[:1], strings.Fields(typedLine)...)
			typed, err := parse(args)
			if err != nil || typed.err != nil || typed.node.Path() != path {
				t.Errorf("%s: %q is %q, %v, %v", path, args, typed.node.Path(), typed.err, err)
				continue
			}
			known := flagsUnder(typed.node)
			for _, flag := range typed.flags {
				name, _, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
				if known[name] == nil && !slices.Contains(sharedSettings().Flags(), "--"+name) {
					t.Errorf("%s: %s is no flag of it", path, flag)
				}
			}
		}
	}
}

// TestEveryFlagThatIsDescribedIsRead asks each command for its configuration with each of its flags given.
func TestEveryFlagThatIsDescribedIsRead(t *testing.T) {
	t.Parallel()
	for _, node := range nodes(t) {
		for _, flag := range node.Flags {
			given := "--" + flag.Name
			if !flag.IsBool() {
				given += "=" + map[string]string{"hostport": "127.0.0.1:1",
					"url": "http://127.0.0.1:1"}[flag.Tag.Get("as")]
			}
			switch {
			case !strings.HasSuffix(given, "="):
			case flag.Target.Type() == reflect.TypeFor[time.Duration]():
				given += "1h"
			default:
				given += "1"
			}
			if err := dispatch(t.Context(), append(strings.Fields(node.Path()), given, "--print-config")); err != nil {
				t.Errorf("%s %s: %v", node.Path(), given, err)
			}
		}
	}
}

func TestWhatIsTypedWronglyIsToldInOneLine(t *testing.T) {
	t.Parallel()
	for line, says := range map[string][]string{
		"sned x":                   {`no command "sned"`, `did you mean "send"?`},
		"--foo":                    {`no command "--foo"`},
		"serve surplus":            {`"surplus"`, "footbridge serve [flags]"},
		"serve -- surplus":         {`"surplus"`},
		"migrate surplus":          {`"surplus"`},
		"journeys one two":         {`"two"`, "footbridge journeys [ID]"},
		"messages surplus":         {`"surplus"`},
		"messages show":            {"messages show ID"},
		"messages dismiss 1 --foo": {"--foo"},
		"keys":                     {"keys new", "keys rewrap"},
		"keys lend":                {`"keys lend"`, "keys new"},
		"thresholds what":          {`did you mean "what-if"?`},
		"send":                     {"footbridge send FILE…"},
		"deadletters dismiss":      {"ID…"},
		"status --jsn":             {"--jsn", "did you mean --json?"},
		"serve --htpp-addr=1":      {"--htpp-addr", "did you mean --http-addr?"},
		"send --mllp nowhere x":    {"--mllp", "host:port"},
		"completion tcsh":          {"tcsh", "zsh"},
	} {
		err := dispatch(t.Context(), strings.Fields(line))
		if code := service.ExitCode(err); code != 2 || strings.Contains(err.Error(), "\n") {
			t.Errorf("footbridge %s ends with %d: %v", line, code, err)
			continue
		}
		for _, want := range says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("footbridge %s says %q, without %q", line, err, want)
			}
		}
	}
}

func TestWordsAndFlagsMayComeInAnyOrder(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"messages --json show 1":                 "messages show | 1 | --json",
		"messages show --json 1":                 "messages show | 1 | --json",
		"messages --outcome raised --json":       "messages list |  | --outcome=raised --json",
		"referrals import --organisation RXX x":  "referrals import | x | --organisation=RXX",
		"thresholds --facts x check":             "thresholds check |  | --facts=x",
		"send --http-addr 127.0.0.1:1 a -":       "send | a - | --http-addr=127.0.0.1:1",
		"send --tls a -- --b":                    "send | a --b | --tls",
		"serve --intake-database-url u --only a": "serve |  | --intake-database-url=u --only=a",
		"keys rotate a b":                        "keys rotate | a b | ",
	} {
		typed, err := parse(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		got := typed.node.Path() + " | " + strings.Join(typed.words, " ") + " | " + strings.Join(typed.flags, " ")
		if got != want || typed.err != nil {
			t.Errorf("%s: %q, want %q (%v)", line, got, want, typed.err)
		}
	}
}

func TestAShellIsOfferedWhatMayComeNext(t *testing.T) {
	t.Parallel()
	k, err := newParser()
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"thre": "thresholds", "keys r": "retire rewrap rotate", "messages --json di": "dismiss", "serve --on": "--only",
		"serve --only intake,jo": "intake,journey", "doctor --kek": "--kek-file", "send --mllp ": "",
		"completion z": "zsh", "__c": "",
	} {
		if got := strings.Join(candidates(k.Model.Node, strings.Split(line, " ")), " "); got != want {
			t.Errorf("after %q: %q, want %q", line, got, want)
		}
	}
	if offered := candidates(k.Model.Node, []string{"serve", "--"}); slices.Contains(offered, "--http-addr") ||
		!slices.Contains(offered, "--help") {
		t.Errorf("the settings are not folded away: %q", offered)
	}
}

// TestBashCompletes runs what is printed for bash, with a program in the place of this one.
func TestBashCompletes(t *testing.T) {
	t.Parallel()
	script := completions["bash"] + `
stand_in() { [ "$1 $2 $3" = "__complete keys ro" ] && echo rotate; }
COMP_WORDS=(stand_in keys ro); COMP_CWORD=2
_footbridge stand_in && echo "${COMPREPLY[0]}"`
	out, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "rotate" {
		t.Errorf("%v: %s", err, out)
	}
}

// A person reads words, not codes; and what several checks lack is said once.
func TestAPersonReadsWordsAndEachOnce(t *testing.T) {
	t.Parallel()
	m := intake.LedgerLine{Reason: "no-end", Words: "This visit has no end. Has the person left?"}
	if got := inBrief(m); got != "This visit has no end." {
		t.Errorf("got %q", got)
	}
	if got := inBrief(intake.LedgerLine{Reason: "flag-changed",
		Words: "Flags have changed."}); got != "Flags have changed." {
		t.Errorf("got %q", got)
	}
	before := []finding{{Check: "databases", Why: errNoTables.Error()}}
	if got := notSaid(before, errNoTables); got == errNoTables.Error() || got == "" {
		t.Errorf("said again: %q", got)
	}
	c := &Config{StateDir: t.TempDir()}
	if got := strings.Split(c.checkKeys(serviceNames()).Error(), "\n"); len(got) != 3 {
		t.Errorf("without any key: %d lines, %q", len(got), got)
	}
	for range 20 {
		if got := c.checkOwners().Error(); !strings.Contains(got, "a navigator") {
			t.Fatalf("which owner is missing is said in another order: %q", got)
		}
	}
}
