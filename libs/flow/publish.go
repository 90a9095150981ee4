package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// outgoing is an event that is in the outbox, on its way to the broker.
type outgoing struct {
	n       int64
	id      string
	subject string
	payload []byte
}

// size is how many bytes of it count against the broker's limits: headers and body.
func (e outgoing) size() int {
	const headers = len("NATS/1.0\r\nNats-Msg-Id: \r\nContent-Type: " + ContentType + "\r\n\r\n")
	return headers + len(e.id) + len(e.payload)
}

// mostBytes is the largest message that the broker takes: by what it said when we connected, and by the stream's own
// limit, which is looked at every two seconds.
func (f *Flow) mostBytes() int {
	most := int(f.cfg.Bus.NATS.MaxPayload())
	if limit := int(f.streamLimit.Load()); limit > 0 {
		most = min(most, limit)
	}
	return most
}

// errRefused: the broker refuses this message for what it is; publishing it again does not help while its limits are
// as they are. The others are not to wait for it.
var errRefused = errors.New("the broker does not take this message")

// codeTooLarge is the broker's error code for a message above the stream's limit.
const codeTooLarge = 10054

// publisher publishes asynchronously and hears the broker's acknowledgements on one subscription. It keeps nothing
// of its own: what is not acknowledged in time is left to the sweep, which reads it from the outbox again.
type publisher struct {
	nc      *nats.Conn
	prefix  string
	timeout time.Duration

	mu      sync.Mutex
	token   uint64
	waiting map[uint64]waiting
	room    *sync.Cond
	limit   int
	sub     *nats.Subscription
}

type waiting struct {
	id, subject string

	done  answer
	since time.Time
	epoch uint64
}

// answer is told where a message is in the stream, or why it is not known to be there.
type answer func(at position, err error)

// errNoStream: nobody stores what is published; the stream is gone.
var errNoStream = errors.New("publishing: no stream takes the subject")

// pubAck is the broker's answer to a publish.
type pubAck struct {
	Stream    string    `json:"stream"`
	Seq       uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
	Error     *apiError `json:"error"`
}

type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

// readAck reads the broker's answer. Nearly all say a stream and a sequence alone; that form is read without the
// decoder.
func readAck(data []byte) (ack pubAck, err error) {
	if seq, ok := plainAck(data); ok {
		return pubAck{Seq: seq}, nil
	}
	err = json.Unmarshal(data, &ack)
	return ack, err
}

// plainAck reads {"stream":"NAME","seq":N}, as the broker writes it; ok is false for anything else.
func plainAck(data []byte) (seq uint64, ok bool) {
	text := string(data)
	rest, begins := strings.CutPrefix(text, `{"stream":"`)
	name, number, found := strings.Cut(rest, `","seq":`)
	number, ends := strings.CutSuffix(number, "}")
	if !begins || !found || !ends || strings.ContainsAny(name, `"\`) {
		return 0, false
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	return seq, err == nil
}

func newPublisher(nc *nats.Conn, limit int) (*publisher, error) {
	p := &publisher{
		nc: nc, prefix: nc.NewInbox() + ".", timeout: 5 * time.Second, waiting: map[uint64]waiting{}, limit: limit,
	}
	p.room = sync.NewCond(&p.mu)
	sub, err := nc.Subscribe(p.prefix+"*", p.answered)
	if err != nil {
		return nil, fmt.Errorf("subscribing to acknowledgements: %w", err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("lifting the limit on acknowledgements: %w", err)
	}
	p.sub = sub
	return p, nil
}

// epoch counts the connections to the broker.
func (p *publisher) epoch() uint64 { return p.nc.Stats().Reconnects }

// publish sends one message and calls done once: with its place in the stream, or with why it is not known to be
// stored. It blocks while too many acknowledgements are outstanding.
func (p *publisher) publish(e outgoing, done answer) {
	epoch := p.epoch()
	p.mu.Lock()
	for len(p.waiting) >= p.limit {
		p.room.Wait()
	}
	p.token++
	token := p.token
	p.waiting[token] = waiting{e.id, e.subject, done, time.Now(), epoch}
	p.mu.Unlock()

	err := p.nc.PublishMsg(&nats.Msg{
		Subject: e.subject, Reply: p.prefix + strconv.FormatUint(token, 36), Data: e.payload,
		Header: nats.Header{"Nats-Msg-Id": []string{e.id}, "Content-Type": []string{ContentType}},
	})
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) {
		err = fmt.Errorf("%w: %w", errRefused, err)
	}
	if err != nil {
		p.resolve(token, position{}, fmt.Errorf("publishing: %w", err))
	}
}

func (p *publisher) answered(msg *nats.Msg) {
	token, err := strconv.ParseUint(msg.Subject[len(p.prefix):], 36, 64)
	if err != nil {
		return
	}
	if len(msg.Data) == 0 {
		p.resolve(token, position{}, errNoStream)
		return
	}
	ack, err := readAck(msg.Data)
	if err != nil {
		p.resolve(token, position{}, fmt.Errorf("reading an acknowledgement: %w", err))
		return
	}
	if ack.Error != nil && ack.Error.ErrCode == codeTooLarge {
		p.resolve(token, position{}, fmt.Errorf("publishing: %w: %s", errRefused, ack.Error.Description))
		return
	}
	if ack.Error != nil {
		p.resolve(token, position{}, fmt.Errorf("publishing: %s (%d)", ack.Error.Description, ack.Error.ErrCode))
		return
	}
	p.resolve(token, position{seq: ack.Seq, epoch: p.epoch()}, nil)
}

func (p *publisher) resolve(token uint64, at position, err error) {
	p.mu.Lock()
	w, ok := p.waiting[token]
	delete(p.waiting, token)
	p.room.Signal()
	p.mu.Unlock()
	if ok {
		at.id, at.subject = w.id, w.subject
		w.done(at, err)
	}
}

// expire gives up on publishes that have waited longer than the timeout, that went out on an earlier connection, or
// on all of them when lost is set because there is no connection.
func (p *publisher) expire(now time.Time, lost bool) {
	epoch := p.epoch()
	p.mu.Lock()
	var tokens []uint64
	for token, w := range p.waiting {
		if lost || w.epoch != epoch || now.Sub(w.since) > p.timeout {
			tokens = append(tokens, token)
		}
	}
	p.mu.Unlock()
	for _, token := range tokens {
		p.resolve(token, position{}, fmt.Errorf("publishing: no acknowledgement"))
	}
}
