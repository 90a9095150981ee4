package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/mail"
	"footbridge/libs/notify"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// mailSite is a site that mails to a sink, with a partner that wants to be mailed.
type mailSite struct {
	*site
	sink    *mail.Sink
	partner string
	alerts  *mail.Sink
}

const (
	deskAddress   = "desk@charity.example"
	returnsBase   = "return@trust.example"
	navigatorDesk = "navigators@trust.example"
)

func newMailSite(t *testing.T) *mailSite {
	t.Helper()
	m := &mailSite{sink: newSink(t), alerts: newSink(t), partner: clock.NewRandomID()}
	tell, err := notify.New(notify.Config{Mail: mail.Config{URL: m.alerts.URL, From: "footbridge@trust.example"}})
	if err != nil {
		t.Fatal(err)
	}
	m.site = newSite(t, Config{Mail: senderTo(t, m.sink), URL: "https://footbridge.example", ReturnTo: returnsBase,
		Notify: tell, Told: []Told{{notify.Email, navigatorDesk}}})
	return m
}

func newSink(t *testing.T) *mail.Sink {
	t.Helper()
	sink, err := mail.NewSink(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	return sink
}

func senderTo(t *testing.T, sink *mail.Sink) *mail.Sender {
	t.Helper()
	sender, err := mail.New(mail.Config{URL: sink.URL, From: "footbridge@trust.example", Patience: testkit.Patience})
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

// wants sets how the partner is told.
func (m *mailSite) wants(body string) {
	m.t.Helper()
	if status := m.ask(m.partner, "PUT", "/api/partners/"+m.partner+"/notice", body, nil); status != http.StatusOK {
		m.t.Fatalf("setting how a partner is told answered %d", status)
	}
}

func (m *mailSite) byMail() { m.t.Helper(); m.wants(`{"by":"email","to":"` + deskAddress + `"}`) }

// post sends what is to be sent until the test ends.
func (m *mailSite) post() (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(m.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = m.RunMail(ctx, nil) })
	ended := m.work()
	var once sync.Once
	stop = func() { once.Do(func() { ended(); cancel(); running.Wait() }) }
	m.t.Cleanup(stop)
	return stop
}

// posted are the mails that the sink took, as they are read.
func (m *mailSite) posted() (all []mailSeen) {
	for _, kept := range m.sink.Mails() {
		seen := readMail(kept.Text)
		seen.To = kept.To
		all = append(all, seen)
	}
	return all
}

// count gives a number from the database.
func (m *mailSite) count(query string, args ...any) (n int) {
	m.t.Helper()
	if err := m.pool.QueryRow(m.t.Context(), query, args...).Scan(&n); err != nil {
		m.t.Fatal(err)
	}
	return n
}

// comes waits until so many mails are in a state.
func (m *mailSite) comes(state string, many int) {
	m.t.Helper()
	testkit.Eventually(m.t, fmt.Sprintf("%d mails are %s", many, state), func() bool {
		return m.count(`select count(*) from mail where state = $1`, state) == many
	})
}

// said waits until so much has been emitted of a type.
func (m *mailSite) hasSaid(journey string, typ schemas.Type, many int) {
	m.t.Helper()
	testkit.Eventually(m.t, fmt.Sprintf("%s is said %d times", typ, many), func() bool {
		return m.said(journey, typ) == many
	})
}

// TestAMailSaysThatSomethingWaitsAndNothingElse: once, by when, with a link that opens the offer; no id, no name, no
// area; and the offer is handed over, of which nobody need know.
func TestAMailSaysThatSomethingWaitsAndNothingElse(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.post()
	journey, offer := m.offers(m.partner)
	m.comes(mailSent, 1)
	m.hasSaid(journey, schemas.DeliveryMade, 1)
	all := m.posted()
	if len(all) != 1 || all[0].To != deskAddress || all[0].Subject != "Something waits for you" {
		t.Fatalf("posted is %+v", all)
	}
	_, link, found := strings.Cut(all[0].Text, "https://footbridge.example/p/")
	token, _, _ := strings.Cut(link, "\r\n")
	if !found || len(token) != 26 || m.count(`select count(*) from link where token = $1 and offer = $2`,
		hashToken(token), offer) != 1 {
		t.Errorf("the link is %q", link)
	}
	raw := string(m.sink.Mails()[0].Text)
	for _, never := range []string{offer, journey, m.partner, "2026-11-09", "offer", "harm", "hospital"} {
		if strings.Contains(raw, never) {
			t.Errorf("it holds %q: %s", never, raw)
		}
	}
	if m.said(journey, schemas.DeliveryFailed) != 0 {
		t.Error("it is said not to have come")
	}
}

func TestAMailSaysByWhen(t *testing.T) {
	t.Parallel()
	london := time.FixedZone("BST", 3600)
	for kind, want := range map[string]string{mailAsks: "Please look by Thursday 2 July 2026, 17:00.",
		mailDigest: "Please look by Thursday 2 July 2026, 17:00.", mailChanged: "Please look."} {
		_, text := mailText(kind, time.Date(2026, 7, 2, 17, 0, 0, 0, london), "https://x.example/p/abc")
		if !strings.Contains(text, want) || !strings.Contains(text, "\r\nhttps://x.example/p/abc\r\n") {
			t.Errorf("%s: %s", kind, text)
		}
	}
}

// TestACrashAfterTheServerTookAMailRepeatsItAndNothingElse: same Message-ID, one row, one event.
func TestACrashAfterTheServerTookAMailRepeatsItAndNothingElse(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	journey, _ := m.offers(m.partner)
	m.due("mails-made")
	life, end := context.WithCancel(t.Context())
	defer end()
	lost := &mailer{sender: m.mail, returnTo: m.returnTo, done: make(chan posted, mailSlots), life: life}
	m.mailing.Store(lost)
	m.due("mails")
	if p := <-lost.done; p.Err != nil {
		t.Fatal(p.Err)
	} // and here the process dies
	if m.said(journey, schemas.DeliveryMade) != 0 {
		t.Error("it is said to be made before it was written down")
	}
	m.clock.Set(mailLease + time.Second)
	m.post()
	m.comes(mailSent, 1)
	m.hasSaid(journey, schemas.DeliveryMade, 1)
	all := m.posted()
	if len(all) != 2 || all[0].ID != all[1].ID || !clock.IsID(all[0].ID) || m.count(`select count(*) from mail`) != 1 {
		t.Errorf("posted is %+v", all)
	}
}

// TestWhatTheServerTookIsSentOnceThoughTheLineBreaks after its answer.
func TestWhatTheServerTookIsSentOnceThoughTheLineBreaks(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.sink.HangUp(true)
	m.post()
	m.offers(m.partner)
	m.comes(mailSent, 1)
	if all := m.posted(); len(all) != 1 || m.count(`select tries from mail`) != 1 {
		t.Errorf("posted is %+v", all)
	}
}

// TestWhatWasTakenBackBeforeItWasSentIsNotSent: a no, a stop, a hold, a withdrawal; and nobody is told of a change of
// what they never knew.
func TestWhatWasTakenBackBeforeItWasSentIsNotSent(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(m *mailSite, journey, offer string){
		"a no": func(m *mailSite, journey, _ string) {
			m.hears(journey, schemas.ConsentWithdrawn, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
				Organisation: m.partner})
		},
		"a stop": func(m *mailSite, journey, _ string) {
			m.hears(journey, schemas.ContactStopped, schemas.ContactStoppedData{})
		},
		"a hold": func(m *mailSite, journey, _ string) {
			m.hears(journey, schemas.JourneyHeld, schemas.JourneyHeldData{})
		},
		"a withdrawal": func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
		},
		"their answer by another way": func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: m.partner})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailSite(t)
			m.byMail()
			journey, offer := m.offers(m.partner)
			m.due("mails-made")
			take(m, journey, offer)
			m.due("mails-made")
			m.post()
			testkit.Eventually(t, "nothing waits", func() bool {
				return m.count(`select count(*) from mail where state = 'waiting'`) == 0
			})
			all := slices.DeleteFunc(m.posted(), func(one mailSeen) bool { // that their answer has come is told
				return one.Subject == "Your answer has come"
			})
			if len(all) != 0 || m.count(`select count(*) from mail where state = 'withheld'`) == 0 {
				t.Errorf("posted is %+v", all)
			}
		})
	}
}

// TestWhoWasMailedIsToldThatNobodyWaitsAnyMore once the offer is taken back.
func TestWhoWasMailedIsToldThatNobodyWaitsAnyMore(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.post()
	journey, offer := m.offers(m.partner)
	m.comes(mailSent, 1)
	m.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
	m.comes(mailSent, 2)
	if all := m.posted(); all[1].Subject != "Something has changed" || all[0].ID == all[1].ID {
		t.Errorf("posted is %+v", all)
	}
	m.clock.Set(72 * time.Hour)
	m.due("untold")
	if m.said(journey, schemas.DeliveryFailed) != 0 {
		t.Error("a navigator is to ring about an offer that is over")
	}
}

// TestAnAddressThatTakesNoMailIsRungAtOnce: it is not tried again, it is shown, the navigator hears of it by another
// channel, with no id in it; and what it did not take goes to the new address, under the same id.
func TestAnAddressThatTakesNoMailIsRungAtOnce(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.sink.Answer(func(r mail.Received) error {
		if r.To == deskAddress {
			return mail.Refuse(550, [3]int{5, 1, 1}, "No such user")
		}
		return nil
	})
	m.post()
	journey, offer := m.offers(m.partner)
	m.comes(mailRefused, 1)
	m.hasSaid(journey, schemas.DeliveryFailed, 1)
	var shown noticeShown
	m.ask(m.partner, "GET", "/api/partners/"+m.partner+"/notice", "", &shown)
	if shown.Trouble != troubleRefused || len(shown.Mails) != 1 || shown.Mails[0].State != mailRefused {
		t.Errorf("shown is %+v", shown)
	}
	testkit.Eventually(t, "the navigators are told", func() bool { return len(m.alerts.Mails()) == 1 })
	alert := readMail(m.alerts.Mails()[0].Text)
	if m.alerts.Mails()[0].To != navigatorDesk || strings.Contains(alert.Text, offer) ||
		strings.Contains(alert.Text, journey) || !strings.Contains(alert.Text, "https://footbridge.example/steps") {
		t.Errorf("they are told %+v", alert)
	}
	m.wants(`{"by":"email","to":"office@charity.example"}`)
	m.comes(mailSent, 1)
	if all := m.posted(); len(all) != 1 || all[0].To != "office@charity.example" || all[0].ID != shown.Mails[0].ID {
		t.Errorf("posted is %+v", all)
	}
}

// TestWhatIsRefusedForNowIsTriedAgain by the published ladder, and what is refused because of us has mail rest as a
// whole: nobody's address is marked.
func TestWhatIsRefusedForNowIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{"for now": mail.Refuse(451, [3]int{4, 3, 2}, "Come again"),
		"because of us": mail.Refuse(421, [3]int{4, 3, 2}, "Closing")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailSite(t)
			m.byMail()
			m.sink.Answer(func(mail.Received) error { return answer })
			m.post()
			journey, _ := m.offers(m.partner)
			testkit.Eventually(t, "it was tried", func() bool {
				return m.count(`select count(*) from mail where tries = 1 and leased is null and code > 0`) == 1
			})
			if resting := m.count(`select count(*) from mail_channel where failures > 0`) == 1; resting !=
				(name == "because of us") {
				t.Errorf("mail rests: %v", resting)
			}
			m.sink.Answer(nil)
			m.clock.Set(10 * time.Minute)
			m.comes(mailSent, 1)
			m.hasSaid(journey, schemas.DeliveryMade, 1)
			if m.count(`select count(*) from notice where trouble <> ''`) != 0 ||
				m.count(`select count(*) from mail_channel where failures > 0`) != 0 {
				t.Error("something stays marked")
			}
		})
	}
}

func TestAnAttemptIsFollowedByWhatTheLadderSays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for number := 1; number < 12; number++ {
		r := mailResultOf(number, now, "charity.example", failing(t, mail.Refuse(451, [3]int{4, 3, 2}, "Come again")),
			now)
		if r.State != stateWaiting || r.Due.Sub(now) != ladder[min(number, len(ladder)-1)] || r.Rests {
			t.Errorf("after attempt %d: %+v", number, r)
		}
	}
	late := mailResultOf(9, now.Add(-70*time.Hour), "charity.example",
		failing(t, mail.Refuse(451, [3]int{4, 3, 2}, "Come again")), now)
	if late.State != stateGivenUp {
		t.Errorf("after three days: %+v", late)
	}
	if r := mailResultOf(1, now, "charity.example", errors.New("no line"), now); !r.Rests || r.Trouble != "" ||
		r.State != stateWaiting {
		t.Errorf("without a line: %+v", r)
	}
}

// failing is what sending returns where a server answers so.
func failing(t *testing.T, answer error) error {
	t.Helper()
	sink := newSink(t)
	sink.Answer(func(mail.Received) error { return answer })
	return senderTo(t, sink).Send(t.Context(), mail.Message{ID: "1", To: deskAddress, Subject: "x", Text: "x"})
}

// TestNobodyKnowsOfAMailedOfferUntilAHumanActed: after the set time, on a working day, a navigator rings, once; not
// where somebody answered, asked or was found to know, and a page that was fetched is none of that.
func TestNobodyKnowsOfAMailedOfferUntilAHumanActed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		acts  func(m *mailSite, journey, offer string)
		rings int
	}{
		"nobody": {func(*mailSite, string, string) {}, 1},
		"a reminder went as well": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferNudged, schemas.OfferNudgedData{Offer: offer, Partner: m.partner,
				About: schemas.NudgeAnswer})
			m.comes(mailSent, 2)
		}, 1},
		"a yes": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: m.partner})
		}, 0},
		"a no": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: offer, Reason: "22"})
		}, 0},
		"a question": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferQuestioned, schemas.OfferQuestionedData{Offer: offer, Question: "q"})
		}, 0},
		"found to know": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferAcknowledged, schemas.OfferAcknowledgedData{Offer: offer})
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailSite(t)
			m.byMail()
			m.post()
			journey, offer := m.offers(m.partner)
			m.comes(mailSent, 1)
			c.acts(m, journey, offer)
			m.due("untold")
			if n := m.said(journey, schemas.DeliveryFailed); n != 0 {
				t.Errorf("it rings %d times at once", n)
			}
			m.clock.Set(6 * 24 * time.Hour)
			m.due("untold")
			m.due("untold")
			if n := m.said(journey, schemas.DeliveryFailed); n != c.rings {
				t.Errorf("it rings %d times, and not %d", n, c.rings)
			}
		})
	}
}

func TestANavigatorRingsOnAWorkingDay(t *testing.T) {
	t.Parallel()
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	at := func(day string, hour int) time.Time {
		d, err := time.ParseInLocation(time.DateOnly, day, s.zone)
		if err != nil {
			t.Fatal(err)
		}
		return d.Add(time.Duration(hour) * time.Hour)
	}
	for mailed, rings := range map[time.Time]time.Time{at("2026-12-01", 15): at("2026-12-02", 15),
		at("2026-12-04", 15): at("2026-12-07", ringHour), at("2026-12-24", 12): at("2026-12-29", ringHour)} {
		if got := ringAt(mailed, usualRing, s.zone); !got.Equal(rings) {
			t.Errorf("mailed %s it rings %s, and not %s", mailed, got, rings)
		}
	}
}

// TestWhatComesBackIsSeen over SMTP, at the address of that one mail: it is said not to have come, once, however often
// it comes back; and what is for no mail of ours is refused.
func TestWhatComesBackIsSeen(t *testing.T) {
	t.Parallel()
	bounce := func(status string) string {
		return "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n" +
			"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\nAction: failed\r\nStatus: " +
			status + "\r\n\r\n--b--\r\n"
	}
	for name, c := range map[string]struct {
		text, trouble string
		fails         int
	}{
		"no such mailbox": {bounce("5.1.1"), troubleReturned, 1},
		"out of office":   {"Auto-Submitted: auto-replied\r\nSubject: Away\r\n\r\nI am away.\r\n", troubleAway, 1},
		"because of us":   {bounce("5.7.26"), "", 1},
		"delayed":         {strings.Replace(bounce("4.4.1"), "failed", "delayed", 1), "", 0},
		"a human's words": {"Subject: Re\r\n\r\nThank you\r\n", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailSite(t)
			m.byMail()
			m.post()
			journey, _ := m.offers(m.partner)
			m.comes(mailSent, 1)
			back := m.returns(t)
			to := m.sink.Mails()[0].From
			if !strings.HasPrefix(to, "return+") || !strings.HasSuffix(to, "@trust.example") {
				t.Fatalf("it comes back to %s", to)
			}
			for range 2 {
				if err := back(to, c.text); err != nil {
					t.Fatal(err)
				}
			}
			if n := m.said(journey, schemas.DeliveryFailed); n != c.fails {
				t.Errorf("it fails %d times, and not %d", n, c.fails)
			}
			var shown noticeShown
			m.ask(m.partner, "GET", "/api/partners/"+m.partner+"/notice", "", &shown)
			if shown.Trouble != c.trouble {
				t.Errorf("the address is noted with %q, and not %q", shown.Trouble, c.trouble)
			}
			for _, other := range []string{"return@trust.example", "return+12@trust.example", deskAddress} {
				if back(other, c.text) == nil {
					t.Errorf("mail for %s is taken", other)
				}
			}
		})
	}
}

// returns listens for what comes back, and gives how to bring it.
func (m *mailSite) returns(t *testing.T) func(to, text string) error {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = m.takeReturns(ctx, ln) }()
	t.Cleanup(func() { cancel(); <-ended })
	return func(to, text string) error { return bring(ln.Addr().String(), to, text) }
}

// TestADigestIsOneMailADay for all that waits: at the hour, with no count and one link, and its offers are waited for
// from then on; what is not asked any more is not in it.
func TestADigestIsOneMailADay(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.wants(`{"by":"email","to":"` + deskAddress + `","digest":true}`)
	m.post()
	first, told := m.offers(m.partner)
	second, offer := m.offers(m.partner)
	testkit.Eventually(t, "it is made", func() bool { return m.count(`select count(*) from mail`) == 1 })
	m.hears(second, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
	var due time.Time
	if err := m.pool.QueryRow(t.Context(), `select due_at from mail`).Scan(&due); err != nil {
		t.Fatal(err)
	}
	if local := due.In(m.zone); local.Hour() != digestHour || due.Sub(m.clock.Now()) > 25*time.Hour {
		t.Errorf("it goes at %s", local)
	}
	if n := m.count(`select count(*) from offer where tell_by >= $1`, due); n != 1 {
		t.Errorf("%d offers are waited for until after it", n)
	}
	m.clock.Set(time.Until(due) + time.Second)
	m.comes(mailSent, 1)
	m.hasSaid(first, schemas.DeliveryMade, 1)
	if all := m.posted(); len(all) != 1 || !strings.Contains(all[0].Text, "https://footbridge.example/\r\n") ||
		m.said(second, schemas.DeliveryMade) != 0 {
		t.Errorf("posted is %+v", all)
	}
	if m.said(first, schemas.DeliveryFailed) != 0 {
		t.Error("it is said not to have come")
	}
	m.hears(first, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: told, Reason: "person"})
	m.comes(mailSent, 2) // whoever was told by a digest hears that it is over; of the other they never knew
	if all := m.posted(); all[1].Subject != "Something has changed" {
		t.Errorf("posted is %+v", all)
	}
}

// TestWhatIsTakenBackWhileItsMailIsOnItsWay is said to be over, and nobody rings about it.
func TestWhatIsTakenBackWhileItsMailIsOnItsWay(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	var journey, offer string
	ready, once := make(chan struct{}), sync.Once{}
	m.sink.Answer(func(r mail.Received) error {
		if r.Text != nil {
			once.Do(func() {
				<-ready
				m.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
				testkit.Eventually(t, "its mail is looked at before this one has been taken", func() bool {
					return m.count(`select count(*) from mail where kind = 'changed' and tries > 0`) > 0
				})
			})
		}
		return nil
	})
	m.post()
	journey, offer = m.offers(m.partner)
	close(ready)
	m.comes(mailSent, 2)
	if n := m.count(`select count(*) from offer where tell_by is not null`); n != 0 {
		t.Errorf("%d offers that are over are waited for", n)
	}
}

// TestOneWhoBeginsWithMailIsMailedWhatHasNotCome and nothing of before.
func TestOneWhoBeginsWithMailIsMailedWhatHasNotCome(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	journey, offer := m.offers(m.partner)
	m.hears(journey, schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: offer, Reason: "22"})
	m.offers(m.partner)
	m.byMail()
	m.post()
	m.comes(mailSent, 1)
	if n := m.count(`select count(*) from mail`); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// TestAReminderThatCameBackAfterAnAnswerRingsNobody: nothing is asked any more.
func TestAReminderThatCameBackAfterAnAnswerRingsNobody(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.post()
	journey, offer := m.offers(m.partner)
	m.comes(mailSent, 1)
	m.hears(journey, schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: offer, Reason: "22"})
	back := m.returns(t)
	if err := back(m.sink.Mails()[0].From, "Auto-Submitted: auto-replied\r\n\r\nAway.\r\n"); err != nil {
		t.Fatal(err)
	}
	if n := m.said(journey, schemas.DeliveryFailed); n != 0 {
		t.Errorf("a navigator rings %d times", n)
	}
}

// TestHowAPartnerIsToldIsItsOwn: another partner neither sees nor changes it; what cannot be an address is refused.
func TestHowAPartnerIsToldIsItsOwn(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	other, path := clock.NewRandomID(), "/api/partners/"+m.partner+"/notice"
	for _, method := range []string{"GET", "PUT"} {
		body := ""
		if method == "PUT" {
			body = `{"by":"email","to":"us@other.example"}`
		}
		if status := m.ask(other, method, path, body, nil); status != http.StatusNotFound {
			t.Errorf("%s answered another partner %d", method, status)
		}
	}
	for _, body := range []string{`{"by":"pigeon"}`, `{"by":"email","to":"not one"}`, `{"by":"email"}`,
		`{"by":"none","to":"a@b.example"}`, `{"by":"telephone","to":"01632 960000","digest":true}`,
		`{"by":"email","to":"a@b.example\r\nBcc: c@d.example"}`, `{"by":"telephone","to":""}`} {
		if status := m.ask(m.partner, "PUT", path, body, nil); status != http.StatusUnprocessableEntity {
			t.Errorf("%s answered %d", body, status)
		}
	}
	var shown noticeShown
	m.ask(m.partner, "GET", path, "", &shown)
	if shown.To != deskAddress || len(shown.Actions) != 1 || shown.Actions[0].Path != path ||
		!slices.Equal(shown.Actions[0].Fields[1].Now, []string{deskAddress}) {
		t.Errorf("shown is %+v", shown)
	}
}

// TestTheMailboxOfDevelopmentShowsEachPartnerItsOwn, and is nowhere else.
func TestTheMailboxOfDevelopmentShowsEachPartnerItsOwn(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	if status := m.ask(m.partner, "GET", "/api/outbox-mail", "", nil); status != http.StatusNotFound {
		t.Errorf("without a mailbox it answered %d", status)
	}
	m.Service.sink = m.sink
	m.byMail()
	m.post()
	m.offers(m.partner)
	m.comes(mailSent, 1)
	var seen struct{ Items []mailSeen }
	m.ask(m.partner, "GET", "/api/outbox-mail", "", &seen)
	if len(seen.Items) != 1 || seen.Items[0].To != deskAddress || !strings.Contains(seen.Items[0].Text, "/p/") {
		t.Errorf("seen is %+v", seen)
	}
	m.ask(clock.NewRandomID(), "GET", "/api/outbox-mail", "", &seen)
	if len(seen.Items) != 0 {
		t.Errorf("another partner sees %+v", seen)
	}
}

// TestNavigatorsAreToldAgainUntilItIsTaken, by the next channel where one does not take it.
func TestNavigatorsAreToldAgainUntilItIsTaken(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.told = append([]Told{{notify.Webhook, "https://nowhere.invalid"}}, m.told...)
	m.alerts.Answer(func(mail.Received) error { return mail.Refuse(451, [3]int{4, 3, 0}, "Come again") })
	journey, _ := m.offers(m.partner)
	m.clock.Set(m.tellWithin + time.Minute)
	m.due("untold")
	m.due("alerts")
	m.due("alerts")
	if m.said(journey, schemas.DeliveryFailed) != 1 || m.count(`select tries from alert`) != 1 {
		t.Errorf("it was tried %d times", m.count(`select tries from alert`))
	}
	m.alerts.Answer(nil)
	m.clock.Set(m.tellWithin + 3*time.Minute)
	m.due("alerts")
	m.due("alerts")
	if n := len(m.alerts.Mails()); n != 1 || m.count(`select count(*) from alert where told_at is not null`) != 1 {
		t.Errorf("they were told %d times", n)
	}
}
