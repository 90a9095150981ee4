package record

import (
	"slices"
	"strings"
	"time"

	"footbridge/libs/written"
	"footbridge/schemas"
)

// Card is how a person may be reached, and what they asked for. It is sealed under their key as one document, so that
// every free text in it is erased with it. What the person confirmed is changed by people alone: a message that says
// otherwise becomes a question.
type Card struct {
	Channels []Channel `json:"channels,omitempty"`
	// NoSafeChannel: nothing may be used. Arrangement then says what was fixed instead: a time and place, a slip with
	// a checked number, or by way of a named hostel.
	NoSafeChannel bool   `json:"noSafeChannel,omitempty"`
	Arrangement   string `json:"arrangement,omitempty"`
	// Named are people who may hear something, and what. NeverTell are people who must not know, in words: a note to
	// humans. MustNotKnow are organisations by their ids, and obeyed: they are never asked and read nothing.
	Named       []NamedPerson `json:"named,omitempty"`
	NeverTell   []string      `json:"neverTell,omitempty"`
	MustNotKnow []string      `json:"mustNotKnow,omitempty"`
	// Needs are access and communication needs, as codes and in words.
	Needs     []string    `json:"needs,omitempty"`
	NeedsNote string      `json:"needsNote,omitempty"`
	Note      string      `json:"note,omitempty"`
	Wishes    Preferences `json:"wishes,omitzero"`
	// Proposed are ways that were said on the person's own page: nobody uses them before somebody has asked the person,
	// in the way that was agreed before, and recorded what they said.
	Proposed []Channel `json:"proposed,omitempty"`
	// ChannelsAt is when somebody last recorded the channels.
	ChannelsAt time.Time `json:"channelsAt,omitzero"`
}

// Channel is one way to reach the person.
type Channel struct {
	Channel string `json:"channel"` // phone, text, email, letter
	Value   string `json:"value"`
	// Confirmed: the person said themselves that it is safe. Nothing is left on, or sent to, another one.
	Confirmed       bool `json:"confirmed,omitempty"`
	FromHour        int  `json:"fromHour,omitempty"`
	ToHour          int  `json:"toHour,omitempty"`
	MayLeaveMessage bool `json:"mayLeaveMessage,omitempty"`
	// Reminders: they asked to be reminded by it of what is planned with them.
	Reminders bool `json:"reminders,omitempty"`
	// Paused: it is another's number, or another answers it. It is not used before the person was asked.
	Paused bool `json:"paused,omitempty"`
}

// NamedPerson may hear what is said here, and nothing else.
type NamedPerson struct {
	Name    string `json:"name"`
	Is      string `json:"is,omitempty"`
	MayHear string `json:"mayHear"`
}

// Preferences are what the person would like.
type Preferences struct {
	Channels     []string `json:"channels,omitempty"`
	WorkerGender string   `json:"workerGender,omitempty"`
	Language     string   `json:"language,omitempty"`
	Interpreter  *bool    `json:"interpreterNeeded,omitempty"`
	// Hours in which they can meet, what access they need, and a group of their own if they would like one.
	Hours  []string `json:"hours,omitempty"`
	Access []string `json:"access,omitempty"`
	Group  string   `json:"group,omitempty"`
	// Partners in the order the person chose, and partners never; empty leaves it open.
	Partners []string `json:"partners,omitempty"`
	Never    []string `json:"never,omitempty"`
	Words    string   `json:"words,omitempty"` // their own, kept as they were said
}

// No stated hours means these, local time.
const usualFrom, usualTo = 10, 19

// CardFault says what is wrong with what a human records, or nothing.
func CardFault(c Card) string {
	for _, channel := range c.Channels {
		switch {
		case channel.Channel == NoSafeChannel || !slices.Contains(schemas.Values("safe-channel"), channel.Channel):
			return "A channel is not known. Use phone, text, email or letter; say noSafeChannel where there is none."
		case strings.TrimSpace(channel.Value) == "":
			return "A channel has no number or address."
		case channel.FromHour < 0 || channel.ToHour > 24 || (channel.ToHour != 0 && channel.ToHour <= channel.FromHour):
			return "The hours of a channel are not an interval within one local day."
		}
	}
	switch {
	case c.NoSafeChannel && len(c.Channels) > 0:
		return "There cannot be a channel and no safe channel at once. Leave one of them out."
	case c.NoSafeChannel && strings.TrimSpace(c.Arrangement) == "":
		return "Where there is no safe channel, say what was arranged instead: a time and place, a slip with a " +
			"checked number, or by way of whom."
	}
	return ""
}

// Barred are all organisations that the person excluded, sorted: those that must not know, and partners they never
// want. It is never nil: told, it is the whole list.
func (c Card) Barred() []string {
	all := append(slices.Clone(c.MustNotKnow), c.Wishes.Never...)
	slices.Sort(all)
	return append([]string{}, slices.Compact(all)...)
}

// BarredFault says what is wrong with a list of organisations that must not know, or nothing.
func BarredFault(ids []string, home string) string {
	kind, _ := schemas.KindNamed("organisation")
	switch {
	case len(ids) > mostBarred:
		return "There are more than 50 organisations in the list."
	case slices.Contains(ids, home):
		return "This journey is looked after by that organisation: it cannot be kept from it. Ask the navigator to " +
			"hand the journey on first."
	case slices.ContainsFunc(ids, func(id string) bool { return !kind.Allows(id) }):
		return "An organisation that must not know is listed by its opaque id or ODS code. Write people, and what " +
			"has no id, under neverTell."
	}
	return ""
}

// mostBarred is how many organisations each list may hold.
const mostBarred = 50

// NoSafeChannel is the channel of whoever said that no way of reaching them is safe.
const NoSafeChannel = "no-safe-channel"

// Confirmed says whether the person confirmed anything about how to reach them.
func (c Card) Confirmed() bool {
	return c.NoSafeChannel || slices.ContainsFunc(c.Channels, func(ch Channel) bool { return ch.Confirmed })
}

// Reachable says that a way may be used, or that none is safe and something else was arranged.
func (c Card) Reachable() bool { return c.NoSafeChannel || len(c.Usable()) > 0 }

// PausePhone is the card of somebody whose telephone another answered at a time: it is rung no more, and no text goes
// to its number, until somebody has recorded how to reach them. What was recorded since stands.
func (c Card) PausePhone(at time.Time) (paused Card, changed bool) {
	if c.ChannelsAt.After(at) {
		return c, false
	}
	var numbers []string
	for _, channel := range c.Channels {
		if channel.Channel == "phone" {
			numbers = append(numbers, channel.Value)
		}
	}
	c.Channels = slices.Clone(c.Channels)
	for i, channel := range c.Channels {
		same := func(number string) bool { return sameContact(number, channel.Value) }
		if !channel.Paused && slices.ContainsFunc(numbers, same) {
			c.Channels[i].Paused, changed = true, true
		}
	}
	return c, changed
}

// Questions are what a message brought that differs from what the person confirmed: somebody asks them, and until
// then what they confirmed stands.
func (c Card) Questions(fed Identity) []string {
	var questions []string
	for _, p := range c.Proposed {
		kind := p.Channel
		if kind == "text" {
			kind = "phone"
		}
		if !slices.Contains(questions, kind) {
			questions = append(questions, kind)
		}
	}
	if !c.Confirmed() {
		return questions
	}
	ask := func(kind, value string, channels ...string) {
		known := func(ch Channel) bool {
			return slices.Contains(channels, ch.Channel) && sameContact(ch.Value, value)
		}
		if value != "" && !slices.ContainsFunc(c.Channels, known) && !slices.Contains(questions, kind) {
			questions = append(questions, kind)
		}
	}
	ask("phone", fed.Phone, "phone", "text")
	ask("email", fed.Email, "email")
	return questions
}

// sameContact compares numbers and addresses however they are written.
func sameContact(a, b string) bool {
	return written.SamePhone(a, b) || strings.EqualFold(written.Line(a), written.Line(b))
}

// Usable are the channels that may be used: confirmed by the person, with their hours or the usual ones.
func (c Card) Usable() []Channel {
	var usable []Channel
	for _, channel := range c.Channels {
		if c.NoSafeChannel || !channel.Confirmed || channel.Paused {
			continue
		}
		if channel.FromHour == 0 && channel.ToHour == 0 {
			channel.FromHour, channel.ToHour = usualFrom, usualTo
		}
		usable = append(usable, channel)
	}
	return usable
}

// Hours are those in which the person may be rung, as they said of the telephone that is used first; zero where they
// named none.
func (c Card) Hours() (hours schemas.ContactHours) {
	for _, channel := range c.Channels {
		if channel.Channel == "phone" && !channel.Paused && channel.ToHour > 0 {
			return schemas.ContactHours{FromHour: channel.FromHour, ToHour: channel.ToHour}
		}
	}
	return hours
}

// Strictest is how somebody may be reached while it is not confirmed that two records are one person: on no channel
// where either has no safe one. Nothing of the other record crosses but that, and, as askFirst, that it names somebody
// who must not know: then nobody is told anything before a human has looked at both.
func (c Card) Strictest(others ...Card) (strict Card, askFirst bool) {
	for _, other := range others {
		c.NoSafeChannel = c.NoSafeChannel || other.NoSafeChannel
		askFirst = askFirst || len(other.NeverTell) > 0
	}
	if c.NoSafeChannel {
		c.Channels = nil
	}
	if askFirst {
		c.Named = nil
	}
	return c, askFirst
}

// Facts are the preferences that a service's criterion may speak of.
func (p Preferences) Facts(known schemas.Facts) schemas.Facts {
	if p.Channels != nil {
		known.Channels = p.Channels
	}
	if p.WorkerGender != "" {
		known.WorkerGender = &p.WorkerGender
	}
	if p.Language != "" {
		known.Language = &p.Language
	}
	if p.Hours != nil {
		known.Hours = p.Hours
	}
	if p.Access != nil {
		known.Access = p.Access
	}
	if p.Group != "" {
		known.Group = &p.Group
	}
	if p.Interpreter != nil {
		known.InterpreterNeeded = p.Interpreter
	}
	return known.Normal()
}

// hasChannel says whether a message brought anything by which the person might be reached: a number that may be one, an
// address, or an e-mail address. Nothing is used before they have confirmed it.
func (id Identity) hasChannel() bool {
	_, phone := written.Phone(id.Phone)
	safe := id.SafeContact
	return phone || strings.Contains(id.Email, "@") || written.IsAddress(id.Address, id.Postcode) ||
		(safe != nil && safe.Value != "" && safe.Channel != NoSafeChannel)
}

// Unsafe says that the newest report of how the person may be reached was that there is no safe way.
func (id Identity) Unsafe() bool {
	return id.SafeContact != nil && id.SafeContact.Channel == NoSafeChannel
}
