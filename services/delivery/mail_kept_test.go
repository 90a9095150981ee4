package delivery

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/mail"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// TestMailsOfAPartnerThatLeftEmailEnd: none waits for ever, what they were to say is told another way, and whoever
// comes back is mailed what is still asked, under the same id.
func TestMailsOfAPartnerThatLeftEmailEnd(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.sink.Answer(func(mail.Received) error { return mail.Refuse(451, [3]int{4, 3, 2}, "Come again") })
	stop := m.post()
	journey, offer := m.offers(m.partner)
	m.hears(journey, schemas.OfferAcknowledged, schemas.OfferAcknowledgedData{Offer: offer})
	m.hears(journey, schemas.OfferQuestionAnswered, schemas.OfferQuestionAnsweredData{Offer: offer,
		Question: clock.NewRandomID()})
	testkit.Eventually(t, "both have been looked at", func() bool {
		return m.count(`select count(*) from mail where tries > 0 and leased is null and state <> 'waiting'
			or state = 'waiting' and code = 451`) == 2
	})
	stop()
	m.wants(`{"by":"telephone","to":"01632 960000"}`)
	m.due("mails-left")
	if n := m.count(`select count(*) from mail where state = 'waiting'`); n != 0 {
		t.Errorf("%d mails wait for a partner that is not mailed", n)
	}
	m.clock.Set(m.tellWithin + time.Minute)
	m.due("late")
	if n := m.said(journey, schemas.DeliveryFailed); n != 1 {
		t.Errorf("of what they were not told any more a navigator hears %d times", n)
	}
	m.sink.Answer(nil)
	m.post()
	m.byMail()
	m.comes(mailSent, 1)
	if all := m.posted(); len(all) != 1 || m.count(`select count(*) from mail`) != 2 {
		t.Errorf("posted is %+v", all)
	}
}

// TestALateBounceMarksTheAddressThatItIsOf: not the one that was written down since, to which other mails go.
func TestALateBounceMarksTheAddressThatItIsOf(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.post()
	first, _ := m.offers(m.partner)
	m.comes(mailSent, 1)
	m.wants(`{"by":"email","to":"new@charity.example"}`)
	back := m.returns(t)
	if err := back(m.sink.Mails()[0].From, undelivered("5.1.1")); err != nil {
		t.Fatal(err)
	}
	if m.said(first, schemas.DeliveryFailed) != 1 {
		t.Error("nobody rings about what came back from the former address")
	}
	if trouble := m.trouble(); trouble != "" {
		t.Errorf("the new address is marked %q", trouble)
	}
	m.offers(m.partner)
	m.comes(mailSent, 1)
	m.wants(`{"by":"email","to":"new@charity.example","digest":false}`) // the same one
	if err := back(m.sink.Mails()[1].From, undelivered("5.1.1")); err != nil {
		t.Fatal(err)
	}
	if trouble := m.trouble(); trouble != troubleReturned {
		t.Errorf("the address it came back from is marked %q", trouble)
	}
}

// TestABounceOfAFormerAddressLeavesWhatWentToTheNewOne as it is.
func TestABounceOfAFormerAddressLeavesWhatWentToTheNewOne(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	m.post()
	m.offers(m.partner)
	m.comes(mailSent, 1)
	back, former := m.returns(t), m.sink.Mails()[0].From
	if err := back(former, undelivered("5.1.1")); err != nil {
		t.Fatal(err)
	}
	m.wants(`{"by":"email","to":"new@charity.example"}`)
	m.comes(mailSent, 1) // again, under the same id
	for _, text := range []string{undelivered("5.1.1"), "Auto-Submitted: auto-replied\r\n\r\nAway.\r\n"} {
		if err := back(former, text); err != nil {
			t.Fatal(err)
		}
	}
	if trouble := m.trouble(); trouble != "" || m.count(`select count(*) from mail where state = 'sent'`) != 1 {
		t.Errorf("the new address is marked %q, and its mail is not sent any more", trouble)
	}
}

// undelivered is a report that a mail could not be delivered.
func undelivered(status string) string {
	return "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n" +
		"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\nAction: failed\r\nStatus: " +
		status + "\r\n\r\n--b--\r\n"
}

// trouble is what the partner's address is marked with.
func (m *mailSite) trouble() string {
	m.t.Helper()
	var shown noticeShown
	if status := m.ask(m.partner, "GET", "/api/partners/"+m.partner+"/notice", "", &shown); status != http.StatusOK {
		m.t.Fatalf("how a partner is told is answered with %d", status)
	}
	return shown.Trouble
}

// TestAMailLeadsToWhatOpens: of what is over, or has been taken on, the link of an offer opens nothing; there it leads
// to where somebody signs in, and says so where nothing is left to do.
func TestAMailLeadsToWhatOpens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		acts   func(m *mailSite, journey, offer string)
		mails  int
		byLink bool
		says   string
	}{
		"a withdrawal": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
		}, 2, false, "does not wait any more"},
		"a pause": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferPaused, schemas.OfferPausedData{Offer: offer})
		}, 2, true, "has changed"},
		"an answer": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: m.partner})
		}, 2, true, "taken back"},
		"a withdrawal of what was taken on": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: m.partner})
			m.comes(mailSent, 2)
			m.hears(journey, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer, Reason: "person"})
		}, 3, false, "has changed"},
		"a reminder of what was taken on": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: offer, Partner: m.partner})
			m.comes(mailSent, 2)
			m.hears(journey, schemas.OfferNudged, schemas.OfferNudgedData{Offer: offer, Partner: m.partner,
				About: schemas.NudgeBook})
		}, 3, false, "waits"},
		"a reminder to answer": {func(m *mailSite, journey, offer string) {
			m.hears(journey, schemas.OfferNudged, schemas.OfferNudgedData{Offer: offer, Partner: m.partner,
				About: schemas.NudgeAnswer})
		}, 2, true, "waits"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailSite(t)
			m.byMail()
			m.post()
			journey, offer := m.offers(m.partner)
			m.comes(mailSent, 1)
			c.acts(m, journey, offer)
			m.comes(mailSent, c.mails)
			last := m.posted()[c.mails-1]
			if byLink := strings.Contains(last.Text, "/p/"); byLink != c.byLink ||
				!strings.Contains(last.Text, c.says) {
				t.Errorf("the mail says %s", last.Text)
			}
		})
	}
}

// TestAPolicyOfOneAddressStopsNoOthersMail: a server that refuses for its own reasons is tried again for that mail
// alone; where two of different addresses do in a row, it is because of us, and mail rests.
func TestAPolicyOfOneAddressStopsNoOthersMail(t *testing.T) {
	t.Parallel()
	m := newMailSite(t)
	m.byMail()
	strict := mail.Refuse(550, [3]int{5, 7, 1}, "Rejected by the policy of this domain")
	m.sink.Answer(func(r mail.Received) error {
		if r.To == deskAddress {
			return strict
		}
		return nil
	})
	m.post()
	m.offers(m.partner)
	testkit.Eventually(t, "it was refused", func() bool {
		return m.count(
			`select count(*) from mail where outcome = 'policy' and leased is null and state = 'waiting'`) == 1
	})
	if m.count(`select count(*) from mail_channel where failures > 0 or rests > $1`, m.clock.Now()) != 0 {
		t.Error("mail rests because of one address")
	}
	other := clock.NewRandomID()
	if status := m.ask(other, "PUT", "/api/partners/"+other+"/notice", `{"by":"email","to":"us@other.example"}`,
		nil); status != http.StatusOK && status != http.StatusNotFound {
		t.Fatalf("another partner's notice answered %d", status)
	}
	m.offers(other)
	m.comes(mailSent, 1)
	if trouble := m.trouble(); trouble != "" {
		t.Errorf("the address is marked %q, as if it took no mail", trouble)
	}
	m.sink.Answer(func(mail.Received) error { return strict })
	m.clock.Set(10 * time.Second) // the first is tried again
	m.offers(other)
	testkit.Eventually(t, "mail rests once two refuse", func() bool {
		return m.count(`select count(*) from mail_channel where failures > 0`) == 1
	})
}

// TestAReturnIsReadOfTheAddressThatItWentTo also where the mail went before addresses were counted: to the first.
func TestAReturnIsReadOfTheAddressThatItWentTo(t *testing.T) {
	t.Parallel()
	id := clock.NewRandomID()
	short := strings.ReplaceAll(id, "-", "")
	for address, want := range map[string]int{returnAddress(returnsBase, id, 3): 3,
		"return+" + short + "@trust.example": 1, "RETURN+" + strings.ToUpper(short) + "-2@Trust.example": 2,
		"return+" + short + "-@trust.example": 0, "return+" + short + "-x@trust.example": 0,
		"return+" + short + "-1@other.example": 0, "return+" + short[1:] + "@trust.example": 0} {
		if got, addressed, ok := returnedTo(returnsBase, address); ok != (want > 0) || addressed != want ||
			ok && got != id {
			t.Errorf("%s is read as %q, %d, %t", address, got, addressed, ok)
		}
	}
}
