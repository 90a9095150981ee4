package flow

import (
	"encoding/json"
	"testing"
	"time"

	"footbridge/libs/bus"
	"footbridge/libs/testkit"
)

func TestAnAcknowledgementIsReadAsTheDecoderReadsIt(t *testing.T) {
	t.Parallel()
	for text, plain := range map[string]bool{
		`{"stream":"FOOTBRIDGE","seq":1}`:                                                      true,
		`{"stream":"S","seq":18446744073709551615}`:                                            true,
		`{"stream":"S", "seq":7}`:                                                              false,
		`{"stream":"S","seq":7,"duplicate": true}`:                                             false,
		`{"stream":"S","seq":7, "batch":"b"}`:                                                  false,
		`{"stream":"a\"b","seq":7}`:                                                            false,
		`{"stream":"S","seq":-1}`:                                                              false,
		`{"stream":"S","seq":18446744073709551616}`:                                            false,
		`{"error":{"code":400,"err_code":10054,"description":"too large"},"stream":"S"}`:       false,
		`{"error":{"code":503,"err_code":10077,"description":"maximum"},"stream":"S","seq":0}`: false,
		`{`: false,
		``:  false,
	} {
		if _, ok := plainAck([]byte(text)); ok != plain {
			t.Errorf("%s: plain %v, want %v", text, ok, plain)
		}
		var want pubAck
		wantErr := json.Unmarshal([]byte(text), &want)
		got, err := readAck([]byte(text))
		if (err == nil) != (wantErr == nil) || got.Seq != want.Seq || (got.Error == nil) != (want.Error == nil) {
			t.Errorf("%s: got %+v, %v; the decoder says %+v, %v", text, got, err, want, wantErr)
		}
	}
}

func TestWhatTheBrokerAnswersIsReadWithoutTheDecoder(t *testing.T) {
	t.Parallel()
	conn := testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL(), Name: "plain"})
	testkit.Keep(t, conn, bus.Stream{Name: "PLAIN", Subjects: []string{"plain.>"}, MaxAge: time.Hour, MaxBytes: -1})
	for want := range uint64(3) {
		answer, err := conn.NATS.RequestWithContext(t.Context(), "plain.one", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if seq, ok := plainAck(answer.Data); !ok || seq != want+1 {
			t.Errorf("%s: read as %d, %v", answer.Data, seq, ok)
		}
	}
}

func BenchmarkAnAcknowledgementIsRead(b *testing.B) {
	data := []byte(`{"stream":"FOOTBRIDGE","seq":1234567}`)
	b.ReportAllocs()
	for b.Loop() {
		if ack, err := readAck(data); err != nil || ack.Seq != 1234567 {
			b.Fatal(ack, err)
		}
	}
}

func BenchmarkAnAcknowledgementIsReadByTheDecoder(b *testing.B) {
	data := []byte(`{"stream":"FOOTBRIDGE","seq":1234567}`)
	b.ReportAllocs()
	for b.Loop() {
		var ack pubAck
		if err := json.Unmarshal(data, &ack); err != nil {
			b.Fatal(err)
		}
	}
}
