package intake

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

func TestComingBackMergedNumbersAndCorrectedIdentifiersInTheDatabase(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	p, q := site.start(), site.start()
	here, there := p.dial(t), q.dial(t)
	h := newHospital()
	h.at = p.clock.Now().Add(-100 * time.Hour).Truncate(time.Second)
	send(t, here, withTraced(h.message("A04", reason("248062006", "", "SCT"))))
	send(t, there, withTraced(h.message("A03")))
	// Another record and another number, by a process that has seen neither; the A01 under a third number.
	h.patient, h.number, h.at = "L77", "V2", h.at.Add(72*time.Hour)
	send(t, there, withTraced(h.message("A04", reason("248062006", "", "SCT"))))
	h.number = "V3"
	send(t, here, h.message("A01"))
	send(t, there, h.message("A03"))
	// V9 is far off in time, and merged into V3 after the end; then the record's number is corrected.
	h.number, h.at = "V9", h.at.Add(-50*time.Hour)
	send(t, here, h.message("A08", diagnosis("X60", "", "I10")))
	h.number, h.at = "V3", h.at.Add(50*time.Hour)
	send(t, there, h.message("A42", mergeVisits("V9")))
	h.patient = "L78"
	send(t, here, h.message("A47", giveUp("L77")))
	for i, line := range p.ledgerNow(t) {
		t.Logf("%d %s", i, line)
	}
	types, _ := p.outbox(t)
	// A visit this old may be asked about before its end comes; that is no matter of the journey.
	types = slices.DeleteFunc(types, func(one string) bool { return strings.HasPrefix(one, "message.") })
	recorded := 0
	for _, one := range types {
		if one == "discharge.recorded" {
			recorded++
		}
	}
	if recorded != 2 {
		t.Errorf("events %v", types)
	}
	var versions, told int64
	if err := site.db.Admin().QueryRow(t.Context(), `select count(*), max(told) from intake.journey`).Scan(&versions,
		&told); err != nil || versions != 1 || int(told) != len(types) {
		t.Errorf("%d journeys, %d told of %d events, %v", versions, told, len(types), err)
	}
	// The journey service has closed it: the next attendance begins another.
	var id string
	if err := site.db.Admin().QueryRow(t.Context(), `select id::text from intake.journey`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if err := p.flow.Do(t.Context(), func(tx *flow.Tx) error {
		return p.Handle(tx, nil)([]flow.Event{{ID: "1", Type: schemas.TypePrefix + "journey.closed.v1", Subject: id,
			Sequence: "000000000009", Data: []byte(`{}`)},
			{ID: "2", Type: string(schemas.JourneyOpened), Subject: id, Sequence: "000000000001"}})
	}); err != nil {
		t.Fatal(err)
	}
	h.patient, h.number, h.at = "L42", "V4", p.clock.Now().Add(-2*time.Hour).Truncate(time.Second)
	send(t, here, withTraced(h.message("A04", reason("248062006", "", "SCT"))))
	send(t, there, withTraced(h.message("A03")))
	if n := p.count(t, `select count(*) from intake.journey`); n != 2 {
		t.Errorf("%d journeys", n)
	}
}

// Nothing is locked of a visit that nobody knows: whoever stores it second must join the first.
func TestAVisitThatAnotherHasStoredMeanwhileIsJoined(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client := p.dial(t)
	admin := p.site.db.Admin()
	tx, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `insert into intake.visit (id, organisation, number, version, says, withdrawn)
		values (gen_random_uuid(), 'RXX', 'V1', 7, '{}', false)`); err != nil {
		t.Fatal(err)
	}
	answered := make(chan hl7.Acknowledgement, 1)
	go func() { answered <- send(t, client, newHospital().message("A04")) }()
	for waiting := false; !waiting; {
		if err := admin.QueryRow(t.Context(), `select exists (select from pg_stat_activity
			where datname = current_database()
			and usename like '%intake%' and wait_event_type = 'Lock')`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-answered
	var visits, version int
	if err := admin.QueryRow(t.Context(), `select count(*), max(version) from intake.visit`).Scan(&visits,
		&version); err != nil || visits != 1 || version != 8 {
		t.Errorf("%d visits, version %d, %v; want the one, joined", visits, version, err)
	}
}

// TestAnyInterleavingOverTwoProcessesConverges: what a hospital says, sent at once over four connections to two
// processes with two committers each, by each of them in an order of its own and everything twice, ends as the same
// messages taken one after the other do. What follows is told as often as it stands.
func TestAnyInterleavingOverTwoProcessesConverges(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	intakes := []*process{site.start(), site.start()}
	clients := []*hl7.Client{intakes[0].dial(t), intakes[1].dial(t), intakes[0].dial(t), intakes[1].dial(t)}
	hospitals := 0
	rapid.Check(t, func(r *rapid.T) {
		hospitals++ // each try is at a hospital of its own
		ours := []byte(fmt.Sprintf("T%03d", hospitals))
		messages := drawMessages(r, false)
		inOrder := newWard(t)
		inOrder.now = drawnNow
		inOrder.outcomes(messages...)
		var all sync.WaitGroup
		for c, client := range clients {
			var share [][]byte
			for _, i := range drawOrder(r, len(messages)) {
				if i%2 == c/2 { // connections 0 and 1 have the same messages, and so have 2 and 3
					share = append(share, bytes.ReplaceAll(bytes.ReplaceAll(messages[i], []byte("RXX"), ours),
						[]byte("rxx"), ours))
				}
			}
			all.Go(func() {
				for _, m := range share {
					intakes[c%2].tell(t, client, m)
				}
			})
		}
		all.Wait()
		if a, b := attendancesOf(inOrder), attendancesOf(intakes[0].wardOf(t, string(ours))); !reflect.DeepEqual(a, b) {
			r.Fatalf("\n in order %v\n at once   %v", a, b)
		}
	})
	for claim, query := range map[string]string{
		"messages that are not in the ledger as one and a duplicate": `select count(*) from (select from intake.message
			where door not in ('form', 'alarm') group by organisation, control_id, content_hash
			having count(*) <> 2 or count(*) filter (where outcome = 'duplicate') <> 1) as odd`,
		"journeys that are told of more or less often than events say": `select count(*) from intake.journey j
			where told <> (select count(*) from intake.outbox o where o.payload::jsonb ->> 'subject' = j.id::text)`,
	} {
		if n := intakes[0].count(t, query); n != 0 {
			t.Errorf("%d %s", n, claim)
		}
	}
}

// tell sends a message by the door it belongs to.
func (p *process) tell(t testing.TB, client *hl7.Client, message []byte) {
	if message[0] != '{' {
		if ack := send(t, client, message); ack.Code != "AA" {
			t.Errorf("answered %s %s", ack.Code, ack.Text)
		}
		return
	}
	if status, body := p.post(t, "application/cloudevents+json", string(message)); status != http.StatusAccepted {
		t.Errorf("answered %d %s", status, body)
	}
}

// wardOf is all that is stored of one hospital's people and visits.
func (p *process) wardOf(t testing.TB, organisation string) *ward {
	t.Helper()
	w := &ward{t: t}
	err := p.flow.Do(t.Context(), func(tx *flow.Tx) error {
		job := newTransaction(p.Service, nil)
		rows, err := p.pool.Query(t.Context(), `select number from intake.visit where organisation = $1`, organisation)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var number string
			if err := rows.Scan(&number); err != nil {
				return err
			}
			job.locks.visits[record.VisitKey{Organisation: organisation, Number: number}] = true
		}
		w.unit = job.unit
		return p.loadUnit(tx, job.locks, job.unit, tx.Now)
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}
