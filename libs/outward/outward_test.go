package outward_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"footbridge/libs/outward"
)

func TestOnlyPublicAddressesAreConnectedTo(t *testing.T) {
	t.Parallel()
	inside := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.8.8.8", "169.254.169.254",
		"172.16.0.1",
		"172.31.255.255", "192.0.0.8", "192.0.2.7", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.4",
		"203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"[::]", "[::1]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]",
		"[3fff::1]",
		"[2001:10::1]", "[5f00::1]", "[100::1]", "[4000::1]",
		"[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[::10.1.2.3]", "[64:ff9b::127.0.0.1]",
		"[64:ff9b::a9fe:a9fe]",
		"[64:ff9b:1::10.0.0.1]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2002:c0a8:101::]",
		"[2001:0:7f00:1:0:0:f7f7:f7f7]", "[2001:0:808:808::f5ff:fffe]", "[2a00::5efe:10.0.0.1]",
		"[2a00::200:5efe:127.0.0.1]",
	}
	for _, host := range inside {
		if err := outward.Judge(host+":443", nil); !errors.Is(err, outward.ErrInside) {
			t.Errorf("%s: %v, want it refused", host, err)
		}
	}
	for _, host := range []string{"8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "198.20.0.1",
		"223.255.255.255", "[2a00:1450::1]",
		"[2600::1]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "[2002:808:808::1]"} {
		if err := outward.Judge(host+":80", nil); err != nil {
			t.Errorf("%s: %v, want it allowed", host, err)
		}
	}
	allow := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	if err := outward.Judge("[::ffff:10.1.2.3]:443", allow); err != nil {
		t.Errorf("what is allowed: %v", err)
	}
	if err := outward.Judge("10.2.0.1:443", allow); !errors.Is(err, outward.ErrInside) {
		t.Errorf("beside what is allowed: %v", err)
	}
}

// serve is a server on the loopback address that counts who came.
func serve(t *testing.T, h http.HandlerFunc) (address string, came *atomic.Int32) {
	t.Helper()
	came = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		h(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, came
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func get(t *testing.T, cfg outward.Config, address string) (*http.Response, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := outward.NewClient(cfg).Do(request)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	return response, string(body), err
}

func TestNamesAndSpellingsOfTheLoopbackAddressAreRefused(t *testing.T) {
	t.Parallel()
	address, came := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") })
	port := address[strings.LastIndexByte(address, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST.", "[::ffff:127.0.0.1]", "127.1", "2130706433",
		"0x7f.1", "0"} {
		if _, body, err := get(t, outward.Config{}, "http://"+host+port); err == nil {
			t.Errorf("%s: reached, answered %q", host, body)
		}
	}
	if came.Load() != 0 {
		t.Errorf("%d requests came, want 0", came.Load())
	}
}

func TestARedirectIsJudgedLikeTheFirstRequest(t *testing.T) {
	t.Parallel()
	inside, came := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") })
	inside = strings.Replace(inside, "127.0.0.1", "127.0.0.2", 1) // not in what is allowed below
	first, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside, http.StatusFound) })
	if _, _, err := get(t, outward.Config{Allow: loopback, Redirects: 3}, first); !errors.Is(err, outward.ErrInside) {
		t.Errorf("a redirect that leads inside: %v", err)
	}
	for _, to := range []string{"file:///etc/passwd", "gopher://127.0.0.1/", "http://user:word@127.0.0.1/"} {
		first, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		})
		if _, _, err := get(t, outward.Config{Allow: loopback, Redirects: 3}, first); err == nil {
			t.Errorf("a redirect to %s was followed", to)
		}
	}
	if came.Load() != 0 {
		t.Errorf("%d requests came inside, want 0", came.Load())
	}
}

func TestRedirectsAreFewAndOnlyFollowedWhereAsked(t *testing.T) {
	t.Parallel()
	round, came := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Referer() != "" {
			t.Errorf("a redirect says where it came from: %s", r.Referer())
		}
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	if response, _, err := get(t, outward.Config{Allow: loopback}, round); err != nil ||
		response.StatusCode != http.StatusFound {
		t.Errorf("without redirects: %v", err)
	}
	came.Store(0)
	if _, _, err := get(t, outward.Config{Allow: loopback, Redirects: 3}, round); !errors.Is(err,
		outward.ErrRedirects) {
		t.Errorf("a circle: %v", err)
	}
	if came.Load() != 4 {
		t.Errorf("%d requests, want the first and three redirects", came.Load())
	}
}

func TestAnHTTPSAddressNeverLeadsToHTTP(t *testing.T) {
	t.Parallel()
	plain, came := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "in clear") })
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain, http.StatusFound)
	}))
	t.Cleanup(secure.Close)
	client := outward.NewClient(outward.Config{Allow: loopback, Redirects: 3})
	client.Transport = secure.Client().Transport // trusts the test's certificate; what is tried here is the redirect
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secure.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Do(request); !errors.Is(err, outward.ErrDowngrade) || came.Load() != 0 {
		if err == nil {
			_ = response.Body.Close()
		}
		t.Errorf("from https to http: %v, %d came", err, came.Load())
	}
}

func TestAnAnswerIsBoundedAndNothingIsUnpacked(t *testing.T) {
	t.Parallel()
	long, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 5000))
	})
	for most, wantErr := range map[int64]error{4999: outward.ErrTooLarge, 5000: nil} {
		_, body, err := get(t, outward.Config{Allow: loopback, MostBytes: most}, long)
		if !errors.Is(err, wantErr) || int64(len(body)) != most {
			t.Errorf("5,000 bytes where %d are read: %d bytes, %v", most, len(body), err)
		}
	}
	bomb, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		_, _ = packed.Write(make([]byte, 1<<20))
		_ = packed.Close()
	})
	if _, body, err := get(t, outward.Config{Allow: loopback}, bomb); err != nil || len(body) > 64<<10 {
		t.Errorf("a packed answer: %d bytes, %v", len(body), err)
	}
}

func TestNoPasswordAndNoProxyGoesAlong(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	address, came := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, _, err := get(t, outward.Config{Allow: loopback}, address); err != nil {
		t.Errorf("a proxy of the environment is used: %v", err)
	}
	came.Store(0)
	if _, _, err := get(t, outward.Config{Allow: loopback}, strings.Replace(address, "://", "://user:word@",
		1)); !errors.Is(err, outward.ErrPassword) || came.Load() != 0 {
		t.Errorf("with a password: %v", err)
	}
}
