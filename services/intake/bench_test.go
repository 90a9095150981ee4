package intake

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"footbridge/libs/hl7"
)

// BenchmarkDischargesOverMLLP is one message that raises a journey for somebody new, from eight senders with up to 32
// messages under way each, until it is acknowledged.
func BenchmarkDischargesOverMLLP(b *testing.B) { benchOn(b, newSite(b)) }

func benchOn(b *testing.B, s *site) {
	p := s.start()
	messages := make(chan []byte, 1024)
	go func() {
		defer close(messages)
		for i := range b.N {
			h := newHospital()
			h.number, h.patient, h.control = fmt.Sprintf("V%d", i), fmt.Sprintf("L%d", i), 10*i
			messages <- h.message("A03", reason("248062006", "", "SCT"))
		}
	}()
	b.ResetTimer()
	var senders sync.WaitGroup
	for range 8 {
		client := p.dial(b)
		for range 32 {
			senders.Go(func() {
				for m := range messages {
					answer, err := client.Send(b.Context(), m)
					if ack, ackErr := hl7.ParseAck(answer); err != nil || ackErr != nil || ack.Code != "AA" {
						b.Errorf("answered %q, %v", answer, err)
					}
				}
			})
		}
	}
	senders.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkDischargesOverHTTP is one reported discharge of somebody new, with a yes to both purposes, from 64 senders.
func BenchmarkDischargesOverHTTP(b *testing.B) {
	p := newSite(b).start()
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 64
	numbers := make(chan int)
	go func() {
		defer close(numbers)
		for i := range b.N {
			numbers <- i
		}
	}()
	b.ResetTimer()
	var senders sync.WaitGroup
	for range 64 {
		senders.Go(func() {
			for i := range numbers {
				data := strings.NewReplacer("E1", fmt.Sprintf("E%d", i), "L7", fmt.Sprintf("L%d", i), "false",
					"true").Replace(reportData)
				if status, body := p.post(b, typeStructured,
					report(fmt.Sprint(i), data)); status != http.StatusAccepted {
					b.Errorf("answered %d %s", status, body)
				}
			}
		})
	}
	senders.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
