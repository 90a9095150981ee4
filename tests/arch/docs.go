package arch

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	fence   = regexp.MustCompile("^\\s*(```|~~~)")
	outside = regexp.MustCompile(`^([a-z][a-z0-9+.-]*:|//)`)
	inline  = regexp.MustCompile("`[^`]*`")
)

// links: each relative link of a document points at a file that is there, and at a heading that is there.
func links(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Paths(".md") {
		fenced := false
		eachLine(t.Files[name], func(n int, line string) {
			if fence.MatchString(line) {
				fenced = !fenced
			}
			if fenced {
				return
			}
			for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(line, "`x`"), -1) {
				if why := t.broken(name, m[1]); why != "" {
					found = append(found, Finding{name, n, why})
				}
			}
		})
	}
	return found
}

func (t *Tree) broken(from, target string) string {
	if outside.MatchString(target) {
		return ""
	}
	file, anchor, _ := strings.Cut(target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
	}
	content, there := t.Files[to]
	if !there && !t.folder(to) && !t.known(to) {
		return "the link " + target + " leads nowhere"
	}
	if anchor != "" && strings.HasSuffix(to, ".md") && !slices.Contains(anchorsOf(content), anchor) {
		return "there is no heading #" + anchor + " in " + to
	}
	return ""
}

// Elsewhere says which files there are beside those of the tree; the repository's test sets it.
var Elsewhere = func(string) bool { return false }

func (t *Tree) known(name string) bool { return Elsewhere(name) }

func (t *Tree) folder(name string) bool {
	for file := range t.Files {
		if strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// anchorsOf gives the anchors of a document's headings, as GitHub makes them.
func anchorsOf(content string) []string {
	var anchors []string
	fenced := false
	eachLine(content, func(_ int, line string) {
		if fence.MatchString(line) {
			fenced = !fenced
		}
		if m := heading.FindStringSubmatch(line); m != nil && !fenced {
			anchor := strings.Map(func(r rune) rune {
				switch {
				case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
					return unicode.ToLower(r)
				case r == ' ':
					return '-'
				}
				return -1
			}, m[1])
			repeated := anchor
			for i := 1; slices.Contains(anchors, repeated); i++ {
				repeated = anchor + "-" + string(rune('0'+i))
			}
			anchors = append(anchors, repeated)
		}
	})
	return anchors
}

var (
	makeCommand = regexp.MustCompile(`(?:^|[\s;&|(` + "`" + `])make ([a-z][a-z-]*)`)
	ourCommand  = regexp.MustCompile(`(?:^|[\s;&|(` + "`" + `/])footbridge ([a-z][a-z-]*)\b`)
	makeTarget  = regexp.MustCompile(`^([a-z][a-z-]*):`)
	codeSpan    = regexp.MustCompile("`([^`]+)`")
)

// commands: what a document tells the reader to type is there: make targets, and commands of the program.
func commands(t *Tree) []Finding {
	targets := map[string]bool{}
	eachLine(t.Files["Makefile"], func(_ int, line string) {
		if m := makeTarget.FindStringSubmatch(line); m != nil {
			targets[m[1]] = true
		}
	})
	ours := t.programCommands()
	var found []Finding
	for _, name := range t.Paths(".md") {
		fenced := false
		eachLine(t.Files[name], func(n int, line string) {
			if fence.MatchString(line) {
				fenced = !fenced
				return
			}
			typed := []string{line}
			if !fenced {
				typed = nil
				for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
					typed = append(typed, m[1])
				}
			}
			for _, text := range typed {
				for _, m := range makeCommand.FindAllStringSubmatch(text, -1) {
					if !targets[m[1]] {
						found = append(found, Finding{name, n, "make " + m[1] + " is not in the Makefile"})
					}
				}
				for _, m := range ourCommand.FindAllStringSubmatch(text, -1) {
					if len(ours) > 0 && !ours[m[1]] {
						found = append(found, Finding{name, n, "footbridge " + m[1] + " is no command"})
					}
				}
			}
		})
	}
	return found
}

// commandsFile declares the command line.
const commandsFile = "services/footbridge/commands.go"

// programCommands are the commands of the program: the fields of commandLine, by the name that is typed.
var commandName = regexp.MustCompile(` name:"([a-z-]+)"`)

func (t *Tree) programCommands() map[string]bool {
	ours := map[string]bool{"help": true}
	file := t.gos[commandsFile]
	if file == nil {
		return nil
	}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "commandLine" {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			for _, name := range field.Names {
				ours[strings.ToLower(name.Name)] = true
			}
			if named := commandName.FindStringSubmatch(field.Tag.Value); named != nil {
				ours[named[1]] = true
			}
		}
		return false
	})
	return ours
}

// WordList is words.yaml: what is not written, what is written instead, and where it may be after all.
type WordList struct {
	Never []struct {
		Pattern string `yaml:"pattern"`
		Write   string `yaml:"write"`
		// Only limits the pattern to some paths: a word that is wrong on a screen may be right in a document.
		Only []string `yaml:"only"`
	} `yaml:"never"`
	Except []struct {
		Path   string `yaml:"path"`
		Phrase string `yaml:"phrase"`
		Why    string `yaml:"why"`
	} `yaml:"except"`
}

const wordsFile = "tests/arch/words.yaml"

// words looks at documents, templates, the directory, and every sentence that a service or a schema may show.
func words(t *Tree) []Finding {
	var list WordList
	if err := yaml.Unmarshal([]byte(t.Files[wordsFile]), &list); err != nil || len(list.Never) == 0 {
		return []Finding{{wordsFile, 1, "the list of words cannot be read"}}
	}
	var found []Finding
	look := func(name string, line int, text string) {
		for _, e := range list.Except {
			if in(name, e.Path) {
				text = strings.ReplaceAll(text, e.Phrase, "")
			}
		}
		for _, never := range list.Never {
			if len(never.Only) > 0 && !in(name, never.Only...) {
				continue
			}
			if m := regexp.MustCompile(never.Pattern).FindString(text); m != "" {
				found = append(found, Finding{name, line, "not " + m + ": " + never.Write})
			}
		}
	}
	for _, name := range t.Paths(".md", ".html", ".yaml") {
		if name == wordsFile || strings.Contains(name, "/testdata/") {
			continue
		}
		eachLine(t.Files[name], func(n int, line string) { look(name, n, line) })
	}
	for _, name := range t.Sources() {
		if !in(name, "services/", "schemas/") {
			continue
		}
		t.texts(name, func(text string, at token.Pos) {
			if strings.ContainsAny(text, " ") && !statement.MatchString(text) {
				look(name, t.line(at), text)
			}
		})
	}
	return found
}
