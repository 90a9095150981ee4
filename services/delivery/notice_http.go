package delivery

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/mail"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// How a partner wants to be told.
const (
	byNothing = "none"
	byMail    = "email"
)

// notice is how a partner wants to be told that something waits for it, or an organisation that there is news of those
// it referred.
type notice struct {
	Partner   string // whose log it is of
	Referrer  string // the organisation that referred; empty for a partner
	By        string
	To        string
	Digest    bool
	Trouble   string
	TroubleAt *time.Time
	Version   int64
}

// noticeShown is a notice as its partner and staff see it, with the last mails.
type noticeShown struct {
	Partner string `json:"partner,omitempty"`
	By      string `json:"by"`
	To      string `json:"to"`
	Digest  bool   `json:"digest"`
	// Trouble is what came back from the address: refused, returned or away. Until it is changed a navigator rings a
	// partner; who referred reads what became of it in the feed or on the page.
	Trouble   string           `json:"trouble,omitempty"`
	TroubleAt *time.Time       `json:"troubleAt,omitempty"`
	Mails     []mailShown      `json:"mails"`
	Actions   []schemas.Action `json:"actions,omitempty"`
}

// mailShown is one mail as its partner sees it: never what is in it.
type mailShown struct {
	ID    string     `json:"id"`
	At    time.Time  `json:"at"`
	Kind  string     `json:"kind"`
	State string     `json:"state"`
	Tries int        `json:"tries"`
	Next  *time.Time `json:"next,omitempty"`
}

func (n notice) shown(role schemas.Role, mails []mailShown) noticeShown {
	s := noticeShown{Partner: n.Partner, By: cmp.Or(n.By, byNothing), To: n.To, Digest: n.Digest, Trouble: n.Trouble,
		TroubleAt: n.TroubleAt, Mails: mails}
	now := map[string][]string{"notice.by": {s.By}, "notice.to": {s.To},
		"notice.digest": {strconv.FormatBool(s.Digest)}}
	if s.Actions = schemas.NoticeActions(role, n.Partner, now); n.Referrer != "" {
		s.Partner, s.Actions = "", schemas.ReferrerNoticeActions(role, now)
	}
	return s
}

// mailbox is whose notice a request is about, and who asks for it.
type mailbox struct {
	notice
	who principal.Principal
}

// partnersBox is that of the partner that the path names.
func partnersBox(r *http.Request) (mailbox, error) {
	who, id, err := principal.Asking(r, noPartner())
	return mailbox{notice{Partner: id}, who}, err
}

// referrersBox is that of the asking organisation, for news of those it referred.
func referrersBox(r *http.Request) (mailbox, error) {
	log, err := logAsking(r)
	if err != nil {
		return mailbox{}, err
	}
	who, err := principal.Need(r.Context())
	return mailbox{notice{Partner: log.Organisation, Referrer: who.Organisation}, who}, err
}

// opens says whether a mailbox is open to who asks.
func (a api) opens(b mailbox, hasLog bool) bool {
	return b.Referrer != "" || a.partnerKnown(b.who, b.Partner, hasLog)
}

// partnerKnown is whether a partner's notice is open to who asks: to the partner itself, and to staff, of a partner
// that the directory lists, or that has a log.
func (a api) partnerKnown(who principal.Principal, id string, hasLog bool) bool {
	if schemas.Role(who.Role) == schemas.Partner {
		return who.Organisation == id
	}
	return hasLog || slices.Contains(a.partners, id)
}

func noPartner() error {
	return httpx.NewProblem(http.StatusNotFound, "There is no such partner that you may see. Check the id.")
}

// mostMailsShown is how many mails are shown.
const mostMailsShown = 20

// showNotice shows how a partner is told, and what became of the last mails.
func (a api) showNotice(whose func(*http.Request) (mailbox, error)) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		b, err := whose(r)
		if err != nil {
			return err
		}
		n, hasLog, mails := b.notice, false, []mailShown{}
		batch := &pgx.Batch{}
		readNotice(batch, b.who, n.Partner, false, &n, &hasLog)
		mailsOf(batch, b.who, n.Partner, mostMailsShown, func(m mailShown) { mails = append(mails, m) })
		if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
			return fmt.Errorf("reading how a partner is told: %w", err)
		}
		if !a.opens(b, hasLog) {
			return noPartner()
		}
		w.Header().Set("ETag", httpx.VersionTag(n.Version))
		return httpx.WriteJSON(w, http.StatusOK, n.shown(schemas.Role(b.who.Role), mails))
	}
}

// noticeAsked is how a partner wants to be told; digest is once a day for all that waits.
type noticeAsked struct {
	By     string `json:"by"`
	To     string `json:"to"`
	Digest bool   `json:"digest"`
}

func (n noticeAsked) fault(kind string) string {
	by, _ := schemas.KindNamed(kind)
	switch {
	case !by.Allows(n.By):
		return "Say how you want to be told (by): " + by.Do + "."
	case n.By == byNothing && n.To != "":
		return "Where nobody is to be told there is nowhere to write it to (to)."
	case n.By == byMail && !mail.Valid(n.To):
		return "Name one e-mail address of your organisation (to), such as desk@charity.example, and nothing beside it."
	case n.By != byNothing && (n.To == "" || len(n.To) > 200 || httpx.HasDamagedText([]byte(n.To))):
		return "Name where a message goes (to): an address of your organisation on one line; none where nobody is to " +
			"be told."
	case n.Digest && n.By != byMail:
		return "One message a day (digest) is for e-mail alone."
	}
	return ""
}

// setNotice changes how a partner, or an organisation that refers people, is told, with effect on all that waits: what
// came back from a former address goes to the new one.
func (a api) setNotice(whose func(*http.Request) (mailbox, error)) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		b, err := whose(r)
		if err != nil {
			return err
		}
		body, key, err := httpx.ReadRequest[noticeAsked](w, r, maxBody, b.who.Key())
		if err != nil {
			return err
		}
		answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
			n, err := a.changeNotice(tx, r, b, body)
			if err != nil {
				return 0, nil, err
			}
			w.Header().Set("ETag", httpx.VersionTag(n.Version))
			return http.StatusOK, n.shown(schemas.Role(b.who.Role), []mailShown{}), nil
		})
		if err != nil {
			return err
		}
		return answer.Write(w)
	}
}

// changeNotice writes down how somebody is told from now on.
func (a api) changeNotice(tx *flow.Tx, r *http.Request, b mailbox, body noticeAsked) (notice, error) {
	n, hasLog, kind := b.notice, false, "notice-by"
	if b.Referrer != "" {
		kind = "news-by"
	}
	readNotice(tx, b.who, n.Partner, true, &n, &hasLog)
	if err := tx.Flush(); err != nil {
		return n, err
	}
	if !a.opens(b, hasLog) {
		return n, noPartner()
	}
	if err := httpx.CheckIfMatch(r, httpx.VersionTag(n.Version)); err != nil {
		return n, err
	}
	if fault := body.fault(kind); fault != "" {
		return n, httpx.NewProblem(http.StatusUnprocessableEntity, "%s", fault)
	}
	n = notice{Partner: b.Partner, Referrer: b.Referrer, By: body.By, To: body.To, Digest: body.Digest,
		Version: n.Version + 1}
	saveNotice(tx, b.who, n, tx.Now)
	if n.By == byMail {
		mailAgain(tx, n.Partner, tx.Now)
	}
	tx.AfterCommit(func() { a.wake("mails-made"); a.wake("mails"); a.wake("mails-left") })
	return n, nil
}
