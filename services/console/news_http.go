package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// New steps show by themselves: a list that is open hears how many there are, and shows them when whoever reads it says
// so. Nothing moves under somebody's hand, and without scripts the page says since when it is not live.

// Times of a stream of news. What ended is opened again by the browser, and whoever asks is then looked at again.
const (
	newsEvery = 5 * time.Second
	newsLives = 5 * time.Minute
)

// stepNews says how many steps have come to a list since it was shown, each time that number is another.
func (s *Console) stepNews(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	which, since := narrowingOf(r.URL.Query().Get("which")), r.URL.Query().Get("since")
	if since == "" {
		return httpx.NewProblem(http.StatusBadRequest, "Say since when, as the list does.")
	}
	return s.stream(w, r, "steps", newsEvery, func() (string, error) {
		count, err := s.newSteps(r.Context(), p, which, since)
		return strconv.Itoa(count), err
	})
}

// stream says something at once, and again each time that it is another, as server-sent events of one name. What it
// says is one line. It ends after some minutes, and the browser comes again.
func (s *Console) stream(w http.ResponseWriter, r *http.Request, event string, every time.Duration,
	say func() (string, error)) error {
	told, err := say()
	if err != nil {
		return err
	}
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // where it cannot be lifted the browser comes again sooner
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if _, err := fmt.Fprintf(w, "retry: 5000\n\nevent: %s\ndata: %s\n\n", event, told); err != nil {
		return nil // nobody reads any more
	}
	end, look := time.NewTimer(newsLives), time.NewTicker(every)
	defer end.Stop()
	defer look.Stop()
	for {
		if err := out.Flush(); err != nil {
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-httpx.Draining(r.Context()):
			return nil
		case <-end.C:
			return nil
		case <-look.C:
		}
		now, err := say()
		if err != nil {
			return nil // the browser comes again, and is told then
		}
		line := ": beat\n\n"
		if now != told {
			line, told = fmt.Sprintf("event: %s\ndata: %s\n\n", event, now), now
		}
		if _, err := fmt.Fprint(w, line); err != nil {
			return nil
		}
	}
}

// newSteps counts what has come to the list since, as it is narrowed. That it is lossless is the service's.
func (s *Console) newSteps(ctx context.Context, p principal.Principal, which narrowing, since string) (int, error) {
	list, err := s.client.steps(ctx, p, append(which.asks(s.config.Clock.Now(), s.zone), "since", since, "limit",
		"200")...)
	return len(list.Items), err
}

// newsPath is where a list hears of new steps; nothing beyond its first page, which is not where they would stand.
func newsPath(which narrowing, readAt, cursor string) string {
	if cursor != "" || readAt == "" {
		return ""
	}
	return schemas.StepNews + "?" + url.Values{"which": {which.code}, "since": {readAt}}.Encode()
}
