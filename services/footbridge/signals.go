package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"footbridge/libs/service"
	"footbridge/schemas"
)

type signalFlags struct {
	JSON bool `env:"JSON" help:"print data"`
}

// signals is the file feed of signals: each file holds one signal, several one after another, or a list of them, in
// either form; a folder stands for the files in it whose names end in .json; - is standard input. Each is sent until it
// is answered, and one that came before does nothing twice, so a feed that broke off is simply run again. One that is
// refused holds no other up, and makes the command fail at its end.
func signals(ctx context.Context, args []string) error {
	o, named, err := load[signalFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(named) == 0 {
		return service.Usage{Err: errors.New("signals FILE|FOLDER… [--json]")}
	}
	files, err := signalFiles(named)
	if err != nil {
		return err
	}
	c, err := o.client(schemas.System)
	if err != nil {
		return err
	}
	answers := []answer{}
	refused := 0
	for _, file := range files {
		content, err := readFile(file)
		if err != nil {
			return fmt.Errorf("%w; the signals before it were sent", err)
		}
		for i, piece := range splitSignals(content) {
			got, err := sendSignal(ctx, c, piece)
			got.File, got.Message = file, i+1
			if err != nil {
				got.Text = "not taken: " + err.Error()
				refused++
			}
			answers = append(answers, got)
			if !o.Own.JSON {
				fmt.Printf("%s[%d]  %s  %s\n", filepath.Base(got.File), got.Message, got.Answer, got.Text)
			}
		}
	}
	if o.Own.JSON {
		err = printJSON(answers)
	}
	if err == nil && len(answers) == 0 {
		err = fmt.Errorf("there is no signal in %s; nothing was sent", strings.Join(named, ", "))
	}
	if err == nil && refused > 0 {
		err = fmt.Errorf("%d of %d signals were not taken; send them again corrected, or the whole feed: what was "+
			"taken is not taken twice", refused, len(answers))
	}
	return err
}

// signalFiles are the named files, and in place of a folder the files in it, in order of their names.
func signalFiles(named []string) (files []string, err error) {
	for _, name := range named {
		info, err := os.Stat(name)
		switch {
		case name == "-" || (err == nil && !info.IsDir()):
			files = append(files, name)
			continue
		case err != nil:
			return nil, fmt.Errorf("reading signals: %w", err)
		}
		inside, err := filepath.Glob(filepath.Join(name, "*.json"))
		if err != nil || len(inside) == 0 {
			return nil, errors.Join(err, fmt.Errorf("the folder %s holds no file whose name ends in .json", name))
		}
		files = append(files, inside...)
	}
	return files, nil
}

// splitSignals takes a file apart: values one after another, and lists of them. What cannot be read goes as it is,
// since it belongs in the ledger too, and is taken to end where a line begins another value.
func splitSignals(content []byte) (pieces []json.RawMessage) {
	for len(bytes.TrimSpace(content)) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(content))
		var one json.RawMessage
		if err := decoder.Decode(&one); err != nil {
			end := nextValue(content)
			pieces, content = append(pieces, bytes.TrimSpace(content[:end])), content[end:]
			continue
		}
		content = content[decoder.InputOffset():]
		var list []json.RawMessage
		if json.Unmarshal(one, &list) == nil {
			pieces = append(pieces, list...)
			continue
		}
		pieces = append(pieces, one)
	}
	return pieces
}

// nextValue is where, after the first line that says anything, a line begins an object or a list.
func nextValue(content []byte) int {
	from := len(content) - len(bytes.TrimLeft(content, " \t\r\n"))
	for at := from; at < len(content); at++ {
		if content[at] == '\n' && at+1 < len(content) && (content[at+1] == '{' || content[at+1] == '[') {
			return at + 1
		}
	}
	return len(content)
}

func sendSignal(ctx context.Context, c *client, signal []byte) (answer, error) {
	var body struct{ ID, Message string }
	status, err := c.call(ctx, http.MethodPost, "/api/signals", signal, "application/json", &body)
	return answer{ID: body.ID, Answer: fmt.Sprint(status), Text: "message " + body.Message}, err
}
