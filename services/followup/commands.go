package followup

import (
	"cmp"
	"maps"
	"slices"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What people say about an offer, each with its journey locked.

// command is what somebody says about one offer, whose journey is locked.
type command struct {
	*writes
	s         *Service
	tx        *flow.Tx
	record    *record
	offer     *Offer
	questions []questionShown
	others    map[string]*record // journeys of the partner's other offers, where everything is handed back
}

// forAll is a body that may speak of every offer of the partner's.
type forAll interface{ everyOffer() bool }

// take locks the journey of an offer that somebody may see, and with all those of every other that its partner has
// taken on. To be changed, the partners are locked too, and their places counted; journeys are locked first, in one
// order.
func (s *Service) take(tx *flow.Tx, who principal.Principal, id string, change, all bool) (*command, error) {
	journey, partner := "", ""
	findOffer(tx, who, id, func(found, of string) { journey, partner = found, of })
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	if journey == "" {
		return nil, noOffer()
	}
	journeys := []string{journey}
	if all {
		findTaken(tx, who, partner, journey, func(other string) { journeys = append(journeys, other) })
		if err := tx.Flush(); err != nil {
			return nil, err
		}
	}
	h := &command{s: s, tx: tx}
	records := store.Load(tx, journeys)
	now := *s
	loadPartners(tx, change, &now.partners)
	loadLive(tx, &now.live)
	if change {
		countPlaces(tx, monday(now.writes(tx.Now).today()), &now.partners)
	}
	loadQuestions(tx, who, id, &h.questions)
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	h.writes, h.record = now.writes(tx.Now), records[journey]
	if h.offer = h.record.find(id); h.offer == nil {
		return nil, noOffer()
	}
	delete(records, journey)
	h.others = records
	return h, nil
}

// find is an offer of the journey, wherever it stands.
func (r *record) find(id string) *Offer {
	if r.Open != nil && r.Open.ID == id {
		return r.Open
	}
	if i := slices.IndexFunc(r.Past, func(o Offer) bool { return o.ID == id }); i >= 0 {
		return &r.Past[i]
	}
	return nil
}

// moved stores the offer as it stands after something was said; the next partner is looked for where it has ended.
func (h *command) moved(effects []Effect, against string) (string, error) {
	if against != "" || len(effects) == 0 && h.offer.open() {
		return against, nil
	}
	h.follow(h.record, h.offer, effects)
	return "", nil
}

func (h *command) newest() int64 { return h.record.State.answers().Anew().At }

type nothing struct{}

// byTelephone lets a navigator record what a partner answered whom nothing has been sent.
func (h *command) byTelephone(who principal.Principal) {
	if schemas.Role(who.Role) == schemas.Navigator && h.offer.State == stateRaised && h.offer.mayBeSent() {
		h.follow(h.record, h.offer, h.offer.telephoned(h.Moment))
	}
}

// accept is the partner's yes, in time or late.
func (h *command) accept(_ nothing, who principal.Principal) (string, error) {
	h.byTelephone(who)
	k := &h.record.State
	named := slices.Contains(k.answers().Yes(), h.offer.Partner)
	if h.offer.State != statePassedOn {
		return h.moved(h.offer.accept(h.partner(h.offer.Partner), named, k.Transition.At, h.Moment))
	}
	wanted, standing := desiredOffer(k, h.record.without(h.offer), h.partners, h.Moment), h.record.Open
	c, fits := wanted.fit(h.offer.Partner)
	if c.Partner = h.partner(h.offer.Partner); !fits || wanted.Status != Offered || wanted.Held || wanted.guarded {
		c.Given = false
	}
	c.Named = named
	late := *h.offer
	effects, welcome, against := late.acceptLate(standing, c, k.Transition.At, h.Moment)
	if against != "" {
		return against, nil
	}
	if welcome && standing != nil {
		h.follow(h.record, standing, standing.end(stateWithdrawn, becauseAnother, h.Moment))
	}
	if welcome {
		h.record.Past = h.record.without(&late)
		h.record.Open, h.record.Status = &late, Offered
	}
	h.offer = &late
	h.follow(h.record, &late, effects)
	return "", nil
}

// without are the past offers but one.
func (r *record) without(o *Offer) []Offer {
	return slices.DeleteFunc(slices.Clone(r.Past), func(other Offer) bool { return other.ID == o.ID })
}

type declined struct {
	Code string `json:"code"`
}

func (h *command) decline(said declined, who principal.Principal) (string, error) {
	h.byTelephone(who)
	h.offer.byLink = schemas.Role(who.Role) == schemas.OfferLink
	return h.moved(h.offer.decline(said.Code, h.Moment))
}

// undo takes the partner's answer back. After a no the offer that was prepared for another goes, which nobody outside
// knows of.
func (h *command) undo(_ nothing, _ principal.Principal) (string, error) {
	effects, against := h.offer.undo(h.undoable(), h.shown(), h.Moment)
	if against != "" || len(effects) == 0 {
		return against, nil
	}
	if standing := h.standing(); standing != nil {
		h.follow(h.record, standing, standing.end(stateWithdrawn, becauseReplaced, h.Moment))
	}
	h.follow(h.record, h.offer, effects)
	return "", nil
}

// standing is the journey's offer that stands, where that is another than this one.
func (h *command) standing() *Offer {
	if h.record.Open == h.offer {
		return nil
	}
	return h.record.Open
}

// undoable says whether the partner's answer can be taken back, so that it is asked again. Where somebody else has the
// person, or nobody is to be asked, it stands.
func (h *command) undoable() bool {
	k := &h.record.State
	return !k.Transition.Closed && !h.offer.Paused && h.sameEpisode() &&
		h.offer.mayUndo(h.shown(), h.standing(), h.Moment)
}

// sameEpisode says whether nothing but the preparation of another offer has followed on this one.
func (h *command) sameEpisode() bool {
	if h.record.Open == h.offer {
		return true
	}
	for _, o := range slices.Backward(h.record.Past) {
		if o.ID == h.offer.ID {
			return true
		}
		if o.Because != becauseReplaced {
			break
		}
	}
	return false
}

// shown says whether somebody at the partner has looked, by this offer, at who the person is.
func (h *command) shown() bool { return slices.Contains(h.record.State.Shown, h.offer.ID) }

// answered says whether somebody holds a link that has had its answer: it answers once.
func (h *command) answered(who principal.Principal) bool {
	return schemas.Role(who.Role) == schemas.OfferLink && !h.offer.asked()
}

const answeredByLink = "This has been answered. Take the answer back first, or sign in."

// heard notes that somebody at the partner knows of the offer, where they say something about it. That its page was
// fetched says nothing.
func (h *command) heard(who principal.Principal) {
	if outside(who) && h.offer.State == stateSent {
		if effects := h.offer.delivered(schemas.DeliveryAcknowledged, h.partner(h.offer.Partner),
			h.Moment); len(effects) > 0 {
			h.follow(h.record, h.offer, effects)
		}
	}
}

func (h *command) book(said Booking, _ principal.Principal) (string, error) {
	return h.moved(h.offer.book(clock.NewID(h.Now), said, h.record.State.Facts.Facts, h.record.State.MayBeRung,
		h.partner(h.offer.Partner), h.Moment))
}

func (h *command) went(said Went, _ principal.Principal) (string, error) {
	return h.moved(h.offer.went(said, h.partner(h.offer.Partner), h.newest(), h.Moment))
}

type handedBack struct {
	Reason string `json:"reason"`
	All    bool   `json:"all"`
}

func (b handedBack) everyOffer() bool { return b.All }

// handBack gives one offer back, or all that the partner has taken on: each of their people is told by somebody, and
// offered again ahead of others.
func (h *command) handBack(said handedBack, _ principal.Principal) (string, error) {
	if against, err := h.moved(h.offer.handBack(said.Reason, h.newest(), h.Moment)); against != "" || err != nil {
		return against, err
	}
	for _, journey := range slices.Sorted(maps.Keys(h.others)) {
		if r := h.others[journey]; r.Open != nil && r.Open.Partner == h.offer.Partner && r.Open.taken() {
			other := &command{writes: h.writes, s: h.s, tx: h.tx, record: r, offer: r.Open}
			if against, err := other.moved(other.offer.handBack(said.Reason, other.newest(),
				h.Moment)); against != "" || err != nil {
				return against, err
			}
		}
	}
	return "", nil
}

type introduced struct {
	How string `json:"how"`
}

func (h *command) introduce(said introduced, _ principal.Principal) (string, error) {
	return h.moved(h.offer.introduce(said.How))
}

type knows struct {
	Who string `json:"who"`
}

func (h *command) mayKnow(said knows, who principal.Principal) (string, error) {
	if h.answered(who) {
		return answeredByLink, nil
	}
	h.heard(who)
	h.offer.byLink = schemas.Role(who.Role) == schemas.OfferLink
	return h.moved(h.offer.mayKnow(said.Who, h.Moment))
}

type asked struct {
	About    string `json:"about"`
	Question string `json:"question"`
	Reply    string `json:"reply"`
}

// question is a partner's question, or a navigator's answer to one.
func (h *command) question(said asked, who principal.Principal) (string, error) {
	about, _ := schemas.KindNamed("offer-question")
	reply, _ := schemas.KindNamed("offer-reply")
	if outside(who) {
		if h.answered(who) {
			return answeredByLink, nil
		}
		h.heard(who)
		switch {
		case !about.Allows(said.About) || said.Reply != "":
			return "Say what you ask about (about): " + about.Do + ".", nil
		case !h.offer.told() || len(h.questions) >= mostQuestions:
			return "Nothing more can be asked about this offer here. Ring the navigator.", nil
		}
		q := questionShown{Question: clock.NewID(h.Now), About: said.About, AskedAt: h.Now}
		h.questions = append(h.questions, q)
		saveQuestion(h.tx, h.offer.ID, q, h.Now)
		h.follow(h.record, h.offer, []Effect{{schemas.OfferQuestioned, schemas.OfferQuestionedData{Offer: h.offer.ID,
			Question: q.Question, About: q.About}}})
		return "", nil
	}
	i := slices.IndexFunc(h.questions, func(q questionShown) bool { return q.Question == said.Question })
	if i < 0 || !reply.Allows(said.Reply) {
		return "Name the question (question) and answer it (reply): " + reply.Do + ".", nil
	}
	if cmp.Or(h.questions[i].Reply, said.Reply) != said.Reply {
		return "This question has been answered already. Look at it again.", nil
	}
	if h.questions[i].Reply == "" {
		h.questions[i].Reply = said.Reply
		saveQuestion(h.tx, h.offer.ID, h.questions[i], h.Now)
		h.follow(h.record, h.offer, []Effect{{schemas.OfferQuestionAnswered,
			schemas.OfferQuestionAnsweredData{Offer: h.offer.ID, Question: said.Question}}})
	}
	return "", nil
}

const mostQuestions = 20

type deletion struct {
	Kept        []string `json:"kept"`
	KeptBecause string   `json:"keptBecause"`
}

func (h *command) confirmDeletion(said deletion, _ principal.Principal) (string, error) {
	effects, against := h.offer.confirmDeletion(said.Kept, said.KeptBecause, h.Moment)
	if against == "" && len(effects) > 0 {
		h.follow(h.record, h.offer, effects)
	}
	return against, nil
}
