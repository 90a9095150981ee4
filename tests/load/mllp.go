package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
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
	raw     []byte
	control []byte // its control id
	done    chan error
}

// nameEchoRows is the same server writing the rows that intake writes for a message about nobody who is known: the
// message, its key and receipt, the person, their key and lookup, and the visit, in one statement a batch.
const nameEchoRows = "echo-rows"

// runEcho is the echo's process.
func runEcho(ctx context.Context, args []string) error {
	pool, err := echoPool(ctx, args[0])
	if err != nil {
		return err
	}
	if _, err := pool.Exec(ctx,
		`create table if not exists echo (id uuid primary key, raw bytea not null)`); err != nil {
		return err
	}
	return serveEcho(ctx, func(batch []*echoed) error {
		ids, raws := make([]string, len(batch)), make([][]byte, len(batch))
		for i, e := range batch {
			ids[i], raws[i] = clock.NewID(time.Now()), e.raw
		}
		_, err := pool.Exec(ctx, `insert into echo (id, raw) select * from unnest($1::uuid[], $2::bytea[])`, ids, raws)
		return err
	})
}

// runEchoRows is the process of the echo that writes intake's rows. What would be sealed is written as it came, which
// is as long; hashes are random.
func runEchoRows(ctx context.Context, args []string) error {
	pool, err := echoPool(ctx, args[0])
	if err != nil {
		return err
	}
	key, identity := []byte(strings.Repeat("0123456789abcdef", 4)), []byte(strings.Repeat("0123456789abcdef", 12))
	return serveEcho(ctx, func(batch []*echoed) error {
		now := time.Now()
		all := []*rows{{table: tArrival}, {table: tMessageKey}, {table: tReceipt}, {table: tPerson},
			{table: tPersonKey}, {table: tPersonLookup}, {table: tVisitSeen}}
		for _, e := range batch {
			id, person, visit := clock.NewID(now), clock.NewRandomID(), clock.NewID(now)
			hash, control := []byte(strings.ReplaceAll(person, "-", "")), string(e.control)
			all[0].add(id, organisation, "LOAD-PAS", now, "mllp", control, hash, "ADT^A04", "AA", "joined", "not-ended",
				visit, e.raw, someTrace[3:35])
			all[1].add(id, key)
			all[2].add("RXX|LOAD-PAS", control, hash, id, now)
			all[3].add(person, organisation, "{}", false, false, identity, now, int64(1), int64(1))
			all[4].add(person, key)
			all[5].add(hash, person)
			all[6].add(visit, organisation, control, person, int64(1), `{"class": "E", "arrived": true}`, false)
		}
		sql, args := inOneStatement(all)
		_, err := pool.Exec(ctx, sql, args...)
		return err
	})
}

func echoPool(ctx context.Context, databaseURL string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	cfg.AfterConnect = pg.TextUUIDs
	return pgxpool.NewWithConfig(ctx, cfg)
}

func serveEcho(ctx context.Context, commit func([]*echoed) error) error {
	arrived := make(chan *echoed, 1024)
	for range referenceWorkers {
		go func() {
			for ctx.Err() == nil {
				batch := gather(ctx, arrived)
				err := commit(batch)
				for _, e := range batch {
					e.done <- err
				}
			}
		}()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	fmt.Println(listener.Addr())
	for {
		nc, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go echo(nc, arrived)
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
		fields := bytes.SplitN(frame, []byte("|"), 11)
		e := &echoed{raw: frame, control: fields[9], done: make(chan error, 1)}
		arrived <- e
		if err := <-e.done; err != nil {
			fmt.Fprintln(os.Stderr, "echo:", err)
			return
		}
		fmt.Fprintf(nc, "\x0bMSH|^~\\&|ECHO|RXX|||20260302||ACK|1|T|2.4\rMSA|AA|%s\r\x1c\r", e.control)
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
	w := hl7.NewWriter(hl7.Header{SendingApplication: "LOAD-PAS", SendingFacility: organisation,
		ReceivingApplication: "FOOTBRIDGE", At: at, Type: "ADT",
		Trigger: "A04", ControlID: controlMark, ProcessingID: "P", Version: "2.4"})
	w.Segment("EVN").Set(2, local)
	w.Segment("PID").Set(3, controlMark, "", "", organisation, "MR").Set(5, "Sample", "Robin").Set(7, "19980404").Set(8,
		"F")
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
