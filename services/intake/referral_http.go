package intake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// selfAnswer is what everybody is told who asks for support for themselves: the same whatever is known of them, so
// that nobody can find out by it whether somebody has a journey.
var selfAnswer = received{true,
	"Thank you for asking. A member of staff will be in touch in the way you said is safe. If you need " +
		"help now, call 999, or NHS 111 and choose option 2."}

type received struct {
	Received bool   `json:"received"`
	Message  string `json:"message"`
}

// referralAnswer is what a professional is told.
type referralAnswer struct {
	Referral string         `json:"referral"`
	Journey  string         `json:"journey,omitempty"`
	Message  string         `json:"message"` // the ledger's id
	Outcome  record.Outcome `json:"outcome"`
	Flags    []string       `json:"flags,omitempty"` // why a human is shown it
}

// postReferral takes a request for support: a professional's six answers, or the person's own request.
func (s *Service) postReferral(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, err := httpx.ReadBody(w, r, int64(s.maxMessage), "application/json")
	if err != nil {
		return err
	}
	key, err := httpx.ParseIdempotency(r, who.Key(), body)
	if err != nil {
		return err
	}
	reading := reading.Reading{Organisation: who.Organisation, Sender: formOf(who),
		Type: string(schemas.ReferralSubmitted)}
	if key != nil {
		reading.ControlID = key.Key
	}
	number, err := s.digest("form", body)
	if err != nil {
		return err
	}
	data, refusal := readForm(who, body, cmp.Or(reading.ControlID, number))
	if refusal == nil {
		reading.Organisation = data.Organisation
		reading.ControlID = cmp.Or(reading.ControlID, data.Referral)
		statement := s.submittedBy(reading.Sender, s.clock.Now(), data)
		statement.PublishedBy, statement.By = "form", recordedBy(who)
		reading.ClinicalEvent = &statement
	} else {
		reading.Outcome, reading.Reason, reading.ControlID = record.Rejected, ReasonSchema, ""
	}
	result, err := s.keepPatiently(r.Context(), reading, record.EndpointForm, body)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return refusal.With("message", result.Message)
	case result.Outcome == record.Rejected:
		return httpx.NewProblem(http.StatusConflict, "A request under this number or Idempotency-Key came before, "+
			"with other content. Give the changed one its own.").With("message", result.Message)
	case data.Route == "self":
		return httpx.WriteJSON(w, http.StatusAccepted, selfAnswer)
	}
	return httpx.WriteJSON(w, http.StatusAccepted, referralAnswer{Referral: data.Referral, Journey: result.Journey,
		Message: result.Message, Outcome: result.Outcome,
		Flags: flagsOf(result)})
}

// flagsOf are why a human is shown a request; a repetition of it is answered with the same.
func flagsOf(result Result) []string {
	if result.Outcome != record.RaisedFlagged && result.Outcome != record.Duplicate {
		return nil
	}
	return slices.DeleteFunc(strings.Fields(result.Reason),
		func(word string) bool { return !slices.Contains(schemas.Values("flag"), word) })
}

// formOf names the form of one principal in the ledger: numbers and keys are told apart by who sent them. It is a
// hash, since the subject may be a person.
func formOf(who principal.Principal) string {
	if who.Source != "" {
		return who.Source
	}
	sum := sha256.Sum256([]byte(who.Key()))
	return "form " + hex.EncodeToString(sum[:6])
}

// digest names a content: keyed, since whoever reads the ledger could find a short one from a plain hash by trying.
func (s *Service) digest(purpose string, content []byte) (string, error) {
	hash, err := s.lookup(purpose, string(content))
	return hex.EncodeToString([]byte(hash))[:min(32, 2*len(hash))], err
}

// readForm reads a request as a form sends it: organisation, number and route need not be said where it is known who
// asks. The person's own request is not verified, whatever it says of itself. A guest's must say that it is the
// person's own, so that a program that lost its credential is told; and nothing in it counts as agreed or confirmed
// by the person: the yes of somebody unknown is no yes, and is asked for by whoever speaks with them.
func readForm(who principal.Principal, body []byte, number string) (schemas.ReferralSubmittedData, *httpx.Problem) {
	var form map[string]any
	if err := json.Unmarshal(body, &form); err != nil || form == nil {
		return schemas.ReferralSubmittedData{},
			httpx.NewProblem(http.StatusBadRequest, "The body is no JSON object. Send one.")
	}
	guest := who.Role == string(schemas.Guest)
	own := guest || who.Role == string(schemas.Person)
	if guest && form["route"] != "self" {
		return schemas.ReferralSubmittedData{},
			httpx.NewProblem(http.StatusUnauthorized, "It is not known who is asking. Sign in, or send the token or "+
				"certificate that was agreed; to ask for yourself, say so by route: self.")
	}
	fill := func(name, value string) {
		if form[name] == nil && value != "" {
			form[name] = value
		}
	}
	fill("organisation", who.Organisation)
	fill("referral", number)
	if own {
		form["route"] = "self"
	}
	fill("route", "professional")
	filled, err := json.Marshal(form)
	if err != nil {
		return schemas.ReferralSubmittedData{}, httpx.NewProblem(http.StatusBadRequest, "The body could not be read.")
	}
	filled, damaged := reading.TidySubmitted(filled)
	if damaged {
		return schemas.ReferralSubmittedData{}, httpx.DamagedText()
	}
	data, faults := schemas.ReadReferralSubmitted(filled)
	if len(faults) > 0 {
		return data, httpx.NewProblem(http.StatusUnprocessableEntity, "The request is not as its schema says: see "+
			"errors.").With("errors", faults)
	}
	if data.Organisation != who.Organisation {
		return data, httpx.NewProblem(http.StatusForbidden, "You may not ask in the name of that organisation.")
	}
	if data.Route == "self" {
		// Who they are is what they say, until somebody has spoken with them: it is matched with nobody.
		data.Person.NHSNumberVerified, data.Person.LocalID, data.Visit = false, "", ""
	}
	if guest {
		data.Consents = nil
		if data.SafeContact != nil {
			data.SafeContact.Confirmed = false
		}
	}
	return data, nil
}

// rowAnswer is what became of one row of a list. It repeats nothing of the row.
type rowAnswer struct {
	Row     int                `json:"row"`
	Result  reading.Reconciled `json:"result"`
	Reason  string             `json:"reason,omitempty"`
	Words   string             `json:"words,omitempty"` // the reason, in plain words
	Journey string             `json:"journey,omitempty"`
	Message string             `json:"message,omitempty"`
	Errors  []schemas.Fault    `json:"errors,omitempty"`
}

// listAnswer is the report on a list: every row, and how many became what.
type listAnswer struct {
	Rows   []rowAnswer                `json:"rows"`
	Counts map[reading.Reconciled]int `json:"counts"`
}

// postList takes a nightly list. It is read as a whole before any row is taken; a row is taken as a whole or not at
// all; sent again, it changes nothing.
func (s *Service) postList(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, err := httpx.ReadBody(w, r, 4*int64(s.maxMessage), "text/csv")
	if err != nil {
		return err
	}
	organisation := who.Organisation
	if given := r.URL.Query().Get("organisation"); given != "" && scopeOf(who).All {
		organisation = given
	}
	_, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	rows, err := reading.ReadList(organisation, body, parameters["charset"])
	if err != nil {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "This list cannot be read, and nothing of it was "+
			"taken: %s.", err)
	}
	answers := make([]rowAnswer, len(rows))
	waits := make([]chan error, len(rows))
	room := make(chan struct{}, 64) // as many rows wait for one commit
	for i, row := range rows {
		waits[i] = make(chan error, 1)
		room <- struct{}{}
		go func() {
			var err error
			answers[i], err = s.acceptRow(r.Context(), who, row)
			<-room
			waits[i] <- err
		}()
	}
	answer := listAnswer{Rows: answers, Counts: map[reading.Reconciled]int{reading.RowKnown: 0, reading.RowRaised: 0,
		reading.RowKept: 0, reading.RowBroken: 0}}
	for i := range waits {
		if err := <-waits[i]; err != nil {
			return err // sent again, rows that were taken are known
		}
		answer.Counts[answers[i].Result]++
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

func (s *Service) acceptRow(ctx context.Context, who principal.Principal, row reading.ListRow) (rowAnswer, error) {
	parsed := reading.Reading{Organisation: cmp.Or(row.Data.Organisation, who.Organisation), Sender: listSender,
		ControlID: row.Data.Referral, Type: string(schemas.ReferralSubmitted)}
	number, err := s.digest("list-row", row.Raw)
	if err != nil {
		return rowAnswer{}, err
	}
	parsed.ControlID = "list " + number[:24] // a row that was corrected is another one
	answer := rowAnswer{Row: row.Row, Errors: row.Faults}
	if len(row.Faults) > 0 {
		// it may come again, corrected
		parsed.Outcome, parsed.Reason, parsed.ControlID = record.Rejected, ReasonSchema, ""
	} else {
		statement := s.submittedBy(parsed.Sender, s.clock.Now(), row.Data)
		statement.PublishedBy, statement.By = "form", recordedBy(who)
		statement.Facts.Route = nil // an attendance that a feed missed is one that came by discharge
		if row.Judged() {
			statement.Attended()
		}
		parsed.ClinicalEvent = &statement
	}
	result, err := s.keepPatiently(ctx, parsed, record.EndpointForm, row.Raw)
	answer.Result, answer.Reason, answer.Journey, answer.Message = reading.Reconcile(result.Outcome, result.Journey),
		result.Reason, result.Journey, result.Message
	answer.Words = wordsFor(result.Reason)
	return answer, err
}

// readSubmitted reads referral.submitted of an outside system.
func (s *Service) readSubmitted(who principal.Principal, e *event.Event, tidied []byte, parsed reading.Reading,
	refuse func(*httpx.Problem, string) (reading.Reading, *httpx.Problem)) (reading.Reading, *httpx.Problem) {
	data, faults := schemas.ReadReferralSubmitted(tidied)
	if len(faults) > 0 {
		return refuse(httpx.NewProblem(http.StatusUnprocessableEntity, "The event's data is not as its schema says: "+
			"see errors.").With("errors", faults), ReasonSchema)
	}
	if who.Source != "" && who.Organisation != data.Organisation {
		return refuse(httpx.NewProblem(http.StatusForbidden, "This sender may not speak for that organisation."),
			ReasonSource)
	}
	if data.Route == "self" {
		data.Person.NHSNumberVerified, data.Person.LocalID, data.Visit = false, "", ""
	}
	parsed.Organisation = data.Organisation
	statement := s.submittedBy(e.Source(), reading.StatedAt(s.clock.Now(), record.Moment{At: e.Time().UTC()}), data)
	statement.By = recordedBy(who)
	parsed.ClinicalEvent = &statement
	return parsed, nil
}
