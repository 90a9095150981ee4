package system

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Export is one thing that the program sent to its collector: the path says which signal, the body is OTLP protobuf,
// in which every text stands as it is.
type Export struct {
	Path string
	Body []byte
}

// Collector takes everything and keeps it.
type Collector struct {
	URL string

	mu  sync.Mutex
	all []Export
}

func newCollector(t testing.TB) *Collector {
	c := &Collector{}
	server := httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, "not gzip", http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	content, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, "cut short", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.all = append(c.all, Export{r.URL.Path, content})
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// Exports is everything until now.
func (c *Collector) Exports() []Export {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Export(nil), c.all...)
}
