package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"footbridge/libs/hl7"
	"footbridge/libs/service"
	"footbridge/schemas"
)

type sendFlags struct {
	MLLP string `env:"MLLP" as:"hostport" help:"send HL7 v2 here; empty: FOOTBRIDGE_MLLP_ADDR"`
	HTTP string `env:"HTTP" as:"url" help:"send CloudEvents here; empty: /events of the running system"`
	TLS  bool   `env:"TLS" help:"send HL7 v2 over TLS; ca, cert and key imply it"`
	CA   string `env:"CA" placeholder:"FILE" help:"who signs the receiver's certificate (PEM); empty: whom this machine trusts"`
	Cert string `env:"CERT" placeholder:"FILE" help:"certificate to show the receiver, for mutual TLS (PEM)"`
	Key  string `env:"KEY" placeholder:"FILE" help:"its private key (PEM)"`
	JSON bool   `env:"JSON" help:"print data"`
}

// answer is what one message was answered with.
type answer struct {
	File    string `json:"file"`
	Message int    `json:"message"`
	ID      string `json:"id"`
	Answer  string `json:"answer"`
	Text    string `json:"text,omitempty"`
	refused bool
}

// send sends files as an outside system would and prints each answer: HL7 v2 over MLLP, CloudEvents over HTTP. A
// file may hold several HL7 messages, or a batch of CloudEvents; - is standard input. An HL7 message whose connection
// ends before it is answered is sent again; one that is not answered for sendTime is not, since its receiver holds it.
func send(ctx context.Context, args []string) error {
	o, files, err := load[sendFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(files) == 0 {
		return service.Usage{Err: errors.New("send FILE… [--mllp HOST:PORT [--tls --ca FILE --cert FILE --key FILE] " +
			"| --http URL]")}
	}
	answers, failures := []answer{}, []error(nil)
	for _, file := range files {
		got, err := sendFile(ctx, o, file)
		answers, failures = append(answers, got...), append(failures, err)
	}
	if o.Own.JSON {
		failures = append(failures, printJSON(answers))
	} else {
		for _, a := range answers {
			fmt.Printf("%s[%d]  %-12s %-4s %s\n", filepath.Base(a.File), a.Message, a.ID, a.Answer, a.Text)
		}
	}
	return errors.Join(append(failures, refusedOf(answers))...)
}

// refusedOf is the error of a sending of which something was not taken.
func refusedOf(answers []answer) error {
	refused := 0
	for _, a := range answers {
		if a.refused {
			refused++
		}
	}
	if refused == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d answers are refusals; what was taken stays taken", refused, len(answers))
}

func sendFile(ctx context.Context, o *options[sendFlags], file string) ([]answer, error) {
	content, err := readFile(file)
	if err != nil {
		return nil, err
	}
	if trimmed := bytes.TrimSpace(content); o.Own.HTTP != "" ||
		(len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')) {
		return sendEvents(ctx, o, file, content)
	}
	secure, err := sendTLS(o.Own)
	if err != nil {
		return nil, err
	}
	return sendHL7(ctx, &mllpSender{addr: orElse(o.Own.MLLP, o.MLLPAddr), tls: secure}, file, content)
}

func readFile(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("sending: %w", err)
	}
	return content, nil
}

// sendTime is how long one message may wait for its answer. sendTries is how often it is sent while connections end
// without one.
const (
	sendTime  = 30 * time.Second
	sendTries = 5
)

// mllpSender sends messages one by one, over one connection for as long as it lasts.
type mllpSender struct {
	addr   string
	tls    *tls.Config
	client *hl7.Client
}

func (s *mllpSender) dial(ctx context.Context) (err error) {
	if s.client != nil {
		return nil
	}
	if s.client, err = hl7.Dial(ctx, s.addr, s.tls); err != nil {
		return err
	}
	s.client.Always = true // Footbridge answers every message, unless a sender's profile says otherwise
	return nil
}

func (s *mllpSender) close() {
	if s.client != nil {
		_ = s.client.Close()
		s.client = nil
	}
}

// send gives all answers to a message: two where enhanced mode asks for both.
func (s *mllpSender) send(ctx context.Context, frame []byte) (answers [][]byte, err error) {
	for try, wait := 1, 100*time.Millisecond; try <= sendTries; try, wait = try+1, 2*wait {
		if answers, err = s.once(ctx, frame); err == nil || errors.Is(err, context.DeadlineExceeded) ||
			errors.Is(err, hl7.ErrFraming) {
			return answers, err
		}
		s.close()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
	return nil, fmt.Errorf("the connection ended before an answer, %d times: %w", sendTries, err)
}

func (s *mllpSender) once(ctx context.Context, frame []byte) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := s.dial(ctx); err != nil {
		return nil, err
	}
	pending, err := s.client.Start(ctx, frame)
	if err != nil {
		return nil, err
	}
	return pending.Answers(ctx)
}

func sendHL7(ctx context.Context, to *mllpSender, file string, content []byte) ([]answer, error) {
	frames, err := hl7.Split(content)
	if err != nil {
		frames = [][]byte{content} // sent as it is: the receiver must answer bad input too
	}
	if err := to.dial(ctx); err != nil {
		return nil, fmt.Errorf("sending %s: %w; is it running? (footbridge dev)", file, err)
	}
	defer to.close()
	var answers []answer
	for i, frame := range frames {
		raw, err := to.send(ctx, frame)
		if err != nil {
			return answers, fmt.Errorf("sending message %d of %s: %w", i+1, file, err)
		}
		for _, one := range raw {
			ack, err := hl7.ParseAck(one)
			if err != nil {
				return answers, fmt.Errorf("reading the answer to message %d of %s: %w", i+1, file, err)
			}
			answers = append(answers, answer{File: file, Message: i + 1, ID: ack.ControlID, Answer: ack.Code,
				Text: ack.Text, refused: !ack.Positive()})
		}
	}
	return answers, nil
}

// sendEvents sends one CloudEvent, or a batch, in structured JSON.
func sendEvents(ctx context.Context, o *options[sendFlags], file string, content []byte) ([]answer, error) {
	c, err := o.client(schemas.System)
	if err != nil {
		return nil, err
	}
	path := "/events"
	if o.Own.HTTP != "" {
		c.base, path = o.Own.HTTP, ""
	}
	contentType := "application/cloudevents+json"
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("[")) {
		contentType = "application/cloudevents-batch+json"
	}
	var raw json.RawMessage
	status, err := c.call(ctx, http.MethodPost, path, content, contentType, &raw)
	if err != nil {
		return nil, fmt.Errorf("sending %s: %w", file, err)
	}
	var body struct{ ID, Journey string }
	_ = json.Unmarshal(raw, &body) // a batch answers with a list, which is printed as it is
	text := "journey " + body.Journey
	if body.ID == "" {
		text = string(raw)
	}
	return []answer{{File: file, Message: 1, ID: body.ID, Answer: fmt.Sprint(status), Text: text,
		refused: refusedAmong(raw)}}, nil
}

// refusedAmong tells whether the answer to a batch, which is 200 whatever is in it, says of an event that it was not
// taken.
func refusedAmong(raw json.RawMessage) bool {
	var each []struct{ Status int }
	_ = json.Unmarshal(raw, &each) // the answer to one event is no list
	return slices.ContainsFunc(each, func(a struct{ Status int }) bool { return a.Status >= http.StatusBadRequest })
}
