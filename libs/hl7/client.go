package hl7

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// ErrFraming comes for a message that holds MLLP's framing bytes and so cannot be sent in a frame.
var ErrFraming = errors.New("hl7: the message holds MLLP framing bytes (0x1C, or 0x0B before MSH)")

// ErrClientClosed comes for messages whose answer had not come when [Client.Close] was called.
var ErrClientClosed = errors.New("hl7: the MLLP client is closed")

// maxPending is how many messages a client sends ahead of their answers; more wait.
const maxPending = 1024

// Client sends messages over one MLLP connection. It may be used from many goroutines at once: messages are then
// pipelined, and answers are matched to them by order, as MLLP has no other way. Messages that want no answer at all
// (MSH-15 and MSH-16 both NE) are not waited for; do not pipeline messages that want one only sometimes (ER, SU). In
// enhanced mode a message may get two answers, of which the application's is the last.
type Client struct {
	// Always waits for an answer to every message, for receivers that answer even those that want none. Set it
	// before the first message.
	Always bool

	nc      net.Conn
	sending sync.Mutex // held while a message takes its place and is written: both orders are then the same
	pending chan *Pending
	done    chan struct{} // closed when the connection has ended
	once    sync.Once
	err     error // why it ended; set before done is closed
}

// Dial connects to an MLLP receiver at host:port; with a TLS configuration if config is not nil.
func Dial(ctx context.Context, address string, config *tls.Config) (*Client, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to MLLP receiver %s: %w", address, err)
	}
	if config == nil {
		return NewClient(nc), nil
	}
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	t := tls.Client(nc, config)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("connecting to MLLP receiver %s by TLS: %w", address, err)
	}
	return NewClient(t), nil
}

// NewClient makes a client of a connection that exists; the client closes it.
func NewClient(nc net.Conn) *Client {
	c := &Client{nc: nc, pending: make(chan *Pending, maxPending), done: make(chan struct{})}
	go c.receive()
	return c
}

// Send sends one message and waits for its answer, which it returns unframed; see [ParseAck]. Where there are two, it
// is the application's; [Pending.Answers] gives both. A nil answer without an error means that the message wants none.
// When ctx ends first the message may still have been taken.
func (c *Client) Send(ctx context.Context, message []byte) ([]byte, error) {
	p, err := c.Start(ctx, message)
	if err != nil {
		return nil, err
	}
	return p.Wait(ctx)
}

// Pending is a message that was sent and whose answers are awaited.
type Pending struct {
	c       *Client
	id      string        // MSH-10
	applies string        // MSH-16: whether the application answers too
	answers [][]byte      // the receiver's until done
	done    chan struct{} // closed when all answers have come; nil where none is wanted
}

// Start sends one message without waiting for its answer: for pipelining. It waits while 1024 are unanswered.
// Errors: [ErrFraming], ctx's error if it ended before anything was sent, and whatever ended the connection.
func (c *Client) Start(ctx context.Context, message []byte) (*Pending, error) {
	if bytes.IndexByte(message, endBlock) >= 0 || bytes.Contains(message, restart) {
		return nil, ErrFraming
	}
	p := newPending(c, message)
	frame := appendFrame(make([]byte, 0, len(message)+3), message)
	c.sending.Lock()
	defer c.sending.Unlock()
	if p.done != nil {
		select {
		case c.pending <- p:
		case <-ctx.Done():
			return nil, fmt.Errorf("sending over MLLP: %w", ctx.Err())
		case <-c.done:
			return nil, c.err
		}
	}
	deadline, _ := ctx.Deadline() // none: the zero time, which waits for ever
	_ = c.nc.SetWriteDeadline(deadline)
	if _, err := c.nc.Write(frame); err != nil { // half a frame may be out: nothing can follow it
		c.end(fmt.Errorf("sending over MLLP: %w", err))
		return nil, c.err
	}
	return p, nil
}

func newPending(c *Client, message []byte) *Pending {
	p := &Pending{c: c}
	m, err := Parse(message)
	if err == nil {
		p.id, p.applies = m.ControlID(), m.msh(16).String()
	}
	if c.Always || err != nil || !m.msh(15).Is("NE") || !m.msh(16).Is("NE") {
		p.done = make(chan struct{})
	}
	return p
}

// Wait waits for the answer, as [Client.Send] does.
func (p *Pending) Wait(ctx context.Context) ([]byte, error) {
	answers, err := p.Answers(ctx)
	if len(answers) == 0 {
		return nil, err
	}
	return answers[len(answers)-1], err
}

// Answers waits for every answer: in enhanced mode the accept acknowledgement, then the application's. One that the
// message asks for only on an error or only on success (ER, SU) is waited for no longer than the packet in which the
// other came: a receiver may well send it later, and it is then dropped.
func (p *Pending) Answers(ctx context.Context) ([][]byte, error) {
	if p.done == nil {
		return nil, nil
	}
	select {
	case <-p.done:
		return p.answers, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for an MLLP answer: %w", ctx.Err())
	case <-p.c.done:
	}
	select { // the answer may have come just before the end
	case <-p.done:
		return p.answers, nil
	default:
		return nil, p.c.err
	}
}

// inbox hands answers to the message that waits longest. It belongs to the receiving goroutine.
type inbox struct {
	c     *Client
	first *Pending // the one that waits longest, if it is known
	last  string   // control ID of a message whose application may yet answer though nobody waits for it
}

func (b *inbox) take(answer []byte) {
	ack, _ := ParseAck(answer) // what is no acknowledgement is an answer too
	applies := strings.HasPrefix(ack.Code, "A")
	if b.first != nil && len(b.first.answers) > 0 && (!applies || ack.ControlID != b.first.id) {
		b.finish() // its receiver goes on to the next: there will be no second answer
	}
	if b.first == nil {
		select {
		case b.first = <-b.c.pending:
		default:
			return // nobody asked
		}
	}
	p := b.first
	if b.last != "" && ack.ControlID == b.last && p.id != b.last && applies {
		return
	}
	p.answers = append(p.answers, answer)
	if ack.Code != "CA" || p.applies == "" || p.applies == "NE" {
		b.finish()
	}
}

// resolve ends the waiting for an answer that may never come.
func (b *inbox) resolve() {
	if b.first != nil && len(b.first.answers) > 0 && (b.first.applies == "ER" || b.first.applies == "SU") {
		id := b.first.id
		b.finish()
		b.last = id
	}
}

func (b *inbox) finish() {
	close(b.first.done)
	b.first, b.last = nil, ""
}

// receive hands each answer to the message that waits longest.
func (c *Client) receive() {
	waiting := inbox{c: c}
	frames := deframer{max: MaxMessage, emit: func(a scanned) {
		if a.frame != nil {
			waiting.take(a.frame)
		}
	}}
	buffer := make([]byte, 16<<10)
	for {
		deadline := time.Time{}
		if frames.awaitsTail() {
			deadline = time.Now().Add(200 * time.Millisecond)
		}
		_ = c.nc.SetReadDeadline(deadline)
		n, err := c.nc.Read(buffer)
		frames.feed(buffer[:n])
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && frames.awaitsTail():
			frames.silence()
		default:
			frames.close()
			c.end(fmt.Errorf("receiving MLLP answers: %w", err))
			return
		}
		waiting.resolve()
	}
}

func (c *Client) end(why error) {
	c.once.Do(func() {
		c.err = why
		close(c.done)
		_ = c.nc.Close()
	})
}

// Close closes the connection. Messages still waiting for an answer get [ErrClientClosed].
func (c *Client) Close() error {
	c.end(ErrClientClosed)
	return nil
}
