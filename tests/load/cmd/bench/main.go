// Command bench measures the pipeline; see package load. `make bench` runs it, after building bin/footbridge.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"footbridge/tests/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) > 1 {
		if part := load.Part(os.Args[1]); part != nil {
			return part(ctx, os.Args[2:])
		}
	}
	var o load.Options
	flag.StringVar(&o.Binary, "binary", "bin/footbridge", "the binary to measure")
	flag.IntVar(&o.Rounds, "rounds", 7, "interleaved rounds")
	flag.IntVar(&o.Units, "units", 1000, "units a closed-loop measurement")
	flag.IntVar(&o.OpenUnits, "open-units", 300, "units an open-loop measurement, 200 a second")
	flag.BoolVar(&o.Quick, "quick", false, "about a minute: one round of few units; the figures mean little")
	flag.BoolVar(&o.Million, "million", false, "also on top of stored journeys; a million takes many minutes and "+
		"twice 35 GB")
	flag.IntVar(&o.Stored, "stored", 1_000_000, "how many journeys -million stores first")
	flag.StringVar(&o.Profile, "profile", "", "write a CPU profile of the service under load to this file")
	flag.StringVar(&o.Markdown, "markdown", "", "put the table into this file, between its markers")
	flag.StringVar(&o.Only, "only", "", "measure these variants alone, comma between: footbridge, reference, "+
		"without-traces, same-rows, straightforward, flow, ideal, mllp")
	flag.StringVar(&o.Log, "log", "", "keep the log lines of all processes in this file")
	flag.StringVar(&o.Before, "before", "", "another build of the binary, measured in the same rounds")
	flag.BoolVar(&o.Cost, "cost", false, "statements, and CPU by part and login, instead of rates: holds on a busy "+
		"machine")
	flag.Parse()
	return load.Run(ctx, o, os.Stdout)
}
