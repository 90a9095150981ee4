package principal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"footbridge/libs/clock"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// ring is a list of public keys by holder, with a signer of each: alpha may assert readers, door forwards, and beta may
// say that it is itself.
type ring struct {
	signers map[string]*principal.Signer
	keys    map[string]principal.Key
}

func newRing(t testing.TB) *ring {
	t.Helper()
	r := &ring{map[string]*principal.Signer{}, map[string]principal.Key{}}
	for i, holder := range []string{"alpha", "door", "beta"} {
		r.add(t, holder, byte(i+1))
	}
	return r
}

func (r *ring) add(t testing.TB, holder string, seed byte) *principal.Signer {
	t.Helper()
	signer, err := principal.NewSigner(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	r.signers[holder] = signer
	key := signer.Public(holder)
	r.keys[key.ID] = key
	return signer
}

func (r *ring) verifier(t testing.TB) *principal.Verifier {
	t.Helper()
	v, err := principal.NewVerifier(func(id string) (principal.Key, bool) { k, ok := r.keys[id]; return k, ok },
		principal.Rules{
			May: func(holder, audience string, p principal.Principal) bool {
				return holder == "alpha" && p.Role == "reader" || p.Role == "service" && p.Subject == holder
			},
			Forwards: func(holder string) bool { return holder == "door" },
		})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSignedHeaderHoldsForOneServiceAndThirtySeconds(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	v := r.verifier(t)
	value, err := r.signers["alpha"].Sign(reader, "beta", noon)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := v.Verify(value, "beta", noon.Add(30*time.Second)); err != nil || p != reader {
		t.Fatalf("got %v, %v", p, err)
	}
	stranger, _ := principal.NewSigner(bytes.Repeat([]byte{9}, 32))
	unlisted, _ := stranger.Sign(reader, "beta", noon)
	parts := strings.Split(value, ".")
	changed := strings.Join([]string{parts[0], parts[1],
		base64.RawURLEncoding.EncodeToString([]byte(`{"org":"x","role":"reader","sub":"y","aud":"beta"}`)), parts[3]},
		".")
	otherKey := strings.Join([]string{parts[0], r.signers["beta"].Public("beta").ID, parts[2], parts[3]}, ".")
	for name, c := range map[string]struct {
		value, audience string
		at              time.Time
	}{
		"another service":      {value, "alpha", noon},
		"31 seconds later":     {value, "beta", noon.Add(31 * time.Second)},
		"6 seconds early":      {value, "beta", noon.Add(-6 * time.Second)},
		"a key not listed":     {unlisted, "beta", noon},
		"a changed payload":    {changed, "beta", noon},
		"another key's id":     {otherKey, "beta", noon},
		"nothing":              {"", "beta", noon},
		"no signature":         {"v2...", "beta", noon},
		"the former kind":      {"v1.e30.e30", "beta", noon},
		"one word more":        {value + ".x", "beta", noon},
		"said to be forwarded": {"v2f" + strings.TrimPrefix(value, "v2"), "beta", noon},
	} {
		if p, err := v.Verify(c.value, c.audience, c.at); !errors.Is(err, principal.ErrRefused) ||
			p != (principal.Principal{}) {
			t.Errorf("%s: got %v, %v", name, p, err)
		}
	}
	if _, err := r.signers["alpha"].Sign(principal.Principal{Role: "x"}, "beta", noon); err == nil {
		t.Error("an incomplete principal was signed")
	}
	if _, err := principal.NewSigner([]byte("short")); err == nil {
		t.Error("a short key was taken")
	}
}

func TestAKeyAssertsNoMoreThanItsHolderMay(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	v := r.verifier(t)
	itself := func(name string) principal.Principal {
		return principal.Principal{Organisation: "o", Role: "service", Subject: name}
	}
	for _, c := range []struct {
		holder string
		p      principal.Principal
		want   bool
	}{
		{"alpha", reader, true}, {"beta", reader, false}, {"door", reader, false},
		{"beta", itself("beta"), true}, {"beta", itself("alpha"), false}, {"door", itself("beta"), false},
	} {
		value, err := r.signers[c.holder].Sign(c.p, "gamma", noon)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := v.Verify(value, "gamma", noon); (err == nil) != c.want || (err == nil && p != c.p) {
			t.Errorf("%s as %q %q: %v, %v", c.holder, c.p.Role, c.p.Subject, p, err)
		}
	}
}

func TestWhatIsForwardedStaysWhatTheFirstSignerAsserted(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	v := r.verifier(t)
	sign := func(holder string, p principal.Principal, audience string, at time.Time) string {
		value, err := r.signers[holder].Sign(p, audience, at)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	forward := func(holder, assertion, audience string, at time.Time) string {
		value, err := r.signers[holder].Forward(assertion, audience, at)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	forDoor := sign("alpha", reader, "door", noon)
	good := forward("door", forDoor, "beta", noon.Add(20*time.Second))
	if p, err := v.Verify(good, "beta", noon.Add(45*time.Second)); err != nil || p != reader {
		t.Fatalf("got %v, %v", p, err)
	}
	for name, value := range map[string]string{
		"an invented principal": forward("door", sign("door", reader, "door", noon), "beta", noon),
		"one made for another service": forward("door", sign("alpha", reader, "beta", noon), "beta",
			noon),
		"for another audience": forward("door", forDoor, "gamma", noon),
		"by a holder who may not forward": forward("beta", sign("alpha", reader, "beta", noon), "beta",
			noon),
		"what is older than 30 seconds": forward("door", forDoor, "beta", noon.Add(31*time.Second)),
		"what was forwarded before": forward("door", forward("door", forDoor, "door", noon), "beta",
			noon),
		"a forwarder who says it is itself": forward("door",
			sign("door", principal.Principal{Organisation: "o", Role: "service", Subject: "door"}, "door", noon),
			"gamma", noon),
		"the first signer's own text, sent directly": forDoor,
	} {
		p, err := v.Verify(value, "beta", noon.Add(31*time.Second))
		if !errors.Is(err, principal.ErrRefused) || p != (principal.Principal{}) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if _, err := r.signers["door"].Forward("", "beta", noon); err == nil {
		t.Error("nobody was forwarded")
	}
}

func TestACommandSaysWhoItIsByAnAssertionOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	source := principal.Commanded(r.verifier(t), "gateway", fixedClock{})
	value, err := r.signers["alpha"].Sign(reader, "gateway", noon)
	if err != nil {
		t.Fatal(err)
	}
	find := func(header string) (principal.Principal, error) {
		request := httptest.NewRequest("GET", "/", nil)
		request.Header.Set("Authorization", header)
		return source(request)
	}
	if p, err := find("footbridge " + value); err != nil || p != reader {
		t.Errorf("got %v, %v", p, err)
	}
	if _, err := find("Footbridge " + value + "x"); !errors.Is(err, principal.ErrRefused) {
		t.Errorf("a changed one: %v", err)
	}
	if _, err := find("Bearer " + value); !errors.Is(err, principal.ErrNone) {
		t.Errorf("another scheme: %v", err)
	}
}

func TestWhatARequestCameWithIsCarriedToWhoAnswersIt(t *testing.T) {
	t.Parallel()
	mux := httpx.NewMux(httpx.Options{})
	mux.Use(principal.Carry)
	carried := ""
	mux.Handle("GET /", func(_ http.ResponseWriter, request *http.Request) error {
		carried = principal.Carried(request.Context())
		return nil
	})
	for _, c := range []struct {
		headers []string
		want    string
	}{{nil, ""}, {[]string{"one"}, "one"}, {[]string{"one", "two"}, ""}} {
		request := httptest.NewRequest("GET", "/", nil)
		request.Header[principal.Header] = c.headers
		mux.ServeHTTP(httptest.NewRecorder(), request)
		if carried != c.want {
			t.Errorf("of %q is carried %q", c.headers, carried)
		}
	}
}

func FuzzVerifyTakesOnlyWhatWasSigned(f *testing.F) {
	r := newRing(f)
	v := r.verifier(f)
	value, _ := r.signers["alpha"].Sign(reader, "beta", noon)
	forDoor, _ := r.signers["alpha"].Sign(reader, "door", noon)
	forwarded, _ := r.signers["door"].Forward(forDoor, "beta", noon)
	for _, seed := range []string{value, forwarded, "v2...", "v2f..."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		if p, err := v.Verify(given, "beta", noon); err == nil && p != reader {
			t.Errorf("%q gave %v", given, p)
		}
	})
}

// TestAClockOfOursThatIsWrongIsNotTheCallersFault: what was signed in order, at another time, asks to come again.
func TestAClockOfOursThatIsWrongIsNotTheCallersFault(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	for _, at := range []time.Time{noon.AddDate(0, 0, -60), noon.AddDate(0, 0, 60)} {
		value, err := r.signers["alpha"].Sign(reader, "beta", at)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			value string
			want  int
		}{{value, http.StatusServiceUnavailable}, {value + "x", http.StatusUnauthorized}} {
			mux := httpx.NewMux(httpx.Options{Clock: clock.Real()})
			mux.Use(principal.Require(principal.Signed(r.verifier(t), "beta", fixedClock{})))
			mux.Handle("GET /", func(w http.ResponseWriter, _ *http.Request) error { return nil })
			w, request := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			request.Header.Set(principal.Header, c.value)
			mux.ServeHTTP(w, request)
			if w.Code != c.want || (c.want == http.StatusServiceUnavailable) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("signed at %v: answered %d", at, w.Code)
			}
		}
	}
}

func TestWhatWasSignedAndVerifiedAMomentAgoIsStillLookedAt(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	v := r.verifier(t)
	sign := func(at time.Time) string {
		t.Helper()
		value, err := r.signers["alpha"].Sign(reader, "beta", at)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	value := sign(noon)
	if sign(noon.Add(999*time.Millisecond)) != value || sign(noon.Add(time.Second)) == value ||
		sign(noon.Add(-time.Second)) == value {
		t.Error("an assertion is given again for other than a second")
	}
	if other, err := r.signers["alpha"].Sign(reader, "alpha", noon); err != nil || other == value {
		t.Errorf("another service is given %q, %v", other, err)
	}
	for range 2 {
		if p, err := v.Verify(value, "beta", noon); err != nil || p != reader {
			t.Fatalf("got %v, %v", p, err)
		}
	}
	for what, at := range map[string]time.Time{"too late": noon.Add(31 * time.Second),
		"too early": noon.Add(-6 * time.Second)} {
		if _, err := v.Verify(value, "beta", at); !errors.Is(err, principal.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	key := r.signers["alpha"].Public("alpha")
	key.Public = r.signers["beta"].Public("beta").Public
	r.keys[key.ID] = key
	if _, err := v.Verify(value, "beta", noon); !errors.Is(err, principal.ErrRefused) {
		t.Errorf("under an id that is another key's now: %v", err)
	}
	delete(r.keys, key.ID)
	if _, err := v.Verify(value, "beta", noon); !errors.Is(err, principal.ErrRefused) {
		t.Errorf("by a key that is no longer on the list: %v", err)
	}
}
