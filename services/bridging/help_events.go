package bridging

import (
	"context"
	"slices"
	"sync"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/notify"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// raise tells the next rung of those who are on call about requests, and the journey's owners that there is one. The
// pages that it gives are about to leave; whoever has no time to send them leaves that to the loop, from next on.
func (s *Service) raise(tx *flow.Tx, ids []string, next time.Time) (pages []Page, helps map[string]Help, err error) {
	all, records, rotas, err := gather(tx, ids, s.host)
	if err != nil {
		return nil, nil, err
	}
	helps = map[string]Help{}
	var changed []*record
	for _, h := range all {
		r := records[h.Journey]
		if r != nil && r.Broken() == nil && !h.Emitted {
			s.emitHelp(r, h)
			changed = append(changed, r)
		}
		if h.TakenAt != nil {
			h.LookAt = nil
			if r != nil && !h.Emitted {
				h.LookAt = unreadAgain(tx.Now)
			}
			continue
		}
		pages = append(pages, h.rise(s.rotaAbout(h, rotas, tx.Now), tx.Now, s.zone)...)
		helps[h.ID] = *h
	}
	saveHelp(tx, all, "")
	storePages(tx, pages, tx.Now, next)
	return pages, helps, s.commit(tx, changed)
}

// unreadAgain is when a request that has been taken on is looked at again, whose journey cannot be read: it is said
// there once it can.
func unreadAgain(now time.Time) *time.Time {
	again := now.Add(10 * time.Minute)
	return &again
}

// emitHelp says on a journey that help was asked for, and that somebody has taken it on, once.
func (s *Service) emitHelp(r *record, h *Help) {
	if !h.Emitted {
		h.Emitted = true
		r.emit(schemas.HelpRequested, schemas.HelpRequestedData{Help: h.ID, About: h.about(), Kind: h.Kind, By: h.Role,
			DueAt: h.dueAt().In(s.zone)})
	}
	if h.TakenAt != nil {
		r.emit(schemas.HelpAcknowledged, schemas.HelpAcknowledgedData{Help: h.ID, By: h.TakenRole})
	}
}

// commit ends a transaction of people or of the time, as the handler ends one of events.
func (s *Service) commit(tx *flow.Tx, changed []*record) error {
	now := *s
	loadPartners(tx, principal.Principal{}, &now.partners)
	if err := tx.Flush(); err != nil {
		return err
	}
	return now.handler().Command(tx, changed...)
}

// about is what it was asked from; a step where the body named one.
func (h *Help) about() string {
	if h.Step != "" {
		return schemas.HelpAboutStep
	}
	return h.About
}

// rotaAbout is the rota that a request goes to: of whose the journey is, else of who asked, else of who runs this. One
// on which nobody is at this moment is passed, where another has somebody.
func (s *Service) rotaAbout(h *Help, rotas map[string][]OnCall, now time.Time) (rota []OnCall) {
	for _, organisation := range []string{h.Of, h.By, s.host} {
		if slices.ContainsFunc(rotas[organisation], func(o OnCall) bool { return o.on(now, s.zone) }) {
			return rotas[organisation]
		}
		if rota == nil {
			rota = rotas[organisation]
		}
	}
	return rota
}

// send hands pages over, all at once, and says how each went.
func (s *Service) send(ctx context.Context, pages []Page, helps map[string]Help) []error {
	results := make([]error, len(pages))
	var sending sync.WaitGroup
	for i, p := range pages {
		sending.Go(func() {
			subject, text := pageText(helps[p.Help], s.url, s.zone)
			results[i] = s.notify.Send(ctx, p.Channel, p.Address, notify.Message{ID: p.pageID(), Subject: subject,
				Text: text, Type: "help.requested",
				Data: map[string]string{"help": p.Help, "url": s.url + "/help/" + p.Help}, At: s.clock.Now()})
		})
	}
	sending.Wait()
	for i, err := range results {
		if err != nil {
			s.log.Warn("somebody on call could not be told of a request for help; it is tried again, then the next "+
				"are told",
				schemas.AttrRunbook, "help.md", "error", "by "+pages[i].Channel+": "+err.Error())
		}
	}
	return results
}

// unacknowledged finds requests that are due to be told: newly stored ones that nobody has told yet, and those that
// nobody has taken on in time.
func (s *Service) unacknowledged(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var ids []string
	dueHelp(tx, tx.Now, limit, tx.Postponed(), func(id string) {
		ids = append(ids, id)
		tx.Attempt(id)
	})
	if err := tx.Flush(); err != nil || len(ids) == 0 {
		return 0, err
	}
	_, _, err := s.raise(tx, ids, tx.Now)
	return len(ids), err
}

// leftPages hands over what nobody has handed over so far. The pages stay locked meanwhile, so that two replicas never
// send one at the same time.
func (s *Service) leftPages(ctx context.Context, tx *flow.Tx, limit int) (int, error) {
	var pages []Page
	duePages(tx, tx.Now, limit, func(p Page) { pages = append(pages, p) })
	if err := tx.Flush(); err != nil || len(pages) == 0 {
		return 0, err
	}
	helps := map[string]Help{}
	readHelp(tx, pages, func(h *Help) { helps[h.ID] = *h })
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	savePages(tx, pages, s.send(ctx, pages, helps))
	return len(pages), nil
}

// savePages stores how pages went, and by which channels anything did.
func savePages(tx *flow.Tx, pages []Page, results []error) {
	took := map[string]bool{}
	for i, err := range results {
		p, next := pages[i].sent(err, tx.Now)
		savePage(tx, p, next, tx.Now)
		took[p.Channel] = took[p.Channel] || err == nil
	}
	markChannels(tx, took, tx.Now)
}
