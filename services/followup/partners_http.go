package followup

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// partnerShown is a partner as it, and staff, see it.
type partnerShown struct {
	Partner   string          `json:"partner"`
	Name      string          `json:"name"`
	Service   string          `json:"service"`
	Agreement *agreementShown `json:"agreement,omitempty"`
	Capacity  Capacity        `json:"capacity"`
	// Held is for how many people a place is taken now, TakenThisWeek how many were taken on since Monday.
	Held          int       `json:"held"`
	TakenThisWeek int       `json:"takenThisWeek"`
	Holidays      []Holiday `json:"holidays"`
	PausedUntil   string    `json:"pausedUntil,omitempty"`
	// HeldElsewhere says that the agreement is another organisation's than the caller's: that one's navigators change
	// the partner, how it is told, and who signs in for it.
	HeldElsewhere bool `json:"heldElsewhere,omitempty"`
	// Actions are the requests by which the caller changes it, with what stands there now.
	Actions []schemas.Action `json:"actions,omitempty"`
}

type agreementShown struct {
	Terms
	InForce bool   `json:"inForce"`
	Rule    string `json:"rule"`
}

// notForFundraising stands in every agreement.
const notForFundraising = "What is told of a person is for supporting them, and never for fundraising or publicity."

func shownPartner(p partnerRow, today calendar.Day) partnerShown {
	s := partnerShown{Partner: p.ID, Name: p.Name, Service: p.Service, Held: p.Held, TakenThisWeek: p.Week,
		Holidays: []Holiday{},
		Capacity: Capacity{Weekly: p.Weekly, AtMost: p.AtMost, Works: daysOf(p.Works), Channels: list(p.Channels),
			Languages: list(p.Languages), WorkerGenders: list(p.WorkerGenders),
			Hours: list(p.Hours), Access: list(p.Access), Groups: list(p.Groups), Areas: list(p.Areas)}}
	if p.Agreement != nil {
		s.Agreement = &agreementShown{Terms{p.Agreement.First.String(), p.Agreement.Last.String(), p.OutwardName,
			p.Safeguarding, p.DataContact}, p.mayBeTold(today), notForFundraising}
	}
	for _, away := range p.Away {
		s.Holidays = append(s.Holidays, Holiday{away.First.String(), away.Last.String()})
	}
	if p.PausedUntil >= today {
		s.PausedUntil = p.PausedUntil.String()
	}
	return s
}

func daysOf(week calendar.Weekdays) []string {
	days := []string{}
	for i, name := range weekdayNames {
		if week[i] {
			days = append(days, name[:3])
		}
	}
	return days
}

// partnerListed is an organisation that the directory lists, and whether there is an agreement with it.
type partnerListed struct {
	Partner string `json:"partner"`
	Name    string `json:"name"`
	Service string `json:"service"`
	// From and Until are the days of its agreement, empty where none has been recorded: nothing is told to it then.
	From          string `json:"from,omitempty"`
	Until         string `json:"until,omitempty"`
	InForce       bool   `json:"inForce"`
	HeldElsewhere bool   `json:"heldElsewhere,omitempty"`
}

// listPartners lists all that the directory lists, by name.
func (a api) listPartners(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	today := calendar.DayOf(a.clock.Now(), a.zone)
	listed := httpx.List[partnerListed]{Items: []partnerListed{}}
	batch := &pgx.Batch{}
	listedPartners(batch, who, func(p partnerRow) {
		one := partnerListed{Partner: p.ID, Name: p.Name, Service: p.Service, InForce: p.mayBeTold(today),
			HeldElsewhere: !p.mayBeChangedBy(who)}
		if p.Agreement != nil {
			one.From, one.Until = p.Agreement.First.String(), p.Agreement.Last.String()
		}
		listed.Items = append(listed.Items, one)
	})
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("listing partners: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, listed)
}

// showPartner gives one partner.
func (a api) showPartner(w http.ResponseWriter, r *http.Request) error {
	who, id, err := principal.Asking(r, noPartner())
	if err != nil {
		return err
	}
	var p partnerRow
	today := calendar.DayOf(a.clock.Now(), a.zone)
	batch := &pgx.Batch{}
	lockPartner(batch, who, id, false, func(found partnerRow) { p = found })
	counted := []Partner{{ID: id}}
	placesOf(batch, who, monday(today), &counted)
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("reading a partner: %w", err)
	}
	if p.ID == "" {
		return noPartner()
	}
	p.Held, p.Week = counted[0].Held, counted[0].Week
	w.Header().Set("ETag", httpx.VersionTag(p.Version))
	shown := shownPartner(p, today)
	if shown.HeldElsewhere = !p.mayBeChangedBy(who); !shown.HeldElsewhere {
		shown.Actions = schemas.PartnerActions(schemas.Role(who.Role), shown.Partner, shown.now())
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// now is what stands in a partner at present, by request and field: a form that changes it begins with that.
func (p partnerShown) now() map[string][]string {
	now := map[string][]string{"capacity.weekly": {strconv.Itoa(p.Capacity.Weekly)},
		"capacity.atMost": {strconv.Itoa(p.Capacity.AtMost)}, "capacity.works": p.Capacity.Works,
		"capacity.channels": p.Capacity.Channels, "capacity.languages": p.Capacity.Languages,
		"capacity.workerGenders": p.Capacity.WorkerGenders,
		"capacity.hours":         p.Capacity.Hours, "capacity.access": p.Capacity.Access,
		"capacity.groups": p.Capacity.Groups,
		"capacity.areas":  p.Capacity.Areas,
		"pause.until":     {p.PausedUntil}}
	for _, away := range p.Holidays {
		now["holidays.holidays"] = append(now["holidays.holidays"], away.From+"/"+away.Until)
	}
	if a := p.Agreement; a != nil {
		now["agreement.from"], now["agreement.until"] = []string{a.From}, []string{a.Until}
		now["agreement.outwardName"], now["agreement.safeguarding"], now["agreement.dataContact"] = []string{
			a.OutwardName}, []string{a.Safeguarding}, []string{a.DataContact}
	}
	return now
}

// changed handles a change of a partner: it counts at once, and offers that wait for a partner are looked at again.
func changed[B any](a api, change func(p *partnerRow, body B, now time.Time,
	zone *time.Location) (fault string)) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, id, err := principal.Asking(r, noPartner())
		if err != nil {
			return err
		}
		body, key, err := httpx.ReadRequest[B](w, r, maxBody, who.Key())
		if err != nil {
			return err
		}
		answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
			var p partnerRow
			lockPartner(tx, who, id, true, func(found partnerRow) { p = found })
			if err := tx.Flush(); err != nil {
				return 0, nil, err
			}
			if p.ID == "" {
				return 0, nil, noPartner()
			}
			if err := httpx.CheckIfMatch(r, httpx.VersionTag(p.Version)); err != nil {
				return 0, nil, err
			}
			if !p.mayBeChangedBy(who) {
				return 0, nil, httpx.NewProblem(http.StatusForbidden, "The agreement with this partner is another "+
					"organisation's: its navigators change it. Ask them.")
			}
			before := p.Agreement
			if fault := change(&p, body, tx.Now, a.zone); fault != "" {
				return 0, nil, httpx.NewProblem(http.StatusUnprocessableEntity, "%s", fault)
			}
			if p.Version++; p.Agreement != before && p.HeldBy == "" {
				p.HeldBy = who.Organisation // whoever records the first agreement holds it
			}
			savePartner(tx, p, tx.Now)
			w.Header().Set("ETag", httpx.VersionTag(p.Version))
			return http.StatusOK, shownPartner(p, calendar.DayOf(tx.Now, a.zone)), nil
		})
		if err != nil {
			return err
		}
		return answer.Write(w)
	}
}

// mayBeChangedBy says whether somebody may change a partner: itself, or a navigator of the organisation that holds the
// agreement with it; anybody's while nobody does.
func (p partnerRow) mayBeChangedBy(who principal.Principal) bool {
	return schemas.Role(who.Role) == schemas.Partner || p.HeldBy == "" || p.HeldBy == who.Organisation
}

func setCapacity(p *partnerRow, asked capacityAsked, _ time.Time, _ *time.Location) string {
	c := asked.over(p.Partner)
	if fault := c.fault(); fault != "" {
		return fault
	}
	p.Weekly, p.AtMost, p.Channels, p.Languages, p.WorkerGenders = c.Weekly, c.AtMost, c.Channels, c.Languages,
		c.WorkerGenders
	p.Hours, p.Access, p.Groups, p.Areas = c.Hours, c.Access, c.Groups, c.Areas
	p.Works, _ = Week(c.Works) // checked above
	return ""
}

func setAgreement(p *partnerRow, t Terms, _ time.Time, _ *time.Location) string {
	if fault := t.fault(); fault != "" {
		return fault
	}
	from, _ := calendar.ParseDay(t.From) // both checked above
	until, _ := calendar.ParseDay(t.Until)
	p.Agreement, p.OutwardName, p.Safeguarding, p.DataContact = &Span{from, until}, t.OutwardName, t.Safeguarding,
		t.DataContact
	return ""
}

type holidaysAsked struct {
	Holidays []Holiday `json:"holidays"`
}

func setHolidays(p *partnerRow, asked holidaysAsked, _ time.Time, _ *time.Location) (fault string) {
	if asked.Holidays == nil {
		return "Name all holidays that are to come (holidays), each from and until; an empty list where there is none."
	}
	p.Away, fault = spans(asked.Holidays)
	return fault
}

type pauseAsked struct {
	Until *string `json:"until"`
}

func setPause(p *partnerRow, asked pauseAsked, now time.Time, zone *time.Location) string {
	if asked.Until == nil {
		return "Name the last day of the pause (until), YYYY-MM-DD; an empty text lifts it."
	}
	if *asked.Until == "" {
		p.PausedUntil = 0
		return ""
	}
	today := calendar.DayOf(now, zone)
	until, err := calendar.Between(*asked.Until, today, today+366)
	if err != nil {
		return "A pause ends on a day from today to a year from now (until), YYYY-MM-DD."
	}
	p.PausedUntil = until
	return ""
}
