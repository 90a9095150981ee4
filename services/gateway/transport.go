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
