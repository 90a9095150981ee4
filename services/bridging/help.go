package bridging

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// How long a request for help may wait for somebody on call before it goes further up. Defaults of the domain page,
// for a clinical safety officer to set.
const (
	helpWait   = 30 * time.Minute
	worseWait  = 4 * time.Hour
	nobodyWait = 5 * time.Minute // nobody is on call: looked at again, as the rota may be filled meanwhile
)

// Help is a request for help, or a concern for somebody's safety.
type Help struct {
	ID, About, AboutID, Step, Kind string
	At                             time.Time
	Role, By, Mark                 string // of who asked
	PersonKnows                    string
	Journey, Of                    string // found after it was stored; Of is whose the journey is
	Emitted                        bool
	Rung, Round                    int // who was told last: 0 for nobody yet
	LookAt                         *time.Time
	TakenAt                        *time.Time
	TakenRole                      string
}

// wait is for how long one rung is waited for.
func (h *Help) wait() time.Duration {
	if h.Kind == schemas.HelpWorse {
		return worseWait
	}
	return helpWait
}

// dueAt is by when somebody is to have taken it on.
func (h *Help) dueAt() time.Time { return h.At.Add(h.wait()) }

// asks says what is asked of whoever passed a concern on, once it is stored: whether the person knows.
func (h *Help) asks() string {
	if h.Kind == schemas.HelpSafety && h.PersonKnows == "" {
		return "personKnows"
	}
	return ""
}

// OnCall is one line of the rota: who is told on which rung, how, and on which days and local hours. Days are of the
// day on which a shift begins: one from 20 to 8 on a Friday ends on Saturday morning.
type OnCall struct {
	ID, Organisation string
	Rung             int
	Who              string
	Channel, Address string
	Days             calendar.Weekdays
	FromHour, ToHour int
	ProvenAt         *time.Time // when a server last took a page by it
}

// on says whether it is somebody's turn at an instant.
func (o OnCall) on(at time.Time, zone *time.Location) bool {
	day, hour := calendar.DayOf(at, zone), at.In(zone).Hour()
	if o.FromHour < o.ToHour {
		return o.Days[day.Weekday()] && o.FromHour <= hour && hour < o.ToHour
	}
	return o.Days[day.Weekday()] && hour >= o.FromHour || o.Days[(day-1).Weekday()] && hour < o.ToHour
}

// check says what is wrong with a line.
func (o OnCall) check(has func(channel string) bool) string {
	switch code, _ := schemas.KindNamed("code"); {
	case !code.Allows(o.Who):
		return "say who it is as a role, in lower-case words joined by hyphens, such as on-call-lead"
	case o.Rung < 1 || o.Rung > 9:
		return "a rung is from 1 to 9"
	case o.Days.None():
		return "name at least one day: mon, tue, wed, thu, fri, sat, sun"
	case o.FromHour < 0 || o.FromHour > 23 || o.ToHour < 1 || o.ToHour > 24 || o.FromHour == o.ToHour:
		return "hours are from 0 to 23, until 1 to 24, and differ"
	case !has(o.Channel):
		return "this channel is not set up here: it would reach nobody"
	case !isAddress(o.Address):
		return "give the address"
	}
	return ""
}

// isAddress says whether a text can be where somebody is told something: one line, and not a long one.
func isAddress(text string) bool {
	return strings.TrimSpace(text) != "" && len(text) <= 500 && !strings.ContainsFunc(text, unicode.IsControl)
}

// Page is one telling of one line of the rota.
type Page struct {
	Help, Rota     string
	Round, Rung    int
	Who, Channel   string
	Address, State string
	Tries          int
}

// rise finds the next rung on which somebody is on call, and says whom to tell. An empty rung is passed at once. Above
// the last one that is staffed, that one is told again. With nobody on call at all it looks again in a few minutes.
func (h *Help) rise(rota []OnCall, now time.Time, zone *time.Location) (pages []Page) {
	on := slices.DeleteFunc(slices.Clone(rota), func(o OnCall) bool { return !o.on(now, zone) })
	if len(on) == 0 {
		again := now.Add(nobodyWait)
		h.LookAt = &again
		return nil
	}
	slices.SortFunc(on, func(a, b OnCall) int { return cmp.Or(cmp.Compare(a.Rung, b.Rung), cmp.Compare(a.ID, b.ID)) })
	next := slices.IndexFunc(on, func(o OnCall) bool { return o.Rung > h.Rung })
	if next < 0 {
		h.Rung, h.Round = on[len(on)-1].Rung, h.Round+1
	} else {
		h.Rung = on[next].Rung
	}
	for _, o := range on {
		if o.Rung == h.Rung {
			pages = append(pages, Page{Help: h.ID, Rota: o.ID, Round: h.Round, Rung: o.Rung, Who: o.Who,
				Channel: o.Channel, Address: o.Address, State: pageSending})
		}
	}
	again := now.Add(h.wait())
	h.LookAt = &again
	return pages
}

// States of a page.
const (
	pageSending = "sending"
	pageTold    = "told" // a server took it; whether anybody has read it is said by who takes it on
	pageFailed  = "failed"
)

// A page is tried three times, a minute apart; where none of a rung's could be handed over, the next rung is told.
const (
	pageTries = 3
	pageAgain = time.Minute
)

// sent is how a page stands after a try.
func (p Page) sent(err error, now time.Time) (Page, *time.Time) {
	p.Tries++
	again := now.Add(pageAgain)
	switch {
	case err == nil:
		p.State = pageTold
	case p.Tries >= pageTries:
		p.State = pageFailed
	default:
		return p, &again
	}
	return p, nil
}

// rotaGap is a time for which nobody is on call.
type rotaGap struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// rotaDays is for how many days ahead a rota is looked at.
const rotaDays = 14

// gaps are the hours of the next days on which nobody is on call, the soonest first.
func gaps(rota []OnCall, now time.Time, zone *time.Location) []rotaGap {
	found := []rotaGap{}
	begin := now.Truncate(time.Hour)
	for hour := range rotaDays * 24 {
		at := begin.Add(time.Duration(hour) * time.Hour)
		if slices.ContainsFunc(rota, func(o OnCall) bool { return o.on(at, zone) }) {
			continue
		}
		if last := len(found) - 1; last >= 0 && found[last].Until.Equal(at) {
			found[last].Until = at.Add(time.Hour)
			continue
		}
		found = append(found, rotaGap{From: at.In(zone), Until: at.Add(time.Hour).In(zone)})
	}
	for i := range found {
		found[i].Until = found[i].Until.In(zone)
	}
	return found
}

// provenFor is for how long a channel counts as proven after a server took a page.
const provenFor = 90 * 24 * time.Hour

// unproven are the lines whose channel nothing has gone by for long.
func unproven(rota []OnCall, now time.Time) []string {
	found := []string{}
	for _, o := range rota {
		if o.ProvenAt == nil || now.Sub(*o.ProvenAt) > provenFor {
			found = append(found, o.ID)
		}
	}
	return found
}

const noAmbulance = "This does not call an ambulance. If somebody's life is in danger, ring 999 now."

// helpWords are what is said back to whoever asked: it is stored, who was told, who has taken it on, and that no
// ambulance comes by it. Where nobody could be told that is said first.
func helpWords(told []Page, taken string, numbers []string) string {
	var text strings.Builder
	text.WriteString(noAmbulance)
	who := map[string]bool{}
	for _, p := range told {
		if p.State == pageTold {
			who[p.Who] = true
		}
	}
	switch {
	case taken != "":
		text.WriteString(" Somebody has taken this on: " + plainWords(taken) + ".")
	case len(who) > 0:
		text.WriteString(" This is stored, and a message has gone to: " + joined(who) + ". Nobody has taken it on yet.")
	default:
		text.WriteString(" This is stored, and NOBODY could be told by this system. Ring yourself: " +
			strings.Join(numbers, "; ") + ".")
		return text.String()
	}
	text.WriteString(" Help at any hour: " + strings.Join(numbers, "; ") + ".")
	return text.String()
}

func joined(who map[string]bool) string {
	var names []string
	for name := range who {
		names = append(names, plainWords(name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func plainWords(code string) string { return strings.ReplaceAll(code, "-", " ") }

// pageText is what somebody on call is sent: that something waits, by when, and where. It says nothing about anybody.
func pageText(h Help, url string, zone *time.Location) (subject, text string) {
	by := h.dueAt().In(zone).Format("15:04 on Monday 2 January")
	return "Footbridge: you are asked to take something on", fmt.Sprintf(
		"Somebody has asked for help, and you are on call.\r\n\r\nTake it on by %s:\r\n\r\n%s/help/%s\r\n\r\nWhere "+
			"nobody takes it on, the next on call are asked.\r\n", by, url, h.ID)
}

// pageID is the same for each try of one page.
func (p Page) pageID() string { return p.Help + "-" + p.Rota + "-" + strconv.Itoa(p.Round) }
