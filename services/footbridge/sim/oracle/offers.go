package oracle

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// partner is an organisation as the directory lists it, and as it said that it works.
type partner struct {
	id, name    string
	From, To    int
	Areas       []string
	Holidays    []days
	Closes      string
	weekly      int
	pausedUntil string
}

func (c *counter) lists(l *line) error {
	p := &partner{id: l.About, name: l.By}
	if err := l.read(p); err != nil {
		return err
	}
	c.partners[p.id], c.partners[p.name] = p, p
	return nil
}

// arranges is what a partner said of itself.
func (c *counter) arranges(l *line, id, what string) error {
	p := c.partners[id]
	if p == nil {
		return nil
	}
	var d struct {
		Weekly   *int
		Holidays []days
		Until    string
	}
	if err := l.read(&d); err != nil {
		return err
	}
	switch what {
	case "capacity":
		if d.Weekly != nil {
			p.weekly = *d.Weekly
		}
	case "holidays":
		p.Holidays = d.Holidays
	case "pause":
		p.pausedUntil = d.Until
	}
	return nil
}

// offer is one offer to one partner.
type offer struct {
	id      string
	journey *journey
	partner string
	state   string
	paused  bool
	lastDay string
	// What it waits for, and until when.
	answerBy, personBy, bookBy, outcomeBy, startsAt, acceptedAt time.Time
	agreementUntil, completedOn, week, acceptedIn               string
	byName                                                      bool
}

// The states of an offer that have a partner, and those in which it has taken somebody on.
var (
	lives = []string{"raised", "cleared", "sent", "acknowledged", "accepted", "booked", "not-kept"}
	asked = []string{"cleared", "sent", "acknowledged"}
	takes = []string{"accepted", "booked", "not-kept", "kept"}
)

func (o *offer) is(states []string) bool { return slices.Contains(states, o.state) }

// follows are the states that an event may follow; the state after it.
var follows = map[string]struct {
	after []string
	state string
}{
	"offer.acknowledged":    {append(slices.Clone(asked), "passed-on"), "acknowledged"},
	"offer.accepted":        {append(slices.Clone(asked), "passed-on"), "accepted"},
	"offer.declined":        {append(slices.Clone(asked), "passed-on"), "declined"},
	"offer.passed-on":       {append(slices.Clone(asked), "raised"), "passed-on"},
	"offer.confirmed":       {takes, ""},
	"offer.handed-back":     {takes, "handed-back"},
	"offer.introduced":      {takes, ""},
	"appointment.booked":    {[]string{"accepted", "booked", "not-kept"}, "booked"},
	"appointment.kept":      {[]string{"booked"}, "kept"},
	"appointment.not-kept":  {[]string{"booked"}, "not-kept"},
	"appointment.cancelled": {[]string{"booked", "withdrawn", "handed-back"}, ""},
	"followup.completed":    {[]string{"kept"}, "completed"},
	"offer.undone":          {[]string{"accepted", "declined"}, "cleared"},
	"offer.withdrawn":       {nil, "withdrawn"},
}

// told is what an event says of an offer.
type told struct {
	Offer, Partner, LastDay, FirstDay, AgreementUntil, On, CompletedOn string
	Late                                                               bool
	AnswerBy, PersonAnswersBy, BookBy, OutcomeBy, StartsAt, RingBy     time.Time
}

// acted reads an event that says what was done about a journey.
func (c *counter) acted(l *line) error {
	kind := strings.TrimSuffix(l.About, ".v1")
	j := c.of(l.Journey)
	switch {
	case strings.HasPrefix(kind, "call."), strings.HasPrefix(kind, "bridging."), strings.HasPrefix(kind, "help."),
		kind == "contact.asked-to-stop":
		return c.rings(l, j, kind)
	case kind == "pathway.decided":
		return c.decided(l, j)
	}
	var d told
	if err := l.read(&d); err != nil {
		return err
	}
	switch {
	case kind == "offer.raised":
		c.raised(l, j, d)
	case kind == "person.shown":
		why := c.grant(j, d.Partner, l.At, j.either)
		c.holds(why == "", l.At, ReadWithoutGrant, j.id, "a partner read who somebody is: %s", why)
	case kind == "offer.exhausted":
		j.exhausted, j.none = true, c.calendar.on(l.At)
	case c.offers[d.Offer] != nil:
		c.moves(l, j, c.offers[d.Offer], kind, d)
	}
	return nil
}

// raised is that an offer was prepared: for whom it fits, and in which window.
func (c *counter) raised(l *line, j *journey, d told) {
	today, p := c.calendar.on(l.At), c.partners[d.Partner]
	o := &offer{id: d.Offer, journey: j, partner: d.Partner, state: "raised", lastDay: d.LastDay, answerBy: d.AnswerBy}
	c.offers[o.id] = o
	j.none = ""
	j.offers = append(j.offers, o)
	c.holds(j.either(func(s standing) bool { return s.state == open }), l.At, OfferBarred, j.id,
		"an offer was prepared of a journey that is %s", j.now.state)
	no := func(s standing) bool {
		said := s.answers[followUp][d.Partner]
		return said == "declined" || said == "withdrawn"
	}
	c.holds(!no(j.before) || !no(j.now), l.At, OfferRefused, j.id,
		"an offer was prepared for a partner that was refused")
	c.windows(l, j, d, today)
	if p != nil {
		why := c.unfit(p, j, j.now, today, d.LastDay)
		c.holds(why == "" || c.unfit(p, j, j.before, today, d.LastDay) == "", l.At, OfferUnfit, j.id,
			"an offer was prepared for %s, %s", p.name, why)
	}
	j.lastDays[d.LastDay] = true
	if j.last == "" || j.lastDays[d.LastDay] && d.LastDay > j.last {
		j.last = d.LastDay
	}
}

// windows sees that the window is 14 days from where it counts.
func (c *counter) windows(l *line, j *journey, d told, today string) {
	ok := j.lastDays[d.LastDay] // the window that another partner was asked in
	for from := range j.anchors {
		last := plus(from, 14)
		left := between(today, last)
		switch {
		case d.Late: // under five days were left; whether today is one of them may be read either way
			ok = ok || d.LastDay == plus(today, 14) && left <= 5
		default:
			ok = ok || d.LastDay == last && left >= 4
		}
	}
	c.holds(ok && d.FirstDay <= d.LastDay, l.At, WindowWrong, j.id,
		"an offer of %s (late: %v) is from %s to %s; its window counts from %s", today, d.Late, d.FirstDay, d.LastDay,
		strings.Join(sorted(j.anchors), ", "))
}

// unfit is why a partner cannot be for somebody, by what it published and by what is known; empty where it may be.
func (c *counter) unfit(p *partner, j *journey, s standing, today, last string) string {
	switch {
	case p.pausedUntil >= today:
		return "which takes on nobody until " + p.pausedUntil
	case s.area != "" && len(p.Areas) > 0 && !slices.Contains(p.Areas, s.area):
		return "which is not for " + s.area
	case j.person == nil || !s.ages:
		return ""
	}
	if p.From > 0 && j.person.age(last) < p.From || p.To > 0 && j.person.age(today) > p.To {
		return fmt.Sprintf("which is for ages %d to %d, and they are %d", p.From, p.To, j.person.age(today))
	}
	return ""
}

// moves is that an offer went on.
func (c *counter) moves(l *line, j *journey, o *offer, kind string, d told) {
	if order, ok := follows[kind]; ok {
		c.holds(order.after == nil || o.is(order.after), l.At, OfferOrder, j.id, "%s of an offer that was %s", kind,
			o.state)
		if order.state != "" {
			o.state = order.state
		}
	}
	switch kind {
	case "offer.cleared", "offer.sent":
		c.goesOut(l, j, o, kind, d)
	case "offer.paused":
		o.paused = true
	case "offer.accepted":
		c.accepts(l, j, o, d)
	case "offer.confirmed":
		o.bookBy, o.byName = d.BookBy, true
		c.books(l, j, o)
		c.holds(j.either(func(s standing) bool { return s.yesByName(followUp, o.partner) }), l.At, OfferUnasked, j.id,
			"an acceptance was confirmed without a yes to that partner")
	case "offer.declined":
		c.human(l, j, "decline", "an offer was declined")
	case "offer.handed-back":
		c.human(l, j, "hand-back", "an offer was handed back")
		j.booked = ""
		if j.either(func(s standing) bool { return s.yesByName(followUp, o.partner) }) {
			j.gaveBack = c.calendar.on(l.At)
		}
	case "offer.passed-on":
		c.holds(!l.At.Before(o.answerBy.Add(-time.Minute)), l.At, SilenceStands, j.id,
			"a partner was passed over at %s, and had until %s", l.At.Format(time.RFC3339),
			o.answerBy.Format(time.RFC3339))
	case "offer.withdrawn":
		j.booked = ""
	case "appointment.booked":
		c.booked(l, j, o, d)
	case "appointment.cancelled":
		c.cancelled(l, j, o, d)
	case "appointment.not-kept":
		j.booked, o.bookBy, o.startsAt = "", d.BookBy, time.Time{}
	case "appointment.kept":
		j.met, o.startsAt = true, time.Time{}
	case "followup.completed":
		j.met, o.completedOn = true, d.CompletedOn
	}
	if j.accepted == o && !o.is(takes) {
		j.accepted = nil
	}
}

// human sees that somebody did what was published.
func (c *counter) human(l *line, j *journey, did, what string) {
	c.holds(j.recent.did[did] > 0 || c.recently(did), l.At, ClosedByNobody, j.id, "%s, and nobody had done it", what)
}

// goesOut is that an offer may be told to its partner, or was.
func (c *counter) goesOut(l *line, j *journey, o *offer, kind string, d told) {
	o.paused = false
	if o.week == "" {
		o.week = monday(c.calendar.on(l.At))
	}
	if o.is([]string{"raised", "cleared"}) {
		o.state = strings.TrimPrefix(kind, "offer.")
	}
	c.holds(j.either(func(s standing) bool { return s.yes(followUp, o.partner) }), l.At, OfferUnasked, j.id,
		"%s without the person's yes", kind)
	c.holds(j.either(standing.mayContact), l.At, OfferBarred, j.id, "%s of a journey that is %s", kind, j.now.why())
	if today := c.calendar.on(l.At); j.young(today) {
		c.holds(j.clinician, l.At, ClinicianAfter, j.id, "%s of somebody under 18 before the clinician's record", kind)
	}
	if d.AnswerBy.IsZero() {
		return
	}
	o.answerBy = d.AnswerBy
	by, p := c.calendar.on(d.AnswerBy), c.partners[o.partner]
	if p == nil {
		return
	}
	least := c.calendar.working(c.calendar.on(l.At), 2, p.Holidays)
	c.holds(by <= least && (by <= o.lastDay || o.lastDay <= c.calendar.on(l.At)), l.At, AnswerTooLate, j.id,
		"%s may answer until %s; the second working day is %s, the window's last %s", p.name, by, least, o.lastDay)
}

// why is why nobody may be contacted.
func (s standing) why() string {
	switch {
	case s.stopped:
		return "stopped"
	case s.cancelled:
		return "of a visit that the hospital took back"
	}
	return s.state
}

// accepts is that a partner took somebody on.
func (c *counter) accepts(l *line, j *journey, o *offer, d told) {
	c.human(l, j, "accept", "an offer was accepted")
	c.holds(j.accepted == nil || j.accepted == o || j.merged, l.At, TwoAcceptances, j.id,
		"two partners have taken the same person on")
	c.holds(j.either(standing.mayContact), l.At, OfferBarred, j.id, "an offer was accepted of a journey that is %s",
		j.now.why())
	j.accepted = o
	o.acceptedAt, o.personBy, o.bookBy, o.agreementUntil = l.At, d.PersonAnswersBy, d.BookBy, d.AgreementUntil
	o.byName = d.PersonAnswersBy.IsZero()
	c.holds(d.PersonAnswersBy.IsZero() || !d.PersonAnswersBy.After(l.At.Add(72*time.Hour+time.Minute)), l.At,
		PersonWaited,
		j.id, "the person's answer is waited for until %s", d.PersonAnswersBy.Format(time.RFC3339))
	c.books(l, j, o)
	p := c.partners[o.partner]
	if p == nil {
		return
	}
	o.acceptedIn = monday(c.calendar.on(l.At))
	byAcceptance, byAsking := c.places(o)
	c.holds(p.weekly == 0 || byAcceptance <= p.weekly || byAsking <= p.weekly, l.At, Oversold, j.id,
		"%s took on %d in the week of %s, of whom it was asked about %d in that of %s, and has %d places", p.name,
		byAcceptance, o.acceptedIn, byAsking, o.week, p.weekly)
}

// places are how many a partner has taken on of the week of an acceptance, and of the week in which it was asked: a
// place may be taken from when it is asked for.
func (c *counter) places(o *offer) (byAcceptance, byAsking int) {
	for _, other := range c.offers {
		if other.partner != o.partner || !other.is(takes) && other.state != "completed" {
			continue
		}
		if other.acceptedIn == o.acceptedIn {
			byAcceptance++
		}
		if other.week == o.week {
			byAsking++
		}
	}
	return byAcceptance, byAsking
}

func monday(day string) string {
	at, _ := time.Parse(layout, day)
	return plus(day, -(int(at.Weekday())+6)%7)
}

// books sees until when a time is to be agreed on.
func (c *counter) books(l *line, j *journey, o *offer) {
	if p := c.partners[o.partner]; p != nil && !o.bookBy.IsZero() {
		least := c.calendar.working(c.calendar.on(l.At), 2, p.Holidays)
		c.holds(c.calendar.on(o.bookBy) <= least, l.At, Unbooked, j.id,
			"%s may agree on a time until %s; the second working day is %s", p.name, c.calendar.on(o.bookBy), least)
	}
}

// booked is that a session has a time.
func (c *counter) booked(l *line, j *journey, o *offer, d told) {
	j.booked, o.startsAt, o.outcomeBy, o.bookBy = d.On, d.StartsAt, d.OutcomeBy, time.Time{}
	c.holds(j.either(standing.mayContact), l.At, OfferBarred, j.id, "a session was arranged of a journey that is %s",
		j.now.why())
	c.holds(d.On == c.calendar.on(d.StartsAt), l.At, OfferOrder, j.id, "a session at %s is said to be on %s",
		d.StartsAt.Format(time.RFC3339), d.On)
	if p := c.partners[o.partner]; p != nil && !d.OutcomeBy.IsZero() {
		least := c.calendar.working(max(d.On, c.calendar.on(l.At)), 1, p.Holidays)
		c.holds(c.calendar.on(d.OutcomeBy) <= least, l.At, OutcomeUnknown, j.id,
			"%s may say until %s how a session of %s went; the working day after it is %s", p.name,
			c.calendar.on(d.OutcomeBy), d.On, least)
	}
}

// cancelled is that a session does not take place. Who is about to go is rung.
func (c *counter) cancelled(l *line, j *journey, o *offer, d told) {
	j.booked = ""
	stops := []string{"consent.withdrawn", "consent.declined", "person.contact-stopped", "journey.held"}
	because := slices.ContainsFunc(stops, func(s string) bool { return j.recent.says[s] > 0 })
	if soon := o.startsAt.Sub(l.At); because && soon > 0 && soon <= 48*time.Hour {
		c.holds(!d.RingBy.IsZero() && !d.RingBy.After(l.At.Add(time.Hour+time.Minute)), l.At, NobodyRang, j.id,
			"a session at %s is off, and nobody is to ring the partner within the hour",
			o.startsAt.Format(time.RFC3339))
	}
	o.startsAt = time.Time{}
	if o.state == "booked" {
		o.state = "accepted"
	}
}

// grant is why a partner may not read who somebody is; empty where it may.
func (c *counter) grant(j *journey, partner string, at time.Time, either func(func(standing) bool) bool) string {
	today, reason := c.calendar.on(at), "no offer of theirs has been accepted"
	for _, o := range j.offers {
		if o.partner != partner {
			continue
		}
		switch {
		case o.state == "completed" && between(o.completedOn, today) > 14:
			reason = "the session was completed on " + o.completedOn
		case o.state != "completed" && !o.is(takes):
			reason = "their offer is " + o.state
		case o.agreementUntil != "" && o.agreementUntil < today:
			reason = "their agreement ended on " + o.agreementUntil
		case !either(func(s standing) bool { return s.yesByName(followUp, partner) }):
			reason = "the person has not said yes to them by name"
		case !either(func(s standing) bool { return !s.stopped && !s.cancelled && s.state != onHold }):
			reason = "the journey is " + j.now.why()
		default:
			return ""
		}
	}
	return reason
}

// look is that somebody asked who a person is.
func (c *counter) look(l *line) {
	p := c.partners[l.By]
	if p == nil {
		return
	}
	if !l.done() {
		c.Looked[ReadWithoutGrant]++
		return
	}
	j := c.of(l.Journey)
	why := c.grant(j, p.id, l.At, func(so func(standing) bool) bool { return so(j.now) })
	c.holds(why == "", l.At, ReadWithoutGrant, l.Journey, "%s read who somebody is: %s", p.name, why)
}

// received is what came to a partner.
func (c *counter) received(l *line) error {
	var d struct {
		Event struct{ Data struct{ Offer string } }
	}
	if err := l.read(&d); err != nil {
		return err
	}
	if o := c.offers[d.Event.Data.Offer]; o != nil {
		l.Journey = o.journey.id
	}
	c.identifies(l, l.Data)
	return nil
}

// waits looks at what offers wait for, at a step of the clock.
func (c *counter) waits(at time.Time) {
	for _, id := range sorted(c.offers) {
		o := c.offers[id]
		j := o.journey
		if j.now.state != open || o.paused || j.now.stopped || j.now.cancelled {
			continue
		}
		switch {
		case o.is([]string{"sent", "acknowledged"}):
			c.holds(!at.After(o.answerBy.Add(time.Hour)), at, SilenceStands, j.id,
				"a partner had until %s to answer, and is still waited for", o.answerBy.Format(time.RFC3339))
		case o.state == "accepted" && !o.byName:
			c.holds(!at.After(o.acceptedAt.Add(73*time.Hour)) || j.now.yesByName(followUp, o.partner), at,
				PersonWaited, j.id,
				"an acceptance of %s still waits for the person", o.acceptedAt.Format(time.RFC3339))
		}
		if o.is(lives) {
			no := j.now.answers[followUp][""] == "declined" || j.now.answers[followUp][""] == "withdrawn"
			said := j.now.answers[followUp][o.partner]
			no = no && said != "given" || said == "declined" || said == "withdrawn"
			c.holds(!no, at, NotStopped, j.id, "the person said no, and their offer is still %s", o.state)
		}
	}
}

// decided sees that nothing that was open is open no longer without a reason.
func (c *counter) decided(l *line, j *journey) error {
	var d struct{ Open, OpenIf, Waits []string }
	if err := l.read(&d); err != nil {
		return err
	}
	all := slices.Concat(d.Open, d.OpenIf, d.Waits)
	for _, service := range sorted(j.open) {
		c.holds(slices.Contains(all, service) || j.fewer, l.At, EligibilityLost, j.id,
			"%s was open, and is not any more, though no fact has changed and nobody said no", service)
	}
	clear(j.open)
	for _, service := range d.Open {
		j.open[service] = true
	}
	j.fewer = false
	return nil
}
