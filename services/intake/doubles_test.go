package intake

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/hl7"
	"footbridge/schemas"
)

// comer is somebody who comes, as one way in tells of them: without a number that is verified, unless one is given.
type comer struct{ visit, local, family, given, born, number string }

// waysIn begin a journey of somebody, each by one way in.
func waysIn(t testing.TB, p *process, client *hl7.Client) map[string]func(c comer) {
	person := func(c comer) string {
		return fmt.Sprintf(
			`"person":{"localId":%q,"familyName":%q,"givenName":%q,"birthDate":%q,"nhsNumber":%q,"nhsNumberVerified":%t,"phone":"07700 900001"}`,
			c.local, c.family, c.given, c.born, c.number, c.number != "")
	}
	left := p.clock.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)
	empty := strings.NewReplacer(`"localId":"",`, "", `"nhsNumber":"",`, "", `"nhsNumberVerified":false,`, "")
	return map[string]func(c comer){
		"HL7": func(c comer) {
			h := newHospital()
			h.number, h.patient, h.birth, h.at = c.visit, c.local, strings.ReplaceAll(c.born, "-", ""),
				p.clock.Now().Add(-2*time.Hour)
			raw := strings.NewReplacer("9990000107^^^NHS^NH", cmp.Or(c.number, "~")+"^^^NHS^NH", "Example^Ada",
				c.family+"^"+c.given, "|C1|", "|"+c.visit+"|").
				Replace(string(h.withPID(h.message("A03", reason("248062006", "", "SCT")), 32, "NSTS01")))
			raw = strings.ReplaceAll(raw, "~~^^^NHS^NH", "")
			if ack := send(t, client, []byte(raw)); ack.Code != "AA" {
				t.Fatalf("answered %+v", ack)
			}
		},
		"event": func(c comer) {
			if status, body := p.post(t, "application/cloudevents+json",
				report("r-"+c.visit, empty.Replace(`{"organisation":"RXX","visit":"`+c.visit+
					`","inScope":true,"leftAt":"`+left+`",`+person(c)+`}`))); status != http.StatusAccepted {
				t.Fatalf("answered %d %s", status, body)
			}
		},
		"form": func(c comer) {
			p.refer(t, liaison, empty.Replace(`{"referral":"R-`+c.visit+`","visit":"`+c.visit+`","leftAt":"`+left+`",`+
				person(c)+`}`))
		},
		"list": func(c comer) {
			p.must(t, http.StatusOK, guide, "POST", "/api/referrals/list",
				"visit,local_id,family_name,given_name,birth_date,left_at,nhs_number,nhs_number_verified\n"+
					strings.Join([]string{c.visit, c.local, c.family, c.given, c.born, left, c.number,
						map[bool]string{true: "yes", false: ""}[c.number != ""]}, ",")+"\n", "Content-Type", "text/csv")
		},
		"FHIR": func(c comer) {
			f := newFHIRRequest()
			f.visit, f.ended, f.local = c.visit, left, c.local
			f.change = func(body string) string {
				if c.number == "" {
					body = strings.Replace(body, "number-present-and-verified", "number-present-but-not-traced", 1)
				} else {
					body = strings.Replace(body, "9990000107", c.number, 1)
				}
				return strings.NewReplacer(`"family":"Example","given":["Ada"]`, `"family":"`+c.family+`","given":["`+
					c.given+`"]`, "1990-04-01", c.born).Replace(body)
			}
			if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
				t.Fatalf("answered %d %s", answer.status, answer.body)
			}
		},
	}
}

func TestOpenJourneysOfWhatMayBeOnePersonAreFlaggedByEveryWayInAndOrder(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	ways := waysIn(t, p, p.dial(t))
	names := []string{"HL7", "event", "form", "list", "FHIR"}
	n := 0
	next := func(c comer) comer {
		n++
		c.visit, c.local = fmt.Sprintf("W%d", n), fmt.Sprintf("K%d", n)
		return c
	}
	flagged := func() int {
		for range 2 { // the second time finds nothing new
			p.run(t, p.clock.Now(), p.showDoubles)
		}
		return p.count(t, `select count(*) from intake.visit where says #> '{raised,flags}' ? 'possible-double'`)
	}
	for i, first := range names {
		for j, second := range names {
			who := comer{family: "Pairwood" + string(rune('a'+i)) + string(rune('a'+j)), given: "Rowan",
				born: "1990-04-01"}
			before := flagged()
			ways[first](next(who))
			if one := flagged(); one != before {
				t.Fatalf("%s alone: %d flagged, %d before", first, one, before)
			}
			ways[second](next(who))
			if both := flagged(); both != before+2 {
				t.Errorf("%s, then %s: %d flagged of two", first, second, both-before)
			}
		}
		twin, before := comer{family: "Twinwood" + string(rune('a'+i)), given: "Ada", born: "1991-05-02"}, flagged()
		other, older := twin, twin
		other.given, older.born = "Ben", "1981-05-02"
		for _, who := range []comer{twin, other, older} {
			ways[first](next(who))
		}
		known, also := comer{family: "Knownwood" + string(rune('a'+i)), given: "Ada", born: "1991-05-02",
			number: numbersOfTests[2*i]}, comer{}
		also = known
		also.number = numbersOfTests[2*i+1]
		ways[first](next(known))
		ways[first](next(also))
		if now := flagged(); now != before {
			t.Errorf("%s: of twins, other birth dates and other verified numbers %d are flagged", first, now-before)
		}
	}
}

func TestTheFlagOfTwoJourneysGoesByAHumansWordAndWhenOneCloses(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	event := waysIn(t, p, nil)["event"]
	type journey struct{ id, person string }
	pair := func(name string) (all [2]journey) {
		for i := range all {
			c := comer{visit: fmt.Sprintf("%s%d", name, i), local: fmt.Sprintf("L%s%d", name, i), family: name,
				given: "Ada", born: "1990-04-01"}
			event(c)
			if err := p.site.db.Admin().QueryRow(t.Context(), `select journey::text, person::text from intake.visit
				where number = $1`, c.visit).Scan(&all[i].id, &all[i].person); err != nil {
				t.Fatal(err)
			}
		}
		p.run(t, p.clock.Now(), p.showDoubles)
		return all
	}
	flags := func(of [2]journey) (flagged [2]bool) {
		p.run(t, p.clock.Now(), p.showDoubles)
		for i, j := range of {
			told := p.corrections(t, j.id)
			flagged[i] = len(told) > 0 && slices.Contains(told[len(told)-1].Flags, schemas.FlagPossibleDouble)
		}
		return flagged
	}
	two, one, closed := pair("Twowood"), pair("Onewood"), pair("Closewood")
	for _, of := range [][2]journey{two, one, closed} {
		if flags(of) != [2]bool{true, true} {
			t.Fatalf("flagged %v", flags(of))
		}
	}
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+two[0].person+"/unmerge", `{"other":"`+two[1].person+
		`","reason":"spoke with both"}`)
	p.must(t, http.StatusConflict, guide, "POST", "/api/people/"+two[0].person+"/unmerge", `{"other":"`+two[1].person+
		`","reason":"again"}`)
	p.must(t, http.StatusOK, guide, "POST", "/api/people/"+one[0].person+"/merge", `{"other":"`+one[1].person+
		`","reason":"the same","confirm":true}`)
	p.close(t, closed[0].id)
	for _, of := range [][2]journey{two, one} {
		if flags(of) != [2]bool{} {
			t.Errorf("still flagged %v", flags(of))
		}
	}
	if flags(closed)[1] {
		t.Error("the other journey is closed, and it is flagged still")
	}
}

// numbersOfTests are NHS numbers that are kept for tests.
var numbersOfTests = []string{"9990002002", "9990002010", "9990002029", "9990002037", "9990002045", "9990002053",
	"9990002061", "9990002088", "9990002096", "9990002118"}

func TestAnUnknownDispositionIsFlaggedOverFHIR(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	n := 0
	for disposition, flag := range map[string]bool{
		`{"coding":[{"system":"http://snomed.info/sct","code":"999000000","display":"somewhere nobody knows"}]}`: true,
		`{"text":"somewhere nobody knows"}`:                                   true,
		`{"coding":[{"system":"http://snomed.info/sct","code":"306689006"}]}`: false,
	} {
		f := newFHIRRequest()
		f.visit, f.ended, f.local = "D-"+f.id, p.clock.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339), "L-"+f.id
		f.number, n = numbersOfTests[n], n+1
		f.change = func(body string) string {
			return strings.Replace(body, `"status":"finished"`,
				`"status":"finished","hospitalization":{"dischargeDisposition":`+disposition+`}`, 1)
		}
		if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
			t.Fatalf("answered %d %s", answer.status, answer.body)
		}
		lines := p.ledgerNow(t)
		if last := lines[len(lines)-1]; strings.Contains(last, schemas.FlagDestinationUnknown) != flag {
			t.Errorf("%s: %s", disposition, last)
		}
	}
}

// TestANameThatManyShareTellsNothing: pairs of all who were given the same name by their sender would be too many to
// make.
func TestANameThatManyShareTellsNothing(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	event := waysIn(t, p, nil)["event"]
	for i := range mostNamesakes + 1 {
		event(comer{visit: fmt.Sprintf("M%d", i), local: fmt.Sprintf("LM%d", i), family: "Unknown", given: "Unknown",
			born: "1900-01-01"})
	}
	p.run(t, p.clock.Now(), p.showDoubles)
	if pairs := p.count(t, `select count(*) from intake.possible_double`); pairs != 0 {
		t.Errorf("%d pairs were made of people whom their sender gave one name", pairs)
	}
}

func TestNamesakesAreLookedForAFewAtATime(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	for i := range 5 {
		p.discharge(t, fmt.Sprintf("V%d", i), fmt.Sprintf("L%d", i), fmt.Sprintf("1990-04-%02d", i+1))
	}
	persons := list(t, p, `select person::text from intake.journey order by person`)
	search := &doubleSearch{each: 2}
	for round, after := range []string{persons[1], persons[3], "", persons[1]} {
		if err := p.flow.Do(t.Context(), search.findOpenDoubles); err != nil {
			t.Fatal(err)
		}
		if search.after != after {
			t.Errorf("round %d ended at %q, want %q of %v", round, search.after, after, persons)
		}
	}
}

// list reads a column.
func list(t testing.TB, p *process, query string) []string {
	t.Helper()
	rows, err := p.site.db.Admin().Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return found
}
