package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// partner is one organisation: its system reads what comes to it, and its workers answer, meet people and say how it
// went, in their own hours.
type partner struct {
	*run
	Partner
	id      string
	who     Who
	cursor  string
	seen    map[string]time.Time    // when each offer was first seen by a worker
	tries   map[string]int          // to reach the person of an offer
	tried   map[string]string       // the day of the last try
	asked   map[string]bool         // offers of which who the person is was asked for
	gone    bool                    // it has closed
	over    map[string]calendar.Day // when each offer was first seen completed
	met     map[string]calendar.Day // when it first saw that it had completed an offer of a journey
	pried   calendar.Day            // when it last tried to read of somebody else
	inbox   inbox                   // what came to its system by itself
	mailed  map[string]bool         // ids of mails that were read
	letters []letter                // that wait for an answer
	shut    func()                  // ends that its system takes what comes; nil where nothing comes by itself
}

// offer is an offer as its partner sees it.
type offer struct {
	Offer, Partner, State, FirstDay, LastDay, Journey, Introduced string
	Paused, Stop                                                  bool
	May                                                           []string
	Appointment                                                   *struct{ StartsAt time.Time }
}

func newPartner(r *run, p Partner, id string) *partner {
	return &partner{run: r, Partner: p, id: id, who: Who{Organisation: id, Role: schemas.Partner,
		Subject: "sim-worker"}, seen: map[string]time.Time{}, tries: map[string]int{}, tried: map[string]string{},
		asked: map[string]bool{}, over: map[string]calendar.Day{}, inbox: inbox{ids: map[string][]byte{}},
		mailed: map[string]bool{}, met: map[string]calendar.Day{}}
}

// prepare says how many people it can take on a week, when it is away, and how it is told.
func (p *partner) prepare(ctx context.Context) error {
	p.log.write(line{At: p.now, Kind: "partner", By: "partner:" + p.ID, About: p.id})
	if p.Weekly > 0 {
		body, _ := json.Marshal(map[string]any{"weekly": p.Weekly})
		if err := p.must(ctx, "capacity", body); err != nil {
			return err
		}
	}
	if len(p.Holidays) > 0 {
		body, _ := json.Marshal(map[string]any{"holidays": p.Holidays})
		if err := p.must(ctx, "holidays", body); err != nil {
			return err
		}
	}
	return p.begins(ctx)
}

func (p *partner) must(ctx context.Context, what string, body []byte) error {
	answer, err := p.asks(ctx, "partner:"+p.ID, p.who, nil, what, http.MethodPut, "/api/partners/"+p.id+"/"+what, body)
	if err == nil && !answer.ok() {
		err = fmt.Errorf("%s: %s", what, answer.problem())
	}
	return err
}

// opens and closes are the hours in which workers of partners work.
const opens, closes = 9, 18

// act has the partner's system take what has come, and its workers do what is to be done.
func (p *partner) act(ctx context.Context) (done int, err error) {
	day, hour := calendar.DayOf(p.now, p.zone), p.now.In(p.zone).Hour()
	if p.Closes != "" && day.String() >= p.Closes {
		return p.shuts(ctx, hour)
	}
	p.takesInbox()
	if p.Way == byFeed {
		if err := p.takes(ctx); err != nil {
			return 0, err
		}
	}
	if hour < opens || hour >= closes || !calendar.England().Working(day, calendar.MondayToFriday) ||
		away(p.Holidays, day) {
		return 0, nil
	}
	if err := p.pries(ctx); err != nil {
		return 0, err
	}
	if p.Way == byMail {
		if done, err = p.answersMail(ctx); err != nil {
			return done, fmt.Errorf("a link that was mailed: %w", err)
		}
	}
	offers, err := all[offer](ctx, p.run, p.who, "/api/offers")
	if err != nil {
		return 0, err
	}
	for _, o := range p.inOrder(offers) {
		did, err := p.does(ctx, o)
		if err != nil {
			return done, fmt.Errorf("offer %s: %w", o.Offer, err)
		}
		if did {
			done++
		}
	}
	return done, nil
}

func (p *partner) inOrder(offers []offer) []offer {
	number := func(o offer) int {
		if known := p.offers[o.Offer]; known != nil {
			return numberOf(p.follow(known.journey))
		}
		return -1
	}
	slices.SortStableFunc(offers, func(a, b offer) int { return number(a) - number(b) })
	return offers
}

// takes reads the partner's feed to its end, and says so by asking on.
func (p *partner) takes(ctx context.Context) error {
	return p.feed(ctx, func(item json.RawMessage) {
		p.log.write(line{At: p.now, Kind: "received", By: "partner:" + p.ID, About: string(p.Way), Data: item})
	})
}

// feed reads what is new in the partner's feed.
func (p *partner) feed(ctx context.Context, each func(item json.RawMessage)) error {
	for {
		var feed struct {
			Items []json.RawMessage
			Next  string
		}
		if err := p.read(ctx, p.who, "/api/feed?limit=100&after="+p.cursor, &feed); err != nil {
			return err
		}
		p.cursor = feed.Next
		if len(feed.Items) == 0 {
			return nil
		}
		for _, item := range feed.Items {
			each(item)
		}
	}
}

// shuts hands everything back, and is gone.
func (p *partner) shuts(ctx context.Context, hour int) (done int, err error) {
	if hour < opens || hour >= closes {
		return 0, nil
	}
	offers, err := all[offer](ctx, p.run, p.who, "/api/offers")
	if err != nil {
		return 0, err
	}
	for _, o := range p.inOrder(offers) {
		if !p.gone && slices.Contains(o.May, "hand-back") {
			p.gone = true
			return 1, p.says(ctx, o, "hand-back", schemas.OfferHandedBackRecord{Reason: "closing", All: true})
		}
		if slices.Contains(o.May, "confirm-deletion") {
			done++
			if err := p.says(ctx, o, "confirm-deletion", struct{}{}); err != nil {
				return done, err
			}
		}
	}
	if !p.gone {
		p.gone = true
	}
	body, _ := json.Marshal(schemas.PartnerPauseRecord{Until: (calendar.DayOf(p.now, p.zone) + 300).String()})
	return done, p.must(ctx, "pause", body)
}

func (p *partner) says(ctx context.Context, o offer, what string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var f *followed
	if known := p.offers[o.Offer]; known != nil {
		f = p.follow(known.journey)
	}
	_, err = p.asks(ctx, "partner:"+p.ID, p.who, f, "offer", http.MethodPost, "/api/offers/"+o.Offer+"/"+what, text)
	return err
}

// does does what is to be done about one offer.
func (p *partner) does(ctx context.Context, o offer) (bool, error) {
	known := p.offers[o.Offer]
	if known == nil || o.Paused && !o.Stop {
		return false, nil
	}
	f := p.follow(known.journey)
	may := func(what string) bool { return slices.Contains(o.May, what) }
	if err := p.reads(ctx, o, f); err != nil {
		return false, err
	}
	switch {
	case may("confirm-deletion"):
		if p.luckOf(f, known, "deletes") >= 90 { // it forgets, and is asked
			return false, nil
		}
		return true, p.says(ctx, o, "confirm-deletion", struct{}{})
	case o.Stop:
		return false, nil
	case may("accept") && p.Way == byMail: // by the link
		return false, nil
	case may("accept") && o.State != "raised":
		return p.answersOffer(ctx, o, f, known)
	case may("outcome") && o.Appointment != nil && p.now.After(o.Appointment.StartsAt.Add(time.Hour)):
		return true, p.says(ctx, o, "outcome", p.went(f, o))
	case may("outcome") && o.State == "kept":
		return true, p.says(ctx, o, "outcome", schemas.OfferWentRecord{Outcome: "kept", Next: "nothing-more"})
	case may("appointment") && o.Appointment == nil:
		return p.books(ctx, o, f, known)
	case may("introduce") && o.Introduced == "":
		return true, p.says(ctx, o, "introduce", schemas.OfferIntroducedRecord{How: "one-call"})
	}
	return false, nil
}

// luckOf hangs on the person, the partner and which of the person's offers it is.
func (p *partner) luckOf(f *followed, o *offered, about string) int {
	return p.world.luck(about, p.ID, numberOf(f), o.nth)
}

// reads tries, once for each way in which an offer stands, to read who the person is: it must be able to exactly while
// it has taken them on.
func (p *partner) reads(ctx context.Context, o offer, f *followed) error {
	stands := fmt.Sprint(o.Offer, o.State, o.Stop, p.longOver(o))
	if p.asked[stands] {
		return nil
	}
	p.asked[stands] = true
	path := "/api/journeys/" + f.id + "/identity"
	answer, err := p.cfg.System.Ask(ctx, p.who, Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	p.log.write(line{At: p.now, Kind: "look", By: "partner:" + p.ID, Journey: f.id, Person: f.number(),
		Status: answer.Status, About: o.State})
	p.report.Looks++
	if answer.ok() {
		p.granted(o, f)
	}
	return nil
}

// granted looks at an offer of which its partner could read who the person is: it may exactly while it has taken them
// on, and for 14 days after it has completed, be it another offer of the same journey.
func (p *partner) granted(o offer, f *followed) {
	taken := []string{"accepted", "booked", "kept", "not-kept", "completed"}
	today := calendar.DayOf(p.now, p.zone)
	if o.State == "completed" && !p.longOver(o) {
		p.met[f.id] = p.over[o.Offer]
	}
	met, before := p.met[f.id]
	if before = before && today <= met+15; o.Stop || !before && (!slices.Contains(taken, o.State) || p.longOver(o)) {
		p.fault("partner "+p.ID+" read who somebody is of an offer that is "+o.State, f.id)
	}
}

// longOver says whether an offer was completed more than 14 days ago.
func (p *partner) longOver(o offer) bool {
	if o.State != "completed" {
		return false
	}
	if _, known := p.over[o.Offer]; !known {
		p.over[o.Offer] = calendar.DayOf(p.now, p.zone)
	}
	return calendar.DayOf(p.now, p.zone) > p.over[o.Offer]+15
}

// pries tries to read who somebody is whom it was never asked about, once a day: it must not be able to.
func (p *partner) pries(ctx context.Context) error {
	today := calendar.DayOf(p.now, p.zone)
	if p.pried == today {
		return nil
	}
	p.pried = today
	for _, id := range slices.Sorted(maps.Keys(p.journeys)) {
		f := p.follow(id)
		if id == "" || slices.Contains(f.partners, p.id) || p.world.luck("pries", p.ID, today, numberOf(f)) >= 10 {
			continue
		}
		answer, err := p.cfg.System.Ask(ctx, p.who, Request{Method: http.MethodGet, Path: "/api/journeys/" + id +
			"/identity"})
		if err != nil {
			return err
		}
		p.log.write(line{At: p.now, Kind: "look", By: "partner:" + p.ID, Journey: id, Person: f.number(),
			Status: answer.Status, About: "never asked"})
		if p.report.Looks++; answer.ok() {
			p.fault("partner "+p.ID+" read who somebody is whom it was never asked about", id)
		}
		return nil
	}
	return nil
}

// answersTelephone is what somebody there says to a navigator who rings about an offer: the end of a request's path, or
// nothing where nobody could say.
func (p *partner) answersTelephone(f *followed, known *offered) []string {
	switch luck := p.luckOf(f, known, "answers"); {
	case luck < p.Accepts:
		return []string{"/accept"}
	case luck < p.Accepts+p.Declines:
		return []string{"/decline"}
	}
	return nil
}

// answersOffer accepts, declines, or stays silent.
func (p *partner) answersOffer(ctx context.Context, o offer, f *followed, known *offered) (bool, error) {
	first, ok := p.seen[o.Offer]
	if !ok {
		p.seen[o.Offer] = p.now
		first = p.now
	}
	if p.now.Before(first.Add(time.Duration(p.luckOf(f, known, "takes time")%10) * time.Hour)) {
		return false, nil
	}
	switch luck := p.luckOf(f, known, "answers"); {
	case luck < p.Accepts:
		return true, p.says(ctx, o, "accept", struct{}{})
	case luck < p.Accepts+p.Declines:
		return true, p.says(ctx, o, "decline", schemas.OfferDeclinedRecord{Code: pickBy(luck, "no-place", "22", "24")})
	}
	return false, nil
}

func pickBy(luck int, from ...string) string { return from[luck%len(from)] }

// books rings the person and agrees on a time; whoever cannot be reached on three days goes back.
func (p *partner) books(ctx context.Context, o offer, f *followed, known *offered) (bool, error) {
	today := calendar.DayOf(p.now, p.zone)
	if p.luckOf(f, known, "hands back") < p.HandsBack {
		return true, p.says(ctx, o, "hand-back", schemas.OfferHandedBackRecord{Reason: "worker-away"})
	}
	if f.person == nil || p.tried[o.Offer] == today.String() || p.now.In(p.zone).Hour() != p.hour(f.person, today) {
		return false, nil
	}
	p.tried[o.Offer] = today.String()
	if p.tries[o.Offer]++; !p.world.answers(f.person, p.now, p.zone) {
		if p.tries[o.Offer] < 3 {
			return false, nil
		}
		return true, p.says(ctx, o, "hand-back", schemas.OfferHandedBackRecord{Reason: "could-not-contact"})
	}
	if f.contacted.IsZero() {
		f.contacted = p.now
	}
	hour := 14
	if f.person.FromHour > 0 {
		hour = f.person.FromHour
	}
	day := today + 1 + calendar.Day(p.luckOf(f, known, "day")%4)
	if last, err := calendar.ParseDay(o.LastDay); err == nil && day > last && last > today {
		day = last
	}
	body := schemas.OfferBookedRecord{StartsAt: day.At(hour, 0, p.zone), Channel: "phone", Minutes: 60}
	return true, p.says(ctx, o, "appointment", body)
}

// hour is when somebody is rung on a day: in the hours that they named, or at another hour each day.
func (p *partner) hour(person *Person, day calendar.Day) int {
	from, to := earliestAsk, closes
	if person.FromHour > 0 && person.FromHour < closes {
		from, to = person.FromHour, min(person.ToHour, closes)
	}
	return from + p.world.luck("rings at", person.N, day)%(to-from)
}

// went is how a session went.
func (p *partner) went(f *followed, o offer) schemas.OfferWentRecord {
	if f.person == nil || p.world.luck("kept", p.ID, numberOf(f), o.Appointment.StartsAt.Unix()) >= f.person.Kept {
		return schemas.OfferWentRecord{Outcome: "not-kept"}
	}
	next := pickBy(p.world.luck("next", numberOf(f)), "nothing-more", "short-calls", "other-support", "nothing-more")
	return schemas.OfferWentRecord{Outcome: "kept", Next: next}
}
