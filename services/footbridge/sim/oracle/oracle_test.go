package oracle

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// story is a log, line by line, that a test changes as a system would write it in which a rule is broken.
type story struct {
	t     *testing.T
	lines []map[string]any
}

// healthy is the log of some people of a simulation in which nothing was broken (footbridge sim --out).
func healthy(t *testing.T) *story {
	t.Helper()
	file, err := os.Open("testdata/log.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t}
	for one := range bytes.Lines(text) {
		line := map[string]any{}
		if err := json.Unmarshal(one, &line); err != nil {
			t.Fatal(err)
		}
		s.lines = append(s.lines, line)
	}
	return s
}

func (s *story) count() Counts {
	s.t.Helper()
	var text bytes.Buffer
	write := json.NewEncoder(&text)
	for _, one := range s.lines {
		if err := write.Encode(one); err != nil {
			s.t.Fatal(err)
		}
	}
	counts, err := Count(&text)
	if err != nil {
		s.t.Fatal(err)
	}
	return counts
}

type is = func(map[string]any) bool

func event(name string) is {
	return func(l map[string]any) bool { return l["kind"] == "event" && l["about"] == name+".v1" }
}

func request(end string) is {
	return func(l map[string]any) bool {
		path, _ := l["path"].(string)
		return l["kind"] == "request" && strings.HasSuffix(path, "/"+end)
	}
}

func kind(name string) is { return func(l map[string]any) bool { return l["kind"] == name } }

func of(journey any, all ...is) is {
	return func(l map[string]any) bool {
		return l["journey"] == journey && (len(all) == 0 || slices.ContainsFunc(all,
			func(one is) bool { return one(l) }))
	}
}

// where is the first line from one on that is so.
func (s *story) where(from int, so is) int {
	s.t.Helper()
	i := slices.IndexFunc(s.lines[from:], so)
	if i < 0 {
		s.t.Fatal("the log has nothing that could be changed")
	}
	return from + i
}

func (s *story) drop(so is) {
	s.t.Helper()
	s.where(0, so)
	s.lines = slices.DeleteFunc(s.lines, so)
}

// change changes a member of the data of all lines that are so.
func (s *story) change(so is, member string, to any) {
	s.t.Helper()
	s.where(0, so)
	for _, l := range s.lines {
		if so(l) {
			data(l)[member] = to
		}
	}
}

func data(l map[string]any) map[string]any {
	d, _ := l["data"].(map[string]any)
	return d
}

// put puts lines in before one, at its time.
func (s *story) put(i int, lines ...map[string]any) {
	for _, l := range lines {
		l["at"] = s.lines[i]["at"]
	}
	s.lines = slices.Insert(s.lines, i, lines...)
}

// pause stands between events that were not seen together.
func pause() map[string]any { return map[string]any{"kind": "day"} }

func says(journey any, from, name string, d map[string]any) map[string]any {
	return map[string]any{"kind": "event", "journey": journey, "from": "/footbridge/" + from, "about": name + ".v1",
		"data": d}
}

func does(journey any, path string, d map[string]any) map[string]any {
	return map[string]any{"kind": "request", "by": "team:liaison", "journey": journey, "path": path, "status": 200,
		"about": "said", "data": d}
}

func answers(journey any, purpose, organisation, state string) map[string]any {
	return does(journey, "/api/journeys/x/consent", map[string]any{"answers": []any{map[string]any{"purpose": purpose,
		"organisation": organisation, "state": state}}})
}

func copied(l map[string]any) map[string]any {
	text, _ := json.Marshal(l)
	var again map[string]any
	_ = json.Unmarshal(text, &again)
	delete(again, "seq")
	return again
}

// someone is the journey of the first line that is so, and the place of that line.
func (s *story) someone(so is) (journey any, i int) {
	s.t.Helper()
	i = s.where(0, so)
	return s.lines[i]["journey"], i
}

const never = "2027-02-01T12:00:00Z"

// partnersStep is what stands where nobody but a partner has something to do.
func partnersStep(owner string) []any {
	return []any{map[string]any{"step": "aaaa", "kind": "partner-arranges", "owner": owner, "dueAt": never}}
}

// loses has a window pass without a session, with such steps in its last evening.
func loses(s *story, owner string) {
	journey, i := s.someone(event("offer.confirmed"))
	last := data(s.lines[s.where(0, of(journey, event("offer.raised")))])["lastDay"].(string)
	n := 0
	s.lines = slices.DeleteFunc(s.lines, func(l map[string]any) bool {
		n++
		return n > i+1 && l["journey"] == journey && l["kind"] != "look"
	})
	evening := s.where(0, func(l map[string]any) bool { return l["at"].(string) > last+"T19" })
	s.put(evening, pause(), map[string]any{"kind": "steps", "journey": journey, "data": partnersStep(owner)})
	for k := evening; k < evening+2; k++ {
		s.lines[k]["at"] = last + "T19:00:00Z"
	}
}

// lastSteps changes the steps of a journey in the second evening in which one stands that stood before.
func lastSteps(s *story, how func(step map[string]any)) {
	seen := map[any]bool{}
	for _, l := range s.lines {
		if l["kind"] != "steps" {
			continue
		}
		for _, one := range l["data"].([]any) {
			step := one.(map[string]any)
			if seen[step["step"]] {
				how(step)
				return
			}
			seen[step["step"]] = true
		}
	}
	s.t.Fatal("no step stands two evenings")
}

// breaks are the rules, each broken as a system would that does not keep it.
var breaks = map[Rule]func(*story){
	NoStep: func(s *story) {
		journey, i := s.someone(event("journey.opened"))
		data(s.lines[s.where(i, kind("tick"))])["lost"] = []any{journey}
	},
	VoidMiscounted: func(s *story) {
		for _, l := range s.lines {
			if l["kind"] == "void" {
				l["data"] = []any{}
			}
		}
	},
	VoidUnseen: func(s *story) { s.drop(event("journey.in-void")) },
	NobodyAdded: func(s *story) {
		for _, l := range s.lines {
			late, _ := data(l)["overdue"].([]any)
			for _, one := range late {
				delete(one.(map[string]any), "alsoOwners")
			}
		}
	},
	PutOff:         func(s *story) { lastSteps(s, func(step map[string]any) { step["dueAt"] = never }) },
	OwnerLost:      func(s *story) { lastSteps(s, func(step map[string]any) { step["owner"] = "team:nobody" }) },
	ClosedByNobody: func(s *story) { s.drop(request("close")) },
	Unaccounted: func(s *story) {
		i := s.where(0, event("discharge.recorded"))
		s.lines = slices.Delete(s.lines, i, i+1)
	},
	TwoJourneys: func(s *story) {
		_, i := s.someone(event("journey.opened"))
		another := copied(s.lines[i])
		another["journey"] = "another"
		s.put(s.where(i, kind("tick")), another)
	},
	EventLost: func(s *story) { s.drop(event("consent.given")) },
	EventTwice: func(s *story) {
		_, i := s.someone(event("offer.raised"))
		again := copied(s.lines[i])
		again["seq"] = s.lines[i]["seq"]
		s.put(s.where(i, kind("tick")), again)
	},
	EligibilityLost: func(s *story) {
		_, i := s.someone(event("pathway.decided"))
		again := copied(s.lines[i])
		data(again)["open"] = []any{}
		s.put(s.where(i, kind("tick"))+1, again)
	},
	WindowWrong:  func(s *story) { s.change(event("offer.raised"), "lastDay", "2027-03-01") },
	WindowUnheld: func(s *story) { loses(s, "partner:north-peers") },
	WindowUntold: func(s *story) { loses(s, "navigator:duty") },
	OfferUnasked: func(s *story) {
		journey, _ := s.someone(event("offer.sent"))
		s.drop(of(journey, event("consent.given"), request("consent")))
	},
	OfferBarred: func(s *story) {
		journey, i := s.someone(event("offer.sent"))
		at := s.lines[i]["at"]
		first := s.where(0, func(l map[string]any) bool { return l["at"] == at })
		s.put(first, pause(), says(journey, "intake", "person.contact-stopped", map[string]any{}), pause())
	},
	OfferRefused: func(s *story) {
		journey, i := s.someone(event("offer.raised"))
		raised := copied(s.lines[i])
		data(raised)["offer"] = "another"
		s.put(s.where(i, kind("tick")), answers(journey, followUp, data(raised)["partner"].(string), "declined"),
			raised)
	},
	OfferUnfit:    func(s *story) { s.change(kind("listed"), "from", 99) },
	OfferOrder:    func(s *story) { s.drop(event("offer.accepted")) },
	AnswerTooLate: func(s *story) { s.change(event("offer.sent"), "answerBy", never) },
	SilenceStands: func(s *story) {
		journey, i := s.someone(event("offer.sent"))
		n := 0
		s.lines = slices.DeleteFunc(s.lines, func(l map[string]any) bool {
			n++
			return n > i+1 && l["journey"] == journey
		})
	},
	NobodyLeft: func(s *story) {
		journey, i := s.someone(event("offer.confirmed"))
		evening := s.where(i, of(journey, kind("steps")))
		s.lines[evening]["data"] = partnersStep("partner:north-peers")
		s.put(evening, says(journey, "followup", "offer.exhausted", map[string]any{}))
	},
	TwoAcceptances: func(s *story) {
		journey, i := s.someone(event("offer.accepted"))
		another := func(name string) map[string]any {
			return says(journey, "followup", name, map[string]any{"offer": "another", "partner": "p"})
		}
		s.put(s.where(i, kind("tick")), another("offer.raised"), another("offer.cleared"), another("offer.accepted"))
	},
	PersonWaited:   func(s *story) { s.change(event("offer.accepted"), "personAnswersBy", never) },
	Unbooked:       func(s *story) { s.change(event("offer.confirmed"), "bookBy", never) },
	OutcomeUnknown: func(s *story) { s.change(event("appointment.booked"), "outcomeBy", never) },
	Oversold:       func(s *story) { s.change(request("capacity"), "weekly", 1) },
	NotStopped: func(s *story) {
		journey, i := s.someone(event("offer.confirmed"))
		s.put(s.where(i, kind("tick")), answers(journey, followUp, "", "withdrawn"))
	},
	NobodyRang: func(s *story) {
		journey, i := s.someone(event("appointment.booked"))
		at, _ := time.Parse(time.RFC3339, s.lines[i]["at"].(string))
		data(s.lines[i])["startsAt"] = at.Add(24 * time.Hour).Format(time.RFC3339)
		offer := data(s.lines[i])["offer"]
		s.put(s.where(i, kind("tick")), answers(journey, followUp, "", "withdrawn"),
			says(journey, "intake", "consent.withdrawn", map[string]any{"purposes": []any{followUp}}),
			says(journey, "followup", "appointment.cancelled", map[string]any{"offer": offer}))
	},
	HandBackUntold: func(s *story) {
		journey, i := s.someone(event("offer.confirmed"))
		offer := data(s.lines[i])["offer"]
		evening := s.where(s.where(i, of(journey, kind("steps")))+1, of(journey, kind("steps")))
		s.lines[evening]["data"] = partnersStep("partner:north-peers")
		s.put(evening, does(journey, "/api/offers/x/hand-back", map[string]any{}),
			says(journey, "followup", "offer.handed-back", map[string]any{"offer": offer}))
	},
	AnswerInvented: func(s *story) { s.drop(request("consent")) },
	ReadWithoutGrant: func(s *story) {
		i := s.where(0, func(l map[string]any) bool { return l["kind"] == "look" && l["status"] == 404.0 })
		s.lines[i]["status"] = 200
	},
	CallUnasked: func(s *story) {
		journey, _ := s.someone(event("bridging.started"))
		s.drop(of(journey, event("consent.given"), request("consent")))
	},
	CallBarred: func(s *story) {
		journey, i := s.someone(request("no-answer"))
		s.put(i, pause(), says(journey, "intake", "person.contact-stopped", map[string]any{}), pause())
	},
	CallOutside: func(s *story) { s.change(event("call.scheduled"), "dueAt", "2026-10-30T21:00:00Z") },
	CallTooMany: func(s *story) {
		journey, i := s.someone(event("call.scheduled"))
		s.put(s.where(i, kind("tick")), says(journey, "bridging", "call.unanswered", map[string]any{
			"call": "c", "on": "2026-10-30", "again": "2026-10-30", "try": 1}))
	},
	CallEndedByNone: func(s *story) {
		journey, i := s.someone(event("bridging.started"))
		s.put(s.where(i, kind("tick"))+1, says(journey, "bridging", "bridging.ended",
			map[string]any{"reason": "unanswered"}))
	},
	HelpLate: func(s *story) {
		journey, i := s.someone(event("journey.opened"))
		s.put(s.where(i, kind("tick")), says(journey, "followup", "help.requested", map[string]any{"kind": "needed-now",
			"dueAt": never}))
	},
	DeathUnheeded: func(s *story) {
		i := s.where(0, func(l map[string]any) bool { return l["kind"] == "request" && l["person"] != nil })
		s.put(s.where(i, kind("tick")), map[string]any{"kind": "message", "person": s.lines[i]["person"],
			"about": "A31",
			"data":  map[string]any{"visit": "V", "answer": "AA", "died": true}})
	},
	LiftedByNobody: func(s *story) {
		journey, i := s.someone(event("journey.opened"))
		s.put(s.where(i, kind("tick"))+1, says(journey, "intake", "person.contact-resumed", map[string]any{}))
	},
	ClinicianAfter: func(s *story) {
		journey, _ := s.someone(func(l map[string]any) bool { return l["about"] == "clinician-decides" })
		s.drop(func(l map[string]any) bool {
			return l["journey"] == journey && (l["about"] == "clinician-decides" || data(l)["mayAnswer"] != nil)
		})
	},
	Identifies: func(s *story) {
		i := s.where(0, func(l map[string]any) bool { return l["kind"] == "event" && l["person"] != nil })
		who := s.where(0, func(l map[string]any) bool {
			return l["kind"] == "person" && l["person"] == s.lines[i]["person"]
		})
		data(s.lines[i])["note"] = "rang " + data(s.lines[who])["marks"].([]any)[0].(string)
	},
}

// TestTheOracleFindsNothingWhereAllIsAsItShouldBe: the log of a simulation in which nothing was broken, in which most
// of the rules had something to look at.
func TestTheOracleFindsNothingWhereAllIsAsItShouldBe(t *testing.T) {
	t.Parallel()
	s := healthy(t)
	i := s.where(0, func(l map[string]any) bool { return l["kind"] == "event" })
	data(s.lines[i])["at"] = "2026-10-06T10:00:00.000770052Z" // the digits of a time are nobody's number
	counts := s.count()
	if len(counts.Broken) > 0 {
		t.Errorf("it found %v", counts.Found)
	}
	idle := 0
	for rule := range Rules {
		if counts.Looked[rule] == 0 {
			t.Logf("%s had nothing to look at", rule)
			idle++
		}
	}
	if counts.Journeys < 10 || idle > 8 {
		t.Errorf("it counted %d journeys, and %d rules had nothing to look at", counts.Journeys, idle)
	}
}

// TestTheOracleFindsEachRuleThatIsBroken: the log is changed as a system would write it that does not keep one rule,
// each of them in turn.
func TestTheOracleFindsEachRuleThatIsBroken(t *testing.T) {
	t.Parallel()
	for rule, promise := range Rules {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()
			if breaks[rule] == nil {
				t.Fatalf("nothing shows that it is found when this is broken: %s", promise)
			}
			s := healthy(t)
			breaks[rule](s)
			if counts := s.count(); counts.Broken[rule] == 0 {
				t.Errorf("this was broken, and it found %v: %s", counts.Broken, promise)
			}
		})
	}
}

// TestALogThatCannotBeReadIsSaid: a broken line is an error that names it, never a clean count.
func TestALogThatCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	_, err := Count(strings.NewReader("{\"kind\":\"day\"}\n{\"kind\":"))
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("it says %v", err)
	}
}
