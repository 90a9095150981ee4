package hl7

import (
	"bytes"
	"strings"
	"testing"
)

// aSizeableVisit is a message of about 1.2 kB, as A&E systems send them.
func aSizeableVisit() []byte {
	return []byte(visit + strings.Repeat("OBX|1|ST|1^Pulse^L||72|/min|60-100|N|||F|||20261120071500||NURSE^Test\r", 12))
}

// BenchmarkScan is the limit: looking at every byte once.
func BenchmarkScan(b *testing.B) {
	raw := aSizeableVisit()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		bytes.Count(raw, []byte{'\r'})
	}
}

// BenchmarkParse only finds the segments.
func BenchmarkParse(b *testing.B) {
	raw := aSizeableVisit()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseAndRead does what a receiver of visits does with each message.
func BenchmarkParseAndRead(b *testing.B) {
	raw := aSizeableVisit()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		_, _, _ = m.ControlID(), m.Trigger(), m.SendingFacility()
		_ = m.NHSNumber(NHSNumberKinds)
		pv1 := m.Segment("PV1")
		_, _ = pv1.Field(19).String(), pv1.Field(2).Is("E")
		_, _ = m.Get("EVN-6").Time(nil)
	}
}

// BenchmarkAck builds an answer.
func BenchmarkAck(b *testing.B) {
	m, err := Parse(aSizeableVisit())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Acks(Ack{ControlID: "0198c0de-0000-7000-8000-000000000000"})
	}
}
