package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"footbridge/libs/httpx"
)

type promised string

func (p promised) Mux() string { return string(p) }

func answers(text string) httpx.Handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		_, err := w.Write([]byte(text))
		return err
	}
}

func TestARouteIsServedAsItWasPromised(t *testing.T) {
	t.Parallel()
	mux := httpx.NewMux(httpx.Options{})
	around := func(route promised, next httpx.Handler) httpx.Handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Route", route.Mux())
			return next(w, r)
		}
	}
	if err := httpx.Register(mux, []promised{"GET /a/{id}"}, map[string]httpx.Handler{"GET /a/{id}": answers("here")},
		around); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/a/1", nil))
	if w.Body.String() != "here" || w.Header().Get("Route") != "GET /a/{id}" {
		t.Errorf("answered %d %q by the route %q", w.Code, w.Body, w.Header().Get("Route"))
	}
}

func TestARouteWithoutAHandlerAndAHandlerWithoutARouteAreRefused(t *testing.T) {
	t.Parallel()
	mux := httpx.NewMux(httpx.Options{})
	err := httpx.Register(mux, []promised{"GET /a", "GET /b", "GET /c"},
		map[string]httpx.Handler{"GET /a": answers("a"), "GET /c": nil, "POST /d": answers("d")}, nil)
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, named := range []string{"GET /b, which has no handler", "GET /c, which has no handler",
		"POST /d answers nobody"} {
		if !strings.Contains(err.Error(), named) {
			t.Errorf("%q does not say %q", err, named)
		}
	}
	w := httptest.NewRecorder()
	if mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/a", nil)); w.Code != http.StatusNotFound {
		t.Errorf("a part of what was refused is served: %d", w.Code)
	}
}
