package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/service"
)

type plainFlags struct {
	JSON bool `env:"JSON" help:"print data"`
}

// eachDatabase opens the database of each service in turn.
func (c *Config) eachDatabase(ctx context.Context, do func(name string, pool *pgxpool.Pool) error) error {
	urls, err := c.findDatabases(ctx, stateful())
	if err != nil {
		return err
	}
	for _, name := range stateful() {
		pool, err := openAt(ctx, name, urls[name], 2)
		if err != nil {
			return err
		}
		err = do(name, pool)
		pool.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// openDatabase opens the database of one service, with so many connections at most.
func (c *Config) openDatabase(ctx context.Context, name string, conns int) (*pgxpool.Pool, error) {
	urls, err := c.findDatabases(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	return openAt(ctx, name, urls[name], conns)
}

func openAt(ctx context.Context, name, url string, conns int) (*pgxpool.Pool, error) {
	pool, err := pg.Open(ctx, url, pg.OpenConfig{Service: name, MaxConns: conns})
	if err != nil {
		return nil, fmt.Errorf("opening the database of %s: %w", name, err)
	}
	return pool, nil
}

// deadLine is a dead letter with the service that could not apply it.
type deadLine struct {
	Service string `json:"service"`
	flow.DeadLetter
}

// deadLetters lists, shows or redrives what could not be processed.
func deadLetters(ctx context.Context, args []string) error {
	o, rest, err := load[plainFlags](args)
	if err != nil {
		return shown(err)
	}
	usage := service.Usage{Err: fmt.Errorf("deadletters list | show ID | redrive [ID…] | dismiss ID…")}
	if len(rest) == 0 {
		return usage
	}
	switch rest[0] {
	case "list":
		if len(rest) != 1 {
			return usage
		}
		return listDead(ctx, o, nil)
	case "show":
		if len(rest) != 2 {
			return usage
		}
		return listDead(ctx, o, rest[1:])
	case "redrive":
		return redrive(ctx, &o.Config, rest[1:])
	case "dismiss":
		if len(rest) < 2 {
			return usage
		}
		return dismiss(ctx, &o.Config, rest[1:])
	}
	return usage
}

func listDead(ctx context.Context, o *options[plainFlags], ids []string) error {
	lines := []deadLine{}
	err := o.eachDatabase(ctx, func(name string, pool *pgxpool.Pool) error {
		letters, err := flow.DeadLetters(ctx, pool)
		for _, letter := range letters {
			if len(ids) == 0 || slices.Contains(ids, letter.ID) {
				lines = append(lines, deadLine{name, letter})
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(ids) > 0 && len(lines) == 0 {
		return fmt.Errorf("there is no dead letter %s; footbridge deadletters list names those there are", ids[0])
	}
	if o.Own.JSON {
		return printJSON(lines)
	}
	err = table(func(w io.Writer) {
		fmt.Fprintln(w, "SERVICE\tSINCE\tTYPE\tJOURNEY\tID\tREASON")
		for _, l := range lines {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Service, l.Since.Local().Format(time.DateTime), l.Type,
				l.Journey, l.ID, l.Reason)
		}
	})
	if len(ids) == 1 && len(lines) == 1 {
		fmt.Println(printable(lines[0].Payload))
	}
	return err
}

// printable shows what arrived: as it is where that is text, in Go's quoting where it is not.
func printable(payload []byte) string {
	if utf8.Valid(payload) && !bytes.ContainsFunc(payload, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' && r != '\r'
	}) {
		return string(payload)
	}
	return strconv.Quote(string(payload))
}

// dismiss says that a human has seen to these dead letters otherwise.
func dismiss(ctx context.Context, c *Config, ids []string) error {
	var total int64
	err := c.eachDatabase(ctx, func(_ string, pool *pgxpool.Pool) error {
		n, err := flow.Dismiss(ctx, pool, ids...)
		total += n
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d dismissed; they are kept, and no longer counted\n", total)
	return notDead(ids, total)
}

// notDead says how many of these ids are of no dead letter, where some are not.
func notDead(ids []string, found int64) error {
	if missing := int64(len(ids)) - found; missing > 0 {
		return fmt.Errorf("%d of %d are no dead letters; footbridge deadletters list names those there are", missing,
			len(ids))
	}
	return nil
}

// redrive puts dead letters back in line; the running services try them again within a second.
func redrive(ctx context.Context, c *Config, ids []string) error {
	var total int64
	err := c.eachDatabase(ctx, func(_ string, pool *pgxpool.Pool) error {
		n, err := flow.Redrive(ctx, pool, time.Now(), ids...)
		total += n
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d put back in line\n", total)
	return notDead(ids, total)
}

// streams keeps the streams, as a process of its own, or asks the running services to publish everything again from
// PostgreSQL.
func streams(ctx context.Context, args []string) error {
	o, rest, err := load[struct{}](args)
	if err != nil {
		return shown(err)
	}
	switch {
	case slices.Equal(rest, []string{"keep"}):
		return o.runKeeper(ctx)
	case !slices.Equal(rest, []string{"rebuild"}):
		return service.Usage{Err: errors.New("streams keep | rebuild")}
	}
	events, _ := o.streams()
	return o.eachDatabase(ctx, func(name string, pool *pgxpool.Pool) error {
		if err := flow.AskRebuild(ctx, pool, events.Name); err != nil {
			return err
		}
		fmt.Printf("%s will publish its events again, the last hour first; readers count each once\n", name)
		return nil
	})
}

// restored begins another life of the schemas that were restored from a backup, and has the other services publish
// everything again, so that nothing is missing that the stream no longer holds.
func restored(ctx context.Context, args []string) error {
	o, names, err := load[struct{}](args)
	if err != nil {
		return shown(err)
	}
	for _, name := range names {
		if !slices.Contains(stateful(), name) {
			return fmt.Errorf("%q keeps no schema that events change; name one or several of %v", name, stateful())
		}
	}
	if len(names) == 0 {
		return service.Usage{Err: errors.New("restored SERVICE…")}
	}
	events, _ := o.streams()
	return o.eachDatabase(ctx, func(name string, pool *pgxpool.Pool) error {
		if !slices.Contains(names, name) {
			return flow.AskRebuild(ctx, pool, events.Name)
		}
		if _, err := flow.Restored(ctx, pool, time.Now()); err != nil {
			return err
		}
		fmt.Printf(
			"%s begins another life: what it says from now on counts as new, and it will hear everything again\n", name)
		return nil
	})
}

// runKeeper keeps the streams where no process of a service has the login of their owner, as it should be where each
// service is a process of its own.
func (c *Config) runKeeper(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	p, err := newPlatform(ctx, c, nil)
	if err != nil {
		return err
	}
	defer p.close()
	runner, err := p.operated()
	if err != nil {
		return err
	}
	runner.Add("streams", p.keepStreams)
	return runner.Run(ctx)
}
