package bridging

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// onCallShown is a line of the rota, as it is read and written.
type onCallShown struct {
	ID       string     `json:"id,omitempty"`
	Rung     int        `json:"rung"`
	Who      string     `json:"who"`
	Channel  string     `json:"channel"`
	Address  string     `json:"address"`
	Days     []string   `json:"days"`
	FromHour int        `json:"fromHour"`
	ToHour   int        `json:"toHour"`
	ProvenAt *time.Time `json:"provenAt,omitempty"`
}

// rotaShown is an organisation's rota, and what is wrong with it in the days ahead.
type rotaShown struct {
	Items []onCallShown `json:"items"`
	// Gaps are the hours of the next days for which nobody is on call; Unproven the lines by whose channel no page has
	// gone for long.
	Gaps     []rotaGap `json:"gaps"`
	Unproven []string  `json:"unproven"`
	// Down are the channels by which nothing can be handed over at present, to anybody.
	Down []channelDown `json:"down"`
}

// channelDown is one of them, since when.
type channelDown struct {
	Channel string    `json:"channel"`
	Since   time.Time `json:"since"`
}

// dayNames are the days of the week, as people write them for the program.
var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func daysOf(week calendar.Weekdays) (names []string) {
	for i := range dayNames {
		if day := (i + 1) % len(dayNames); week[day] {
			names = append(names, dayNames[day])
		}
	}
	return names
}

func weekOf(names []string) (week calendar.Weekdays, ok bool) {
	for _, name := range names {
		day := slices.Index(dayNames, strings.ToLower(name))
		if day < 0 {
			return week, false
		}
		week[day] = true
	}
	return week, true
}

// rota shows the rota of the caller's own organisation.
func (a api) rota(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	var version int64
	var lines []OnCall
	var down []channelDown
	now := a.clock.Now()
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		lines, down = nil, []channelDown{}
		rotaFor(tx, p, &version, func(o OnCall) { lines = append(lines, o) })
		channelsDown(tx, p, func(channel string, since time.Time) {
			down = append(down, channelDown{channel, since.In(a.zone)})
		})
		return tx.Flush()
	})
	if err != nil {
		return fmt.Errorf("reading the rota: %w", err)
	}
	return a.writeRota(w, lines, down, version, now)
}

func (a api) writeRota(w http.ResponseWriter, lines []OnCall, down []channelDown, version int64, now time.Time) error {
	shown := rotaShown{Items: []onCallShown{}, Down: down, Gaps: gaps(lines, now, a.zone),
		Unproven: unproven(lines, now)}
	for _, o := range lines {
		shown.Items = append(shown.Items, onCallShown{ID: o.ID, Rung: o.Rung, Who: o.Who, Channel: o.Channel,
			Address: o.Address, Days: daysOf(o.Days),
			FromHour: o.FromHour, ToHour: o.ToHour, ProvenAt: o.ProvenAt})
	}
	w.Header().Set("ETag", httpx.VersionTag(version))
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// rotaAsked is a whole rota.
type rotaAsked struct {
	Items []onCallShown `json:"items"`
}

// keepRota takes a whole rota, instead of the one that was read before (If-Match).
func (a api) keepRota(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, _, err := httpx.ReadJSON[rotaAsked](w, r, maxBody)
	if err != nil {
		return err
	}
	lines, err := a.rotaLines(body.Items)
	if err != nil {
		return err
	}
	var version int64
	var stored []OnCall
	var down []channelDown
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		stored, down = nil, []channelDown{}
		lockRota(tx, p)
		rotaFor(tx, p, &version, func(OnCall) {})
		if err := tx.Flush(); err != nil {
			return fmt.Errorf("locking the rota: %w", err)
		}
		if err := httpx.RequireIfMatch(r, httpx.VersionTag(version)); err != nil {
			return err
		}
		storeRota(tx, p.Organisation, lines, tx.Now)
		rotaFor(tx, p, &version, func(o OnCall) { stored = append(stored, o) })
		channelsDown(tx, p, func(channel string, since time.Time) {
			down = append(down, channelDown{channel, since.In(a.zone)})
		})
		return tx.Flush()
	})
	if err != nil {
		return err
	}
	return a.writeRota(w, stored, down, version, a.clock.Now())
}

func (a api) rotaLines(items []onCallShown) (lines []OnCall, err error) {
	for i, item := range items {
		week, ok := weekOf(item.Days)
		o := OnCall{Rung: item.Rung, Who: item.Who, Channel: item.Channel, Address: strings.TrimSpace(item.Address),
			Days: week, FromHour: item.FromHour, ToHour: item.ToHour}
		fault := o.check(a.notify.Has)
		if !ok {
			fault = "a day is one of mon, tue, wed, thu, fri, sat, sun"
		}
		if fault != "" {
			return nil, httpx.NewProblem(http.StatusBadRequest, "Line %d of the rota: %s.", i+1, fault)
		}
		lines = append(lines, o)
	}
	return lines, nil
}
