package httpx

import (
	"net/http"
	"strings"

	"footbridge/libs/clock"
)

// PathID is the id that a path names, in the letter case of ids, and whether it is one: the same id in capitals is the
// same, on every path.
func PathID(r *http.Request, name string) (id string, ok bool) {
	id = strings.ToLower(r.PathValue(name))
	return id, clock.IsID(id)
}
