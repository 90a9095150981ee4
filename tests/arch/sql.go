package arch

import (
	"go/token"
	"path"
	"regexp"
	"strings"
)

// statement recognises SQL in a text of a program.
var statement = regexp.MustCompile(`(?is)^\s*(` +
	`select\b.*(\bfrom\b|\(|\$\d)|insert\s+into\b|update\s+\S+.*\bset\b|delete\s+from\b|with\s+\w+\s+as\b|merge\s+into\b|` +
	`(create|alter|drop)\s+(or\s+replace\s+)?(table|index|unique|view|role|schema|function|database|type|extension|sequence|trigger)\b|` +
	`truncate\s+\w|grant\s+\w+.*\bto\b|revoke\s+\w+.*\bfrom\b|lock\s+table\b|copy\s+\w+.*\b(from|to)\b|listen\s+\w+$|notify\s+\w+)`)

// speaksSQL are the places where SQL may be written.
func speaksSQL(name string) bool {
	service, ok := serviceOf(name)
	return in(name, "libs/pg/", "libs/flow/", "libs/testkit/", "tests/") ||
		// its own role, its own views
		(ok && isStore(name)) || (service == "journey" && path.Base(name) == "sentinel.go")
}

func sqlPlaces(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Sources() {
		if speaksSQL(name) {
			continue
		}
		t.texts(name, func(text string, at token.Pos) {
			if statement.MatchString(text) {
				found = append(found, t.finding(name, at, "SQL belongs in store.go: %.40q", text))
			}
		})
	}
	for _, name := range t.Paths(".sql") {
		if path.Base(path.Dir(name)) != "migrations" && !in(name, "deploy/postgres/") {
			found = append(found, Finding{name, 1, "SQL belongs in migrations/"})
		}
	}
	return found
}

// asksTheTime is how SQL asks the server for the time.
var asksTheTime = regexp.MustCompile(
	`(?i)\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(|\b(current_timestamp|current_date|current_time|localtime|localtimestamp)\b|'(now|today|tomorrow|yesterday)'`)

// mayAskTheTime: ServerTime is how doctor compares clocks; and what may be dropped for good is not left to a caller's
// clock.
const (
	mayAskTheTime  = "select clock_timestamp()"
	mayRefuseYoung = "if day > (clock_timestamp() at time zone 'UTC')::date - least then"
)

var sqlComment = regexp.MustCompile(`--[^\n]*`)

func sqlClock(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Sources() {
		if in(name, "tests/") {
			continue
		}
		t.texts(name, func(text string, at token.Pos) {
			if statement.MatchString(text) && asksTheTime.MatchString(text) &&
				!(name == "libs/pg/pg.go" && text == mayAskTheTime) {
				found = append(found, t.finding(name, at, "SQL asks for the time; pass it as a parameter: %.60q", text))
			}
		})
	}
	for _, name := range t.Paths(".sql") {
		eachLine(t.Files[name], func(n int, line string) {
			if asksTheTime.MatchString(sqlComment.ReplaceAllString(line, "")) &&
				!(name == "libs/pg/migrations/owner.sql" && strings.TrimSpace(line) == mayRefuseYoung) {
				found = append(found, Finding{name, n, "SQL asks for the time; the program passes it"})
			}
		})
	}
	return found
}

var (
	createTable = regexp.MustCompile(`(?i)^\s*create\s+table\s+(if\s+not\s+exists\s+)?(\w+)`)
	alterTable  = regexp.MustCompile(`(?i)^\s*alter\s+table\s+(\w+)`)
	addColumn   = regexp.MustCompile(`(?i)\badd\s+(column\s+)?(if\s+not\s+exists\s+)?(\w+)\s+([\w\[\]]+)`)
	column      = regexp.MustCompile(`^\s+(\w+)\s+([a-zA-Z]+(\[\])?)`)
	textual     = regexp.MustCompile(`(?i)^(text|varchar|char|character|citext|json|jsonb|xml|bytea|tsvector)(\[\])?$`)
)

// Column is a column of a table as a migration makes it.
type Column struct {
	Path              string
	Line              int
	Owner, Name, Type string // Owner is the service or library whose migration it is, and the table
}

// Columns reads the columns that migrations make.
func (t *Tree) Columns() []Column {
	var columns []Column
	for _, name := range t.Paths(".sql") {
		dir := path.Dir(name)
		if path.Base(dir) != "migrations" {
			continue
		}
		owner, table := path.Base(path.Dir(dir)), ""
		eachLine(t.Files[name], func(n int, line string) {
			line = sqlComment.ReplaceAllString(line, "")
			if m := createTable.FindStringSubmatch(line); m != nil {
				table = m[2]
				return
			}
			if m := alterTable.FindStringSubmatch(line); m != nil {
				table = m[1]
			}
			if m := addColumn.FindStringSubmatch(line); m != nil && table != "" &&
				!strings.EqualFold(m[3], "constraint") {
				columns = append(columns, Column{name, n, owner + "." + table, m[3], m[4]})
				return
			}
			if m := column.FindStringSubmatch(line); m != nil && table != "" {
				columns = append(columns, Column{name, n, owner + "." + table, m[1], m[2]})
			}
			if strings.Contains(line, ";") {
				table = ""
			}
		})
	}
	return columns
}

// textColumns: each column outside intake that could hold free text is declared in textcolumns.txt with what it holds.
func textColumns(t *Tree) []Finding {
	declared := map[string]bool{}
	eachLine(t.Files[textColumnsFile], func(_ int, line string) {
		if name, why, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !strings.HasPrefix(line, "#") &&
			strings.TrimSpace(why) != "" {
			declared[name] = true
		}
	})
	var found []Finding
	for _, c := range t.Columns() {
		full := c.Owner + "." + c.Name
		if textual.MatchString(c.Type) && !in(c.Path, "services/intake/") && !declared[full] {
			found = append(found, Finding{c.Path, c.Line, "free text is kept in intake alone; if " + full +
				" holds codes, ids or words of ours, say so in " + textColumnsFile})
		}
	}
	return found
}

const textColumnsFile = "tests/arch/textcolumns.txt"
