package intake

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// A message of any state is found by time, sender and what became of it, or by the visit it is about; taken apart with
// who it is about hidden; read by another profile, of which nothing is kept; and read again.

// messageTaken is a message taken apart: its fields, which lines of the profile said what of it, and what followed.
type messageTaken struct {
	Profile string `json:"profile"` // name and version, as it is now
	reading.Anatomy
	// Lines are in the order of the segments. To an operator, those of what says how the message came.
	Lines []reading.Applied `json:"lines"`
	// Profiles are those that it can be read by to see what they would make of it; none where no profile reads it.
	Profiles []string `json:"profiles,omitempty"`
	// SameVisit are the messages of its visit, the oldest first, itself among them.
	SameVisit []LedgerLine `json:"sameVisit,omitempty"`
	// Events are those of its journey, and of itself, in the ten seconds after it came.
	Events []flow.Emitted `json:"events,omitempty"`
	// ReadAgain: it may be read again as it came: nothing has followed from it, and nobody has decided about it.
	ReadAgain bool `json:"readAgain,omitempty"`
}

// emittedWithin is how long after it came what a message made is looked for.
const emittedWithin = 10 * time.Second

func (s *Service) messageRoutes() map[string]httpx.Handler {
	return map[string]httpx.Handler{
		"GET /api/messages/{id}/content":     s.getContent,
		"POST /api/messages/search":          s.postMessageSearch,
		"POST /api/messages/{id}/dry-run":    s.postDryRun,
		"POST /api/messages/{id}/read-again": s.postReadAgain,
	}
}

// getContent takes one message apart. It shows nobody who it is about, so that no look is kept: that is asked for with
// a reason, by GET /api/messages/{id}. An operator sees how it came and which fields it has, and never what it says.
func (s *Service) getContent(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id, err := pathRef(r, "id", noSuchMessage)
	if err != nil {
		return err
	}
	var taken messageTaken
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		held, err := lockQuarantined(tx, who, id)
		if err != nil {
			return err
		}
		taken = s.takeApart(held, who)
		if taken.SameVisit, err = messagesOfVisit(tx, who, held.Visit); err != nil {
			return err
		}
		taken.Events, err = tx.EmittedAbout([]string{held.ID, held.Journey}, held.ReceivedAt,
			held.ReceivedAt.Add(emittedWithin))
		return err
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, taken)
}

func (s *Service) takeApart(held *quarantinedMessage, who principal.Principal) messageTaken {
	profile := s.profiles.For(held.Sender)
	taken := messageTaken{Profile: profile.Title(), Anatomy: reading.Anatomy{Format: "erased",
		Segments: []reading.Piece{}}, Lines: []reading.Applied{}}
	raw, err := s.openRaw(held)
	if err != nil {
		return taken
	}
	taken.ReadAgain = canReadAgain(held.LedgerLine)
	if message, err := hl7.Parse(raw); err == nil && held.Endpoint == record.EndpointMLLP {
		profile = s.profiles.For(message.SendingApplication())
		taken.Profile, taken.Profiles = profile.Title(), s.profiles.Names()
		taken.Lines = append(taken.Lines,
			profile.Lines(message, reading.ReadHL7(message, s.profiles, held.ReceivedAt))...)
	}
	taken.Anatomy = profile.Dissect(raw)
	if who.Role == string(schemas.Operator) {
		taken.Anatomy, taken.Lines = taken.Technical(), technicalLines(taken.Lines)
	}
	return taken
}

func technicalLines(all []reading.Applied) []reading.Applied {
	kept := []reading.Applied{}
	for _, one := range all {
		if strings.HasPrefix(one.At, "MSH") {
			kept = append(kept, one)
		}
	}
	return kept
}

// openRaw opens a message as it came; an error says that it cannot be read any more.
func (s *Service) openRaw(held *quarantinedMessage) ([]byte, error) {
	key, err := s.vault.Unwrap(held.ID, held.wrapped)
	if err != nil || len(held.raw) == 0 {
		return nil, httpx.NewProblem(http.StatusGone, "The content of this message has been erased. "+
			"What waits can only be dismissed.").Because(err)
	}
	return key.Open(fieldRaw, held.raw)
}

// messageSearch is the visit whose messages somebody looks for. It comes in a body alone, never in an address.
type messageSearch struct {
	Visit string `json:"visit"` // PV1-19, as the hospital writes it
}

// messagesFound are the messages of visits of that number, the oldest first.
type messagesFound struct {
	Items []LedgerLine `json:"items"`
}

// postMessageSearch finds what became of a visit by its exact number. The search is kept beside those for journeys.
func (s *Service) postMessageSearch(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	request, _, err := httpx.ReadJSON[messageSearch](w, r, maxForm)
	if err != nil {
		return err
	}
	looking, fault := searchRequest{Visit: request.Visit}.read()
	if fault != "" {
		return unprocessable("Say in visit the number of a visit, as the hospital writes it in PV1-19.")
	}
	found := messagesFound{Items: []LedgerLine{}}
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		visits, err := visitsOfNumber(tx, who, looking.Value)
		if err != nil {
			return err
		}
		found.Items = found.Items[:0]
		for _, visit := range visits {
			lines, err := messagesOfVisit(tx, who, visit)
			if err != nil {
				return err
			}
			found.Items = append(found.Items, lines...)
		}
		return s.storeSearch(tx, who, looking, len(found.Items), "")
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, found)
}

// dryRunAsked names the profile that a message is read by.
type dryRunAsked struct {
	Profile string `json:"profile"` // one of the profiles that GET /api/messages/{id}/content names
}

// dryRunShown is what a profile would make of a message. Nothing of it is kept, and nobody is told anything.
type dryRunShown struct {
	reading.Rehearsed
	Words string `json:"words,omitempty"` // the reason, in plain words
	// Before is how many earlier messages of its visit were read before it, by the same profile.
	Before int `json:"before"`
}

// postDryRun reads a message and what came before of its visit by a profile, in memory.
func (s *Service) postDryRun(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id, err := pathRef(r, "id", noSuchMessage)
	if err != nil {
		return err
	}
	asked, _, err := httpx.ReadJSON[dryRunAsked](w, r, maxForm)
	if err != nil {
		return err
	}
	var held *quarantinedMessage
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		held, err = readQuarantined(tx, who, id, "")
		return err
	})
	if err != nil {
		return err
	}
	shown, err := s.rehearse(r.Context(), who, held, asked.Profile)
	if err != nil {
		return err
	}
	if who.Role == string(schemas.Operator) {
		shown.Lines, shown.Facts = technicalLines(shown.Lines), nil
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

func (s *Service) rehearse(ctx context.Context, who principal.Principal, held *quarantinedMessage,
	name string) (shown dryRunShown, err error) {
	profile := s.profiles.ByName(name)
	if profile == nil {
		return shown, unprocessable("There is no profile of this name here. GET /api/messages/{id}/content names them.")
	}
	if held.Endpoint != record.EndpointMLLP {
		return shown, unprocessable("Profiles say how HL7 v2 messages are read; this one is none.")
	}
	raw, err := s.openRaw(held)
	if err != nil {
		return shown, err
	}
	before, err := s.rawBefore(ctx, who, held)
	if err != nil {
		return shown, err
	}
	shown = dryRunShown{Rehearsed: profile.Rehearse(before, raw, held.ReceivedAt), Before: len(before)}
	shown.Words = wordsFor(shown.Reason)
	if shown.Control != "" && !reading.IsControlID(shown.Control) {
		shown.Control = held.ControlID
	}
	return shown, nil
}

// postReadAgain reads a message again as it came, by its sender's profile as it is now, in the name of whoever asks.
func (s *Service) postReadAgain(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id, err := pathRef(r, "id", noSuchMessage)
	if err != nil {
		return err
	}
	line, err := s.decideByHuman(r.Context(), who, id, humanDecision{release: true, again: true})
	if err != nil {
		return err
	}
	line.explain()
	return httpx.WriteJSON(w, http.StatusOK, line)
}

// canReadAgain says whether a message may be read again without having been quarantined: nothing has followed from it,
// and no human has decided about it. One of a way in that reads no profile would be read as before.
func canReadAgain(l LedgerLine) bool {
	return (l.Outcome == string(record.Ignored) || l.Outcome == string(record.Rejected)) && l.DecidedBy == "" &&
		l.Endpoint != record.EndpointAlarm && l.Sender != listSender
}

// period reads from and to of a list's query: local days, both included, or times.
func (s *Service) period(query url.Values) (from, to time.Time, err error) {
	read := func(name string, days calendar.Day) (time.Time, error) {
		text := strings.TrimSpace(query.Get(name))
		if text == "" {
			return time.Time{}, nil
		}
		if day, err := calendar.ParseDay(text); err == nil {
			return (day + days).At(0, 0, s.zone), nil
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return at, httpx.NewProblem(http.StatusBadRequest, "%s is no local day (YYYY-MM-DD) and no time with an "+
				"offset.", name)
		}
		return at, nil
	}
	from, wrongFrom := read("from", 0)
	to, wrongTo := read("to", 1)
	return from, to, cmp.Or(wrongFrom, wrongTo)
}
