package threshold

import (
	"net/http"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What people record about a journey and about the directory.

// recorded answers what was recorded about one journey and one service: by ids and states, without any words.
type recorded struct {
	ID          string              `json:"id"`
	Journey     string              `json:"journey"`
	Service     string              `json:"service"`
	Eligibility schemas.Eligibility `json:"door,omitempty"` // as it stands now
	// Questioned is true for a no that closes no door, as the service has agreed never to decline for its reason.
	Questioned bool       `json:"questioned,omitempty"`
	AnswerBy   *time.Time `json:"answerBy,omitempty"`
	Gap        bool       `json:"gap"`      // nothing statutory is open
	Decision   string     `json:"decision"` // the decision that followed
}

// command is one change by hand to a locked journey.
type command struct {
	api
	tx    *flow.Tx
	r     *record
	who   principal.Principal
	today calendar.Day
	id    string
}

// asked records that a service was asked, so that its answer has an owner and a day.
func (a api) asked(w http.ResponseWriter, r *http.Request) error {
	return reconcile(a, w, r, func(h command, body Asked) (string, *time.Time, error) {
		if faults := body.faults(h.directory, h.r.Last, h.today.String()); len(faults) > 0 {
			return "", nil, refuse(faults)
		}
		if why := mayAsk(h.r.State, *h.r.Last, body, h.tx.Now); why != "" {
			return "", nil, httpx.NewProblem(http.StatusConflict, "This service was tried already. %s", why)
		}
		again := h.r.State.tried(body.Service)
		by := body.answerBy(h.today, calendar.England(), h.zone)
		h.r.State.ask(body, h.today.String(), by)
		addAsked(h.tx, h.who, h.r, h.id, body, by, again, h.tx.Now)
		h.emit(schemas.ServiceAsked, schemas.ServiceAskedData{Service: body.Service, By: h.who.Role,
			AnswerBy: by.In(h.zone), Again: again})
		return body.Service, &by, nil
	})
}

// answered records what a service said, and looks at all of them again.
func (a api) answered(w http.ResponseWriter, r *http.Request) error {
	return reconcile(a, w, r, func(h command, body Answered) (string, *time.Time, error) {
		if faults := body.faults(h.directory, h.r.Last, h.today.String()); len(faults) > 0 {
			return "", nil, refuse(faults)
		}
		on := body.On
		if on == "" {
			on = h.today.String()
		}
		said := h.r.State.answer(body, on, h.directory.MayNotDecline(body.Service, body.Reason))
		h.emit(schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: body.Service, Answer: body.Answer,
			Reason: said.Reason, Questioned: said.Questioned, By: h.who.Role})
		return body.Service, nil, addAnswered(h.tx, h.who, h.r, h.id, said, h.tx.Now)
	})
}

// override records a human's decision about one door.
func (a api) override(w http.ResponseWriter, r *http.Request) error {
	return reconcile(a, w, r, func(h command, body Overriding) (string, *time.Time, error) {
		if faults := body.faults(h.directory, h.r.Last); len(faults) > 0 {
			return "", nil, refuse(faults)
		}
		h.r.State.override(body, h.today.String(), h.who.Role)
		addOverride(h.tx, h.who, h.r, h.id, body, h.today.String(), h.tx.Now)
		return body.Service, nil, nil
	})
}

// emit gives an event out before the decision that it leads to.
func (h command) emit(t schemas.Type, data any) { h.r.EmitFirst(h.tx, string(t), data) }

// reconcile is what the three have in common: read the body, lock the journey, do it, decide again; done once for one
// Idempotency-Key.
func reconcile[B any](a api, w http.ResponseWriter, r *http.Request, do func(command, B) (service string, by *time.Time,
	err error)) error {
	journey, ok := httpx.PathID(r, "id")
	if !ok {
		return noJourney()
	}
	return handleOnce(a, w, r, func(tx *flow.Tx, who principal.Principal, body B) (any, error) {
		h := command{api: a, tx: tx, who: who, today: calendar.DayOf(tx.Now, a.zone), id: clock.NewID(tx.Now)}
		records := lockFor(tx, who, journey)
		if err := tx.Flush(); err != nil {
			return nil, err
		}
		if h.r = records[journey]; h.r == nil {
			return nil, noJourney()
		}
		if h.r.State.Closed {
			return nil, httpx.NewProblem(http.StatusConflict, "This journey is closed, and nobody would see to what "+
				"follows. Reopen it first, with POST /api/journeys/{id}/reopen.")
		}
		if h.r.Last == nil || !h.r.State.isActive() {
			return nil, httpx.NewProblem(http.StatusConflict, "Nothing has been decided about this journey yet, or "+
				"its discharge was withdrawn. Look at the journey, and try again when it has begun.")
		}
		service, by, err := do(h, body)
		if err != nil {
			return nil, err
		}
		if err := a.handler().Command(tx, h.r); err != nil {
			return nil, err
		}
		answer := recorded{ID: h.id, Journey: journey, Service: service, AnswerBy: by, Gap: h.r.Last.Gap != nil,
			Decision: h.r.LastID}
		if said := h.r.State.Answers; len(said) > 0 {
			answer.Questioned = said[len(said)-1].Service == service && said[len(said)-1].Questioned
		}
		for _, door := range h.r.Last.Eligibilities {
			if door.Service == service {
				answer.Eligibility = door.Eligibility
			}
		}
		return answer, nil
	})
}

// handleOnce does what a body asks for in one transaction, once for one Idempotency-Key, and answers with what do
// returns.
func handleOnce[B any](a api, w http.ResponseWriter, r *http.Request, do func(tx *flow.Tx, who principal.Principal,
	body B) (any, error)) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, text, err := httpx.ReadJSON[B](w, r, factsLimit)
	if err != nil {
		return err
	}
	key, err := httpx.ParseIdempotency(r, who.Key(), text)
	if err != nil {
		return err
	}
	answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
		answer, err := do(tx, who, body)
		return http.StatusOK, answer, err
	})
	if err != nil {
		return err
	}
	return answer.Write(w)
}

func refuse(faults []Fault) error {
	return httpx.NewProblem(http.StatusUnprocessableEntity, "It cannot be recorded: %s %s.", faults[0].Field,
		faults[0].Why).With("faults", faults)
}

func noJourney() error {
	return httpx.NewProblem(http.StatusNotFound, "There is no journey of this id that you may change. Check the id, "+
		"or look at the list of journeys.")
}

// told records an 'I was told…', and answers with what differs from what is published.
func (a api) told(w http.ResponseWriter, r *http.Request) error {
	service, err := a.service(r)
	if err != nil {
		return err
	}
	return handleOnce(a, w, r, func(tx *flow.Tx, who principal.Principal, body TellingWhat) (any, error) {
		today := calendar.DayOf(tx.Now, a.zone).String()
		if faults := body.faults(a.directory, service, today); len(faults) > 0 {
			return nil, refuse(faults)
		}
		report := body.report(service, clock.NewID(tx.Now), today)
		addTold(tx, who, report, tx.Now)
		published, _ := a.directory.Criterion(service, body.Criterion)
		differs := published.DiffersIn(report.Terms)
		return toldShown{report.ID, service, body.Criterion, differs}, nil
	})
}

// toldShown says in which terms what somebody was told differs from what is published.
type toldShown struct {
	ID        string   `json:"id"`
	Service   string   `json:"service"`
	Criterion string   `json:"criterion"`
	DiffersIn []string `json:"differsIn"`
}

// reportShown says how a published number or link stands: reported, reported-before or mended; and by when somebody
// looks at it.
type reportShown struct {
	ID      string     `json:"id,omitempty"`
	Service string     `json:"service"`
	Line    string     `json:"line"`
	State   string     `json:"state"`
	DueAt   *time.Time `json:"dueAt,omitempty"`
}

// deadLine records that a published number or link reaches nobody, which opens a step; or that it works again, which
// closes it. The same report twice changes nothing.
func (a api) deadLine(w http.ResponseWriter, r *http.Request) error {
	service, err := a.service(r)
	if err != nil {
		return err
	}
	return handleOnce(a, w, r, func(tx *flow.Tx, who principal.Principal, body LineReport) (any, error) {
		if faults := body.faults(a.directory, service); len(faults) > 0 {
			return nil, refuse(faults)
		}
		if body.Mended {
			return a.mend(tx, who, service, body.Line)
		}
		line := reported{ID: clock.NewID(tx.Now), Service: service, Line: body.Line,
			DueAt: seenToBy(calendar.DayOf(tx.Now, a.zone), calendar.England(), a.zone)}
		first := false
		reportLine(tx, who, a.organisation, line, tx.Now, func(took bool) { first = took })
		if err := tx.Flush(); err != nil {
			return nil, err
		}
		if !first {
			return reportShown{Service: service, Line: body.Line, State: "reported-before"}, nil
		}
		due := line.DueAt.In(a.zone)
		tx.Emit(flow.Emission{Type: string(schemas.ServiceLineReported), Journey: line.ID, Version: 1,
			Data: schemas.ServiceLineReportedData{Service: service, Organisation: a.organisation, DueAt: due}})
		return reportShown{line.ID, service, body.Line, "reported", &due}, nil
	})
}

// mend is for those who keep the directory.
func (a api) mend(tx *flow.Tx, who principal.Principal, service, line string) (any, error) {
	if role := schemas.Role(who.Role); role != schemas.SendingTeam && role != schemas.Navigator &&
		role != schemas.Operator {
		return nil, httpx.NewProblem(http.StatusForbidden, "Only staff who keep the directory can say that a line "+
			"works again. Tell a navigator.")
	}
	var mended *reported
	mendLine(tx, service, line, tx.Now, func(l reported) { mended = &l })
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	if mended == nil {
		return nil, httpx.NewProblem(http.StatusNotFound, "This line is not reported as reaching nobody. Look at "+
			"/api/services for those that are.")
	}
	tx.Emit(flow.Emission{Type: string(schemas.ServiceLineMended), Journey: mended.ID, Version: mended.Version,
		Data: schemas.ServiceLineMendedData{}})
	return reportShown{ID: mended.ID, Service: service, Line: line, State: "mended"}, nil
}

func (a api) service(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if _, ok := a.directory.Document(id); !ok {
		return "", httpx.NewProblem(http.StatusNotFound, "There is no such service in the directory. Take its id "+
			"from /api/services.")
	}
	return id, nil
}
