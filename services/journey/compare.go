package journey

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// Matters of which several services should know the same of a journey. Most values are sequences: whoever has taken in
// the same events has the same ones, so that nothing of what they say is compared, and nothing of it is read.
const (
	matterKnown    = "known"     // the journey has begun
	matterBegan    = "began"     // by which event
	matterVisits   = "visits"    // which were recorded and withdrawn
	matterHeld     = "held"      // the journey is on hold
	matterClosed   = "closed"    // the journey is closed
	matterFollowUp = "follow-up" // the person's answers to follow-up
	matterCalls    = "calls"     // the person's answers to calls
	matterContact  = "contact"   // whether contact may be made
	matterBarred   = "barred"    // who must not know
	matterHours    = "hours"     // when the person may be rung
	matterDecided  = "decided"   // what is open to them has been looked at
	matterOffer    = "offer"     // the offer that stands
	matterTaken    = "taken"     // the offer by which a partner reads who the person is
	matterTold     = "told"      // the offers that have come to their partners
	matterPlan     = "plan"      // the plan of calls
	matterLines    = "lines-of-" // how many events of a service there were, and how many lines they have
)

// matters are who knows what of a journey; each service has a view `account` of it, but journey, which reads its own
// rows. A matter that a service does not mention is, to it, not so.
var matters = map[string][]string{
	matterKnown:    {schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, Name},
	matterBegan:    {schemas.Threshold, schemas.Followup, schemas.Bridging, Name},
	matterVisits:   {schemas.Followup, schemas.Bridging, Name},
	matterHeld:     {schemas.Intake, schemas.Followup, schemas.Bridging, schemas.Delivery, Name},
	matterClosed:   {schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Delivery, Name},
	matterFollowUp: {schemas.Followup, schemas.Delivery, Name},
	matterCalls:    {schemas.Bridging, Name},
	matterContact:  {schemas.Followup, schemas.Bridging, schemas.Delivery, Name},
	matterBarred:   {schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Delivery, Name},
	matterHours:    {schemas.Followup, schemas.Bridging, Name},
	matterDecided:  {schemas.Threshold, schemas.Followup},
	matterOffer:    {schemas.Followup, Name},
	matterTaken:    {schemas.Intake, schemas.Followup},
	matterTold:     {schemas.Followup, schemas.Delivery},
	matterPlan:     {schemas.Bridging, Name},

	matterLines + schemas.Intake:    {schemas.Intake, Name},
	matterLines + schemas.Threshold: {schemas.Threshold, Name},
	matterLines + schemas.Followup:  {schemas.Followup, Name},
	matterLines + schemas.Bridging:  {schemas.Bridging, Name},
	matterLines + schemas.Delivery:  {schemas.Delivery, Name},
}

// KnownBy are the services that know of each journey.
func KnownBy() []string { return slices.Clone(matters[matterKnown]) }

// Difference is that services do not know the same of a journey: what each says of one matter.
type Difference struct {
	Journey, Matter string
	Says            map[string]string // by service; one that is not there says nothing of it
}

// key is the same each time that the same is found.
func (d Difference) key() string {
	says := make([]string, 0, len(d.Says))
	for _, service := range slices.Sorted(maps.Keys(d.Says)) {
		says = append(says, service+"="+d.Says[service])
	}
	return "differs/" + d.Journey + "/" + d.Matter + "/" + strings.Join(says, ";")
}

// accounts are what services say of journeys: by journey, matter and service.
type accounts map[string]map[string]map[string]string

func (a accounts) add(journey, matter, service, value string) {
	if a[journey] == nil {
		a[journey] = map[string]map[string]string{}
	}
	if a[journey][matter] == nil {
		a[journey][matter] = map[string]string{}
	}
	a[journey][matter][service] = value
}

// differences are the matters of which those services that were asked do not say the same, in the order of journeys.
func (a accounts) differences(asked []string) (all []Difference) {
	for _, journey := range slices.Sorted(maps.Keys(a)) {
		for _, matter := range slices.Sorted(maps.Keys(a[journey])) {
			says := a[journey][matter]
			var first string
			for i, service := range slices.DeleteFunc(slices.Clone(matters[matter]),
				func(s string) bool { return !slices.Contains(asked, s) }) {
				if i == 0 {
					first = says[service]
				} else if says[service] != first {
					all = append(all, Difference{Journey: journey, Matter: matter, Says: says})
					break
				}
			}
		}
	}
	return all
}

// compared says whether a service is asked what it knows.
func compared(service string) bool {
	for _, services := range matters {
		if slices.Contains(services, service) {
			return true
		}
	}
	return false
}

// own is what journey knows, matter by matter.
func (w whole) own() map[string]string {
	k := &w.JourneyState
	said := map[string]string{}
	set := func(matter, value string) {
		if value = normal(value); value != "" {
			said[matter] = value
		}
	}
	if k.began() {
		set(matterKnown, "yes")
	}
	set(matterBegan, fmt.Sprint(k.PersonAt))
	var recorded, withdrawn []int64
	for _, id := range slices.SortedFunc(maps.Keys(k.Visits), strings.Compare) {
		recorded, withdrawn = appendAt(recorded, k.Visits[id].Recorded.At),
			appendAt(withdrawn, k.Visits[id].Withdrawn.At)
	}
	set(matterVisits, sequences(append(recorded, withdrawn...)))
	switch w.State {
	case journeyOnHold:
		set(matterHeld, "yes")
	case journeyClosed:
		set(matterClosed, "yes")
	}
	set(matterFollowUp, answered(k.Consents[schemas.PurposeFollowUp]))
	set(matterCalls, answered(k.Consents[schemas.PurposeBridging]))
	set(matterContact, fmt.Sprint(k.Contact.At))
	set(matterBarred, fmt.Sprint(k.BarredAt))
	set(matterHours, fmt.Sprint(k.HoursAt))
	if id, _, ok := k.active(); ok {
		set(matterOffer, id)
	}
	if k.Plan.State != planEnded {
		set(matterPlan, k.Plan.ID)
	}
	lines := map[string]int{}
	for typ, n := range w.Lines {
		if entry, known := schemas.Lookup(schemas.Type(typ)); known {
			lines[entry.By] += n
		}
	}
	for service, n := range lines {
		set(matterLines+service, fmt.Sprint(n))
	}
	return said
}

func appendAt(list []int64, at int64) []int64 {
	if at > 0 {
		list = append(list, at)
	}
	return list
}

// answered are the sequences of all answers to a purpose, to any organisation first, then by name.
func answered(a schemas.Answers) string {
	list := appendAt(nil, a.Any.At)
	for _, organisation := range slices.Sorted(maps.Keys(a.Named)) {
		list = appendAt(list, a.Named[organisation].At)
	}
	return sequences(list)
}

func sequences(list []int64) string {
	slices.Sort(list)
	text, _ := json.Marshal(append([]int64{}, list...)) // numbers can be written
	return string(text)
}

// normal is a value as it is compared: lists of sequences in order, and nothing where there is none.
func normal(value string) string {
	var list []int64
	if json.Unmarshal([]byte(value), &list) == nil && strings.HasPrefix(value, "[") {
		value = sequences(slices.DeleteFunc(list, func(at int64) bool { return at == 0 }))
	}
	if value == "0" || value == "[]" {
		return ""
	}
	return value
}

// farthestDue is how far ahead a step may be due: what is due later is seen by nobody.
const farthestDue = 400 * 24 * time.Hour

// amiss are the findings of one journey that its own rows show: nobody holds it, a step was closed, moved, or taken
// from somebody, by no way that there is.
func (w whole) amiss(owners Owners, now time.Time) (found []finding) {
	one := func(key, reason, kind string, since time.Time) {
		found = append(found, finding{Key: key, Journey: w.ID, Reason: reason, Since: since, Kind: kind})
	}
	if !w.Holds {
		one("no-step/"+w.ID, voidNoStep, stepTakeOver, w.Arrived)
	}
	if w.Stored != nil && *w.Stored != len(w.Open) && !w.Broken {
		one(fmt.Sprintf("steps/%s/%d/%d-of-%d", w.ID, w.Version, len(w.Open), *w.Stored), voidNoStep,
			stepFindWhatIsLost, now)
	}
	for _, s := range w.Open {
		switch {
		case strings.HasPrefix(s.Basis, byHand+"sentinel/"):
		case !s.Due.Equal(s.First) || s.Due.After(now.Add(farthestDue)):
			one(fmt.Sprintf("due/%s/%d", s.ID, s.Due.Unix()), voidOverdue, stepTakeOver, now)
		case !w.hasOwner(s, owners):
			one("owner/"+s.ID+"/"+s.Owner, voidNoStep, stepTakeOver, now)
		case s.Level > 0 && !s.Handed && s.Owner != owners.Navigator && !slices.Contains(s.Added, owners.Navigator):
			one(fmt.Sprintf("added/%s/%d", s.ID, s.Level), voidNoStep, stepTakeOver, now)
		case s.Marked && !s.Found:
			one("marked/"+s.ID, voidOverdue, stepTakeOver, s.Due)
		}
	}
	return found
}

// hasOwner says whether the owner of a step is one that there is: a team or a post of the rules, a partner, a service,
// whoever a person named, or whoever it was handed to.
func (w whole) hasOwner(s openStep, owners Owners) bool {
	known := []string{owners.Navigator, owners.Deputy, owners.OutOfHours, teamLiaison, teamYoungPeople, teamCallers,
		teamOnCall, teamGovernance}
	kind, _, _ := strings.Cut(s.Owner, ":")
	return slices.Contains(known, s.Owner) || kind == schemas.OwnerPartner || kind == "service" || s.Handed ||
		strings.HasPrefix(s.Basis, byHand) || strings.Contains(w.Text, `"`+s.Owner+`"`)
}
