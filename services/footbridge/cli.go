package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"footbridge/libs/service"
)

// typed is what was typed after footbridge, taken apart.
type typed struct {
	parser *kong.Kong
	node   *kong.Node // the command, as far as it is named; the program itself where none is
	named  bool       // the last word of the command was typed, and is not the default
	words  []string   // arguments after the command's own words
	flags  []string   // for load, in the order given
	err    error      // why the words are no command of ours
}

// asked says whether a flag is among those typed.
func (t *typed) asked(names ...string) bool {
	return slices.ContainsFunc(t.flags, func(flag string) bool { return slices.Contains(names, flag) })
}

// dispatch does what was typed. What cannot be understood is a service.Usage of one line.
func dispatch(ctx context.Context, args []string) error {
	t, err := parse(args)
	if err != nil {
		return err
	}
	do, runs := actions()[t.node.Path()]
	switch {
	case len(args) == 0 || t.asked("--help", "-h", "--settings"):
		return t.help(os.Stdout, t.asked("--settings"))
	case t.asked("--print-config") && t.node == t.parser.Model.Node:
		return serve(ctx, t.flags)
	case t.asked("--print-config") && !runs:
		_, _, err := load[struct{}](t.flags)
		return shown(err)
	case t.err != nil && !t.asked("--print-config"):
		return service.Usage{Err: t.err}
	}
	given := t.flags
	if len(t.words) > 0 {
		given = append(append(given, "--"), t.words...)
	}
	return do.run(ctx, given)
}

// parse takes apart what was typed. Its error is a fault of ours.
func parse(args []string) (*typed, error) {
	parser, err := newParser()
	if err != nil {
		return nil, err
	}
	t := &typed{parser: parser, node: parser.Model.Node}
	var words []string
	switch {
	case len(args) > 0 && args[0] == completeName: // a shell asks about words that are not ours yet
		t.node, t.words = child(t.node, completeName), args[1:]
		return t, nil
	case len(args) > 0 && args[0] == "help":
		words, t.flags = args[1:], []string{"--help"}
	default:
		words, t.flags = split(parser.Model.Node, args)
	}
	traced, err := kong.Trace(parser, append([]string{"--"}, words...)) // flags have been taken out
	if err != nil {
		return nil, fmt.Errorf("reading the command line: %w", err)
	}
	if node := traced.Selected(); node != nil {
		t.node = node
	}
	own := t.depth()
	if t.named = own > 0 && len(words) >= own && words[own-1] == t.node.Name; !t.named && own > 0 {
		own-- // the default was meant
	}
	t.err, t.words = t.refusal(traced, words), words[own:]
	if last := len(words) - 1; t.err != nil && last >= 0 && words[last] == "help" && len(t.node.Children) > 0 {
		t.flags = append(t.flags, "--help") // footbridge thresholds help
	}
	return t, nil
}

// refusal says in one line what is wrong with the words, or nil.
func (t *typed) refusal(traced *kong.Context, words []string) error {
	wrong := traced.Error
	if wrong == nil {
		wrong = traced.Validate()
	}
	if wrong == nil || len(words) == 0 && len(t.flags) == 0 {
		return nil
	}
	path := t.node.Path()
	_, near, _ := strings.Cut(wrong.Error(), ", did you mean ")
	if near != "" {
		near = "; did you mean " + near
	}
	switch unknown := slices.Concat(words[min(len(words), t.depth()):], t.flags); {
	case t.node.Type == kong.ApplicationNode:
		return fmt.Errorf("there is no command %q%s (footbridge --help lists them)", unknown[0], near)
	case len(t.node.Children) > 0 && len(words) > t.depth():
		return fmt.Errorf("there is no %q%s (there are %s)", path+" "+unknown[0], near,
			strings.Join(below(t.node), ", "))
	case len(t.node.Children) > 0:
		return fmt.Errorf("%s needs another word: %s (footbridge %s --help)", path, strings.Join(below(t.node), ", "),
			path)
	case traced.Error != nil:
		return fmt.Errorf("%s: %q is not wanted here; it is used as %s", path, words[len(words)-1], usage(t.node))
	}
	return fmt.Errorf("%s needs more: it is used as %s (footbridge %s --help)", path, usage(t.node), path)
}

// depth counts the words of the command.
func (t *typed) depth() int {
	if t.node.Type == kong.ApplicationNode {
		return 0
	}
	return t.node.Depth() + 1
}

func below(node *kong.Node) (paths []string) {
	for _, c := range node.Children {
		paths = append(paths, c.Path())
	}
	return paths
}

// split takes flags with their values, as --name=value, from the other words. The command's own flags and the settings
// tell which of them take a value; what is neither is left to load, which refuses it. After -- nothing is a flag.
func split(root *kong.Node, args []string) (words, flags []string) {
	var own map[string]*kong.Flag
	if len(args) > 0 {
		if node := child(root, args[0]); node != nil {
			own = flagsUnder(node)
		}
	}
	settings := sharedSettings()
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		name, _, has := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		switch {
		case arg == "--":
			return append(words, args...), flags
		case !strings.HasPrefix(arg, "-") || arg == "-":
			words = append(words, arg)
			continue
		}
		takes := settings.TakesValue(arg)
		if flag := own[name]; flag != nil {
			takes = !flag.IsBool()
		}
		if takes && !has && len(args) > 0 {
			arg, args = arg+"="+args[0], args[1:]
		}
		flags = append(flags, arg)
	}
	return words, flags
}

// sharedSettings are those of every command, with nothing read.
func sharedSettings() *service.Loaded {
	loaded, _ := service.Load(&Config{}, service.Sources{Prefix: prefix, Environ: []string{}, Args: []string{"--help"}})
	return loaded
}

// usage is a command in one line: footbridge messages show ID [flags].
func usage(node *kong.Node) string {
	line := strings.TrimSpace("footbridge " + node.Path())
	for _, arg := range node.Positional {
		name := arg.Name
		if arg.IsCumulative() {
			name += "…"
		}
		if !arg.Required {
			name = "[" + name + "]"
		}
		line += " " + name
	}
	if len(node.Children) > 0 {
		line += " COMMAND"
	}
	return line + " [flags]"
}

// help describes a command: what it is for, how it is used, its arguments, commands and flags, an example; the settings
// that every command takes only when they are asked for.
func (t *typed) help(w io.Writer, settings bool) error {
	node, flags := t.node, t.node.Flags
	if node.Parent != nil && node.Parent.DefaultCmd == node && !t.named {
		node = node.Parent // messages, which lists
	}
	columns := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(columns, "%s\n\n%s\n", usage(node), node.Help)
	if len(node.Positional) > 0 {
		fmt.Fprintln(columns, "\nArguments")
	}
	for _, arg := range node.Positional {
		fmt.Fprintf(columns, "  %s\t%s\n", arg.Name, arg.Help)
	}
	for _, group := range append([]kong.Group{{}}, groups...) {
		listCommands(columns, node, group)
	}
	if len(flags) > 0 {
		fmt.Fprintln(columns, "\nFlags")
	}
	for _, flag := range flags {
		fmt.Fprintf(columns, "  %s\t%s\n", flagUsage(flag), flagHelp(flag))
	}
	fmt.Fprintf(columns, "\nExample\n  %s\n", strings.Join(examples(node), "\n  "))
	fmt.Fprintf(columns, "\nSettings\n")
	if settings {
		return errors.Join(columns.Flush(), sharedSettings().Usage(w))
	}
	fmt.Fprintf(columns, "  Every command takes the settings too, as flags or as variables FOOTBRIDGE_…; --settings "+
		"lists them, --print-config shows what they are.\n")
	return columns.Flush()
}

// examples are those of a command, or one of each command below it.
func examples(node *kong.Node) (lines []string) {
	if node.Type == kong.ApplicationNode {
		node = child(node, "demo")
	}
	if do, ok := actions()[node.Path()]; ok {
		return strings.Split(do.example, "\n")
	}
	for _, below := range node.Children {
		lines = append(lines, examples(below)[0])
	}
	return lines
}

// listCommands lists the commands of a group below a node; of no group, those that have none of their own.
func listCommands(w io.Writer, node *kong.Node, group kong.Group) {
	headed := false
	for _, c := range node.Children {
		key := ""
		if c.Group != nil && node.Type == kong.ApplicationNode {
			key = c.Group.Key
		}
		if c.Hidden || key != group.Key {
			continue
		}
		if title := group.Title; !headed {
			if title == "" {
				title = "Commands"
			}
			fmt.Fprintf(w, "\n%s\n", title)
			headed = true
		}
		fmt.Fprintf(w, "  %s\t%s\n", c.Name, c.Help)
	}
}

// flagUsage is a flag with what stands for its value: --facts FILE.
func flagUsage(flag *kong.Flag) string {
	if flag.IsBool() {
		return "--" + flag.Name
	}
	value := flag.PlaceHolder
	if value == "" {
		value = map[string]string{"hostport": "HOST:PORT", "url": "URL"}[flag.Tag.Get("as")]
	}
	if value == "" {
		value = strings.ToUpper(flag.Name)
	}
	return "--" + flag.Name + " " + value
}

func flagHelp(flag *kong.Flag) string {
	if flag.HasDefault {
		return flag.Help + " (default " + flag.Default + ")"
	}
	return flag.Help
}
