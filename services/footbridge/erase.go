package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"footbridge/libs/service"
	"footbridge/schemas"
)

type eraseFlags struct {
	Reason  string `env:"REASON" placeholder:"WHY" help:"the first person: why; name nobody"`
	Confirm string `env:"CONFIRM" placeholder:"REQUEST" help:"the second person: the id of the request that the first was answered with"`
	JSON    bool   `env:"JSON" help:"print data"`
}

// erased is what the API says was erased.
type erased struct {
	Person string `json:"person"`
	// Request waits for a second person until ConfirmBy; what follows is said once it is done.
	Request   string           `json:"request,omitempty"`
	ConfirmBy string           `json:"confirmBy,omitempty"`
	Records   int              `json:"records,omitempty"`
	Rows      map[string]int64 `json:"rows,omitempty"`
	Kept      string           `json:"kept,omitempty"`
	Backups   string           `json:"backups,omitempty"`
}

// erase makes a person's identifying details unreadable: one person asks for it, and another confirms, each by a run of
// the command with a token of their own (FOOTBRIDGE_TOKEN). The operator's key is nobody's own. The reference comes on
// standard input, so that it is in no process list and no shell's history.
func erase(ctx context.Context, args []string) error {
	o, rest, err := load[eraseFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(rest) > 0 || (o.Own.Reason == "") == (o.Own.Confirm == "") {
		return service.Usage{Err: errors.New("the first person: echo REFERENCE | footbridge erase --reason WHY; the " +
			"second: echo REFERENCE | footbridge erase --confirm REQUEST. The person's opaque reference is read from " +
			"standard input")}
	}
	if o.Token == "" {
		return service.Usage{Err: errors.New("set FOOTBRIDGE_TOKEN to a token of your own: two people erase, each as " +
			"themselves")}
	}
	reference, err := bufio.NewReader(io.LimitReader(os.Stdin, 200)).ReadString('\n')
	if reference = strings.TrimSpace(reference); reference == "" || (err != nil && !errors.Is(err, io.EOF)) {
		return service.Usage{Err: errors.New(
			"no reference came on standard input: echo REFERENCE | footbridge erase …")}
	}
	c, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"reason": o.Own.Reason, "confirm": o.Own.Confirm})
	if err != nil {
		return err
	}
	var done erased
	if _, err := c.call(ctx, http.MethodPost, "/api/people/"+url.PathEscape(reference)+"/erase", body,
		"application/json", &done); err != nil {
		return err
	}
	if o.Own.JSON {
		return printJSON(done)
	}
	if done.Request != "" {
		fmt.Printf("asked for: request %s. Nothing is erased yet. Another person confirms it by %s, with a token of "+
			"their own:\n  echo REFERENCE | footbridge erase --confirm %s\n",
			done.Request, done.ConfirmBy, done.Request)
		return nil
	}
	fmt.Printf("erased: %d record(s). Nobody can read who this was any more.\n", done.Records)
	for _, table := range slices.Sorted(maps.Keys(done.Rows)) {
		fmt.Printf("  intake.%-14s %d rows\n", table, done.Rows[table])
	}
	fmt.Printf("kept: %s\nbackups: %s\n", done.Kept, done.Backups)
	return nil
}

// listReport is what the API says became of a nightly list.
type listReport struct {
	Rows []struct {
		Row     int             `json:"row"`
		Result  string          `json:"result"`
		Reason  string          `json:"reason,omitempty"`
		Journey string          `json:"journey,omitempty"`
		Message string          `json:"message,omitempty"`
		Errors  []schemas.Fault `json:"errors,omitempty"`
	} `json:"rows"`
	Counts map[string]int `json:"counts"`
}

type referralFlags struct {
	Organisation string `env:"ORGANISATION" placeholder:"CODE" help:"ODS code of the hospital whose list it is, where the caller is no one of theirs"`
	JSON         bool   `env:"JSON" help:"print data"`
}

// referrals imports a nightly list from a file.
func referrals(ctx context.Context, args []string) error {
	o, rest, err := load[referralFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(rest) != 2 || rest[0] != "import" {
		return service.Usage{Err: fmt.Errorf("referrals import FILE [--organisation CODE] [--json]; the file is CSV, " +
			"its first row names the columns, one of them visit")}
	}
	list, err := os.ReadFile(rest[1])
	if err != nil {
		return fmt.Errorf("reading the list: %w", err)
	}
	c, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	path := "/api/referrals/list"
	if o.Own.Organisation != "" {
		path += "?" + url.Values{"organisation": {o.Own.Organisation}}.Encode()
	}
	var report listReport
	if _, err := c.call(ctx, http.MethodPost, path, list, "text/csv", &report); err != nil {
		return err
	}
	if o.Own.JSON {
		err = printJSON(report)
	} else {
		err = printList(report)
	}
	if unread := report.Counts["cannot-be-read"]; err == nil && unread > 0 {
		err = fmt.Errorf("%d of %d rows could not be read; correct them and import the list again: what was taken is "+
			"not taken twice", unread, len(report.Rows))
	}
	return err
}

func printList(report listReport) error {
	err := table(func(w io.Writer) {
		fmt.Fprintln(w, "ROW\tRESULT\tWHY\tJOURNEY")
		for _, row := range report.Rows {
			why := []string{row.Reason}
			if len(row.Errors) > 0 {
				why = nil
			}
			for _, fault := range row.Errors {
				why = append(why, fault.String())
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", row.Row, row.Result, strings.Join(why, "; "), row.Journey)
		}
	})
	fmt.Printf("%d raised now, %d known already, %d kept for a human, %d could not be read\n",
		report.Counts["raised-now"], report.Counts["already-known"],
		report.Counts["kept"], report.Counts["cannot-be-read"])
	return err
}
