package sim

import (
	"encoding/json"
	"fmt"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/hl7"
	"footbridge/schemas"
)

// Source is what the hospital's system calls itself in the CloudEvents that it sends.
const Source = "/sim/ed-system"

// selfHarm is how a diagnosis says that somebody came after self-harm (SNOMED CT: self-inflicted injury).
const selfHarm = "276853009"

// hl7Message is a message as the hospital's main system writes it, in local time.
func (m *Message) hl7Message(organisation string, zone *time.Location) []byte {
	local := func(t time.Time) string {
		layout := "20060102150405"
		if m.Minutes {
			layout = "200601021504"
		}
		return t.In(zone).Format(layout)
	}
	p := m.Person
	w := hl7.NewWriter(hl7.Header{SendingApplication: "SIM-PAS", SendingFacility: organisation,
		ReceivingApplication: "FOOTBRIDGE", At: m.At.In(zone), Type: "ADT", Trigger: m.Trigger, ControlID: m.Control,
		ProcessingID: "P", Version: "2.4"})
	w.Segment("EVN").Set(2, local(m.At))
	pid := w.Segment("PID").Set(3, m.Local, "", "", organisation, "MR")
	if p.NHS != "" {
		pid.Repeat(3, p.NHS, "", "", "NHS", "NH")
	}
	pid.Set(5, p.Family, p.Given).Set(7, basic(p.Birth)).Set(8, sex(p.Gender)).
		Set(11, fmt.Sprintf("%d Sample Street", p.N%200+1), "", "Sampleton", "", "ZZ99 3WZ").Set(13, p.Phone)
	if m.Dead {
		pid.Set(29, local(m.At)).Set(30, "Y")
	}
	pid.Set(32, "NSTS01")
	if m.Prior != "" {
		w.Segment("MRG").Set(1, m.Prior, "", "", organisation, "MR")
		return w.Bytes()
	}
	if m.Trigger == "A31" {
		return w.Bytes()
	}
	pv1 := w.Segment("PV1").Set(2, "E").Set(3, "ED").Set(19, m.Visit)
	if !m.Left.IsZero() {
		pv1.Set(36, "19")
	}
	pv1.Set(44, local(m.Arrived))
	if !m.Left.IsZero() {
		pv1.Set(45, local(m.Left))
	}
	switch {
	case m.Coded:
		w.Segment("DG1").Set(1, "1").Set(3, selfHarm, "Self-inflicted injury", "SCT")
	case m.Trigger == "A08":
		w.Segment("DG1").Set(1, "1").Set(3, "125605004", "Fracture of bone", "SCT")
	}
	return w.Bytes()
}

func basic(day calendar.Day) string { return day.At(12, 0, time.UTC).Format("20060102") }

func sex(gender string) string {
	return map[string]string{"woman": "F", "man": "M"}[gender]
}

// event is a message as a system of the A&E department writes it: it knows more than a feed does.
func (m *Message) event(organisation string) ([]byte, error) {
	p, left, arrived := m.Person, m.Left.UTC(), m.Arrived.UTC()
	home := "home"
	data, err := json.Marshal(schemas.DischargeReportedData{Organisation: organisation, Visit: m.Visit,
		ArrivedAt: &arrived, LeftAt: &left, InScope: m.Coded,
		Person: schemas.ReportedPerson{LocalID: m.Local, NHSNumber: p.NHS, NHSNumberVerified: true,
			FamilyName: p.Family, GivenName: p.Given, BirthDate: p.Birth.String(), Phone: p.Phone},
		Facts: schemas.Facts{AreaResidence: &p.Area, Gender: &p.Gender, Destination: &home}})
	if err != nil {
		return nil, fmt.Errorf("writing the event of visit %s: %w", m.Visit, err)
	}
	return json.Marshal(map[string]any{"specversion": "1.0", "id": m.Control + "-" + m.Visit, "source": Source,
		"type": string(schemas.DischargeReported), "time": m.At.UTC().Format(time.RFC3339),
		"datacontenttype": "application/json", "data": json.RawMessage(data)})
}
