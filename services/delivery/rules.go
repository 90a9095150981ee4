package delivery

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"footbridge/schemas"
)

// JourneyState is what is known of a journey: a join of what was said, each value with the sequence that set it.
type JourneyState struct {
	Offers  map[string]*Offer `json:"offers,omitempty"`
	Consent schemas.Answers   `json:"consent,omitzero"`
	Contact schemas.Answered  `json:"contact,omitzero"`
	// Referrers are the organisations that asked for support, or sent the person home, with the newest sequence that
	// said so; TellReferrer whether they may be told more than that somebody is in touch.
	Referrers    map[string]int64 `json:"referrers,omitempty"`
	TellReferrer schemas.Answers  `json:"tellReferrer,omitzero"`
	// Origin says who may read what partners were told of it: the person, and the organisation whose journey it is.
	schemas.Origin
	schemas.Course
	schemas.MustNotKnow
}

// Offer is what is known of one offer, and what its partner has been told of it.
type Offer struct {
	Partner  string    `json:"partner,omitempty"`
	FirstDay string    `json:"firstDay,omitempty"`
	LastDay  string    `json:"lastDay,omitempty"`
	AnswerBy time.Time `json:"answerBy,omitzero"`
	RaisedAt int64     `json:"raised,omitempty"`
	// Area is where the person lives, as the partner may be shown it; empty where it may not, that is not known, or it
	// is not what it was when the partner was first told.
	Area string `json:"area,omitempty"`

	// Cleared, Paused and Over are the sequences of the last that said so; Over, that nothing is asked of the partner
	// any more.
	Cleared int64 `json:"cleared,omitempty"`
	Paused  int64 `json:"paused,omitempty"`
	Over    int64 `json:"over,omitempty"`

	// Lines are what else was said of it, by type and what it is about, newest alone.
	Lines map[string]Line `json:"lines,omitempty"`

	// Shown is what the partner was told last of whether the offer stands: nothing, StateWaits, StatePaused or
	// StateOver.
	Shown string `json:"shown,omitempty"`
	// Made are how it has come to the partner; Unread, that it came by mail alone, of which nobody need know; Failed,
	// that a human was asked to tell them another way. Heard is the sequence at which somebody there was found to know.
	Made   []string `json:"made,omitempty"`
	Unread bool     `json:"unread,omitempty"`
	Failed bool     `json:"failed,omitempty"`
	Heard  int64    `json:"heard,omitempty"`
	// News is what each referrer was told last of it.
	News map[string]string `json:"news,omitempty"`
}

// Line is one thing that was said of an offer. Tell is what its partner is to be told, nil once that has been done.
type Line struct {
	At   int64                     `json:"at"`
	Type schemas.Type              `json:"type"`
	Asks bool                      `json:"asks,omitempty"`
	Tell *schemas.PartnerOfferData `json:"tell,omitempty"`
}

// Telling is one event for a partner's log.
type Telling struct {
	Partner, Offer string
	Type           schemas.Type
	Asks           bool
	Data           schemas.PartnerOfferData
	// Area is what an endpoint's filter looks at. It goes to nobody.
	Area string
}

// offer is the offer of an id, which need not be known yet.
func (k *JourneyState) offer(id string) *Offer {
	if k.Offers == nil {
		k.Offers = map[string]*Offer{}
	}
	if k.Offers[id] == nil {
		k.Offers[id] = &Offer{}
	}
	return k.Offers[id]
}

// add takes in one thing that was said of an offer, unless a newer one of the same kind is known.
func (k *JourneyState) add(at int64, typ schemas.Type, asks bool, about string, tell schemas.PartnerOfferData) {
	o := k.offer(tell.Offer)
	key := string(typ)
	if about != "" {
		key += " " + about
	}
	if line, known := o.Lines[key]; known && line.At >= at {
		return
	}
	if o.Lines == nil {
		o.Lines = map[string]Line{}
	}
	o.Lines[key] = Line{At: at, Type: typ, Asks: asks, Tell: &tell}
	if tell.State == schemas.StateOver || tell.State == schemas.StateCompleted {
		o.Over = max(o.Over, at)
	}
}

// in takes in where the person lives. Once the partner was told, another area is as none: those of its endpoints that
// were told hear what comes of it, and so do those of the new one.
func (o *Offer) in(area string) {
	if o.Shown != "" && o.Area != area {
		area = ""
	}
	o.Area = area
}

// stopped says whether nothing may be told to a partner that asks for something: by what the person or a human said,
// whoever else acts on it.
func (k *JourneyState) stopped(partner string) bool {
	said := k.Consent.To(partner)
	return k.Contact.At > 0 && !k.Contact.Yes || k.Transition.Held || k.Transition.Closed || k.Bars(partner) ||
		said.At > 0 && !said.Yes && !said.Lapsed
}

// over says whether nothing is asked of the partner any more.
func (o *Offer) over() bool { return o.Over > max(o.Cleared, o.Paused) }

// open says whether the partner may be asked for its answer, as things stand.
func (o *Offer) open() bool { return o.Cleared > max(o.Paused, o.Over) }

// tell brings what partners know of a journey's offers in line with what is known here, and returns what they are to
// be told, in the order in which it was said, and the offers of which nothing may be given out that asks for something.
func (k *JourneyState) tell() (told []Telling, withhold []string) {
	for _, id := range slices.Sorted(maps.Keys(k.Offers)) {
		o := k.Offers[id]
		if o.Partner == "" || o.Cleared == 0 {
			continue // nobody outside knows of it
		}
		stopped := k.stopped(o.Partner)
		if o.Shown == "" && (stopped || !o.open()) && !o.begun() {
			o.forget()
			continue
		}
		before := o.Shown
		told = append(told, o.told(id, stopped)...)
		if before == schemas.StateWaits && o.Shown != schemas.StateWaits {
			withhold = append(withhold, id)
		}
	}
	return told, withhold
}

// begun says whether the partner has done something with an offer, so that it knows of it by whatever way.
func (o *Offer) begun() bool {
	for _, line := range o.Lines {
		if line.Type == schemas.OfferAccepted {
			return true
		}
	}
	return false
}

// forget drops what was said of an offer that its partner was never told of and that does not stand.
func (o *Offer) forget() {
	if o.open() {
		return // it stands once what stops it is lifted
	}
	for key, line := range o.Lines {
		line.Tell = nil
		o.Lines[key] = line
	}
}

// told is what the partner of an offer is to be told now.
func (o *Offer) told(id string, stopped bool) (all []Telling) {
	say := func(t schemas.Type, asks bool, d schemas.PartnerOfferData) {
		all = append(all, Telling{o.Partner, id, t, asks, d, o.Area})
	}
	stands := schemas.StateWaits
	if stopped || !o.open() {
		stands = schemas.StatePaused
	}
	if o.Shown != stands && stands == schemas.StateWaits {
		if !o.begun() {
			say(schemas.OfferSent, true, o.waits(id))
		}
		o.Shown = stands
	}
	untold := slices.SortedFunc(maps.Keys(o.Lines),
		func(a, b string) int { return cmp.Compare(o.Lines[a].At, o.Lines[b].At) })
	for _, key := range untold {
		line := o.Lines[key]
		if line.Tell == nil || line.Asks && stopped {
			continue
		}
		if !line.Asks || line.At > max(o.Paused, o.Over) {
			say(line.Type, line.Asks, *line.Tell)
		}
		line.Tell = nil
		o.Lines[key] = line
	}
	switch {
	case o.over():
		o.Shown = schemas.StateOver // its line has said so
	case o.Shown == schemas.StateWaits && stands == schemas.StatePaused:
		say(schemas.OfferPaused, false, schemas.PartnerOfferData{Offer: id, State: schemas.StatePaused})
		o.Shown = stands
	}
	return all
}

// waits is what a partner is told of an offer that asks for its answer.
func (o *Offer) waits(id string) schemas.PartnerOfferData {
	d := schemas.PartnerOfferData{Offer: id, State: schemas.StateWaits, FirstDay: o.FirstDay, LastDay: o.LastDay}
	if !o.AnswerBy.IsZero() {
		d.AnswerBy = &o.AnswerBy
	}
	return d
}

// heard says whether somebody at the partner was found to know of an offer.
func (o *Offer) heard() bool { return o.Heard > 0 }

// make notes how an offer came to its partner, other than by mail alone, and says whether that is new.
func (o *Offer) make(how string) bool {
	o.Unread = false
	if slices.Contains(o.Made, how) || len(o.Made) > 0 && how == schemas.DeliveryHandedOver {
		return false
	}
	o.Made = append(o.Made, how)
	return true
}
