package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/schemas"
)

// points are the places at which a process may be ended or stopped, by whether only intake has them.
var (
	flowPoints = []string{"flow.committing", "flow.committed", "flow.published", "flow.applying",
		"flow.acknowledging"}
	intakePoints = []string{"intake.read", "intake.locked", "intake.answering", "intake.answered"}
)

// takenOver is how long a process is stopped so that another takes over what it has not published (after 5 s).
const takenOver = 7 * time.Second

// injection is one fault that is about to happen: its kind for the table, what it is done to, and how.
type injection struct {
	kind, target string
	do           func(ctx context.Context, s *stand) error
}

// maker makes an injection of one kind.
type maker func(r *rand.Rand, s *stand) injection

// makers are the kinds of faults of this stand: a full disk is among them where it could mount one. The whole system's
// leap of 40 days comes once in a round: nobody is away for 40 days twice.
func makers(s *stand) []maker {
	all := []maker{
		killService, pauseService, killAtPoint(syscall.SIGKILL), killAtPoint(syscall.SIGSTOP), killBroker, pauseBroker,
		killDatabase, pauseDatabase,
		deleteTheStream, recreateTheStream, rollBackBroker, deleteConsumer, loseCommitAnswers, holdTransaction,
		publishNUL, purgeTheStream, pauseDurable, leaveTooLarge, takeLocks, leapAhead, leapBack, breakRows,
		restoreAlone, takeLogin,
	}
	if s.disk != "" {
		all = append(all, fillDisk)
	}
	return all
}

// plan are the faults of a run, the same for the same seed: every kind in turn, in another order each time, with the
// system's leap in the middle of each round, and every failpoint of every service before any comes again. Where only is
// given, it is of those kinds alone that it matches.
func plan(r *rand.Rand, s *stand, count, round int, only *regexp.Regexp) []injection {
	var all []injection
	kinds := makers(s)
	if only != nil {
		kinds = slices.DeleteFunc(kinds, func(m maker) bool {
			return !only.MatchString(m(rand.New(rand.NewPCG(0, 0)), s).kind)
		})
		for len(kinds) > 0 && len(all) < count {
			all = append(all, pick(r, kinds)(r, s))
		}
		return all
	}
	for len(all) < count {
		r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		for _, make := range kinds {
			if len(all)%round == round/2 {
				all = append(all, leapSystem(r, s))
			}
			all = append(all, make(r, s))
		}
	}
	return all[:count]
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// anyProcess is a process of a service, or the sentinel.
func anyProcess(r *rand.Rand, s *stand) *proc {
	name := pick(r, append(slices.Clone(services), "sentinel"))
	if name != "sentinel" {
		name = fmt.Sprintf("%s/%d", name, 1+r.IntN(2))
	}
	return s.procs[name]
}

func killService(r *rand.Rand, s *stand) injection {
	p := anyProcess(r, s)
	return injection{"service killed", p.name, func(context.Context, *stand) error {
		p.busy.Lock()
		defer p.busy.Unlock()
		p.signal(syscall.SIGKILL)
		return nil
	}}
}

func pauseService(r *rand.Rand, s *stand) injection {
	p := anyProcess(r, s)
	return injection{"service paused", p.name,
		func(ctx context.Context, _ *stand) error { return pauseFor(ctx, p, takenOver) }}
}

func pauseFor(ctx context.Context, p *proc, d time.Duration) error {
	p.busy.Lock()
	defer p.busy.Unlock()
	p.signal(syscall.SIGSTOP)
	pause(ctx, d)
	p.signal(syscall.SIGCONT)
	return nil
}

// killAtPoint ends or stops a process at a failpoint. Each call takes the next point of the next service, so that a
// run of some length comes to all of them.
func killAtPoint(sig syscall.Signal) maker {
	what, action := "killed", "kill"
	if sig == syscall.SIGSTOP {
		what, action = "paused", "stop"
	}
	return func(r *rand.Rand, s *stand) injection {
		next := s.nextPoint(what, r)
		p := s.procs[fmt.Sprintf("%s/%d", next.service, 1+r.IntN(2))]
		return injection{what + " at " + next.point, p.name, func(ctx context.Context, _ *stand) error {
			p.busy.Lock()
			defer p.busy.Unlock()
			p.takeDown(syscall.SIGTERM)
			p.bringUp(next.point + "=" + action + "@0.3")
			return awaitPoint(ctx, p, sig)
		}}
	}
}

// awaitPoint waits until the process has come to its failpoint, lets it stand still there for long enough, and starts
// it again without one. Where nothing passes the point, it is killed anyhow.
func awaitPoint(ctx context.Context, p *proc, sig syscall.Signal) error {
	_, starts := p.process()
	waiting, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err := until(waiting, 20*time.Millisecond, func() bool {
		_, now := p.process()
		return p.isStopped() || now > starts+1
	})
	if sig == syscall.SIGSTOP && err == nil {
		pause(ctx, takenOver)
		p.arm("")
		p.signal(syscall.SIGCONT) // it goes on from where it stood, to stop again soon
		pause(ctx, time.Second)
	}
	if sig == syscall.SIGSTOP || err != nil {
		p.signal(syscall.SIGKILL)
	}
	if err != nil {
		return errNotReached
	}
	return nil
}

var errNotReached = fmt.Errorf("the point was not passed; the process was killed instead")

func killBroker(_ *rand.Rand, s *stand) injection {
	p := s.procs["broker"]
	return injection{"broker killed", p.name, func(context.Context, *stand) error {
		p.busy.Lock()
		defer p.busy.Unlock()
		p.signal(syscall.SIGKILL)
		return nil
	}}
}

func pauseBroker(_ *rand.Rand, s *stand) injection {
	p := s.procs["broker"]
	return injection{"broker paused", p.name,
		func(ctx context.Context, _ *stand) error { return pauseFor(ctx, p, takenOver) }}
}

// rollBackBroker lets the broker lose its last seconds, as a machine does that loses power.
func rollBackBroker(r *rand.Rand, s *stand) injection {
	p, seconds := s.procs["broker"], time.Duration(1000+r.IntN(3000))*time.Millisecond
	return injection{"broker rolled back by its last seconds", p.name, func(ctx context.Context, s *stand) error {
		p.busy.Lock()
		defer p.busy.Unlock()
		store, copied := s.store, s.store+"-copy"
		p.takeDown(syscall.SIGKILL)
		if err := os.CopyFS(copied, os.DirFS(store)); err != nil {
			return err
		}
		p.bringUp("")
		pause(ctx, seconds)
		p.takeDown(syscall.SIGKILL)
		defer p.bringUp("")
		if err := os.RemoveAll(store); err != nil {
			return err
		}
		return os.Rename(copied, store)
	}}
}

func killDatabase(_ *rand.Rand, s *stand) injection {
	return injection{"PostgreSQL killed", "PostgreSQL", func(context.Context, *stand) error {
		s.database.Lock()
		defer s.database.Unlock()
		s.db.Kill()
		s.db.Restart()
		return nil
	}}
}

func pauseDatabase(_ *rand.Rand, s *stand) injection {
	return injection{"PostgreSQL paused", "PostgreSQL", func(ctx context.Context, _ *stand) error {
		s.database.Lock()
		defer s.database.Unlock()
		s.db.Pause()
		pause(ctx, takenOver)
		s.db.Resume()
		return nil
	}}
}

// asOwner does something to the broker's contents, trying again while the broker is down for another fault.
func asOwner(ctx context.Context, s *stand, do func(ctx context.Context) error) error {
	var err error
	for ctx.Err() == nil {
		if err = do(ctx); err == nil {
			return nil
		}
		pause(ctx, 200*time.Millisecond)
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}

func deleteTheStream(_ *rand.Rand, _ *stand) injection {
	return injection{"stream deleted", events.Name, func(ctx context.Context, s *stand) error {
		return asOwner(ctx, s, func(ctx context.Context) error { return s.dropStream(ctx, false) })
	}}
}

func recreateTheStream(_ *rand.Rand, _ *stand) injection {
	return injection{"stream re-created empty", events.Name, func(ctx context.Context, s *stand) error {
		return asOwner(ctx, s, func(ctx context.Context) error { return s.dropStream(ctx, true) })
	}}
}

func (s *stand) dropStream(ctx context.Context, again bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := s.owner(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.JS.DeleteStream(ctx, events.Name); err != nil || !again {
		return err
	}
	_, err = conn.EnsureStream(ctx, events)
	return err
}

func deleteConsumer(r *rand.Rand, s *stand) injection {
	service := pick(r, s.hears)
	return injection{"durable consumer deleted", service, func(ctx context.Context, s *stand) error {
		return asOwner(ctx, s, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			conn, err := s.owner(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			return conn.JS.DeleteConsumer(ctx, events.Name, service)
		})
	}}
}

// loseCommitAnswers swallows the answers to some commits: whether they took effect is not known to who committed.
func loseCommitAnswers(r *rand.Rand, s *stand) injection {
	count := int32(1 + r.IntN(5))
	return injection{"commit's answer lost", fmt.Sprintf("%d commits", count),
		func(ctx context.Context, s *stand) error {
			s.proxy.armed.Add(count)
			waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			return until(waiting, 20*time.Millisecond, func() bool { return s.proxy.armed.Load() <= 0 })
		}}
}

// holdTransaction keeps a transaction open in another database of the cluster.
func holdTransaction(_ *rand.Rand, s *stand) injection {
	return injection{"long transaction held open elsewhere", "postgres", func(ctx context.Context, s *stand) error {
		cfg, err := pgx.ParseConfig(s.db.Server.DatabaseURL("postgres"))
		if err != nil {
			return err
		}
		return asOwner(ctx, s, func(ctx context.Context) error {
			conn, err := pgx.ConnectConfig(ctx, cfg)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
			if _, err := conn.Exec(ctx, `begin; select pg_current_xact_id()`); err != nil {
				return err
			}
			pause(ctx, 15*time.Second)
			return nil
		})
	}}
}

// leapSystem ends all processes, with what they have not published, and starts them 40 days later.
func leapSystem(_ *rand.Rand, s *stand) injection {
	return injection{"clock 40 days ahead while down", "all processes", func(ctx context.Context, s *stand) error {
		var down sync.WaitGroup
		var taken []*proc
		for name, p := range s.procs {
			if name != "broker" {
				taken = append(taken, p)
			}
		}
		for _, p := range taken {
			down.Go(func() { p.busy.Lock(); p.takeDown(syscall.SIGKILL) })
		}
		down.Wait()
		s.offset.Add(int64(40 * 24 * time.Hour))
		for _, p := range taken {
			p.bringUp("")
			p.busy.Unlock()
		}
		return nil
	}}
}

// place is a failpoint of one service.
type place struct{ service, point string }

// nextPoint goes round all failpoints of all services, in an order of its own for each way of stopping there.
func (s *stand) nextPoint(what string, r *rand.Rand) place {
	if len(s.places[what]) == 0 {
		var all []place
		for _, service := range stateful {
			for _, point := range flowPoints {
				if slices.Contains(s.hears, service) || (point != "flow.applying" && point != "flow.acknowledging") {
					all = append(all, place{service, point})
				}
			}
		}
		for _, point := range intakePoints {
			all = append(all, place{schemas.Intake, point})
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		s.places[what] = all
	}
	next := s.places[what][0]
	s.places[what] = s.places[what][1:]
	return next
}
