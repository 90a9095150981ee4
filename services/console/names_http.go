package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Services stand in what others answer by their ids, which are for programs. Whoever reads a page reads the names that
// the directory publishes; where those cannot be had just now it says 'a service'. An organisation of which the
// directory lists a service under its ODS code is named likewise; another is shown by its code, which is public.

// How long names are used as they were read, so that an operator who renames a service sees so soon, and waited for.
const (
	namesKept  = time.Minute
	namesAgain = 10 * time.Second // after the directory did not answer
	namesWait  = 2 * time.Second
)

// directoryNames are those of the directory, the same for everybody, by their ids.
type directoryNames struct{ services, organisations map[string]string }

// keptNames are the names as they were read last.
type keptNames struct {
	mu      sync.Mutex
	until   time.Time // when they are read again
	reading bool
	names   directoryNames
}

// names are the directory's, read as whoever asks, once a minute at most. Nobody waits for somebody else's reading, nor
// long for their own: where the directory does not answer they stay as they were.
func (c *client) names(ctx context.Context, p principal.Principal) directoryNames {
	if !c.mustRead() {
		return c.kept.get()
	}
	ctx, cancel := context.WithTimeout(ctx, namesWait)
	defer cancel()
	read, err := c.readNames(ctx, p)
	c.kept.mu.Lock()
	defer c.kept.mu.Unlock()
	c.kept.reading, c.kept.until = false, c.clock.Now().Add(namesKept)
	if err != nil {
		c.kept.until = c.clock.Now().Add(namesAgain)
		return c.kept.names
	}
	c.kept.names = read
	return read
}

func (k *keptNames) get() directoryNames {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.names
}

// mustRead says whether it is the caller's to read the names now, as nobody else does.
func (c *client) mustRead() bool {
	c.kept.mu.Lock()
	defer c.kept.mu.Unlock()
	left := c.kept.until.Sub(c.clock.Now())
	if c.kept.reading || left > 0 && left <= namesKept { // a clock that was put back does not keep them for longer
		return false
	}
	c.kept.reading = true
	return true
}

func (c *client) readNames(ctx context.Context, p principal.Principal) (names directoryNames, err error) {
	names = directoryNames{map[string]string{}, map[string]string{}}
	for cursor := ""; ; {
		var list httpx.List[struct {
			Service struct {
				ID, Name     string
				Organization *struct{ ID, Name string }
			}
		}]
		if err := c.get(ctx, p, schemas.Threshold, "/api/services"+query("cursor", cursor), &list); err != nil {
			return names, err
		}
		for _, one := range list.Items {
			names.services[one.Service.ID] = one.Service.Name
			if o := one.Service.Organization; o != nil {
				names.organisations[o.ID] = o.Name
			}
		}
		if list.Next == nil || *list.Next == cursor {
			return names, nil
		}
		cursor = *list.Next
	}
}

// organisation is how an organisation is called on a page.
func (c *client) organisation(ctx context.Context, p principal.Principal, code string) string {
	return cmp.Or(c.names(ctx, p).organisations[code], code)
}

// separateFrom says from whose follow-up all this is separate, by the name of the organisation.
func (s *Console) separateFrom(r *http.Request, p principal.Principal, code string) string {
	if code == "" {
		return separateWords("")
	}
	return separateWords(s.client.organisation(r.Context(), p, code))
}

// name puts the names of services into a step that is about one, or that one holds.
func (c *client) name(ctx context.Context, p principal.Principal, s *step) {
	held := func(owner string) bool { return strings.HasPrefix(owner, schemas.OwnerService+":") }
	if s.Service == "" && !held(s.Owner) && !slices.ContainsFunc(s.Also, held) {
		return
	}
	s.names = c.names(ctx, p).services
	s.Words = schemas.NamingService(s.Words, s.names[s.Service])
}

// holder names who holds a step.
func (s step) holder(owner string) string { return holderName(owner, s.names) }
