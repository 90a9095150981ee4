package hl7

import "strings"

func (m *Message) msh(n int) Value { return m.at(0).Field(n) }

// SendingApplication returns MSH-3, its first component.
func (m *Message) SendingApplication() string { return m.msh(3).String() }

// SendingFacility returns MSH-4, its first component: in the UK the ODS code of the sending organisation.
func (m *Message) SendingFacility() string { return m.msh(4).String() }

// ReceivingApplication returns MSH-5, its first component.
func (m *Message) ReceivingApplication() string { return m.msh(5).String() }

// ReceivingFacility returns MSH-6, its first component.
func (m *Message) ReceivingFacility() string { return m.msh(6).String() }

// SentAt returns MSH-7 for [ParseTime]: when the message was made, never when something happened to the person.
func (m *Message) SentAt() Value { return m.msh(7).Comp(1) }

// Type returns the message type, MSH-9.1: "ADT". A sender that writes only the structure ("ADT_A03") is understood.
func (m *Message) Type() string {
	code, _, _ := strings.Cut(m.msh(9).String(), "_")
	return code
}

// Trigger returns the trigger event, MSH-9.2: "A03". Where the sender left it out it is taken from the message
// structure ("ADT_A03" in MSH-9.1), else from EVN-1, as versions before 2.3 had it; never from MSH-9.3, since
// several events share a structure.
func (m *Message) Trigger() string {
	if trigger := m.msh(9).Comp(2).String(); trigger != "" {
		return trigger
	}
	if _, trigger, ok := strings.Cut(m.msh(9).String(), "_"); ok {
		return trigger
	}
	return m.Segment("EVN").Field(1).String()
}

// Structure returns the message structure, MSH-9.3; "" in two-part message types.
func (m *Message) Structure() string { return m.msh(9).Comp(3).String() }

// ControlID returns MSH-10, by which the sender knows the message again; "" if it gave none.
func (m *Message) ControlID() string { return m.msh(10).String() }

// ProcessingID returns MSH-11: P production, T training, D debugging.
func (m *Message) ProcessingID() string { return m.msh(11).String() }

// Version returns MSH-12, its first component: "2.4". Do not branch on it alone; senders declare what they like.
func (m *Message) Version() string { return m.msh(12).String() }
