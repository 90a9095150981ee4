package oracle

import (
	"strings"
	"testing"
)

// whole is a log in which all is as it should be: somebody leaves, says yes, is offered, met, rung in hours, looked at
// by who took them on.
const whole = `{"at":"2026-10-05T00:00:00Z","kind":"partner","by":"partner:north","about":"p"}
{"at":"2026-10-06T08:00:00Z","kind":"event","journey":"j","about":"journey.opened.v1","data":{}}
{"at":"2026-10-06T08:00:00Z","kind":"event","journey":"j","about":"discharge.recorded.v1","data":{"leftOn":"2026-10-06"}}
{"at":"2026-10-06T09:00:00Z","kind":"event","journey":"j","about":"offer.raised.v1","data":{"offer":"o","partner":"p"}}
{"at":"2026-10-06T10:00:00Z","kind":"request","by":"team:liaison","journey":"j","path":"/api/journeys/j/consent","status":200,"data":{"answers":[{"purpose":"follow-up","state":"given"},{"purpose":"bridging","state":"given"}]}}
{"at":"2026-10-06T10:00:00Z","kind":"event","journey":"j","about":"offer.sent.v1","data":{"offer":"o"}}
{"at":"2026-10-06T11:00:00Z","kind":"request","by":"partner:north","journey":"j","path":"/api/offers/o/accept","status":200,"data":{}}
{"at":"2026-10-06T11:00:00Z","kind":"look","by":"partner:north","journey":"j","status":200}
{"at":"2026-10-06T12:00:00Z","kind":"request","by":"team:callers","journey":"j","path":"/api/calls/c/claim","status":200,"data":{}}
{"at":"2026-10-06T12:00:00Z","kind":"request","by":"partner:north","journey":"j","path":"/api/offers/o/appointment","status":200,"data":{"startsAt":"2026-10-19T13:00:00Z"}}
{"at":"2026-10-06T18:00:00Z","kind":"stand","journey":"j","data":{"step":"s","kind":"session","owner":"partner:p","dueAt":"2026-10-19T14:00:00Z"}}
{"at":"2026-10-06T18:00:00Z","kind":"day","about":"2026-10-06","data":{}}
{"at":"2026-10-20T17:00:00Z","kind":"stand","journey":"j","data":{"step":"s","kind":"session","owner":"partner:p","alsoOwners":["navigator:duty"],"dueAt":"2026-10-19T14:00:00Z"}}
{"at":"2026-10-20T17:00:00Z","kind":"day","about":"2026-10-20","data":{}}
`

func TestWhatAPartnerSaidOnTheTelephoneCounts(t *testing.T) {
	t.Parallel()
	log := strings.Replace(whole, `"by":"partner:north","journey":"j","path":"/api/offers/o/accept"`,
		`"by":"navigator:duty","journey":"j","path":"/api/offers/o/accept"`, 1)
	if c := counted(t, log); log == whole || len(c.Found) > 0 {
		t.Errorf("it counts %+v", c)
	}
}

func counted(t *testing.T, log string) Counts {
	t.Helper()
	c, err := Count(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheOracleFindsNothingWhereAllIsAsItShouldBe(t *testing.T) {
	t.Parallel()
	c := counted(t, whole)
	if len(c.Found) > 0 || c.Journeys != 1 || c.Void["2026-10-20"] != 1 || c.Void["2026-10-06"] != 0 {
		t.Errorf("it counts %+v", c)
	}
}

// TestTheOracleFindsEachRuleThatIsBroken: one line of the log is changed as it would be with a rule broken, and exactly
// what follows is found.
func TestTheOracleFindsEachRuleThatIsBroken(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct {
		from, to string
		count    func(Counts) int
		found    int
	}{
		"a journey without a step": {`"owner":"partner:p","dueAt":"2026-10-19T14:00:00Z"`, `"owner":""`,
			func(c Counts) int { return c.Stepless }, 1},
		"a journey that no list has": {`"kind":"stand"`, `"kind":"gone"`,
			func(c Counts) int { return c.Stepless }, 2},
		"nobody added": {`"alsoOwners":["navigator:duty"],`, "",
			func(c Counts) int { return c.Alone }, 1},
		"a time that is put off": {`"alsoOwners":["navigator:duty"],"dueAt":"2026-10-19`, `"dueAt":"2026-10-29`,
			func(c Counts) int { return c.Moved }, 1},
		"a window that is lost": {`"startsAt":"2026-10-19`, `"startsAt":"2026-10-22`,
			func(c Counts) int { return c.WindowsLost }, 1},
		"a call at night": {`"2026-10-06T12:00:00Z","kind":"request","by":"team:callers"`,
			`"2026-10-06T23:00:00Z","kind":"request","by":"team:callers"`,
			func(c Counts) int { return c.CallsOutside }, 1},
		"a call without a yes": {`"purpose":"bridging","state":"given"`, `"purpose":"bridging","state":"declined"`,
			func(c Counts) int { return c.CallsUnasked }, 1},
		"an offer without a yes": {`"about":"offer.raised.v1"`, `"about":"offer.sent.v1"`,
			func(c Counts) int { return c.Sent }, 1},
		"a look without a grant": {`"look","by":"partner:north"`, `"look","by":"partner:south"`,
			func(c Counts) int { return c.Looks }, 1},
	} {
		broken := strings.ReplaceAll(whole, c.from, c.to)
		if got := counted(t, broken); c.count(got) != c.found || len(got.Found) != c.found {
			t.Errorf("%s: it counts %+v", rule, got)
		}
	}
}
