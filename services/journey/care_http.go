package journey

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What people record of the care around the follow-up. Each takes a locked journey and gathers what is to be written.

// assessment records who holds the last assessment, the holder of its aftercare, and what changed since: each once for
// one assessment. A later one takes its place.
func (w *writes) assessment(r *record, said schemas.AssessmentRecord) error {
	k := &r.JourneyState
	if fault := w.assessmentFault(k, said); fault != nil {
		return fault
	}
	a := Assessment{}
	if k.Assessment != nil {
		a = *k.Assessment
	}
	if said.On > a.On {
		a = Assessment{Holder: said.Holder, On: said.On}
	}
	a.Subscribed, a.Aftercare = Subscribed{r.Version, w.now.UTC()}, cmp.Or(said.Aftercare, a.Aftercare)
	if len(said.Changed) > 0 {
		a.Changed = slices.Compact(slices.Sorted(slices.Values(said.Changed)))
	}
	if said.Service != "" {
		a.Shared = maps.Clone(a.Shared)
		if a.Shared == nil {
			a.Shared = map[string]time.Time{}
		}
		a.Shared[said.Service] = w.now.UTC()
	}
	k.Assessment = &a
	w.note(r, lineAssessment, shown{"on": a.On, "holder": a.Holder, "aftercare": a.Aftercare, "changed": a.Changed,
		"service": said.Service})
	return w.compareNow(r)
}

// assessmentFault says why a record about an assessment is not taken, or nothing.
func (w *writes) assessmentFault(k *JourneyState, said schemas.AssessmentRecord) error {
	if faults := schemas.Validate(said); len(faults) > 0 {
		return unprocessable("The record is not as expected: see errors.").With("errors", faults)
	}
	before := Assessment{}
	if k.Assessment != nil {
		before = *k.Assessment
	}
	_, errDay := calendar.Between(said.On, w.today()-longestAssessment, w.today())
	switch {
	case (said.Holder == "") != (said.On == ""):
		return unprocessable("Say who holds the assessment (holder, such as team:ed-liaison or service:its-id) and " +
			"from which day it is (on), both.")
	case said.Holder == "" && before.Holder == "":
		return unprocessable("Nobody has recorded yet who holds the assessment. Say it first: holder, and on.")
	case said.Holder != "" && errDay != nil:
		return unprocessable("The day of the assessment is not a day of the past ten years (on, YYYY-MM-DD).")
	case strings.HasPrefix(said.Holder, schemas.OwnerPartner+":") ||
		strings.HasPrefix(said.Aftercare, schemas.OwnerPartner+":"):
		return unprocessable("An assessment and its aftercare are held by a team or a service of the NHS or the " +
			"council, never by a partner.")
	case slices.Contains(noAssessment, k.assessed()) && said.On != "":
		return conflict("The hospital said that no assessment was done (" + k.Assessed.Said +
			"), so there is none to hold and no 48-hour aftercare. Where it was done after all, record that first, " +
			"with POST /api/journeys/{id}/facts.")
	case said.Holder != "" && said.On <= before.On && (said.On != before.On || said.Holder != before.Holder):
		return conflict("Who holds the last assessment, of " + before.On + ", is recorded already. One of a later " +
			"day takes its place.")
	case said.Aftercare != "" && said.On <= before.On && before.Aftercare != "" && said.Aftercare != before.Aftercare:
		return conflict("Who the aftercare of this assessment is with is recorded already, once. One of a later day " +
			"takes its place.")
	case said.Service != "" && k.Services[said.Service].Asked.At == 0:
		return unprocessable("This service has not been asked on this journey. Record that first, with POST " +
			"/api/journeys/{id}/asked.")
	case said.Service != "" && len(said.Changed) == 0 && len(before.Changed) == 0:
		return unprocessable("Say what has changed since the last assessment (changed); nothing-has-changed is an " +
			"answer.")
	case slices.Contains(said.Changed, nothingChanged) && len(said.Changed) > 1:
		return unprocessable("Either nothing has changed, or what you name has.")
	}
	return nil
}

// firstContact records that the person would like an early voice, or what became of it.
func (w *writes) firstContact(r *record, said schemas.FirstContactRecord, by principal.Principal) error {
	k := &r.JourneyState
	if faults := schemas.Validate(said); len(faults) > 0 {
		return unprocessable("The record is not as expected: see errors.").With("errors", faults)
	}
	kind, _, _ := strings.Cut(said.By, ":")
	switch {
	case r.State == journeyClosed:
		return conflict("This journey is closed. Reopen it first, with POST /api/journeys/{id}/reopen.")
	case (said.Within == "") == (said.Outcome == ""):
		return unprocessable("Say within how many hours of leaving the person would like to hear from somebody " +
			"(within: 24, 48 or 72), or what became of it (outcome): one of the two.")
	case said.Outcome != "" && schemas.Role(by.Role) == schemas.Person:
		return forbidden("What became of the first contact is recorded by whoever made it.")
	case said.Outcome != "" && k.FirstContact.Asked.At == 0:
		return conflict("The person has not asked for an early contact. Record that first (within).")
	case kind != "" && kind != schemas.OwnerTeam && kind != schemas.OwnerNavigator:
		return unprocessable("Who makes the first contact (by) is a team or a navigator. A partner is in touch by " +
			"its offer, or by the calls that the person said yes to.")
	}
	f := k.FirstContact
	if said.Within != "" {
		hours := map[string]int{"24": 24, "48": 48, "72": 72}[said.Within]
		if owner := cmp.Or(said.By, teamLiaison); f.Asked.At > 0 && f.Became.At < f.Asked.At && f.Within == hours &&
			f.By == owner {
			return nil // said again
		}
		f = FirstContact{Asked: Subscribed{f.Asked.At + 1, w.now.UTC()}, Within: hours,
			By: cmp.Or(said.By, teamLiaison)}
	} else {
		if f.Became.At >= f.Asked.At && f.Outcome == said.Outcome {
			return nil
		}
		f.Became, f.Outcome = Subscribed{f.Asked.At, w.now.UTC()}, said.Outcome
	}
	k.FirstContact = f
	w.note(r, lineFirstContact, shown{"within": f.Within, "outcome": f.Outcome})
	return w.compareNow(r)
}

// retold records that the person had to tell it again.
func (w *writes) retold(tx *flow.Tx, r *record, said schemas.RetoldRecord, by principal.Principal) error {
	if said.On = cmp.Or(said.On, w.today().String()); said.To == "" {
		return unprocessable("Say to whom they had to tell it again (to): a role in lower-case words joined by " +
			"hyphens, such as gp or ward-team. Name nobody.")
	}
	if faults := schemas.Validate(said); len(faults) > 0 {
		return unprocessable("The record is not as expected: see errors.").With("errors", faults)
	}
	if _, err := calendar.Between(said.On, r.JourneyState.beganOn(w.zone), w.today()); err != nil {
		return unprocessable("The day (on) is before this journey began, or in the future. Use a local date, " +
			"YYYY-MM-DD.")
	}
	w.record(r)
	storeRetold(tx, r.ID, Told{said.On, said.To}, named(by), w.now)
	return nil
}

// record has a journey stored as it stands.
func (w *writes) record(r *record) {
	if !slices.Contains(w.records, r) {
		w.records = append(w.records, r)
	}
}

// compareNow brings the steps of a journey in line after somebody recorded something.
func (w *writes) compareNow(r *record) error {
	w.record(r)
	by := fmt.Sprintf("recorded/%d", w.now.UnixMicro())
	if r.State == journeyClosed {
		w.compareClosed(r, by)
		return nil
	}
	w.compare(r, w.desired(r), whatNext(w.owners, by, w.now, w.zone), by)
	return nil
}

func (a api) recordAssessment(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockJourney, func(tx *flow.Tx, ws *writes, j *record, _ string,
		said schemas.AssessmentRecord, _ principal.Principal) error {
		if err := ws.assessment(j, said); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

func (a api) recordFirstContact(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockJourney, func(tx *flow.Tx, ws *writes, j *record, _ string,
		said schemas.FirstContactRecord, p principal.Principal) error {
		if err := ws.firstContact(j, said, p); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

func (a api) recordRetold(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockJourney, func(tx *flow.Tx, ws *writes, j *record, _ string, said schemas.RetoldRecord,
		p principal.Principal) error {
		if err := ws.retold(tx, j, said, p); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

func (a api) firstContactShown(f FirstContact) *firstContactShown {
	if f.Asked.At == 0 {
		return nil
	}
	s := &firstContactShown{Within: f.Within, By: f.By, Outcome: f.Outcome}
	if f.Became.At >= f.Asked.At {
		at := f.Became.When.In(a.zone)
		s.At = &at
	}
	return s
}
