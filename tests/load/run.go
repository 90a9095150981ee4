package load

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"footbridge/libs/bus"
)

// variant is one way of doing the unit of work.
type variant struct {
	name  string
	start func(ctx context.Context, s *stage, adminURL, natsURL string) (*child, addresses, error)
	once  bool // measured in the first round alone
	alone bool // libs/flow or its counterpart, with a unit of their own
}

// running is one variant on a fresh broker and database.
type running struct {
	variant  variant
	stage    *stage
	database string
	adminURL string
	broker   *child
	service  *child
	at       addresses
	conn     *bus.Conn
	watcher  *watcher
	meter    *meter
	sender   *sender
	units    int // done up to now
}

var runs atomic.Int64

// everSent numbers the units of all runs: on a database that holds some already, none may come twice.
var everSent atomic.Int64

// begin starts a variant on a copy of template and warms it up.
func (s *stage) begin(ctx context.Context, v variant, template string, warmUp int) (*running, error) {
	r := &running{variant: v, stage: s, database: fmt.Sprintf("run_%d", runs.Add(1))}
	if err := r.open(ctx, template); err != nil {
		r.end(ctx)
		return nil, fmt.Errorf("starting %s: %w", v.name, err)
	}
	if warmUp > 0 {
		if _, err := r.closed(ctx, warmUp); err != nil {
			r.end(ctx)
			return nil, fmt.Errorf("warming up %s: %w", v.name, err)
		}
	}
	return r, nil
}

func (r *running) open(ctx context.Context, template string) error {
	s := r.stage
	var err error
	if r.adminURL, err = s.database(ctx, r.database, template); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	var natsURL string
	if r.broker, natsURL, err = s.startBroker(filepath.Join(s.dir, "nats-"+r.database)); err != nil {
		return err
	}
	if r.service, r.at, err = r.variant.start(ctx, s, r.adminURL, natsURL); err != nil {
		return err
	}
	if r.conn, err = s.connect(ctx, natsURL); err != nil {
		return err
	}
	if r.watcher, err = watch(ctx, r.conn, streamName, r.variant.alone); err != nil {
		return err
	}
	r.meter = newMeter(map[string]int{partService: r.service.cmd.Process.Pid, partBroker: r.broker.cmd.Process.Pid,
		partPostgres: s.postgres.PID()})
	r.sender = &sender{addr: r.at.http, conns: connections, next: &everSent}
	for _, token := range s.tokens {
		request, err := newRequest(r.at.http, token, time.Now())
		if err != nil {
			return err
		}
		r.sender.requests = append(r.sender.requests, request)
	}
	return nil
}

// connections is how many the load comes over.
const connections = 64

func (r *running) end(ctx context.Context) {
	if r.watcher != nil {
		r.watcher.close()
	}
	if r.conn != nil {
		r.conn.Close()
	}
	if r.service != nil {
		r.service.stop()
	}
	if r.broker != nil {
		r.broker.stop()
		_ = os.RemoveAll(filepath.Join(r.stage.dir, "nats-"+r.database))
	}
	if err := r.stage.drop(context.WithoutCancel(ctx), r.database); err != nil {
		fmt.Fprintln(os.Stderr, "dropping a database:", err)
	}
}

// throughput is one closed-loop measurement.
type throughput struct {
	Units, Seconds, Load float64
	CPU                  map[string]float64 // seconds by part
}

func (t throughput) rate() float64 { return t.Units / t.Seconds }

// cpuPer1000 is all parts' CPU seconds for 1,000 units.
func (t throughput) cpuPer1000() float64 { return total(t.CPU) / t.Units * 1000 }

// closed sends units as fast as they are answered and waits until all are done.
func (r *running) closed(ctx context.Context, units int) (throughput, error) {
	before := r.meter.cpu()
	sent, err := r.sender.closed(ctx, units)
	if err != nil {
		return throughput{}, err
	}
	r.units += units
	if err := r.watcher.await(ctx, r.units); err != nil {
		return throughput{}, err
	}
	cpu := spent(before, r.meter.cpu())
	done, err := r.watcher.doneAt(sent)
	if err != nil {
		return throughput{}, err
	}
	first, last := sent[0].sent, done[0]
	for i := range sent {
		if sent[i].sent.Before(first) {
			first = sent[i].sent
		}
		if done[i].After(last) {
			last = done[i]
		}
	}
	return throughput{Units: float64(units), Seconds: last.Sub(first).Seconds(), CPU: cpu, Load: loadAverage()},
		r.check(ctx)
}

// check finds the lines of every unit in the table, so that the clock was not stopped too early.
func (r *running) check(ctx context.Context) error {
	count := shown
	if r.variant.alone {
		count = doneAlone
	}
	n, err := count(ctx, r.adminURL)
	if err != nil {
		return fmt.Errorf("counting timelines: %w", err)
	}
	if n < r.units {
		return fmt.Errorf("%d units are done, and %d timelines show it", r.units, n)
	}
	return nil
}

// latency is one open-loop measurement.
type latency struct {
	AcceptP50, AcceptP99, P50, P99, P999 time.Duration
	CPUPer1000, Load                     float64
	whole                                []time.Duration // of each unit
}

func (r *running) open200(ctx context.Context, units int, perSecond float64) (latency, error) {
	before := r.meter.cpu()
	sent, err := r.sender.open(ctx, units, perSecond)
	if err != nil {
		return latency{}, err
	}
	r.units += units
	if err := r.watcher.await(ctx, r.units); err != nil {
		return latency{}, err
	}
	cpu := spent(before, r.meter.cpu())
	done, err := r.watcher.doneAt(sent)
	if err != nil {
		return latency{}, err
	}
	accept, whole := make([]time.Duration, len(sent)), make([]time.Duration, len(sent))
	for i := range sent {
		accept[i], whole[i] = sent[i].arrived.Sub(sent[i].intended), done[i].Sub(sent[i].intended)
	}
	return latency{AcceptP50: quantile(accept, .5), AcceptP99: quantile(accept, .99), P50: quantile(whole, .5),
			P99:  quantile(whole, .99),
			P999: quantile(whole, .999), CPUPer1000: total(cpu) / float64(units) * 1000, Load: loadAverage(),
			whole: whole},
		r.check(ctx)
}
