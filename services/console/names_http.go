package console

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Services stand in what others answer by their ids, which are for programs. Whoever reads a page reads the names that
// the directory publishes; where those cannot be had just now it says 'a service'.

// namesKept is how long names are used as they were read: an operator who renames a service sees so soon.
const namesKept = time.Minute

// serviceNames are those of the directory, the same for everybody.
type serviceNames struct {
	mu   sync.Mutex
	at   time.Time
	byID map[string]string
}

// serviceNames reads the directory's names, as whoever asks, once a minute at most. Where it does not answer they stay
// as they were.
func (c *client) serviceNames(ctx context.Context, p principal.Principal) map[string]string {
	c.services.mu.Lock()
	defer c.services.mu.Unlock()
	now := c.clock.Now()
	if !c.services.at.IsZero() && now.Sub(c.services.at).Abs() < namesKept {
		return c.services.byID
	}
	byID := map[string]string{}
	for cursor := ""; ; {
		var list httpx.List[struct {
			Service struct{ ID, Name string }
		}]
		if err := c.get(ctx, p, schemas.Threshold, "/api/services"+query("cursor", cursor), &list); err != nil {
			return c.services.byID
		}
		for _, one := range list.Items {
			byID[one.Service.ID] = one.Service.Name
		}
		if list.Next == nil || *list.Next == cursor {
			break
		}
		cursor = *list.Next
	}
	c.services.at, c.services.byID = now, byID
	return c.services.byID
}

// name puts the names of services into a step that is about one, or that one holds.
func (c *client) name(ctx context.Context, p principal.Principal, s *step) {
	held := func(owner string) bool { return strings.HasPrefix(owner, schemas.OwnerService+":") }
	if s.Service == "" && !held(s.Owner) && !slices.ContainsFunc(s.Also, held) {
		return
	}
	s.names = c.serviceNames(ctx, p)
	s.Words = schemas.NamingService(s.Words, s.names[s.Service])
}

// holder names who holds a step.
func (s step) holder(owner string) string { return holderName(owner, s.names) }
