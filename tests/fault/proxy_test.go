package fault

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"
)

// cutter is a proxy to PostgreSQL that, when armed, swallows the answer to the next commits and cuts their
// connections: whether they have committed is then not known to who asked.
type cutter struct {
	listener net.Listener
	backend  string
	armed    atomic.Int32
	cuts     atomic.Int32
}

func newCutter(t *testing.T, backend string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener, backend: backend}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(client)
		}
	}()
	return c
}

func (c *cutter) addr() string { return c.listener.Addr().String() }

func (c *cutter) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", c.backend)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		defer func() { _ = server.Close(); _ = client.Close() }()
		forward(client, server, nil)
	}()
	forward(server, client, c.cut)
}

// cut says whether this answer is to be swallowed: it tells of a commit, and the proxy is armed.
func (c *cutter) cut(answer []byte) bool {
	if c.armed.Load() <= 0 || !bytes.Contains(answer, []byte("COMMIT\x00")) || c.armed.Add(-1) < 0 {
		return false
	}
	c.cuts.Add(1)
	return true
}

// forward copies until one side ends, or stop says so.
func forward(from, to net.Conn, stop func([]byte) bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if stop != nil && stop(buf[:n]) {
			return
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
