package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

//go:generate sh -c "go run ./describe > ../../schemas/openapi.json.new && mv ../../schemas/openapi.json.new ../../schemas/openapi.json"
//go:generate sh -c "go run . __reference > ../../docs/commands.md.new && mv ../../docs/commands.md.new ../../docs/commands.md"

// reference prints docs/commands.md.
func reference(context.Context, []string) error {
	k, err := newParser()
	if err != nil {
		return err
	}
	writeReference(os.Stdout, k)
	return nil
}

func writeReference(w io.Writer, k *kong.Kong) {
	fmt.Fprint(w, "# Commands\n\nMade by `make generate` from `services/footbridge/commands.go`. Every command has "+
		"`--help`; those that print data have `--json`. "+
		"Each takes the [settings](configuration.md) as flags too (`--settings` lists them, `--print-config` shows "+
		"what they are). "+
		"Exit codes: 0 done, 1 failed, 2 called wrongly. `source <(footbridge completion bash)` completes commands "+
		"and flags; zsh and fish have it too.\n")
	for _, group := range groups {
		fmt.Fprintf(w, "\n## %s\n", group.Title)
		for _, node := range k.Model.Children {
			if node.Group == nil || node.Group.Key != group.Key || node.Hidden {
				continue
			}
			for _, one := range append([]*kong.Node{node}, node.Children...) {
				describe(w, one)
			}
		}
	}
}

// describe writes the section of one command.
func describe(w io.Writer, node *kong.Node) {
	if node.Depth() == 0 {
		fmt.Fprintf(w, "\n### %s\n\n%s\n", node.Path(), inDocument(node.Help))
	} else {
		fmt.Fprintf(w, "\n#### %s\n\n%s\n", node.Path(), inDocument(node.Help))
	}
	do, ok := actions()[node.Path()]
	if !ok {
		return
	}
	fmt.Fprintf(w, "\n```sh\n%s\n```\n", do.example)
	if len(node.Positional)+len(node.Flags) == 0 {
		return
	}
	fmt.Fprint(w, "\n| argument, flag | meaning |\n|---|---|\n")
	for _, arg := range node.Positional {
		fmt.Fprintf(w, "| `%s` | %s |\n", inDocument(arg.Name), inDocument(arg.Help))
	}
	for _, flag := range node.Flags {
		fmt.Fprintf(w, "| `%s` | %s |\n", inDocument(flagUsage(flag)), inDocument(flagHelp(flag)))
	}
}

// inDocument keeps a text from ending a column of a table.
func inDocument(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
