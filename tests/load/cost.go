package load

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// costSettings let PostgreSQL count statements, with what planning them takes.
var costSettings = map[string]string{"shared_preload_libraries": "pg_stat_statements",
	"pg_stat_statements.track":          "top",
	"pg_stat_statements.track_planning": "on", "pg_stat_statements.max": "5000"}

// worthShowing is how many statements a phase's table names.
const worthShowing = 30

// cost tells what each part computes for 1,000 units or messages, and by which statements: figures that hold on a
// busy machine. Rates do not.
func (b *bench) cost(ctx context.Context) error {
	r, err := b.stage.begin(ctx, variant{name: nameFootbridge, start: startBinary(b.Binary)}, emptyDatabase,
		max(50, b.Units/20))
	if err != nil {
		return err
	}
	defer r.end(ctx)
	db, err := pgx.Connect(ctx, r.adminURL)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(ctx) }()
	if _, err := db.Exec(ctx, `create extension if not exists pg_stat_statements`); err != nil {
		return fmt.Errorf("counting statements: %w", err)
	}
	if _, err := measureMLLP(r.at.mllp, 4, 50); err != nil { // warms up
		return err
	}
	each := max(20, b.Units/20)
	phases := []struct {
		name string
		run  func() (units int, says string, err error)
	}{
		{"units, closed loop", func() (int, string, error) {
			t, err := r.closed(ctx, b.Units)
			return b.Units, fmt.Sprintf("%.0f units/s", t.rate()), err
		}},
		{"units, 20 a second", func() (int, string, error) {
			l, err := r.open200(ctx, b.Units/10, 20)
			return b.Units / 10, fmt.Sprintf("accepted p50 %.1f ms, whole p50 %.1f ms", ms(l.AcceptP50), ms(l.P50)), err
		}},
		{"units, 200 a second", func() (int, string, error) {
			l, err := r.open200(ctx, b.Units/4, openRate)
			return b.Units / 4, fmt.Sprintf("accepted p50 %.1f ms, whole p50 %.1f ms", ms(l.AcceptP50), ms(l.P50)), err
		}},
		{"MLLP, unrelated arrivals, 64 connections", func() (int, string, error) {
			m, err := measureMLLP(r.at.mllp, connections, each)
			return connections * each, fmt.Sprintf("%.0f messages/s", m.Rate), err
		}},
		{"MLLP, unrelated arrivals, one connection", func() (int, string, error) {
			m, err := measureMLLP(r.at.mllp, 1, b.Units)
			return b.Units, fmt.Sprintf("p50 %.2f ms", ms(m.P50)), err
		}},
	}
	for _, phase := range phases {
		if strings.HasPrefix(phase.name, "MLLP") && !b.measures("mllp") {
			continue
		}
		if err := b.phase(ctx, r, db, phase.name, phase.run); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return nil
}

func (b *bench) phase(ctx context.Context, r *running, db *pgx.Conn, name string,
	run func() (int, string, error)) error {
	if _, err := db.Exec(ctx, `select pg_stat_statements_reset()`); err != nil {
		return err
	}
	var profiled <-chan error
	if b.Profile != "" {
		profiled = b.profile(ctx, r.at.ops, strings.NewReplacer(" ", "-", ",", "").Replace(b.Profile+"."+name))
	}
	heap, err := heapOf(ctx, r.at.ops)
	if err != nil {
		return err
	}
	processes, logins := r.meter.cpu(), loginCPU(r.stage.postgres.PID())
	units, says, err := run()
	if err != nil {
		return err
	}
	used, byLogin := spent(processes, r.meter.cpu()), spent(logins, loginCPU(r.stage.postgres.PID()))
	per1000 := func(seconds float64) float64 { return seconds / float64(units) * 1000 }
	b.say("\n== %s: %d; %s; load average %.1f", name, units, says, loadAverage())
	b.say("CPU s per 1,000: %.3f (service %.3f, broker %.3f, PostgreSQL %.3f)", per1000(total(used)),
		per1000(used[partService]),
		per1000(used[partBroker]), per1000(used[partPostgres]))
	if err := b.allocated(ctx, r.at.ops, heap, units); err != nil {
		return err
	}
	for _, login := range slices.Sorted(maps.Keys(byLogin)) {
		if strings.HasPrefix(login, "footbridge") {
			b.say("  PostgreSQL for %-12s %.3f", login, per1000(byLogin[login]))
		}
	}
	if profiled != nil {
		if err := <-profiled; err != nil {
			return err
		}
	}
	return b.statements(ctx, db, units)
}

// loginCPU is what the server's backends have used, by the login they serve.
func loginCPU(postgres int) map[string]float64 {
	used := map[string]float64{}
	for _, pid := range family(postgres) {
		title, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err != nil {
			continue // ended meanwhile
		}
		words := strings.Fields(strings.TrimPrefix(string(title), "postgres: "))
		if len(words) > 1 {
			used[words[0]] += cpuOf(pid, false)
		}
	}
	return used
}

// statements shows the transactions and statements of a phase, the costliest by name.
func (b *bench) statements(ctx context.Context, db *pgx.Conn, units int) error {
	rows, err := db.Query(ctx, `select r.rolname::text, s.query, s.calls, s.rows, s.total_exec_time +
		s.total_plan_time, s.total_plan_time,
			s.shared_blks_hit + s.shared_blks_read, s.wal_bytes::bigint
		from pg_stat_statements s join pg_roles r on r.oid = s.userid join pg_database d on d.oid = s.dbid
		where d.datname = current_database() and r.rolname <> current_user`)
	if err != nil {
		return err
	}
	type statement struct {
		Login, Query  string
		Calls, Rows   int64
		Millis, Plans float64
		Blocks, WAL   int64
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[statement])
	if err != nil {
		return err
	}
	calls, fenced, written := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, s := range all {
		calls[s.Login] += s.Calls
		written[s.Login] += s.WAL
		if strings.Contains(s.Query, "flow_fence") { // each transaction begins with it
			fenced[s.Login] += s.Calls
		}
	}
	for _, login := range slices.Sorted(maps.Keys(calls)) {
		b.say("  %-24s %6.2f statements, %5.2f transactions, %6.0f bytes of WAL a unit", login,
			float64(calls[login])/float64(units), float64(fenced[login])/float64(units),
			float64(written[login])/float64(units))
	}
	slices.SortFunc(all, func(x, y statement) int { return cmp.Compare(y.Millis, x.Millis) })
	b.say("  ms per 1,000, of it planning; calls, rows, blocks, bytes of WAL a unit")
	for _, s := range all[:min(len(all), worthShowing)] {
		text := strings.Join(strings.Fields(s.Query), " ")
		each := func(n int64) float64 { return float64(n) / float64(units) }
		b.say("  %8.1f %7.1f %6.3f %6.2f %7.1f %6.0f  %-10s %s", s.Millis/float64(units)*1000,
			s.Plans/float64(units)*1000, each(s.Calls), each(s.Rows), each(s.Blocks), each(s.WAL), s.Login,
			text[:min(len(text), 110)])
	}
	return nil
}
