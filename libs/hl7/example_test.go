package hl7_test

import (
	"context"
	"fmt"
	"net"

	"footbridge/libs/hl7"
)

func ExampleParse() {
	m, err := hl7.Parse([]byte("MSH|^~\\&|EDSYS|RXX|||20261120074232||ADT^A03|C1|P|2.4\r" +
		"PID|1||L42^^^RXX^MR~9990000107^^^NHS^NH\r" +
		"PV1|1|E|||||||||||||||||V1001^^^RXX\r"))
	if err != nil {
		fmt.Println(err)
		return
	}
	left, _ := m.Get("PV1-45").Time(nil)
	fmt.Println(m.Type(), m.Trigger(), m.SendingFacility(), m.Get("PV1-19.1"))
	fmt.Println(m.NHSNumber(hl7.NHSNumberKinds).Number, left.IsZero())
	// Output:
	// ADT A03 RXX V1001
	// 9990000107 true
}

func ExampleMessage_Acks() {
	m, err := hl7.Parse([]byte("MSH|^~\\&|EDSYS|RXX|HUB|RXX|20261120||ADT^A03|C1|P|2.4|||AL|AL\r"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ack := range m.Acks(hl7.Ack{Outcome: hl7.Failed, ControlID: "a1", ApplicationID: "a2", Text: "no PID"}) {
		fmt.Printf("%q\n", ack)
	}
	// Output:
	// "MSH|^~\\&|HUB|RXX|EDSYS|RXX|||ACK^A03^ACK|a1|P|2.4|||NE|NE\rMSA|CA|C1\r"
	// "MSH|^~\\&|HUB|RXX|EDSYS|RXX|||ACK^A03^ACK|a2|P|2.4|||NE|NE\rMSA|AE|C1|no PID\r"
}

func ExampleServer() {
	s := &hl7.Server{Handler: func(_ context.Context, frame []byte) ([][]byte, error) {
		m, err := hl7.Parse(frame)
		if err != nil {
			return [][]byte{hl7.AckUnparsed(frame, hl7.Ack{Outcome: hl7.Refused, ControlID: "a1",
				Text: "not readable"})}, nil
		}
		// store it here; an error instead of an answer makes the sender send it again
		return m.Acks(hl7.Ack{ControlID: "a1", ApplicationID: "a2"}), nil
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = s.Serve(l) }()

	ctx := context.Background()
	c, err := hl7.Dial(ctx, l.Addr().String(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	w := hl7.NewWriter(hl7.Header{Type: "ADT", Trigger: "A04", ControlID: "C7"})
	w.Segment("PV1").Set(2, "E").Set(19, "V1001")
	answer, err := c.Send(ctx, w.Bytes())
	ack, _ := hl7.ParseAck(answer)
	fmt.Println(ack.Code, ack.ControlID, err)
	_ = c.Close()
	fmt.Println(s.Shutdown(ctx))
	// Output:
	// AA C7 <nil>
	// <nil>
}
