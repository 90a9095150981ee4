package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// answered is one unit as its sender saw it. Times are of the sender's monotonic clock.
type answered struct {
	journey                 string
	intended, sent, arrived time.Time // when it should have been sent, when it was, when its 202 came
}

// sender sends units over a fixed number of connections. It writes and reads HTTP/1.1 by hand: the cores are shared,
// and a general client would cost as much as what it measures.
type sender struct {
	requests []*request // one a token
	addr     string
	conns    int
	next     *atomic.Int64 // units ever sent
}

// closed sends units as fast as they are answered.
func (s *sender) closed(ctx context.Context, units int) ([]answered, error) {
	var begun atomic.Int64
	return s.send(ctx, units, func(int) (int, time.Time, bool) {
		n := int(begun.Add(1)) - 1
		return n, time.Time{}, n < units
	})
}

// open sends units at a fixed rate, whatever the answers do; what is sent late counts as late.
func (s *sender) open(ctx context.Context, units int, perSecond float64) ([]answered, error) {
	begin := time.Now().Add(50 * time.Millisecond)
	turns := make([]int, s.conns)
	return s.send(ctx, units, func(conn int) (int, time.Time, bool) {
		n := conn + turns[conn]*s.conns
		turns[conn]++
		intended := begin.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))
		return n, intended, n < units
	})
}

func (s *sender) send(ctx context.Context, units int, turn func(conn int) (n int, intended time.Time,
	more bool)) ([]answered, error) {
	all := make([]answered, units)
	failures := make(chan error, s.conns)
	base := int(s.next.Add(int64(units))) - units
	var wg sync.WaitGroup
	for conn := range s.conns {
		wg.Go(func() {
			if err := s.sendOn(ctx, conn, base, all, turn); err != nil {
				failures <- err
			}
		})
	}
	wg.Wait()
	close(failures)
	return all, <-failures
}

func (s *sender) sendOn(ctx context.Context, conn, base int, all []answered,
	turn func(int) (int, time.Time, bool)) error {
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("connecting to the door: %w", err)
	}
	defer nc.Close()
	reader := bufio.NewReader(nc)
	request := s.requests[conn%len(s.requests)]
	var buffer []byte
	for ctx.Err() == nil {
		n, intended, more := turn(conn)
		if !more {
			return nil
		}
		if wait := time.Until(intended); !intended.IsZero() && wait > 0 {
			pause(ctx, wait)
		}
		buffer = request.copyFor(buffer, base+n)
		a := answered{intended: intended, sent: time.Now()}
		if a.intended.IsZero() {
			a.intended = a.sent
		}
		if _, err := nc.Write(buffer); err != nil {
			return fmt.Errorf("sending unit %d: %w", n, err)
		}
		if a.journey, err = readAnswer(reader); err != nil {
			return fmt.Errorf("unit %d: %w", n, err)
		}
		a.arrived = time.Now()
		all[n] = a
	}
	return context.Cause(ctx)
}

// readAnswer reads one 202 and gives the journey it names.
func readAnswer(reader *bufio.Reader) (journey string, err error) {
	status, err := reader.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	accepted := bytes.HasPrefix(status, []byte("HTTP/1.1 202"))
	first := string(bytes.TrimSpace(status[:min(len(status), 60)]))
	length := 0
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return "", fmt.Errorf("reading the answer's header: %w", err)
		}
		name, value, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		if len(name) == 0 {
			break
		}
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(textproto.TrimString(string(value))); err != nil {
				return "", fmt.Errorf("reading the answer's length: %w", err)
			}
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(reader, body); err != nil {
		return "", fmt.Errorf("reading the answer's body: %w", err)
	}
	_, rest, found := bytes.Cut(body, []byte(`"journey":"`))
	if !accepted || !found || len(rest) < 36 {
		return "", fmt.Errorf("refused: %s %s", first, body)
	}
	return string(rest[:36]), nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// quantile of sorted or unsorted durations; 0 of none.
func quantile(of []time.Duration, q float64) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
