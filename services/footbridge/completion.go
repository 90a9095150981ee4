package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"footbridge/libs/service"
)

// completeName is the command by which a shell asks what may come next.
const completeName = "__complete"

// completions are what each shell needs. It asks the program that is being typed, so that what is offered is always
// what this build takes; where nothing is offered it goes on with files.
var completions = map[string]string{
	"bash": `_footbridge() {
    local IFS=$'\n'
    COMPREPLY=($("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _footbridge footbridge
`,
	"zsh": `#compdef footbridge
_footbridge() {
    local -a found
    found=(${(f)"$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then compadd -- $found; else _files; fi
}
compdef _footbridge footbridge
`,
	"fish": `function __footbridge_complete
    set -l typed (commandline -opc)
    $typed[1] __complete $typed[2..-1] (commandline -ct) 2>/dev/null
end
complete -c footbridge -a '(__footbridge_complete)'
`,
}

// completion prints what a shell needs.
func completion(_ context.Context, args []string) error {
	_, rest, err := load[struct{}](args)
	if err != nil {
		return shown(err)
	}
	text, ok := completions[rest[0]]
	if !ok {
		return service.Usage{Err: fmt.Errorf("there is no completion for %q; there is for bash, zsh and fish", rest[0])}
	}
	fmt.Print(text)
	return nil
}

// complete prints what the last of the words may become, one a line. The words come after --.
func complete(_ context.Context, args []string) error {
	k, err := newParser()
	if err != nil {
		return err
	}
	for _, one := range candidates(k.Model.Node, args[min(1, len(args)):]) {
		fmt.Println(one)
	}
	return nil
}

// candidates are commands, flags and values that begin as the last word does. Settings are among the flags once more
// than -- is typed.
func candidates(node *kong.Node, words []string) (found []string) {
	if len(words) == 0 {
		return nil
	}
	before, last := words[:len(words)-1], words[len(words)-1]
	named, _ := split(node, before)
	for _, word := range named {
		if below := child(node, word); below != nil {
			node = below
		}
	}
	if value, ok := valuesFor(node, before, last); ok {
		return value
	}
	for _, c := range node.Children {
		if !c.Hidden {
			found = append(found, c.Name)
		}
	}
	for _, arg := range node.Positional {
		if arg.Name == shells {
			found = append(found, strings.Split(shells, "|")...)
		}
	}
	if strings.HasPrefix(last, "-") {
		found = []string{"--help", "--settings", "--print-config"}
		for name := range flagsUnder(node) {
			found = append(found, "--"+name)
		}
		if len(last) > len("--") {
			found = append(found, sharedSettings().Flags()...)
		}
	}
	slices.Sort(found)
	return slices.DeleteFunc(slices.Compact(found), func(one string) bool { return !strings.HasPrefix(one, last) })
}

// shells are those of completion, as its argument is called.
const shells = "bash|zsh|fish"

// valuesFor are the values of the flag that the word before is, where it takes one; for most of them the shell offers
// files.
func valuesFor(node *kong.Node, before []string, last string) (values []string, isValue bool) {
	if len(before) == 0 || !strings.HasPrefix(before[len(before)-1], "--") {
		return nil, false
	}
	name := strings.TrimPrefix(before[len(before)-1], "--")
	flag := flagsUnder(node)[name]
	switch {
	case flag == nil:
		return nil, sharedSettings().TakesValue("--" + name)
	case flag.IsBool():
		return nil, false
	case name == "only":
		done := last[:strings.LastIndexByte(last, ',')+1]
		for _, service := range serviceNames() {
			if strings.HasPrefix(done+service, last) {
				values = append(values, done+service)
			}
		}
	}
	return values, true
}
