package intake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// tale is what one message tells of somebody whose visit is known, whichever way it comes.
type tale struct {
	comer
	dead, no, young, unsafe, protected bool
	left                               time.Time
	arrived, requested                 time.Time // zero: not said
	said                               time.Time // of the message itself; zero: now
}

// tellers are all ways in by which something may be told of somebody, and which of the facts each has room for.
type teller struct {
	tell                    func(t testing.TB, of tale)
	dead, no, young, unsafe bool
	protected               bool
	newVisit                bool // it may raise a visit of its own
	arrived, requested      bool
	said                    bool
}

func tellers(p *process, client *hl7.Client) map[string]teller {
	all := map[string]teller{}
	n := 0
	empty := strings.NewReplacer(`"localId":"",`, "", `"nhsNumber":"","nhsNumberVerified":false,`, "",
		`"birthDate":"",`, "")
	person := func(of tale) string {
		return empty.Replace(fmt.Sprintf(
			`"person":{"localId":%q,"nhsNumber":%q,"nhsNumberVerified":%t,"birthDate":%q,"familyName":%q}`, of.local,
			of.number, of.number != "", of.born, of.family))
	}
	rest := func(of tale) (text string) {
		if !of.arrived.IsZero() {
			text += `,"arrivedAt":"` + of.arrived.UTC().Format(time.RFC3339) + `"`
		}
		if !of.requested.IsZero() {
			text += `,"requestedAt":"` + of.requested.UTC().Format(time.RFC3339) + `"`
		}
		if of.no {
			text += `,"consents":[{"purpose":"follow-up","given":false}]`
		}
		return text
	}
	asked := func(of tale) string {
		text := rest(of)
		if of.young {
			text += `,"under18":"yes"`
		}
		if of.unsafe {
			text += `,"safeContact":{"channel":"no-safe-channel","value":"by way of the hostel"}`
		}
		return text
	}
	for _, trigger := range []string{"A01", "A02", "A03", "A04", "A06", "A07", "A08", "A28", "A31", "A40", "A47"} {
		all["HL7 "+trigger] = teller{dead: true, protected: true, newVisit: trigger == "A03", arrived: true,
			tell: func(t testing.TB, of tale) {
				n++
				h := newHospital()
				h.application, h.control, h.number, h.patient, h.birth, h.at = "WAYS", 10*n, of.visit, of.local,
					strings.ReplaceAll(of.born, "-", ""), p.clock.Now().Add(-time.Hour)
				if of.left.After(h.at) && of.left.Before(p.clock.Now()) {
					h.at = of.left.Add(-time.Minute)
				}
				var changes []change
				if !of.arrived.IsZero() {
					changes = append(changes, visit(44, stamped(of.arrived)))
				}
				if trigger == "A03" {
					changes = append(changes, visit(45, stamped(of.left)))
				}
				if trigger == "A40" || trigger == "A47" {
					changes = append(changes, giveUp(of.local+"X"))
				} else {
					changes = append(changes, reason("248062006", "", "SCT"))
				}
				if of.protected {
					changes = append(changes, in("PD1", 12, "Y"))
				}
				raw := h.message(trigger, changes...)
				if of.dead {
					raw = h.withPID(raw, 30, "Y")
				} else if of.number != "" {
					raw = h.withPID(raw, 32, "NSTS01")
				}
				raw = []byte(strings.Replace(string(raw), "9990000107^^^NHS^NH", of.number+"^^^NHS^NH", 1))
				if ack := send(t, client, raw); ack.Code != "AA" {
					t.Fatalf("answered %+v", ack)
				}
			}}
	}
	event := func(kind, data string, of tale) func(t testing.TB) {
		return func(t testing.TB) {
			n++
			if of.said.IsZero() {
				of.said = p.clock.Now()
			}
			body := fmt.Sprintf(
				`{"specversion":"1.0","id":"w-%d","source":"/ways","type":"care.footbridge.%s.v1","time":%q,"data":{%s}}`,
				n, kind, of.said.UTC().Format(time.RFC3339), data)
			if status, answer := p.post(t, "application/cloudevents+json", body); status != http.StatusAccepted {
				t.Fatalf("answered %d %s", status, answer)
			}
		}
	}
	at := func(of tale) string { return of.left.UTC().Format(time.RFC3339) }
	all["event reported"] = teller{said: true, dead: true, no: true, newVisit: true, arrived: true,
		tell: func(t testing.TB, of tale) {
			codes := ""
			if of.dead {
				codes = `,"codes":[{"system":"snomed","code":"63238001"}]`
			}
			event("discharge.reported", fmt.Sprintf(`"organisation":"RXX","visit":%q,"inScope":true,"leftAt":%q,%s%s%s`,
				of.visit, at(of), person(of), rest(of), codes), of)(t)
		}}
	all["event submitted"] = teller{said: true, requested: true, no: true, young: true, unsafe: true, newVisit: true,
		tell: func(t testing.TB, of tale) {
			event("referral.submitted", fmt.Sprintf(
				`"organisation":"RXX","referral":"w%d","route":"professional","visit":%q,"leftAt":%q,%s%s`, n, of.visit,
				at(of), person(of), asked(of)), of)(t)
		}}
	all["form"] = teller{requested: true, no: true, young: true, unsafe: true, newVisit: true,
		tell: func(t testing.TB, of tale) {
			n++
			p.refer(t, liaison, fmt.Sprintf(`{"referral":"f%d","visit":%q,"leftAt":%q,%s%s}`, n, of.visit, at(of),
				person(of), asked(of)))
		}}
	all["list"] = teller{no: true, young: true, unsafe: true, newVisit: true, tell: func(t testing.TB, of tale) {
		say := func(is bool, word string) string { return map[bool]string{true: word}[is] }
		answer := p.must(t, http.StatusOK, guide, "POST", "/api/referrals/list",
			"visit,local_id,family_name,birth_date,left_at,nhs_number,nhs_number_verified,follow_up,under_18,safe_channel,safe_contact\n"+
				strings.Join([]string{of.visit, of.local, of.family, of.born, at(of), of.number,
					say(of.number != "", "yes"), say(of.no, "no"), say(of.young, "yes"),
					say(of.unsafe, "no-safe-channel"), say(of.unsafe, "by way of the hostel")}, ",")+"\n",
			"Content-Type", "text/csv")
		if strings.Contains(answer, `"cannot-be-read":1`) {
			t.Fatalf("answered %s", answer)
		}
	}}
	for _, ended := range []bool{true, false} {
		name := map[bool]string{true: "FHIR discharge", false: "FHIR referral"}[ended]
		all[name] = teller{said: true, dead: true, protected: true, newVisit: true, arrived: true, requested: !ended,
			tell: func(t testing.TB, of tale) {
				f := newFHIRRequest()
				f.visit, f.ended, f.local, f.number = of.visit, at(of), of.local, cmp.Or(of.number, "9990000107")
				if !ended {
					f.class = "AMB"
				}
				f.change = func(body string) string {
					if of.number == "" {
						body = strings.Replace(body, "number-present-and-verified", "number-present-but-not-traced", 1)
					}
					if of.protected {
						body = strings.Replace(body, `"resourceType":"Patient",`,
							`"resourceType":"Patient","meta":{"security":[{"code":"R"}]},`, 1)
					}
					if of.dead {
						body = strings.Replace(body, `"birthDate"`, `"deceasedBoolean":true,"birthDate"`, 1)
					}
					body = strings.Replace(body, `"birthDate":"1990-04-01",`,
						map[bool]string{true: "", false: `"birthDate":"` + of.born + `",`}[of.born == ""], 1)
					arrived, requested, said := of.arrived, of.requested, of.said
					if said.IsZero() {
						said = p.clock.Now()
					}
					if arrived.IsZero() {
						arrived = of.left.Add(-time.Minute)
					}
					if requested.IsZero() {
						requested = p.clock.Now().Add(-time.Minute)
					}
					return strings.NewReplacer("2026-11-20T08:59:00Z", requested.UTC().Format(time.RFC3339),
						`"2026-11-20T05:00:00.1234567Z"`, `"`+arrived.UTC().Format(time.RFC3339)+`"`,
						"2026-11-20T09:00:00.1234567+00:00", said.UTC().Format(time.RFC3339)).Replace(body)
				}
				if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
					t.Fatalf("answered %d %s", answer.status, answer.body)
				}
			}}
	}
	all["signal"] = teller{dead: true, tell: func(t testing.TB, of tale) {
		kind := "pds-death-notification-2"
		if answer := p.sendSignal(t, signal(kind, of.number)); answer.status != http.StatusAccepted {
			t.Fatalf("answered %d %s", answer.status, answer.body)
		}
	}}
	return all
}

// someNumber is a valid NHS number of the range kept for tests.
func someNumber(n int) string {
	for ; ; n += 1000 {
		text := fmt.Sprintf("999%06d", n)
		for check := range 10 {
			if number := fmt.Sprintf("%s%d", text, check); hl7.ValidNHSNumber(number) {
				return number
			}
		}
	}
}

// happened counts what was said on a journey, of a type, whose data holds a text.
func happened(t testing.TB, db *pgxpool.Pool, journey string, typ schemas.Type, holds string) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), `select count(*) from intake.outbox where payload::jsonb ->> 'subject' = $1
		and payload::jsonb ->> 'type' = $2
		and (payload::jsonb -> 'data')::text like '%' || $3 || '%'`, journey, string(typ), holds).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func journeyOf(t testing.TB, db *pgxpool.Pool, visit string) (journey string) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `select coalesce(journey::text, '') from intake.visit where number = $1`,
		visit).Scan(&journey); err != nil {
		t.Fatalf("%s: %v", visit, err)
	}
	return journey
}

// Every fact about a person has the same consequences by every way in that has room for it.
func TestEveryFactHasTheSameConsequencesByEveryWayIn(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	ways, db := tellers(p, p.dial(t)), p.site.db.Admin()
	left := p.clock.Now().Add(-3 * time.Hour).Truncate(time.Second)
	n := 0
	next := func(changes ...func(*tale)) tale {
		n++
		of := tale{comer: comer{visit: fmt.Sprintf("V%d", n), local: fmt.Sprintf("L%d", n),
			family: fmt.Sprintf("Exampleway%c%c", 'a'+n/26%26, 'a'+n%26), born: "1990-04-01"}, left: left}
		for _, change := range changes {
			change(&of)
		}
		ways["HL7 A03"].tell(t, of)
		return of
	}
	verified := func(of *tale) { of.number = someNumber(n) }
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		way := ways[name]
		// told is what is told later of somebody of whom a journey stands.
		told := func(of tale, change func(*tale)) {
			of.left = left.Add(time.Minute)
			change(&of)
			way.tell(t, of)
		}
		expect := func(claim, visit string, typ schemas.Type, holds string) {
			t.Helper()
			if journey := journeyOf(t, db, visit); journey == "" || happened(t, db, journey, typ, holds) == 0 {
				t.Errorf("%s by %s: no %s %s on %q, %v", claim, name, typ, holds, journey,
					p.ledgerNow(t)[len(p.ledgerNow(t))-1:])
			}
		}
		if name != "signal" {
			one, other := next(), next(verified)
			told(one, func(of *tale) { of.number = other.number })
			expect("a verified number", one.visit, schemas.PersonMerged, "")
			expect("a verified number, of the other", other.visit, schemas.PersonMerged, "")

			one = next()
			told(one, func(of *tale) { of.number = "9990000108" })
			expect("a number that cannot be one", one.visit, schemas.DischargeCorrected, schemas.FlagNumberInvalid)

			one, other = next(), next(verified)
			dead := other
			dead.dead = true
			ways["HL7 A31"].tell(t, dead)
			told(one, func(of *tale) { of.number = other.number })
			expect("the verified number of somebody known dead", one.visit, schemas.ContactStopped, "")

			child := next(func(of *tale) { of.born = "" })
			told(child, func(of *tale) { of.born = "2014-04-01" })
			expect("a child's birth date", child.visit, schemas.DischargeCorrected, schemas.FlagUnder18)
			child = next()
			told(child, func(of *tale) { of.born = "2014-04-01" })
			expect("another birth date, of a child", child.visit, schemas.DischargeCorrected, schemas.FlagUnder18)
		}
		if way.dead {
			one := next(verified)
			told(one, func(of *tale) { of.dead = true })
			expect("a death", one.visit, schemas.ContactStopped, "")
		}
		if way.protected {
			one := next()
			told(one, func(of *tale) { of.protected = true })
			expect("a protected record", one.visit, schemas.DischargeCorrected, schemas.FlagProtected)
		}
		if way.no {
			one := next()
			told(one, func(of *tale) { of.no = true })
			expect("a no", one.visit, schemas.ConsentDeclined, schemas.PurposeFollowUp)
		}
		if way.young {
			for _, born := range []string{"", "1990-04-01"} {
				one := next(func(of *tale) { of.born = born })
				told(one, func(of *tale) { of.young, of.born = true, "" })
				expect("under 18, born "+born, one.visit, schemas.DischargeCorrected, schemas.FlagUnder18)
			}
		}
		if way.unsafe {
			one := next()
			journey := journeyOf(t, db, one.visit)
			p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/contact",
				`{"channels":[{"channel":"phone","value":"07700 900099","confirmed":true}]}`)
			if _, err := db.Exec(t.Context(), `update intake.contact_card set changed_at = $1
				where person = (select person from intake.journey where id = $2::uuid)`, left, journey); err != nil {
				t.Fatal(err)
			}
			told(one, func(of *tale) { of.unsafe = true })
			expect("no safe channel", one.visit, schemas.PreferencesChanged, record.NoSafeChannel)
			seen := p.must(t, http.StatusOK, guide, "GET", "/api/journeys/"+journey+"/identity", "", ReasonHeader,
				"checking what is kept of them")
			var shown identityShown
			if err := json.Unmarshal([]byte(seen), &shown); err != nil ||
				!slices.Contains(shown.Questions, record.NoSafeChannel) || shown.Contact[0].Confirmed {
				t.Errorf("no safe channel by %s beside what was recorded: %s", name, seen)
			}
			two := next()
			told(two, func(of *tale) { of.unsafe = true })
			expect("no safe channel", two.visit, schemas.DischargeCorrected, schemas.FlagNoSafeChannel)
		}
		if way.newVisit {
			one := next()
			journey := journeyOf(t, db, one.visit)
			var person string
			if err := db.QueryRow(t.Context(), `select person::text from intake.journey where id = $1::uuid`,
				journey).Scan(&person); err != nil {
				t.Fatal(err)
			}
			p.must(t, http.StatusOK, guide, "POST", "/api/people/"+person+"/contact-stopped",
				`{"reason":"they asked for it in person"}`)
			again := one
			again.visit = one.visit + "again"
			told(again, func(of *tale) { of.left = p.clock.Now().Add(-time.Minute) })
			if came := journeyOf(t, db, again.visit); came == journey {
				continue // it goes on in the journey that is stopped
			}
			expect("a stop, when they come again", again.visit, schemas.ContactStopped, "")
		}
	}
}

// A time that cannot be true is not believed, and the flag is the same, by every way in that has room for it.
func TestATimeThatCannotBeTrueIsNotBelievedByAnyWayIn(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	ways, db := tellers(p, p.dial(t)), p.site.db.Admin()
	now := p.clock.Now()
	left := now.Add(-3 * time.Hour).Truncate(time.Second)
	years := func(n int) time.Time { return left.AddDate(-n, 0, 0) }
	claims := []struct {
		name  string
		say   func(*tale)
		fits  func(teller) bool
		flags []string
	}{
		{"left in the future", func(of *tale) { of.left = now.AddDate(0, 1, 0) }, nil,
			[]string{schemas.FlagFutureDischarge}},
		{"left an hour ahead", func(of *tale) { of.left = now.Add(time.Hour) }, nil,
			[]string{schemas.FlagFutureDischarge}},
		{"left years ago", func(of *tale) { of.left = years(2) }, nil, []string{schemas.FlagTimeNotBelieved}},
		{"left before birth", func(of *tale) {
			of.left, of.born = now.AddDate(0, -3, 0), now.AddDate(0, -1, 0).Format(time.DateOnly)
		}, nil, []string{schemas.FlagTimeNotBelieved}},
		{"born in the future", func(of *tale) { of.born = now.AddDate(1, 0, 0).Format(time.DateOnly) }, nil,
			[]string{schemas.FlagTimeNotBelieved, schemas.FlagAgeUnknown}},
		{"born too long ago", func(of *tale) { of.born = "1850-04-01" }, nil,
			[]string{schemas.FlagTimeNotBelieved, schemas.FlagAgeUnknown}},
		{"left before arriving", func(of *tale) { of.arrived = left.Add(30 * time.Minute) },
			func(w teller) bool { return w.arrived }, []string{schemas.FlagLeftBeforeArrival}},
		{"arrived in the future", func(of *tale) { of.arrived = now.AddDate(0, 0, 2) },
			func(w teller) bool { return w.arrived }, []string{schemas.FlagTimeNotBelieved}},
		{"arrived years ago", func(of *tale) { of.arrived = years(3) }, func(w teller) bool { return w.arrived },
			[]string{schemas.FlagTimeNotBelieved}},
		{"arrived before birth", func(of *tale) {
			of.arrived, of.born = now.AddDate(0, -3, 0), now.AddDate(0, -1, 0).Format(time.DateOnly)
		},
			func(w teller) bool { return w.arrived }, []string{schemas.FlagTimeNotBelieved}},
		{"said years before it happened", func(of *tale) { of.said = years(3) }, func(w teller) bool { return w.said },
			[]string{schemas.FlagTimeNotBelieved}},
		{"asked in the future", func(of *tale) { of.requested = now.AddDate(0, 1, 0) },
			func(w teller) bool { return w.requested }, []string{schemas.FlagTimeNotBelieved}},
		{"asked years ago", func(of *tale) { of.requested = years(3) }, func(w teller) bool { return w.requested },
			[]string{schemas.FlagTimeNotBelieved}},
		{"asked before birth", func(of *tale) {
			of.requested, of.born = now.AddDate(0, -3, 0), now.AddDate(0, -1, 0).Format(time.DateOnly)
		},
			func(w teller) bool { return w.requested }, []string{schemas.FlagTimeNotBelieved}},
	}
	today := map[string]bool{}
	for hours := range 5 {
		today[now.Add(-time.Duration(hours)*time.Hour).In(london).Format(time.DateOnly)] = true
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		way := ways[name]
		if !way.newVisit {
			continue
		}
		for _, claim := range claims {
			if claim.fits != nil && !claim.fits(way) {
				continue
			}
			n++
			of := tale{comer: comer{visit: fmt.Sprintf("T%d", n), local: fmt.Sprintf("T%d", n),
				family: fmt.Sprintf("Exampletime%c%c", 'a'+n/26%26, 'a'+n%26), born: "1990-04-01"}, left: left}
			claim.say(&of)
			way.tell(t, of)
			var flags, on string
			if err := db.QueryRow(t.Context(), `select coalesce(says #>> '{raised,flags}', ''), coalesce(says #>>
				'{raised,leftOn}', '') from intake.visit where number = $1`, of.visit).Scan(&flags, &on); err != nil {
				t.Errorf("%s, by %s: %v", claim.name, name, err)
				continue
			}
			for _, flag := range claim.flags {
				if !strings.Contains(flags, `"`+flag+`"`) {
					t.Errorf("%s, by %s: flagged %s, not %s", claim.name, name, flags, flag)
				}
			}
			if !today[on] {
				t.Errorf("%s, by %s: the window counts from %s", claim.name, name, on)
			}
		}
	}
}
