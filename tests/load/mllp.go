package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/hl7"
	"footbridge/libs/pg"
)

// nameEcho is the bare MLLP server: it commits each message as it came, in batches of what has arrived like intake's,
// and answers AA; it does not read, seal, join or decide.
const nameEcho = "echo"

type echoed struct {
	raw  []byte
	done chan error
}

// runEcho is the echo's process.
func runEcho(ctx context.Context, args []string) error {
	cfg, err := pgxpool.ParseConfig(args[0])
	if err != nil {
		return err
	}
	cfg.AfterConnect = pg.TextUUIDs
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, `create table if not exists echo (id uuid primary key, raw bytea not null)`); err != nil {
		return err
	}
	arrived := make(chan *echoed, 1024)
	for range referenceWorkers {
		go func() {
			for ctx.Err() == nil {
				echoCommit(ctx, pool, gather(ctx, arrived))
			}
		}()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	for {
		nc, err := listener.Accept()
		if err != nil {
			return err
		}
		go echo(nc, arrived)
	}
}

func echoCommit(ctx context.Context, pool *pgxpool.Pool, batch []*echoed) {
	ids, raws := make([]string, len(batch)), make([][]byte, len(batch))
	for i, e := range batch {
		ids[i], raws[i] = clock.NewID(time.Now()), e.raw
	}
	_, err := pool.Exec(ctx, `insert into echo (id, raw) select * from unnest($1::uuid[], $2::bytea[])`, ids, raws)
	for _, e := range batch {
		e.done <- err
	}
}

func echo(nc net.Conn, arrived chan<- *echoed) {
	defer nc.Close()
	reader := bufio.NewReader(nc)
	for {
		frame, err := reader.ReadBytes(0x1c)
		if err != nil {
			return
		}
		if _, err := reader.ReadByte(); err != nil {
			return
		}
		e := &echoed{raw: frame, done: make(chan error, 1)}
		arrived <- e
		if err := <-e.done; err != nil {
			fmt.Fprintln(os.Stderr, "echo:", err)
			return
		}
		fields := bytes.SplitN(frame, []byte("|"), 11)
		fmt.Fprintf(nc, "\x0bMSH|^~\\&|ECHO|RXX|||20260302||ACK|1|T|2.4\rMSA|AA|%s\r\x1c\r", fields[9])
	}
}

// mllpResult is one measurement of an MLLP door.
type mllpResult struct {
	Rate     float64 // messages a second over many connections
	P50, P99 time.Duration
}

// controlMark stands where messages differ.
const controlMark = "CTRL-0000000000"

// arrivalMessage is an arrival in A&E for another reason, as most of a feed is: it is read, sealed, joined to its
// visit and kept, and nothing follows.
func arrivalMessage() []byte {
	at := time.Now()
	local := at.UTC().Format("20060102150405")
	w := hl7.NewWriter(hl7.Header{SendingApplication: "LOAD-PAS", SendingFacility: organisation, ReceivingApplication: "FOOTBRIDGE", At: at, Type: "ADT",
		Trigger: "A04", ControlID: controlMark, ProcessingID: "P", Version: "2.4"})
	w.Segment("EVN").Set(2, local)
	w.Segment("PID").Set(3, controlMark, "", "", organisation, "MR").Set(5, "Sample", "Robin").Set(7, "19980404").Set(8, "F")
	w.Segment("PV1").Set(2, "E").Set(19, controlMark).Set(44, local)
	return append(append([]byte{0x0b}, w.Bytes()...), 0x1c, '\r')
}

var mllpSent atomic.Int64

// measureMLLP sends messages over connections, each waiting for its answer.
func measureMLLP(addr string, conns, each int) (mllpResult, error) {
	template := arrivalMessage()
	all := make([][]time.Duration, conns)
	failures := make(chan error, conns)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			var err error
			if all[i], err = sendMLLP(addr, template, each); err != nil {
				failures <- err
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	close(failures)
	var times []time.Duration
	for _, some := range all {
		times = append(times, some...)
	}
	return mllpResult{float64(conns*each) / took.Seconds(), quantile(times, .5), quantile(times, .99)}, <-failures
}

func sendMLLP(addr string, template []byte, count int) ([]time.Duration, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	reader := bufio.NewReader(nc)
	var times []time.Duration
	for range count {
		message := bytes.ReplaceAll(template, []byte(controlMark), fmt.Appendf(nil, "CTRL-%010d", mllpSent.Add(1)))
		sent := time.Now()
		if _, err := nc.Write(message); err != nil {
			return nil, err
		}
		answer, err := reader.ReadBytes(0x1c)
		if err != nil {
			return nil, fmt.Errorf("waiting for an acknowledgement: %w", err)
		}
		times = append(times, time.Since(sent))
		if !bytes.Contains(answer, []byte("MSA|AA|")) {
			return nil, fmt.Errorf("not accepted: %q", answer)
		}
		if _, err := reader.ReadByte(); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// parsing gives bytes a second of parsing a message, and of looking at each of its bytes once.
func parsing() (parse, scan float64, err error) {
	raw := bytes.Trim(arrivalMessage(), "\x0b\x1c\r")
	parse, err = speed(len(raw), func() error { _, err := hl7.Parse(raw); return err })
	if err != nil {
		return 0, 0, err
	}
	separators := 0
	scan, err = speed(len(raw), func() error {
		for _, c := range raw {
			if c == '|' || c == '\r' || c == '^' {
				separators++
			}
		}
		return nil
	})
	return parse, scan, err
}

func speed(size int, do func() error) (float64, error) {
	began, n := time.Now(), 0
	for time.Since(began) < 300*time.Millisecond {
		for range 100 {
			if err := do(); err != nil {
				return 0, err
			}
			n++
		}
	}
	return float64(n*size) / time.Since(began).Seconds(), nil
}
