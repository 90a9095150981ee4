package intake

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"footbridge/libs/hl7"
	"footbridge/libs/testkit"
	"footbridge/services/intake/reading"
)

// issuer signs certificates for a test.
type issuer struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test issuer"},
		IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, key, cert}
}

func (i *issuer) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(i.cert)
	return pool
}

func (i *issuer) certificate(name string) tls.Certificate {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		DNSNames:  []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	raw, err := x509.CreateCertificate(rand.Reader, template, i.cert, &key.PublicKey, i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func TestACertificateSendsOnlyAsTheProfileThatNamesIt(t *testing.T) {
	t.Parallel()
	site, authority := newSite(t), newIssuer(t)
	site.tls = &tls.Config{Certificates: []tls.Certificate{authority.certificate("footbridge.test")},
		ClientCAs:  authority.pool(),
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	p := site.start()
	bound := *p.profiles.Fallback
	bound.Certificate = []string{"trust.test"}
	p.profiles.BySender["TRUST"] = &bound
	dial := func(name string) *hl7.Client {
		conf := &tls.Config{RootCAs: authority.pool(), ServerName: "footbridge.test"}
		if name != "" {
			conf.Certificates = []tls.Certificate{authority.certificate(name)}
		}
		client, err := hl7.Dial(t.Context(), p.mllp, conf)
		if err != nil {
			return nil
		}
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	h := newHospital()
	for _, c := range []struct{ certificate, application, want string }{
		{"trust.test", "TRUST", "AA"}, {"other.test", "TRUST", "AR"}, {"trust.test", "EPR", "AR"},
		{"other.test", "EPR", "AA"}} {
		h.application = c.application
		if ack := send(t, dial(c.certificate), h.message("A04")); ack.Code != c.want {
			t.Errorf("%s as %s: %s, want %s", c.certificate, c.application, ack.Code, c.want)
		}
	}
	if client := dial(""); client != nil {
		if _, err := client.Send(t.Context(), h.message("A04")); err == nil {
			t.Error("taken without a certificate")
		}
	}
}

// acknowledged is what a raw connection was answered with.
type acknowledged struct{ codes, ids, wanted []string }

// answersTo sends a message over a raw connection, then one in original mode, and gives what came before the answer to
// that.
func answersTo(t *testing.T, conn net.Conn, message, last []byte) (got acknowledged) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "\x0b%s\x1c\r\x0b%s\x1c\r", message, last); err != nil {
		t.Fatal(err)
	}
	asked, err := hl7.Parse(message)
	if err != nil {
		t.Fatal(err)
	}
	for {
		answer, err := hl7.Parse(readFrame(t, conn))
		if err != nil {
			t.Fatal(err)
		}
		switch answers := answer.Get("MSA-2").String(); {
		case answers == "last":
			return got
		case answers != asked.ControlID():
			t.Fatalf("an answer to %s", answers)
		}
		got.codes = append(got.codes, answer.Get("MSA-1").String())
		got.ids = append(got.ids, answer.ControlID())
		got.wanted = append(got.wanted, answer.Get("MSH-15").String()+answer.Get("MSH-16").String())
	}
}

// TestEveryAcknowledgementThatIsAskedForGoesBackAndNoOther is the table of MSH-15, MSH-16 and what becomes of a
// message; each is sent twice.
func TestEveryAcknowledgementThatIsAskedForGoesBackAndNoOther(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	asAsked := *p.profiles.Fallback
	asAsked.Acknowledgements = reading.AckAsAsked
	p.profiles.BySender["EPR"] = &asAsked
	conn, err := net.Dial("tcp", p.mllp)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	last := []byte("MSH|^~\\&|OTHER|RXX|B|C|20261120||ADT^A60|last|P|2.4\r")
	n := 0
	for asked, want := range map[string][3]string{ // for what is taken, what is broken, and what is refused
		"|": {"AA", "AE", "AR"}, "NE|NE": {"", "", ""},
		"AL|": {"CA", "CE", "CR"}, "AL|NE": {"CA", "CE", "CR"}, "|AL": {"AA", "AE", "AR"}, "NE|AL": {"AA", "AE", "AR"},
		"AL|AL": {"CA AA", "CA AE", "CR"}, "AL|ER": {"CA", "CA AE", "CR"}, "AL|SU": {"CA AA", "CE", "CR"},
		"ER|NE": {"", "CE", "CR"}, "ER|AL": {"AA", "AE", "CR"}, "ER|ER": {"", "AE", "CR"}, "ER|SU": {"AA", "CE", "CR"},
		"SU|NE": {"CA", "", ""}, "SU|AL": {"CA AA", "CA AE", "AR"}, "SU|ER": {"CA", "CA AE", "AR"},
		"SU|SU": {"CA AA", "", ""},
		"NE|ER": {"", "AE", "AR"}, "NE|SU": {"AA", "", ""},
	} {
		for i, body := range []string{"ADT^A08|%s|P|2.4|||%s\rPID|1||L42^^^RXX^MR\rPV1|1|E\r",
			"ADT^A08|%s|P|2.4|||%s\r", "ORU^R01|%s|P|2.4|||%s\r"} {
			n++
			message := []byte("MSH|^~\\&|EPR|RXX|B|C|20261120||" + fmt.Sprintf(body, fmt.Sprintf("T%d", n), asked))
			for range 2 {
				got := answersTo(t, conn, message, last)
				enhanced := ""
				if asked != "|" {
					enhanced = "NENE"
				}
				if codes := strings.Join(got.codes, " "); codes != want[i] {
					t.Errorf("%s of %.12s: %q, want %q", asked, body, codes, want[i])
				}
				if len(got.ids) == 2 && got.ids[0] == got.ids[1] ||
					slices.ContainsFunc(got.wanted, func(w string) bool { return w != enhanced }) {
					t.Errorf("%s: answers %v that ask for %v", asked, got.ids, got.wanted)
				}
			}
		}
	}
}

func TestAnAcknowledgementThatComesInIsKeptAndNeverAnswered(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	conn, err := net.Dial("tcp", p.mllp)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	h := newHospital()
	leaves := h.message("A03", reason("248062006", "", "SCT"))
	for i, answer := range []string{"ACK^A03^ACK|C1|P|2.4\rMSA|AA|X1\r", "ACK|C1|P|2.1|||AL|AL\r",
		"RSP^K11|C1|Z|9\rMSA|AE|X1\r", "|C1|P|2.4\rMSA|AR|X1\r"} {
		got := answersTo(t, conn, []byte("MSH|^~\\&|EPR|RXX|B|C|20261120||"+answer),
			[]byte("MSH|^~\\&|OTHER|RXX|B|C|20261120||ADT^A60|last|P|2.4\r"))
		if len(got.codes) > 0 {
			t.Errorf("%d: answered %v", i, got.codes)
		}
	}
	// A discharge is one even with a stray MSA, and under a control id that an answer had.
	if ack := send(t, p.dial(t), append(leaves, "MSA|AA|X1\r"...)); ack.Code != "AA" {
		t.Errorf("answered %+v", ack)
	}
	counts := map[string]int{}
	for _, line := range p.ledgerNow(t) {
		counts[line]++
	}
	if counts["none ignored acknowledgement"] != 4 || counts["AA raised"] != 1 {
		t.Errorf("ledger %v", counts)
	}
}

// TestStoppingUnderLoadAnswersWhatWasTakenAndLosesNothing: what was acknowledged is in the ledger, and what was not
// can be sent again to the next process.
func TestStoppingUnderLoadAnswersWhatWasTakenAndLosesNothing(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	first := site.start()
	const senders, each = 6, 60
	var answered atomic.Int64
	var all sync.WaitGroup
	unanswered := make([][][]byte, senders)
	half := make(chan struct{})
	for c := range senders {
		client := first.dial(t)
		all.Go(func() {
			for i := range each {
				h := newHospital()
				h.number, h.patient, h.control = fmt.Sprintf("V%d-%d", c, i), fmt.Sprintf("L%d-%d", c, i), 1000*c+i
				m := h.message("A03", reason("248062006", "", "SCT"))
				answer, err := client.Send(context.Background(), m)
				if ack, ackErr := hl7.ParseAck(answer); err != nil || ackErr != nil || ack.Code != "AA" {
					unanswered[c] = append(unanswered[c], m)
					continue
				}
				if answered.Add(1) == senders*each/3 {
					close(half)
				}
			}
		})
	}
	<-half
	first.stop()
	all.Wait()
	second := site.start()
	if n := len(second.ledgerNow(t)); n < int(answered.Load()) {
		t.Fatalf("%d acknowledged, %d in the ledger", answered.Load(), n)
	}
	client := second.dial(t)
	for _, messages := range unanswered {
		for _, m := range messages {
			if ack := send(t, client, m); ack.Code != "AA" {
				t.Errorf("again: %+v", ack)
			}
		}
	}
	if _, journeys := second.outbox(t); len(journeys) != senders*each {
		t.Errorf("%d journeys, want %d", len(journeys), senders*each)
	}
}

// TestMemoryStaysFlatWhileTheDatabaseIsAway: senders wait; nothing is refused, answered or piled up.
func TestMemoryStaysFlatWhileTheDatabaseIsAway(t *testing.T) { // not parallel: it measures memory
	cluster := testkit.KillableCluster(t)
	s := newSiteOn(t, cluster.Cluster)
	p := s.start()
	cluster.Kill()
	const senders, window = 8, 64
	var answers atomic.Int64
	var all sync.WaitGroup
	for c := range senders {
		client := p.dial(t)
		for i := range 4 * window { // more than a connection may have under way
			h := newHospital()
			h.number, h.patient, h.control = fmt.Sprintf("V%d-%d", c, i), fmt.Sprintf("L%d-%d", c, i), 1000*c+i
			m := h.message("A03", reason("248062006", "", "SCT"))
			all.Go(func() {
				answer, err := client.Send(context.Background(), m)
				if ack, ackErr := hl7.ParseAck(answer); err != nil || ackErr != nil || ack.Code != "AA" {
					t.Errorf("answered %q, %v", answer, err)
				}
				answers.Add(1)
			})
		}
	}
	for p.Ready() == nil {
		runtime.Gosched()
	}
	var memory [2]runtime.MemStats
	wait := time.NewTimer(time.Second)
	for i := range memory {
		<-wait.C
		runtime.GC()
		runtime.ReadMemStats(&memory[i])
		wait.Reset(8 * time.Second)
	}
	if n := answers.Load(); n != 0 {
		t.Errorf("%d answered without a database", n)
	}
	if held := len(p.inbound); held > senders*window {
		t.Errorf("%d messages are held, at most %d can be under way", held, senders*window)
	}
	if grown := int64(memory[1].HeapAlloc) - int64(memory[0].HeapAlloc); grown > 16<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	cluster.Restart()
	all.Wait()
	if _, journeys := p.outbox(t); len(journeys) != 4*senders*window {
		t.Errorf("%d journeys, want %d", len(journeys), 4*senders*window)
	}
}
