package gateway

import (
	"net"
	"net/http"
	"time"
)

// Transport makes connections to services: quick to see that one is gone, and kept open between requests.
func Transport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:          200,
		MaxIdleConnsPerHost:   100,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 25 * time.Second,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // what a service compressed goes on as it is
	}
}

// mostOfProvider is how much of an answer of an identity provider is read, in bytes.
const mostOfProvider = 1 << 20

// ProviderClient reaches the identity providers that the operator has named, by the proxy of the environment where
// there is one. It follows no redirects: what a provider says is at the address that was configured.
func ProviderClient() *http.Client {
	transport := Transport()
	transport.Proxy, transport.DisableCompression = http.ProxyFromEnvironment, false
	return &http.Client{Timeout: 10 * time.Second, Transport: bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// bounded reads no more of an answer than a provider has to say.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, mostOfProvider)
	}
	return answer, err
}
