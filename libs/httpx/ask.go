package httpx

import (
	"bytes"
	"fmt"
	"net/http"
)

// mostAnswer bounds what is kept of an answer, in bytes.
const mostAnswer = 8 << 20

// Reply is a handler's answer, kept in memory.
type Reply struct {
	Status int
	Body   bytes.Buffer
	header http.Header
}

// Header implements http.ResponseWriter.
func (r *Reply) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *Reply) WriteHeader(status int) {
	if r.Status == 0 && status >= 200 {
		r.Status = status
	}
}

// Write implements http.ResponseWriter. It fails beyond what is kept of an answer.
func (r *Reply) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.Body.Len()+len(p) > mostAnswer {
		return 0, fmt.Errorf("the answer is longer than %d bytes", mostAnswer)
	}
	return r.Body.Write(p)
}

// Ask runs a handler, another service's here or behind the network, for one request. A handler that gives up by a
// panic, as a proxy does when its backend breaks off, is an error.
func Ask(backend http.Handler, request *http.Request) (got *Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler gave up: %T", p)
		}
	}()
	got = &Reply{header: http.Header{}}
	backend.ServeHTTP(got, request)
	got.WriteHeader(http.StatusOK)
	return got, nil
}
