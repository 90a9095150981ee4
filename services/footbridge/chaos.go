package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"footbridge/services/footbridge/sim"
)

// quiet is for how long of the machine's time nothing comes any more on a stream on which all is there again: services
// look at it every two seconds.
const quiet = 15 * time.Second

// standsStill is for how long of the machine's time what is paused by chaos stands still.
const standsStill = 2 * time.Second

// Break breaks something of this system. It is one that a simulation has made for itself: its processes are children of
// this one, and its streams are nobody else's.
func (s *simSystem) Break(ctx context.Context, how string, luck int) error {
	events, _ := s.cfg.streams()
	switch how {
	case sim.StreamDeleted:
		names, err := s.conn.Durables(ctx, events.Name)
		if err != nil || len(names) == 0 {
			return err
		}
		s.mu.Lock()
		s.deleted, s.resent, s.lost = true, nil, names
		s.mu.Unlock()
		return s.conn.DeleteStream(ctx, events.Name)
	case sim.DurableDeleted, sim.DurablePaused:
		return s.breakDurable(ctx, events.Name, how, luck)
	case sim.ConnectionsEnded:
		all := stateful()
		return sim.EndConnections(ctx, s.db, all[luck%len(all)])
	}
	pids, err := sim.Backends(ctx, s.db)
	if err != nil || len(pids) == 0 {
		return err
	}
	pid := pids[luck%len(pids)]
	if how == sim.DatabaseKilled {
		return s.ended(syscall.Kill(pid, syscall.SIGKILL))
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return s.ended(err)
	}
	time.AfterFunc(standsStill, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	return nil
}

// breakDurable deletes one of the readers' durables, or pauses it.
func (s *simSystem) breakDurable(ctx context.Context, stream, how string, luck int) error {
	names, err := s.conn.Durables(ctx, stream)
	if err != nil || len(names) == 0 {
		return err
	}
	name := names[luck%len(names)]
	if how == sim.DurablePaused {
		return s.conn.PauseDurable(ctx, stream, name, time.Now().Add(standsStill))
	}
	s.mu.Lock()
	s.lost = append(s.lost, name)
	s.mu.Unlock()
	return s.conn.DeleteDurable(ctx, stream, name)
}

// ended is nil where a process has ended already.
func (s *simSystem) ended(err error) error {
	if err == nil || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return fmt.Errorf("signalling a process of the database: %w", err)
}

// thereAgain says whether the stream and its durables are there. From the moment at which a stream that was deleted is
// there again, events are to be seen on it that had been on the old one.
func (s *simSystem) thereAgain(ctx context.Context, stream string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deleted && len(s.lost) == 0 {
		return true
	}
	if !s.conn.HasStream(ctx, stream) {
		return false
	}
	if s.deleted {
		s.deleted, s.resent = false, map[string]bool{}
	}
	now, err := s.conn.Durables(ctx, stream)
	if err != nil {
		return false
	}
	s.lost = slices.DeleteFunc(s.lost, func(name string) bool { return slices.Contains(now, name) })
	return len(s.lost) == 0
}

// sentAgain says, once, that all these events have been seen again after the stream was deleted. What was published
// again before anybody had seen that the stream is there has been seen by nobody: where nothing has come for a while,
// all of it has come.
func (s *simSystem) sentAgain(ids []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.heard) < quiet {
		for _, id := range ids {
			if !s.resent[id] {
				return false
			}
		}
	}
	again := s.resent != nil
	s.resent = nil
	return again
}
