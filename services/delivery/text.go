package delivery

import (
	"context"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Texts to a person: the reminder they asked for, and that something has changed. The words are fixed, name nobody and
// have no link; whoever reads over a shoulder learns that somebody has a diary. A text stands beside the step by which
// a human tells the person, and never in its place: where none is sent, nothing else is missing.

// Text is one that goes out. To is never kept, and no log or error may hold it.
type Text struct{ ID, To, Words string }

// Texter sends texts. It may be given the same one twice, with the same id, where it is not known whether it went.
type Texter interface {
	Text(ctx context.Context, t Text) error
}

// TextNumber asks intake, under its grant, for the number that a text may go to at this moment.
type TextNumber func(ctx context.Context, asked schemas.TextAsked) (schemas.TextTo, error)

// What became of a text.
const (
	textWaiting  = "waiting"
	textSent     = "sent"
	textWithheld = "withheld" // it may not go, or is not true any more
	textOver     = "over"     // its time has passed before it could go
)

const (
	textAhead   = 24 * time.Hour   // a reminder goes a day ahead,
	textClosest = 2 * time.Hour    // and not when it would come with hardly any time left
	changedFor  = 48 * time.Hour   // that something has changed is not sent later than that
	textAgain   = 5 * time.Minute  // after one that was not taken
	textTimeout = 10 * time.Second // for a text, the number included
	textsAtOnce = 1                // one that is not taken holds no other back, nor another's journey locked
	keepTexts   = 30 * 24 * time.Hour
)

// textRow is a text that is to go out.
type textRow struct {
	About, Kind, ID, Journey, Offer, Partner string
	Starts, Due, Last                        time.Time
}

// textsFor are the texts that follow from what was told of a journey's offers: none where texts are off.
func (s *Service) textsFor(r *record, told []Telling, now time.Time) (rows []textRow) {
	if s.texter == nil {
		return nil
	}
	for _, t := range told {
		row := textRow{About: t.Data.Appointment, ID: clock.NewOrderedID(now, len(rows)), Journey: r.Journey,
			Offer: t.Offer, Partner: t.Partner}
		switch {
		case t.Type == schemas.AppointmentBooked && t.Data.StartsAt != nil:
			row.Kind, row.Starts = schemas.TextSession, *t.Data.StartsAt
			row.Due, row.Last = row.Starts.Add(-textAhead), row.Starts.Add(-textClosest)
		case t.Type == schemas.AppointmentCancelled:
			row.Kind, row.Starts, row.Due, row.Last = schemas.TextChanged, now, now, now.Add(changedFor)
		default:
			continue
		}
		if row.Last.After(now) {
			rows = append(rows, row)
		}
	}
	return rows
}

// stillTrue says whether what a text says holds as far as is known here. Whether it may go is intake's to say.
func (k *JourneyState) stillTrue(t textRow) bool {
	if t.Kind == schemas.TextCall {
		return !k.stopped("")
	}
	o := k.Offers[t.Offer]
	if o == nil || k.stopped(t.Partner) {
		return false
	}
	if t.Kind == schemas.TextSession {
		return o.sessionStands(t.About) && !o.over() && o.open()
	}
	for key, line := range o.Lines { // it was moved, with the person: they know
		if id, ok := strings.CutPrefix(key, string(schemas.AppointmentBooked)+" "); ok &&
			line.At >= o.Lines[string(schemas.AppointmentCancelled)+" "+t.About].At && o.sessionStands(id) {
			return false
		}
	}
	return true
}

// sessionStands says whether a session was booked and nothing has ended it.
func (o *Offer) sessionStands(id string) bool {
	booked, ok := o.Lines[string(schemas.AppointmentBooked)+" "+id]
	return ok && !slices.ContainsFunc([]schemas.Type{schemas.AppointmentKept, schemas.AppointmentNotKept,
		schemas.AppointmentCancelled}, func(t schemas.Type) bool {
		line, ended := o.Lines[string(t)+" "+id]
		return ended && line.At >= booked.At
	})
}

// sendTexts sends what is due. The rows and their journeys stay locked meanwhile, so that two replicas never send one
// at the same time, and what is withdrawn here waits until the text has gone or is not sent. Each is asked for once
// more where it is kept whether it may go: the number is used, and forgotten.
func (s *Service) sendTexts(ctx context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	if s.texter == nil {
		return s.endTexts(tx, limit)
	}
	var due []textRow
	dueTexts(tx, tx.Now, limit, tx.Postponed(), func(t textRow) {
		tx.Attempt(t.ID)
		due = append(due, t)
	})
	if err := tx.Flush(); err != nil || len(due) == 0 {
		return 0, err
	}
	var journeys []string
	for _, t := range due {
		journeys = append(journeys, t.Journey)
	}
	records := map[string]*record{}
	store.Lock(tx, records, nil, `where s.journey = any($1::uuid[]) order by s.journey for update of s`, journeys)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	for _, t := range due {
		s.sendText(ctx, tx, t, records[t.Journey])
	}
	return len(due), tx.Flush()
}

// endTexts ends what waits where texts have been turned off: nobody is surprised by old ones when they are on again.
func (s *Service) endTexts(tx *flow.Tx, limit int) (taken int, err error) {
	dueTexts(tx, tx.Now, limit, nil, func(t textRow) { endText(tx, t.ID, textOver, tx.Now); taken++ })
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	return taken, tx.Flush()
}

// sendText sends one, or says why not or when.
func (s *Service) sendText(ctx context.Context, tx *flow.Tx, t textRow, r *record) {
	if !t.Last.After(tx.Now) {
		endText(tx, t.ID, textOver, tx.Now)
		return
	}
	if r != nil && !r.State.stillTrue(t) || r == nil && t.Kind != schemas.TextCall {
		endText(tx, t.ID, textWithheld, tx.Now)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, textTimeout)
	defer cancel()
	to, err := s.textNumber(ctx, schemas.TextAsked{Journey: t.Journey, Partner: t.Partner, About: t.Kind})
	switch {
	case err != nil:
	case to.NotBefore != nil:
		putOffText(tx, t.ID, *to.NotBefore, nil)
		return
	case to.Number == "":
		endText(tx, t.ID, textWithheld, tx.Now)
		return
	default:
		err = s.texter.Text(ctx, Text{ID: t.ID, To: to.Number, Words: t.words(tx.Now, s.zone)})
	}
	if err == nil {
		endText(tx, t.ID, textSent, tx.Now)
		return
	}
	putOffText(tx, t.ID, tx.Now.Add(textAgain), &tx.Now)
	s.log.Warn("a text was not taken; it is tried again, and the step that tells the person stands",
		schemas.AttrMessagingMessageID, t.ID,
		schemas.AttrRunbook, "texts.md") // the error may hold the number
}

// words are the fixed words of a text.
func (t textRow) words(now time.Time, zone *time.Location) string {
	if t.Kind == schemas.TextChanged {
		return "Something has changed. Please ring the number that you were given."
	}
	day := "soon"
	switch calendar.DayOf(t.Starts, zone) - calendar.DayOf(now, zone) {
	case 0:
		day = "today"
	case 1:
		day = "tomorrow"
	}
	return "The reminder that you asked for: there is something in your diary for " + day +
		". To change it, please ring the number that you were given."
}

// forgetTexts forgets the notes of texts that ended a month ago.
func (s *Service) forgetTexts(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	forgetTexts(tx, tx.Now.Add(-keepTexts), limit, func() { taken++ })
	return taken, tx.Flush()
}
