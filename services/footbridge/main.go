// Command footbridge is every service of Footbridge in one static binary, with the commands to run, feed, look at
// and mend it. Each command has --help; those that print data have --json. Exit codes: 0 done, 1 failed, 2 usage.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"footbridge/libs/service"
)

// command is one word after footbridge.
type command struct {
	name  string
	about string
	run   func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"demo", "one sample discharge from the hospital's message to the offer, then the console", demo},
		{"dev", "all services in one process, with NATS and PostgreSQL of its own", dev},
		{"serve", "all services, or those named by --only, against the configured NATS and PostgreSQL", serve},
		{"migrate", "roles, schemas and tables brought to this release, with an administrator's database login", migrateCommand},
		{"sentinel", "the watcher that finds journeys nobody holds, as a process of its own", sentinel},
		{"broker", "the NATS of dev alone, for several processes on one machine", broker},
		{"send", "send HL7 v2 files or CloudEvents as an outside system would", send},
		{"signals", "send signals about people (a death, a changed number or record) from files", signals},
		{"messages", "the ledger: every message received, its answer and its outcome", messages},
		{"profiles", "test senders' profiles against their golden samples, in memory", profiles},
		{"journeys", "journeys with their next step, or one timeline", journeys},
		{"trace", "the waterfall of one journey across the services", traceJourney},
		{"thresholds", "who is open to whom: check, gaps, what-if, told, rulebook", thresholds},
		{"directory", "the services' criteria: import from Open Referral UK, lint", directory},
		{"deadletters", "what could not be processed: list, show, redrive", deadLetters},
		{"streams", "streams keep: make the streams and keep them; streams rebuild: publish everything again from PostgreSQL", streams},
		{"referrals", "referrals import FILE: a night's list as CSV, reconciled by visit", referrals},
		{"erase", "make what identifies a person unreadable, everywhere: reference on standard input, two named people, a reason", erase},
		{"status", "is anybody without a next step? then feeds, lags and faults", status},
		{"keys", "make and change the keys of an installation, one file for each service: new, list, rotate, retire, nats, rewrap", keys},
		{"ready", "ends with 0 when the process that this configuration describes is ready: for a container's health check", ready},
		{"doctor", "check configuration, connections, streams, schemas and clock", doctor},
		{"version", "which build this is", version},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := withoutSQL(dispatch(ctx, os.Args[1:]))
	stop()
	service.Exit("footbridge", err)
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		usage(os.Stdout)
		return nil
	}
	if args[0] == "--print-config" {
		return serve(ctx, args)
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:])
		}
	}
	usage(os.Stderr)
	return service.Usage{Err: fmt.Errorf("there is no command %q", args[0])}
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "footbridge COMMAND [flags]; every command has --help")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-12s %s\n", c.name, c.about)
	}
}
