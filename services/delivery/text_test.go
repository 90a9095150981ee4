package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/mail"
	"footbridge/libs/operations"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// number is the person's; only whoever sends may see it.
const number = "07700 900765"

// texts is a site with texts on: intake's answers are to, and log is all that the service wrote.
type texts struct {
	*site
	sent *LogTexter
	log  *bytes.Buffer

	mu    sync.Mutex
	to    schemas.TextTo
	fails error
	asked []schemas.TextAsked
}

func newTexts(t *testing.T) *texts {
	t.Helper()
	x := &texts{log: &bytes.Buffer{}, to: schemas.TextTo{Number: number}}
	log := slog.New(slog.NewTextHandler(x.log, nil))
	x.sent = &LogTexter{Log: log, Clock: &clock.Shifted{}}
	x.site = newSite(t, Config{Log: log, Texter: x.sent, Texted: x.sent,
		TextNumber: func(_ context.Context, asked schemas.TextAsked) (schemas.TextTo, error) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.asked = append(x.asked, asked)
			return x.to, x.fails
		}})
	x.sent.Clock = x.clock
	return x
}

// books makes an offer that is accepted, with a session ahead from now.
func (x *texts) books(ahead time.Duration) (journey, offer, partner, session string) {
	x.t.Helper()
	partner, session = clock.NewRandomID(), clock.NewRandomID()
	journey, offer = x.offers(partner)
	x.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: partner})
	x.bookAnother(journey, offer, partner, session, ahead)
	return journey, offer, partner, session
}

func (x *texts) bookAnother(journey, offer, partner, session string, ahead time.Duration) {
	x.t.Helper()
	x.hears(journey, schemas.AppointmentBooked, schemas.AppointmentBookedData{Offer: offer, Appointment: session,
		Partner: partner, StartsAt: x.clock.Now().Add(ahead)})
}

func (x *texts) leap(by time.Duration) { x.clock.Set(x.clock.Offset() + by) }

func (x *texts) states() (states []string) {
	x.t.Helper()
	rows, err := x.pool.Query(x.t.Context(), `select kind || ' ' || state from text order by kind, state`)
	if err != nil {
		x.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			x.t.Fatal(err)
		}
		states = append(states, s)
	}
	return states
}

// wants says what became of the texts, after the loop has run.
func (x *texts) wants(sent int, states ...string) {
	x.t.Helper()
	x.due("texts")
	if got := x.states(); strings.Join(got, ", ") != strings.Join(states, ", ") || len(x.sent.texts()) != sent {
		x.t.Errorf("texts are %q and %d were sent, want %q and %d", got, len(x.sent.texts()), states, sent)
	}
}

// One text that is never taken holds no other back.
func TestATextThatIsNeverTakenHoldsNoOtherBack(t *testing.T) {
	t.Parallel()
	x := newTexts(t)
	bad, _, _, _ := x.books(24 * time.Hour)
	x.Service.textNumber = func(_ context.Context, asked schemas.TextAsked) (schemas.TextTo, error) {
		if asked.Journey == bad {
			return schemas.TextTo{}, errors.New("it cannot be said")
		}
		return schemas.TextTo{Number: number}, nil
	}
	x.books(24 * time.Hour)
	x.books(24 * time.Hour)
	x.due("texts")
	if states := x.states(); len(x.sent.texts()) != 2 || len(states) != 3 {
		t.Errorf("two of three could go, and they are %q", states)
	}
}

// TestATextThatIsNotTakenIsAFigure: it is counted from when it was first not taken, however often it is tried again,
// and no more once it has gone.
func TestATextThatIsNotTakenIsAFigure(t *testing.T) {
	t.Parallel()
	x := newTexts(t)
	x.books(24 * time.Hour)
	figure := func(name string) float64 {
		t.Helper()
		return figureOf(t, Figures(x.pool, nil), x.clock.Now(), name).Value
	}
	taken := x.Service.textNumber
	x.Service.textNumber = func(context.Context, schemas.TextAsked) (schemas.TextTo, error) {
		return schemas.TextTo{}, errors.New("it cannot be said")
	}
	if late := figure(operations.TextsLate); late > 1 {
		t.Errorf("before it is due it is late by %v", late)
	}
	for range 3 {
		x.due("texts")
		x.leap(textAgain + time.Second)
	}
	if late, wait := figure(operations.TextsLate), figure(operations.TextsWaiting); late < 900 || wait != 1 {
		t.Errorf("after a quarter of an hour in vain it is late by %v, and %v wait", late, wait)
	}
	x.Service.textNumber = taken
	x.wants(1, "session sent")
	if late, wait := figure(operations.TextsLate), figure(operations.TextsWaiting); late != 0 || wait != 0 {
		t.Errorf("once it has gone it is late by %v, and %v wait", late, wait)
	}
}

// figureOf is what a service reads of one figure.
func figureOf(t *testing.T, read operations.More, now time.Time, name string) operations.Reading {
	t.Helper()
	all, err := read(t.Context(), principal.Principal{}, now)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(r operations.Reading) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("%s is not read", name)
	}
	return all[i]
}

// A reminder goes a day ahead, once, however often the booking is heard.
func TestAReminderIsTextedADayAheadOnce(t *testing.T) {
	t.Parallel()
	x := newTexts(t)
	journey, offer, partner, session := x.books(72 * time.Hour)
	x.wants(0, "session waiting")
	x.leap(48*time.Hour + time.Minute)
	x.bookAnother(journey, offer, partner, session, 24*time.Hour)
	x.wants(1, "session sent")
	x.wants(1, "session sent")
	got := x.sent.texts()[0]
	if got.To != number || !strings.HasPrefix(got.Words, "The reminder that you asked for") {
		t.Errorf("sent %q to the number it was given: %v", got.Words, got.To == number)
	}
	want := schemas.TextAsked{Journey: journey, Partner: partner, About: schemas.TextSession}
	if len(x.asked) != 1 || x.asked[0] != want {
		t.Errorf("intake was asked %+v", x.asked)
	}
}

// What was taken back before a text goes is not sent, whichever service it reached first.
func TestWhatWasTakenBackIsNotTexted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(x *texts, journey, offer, partner, session string)
		want []string
	}{
		"consent withdrawn": {func(x *texts, journey, _, partner, _ string) {
			x.hears(journey, schemas.ConsentWithdrawn, schemas.ConsentData{Organisation: partner,
				Purposes: []string{schemas.PurposeFollowUp}})
		}, []string{"session withheld"}},
		"contact stopped": {func(x *texts, journey, _, _, _ string) {
			x.hears(journey, schemas.ContactStopped, schemas.ContactStoppedData{})
		}, []string{"session withheld"}},
		"held": {func(x *texts, journey, _, _, _ string) {
			x.hears(journey, schemas.JourneyHeld, schemas.JourneyHeldData{})
		}, []string{"session withheld"}},
		"kept already": {func(x *texts, journey, offer, _, session string) {
			x.hears(journey, schemas.AppointmentKept, schemas.AppointmentKeptData{Offer: offer, Appointment: session})
		}, []string{"session withheld"}},
		"known to intake alone": {func(x *texts, _, _, _, _ string) { x.to = schemas.TextTo{} },
			[]string{"session withheld"}},
		"cancelled, and all contact stopped": {func(x *texts, journey, offer, _, session string) {
			x.hears(journey, schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: offer,
				Appointment: session})
			x.hears(journey, schemas.ContactStopped, schemas.ContactStoppedData{})
		}, []string{"changed withheld", "session withheld"}},
		"moved, with the person": {func(x *texts, journey, offer, partner, session string) {
			x.hears(journey, schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: offer,
				Appointment: session})
			x.bookAnother(journey, offer, partner, clock.NewRandomID(), 96*time.Hour)
		}, []string{"changed withheld", "session waiting", "session withheld"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTexts(t)
			journey, offer, partner, session := x.books(25 * time.Hour)
			tc.do(x, journey, offer, partner, session)
			x.leap(2 * time.Hour)
			x.wants(0, tc.want...)
		})
	}
}

// That something has changed goes at once, in words that say nothing else; the reminder of it goes no more.
func TestThatSomethingHasChangedIsTexted(t *testing.T) {
	t.Parallel()
	x := newTexts(t)
	journey, offer, _, session := x.books(72 * time.Hour)
	x.hears(journey, schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: offer, Appointment: session})
	x.wants(1, "changed sent", "session waiting")
	if got := x.sent.texts()[0].Words; got != "Something has changed. Please ring the number that you were given." {
		t.Errorf("sent %q", got)
	}
	x.leap(49 * time.Hour)
	x.wants(1, "changed sent", "session withheld")
}

func TestTheWordsOfATextAreFixed(t *testing.T) {
	t.Parallel()
	const end = ". To change it, please ring the number that you were given."
	for now, day := range map[int]string{2: "soon", 3: "tomorrow", 4: "today"} {
		row := textRow{Kind: schemas.TextSession, Starts: time.Date(2026, 11, 4, 23, 30, 0, 0, time.UTC)}
		got := row.words(time.Date(2026, 11, now, 0, 10, 0, 0, time.UTC), time.UTC)
		if want := "The reminder that you asked for: there is something in your diary for " + day + end; got != want {
			t.Errorf("on the %d: %q", now, got)
		}
	}
}

// Outside the person's hours a text waits for them, and does not go when it would come too late.
func TestATextWaitsForThePersonsHoursAndIsNotSentLate(t *testing.T) {
	t.Parallel()
	x := newTexts(t)
	x.books(24 * time.Hour)
	later := x.clock.Now().Add(3 * time.Hour)
	x.to = schemas.TextTo{NotBefore: &later}
	x.wants(0, "session waiting")
	x.to = schemas.TextTo{Number: number}
	x.wants(0, "session waiting") // not asked again before
	x.leap(3*time.Hour + time.Minute)
	x.wants(1, "session sent")

	x.books(24 * time.Hour)
	x.to, x.fails = schemas.TextTo{}, errors.New("not reached")
	x.wants(1, "session sent", "session waiting")
	x.leap(23 * time.Hour)
	x.fails = nil
	x.wants(1, "session over", "session sent")
}

// Where texts are off none is written down; what waits when they are turned off does not go when they are on again.
func TestWithTextsOffNothingIsTexted(t *testing.T) {
	t.Parallel()
	x := newTexts(t)
	x.books(24 * time.Hour)
	x.texter = nil
	x.books(24 * time.Hour)
	x.wants(0, "session over")
}

// The number is in no log, no table and no event, and the mailbox of development shows its end to staff alone.
func TestTheNumberIsNowhere(t *testing.T) {
	t.Parallel()
	x := newTexts(t)
	journey, _, partner, _ := x.books(24 * time.Hour)
	x.wants(1, "session sent")
	_, offer, other, session := x.books(24 * time.Hour)
	x.to, x.fails = schemas.TextTo{Number: number}, errors.New("no line to "+number)
	x.wants(1, "session sent", "session waiting")
	x.hears(journey, schemas.AppointmentNotKept, schemas.AppointmentNotKeptData{Offer: offer, Appointment: session})
	logged := x.log.String()
	if !strings.Contains(logged, "a text would have gone out") || !strings.Contains(logged, "was not taken") {
		t.Errorf("the log says %s", logged)
	}
	var all []byte
	for _, table := range []string{"text", "journey_state", "partner_event", "outbox", "mail", "alert"} {
		var rows json.RawMessage
		if err := x.pool.QueryRow(t.Context(), `select coalesce(jsonb_agg(to_jsonb(t)), '[]') from `+table+` t`).
			Scan(&rows); err != nil {
			t.Fatal(err)
		}
		all = append(all, rows...)
	}
	for _, one := range x.fed(partner) {
		all = append(all, one...)
	}
	for _, digits := range []string{number, strings.ReplaceAll(number, " ", ""), "900765", "\\x" + "37363520"} {
		if strings.Contains(logged, digits) || bytes.Contains(all, []byte(digits)) {
			t.Errorf("%q stands in what is kept or logged", digits)
		}
	}
	x.seesMailbox(partner, other)
}

// seesMailbox looks at the mailbox of development.
func (x *texts) seesMailbox(partners ...string) {
	x.t.Helper()
	x.Service.sink = &mail.Sink{}
	var box struct{ Items []mailSeen }
	for _, partner := range partners {
		if status := x.ask(partner, "GET", "/api/outbox-mail", "", &box); status != http.StatusOK ||
			len(box.Items) > 0 {
			x.t.Errorf("a partner sees %d %+v", status, box.Items)
		}
	}
	if status := x.askWith("RXX", "GET", "/api/outbox-mail", "", &box, roleHeader,
		string(schemas.Navigator)); status != http.StatusOK || len(box.Items) != 1 ||
		strings.Contains(box.Items[0].To, "900") || box.Items[0].To != "a number that ends in 65" {
		x.t.Errorf("staff see %d %+v", status, box.Items)
	}
}
