package schemas

import "slices"

// Origin is whom a journey is about, and whose it is: the organisation that its newest beginning names, until a human
// says otherwise (a facility that nobody had agreed on is placed). What was said before that does not outrank it.
// Events may come in any order, and any number of times.
type Origin struct {
	Person string `json:"person,omitempty"`
	Sender string `json:"sender,omitempty"` // the organisation
	// PersonAt is the sequence of the newest beginning, PlacedAt that of the event by which a human said whose it is.
	PersonAt int64 `json:"personAt,omitempty"`
	PlacedAt int64 `json:"placedAt,omitempty"`
}

// Begin takes in a beginning.
func (o *Origin) Begin(at int64, person, sender string) {
	if at <= o.PersonAt {
		return
	}
	o.Person, o.PersonAt = person, at
	if at > o.PlacedAt {
		o.Sender = sender
	}
}

// Place takes in whose it is by a human's word, and says whether that is news. An event that names nobody says nothing
// of it.
func (o *Origin) Place(at int64, organisation string) bool {
	if organisation == "" || at <= o.PlacedAt {
		return false
	}
	if at > o.PersonAt {
		o.Sender = organisation
	}
	o.PlacedAt = at
	return true
}

// OpenTo says whether what was passed on of a journey is open to a scope: to staff of the organisation whose it is,
// unless the person said that it must not know, and to the person. onPage says that it is the page of their own that
// was given for this journey. One whose beginning has not come is nobody's yet.
func (o *Origin) OpenTo(s Scope, barred MustNotKnow, onPage bool) bool {
	if s.Person != "" {
		return onPage || s.Person == o.Person
	}
	return o.PersonAt > 0 && s.Home(o.Sender) && !slices.ContainsFunc(s.Organisations, func(one string) bool {
		return slices.Contains(barred.Barred, one)
	})
}
