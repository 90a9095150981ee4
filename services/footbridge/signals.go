package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"

	"footbridge/libs/service"
	"footbridge/schemas"
)

type signalFlags struct {
	JSON bool `env:"JSON" help:"print data"`
}

// signals is the file feed of signals: each file holds one signal, several one after another, or a list of them, in
// either form; - is standard input. One that is refused holds no other up, and makes the command fail at its end.
func signals(ctx context.Context, args []string) error {
	o, files, err := load[signalFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(files) == 0 {
		return service.Usage{Err: errors.New("signals FILE… [--json]")}
	}
	c, err := o.client(schemas.System)
	if err != nil {
		return err
	}
	answers := []answer{}
	var failures []error
	for _, file := range files {
		content, err := readFile(file)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		pieces, err := splitSignals(content)
		if err != nil { // sent as it is: what cannot be read belongs in the ledger too
			pieces = []json.RawMessage{content}
		}
		for i, piece := range pieces {
			got, err := sendSignal(ctx, c, piece)
			got.File, got.Message = file, i+1
			answers = append(answers, got)
			if err != nil {
				failures = append(failures, fmt.Errorf("sending signal %d of %s: %w", i+1, file, err))
			}
		}
	}
	if o.Own.JSON {
		return errors.Join(append(failures, printJSON(answers))...)
	}
	for _, a := range answers {
		fmt.Printf("%s[%d]  %s  %s\n", filepath.Base(a.File), a.Message, a.Answer, a.Text)
	}
	return errors.Join(failures...)
}

// splitSignals takes a file apart: values one after another, and lists of them.
func splitSignals(content []byte) (pieces []json.RawMessage, err error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	for {
		var one json.RawMessage
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return pieces, nil
		} else if err != nil {
			return nil, err
		}
		var list []json.RawMessage
		if json.Unmarshal(one, &list) == nil {
			pieces = append(pieces, list...)
			continue
		}
		pieces = append(pieces, one)
	}
}

func sendSignal(ctx context.Context, c *client, signal []byte) (answer, error) {
	var body struct{ ID, Message string }
	status, err := c.call(ctx, http.MethodPost, "/api/signals", signal, "application/json", &body)
	got := answer{ID: body.ID, Answer: fmt.Sprint(status), Text: "message " + body.Message}
	if err != nil {
		got.Text = "not taken"
	}
	return got, err
}
