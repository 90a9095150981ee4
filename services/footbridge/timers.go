package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"footbridge/libs/service"
	"footbridge/schemas"
)

type timerFlags struct {
	Hours  int           `env:"HOURS" default:"24" help:"how many hours ahead"`
	Spread time.Duration `env:"SPREAD" help:"let late reminders go out over so long instead of at once, such as 90m; help is never put off"`
	JSON   bool          `env:"JSON" help:"print JSON"`
}

// timersShown is what the running system answers.
type timersShown struct {
	Until time.Time `json:"until"`
	Items []struct {
		Kind  string    `json:"kind"`
		Hour  time.Time `json:"hour"`
		Count int       `json:"count"`
		Late  int       `json:"late,omitempty"`
	} `json:"items"`
}

// timers prints what will fire in the hours ahead.
func timers(ctx context.Context, args []string) error {
	o, err := loadAlone[timerFlags](args)
	if err != nil {
		return shown(err)
	}
	if o.Own.Hours < 1 {
		return service.Usage{Err: errors.New("--hours: give at least 1")}
	}
	client, err := o.client(schemas.Operator)
	if err != nil {
		return err
	}
	if o.Own.Spread > 0 {
		if err := spreadTimers(ctx, client, o.Own.Spread); err != nil {
			return err
		}
	}
	var found timersShown
	if _, err := client.call(ctx, http.MethodGet, "/api/timers?hours="+strconv.Itoa(o.Own.Hours), nil, "",
		&found); err != nil {
		return err
	}
	if o.Own.JSON {
		return printJSON(found)
	}
	if len(found.Items) == 0 {
		fmt.Printf("nothing fires until %s\n", found.Until.Format("Mon 2 Jan 15:04"))
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "HOUR\tKIND\tCOUNT\tLATE")
	for _, t := range found.Items {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", t.Hour.Format("Mon 2 Jan 15:04"), t.Kind, t.Count, t.Late)
	}
	return w.Flush()
}

// spreadTimers lets what is late go out over a time, and says how much that is.
func spreadTimers(ctx context.Context, client *client, over time.Duration) error {
	var spread struct {
		Calls, Notices int
		Until          time.Time
	}
	body := fmt.Appendf(nil, `{"minutes":%d}`, int(over.Minutes()))
	if _, err := client.call(ctx, http.MethodPost, "/api/timers/spread", body, "application/json",
		&spread); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d calls and %d messages that were late go out until %s\n", spread.Calls, spread.Notices,
		spread.Until.Format("Mon 2 Jan 15:04"))
	return nil
}
