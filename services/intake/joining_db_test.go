package intake

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/schemas"
)

func TestComingBackMergedNumbersAndCorrectedIdentifiersInTheDatabase(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	p, q := site.start(), site.start()
	here, there := p.dial(t), q.dial(t)
	h := newHospital()
	h.at = time.Now().Add(-100 * time.Hour).Truncate(time.Second)
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
	if err := site.db.Admin().QueryRow(t.Context(), `select count(*), max(told) from intake.journey`).Scan(&versions, &told); err != nil || versions != 1 || int(told) != len(types) {
		t.Errorf("%d journeys, %d told of %d events, %v", versions, told, len(types), err)
	}
	// The journey service has closed it: the next attendance begins another.
	var id string
	if err := site.db.Admin().QueryRow(t.Context(), `select id::text from intake.journey`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if err := p.flow.Do(t.Context(), func(tx *flow.Tx) error {
		return p.Handle(tx, nil)([]flow.Event{{ID: "1", Type: schemas.TypePrefix + "journey.closed.v1", Subject: id, Sequence: "000000000009"},
			{ID: "2", Type: string(schemas.JourneyOpened), Subject: id, Sequence: "000000000001"}})
	}); err != nil {
		t.Fatal(err)
	}
	h.patient, h.number, h.at = "L42", "V4", time.Now().Add(-2*time.Hour).Truncate(time.Second)
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
		if err := admin.QueryRow(t.Context(), `select exists (select from pg_stat_activity where datname = current_database()
			and usename like '%intake%' and wait_event_type = 'Lock')`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-answered
	var visits, version int
	if err := admin.QueryRow(t.Context(), `select count(*), max(version) from intake.visit`).Scan(&visits, &version); err != nil || visits != 1 || version != 8 {
		t.Errorf("%d visits, version %d, %v; want the one, joined", visits, version, err)
	}
}
