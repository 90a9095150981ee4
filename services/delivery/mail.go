package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/mail"
	"footbridge/schemas"
)

// Mail: for each event of its log that a partner is to be told of by e-mail there is one row, with one Message-ID; it
// says that something waits, by when, and a link. It is written down before it leaves, and what is asked is looked at
// once more then: what was taken back meanwhile is not sent. That a server took a mail is no evidence that anybody
// knows: until a human acted on the offer a navigator rings, after a time that is set.

// The bounds of one process, and of mail as a whole.
const (
	mailSlots     = 8
	madeAtOnce    = 200
	mailLease     = time.Minute      // sending, and then writing down what came of it
	mostMailRests = 15 * time.Minute // because of us, however often it fails
)

// makeMails turns what has come into partners' logs into mails.
func (s *Service) makeMails(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	var all []notice
	behindMails(tx, limit, tx.Postponed(), func(n notice, _ int64) {
		tx.Attempt(n.Partner)
		all = append(all, n)
	})
	if err := tx.Flush(); err != nil || len(all) == 0 {
		return 0, err
	}
	for _, n := range all {
		if n.Digest {
			addDigest(tx, n.Partner, clock.NewOrderedID(tx.Now, taken), nextDigest(tx.Now, s.zone), s.tellWithin)
		}
		addMails(tx, n, madeAtOnce, mailedAtOnce(n.Digest), tx.Now)
		taken++
	}
	tx.AfterCommit(func() { s.wake("mails") })
	return taken, nil
}

// letter is one mail on its way, as an attempt.
type letter struct {
	ID, Partner, Kind, Journey, Offer string
	Type                              schemas.Type
	Event, To                         string
	Referrer                          string // the organisation that referred, whose mailbox it is; empty: a partner's
	Position                          int64
	Number                            int
	First                             time.Time
	Lease                             time.Time
	Addressed                         int // which of its partner's addresses it goes to, counted from 1
	// Withheld: its event was taken back before it was given out. Told: the partner was mailed of the offer before, or
	// may have been: what became of an attempt is not known.
	Withheld, Told bool

	About         []about // what a digest is about, or the one offer of any other
	Subject, Text string
}

// about is an offer that a mail is about.
type about struct{ Offer, Journey string }

// sendMails claims what is to be mailed now, and sends it once the attempts are written down.
func (s *Service) sendMails(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	out := s.mailing.Load()
	if out == nil {
		return 0, nil
	}
	free := min(limit, mailSlots-int(out.flying.Load()))
	if free <= 0 {
		return 0, nil
	}
	letters, err := s.claimMails(tx, free)
	if err != nil || len(letters) == 0 {
		return 0, err
	}
	sending, over, err := s.address(tx, letters)
	if err != nil {
		return 0, err
	}
	endMails(tx, over, mailWithheld, tx.Now)
	tx.AfterCommit(func() {
		for _, l := range sending {
			out.fly(l)
		}
	})
	return len(letters), nil
}

// endLeft ends what waits for partners that are not told by e-mail any more. What it was to say is not taken for told:
// a navigator hears of it in time, and whoever comes back to e-mail is mailed what is still asked.
func (s *Service) endLeft(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	mailsLeft(tx, limit, tx.Postponed(), tx.Now, func() { taken++ })
	return taken, tx.Flush()
}

// claimMails leases what is due, and reads what digests are about.
func (s *Service) claimMails(tx *flow.Tx, limit int) ([]letter, error) {
	var all []letter
	claimMails(tx, limit, tx.Postponed(), tx.Now, tx.Now.Add(mailLease), func(l letter) {
		tx.Attempt(l.ID)
		l.Lease = tx.Now.Add(mailLease)
		if l.Offer != "" {
			l.About = []about{{l.Offer, l.Journey}}
		}
		all = append(all, l)
	})
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Kind == mailDigest {
			askedSince(tx, all[i].Partner, all[i].Position, func(a about) { all[i].About = append(all[i].About, a) })
		}
	}
	return all, tx.Flush()
}

// address looks at each mail once more, under the locks of the journeys it is about, and writes those that still go.
func (s *Service) address(tx *flow.Tx, all []letter) (sending []letter, over []string, err error) {
	var journeys []string
	for _, l := range all {
		for _, a := range l.About {
			journeys = append(journeys, a.Journey)
		}
	}
	records := map[string]*record{}
	store.Lock(tx, records, nil, `where s.journey = any($1::uuid[]) order by s.journey for update of s`, journeys)
	if err := tx.Flush(); err != nil {
		return nil, nil, err
	}
	var events []string
	for _, l := range all {
		by, goes := s.still(&l, records)
		if !goes {
			over = append(over, l.ID)
			continue
		}
		// to who referred it says nothing of the event, which may be taken back yet
		if l.Event != "" && l.Referrer == "" {
			events = append(events, l.Event)
		}
		o := offerOf(l, records)
		l.Subject, l.Text = mailText(l.says(o), by, s.linkFor(tx, l, o))
		sending = append(sending, l)
	}
	noteGiven(tx, events, tx.Now)
	return sending, over, nil
}

// still says whether a mail still goes, and by when something waits; what a digest is about is left to what still asks.
func (s *Service) still(l *letter, records map[string]*record) (by time.Time, goes bool) {
	if l.Referrer != "" {
		return by, l.stillNews(records)
	}
	if l.Kind == mailChanged { // who never knew is not told that nothing is asked any more
		r := records[l.Journey]
		if r == nil || r.State.Offers[l.Offer] == nil {
			return by, l.Told
		}
		o := r.State.Offers[l.Offer]
		return by, l.Told || len(o.Made) > 0 || o.begun() // by a digest, or by another way
	}
	if l.Withheld {
		return by, false
	}
	typ := l.Type
	if l.Kind == mailDigest {
		typ = schemas.OfferSent
	}
	l.About = slices.DeleteFunc(l.About, func(a about) bool {
		r := records[a.Journey]
		if r == nil || !r.State.stillAsks(a.Offer, l.Partner, typ) {
			return true
		}
		if o := r.State.Offers[a.Offer]; !o.begun() && !o.AnswerBy.IsZero() && (by.IsZero() || o.AnswerBy.Before(by)) {
			by = o.AnswerBy
		}
		return false
	})
	if !by.IsZero() {
		by = by.In(s.zone)
	}
	return by, len(l.About) > 0
}

// offerOf is the one offer that a mail is about; nil where it is about more, or that is not known.
func offerOf(l letter, records map[string]*record) *Offer {
	if r := records[l.Journey]; r != nil && l.Kind != mailDigest {
		return r.State.Offers[l.Offer]
	}
	return nil
}

// linkFor is where a mail leads: to its one offer where that can be answered by whoever holds the link, or to the page
// after signing in. Each attempt has a link of its own: what stood in a former one is kept nowhere.
func (s *Service) linkFor(tx *flow.Tx, l letter, o *Offer) string {
	if l.Referrer != "" {
		return s.url + schemas.ReferralsPage
	}
	if o != nil && l.opensByLink(o) {
		if until, ok := linkUntil(o, s.zone); ok {
			return s.url + "/p/" + s.mint(tx, l.Offer, l.Partner, until)
		}
	}
	return s.url + "/"
}

// mailer sends letters, and gives on what came of them.
type mailer struct {
	sender   *mail.Sender
	returnTo string
	flying   atomic.Int32
	done     chan posted
	life     context.Context

	mu     sync.Mutex
	closed bool
	under  sync.WaitGroup
}

// posted is what became of an attempt.
type posted struct {
	letter
	At  time.Time
	Err error
}

func (o *mailer) fly(l letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return // its lease ends, and it is tried again
	}
	o.flying.Add(1)
	o.under.Go(func() {
		err := o.sender.Send(o.life, mail.Message{ID: l.ID, To: l.To, Subject: l.Subject, Text: l.Text,
			ReturnTo: returnAddress(o.returnTo, l.ID, l.Addressed), At: l.First})
		o.flying.Add(-1)
		o.done <- posted{letter: l, Err: err}
	})
}

func (o *mailer) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.under.Wait()
	close(o.done)
}

// runMail sends what is claimed until ctx ends, and records what came of it.
func (s *Service) runMail(ctx context.Context) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	out := &mailer{sender: s.mail, returnTo: s.returnTo, done: make(chan posted, mailSlots), life: life}
	s.mailing.Store(out)
	s.wake("mails")
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		for p := range out.done {
			patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), mailLease/2)
			if err := s.flow.Do(patience, func(tx *flow.Tx) error { return s.settleMail(tx, p) }); err != nil {
				s.log.Warn("what came of a mail could not be written down; it is sent again with the same id",
					schemas.AttrError, err)
			}
			cancel()
			s.wake("mails")
		}
	}()
	<-ctx.Done()
	s.mailing.Store(nil)
	defer time.AfterFunc(endWithin, end).Stop()
	out.close()
	<-recorded
}

// RunMail sends mail, where there is a server for it, and takes what comes back on a listener, where there is one,
// until ctx ends.
func (s *Service) RunMail(ctx context.Context, returns net.Listener) error {
	var running sync.WaitGroup
	if s.mail != nil {
		running.Go(func() { s.runMail(ctx) })
	}
	defer running.Wait()
	if returns == nil {
		<-ctx.Done()
		return nil
	}
	return s.takeReturns(ctx, returns)
}

// takeReturns takes what comes back to the addresses of mails; anything else is refused.
func (s *Service) takeReturns(ctx context.Context, ln net.Listener) error {
	return mail.Receive(ctx, ln, mail.Domain(s.returnTo), mail.Handler{Take: s.takeReturned,
		Recipient: func(to string) error {
			if _, _, ok := returnedTo(s.returnTo, to); !ok {
				return mail.Refuse(550, [3]int{5, 1, 1}, "No such mailbox")
			}
			return nil
		}})
}

// mailResult is what follows from an attempt.
type mailResult struct {
	State, Outcome, Enhanced string
	Code                     int
	Due                      time.Time // when it is tried again; zero where it is not
	Rests                    bool      // mail as a whole rests: it is because of us
	Refuses                  string    // the domain that refused it for reasons of its own
	Trouble                  string    // what the address is noted with
}

// mailResultOf decides what follows from an attempt at an address of a domain.
func mailResultOf(number int, first time.Time, domain string, err error, now time.Time) mailResult {
	if err == nil {
		return mailResult{State: mailSent, Outcome: mailSent}
	}
	r := mailResult{State: stateWaiting, Outcome: mailOurs, Due: now.Add(ladder[min(number, len(ladder)-1)])}
	f, ok := mail.FailureOf(err)
	if ok {
		r.Code, r.Enhanced = f.Code, f.Enhanced
	}
	switch {
	case ok && f.About == mail.AboutAddress:
		return mailResult{State: mailRefused, Outcome: troubleRefused, Code: r.Code, Enhanced: r.Enhanced,
			Trouble: troubleRefused}
	case ok && f.About == mail.AboutMoment:
		r.Outcome = mailLater
	case ok && f.About == mail.AboutPolicy:
		r.Outcome, r.Refuses = mailPolicy, domain
	default:
		r.Rests, r.Due = true, now.Add(min(ladder[min(number, len(ladder)-1)], mostMailRests))
	}
	if r.Due.After(first.Add(giveUpAfter)) {
		r.State, r.Due = stateGivenUp, time.Time{}
	}
	return r
}

// settleMail writes down what came of a mail, and what follows for its offers.
func (s *Service) settleMail(tx *flow.Tx, p posted) error {
	r := mailResultOf(p.Number, p.First, mail.Domain(p.To), p.Err, tx.Now)
	counts := false
	saveMail(tx, p.letter, r, tx.Now, &counts)
	if err := tx.Flush(); err != nil || !counts {
		return err // another attempt has begun meanwhile, or it has come back already
	}
	if r.Trouble != "" {
		noteTrouble(tx, p.Partner, p.Addressed, r.Trouble, tx.Now)
	}
	if err := s.noteChannel(tx, r, p.Err); err != nil {
		return err
	}
	switch r.State {
	case mailSent:
		return s.mailed(tx, p.letter)
	case mailRefused, stateGivenUp:
		return s.notTold(tx, p.letter)
	}
	return nil
}

// noteChannel notes how mail as a whole stands; that nothing can be sent is said aloud. What one domain refuses for
// reasons of its own says nothing of that, until another does so too before anything was taken.
func (s *Service) noteChannel(tx *flow.Tx, r mailResult, err error) error {
	if r.Refuses != "" {
		noteRefusal(tx, r.Refuses, &r.Rests)
		if err := tx.Flush(); err != nil {
			return err
		}
		tx.AfterCommit(func() {
			s.log.Warn("a mail was refused by a server for reasons of its own; it is tried again",
				schemas.AttrRunbook, "mail-stopped.md", schemas.AttrError, err)
		})
	}
	if !r.Rests {
		if r.State == mailSent {
			channelWorks(tx)
		}
		return nil
	}
	failures := 0
	channelRests(tx, r.Outcome, tx.Now, mostMailRests, &failures)
	if err := tx.Flush(); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		s.log.Error("mail cannot be sent because of us, and rests; partners are rung meanwhile",
			schemas.AttrRunbook, "mail-stopped.md", schemas.AttrError, err)
	})
	return nil
}

// mailed says that an offer was handed over. Nobody knows of it yet: a navigator rings if no human acts on it in time.
func (s *Service) mailed(tx *flow.Tx, l letter) error {
	if l.Referrer != "" {
		return s.newsTold(tx, l) // the partner whom the offer is to has not been told by it
	}
	offers := map[string][]string{}
	for _, a := range l.About {
		if l.Type == schemas.OfferSent || l.Kind == mailDigest {
			offers[a.Journey] = append(offers[a.Journey], a.Offer)
		}
	}
	if len(offers) == 0 {
		return nil
	}
	var unread []string
	err := s.change(tx, offers, func(r *record, id string, o *Offer) {
		known := o.known()
		if !known && r.State.stillAsks(id, o.Partner, schemas.OfferSent) { // it may be over since the mail was written
			unread = append(unread, id)
		}
		if o.make(schemas.DeliveryHandedOver) {
			r.Emit(string(schemas.DeliveryMade), schemas.DeliveryMadeData{Offer: id, Partner: o.Partner,
				How: schemas.DeliveryHandedOver})
		}
		o.Unread = !known
	})
	if err == nil {
		ringBy(tx, unread, ringAt(tx.Now, s.ringAfter, s.zone))
	}
	return err
}

// notTold has a human tell the partner, by another way, what a mail did not bring.
func (s *Service) notTold(tx *flow.Tx, l letter) error {
	if l.Referrer != "" {
		return s.newsNotTold(tx, l)
	}
	offers := map[string][]string{}
	for _, a := range l.About {
		offers[a.Journey] = append(offers[a.Journey], a.Offer)
	}
	return s.change(tx, offers, func(r *record, id string, o *Offer) {
		if l.Kind == mailAsks && !r.State.stillAsks(id, l.Partner, l.Type) {
			return // nothing is asked of it any more, or somebody there knows
		}
		if l.Kind != mailDigest && l.Type != schemas.OfferSent {
			failed(r, id, o)
		} else if !o.known() {
			fail(r, id, o)
		}
	})
}

// returnAddress is where a mail comes back to: its id follows the name of the address, and to which of its partner's
// addresses it went.
func returnAddress(base, id string, addressed int) string {
	name, domain, found := strings.Cut(base, "@")
	if !found {
		return ""
	}
	return name + "+" + strings.ReplaceAll(id, "-", "") + "-" + strconv.Itoa(addressed) + "@" + domain
}

// returnedTo reads which mail an address is of, and to which of its partner's addresses that went.
func returnedTo(base, address string) (id string, addressed int, ok bool) {
	name, domain, _ := strings.Cut(strings.ToLower(base), "@")
	local, at, _ := strings.Cut(strings.ToLower(address), "@")
	rest, found := strings.CutPrefix(local, name+"+")
	digits, number, numbered := strings.Cut(rest, "-")
	if !numbered {
		number = "1" // it went before addresses were counted
	}
	addressed, err := strconv.Atoi(number)
	if !found || at != domain || len(digits) != 32 || err != nil {
		return "", 0, false
	}
	id = fmt.Sprintf("%s-%s-%s-%s-%s", digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
	return id, addressed, clock.IsID(id)
}

var errNoMail = errors.New("there is no such mail")

// takeReturned takes in what came back.
func (s *Service) takeReturned(ctx context.Context, m mail.Received) error {
	id, addressed, ok := returnedTo(s.returnTo, m.To)
	if !ok {
		return errNoMail
	}
	what, status := mail.Read(m.Text)
	return s.flow.Do(ctx, func(tx *flow.Tx) error { return s.cameBack(tx, id, addressed, what, status) })
}

// cameBack writes down what a mail that came back says, and what follows; said again it changes nothing, nor does what
// comes back from a former address of a mail that goes to another one since.
func (s *Service) cameBack(tx *flow.Tx, id string, addressed int, what mail.Return, status string) error {
	if what != mail.NotDelivered && what != mail.Away {
		return nil
	}
	var l letter
	var found bool
	if what == mail.NotDelivered {
		returnMail(tx, id, addressed, status, tx.Now, func(one letter) { l, found = one, true })
	} else {
		awayMail(tx, id, addressed, tx.Now, func(one letter) { l, found = one, true })
	}
	if err := tx.Flush(); err != nil || !found {
		return err
	}
	switch {
	case l.Kind == mailDigest:
		askedSince(tx, l.Partner, l.Position, func(a about) { l.About = append(l.About, a) })
	case l.Offer != "":
		l.About = []about{{l.Offer, l.Journey}}
	}
	trouble := troubleAway
	if what == mail.NotDelivered {
		trouble = troubleReturned
	}
	if what == mail.Away || mail.AboutStatus(status) != mail.AboutPolicy {
		noteTrouble(tx, l.Partner, addressed, trouble, tx.Now)
	} else {
		tx.AfterCommit(func() {
			s.log.Error("a mail came back: a server on its way does not let in what comes from ours",
				schemas.AttrRunbook,
				"mail-stopped.md")
		})
	}
	if err := tx.Flush(); err != nil {
		return err
	}
	return s.notTold(tx, l)
}
