package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// storyDays is how long ago the demo's story begins at least: what it tells has happened by today, so that the system
// goes on with it as with any other.
const storyDays = 16

// storyTime is how long each thing of the story may take to happen.
const storyTime = time.Minute

// The hours in which the demo's person would like to be rung and met.
const theirHour = 18

// story is one made-up person's way from A&E to the closing, told day by day. It moves the clock, and does by HTTP what
// people would do.
type story struct {
	p        *process
	clock    *clock.Shifted
	zone     *time.Location
	day0     calendar.Day
	events   <-chan flow.Event
	all      []flow.Event // of its journey
	journey  string
	told     int      // of all, how many have been told
	partners []string // in the person's own order: one that is silent, one that takes them on
	names    map[string]string
}

// beginning is the night on which the story starts: a weekday whose ninth day after is one too, so that partners work.
func beginning(now time.Time, zone *time.Location) calendar.Day {
	holidays := calendar.England()
	day := calendar.DayOf(now, zone) - storyDays
	for !holidays.Working(day+sessionAfter, calendar.MondayToFriday) {
		day--
	}
	return day
}

// sessionAfter is how many days after leaving hospital the demo's session takes place.
const sessionAfter = 9

// firstCallAfter is how many days after leaving hospital the first short call is made.
const firstCallAfter = 5

// at moves the clock to an hour of a day of the story; it never goes back.
func (s *story) at(day calendar.Day, hour, minute int) { s.to(day.At(hour, minute, s.zone)) }

func (s *story) to(at time.Time) {
	if at.After(s.clock.Now()) {
		s.clock.Set(time.Until(at))
	}
}

// heading begins what is told of a day.
func (s *story) heading(words string, more ...any) {
	now := s.clock.Now().In(s.zone)
	fmt.Printf("\n%s, day %d\n  %s\n", now.Format("Monday 2 January, 15:04"), calendar.DayOf(now, s.zone)-s.day0,
		fmt.Sprintf(words, more...))
}

// await waits for an event of the journey that is news, and tells all that has come until then.
func (s *story) await(ctx context.Context, kind schemas.Type, about func(flow.Event) bool) (flow.Event, error) {
	limit := time.After(storyTime)
	for i := 0; ; i++ {
		for i >= len(s.all) {
			select {
			case <-ctx.Done():
				return flow.Event{}, context.Cause(ctx)
			case <-limit:
				return flow.Event{}, fmt.Errorf(
					"%s did not happen within %v; footbridge status says what is in the way", kind, storyTime)
			case e := <-s.events:
				s.take(ctx, e)
			}
		}
		if e := s.all[i]; e.Type == string(kind) && (about == nil || about(e)) {
			s.tell(i)
			return e, nil
		}
	}
}

// take keeps what concerns the story's journey. A partner that may be told of an offer reads it in its feed.
func (s *story) take(ctx context.Context, e flow.Event) {
	s.journey = cmp.Or(s.journey, e.Subject)
	if e.Subject != s.journey {
		return
	}
	s.all = append(s.all, e)
	if e.Type == string(schemas.OfferCleared) {
		go s.reads(ctx, read[schemas.OfferClearedData](e))
	}
}

// reads is the system of a partner: it reads the partner's feed until an offer is in it, and says by asking on from
// there that it has come. Where that fails the story waits in vain, and says for what.
func (s *story) reads(ctx context.Context, offer *schemas.OfferClearedData) {
	system, after := s.as(offer.Partner, schemas.Partner), ""
	for ctx.Err() == nil {
		var page struct {
			Items []struct {
				Event struct{ Subject string }
			}
			Next string
		}
		if _, err := system.call(ctx, http.MethodGet, "/api/feed?wait=10&after="+after, nil, "", &page); err != nil {
			return
		}
		after = page.Next
		for _, item := range page.Items {
			if item.Event.Subject == offer.Offer {
				_, _ = system.call(ctx, http.MethodGet, "/api/feed?after="+after, nil, "", nil)
				return
			}
		}
	}
}

// tell prints the events up to i that have not been told, in the order in which they happened.
func (s *story) tell(i int) {
	fresh := slices.Clone(s.all[min(s.told, i+1) : i+1])
	s.told = max(s.told, i+1)
	slices.SortStableFunc(fresh, func(a, b flow.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	for _, e := range fresh {
		fmt.Printf("    %s  %-30s %s\n", e.Time.In(s.zone).Format("15:04"),
			strings.TrimPrefix(e.Type, schemas.TypePrefix), schemas.Sentence(e.Type))
	}
}

// as is a client of somebody who is signed in, as they would be by the sign-in page.
func (s *story) as(organisation string, role schemas.Role) *client {
	who := principal.Principal{Organisation: organisation, Role: string(role), Subject: "demo-" + string(role)}
	return &client{base: "http://" + s.p.cfg.HTTPAddr, http: ownSystem, authorise: func(r *http.Request) error {
		page := signedIn{}
		if err := s.p.sessions.Begin(page, r, who); err != nil {
			return err
		}
		cookie, err := http.ParseSetCookie(http.Header(page).Get("Set-Cookie"))
		if err != nil {
			return fmt.Errorf("signing in as a %s: %w", role, err)
		}
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
		return nil
	}}
}

// signedIn is the answer to somebody who signs in, of which the cookie is used.
type signedIn http.Header

func (p signedIn) Header() http.Header         { return http.Header(p) }
func (p signedIn) Write(b []byte) (int, error) { return len(b), nil }
func (p signedIn) WriteHeader(int)             {}

// does is one request of somebody's, which must succeed.
func (s *story) does(ctx context.Context, organisation string, role schemas.Role, path, body string, answer any) error {
	if _, err := s.as(organisation, role).call(ctx, http.MethodPost, path, []byte(body), "application/json",
		answer); err != nil {
		return fmt.Errorf("as a %s, asking %s: %w", role, path, err)
	}
	return nil
}

func (s *story) staff(ctx context.Context, role schemas.Role, path, body string, answer any) error {
	return s.does(ctx, s.p.cfg.Organisation, role, path, body, answer)
}

// steps tells what happens next, as anybody on duty would see it, once the journey has taken in all that was told.
func (s *story) steps(ctx context.Context) error {
	var j journeyLine
	beat := time.NewTicker(100 * time.Millisecond)
	defer beat.Stop()
	for limit := time.Now().Add(storyTime); ; <-beat.C {
		if _, err := s.as(s.p.cfg.Organisation, schemas.Navigator).call(ctx, http.MethodGet, "/api/journeys/"+s.journey,
			nil, "", &j); err != nil {
			return err
		}
		if s.takenIn(j) {
			break
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the journey has not taken in all that was said within %v; footbridge status says what "+
				"is in the way", storyTime)
		}
	}
	fmt.Println("  What happens next, who does it and by when:")
	for _, step := range j.Steps {
		fmt.Printf("    %s, by %s, by %s\n", lowerFirst(cmp.Or(step.Words, step.Kind)), s.owner(step.Owner),
			step.DueAt.In(s.zone).Format("Monday 2 January 15:04"))
	}
	return nil
}

// takenIn says whether a journey's timeline holds every event that was told, but for those of the journey itself.
func (s *story) takenIn(j journeyLine) bool {
	told := 0
	for _, e := range s.all[:s.told] {
		if schemas.Type(e.Type).Noun() != schemas.Journey {
			told++
		}
	}
	return len(j.Timeline) >= told
}

// owner names who does a step; a partner by the name that staff know it by.
func (s *story) owner(owner string) string {
	kind, id, _ := strings.Cut(owner, ":")
	if name := s.names[id]; kind == schemas.OwnerPartner && name != "" {
		return name
	}
	return ownerInWords(owner)
}

func lowerFirst(words string) string { return strings.ToLower(words[:1]) + words[1:] }

// run tells the whole of it. An error says what did not happen.
func (s *story) run(ctx context.Context) error {
	for _, act := range []func(context.Context) error{s.leaves, s.isAsked, s.fallsBetween, s.silence, s.accepts,
		s.books, s.isRung, s.meets, s.closes} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	s.clock.Set(0)
	return nil
}

// leaves: the hospital's three messages, and what becomes of them.
func (s *story) leaves(ctx context.Context) error {
	s.at(s.day0, 3, 10)
	s.heading("Somebody leaves A&E after self-harm. The hospital's system sends what it always sends: three HL7 v2 " +
		"messages.")
	if err := s.p.playHospital(ctx, s.clock.Now()); err != nil {
		return err
	}
	raised, err := s.await(ctx, schemas.OfferRaised, nil)
	if err != nil {
		return err
	}
	for _, kind := range []schemas.Type{schemas.PathwayDecided, schemas.JourneyOpened} {
		if _, err := s.await(ctx, kind, nil); err != nil {
			return err
		}
	}
	if err := s.p.printEligibility(ctx, s.as(s.p.cfg.Organisation, schemas.Navigator), s.journey); err != nil {
		return err
	}
	offer := read[schemas.OfferRaisedData](raised)
	fmt.Printf("\n  The follow-up offer: one session with a peer worker, from %s to %s (day 7 to day 14 after "+
		"leaving hospital).\n", dayInWords(offer.FirstDay), dayInWords(offer.LastDay))
	fmt.Println("  Nothing about the person leaves the hospital's side before they say yes.")
	return s.steps(ctx)
}

// isAsked: the liaison team asks the person, who says yes to two partners in their own order, and to short calls.
func (s *story) isAsked(ctx context.Context) error {
	s.at(s.day0, 11, 30)
	s.heading("The liaison team asks the person what is not known yet, and what they would like:\n  to be met by one " +
		"of two groups, in this order, by video; and short calls while they wait.")
	var answers []string
	for _, partner := range s.partners {
		answers = append(answers, fmt.Sprintf(`{"purpose":"follow-up","organisation":%q,"state":"given"}`, partner))
	}
	answers = append(answers, `{"purpose":"bridging","state":"given"}`)
	if err := s.staff(ctx, schemas.SendingTeam, "/api/journeys/"+s.journey+"/preferences",
		fmt.Sprintf(`{"channels":["video"],"partners":[%q,%q]}`, s.partners[0], s.partners[1]), nil); err != nil {
		return err
	}
	facts := `{"facts":{"areaResidence":"area-north","areaStaying":"area-north","areaGP":"area-north","registeredGP":true,"gender":"woman","carer":false}}`
	if err := s.staff(ctx, schemas.SendingTeam, "/api/journeys/"+s.journey+"/facts", facts, nil); err != nil {
		return err
	}
	if err := s.staff(ctx, schemas.SendingTeam, "/api/journeys/"+s.journey+"/consent",
		`{"how":"spoken","told":["separate-from-hospital","may-change-mind"],"answers":[`+strings.Join(answers, ",")+
			`]}`, nil); err != nil {
		return err
	}
	_, err := s.await(ctx, schemas.OfferSent, nil)
	return err
}

// fallsBetween: two services say no for opposite reasons, which is seen together, and calls are proposed for the
// meantime.
func (s *story) fallsBetween(ctx context.Context) error {
	s.at(s.day0, 15, 0)
	s.heading("Two services are asked, and both say no: too much for the one, not enough for the other. Seen " +
		"together, that is a gap,\n  a navigator holds it, and short calls are proposed. The person has said yes to " +
		"them, in the evening.")
	path := "/api/journeys/" + s.journey
	for _, said := range [][2]string{
		{"talking-therapies",
			`"reason":"too-high","side":"above","answeredBy":"duty-worker","words":"We do not see people who have harmed themselves in the last four weeks."`},
		{"community-team",
			`"reason":"24","side":"below","answeredBy":"coordinator","words":"This does not meet what we are for at present."`},
	} {
		if err := s.staff(ctx, schemas.SendingTeam, path+"/asked", fmt.Sprintf(`{"service":%q}`, said[0]),
			nil); err != nil {
			return err
		}
		if err := s.staff(ctx, schemas.SendingTeam, path+"/answered", fmt.Sprintf(`{"service":%q,"answer":"no",%s}`,
			said[0], said[1]), nil); err != nil {
			return err
		}
	}
	for _, kind := range []schemas.Type{schemas.GapFound, schemas.BridgingStarted} {
		if _, err := s.await(ctx, kind, nil); err != nil {
			return err
		}
	}
	plan := fmt.Sprintf(
		`{"everyDays":2,"firstOn":%q,"windows":[{"days":["mon","tue","wed","thu","fri","sat","sun"],"fromHour":%d,"toHour":%d}]}`,
		(s.day0 + firstCallAfter).String(), theirHour, theirHour+2)
	if err := s.staff(ctx, schemas.SendingTeam, path+"/plan", plan, nil); err != nil {
		return err
	}
	return s.steps(ctx)
}

// standing is the offer that was last raised to a partner.
func (s *story) standing(partner string) *schemas.OfferRaisedData {
	for _, e := range slices.Backward(s.all) {
		if offer := read[schemas.OfferRaisedData](e); e.Type == string(schemas.OfferRaised) &&
			offer.Partner == partner {
			return offer
		}
	}
	return nil
}

func of(offer string) func(flow.Event) bool {
	return func(e flow.Event) bool {
		var about struct {
			Offer string `json:"offer"`
		}
		return json.Unmarshal(e.Data, &about) == nil && about.Offer == offer
	}
}

// silence: the first partner does not answer, and the next is asked.
func (s *story) silence(ctx context.Context) error {
	silent := s.standing(s.partners[0])
	if silent == nil {
		return errors.New("no offer was made to the partner that the person named first")
	}
	s.to(silent.AnswerBy.Add(time.Minute))
	s.heading("The first group has not answered in its two working days. Silence is never read as a yes, and nobody " +
		"waits for it: the next is asked.")
	if _, err := s.await(ctx, schemas.OfferPassedOn, of(silent.Offer)); err != nil {
		return err
	}
	_, err := s.await(ctx, schemas.OfferSent, func(e flow.Event) bool { return !of(silent.Offer)(e) })
	return err
}

// accepts: the second partner takes the person on, and only now may read who they are.
func (s *story) accepts(ctx context.Context) error {
	offer := s.standing(s.partners[1])
	if offer == nil {
		return errors.New("no offer was made to the second partner")
	}
	s.to(s.clock.Now().Add(40 * time.Minute))
	s.heading("The second group says yes. Only now may it read who the person is; every look is kept, and the person " +
		"can read it.")
	if err := s.does(ctx, s.partners[1], schemas.Partner, "/api/offers/"+offer.Offer+"/accept", `{}`, nil); err != nil {
		return err
	}
	if _, err := s.await(ctx, schemas.OfferAccepted, nil); err != nil {
		return err
	}
	return nil
}

func (s *story) books(ctx context.Context) error {
	offer := s.standing(s.partners[1])
	begins := (s.day0 + sessionAfter).At(theirHour, 0, s.zone)
	s.to(s.clock.Now().Add(25 * time.Minute))
	s.heading("Its worker and the person agree on %s, by video.", begins.Format("Monday 2 January at 15:04"))
	if err := s.does(ctx, s.partners[1], schemas.Partner, "/api/offers/"+offer.Offer+"/appointment",
		fmt.Sprintf(`{"startsAt":%q,"channel":"video"}`, begins.Format(time.RFC3339)), nil); err != nil {
		return err
	}
	if _, err := s.await(ctx, schemas.AppointmentBooked, nil); err != nil {
		return err
	}
	return s.steps(ctx)
}

// meets: the session takes place, and what comes next is asked.
func (s *story) meets(ctx context.Context) error {
	offer := s.standing(s.partners[1])
	s.at(s.day0+sessionAfter, theirHour+2, 0)
	s.heading("They have met. The group says that it took place, and what the person would like next; nothing of " +
		"what was spoken about comes here.")
	if err := s.does(ctx, s.partners[1], schemas.Partner, "/api/offers/"+offer.Offer+"/outcome",
		`{"outcome":"kept","next":"nothing-more"}`, nil); err != nil {
		return err
	}
	for _, kind := range []schemas.Type{schemas.AppointmentKept, schemas.FollowupCompleted} {
		if _, err := s.await(ctx, kind, nil); err != nil {
			return err
		}
	}
	return s.steps(ctx)
}

// closes: a named human brings it to an end with the person, and there is a way back.
func (s *story) closes(ctx context.Context) error {
	s.at(s.day0+sessionAfter+3, 10, 30)
	s.heading("The navigator asks the person what they would like now. Nothing more for the moment, and they know " +
		"how to come back.")
	body := fmt.Sprintf(`{"reason":"complete","told":"phone","wayBack":"own-request","on":%q,"personAgrees":true}`,
		(s.day0 + sessionAfter).String())
	if err := s.staff(ctx, schemas.Navigator, "/api/journeys/"+s.journey+"/close", body, nil); err != nil {
		return err
	}
	_, err := s.await(ctx, schemas.JourneyClosed, nil)
	return err
}

// nextCall is the call that is to be made next, from now on.
func (s *story) nextCall(ctx context.Context) (*schemas.CallScheduledData, error) {
	e, err := s.await(ctx, schemas.CallScheduled, func(e flow.Event) bool {
		due := read[schemas.CallScheduledData](e).DueAt
		return due.After(s.clock.Now()) && due.Before((s.day0+sessionAfter).At(0, 0, s.zone))
	})
	if err != nil {
		return nil, err
	}
	call := read[schemas.CallScheduledData](e)
	s.to(call.DueAt.Add(time.Minute))
	return call, nil
}

// isRung: two short calls, in the person's own hours. In the second one help is needed, and somebody on call takes
// that on.
func (s *story) isRung(ctx context.Context) error {
	call, err := s.nextCall(ctx)
	if err != nil {
		return err
	}
	s.heading("A caller of the hospital's team rings, in the hours that the person named: ten minutes, one question. " +
		"Things are much the same.")
	if err := s.rings(ctx, call.Call, `{"outcome":"reached","answer":"same"}`); err != nil {
		return err
	}
	if _, err := s.await(ctx, schemas.CallReached, nil); err != nil {
		return err
	}
	if call, err = s.nextCall(ctx); err != nil {
		return err
	}
	s.heading("The second call. The person needs help now. The caller presses that, before anything else is written " +
		"down.")
	if err := s.rings(ctx, call.Call, `{"outcome":"help-needed-now"}`); err != nil {
		return err
	}
	asked, err := s.await(ctx, schemas.HelpRequested, nil)
	if err != nil {
		return err
	}
	s.to(s.clock.Now().Add(3 * time.Minute))
	s.heading("The navigator on call takes it on and rings the person.")
	if err := s.staff(ctx, schemas.Navigator, "/api/help/"+read[schemas.HelpRequestedData](asked).Help+"/acknowledge",
		`{}`, nil); err != nil {
		return err
	}
	if _, err = s.await(ctx, schemas.HelpAcknowledged, nil); err != nil {
		return err
	}
	return s.steps(ctx)
}

// rings takes a call on, which shows the caller name and number until its outcome, and writes down what became of it.
func (s *story) rings(ctx context.Context, call, outcome string) error {
	if err := s.staff(ctx, schemas.Caller, "/api/calls/"+call+"/claim", `{}`, nil); err != nil {
		return err
	}
	return s.staff(ctx, schemas.Caller, "/api/calls/"+call+"/outcome", outcome, nil)
}
