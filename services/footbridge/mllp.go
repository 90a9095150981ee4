package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// mllpTLS makes the TLS configuration of the MLLP listener; nil where no certificate is configured. With a client CA
// every sender must show a certificate that it signed, and the profile it is bound to decides what it may send as.
func (c *Config) mllpTLS() (*tls.Config, error) {
	switch {
	case c.MLLPCert == "" && c.MLLPKey == "" && c.MLLPClientCA == "":
		return nil, nil
	case c.MLLPCert == "" || c.MLLPKey == "":
		return nil, errors.New("FOOTBRIDGE_MLLP_CERT and FOOTBRIDGE_MLLP_KEY go together: set both, or neither")
	}
	certificate, err := tls.LoadX509KeyPair(c.MLLPCert, c.MLLPKey)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_MLLP_CERT: %w", err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if c.MLLPClientCA == "" {
		return conf, nil
	}
	conf.ClientAuth = tls.RequireAndVerifyClientCert
	conf.ClientCAs, err = readAuthority("FOOTBRIDGE_MLLP_CLIENT_CA", c.MLLPClientCA)
	return conf, err
}

func readAuthority(setting, file string) (*x509.CertPool, error) {
	authority, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New(setting + ": there is no certificate in it; give PEM")
	}
	return pool, nil
}

// sendTLS makes the TLS configuration of a sender; nil where it sends without TLS.
func sendTLS(f sendFlags) (conf *tls.Config, err error) {
	switch {
	case !f.TLS && f.CA == "" && f.Cert == "" && f.Key == "":
		return nil, nil
	case (f.Cert == "") != (f.Key == ""):
		return nil, errors.New("--cert and --key go together: give both, or neither")
	}
	conf = &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		if conf.RootCAs, err = readAuthority("--ca", f.CA); err != nil {
			return nil, err
		}
	}
	if f.Cert != "" {
		certificate, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("--cert: %w", err)
		}
		conf.Certificates = []tls.Certificate{certificate}
	}
	return conf, nil
}
