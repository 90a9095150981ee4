package intake

import (
	"fmt"
	"footbridge/services/intake/reading"
	"strings"
	"testing"
)

func TestWhatLooksLikeACodeIsShownAndWhatLooksLikeANameIsNot(t *testing.T) {
	t.Parallel()
	for _, shown := range []string{"1", "MSG00001", "MSGID00231", "8919-40", "20261120093000123",
		"0199f0f2-0000-7000-8000-0000000000aa", "Q1234T567", "9990000107", "01a1f92a-780c-71e8-be62-f5514151921f",
		"list 81914c4e28ea9f58536b7748",
		"uk.nhs.personal-demographics-service 0199f0f2-0000-7000-8000-0000000000aa", "E1"} {
		if !reading.IsControlID(shown) {
			t.Errorf("control id %q is hidden", shown)
		}
	}
	for _, hidden := range []string{"Quillfeather", "Quillfeather1", "QUILLFEATHER-A", "zephyrine quillfeather 2",
		"Robin 7", "a@b.example", "two\nlines1",
		strings.Repeat("1", 101)} {
		if reading.IsControlID(hidden) {
			t.Errorf("control id %q is shown", hidden)
		}
	}
	for control, hidden := range map[string]bool{"9990000107": true, "P9990000107": true, "A1-5514151921f": false,
		"1234": false} {
		raw := "MSH|^~\\&|RXX-EPR|RXX|||20261120||ADT^A03|" + control + "|P|2.4\rPID|1||9990000107^^^NHS^NH"
		if reading.RepeatsNumber(control, []byte(raw)) != hidden {
			t.Errorf("control id %q is not hidden: %t", control, hidden)
		}
	}
	for _, shown := range []string{"RXX", "RAL01", "SFAC", "Y12345"} {
		if !reading.IsFacility(shown) {
			t.Errorf("facility %q is hidden", shown)
		}
	}
	for _, hidden := range []string{"Quillfeather", "QUILLFEATHER", "St Mary", "9990000107", "R X"} {
		if reading.IsFacility(hidden) {
			t.Errorf("facility %q is shown", hidden)
		}
	}
	for _, shown := range []string{"SIMHOSP", "ADT1", "EPIC_ADT", "RXX-EPR", "ADTApp"} {
		if !reading.LooksCoded(reading.ApplicationText, shown, 14) {
			t.Errorf("application %q is hidden", shown)
		}
	}
	for _, hidden := range []string{"Quillfeather", "Quill Feather", "Zoe.Quill", "9990000107", "QUILLFEATHERSTONE"} {
		if reading.LooksCoded(reading.ApplicationText, hidden, 14) {
			t.Errorf("application %q is shown", hidden)
		}
	}
	for _, shown := range []string{"/hospitals/rxx/ed", "urn:nhs:ods:RXX", "https://rxx.example/adt",
		"uk.nhs.personal-demographics-service"} {
		if !reading.LooksCoded(reading.SourceText, shown, 14) {
			t.Errorf("source %q is hidden", shown)
		}
	}
}

// TestANameInAHeaderIsSealed sends somebody's name as application, facility and control id: operators see hashes, the
// events carry one, and a resend is still known.
func TestANameInAHeaderIsSealed(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client := p.dial(t)
	message := func(trigger, control string) []byte {
		h := newHospital()
		text := string(h.message(trigger, reason("248062006", "", "SCT")))
		fields := strings.SplitN(text, "|", 11)
		fields[2], fields[3], fields[9] = "Zephyrine Quill", "Quillfeather", control
		return []byte(strings.Join(fields, "|"))
	}
	for range 2 {
		if ack := send(t, client, message("A03", "Quillfeather 9990000107")); ack.Code != "AA" ||
			ack.ControlID != "Quillfeather 9990000107" {
			t.Fatalf("answered %+v", ack)
		}
	}
	expect(t, p.ledgerNow(t), "AA raised", "AA duplicate")
	var sender, organisation, control, said string
	if err := p.site.db.Admin().QueryRow(t.Context(), `select m.sender, m.organisation, m.control_id, v.says::text
		from intake.message m join intake.visit v on v.id = m.visit
		where outcome <> 'duplicate'`).Scan(&sender, &organisation, &control, &said); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(sender, "unknown-") || !strings.HasPrefix(control, "unknown-") ||
		!strings.HasPrefix(organisation, "X") || len(organisation) != 11 {
		t.Errorf("the ledger shows %q, %q and %q", sender, organisation, control)
	}
	p.canaries(t, "quillfeather", "zephyrine", "9990000107")
	for _, table := range []string{"message", "receipt", "visit", "person", "outbox", "feed_hour", "journey"} {
		var rows string
		if err := p.site.db.Admin().QueryRow(t.Context(), fmt.Sprintf(`select coalesce(string_agg(t::text, ' '), '')
			from intake.%s t`, table)).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(rows), "quillfeather") || strings.Contains(rows, "9990000107") {
			t.Errorf("in %s: %s", table, rows)
		}
	}
}
