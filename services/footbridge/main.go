// Command footbridge is every service of Footbridge in one static binary, with the commands to run, feed, look at
// and mend it. Each command has --help; those that print data have --json. Exit codes: 0 done, 1 failed, 2 usage.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"footbridge/libs/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := withoutSQL(dispatch(ctx, os.Args[1:]))
	stop()
	service.Exit("footbridge", err)
}
