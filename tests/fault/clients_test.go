package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/hl7"
	"footbridge/schemas"
)

// acknowledgement is a sender's own note of an answer that says: taken.
type acknowledgement struct {
	sender, id, visit string
	// trigger says whether this message alone, or with those of the visit before it, must lead to a journey.
	trigger bool
}

// logbook is all that the senders have noted.
type logbook struct {
	mu    sync.Mutex
	acks  []acknowledgement
	sent  map[string]bool // visits of which anything was sent: none may have two journeys
	never atomic.Int64    // messages that nobody acknowledged and nobody sent again
	other map[string]int  // answers that were neither yes nor silence
}

func newLogbook() *logbook { return &logbook{sent: map[string]bool{}, other: map[string]int{}} }

func (l *logbook) sending(visit string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[visit] = true
}

func (l *logbook) acked(a acknowledgement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acks = append(l.acks, a)
}

func (l *logbook) refused(how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.other[how]++
}

func (l *logbook) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acks)
}

// triggered are the visits that must have a journey, by the acknowledgements.
func (l *logbook) triggered() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var visits []string
	for _, a := range l.acks {
		if a.trigger {
			visits = append(visits, a.visit)
		}
	}
	return visits
}

// numbers makes visits and people apart.
var numbers atomic.Int64

// newVisit is a visit of somebody new: a number for the visit, and an NHS number of the range for tests.
func newVisit() (visit, nhs, local string) {
	n := numbers.Add(1)
	return fmt.Sprintf("V%08d", n), nhsNumber(n), fmt.Sprintf("L%08d", n)
}

// surname gives each visit's person a name of their own: "Sample" and the digits of the visit's number as letters.
func surname(visit string) string {
	return "Sample" + strings.Map(func(r rune) rune { return 'a' + (r - '0') }, strings.TrimLeft(visit, "V0"))
}

// nhsNumber is the n-th number of the range 999 that is valid by modulus 11.
func nhsNumber(n int64) string {
	for ; ; n += 500_000 {
		digits := fmt.Sprintf("999%06d", n%1_000_000)
		sum := 0
		for i, d := range digits {
			sum += int(d-'0') * (10 - i)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return digits + string(rune('0'+check))
		}
	}
}

type message struct {
	id, visit string
	trigger   bool
	bytes     []byte
}

// visitMessages are the messages of one visit in scope: all three, or the end with the diagnosis on it.
func visitMessages(sender string, now time.Time, whole bool) []message {
	visit, nhs, local := newVisit()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err) // intake carries it
	}
	at := func(t time.Time) string { return t.In(zone).Format("20060102150405") }
	build := func(event string, diagnosis bool) message {
		id := clock.NewID(now)
		w := hl7.NewWriter(hl7.Header{SendingApplication: sender, SendingFacility: organisation,
			ReceivingApplication: "FOOTBRIDGE",
			At:                   now, Type: "ADT", Trigger: event, ControlID: id, ProcessingID: "P", Version: "2.4"})
		w.Segment("EVN").Set(2, at(now))
		w.Segment("PID").Set(3, local, "", "", organisation, "MR").Repeat(3, nhs, "", "", "NHS", "NH").
			Set(5, surname(visit), "Robin").Set(7, "19980214").Set(8, "F").Set(13, "07700900123")
		pv1 := w.Segment("PV1").Set(2, "E").Set(3, "ED").Set(19, visit).Set(44, at(now.Add(-5*time.Hour)))
		if event == "A03" {
			pv1.Set(36, "19").Set(45, at(now.Add(-time.Minute)))
		}
		if diagnosis {
			w.Segment("DG1").Set(1, "1").Set(3, "276853009", "Self-inflicted injury", "SCT")
		}
		return message{id: id, visit: visit, trigger: event == "A03", bytes: w.Bytes()}
	}
	if !whole {
		return []message{build("A03", true)}
	}
	return []message{build("A01", false), build("A08", true), build("A03", false)}
}

// hospital is one sender over MLLP with one connection, which it makes again when it breaks, to the next intake.
type hospital struct {
	stand   *stand
	book    *logbook
	name    string
	resends bool
	whole   bool
	client  *hl7.Client
	turn    int
}

// visitsPerConnection is after how many visits a sender turns to the other process: both always have something to do.
const visitsPerConnection = 10

// patience is how long a sender waits for an answer. One that sends again tries elsewhere soon.
const patience = 4 * time.Second

// work sends a visit at each tick until ctx ends; then it finishes the one under way.
func (h *hospital) work(ctx context.Context, tick <-chan time.Time) {
	defer h.hangUp()
	visits := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		h.sendVisit(context.WithoutCancel(ctx))
		if visits++; visits%visitsPerConnection == 0 {
			h.hangUp()
		}
	}
}

func (h *hospital) sendVisit(ctx context.Context) {
	for _, m := range visitMessages(h.name, h.stand.now(), h.whole) {
		h.book.sending(m.visit)
		for try := 0; !h.send(ctx, m); try++ {
			if !h.resends {
				h.book.never.Add(1)
				return
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// send sends once and says whether the message was accepted; its acknowledgement is noted.
func (h *hospital) send(ctx context.Context, m message) bool {
	wait := patience
	if !h.resends {
		wait = time.Minute // its answer may be held while the database is away
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if h.client == nil {
		h.turn++
		client, err := hl7.Dial(ctx, h.stand.procs[fmt.Sprintf("intake/%d", 1+h.turn%2)].mllp, nil)
		if err != nil {
			return false
		}
		h.client = client
	}
	raw, err := h.client.Send(ctx, m.bytes)
	if err != nil {
		h.hangUp()
		return false
	}
	ack, err := hl7.ParseAck(raw)
	if err != nil || ack.ControlID != m.id || ack.Code != "AA" {
		h.book.refused(fmt.Sprintf("MLLP %s %s", ack.Code, ack.Text))
		return false
	}
	h.book.acked(acknowledgement{sender: h.name, id: m.id, visit: m.visit, trigger: m.trigger})
	return true
}

func (h *hospital) hangUp() {
	if h.client != nil {
		_ = h.client.Close()
		h.client = nil
	}
}

// reporter is one sender over POST /events, which sends again with the same id until the event is taken.
type reporter struct {
	stand *stand
	book  *logbook
	http  *http.Client
	turn  int
}

// reporterSource is the CloudEvents source that the commands' token may speak for.
const reporterSource = "/command"

func (r *reporter) work(ctx context.Context, tick <-chan time.Time) {
	visits := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		visit := reportVisit(r.stand.now())
		r.book.sending(visit.visit)
		for !r.send(context.WithoutCancel(ctx), visit) {
			pause(context.WithoutCancel(ctx), 100*time.Millisecond)
		}
		if visits++; visits%visitsPerConnection == 0 {
			r.turn++
		}
	}
}

// reportVisit is one reported discharge of somebody new.
func reportVisit(now time.Time) message {
	visit, nhs, local := newVisit()
	id := clock.NewID(now)
	left := now.Add(-time.Minute).UTC()
	body, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": id, "source": reporterSource, "type": schemas.DischargeReported,
		"time":            now.UTC().Format(time.RFC3339Nano),
		"datacontenttype": "application/json", "data": map[string]any{
			"organisation": organisation, "visit": visit, "inScope": true, "leftAt": left.Format(time.RFC3339),
			"person": map[string]any{"nhsNumber": nhs, "nhsNumberVerified": true, "localId": local,
				"familyName": surname(visit), "givenName": "Robin"},
			"facts": map[string]any{"age": 28, "areaResidence": "E06000027"},
		},
	})
	if err != nil {
		panic(err) // a map of plain values
	}
	return message{id: id, visit: visit, trigger: true, bytes: body}
}

func (r *reporter) send(ctx context.Context, m message) bool {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	status, answer, err := r.post(ctx, m.bytes, "application/cloudevents+json")
	if err != nil {
		r.turn++
		return false
	}
	if status != http.StatusAccepted {
		if status < 500 && status != http.StatusTooManyRequests {
			r.book.refused(fmt.Sprintf("HTTP %d %s", status, answer))
		}
		r.turn++
		return false
	}
	r.book.acked(acknowledgement{sender: reporterSource, id: m.id, visit: m.visit, trigger: true})
	return true
}

func (r *reporter) post(ctx context.Context, body []byte, contentType string) (status int, answer []byte, err error) {
	response, err := r.ask(ctx, body, contentType)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// ask posts to one of the gateways.
func (r *reporter) ask(ctx context.Context, body []byte, contentType string) (*http.Response, error) {
	url := "http://" + r.stand.procs[fmt.Sprintf("gateway/%d", 1+r.turn%2)].addr + "/events"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+hospitalToken)
	request.Header.Set("Content-Type", contentType)
	return r.http.Do(request)
}

// postBatch sends many reports in one request and notes each that was taken; it returns those that were not.
func (r *reporter) postBatch(ctx context.Context, batch []message) (rest []message) {
	pieces := make([]string, len(batch))
	for i, m := range batch {
		pieces[i] = string(m.bytes)
		r.book.sending(m.visit)
	}
	status, answer, err := r.post(ctx, []byte("["+strings.Join(pieces, ",")+"]"), "application/cloudevents-batch+json")
	var lines []struct {
		ID     string
		Status int
	}
	if err != nil || status != http.StatusOK || json.Unmarshal(answer, &lines) != nil {
		return batch
	}
	taken := map[string]bool{}
	for _, line := range lines {
		taken[line.ID] = line.Status == http.StatusAccepted
	}
	for _, m := range batch {
		if !taken[m.id] {
			rest = append(rest, m)
			continue
		}
		r.book.acked(acknowledgement{sender: reporterSource, id: m.id, visit: m.visit, trigger: true})
	}
	return rest
}

// report sends count discharges through both gateways and returns when each has been taken.
func report(t *testing.T, s *stand, book *logbook, count int) {
	t.Helper()
	const size, lanes = 50, 4
	var senders sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(count))
	for lane := range lanes {
		r := &reporter{stand: s, book: book, http: &http.Client{Timeout: 30 * time.Second}, turn: lane}
		senders.Go(func() {
			for t.Context().Err() == nil {
				from := left.Add(-size) + size
				if from <= 0 {
					return
				}
				var batch []message
				for range min(size, from) {
					batch = append(batch, reportVisit(s.now()))
				}
				for len(batch) > 0 && t.Context().Err() == nil {
					batch = r.postBatch(t.Context(), batch)
				}
			}
		})
	}
	senders.Wait()
}
