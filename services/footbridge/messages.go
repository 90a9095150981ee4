package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/intake"
)

// messageFlags are those of messages and its subcommands.
type messageFlags struct {
	ledgerFlags
	editFlags
	plainFlags
}

type ledgerFlags struct {
	Sender  string `env:"SENDER" help:"messages of this sender only"`
	Outcome string `env:"OUTCOME" help:"messages of this outcome only: joined, raised, raised-flagged, corrected, cancelled, ignored, duplicate, quarantined, rejected"`
}

// editFlags are what a human knows better than a message.
type editFlags struct {
	Facts  string `env:"FACTS" placeholder:"FILE" help:"facts that you know better than the message, a JSON object in this file (- is standard input)"`
	LeftAt string `env:"LEFT_AT" placeholder:"TIME" help:"when the person left, in RFC 3339, e.g. 2026-11-20T09:00:00Z"`
	Visit  string `env:"VISIT" placeholder:"NUMBER" help:"the visit number that the message lacks"`
}

var messagesUsage = service.Usage{Err: errors.New("messages [--sender S] [--outcome O] [--json] | show ID [--json] | " +
	"release ID [--facts FILE] [--left-at TIME] [--visit NUMBER] [--json] | dismiss ID [--json]")}

// messages prints the ledger, shows one message with what can be done about it, or settles one that was quarantined.
func messages(ctx context.Context, args []string) error {
	o, rest, err := load[messageFlags](args)
	if err != nil {
		return shown(err)
	}
	edited := o.Own.Facts != "" || o.Own.LeftAt != "" || o.Own.Visit != ""
	switch {
	case len(rest) == 0 && !edited:
		return listMessages(ctx, o)
	case len(rest) == 2 && rest[0] == "show" && !edited:
		return showMessage(ctx, o, rest[1])
	case len(rest) == 2 && rest[0] == "release":
		return o.decideMessage(ctx, o.Own, schemas.Operator, rest[0], rest[1])
	case len(rest) == 2 && rest[0] == "dismiss" && !edited:
		return o.decideMessage(ctx, o.Own, schemas.Navigator, rest[0], rest[1])
	}
	return messagesUsage
}

func listMessages(ctx context.Context, o *options[messageFlags]) error {
	c, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	query := url.Values{}
	for name, value := range map[string]string{"outcome": o.Own.Outcome, "sender": o.Own.Sender} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if o.Own.JSON {
		lines, err := all[json.RawMessage](ctx, c, "/api/messages", query)
		if err != nil {
			return err
		}
		return printJSON(append([]json.RawMessage{}, lines...))
	}
	lines, err := all[intake.LedgerLine](ctx, c, "/api/messages", query)
	if err != nil {
		return err
	}
	return table(func(w io.Writer) {
		fmt.Fprintln(w, "RECEIVED\tSENDER\tTYPE\tCONTROL ID\tANSWER\tOUTCOME\tID\tWHY")
		for _, m := range lines {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.ReceivedAt.Local().Format(time.DateTime), m.Sender,
				m.Type, m.ControlID, m.Ack, m.Outcome, m.ID, inBrief(m))
		}
	})
}

// inBrief is why a message came to its outcome, as the first sentence of the words; messages show has them all, and
// --json the code.
func inBrief(m intake.LedgerLine) string {
	first, _, more := strings.Cut(orElse(m.Words, m.Reason), ". ")
	if more {
		first += "."
	}
	return first
}

// showMessage says what is wrong with a message, and by which command it is put right.
func showMessage(ctx context.Context, o *options[messageFlags], id string) error {
	c, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if _, err := c.call(ctx, http.MethodGet, "/api/messages/"+url.PathEscape(id), nil, "", &raw); err != nil {
		return err
	}
	if o.Own.JSON {
		return printJSON(raw)
	}
	var m intake.LedgerLine
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("reading message %q: %w", id, err)
	}
	printMessage(m)
	return nil
}

func printMessage(m intake.LedgerLine) {
	fmt.Printf("message %s\n  received  %s from %s (%s), over %s\n", m.ID, m.ReceivedAt.Local().Format(time.DateTime),
		m.Sender, m.Organisation, m.Endpoint)
	fmt.Printf("  type      %s, control id %s, answered %s\n  outcome   %s\n", m.Type, orElse(m.ControlID, "none"),
		m.Ack, m.Outcome)
	if why := orElse(m.Words, m.Reason); why != "" {
		fmt.Printf("            %s\n", why)
	}
	if m.Journey != "" {
		fmt.Printf("  journey   %s\n", m.Journey)
	}
	if m.DecidedBy != "" {
		fmt.Printf("  settled   by %s\n", m.DecidedBy)
	}
	if m.DueAt != nil && len(m.Can) > 0 {
		fmt.Printf("  due       %s\n", due(*m.DueAt, time.Now().After(*m.DueAt)))
	}
	for _, r := range m.Can {
		fmt.Printf("  footbridge messages %s %s%s\n            %s\n", r.Do, m.ID, flagsFor(r), r.Words)
	}
}

// editWords are the flags of what a release may bring.
var editWords = map[string]string{"facts": "--facts FILE", "leftAt": "--left-at TIME", "visit": "--visit NUMBER"}

func flagsFor(r intake.Remedy) string {
	var text strings.Builder
	for i, name := range r.With {
		flag := editWords[name]
		if i > 0 || !r.Needs {
			flag = "[" + flag + "]"
		}
		text.WriteString(" " + flag)
	}
	return text.String()
}

// decideMessage releases or dismisses as a navigator of FOOTBRIDGE_ORGANISATION: saying that a message is of no concern
// is not for an operator.
func (c *Config) decideMessage(ctx context.Context, own messageFlags, role schemas.Role, do, id string) error {
	body, err := own.edits()
	if err != nil {
		return err
	}
	ask, err := c.client(role)
	if err != nil {
		return err
	}
	var line intake.LedgerLine
	if _, err := ask.call(ctx, http.MethodPost, "/api/messages/"+url.PathEscape(id)+"/"+do, body, "application/json",
		&line); err != nil {
		return err
	}
	if own.JSON {
		return printJSON(line)
	}
	fmt.Printf("message %s: %s\n", id, line.Outcome)
	if line.Words != "" {
		fmt.Println(line.Words)
	}
	if line.Journey != "" {
		fmt.Printf("journey %s\n", line.Journey)
	}
	return nil
}

// edits is the body of a release. A file of facts may also hold the whole of it, as POST /api/messages/{id}/release
// takes it: no fact is named like its members.
func (f messageFlags) edits() ([]byte, error) {
	body := map[string]any{}
	if f.Facts != "" {
		content, err := readFile(f.Facts)
		if err != nil {
			return nil, err
		}
		var facts map[string]any
		if err := json.Unmarshal(content, &facts); err != nil || facts == nil {
			return nil, fmt.Errorf("--facts %s holds no JSON object; write for example {\"assessment\": \"done\"}",
				f.Facts)
		}
		body["facts"] = facts
		for name := range editWords {
			if _, whole := facts[name]; whole {
				body = facts
			}
		}
	}
	if f.LeftAt != "" {
		if _, err := time.Parse(time.RFC3339, f.LeftAt); err != nil {
			return nil, service.Usage{Err: fmt.Errorf("--left-at %q is no time with its offset; write for example "+
				"2026-11-20T09:00:00Z", f.LeftAt)}
		}
		body["leftAt"] = f.LeftAt
	}
	if f.Visit != "" {
		body["visit"] = f.Visit
	}
	return json.Marshal(body)
}
