package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/gateway/workers"
)

// Named workers of partners: who adds them, and what is done when a key is lost, a mailbox is not theirs any more, or
// they leave.

// workerRefusals are why something about a worker is not done, in words.
var workerRefusals = map[workers.Verdict]struct {
	status int
	words  string
}{
	workers.Foreign: {http.StatusNotFound, "There is no such partner that you may see. Check its id."},
	workers.HeldElsewhere: {http.StatusForbidden, "The agreement with this partner is another organisation's: its " +
		"navigators change it. Ask them."},
	workers.NotFound: {http.StatusNotFound, "There is no such worker of this partner. They may have left: look at " +
		"the list."},
	workers.NotFirst: {http.StatusConflict, "This partner has a worker who can sign in. Its own workers add further " +
		"ones; a navigator adds the first, with the agreement."},
	workers.Oneself: {http.StatusConflict, "Nobody does this for themselves. Ask a colleague, or the navigator: they " +
		"ring you at the number that was recorded."},
	workers.Taken: {http.StatusConflict, "This address cannot be used: somebody who signs in here has it already. " +
		"Each worker has one of their own."},
	workers.TooMany: {http.StatusConflict, "This partner has as many workers as can be kept. End those who have left " +
		"first."},
	workers.BadName: {http.StatusUnprocessableEntity, "Write the worker's name on one line, in at most 100 " +
		"characters (name)."},
	workers.BadAddress: {http.StatusUnprocessableEntity,
		"Write one e-mail address, such as name@example.org (mail)."},
	workers.BadPhone: {http.StatusUnprocessableEntity, "Write the telephone number at which the worker can be rung, " +
		"as the agreement has it (phone)."},
}

// asked is the problem of a verdict; nil where it was done.
func asked(v workers.Verdict) error {
	if v == workers.Fine {
		return nil
	}
	why := workerRefusals[v]
	return httpx.NewProblem(why.status, "%s", why.words)
}

// partnerSeen is a partner as followup shows it to whoever asks.
type partnerSeen struct {
	Name          string `json:"name"`
	HeldElsewhere bool   `json:"heldElsewhere"`
	Agreement     *struct {
		InForce bool `json:"inForce"`
	} `json:"agreement"`
}

// ofPartner is who asks, and about which partner: whoever may not see a partner, or whose organisation has no part in
// its agreement, may not see its workers either, and that is followup's to say.
func (g *Gateway) ofPartner(r *http.Request) (p principal.Principal, id string, seen partnerSeen, err error) {
	missing := asked(workers.Foreign)
	if p, id, err = principal.Asking(r, missing); err != nil {
		return p, id, seen, err
	}
	if g.config.Workers == nil {
		return p, id, seen, httpx.NewProblem(http.StatusNotFound, "Signing in of partners' workers is not set up here.")
	}
	if p.Role == string(schemas.Partner) && p.Organisation != id {
		return p, id, seen, missing
	}
	status, err := g.fetch(r.Context(), p, schemas.Followup, "/api/partners/"+url.PathEscape(id), &seen)
	switch {
	case err != nil:
		return p, id, seen, err
	case status == http.StatusNotFound || status == http.StatusForbidden:
		return p, id, seen, missing
	case status != http.StatusOK:
		return p, id, seen, unavailable(schemas.Followup)
	case seen.HeldElsewhere:
		return p, id, seen, asked(workers.HeldElsewhere)
	}
	return p, id, seen, nil
}

// holds refuses staff who would see or change what another service keeps of a partner, where its agreement is another
// organisation's: where it is reached, and when it was mailed about whose people. followup says whose it is, and a
// partner that nobody may see looks as if it were not there.
func (g *Gateway) holds(route schemas.Route, r *http.Request, p principal.Principal) error {
	staff := p.Role == string(schemas.Navigator) || p.Role == string(schemas.SendingTeam)
	if !route.KeptOfPartner() || !staff {
		return nil
	}
	var seen partnerSeen
	status, err := g.fetch(r.Context(), p, schemas.Followup, "/api/partners/"+url.PathEscape(r.PathValue("id")), &seen)
	switch {
	case err != nil:
		return err
	case status == http.StatusNotFound:
		return asked(workers.Foreign)
	case status != http.StatusOK:
		return unavailable(schemas.Followup)
	case seen.HeldElsewhere:
		return asked(workers.HeldElsewhere)
	}
	return nil
}

// fetch asks a service as somebody, and reads the answer where it is one.
func (g *Gateway) fetch(ctx context.Context, p principal.Principal, service, path string, into any) (status int,
	err error) {
	return g.exchange(ctx, p, service, http.MethodGet, path, nil, into)
}

// exchange asks a service as somebody, with a body where there is one, and reads the answer where it is one.
func (g *Gateway) exchange(ctx context.Context, p principal.Principal, service, method, path string,
	body, into any) (status int, err error) {
	backend := g.config.Backends[service]
	if backend == nil {
		return 0, unavailable(service)
	}
	content := io.Reader(http.NoBody)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+service+path, content)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	out, err := g.outgoing(r, service, p)
	if err != nil {
		return 0, err
	}
	got, err := httpx.Ask(backend, out)
	switch {
	case err != nil:
		return 0, fmt.Errorf("asking %s: %w", service, err)
	case got.Status == http.StatusOK && into != nil && json.Unmarshal(got.Body.Bytes(), into) != nil:
		return 0, fmt.Errorf("reading what %s answered: it is not in the form agreed", service)
	}
	return got.Status, nil
}

func (g *Gateway) listWorkers(w http.ResponseWriter, r *http.Request) error {
	p, id, _, err := g.ofPartner(r)
	if err != nil {
		return err
	}
	all, verdict, err := g.config.Workers.List(r.Context(), p, id)
	if err == nil {
		err = asked(verdict)
	}
	if err != nil {
		return err
	}
	if all == nil {
		all = []workers.Worker{}
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.List[workers.Worker]{Items: all})
}

func (g *Gateway) addWorker(w http.ResponseWriter, r *http.Request) error {
	body, _, err := httpx.ReadJSON[workers.NewWorker](w, r, formBody)
	if err != nil {
		return err
	}
	told, err := g.add(r, body)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, http.StatusCreated, told)
}

// add adds a worker to a partner with which there is an agreement in force.
func (g *Gateway) add(r *http.Request, wanted workers.NewWorker) (told workers.Told, err error) {
	p, id, seen, err := g.ofPartner(r)
	if err != nil {
		return told, err
	}
	if seen.Agreement == nil || !seen.Agreement.InForce {
		return told, httpx.NewProblem(http.StatusConflict, "There is no agreement with this partner in force. Record "+
			"it first; its first worker is added with it.")
	}
	told, verdict, err := g.config.Workers.Add(r.Context(), p, id, wanted)
	if err != nil {
		return told, err
	}
	return told, asked(verdict)
}

// codeAsked is why a code is given.
type codeAsked struct {
	// Lost: the worker's keys are not theirs alone any more.
	Lost bool `json:"lost"`
}

func (g *Gateway) giveCode(w http.ResponseWriter, r *http.Request) error {
	body, _, err := httpx.ReadJSON[codeAsked](w, r, formBody)
	if err != nil {
		return err
	}
	told, err := g.code(r, r.PathValue("worker"), body.Lost)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, http.StatusOK, told)
}

func (g *Gateway) code(r *http.Request, worker string, lost bool) (told workers.Told, err error) {
	p, id, worker, err := g.ofWorker(r, worker)
	if err != nil {
		return told, err
	}
	told, verdict, err := g.config.Workers.GiveCode(r.Context(), p, id, worker, lost)
	if err != nil {
		return told, err
	}
	return told, asked(verdict)
}

// ofWorker is who asks, about which partner and which worker.
func (g *Gateway) ofWorker(r *http.Request, worker string) (p principal.Principal, partner, id string, err error) {
	if p, partner, _, err = g.ofPartner(r); err != nil {
		return p, partner, "", err
	}
	if id = strings.ToLower(worker); clock.IsID(id) {
		return p, partner, id, nil
	}
	return p, partner, "", asked(workers.NotFound)
}

// mailAsked is a worker's new address.
type mailAsked struct {
	Mail string `json:"mail"`
}

func (g *Gateway) changeMail(w http.ResponseWriter, r *http.Request) error {
	body, _, err := httpx.ReadJSON[mailAsked](w, r, formBody)
	if err == nil {
		err = g.setMail(r, r.PathValue("worker"), body.Mail)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (g *Gateway) setMail(r *http.Request, worker, mail string) error {
	p, id, worker, err := g.ofWorker(r, worker)
	if err != nil {
		return err
	}
	verdict, err := g.config.Workers.ChangeMail(r.Context(), p, id, worker, mail)
	if err != nil {
		return err
	}
	return asked(verdict)
}

func (g *Gateway) endWorker(w http.ResponseWriter, r *http.Request) error {
	err := g.leave(r, r.PathValue("worker"))
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (g *Gateway) leave(r *http.Request, worker string) error {
	p, id, worker, err := g.ofWorker(r, worker)
	if err != nil {
		return err
	}
	verdict, err := g.config.Workers.End(r.Context(), p, id, worker)
	if err != nil {
		return err
	}
	return asked(verdict)
}
