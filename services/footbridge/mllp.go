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
	authority, err := os.ReadFile(c.MLLPClientCA)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_MLLP_CLIENT_CA: %w", err)
	}
	conf.ClientCAs, conf.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !conf.ClientCAs.AppendCertsFromPEM(authority) {
		return nil, errors.New("FOOTBRIDGE_MLLP_CLIENT_CA: there is no certificate in it; give PEM")
	}
	return conf, nil
}
