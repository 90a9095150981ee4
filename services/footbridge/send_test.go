package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"footbridge/libs/hl7"
)

// authority writes certificates that it signs as PEM files.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	a.key = a.sign("ca", a.cert)
	return a
}

// certificate returns the files of a certificate and its key, for a host at 127.0.0.1.
func (a *authority) certificate(name string) (cert, key string) {
	a.sign(name, &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth,
			x509.ExtKeyUsageServerAuth}})
	return a.file(name + ".pem"), a.file(name + ".key")
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) sign(name string, template *x509.Certificate) *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: raw},
		name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return key
}

// listen starts the MLLP server by the configuration's TLS, and returns its address.
func listen(t *testing.T, c *Config, handler func(context.Context, []byte) ([][]byte, error)) string {
	t.Helper()
	secure, err := c.mllpTLS()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &hl7.Server{Handler: handler, TLSConfig: secure}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return listener.Addr().String()
}

func acks(_ context.Context, frame []byte) ([][]byte, error) {
	m, err := hl7.Parse(frame)
	if err != nil {
		return nil, err
	}
	return m.Acks(hl7.Ack{ControlID: "1", ApplicationID: "2"}), nil
}

func codes(answers []answer) (all []string) {
	for _, a := range answers {
		all = append(all, a.Answer)
	}
	return all
}

const sent = "MSH|^~\\&|EPR|RXX|B|C|20261120||ADT^A08|C1|P|2.4|||AL|AL\rPID|1\r\rMSH|^~\\&|EPR|RXX|B|C|20261120||ADT^A08|C2|P|2.4\rPID|1\r"

func TestSendOverTLSShowsItsCertificateAndPrintsEveryAnswer(t *testing.T) {
	t.Parallel()
	trusted, stranger := newAuthority(t), newAuthority(t)
	serverCert, serverKey := trusted.certificate("server")
	cert, key := trusted.certificate("sender")
	otherCert, otherKey := stranger.certificate("sender")
	one := listen(t, &Config{MLLPCert: serverCert, MLLPKey: serverKey}, acks)
	mutual := listen(t, &Config{MLLPCert: serverCert, MLLPKey: serverKey, MLLPClientCA: trusted.file("ca.pem")}, acks)
	for name, c := range map[string]struct {
		addr  string
		flags sendFlags
		taken bool
	}{
		"TLS": {one, sendFlags{CA: trusted.file("ca.pem")}, true},
		"mutual TLS": {mutual, sendFlags{CA: trusted.file("ca.pem"), Cert: cert, Key: key},
			true},
		"without TLS":                     {one, sendFlags{}, false},
		"a receiver nobody vouches for":   {one, sendFlags{TLS: true}, false},
		"a receiver of another authority": {one, sendFlags{CA: stranger.file("ca.pem")}, false},
		"no certificate for mutual TLS":   {mutual, sendFlags{CA: trusted.file("ca.pem")}, false},
		"a certificate of somebody unknown": {mutual, sendFlags{CA: trusted.file("ca.pem"), Cert: otherCert,
			Key: otherKey}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secure, err := sendTLS(c.flags)
			if err != nil {
				t.Fatal(err)
			}
			answers, err := sendHL7(t.Context(), &mllpSender{addr: c.addr, tls: secure}, "x.hl7", []byte(sent))
			if got := codes(answers); c.taken && (err != nil || !slices.Equal(got, []string{"CA", "AA", "AA"})) ||
				!c.taken && (err == nil || len(got) > 0) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	for _, wrong := range []sendFlags{{Cert: cert}, {Key: key}, {CA: key}, {CA: "nowhere.pem"},
		{Cert: cert, Key: otherKey}} {
		if conf, err := sendTLS(wrong); err == nil || conf != nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}

func TestSendSendsAgainWhatWasNotAnswered(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	addr := listen(t, &Config{}, func(ctx context.Context, frame []byte) ([][]byte, error) {
		if tries.Add(1) <= 2 {
			return nil, errors.New("the answer is lost")
		}
		return acks(ctx, frame)
	})
	answers, err := sendHL7(t.Context(), &mllpSender{addr: addr}, "x.hl7", []byte(sent))
	if got := codes(answers); err != nil || !slices.Equal(got, []string{"CA", "AA", "AA"}) || tries.Load() != 4 {
		t.Errorf("%v, %v after %d tries", got, err, tries.Load())
	}
	lost := listen(t, &Config{}, func(context.Context, []byte) ([][]byte, error) {
		return nil, errors.New("the answer is lost")
	})
	if _, err := sendHL7(t.Context(), &mllpSender{addr: lost}, "x.hl7", []byte(sent)); err == nil {
		t.Error("an answer that never came was made up")
	}
}

// TestSendFailsWhenAnythingIsRefused, so that a script that sends a feed can tell.
func TestSendFailsWhenAnythingIsRefused(t *testing.T) {
	t.Parallel()
	for code, refused := range map[string]bool{"AA": false, "CA": false, "AE": true, "AR": true, "CE": true,
		"CR": true} {
		a := answer{Answer: code, refused: !(hl7.Acknowledgement{Code: code}).Positive()}
		if err := refusedOf([]answer{{}, a}); (err != nil) != refused {
			t.Errorf("%s: %v", code, err)
		}
	}
	for raw, refused := range map[string]bool{`{"status":0}`: false, `[{"status":202},{"status":200}]`: false,
		`[{"status":202},{"status":422}]`: true} {
		if refusedAmong([]byte(raw)) != refused {
			t.Errorf("%s: want %t", raw, refused)
		}
	}
}
