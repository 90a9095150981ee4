package httpx

import (
	"net/http"
	"slices"
)

// OnlyQuery refuses a request with a parameter in its URL that is not one of these: URLs are kept by proxies and in
// logs, so that nothing may stand there that a route does not need there. The refusal names no value.
func OnlyQuery(next Handler, names ...string) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		for name := range r.URL.Query() {
			if !slices.Contains(names, name) {
				return NewProblem(http.StatusBadRequest, "The URL carries a parameter that is not taken there. A "+
					"reason for looking goes in the header Access-Reason, everything else in the body.")
			}
		}
		return next(w, r)
	}
}
