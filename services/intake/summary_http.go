package intake

import (
	"net/http"
	"slices"
	"strings"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The handover summary: what the person agreed to pass on, told once, in their own words. It is optional, sealed with
// their key, passed on to each partner by a yes of its own, and read with who they are, under the same grant. Nothing
// of it is ever in an event.

// summaryOf is the summary of one journey; version 0 where there is none.
type summaryOf struct {
	Words    string
	Released []string // partners to whom it may be passed on
	version  int64
}

// put takes in what a request says, and says what is wrong with it. Words that are taken back are passed on to nobody.
func (s *summaryOf) put(said schemas.SummaryRecord) string {
	for _, r := range said.Release {
		s.Released = slices.DeleteFunc(slices.Clone(s.Released),
			func(partner string) bool { return partner == r.Organisation })
		if r.State == "given" {
			s.Released = append(s.Released, r.Organisation)
		}
	}
	if said.Words != nil {
		s.Words = strings.TrimSpace(*said.Words)
	}
	switch {
	case said.Words == nil && len(said.Release) == 0:
		return "There is nothing to record. Send words, or release with each organisation and what the person said " +
			"to it."
	case s.Words == "" && slices.ContainsFunc(said.Release,
		func(r schemas.SummaryRelease) bool { return r.State == "given" }):
		return "There are no words to pass on yet. Send words with the release, or before it."
	case s.Words == "":
		s.Released = nil
	}
	slices.Sort(s.Released)
	return ""
}

// addedBy is what a request from the person's page comes to: their words are added to those that are kept, which are
// not read back there and not replaced from there, and to whom they are passed on is not changed there.
func (s *summaryOf) addedBy(said schemas.SummaryRecord, today string) (schemas.SummaryRecord, error) {
	if len(said.Release) > 0 || said.Words == nil || strings.TrimSpace(*said.Words) == "" {
		return said, unprocessable("On the page words can be added. To whom they are passed on is said to the team.")
	}
	words := strings.TrimSpace(s.Words + "\n\nAdded on " + today + ":\n" + strings.TrimSpace(*said.Words))
	if faults := schemas.Validate(schemas.SummaryRecord{Words: &words}); len(faults) > 0 {
		return said, unprocessable("There is no room for more words. Say them to the team, or add fewer.")
	}
	return schemas.SummaryRecord{Words: &words}, nil
}

// postSummary keeps the person's words, and to whom they may be passed on.
func (s *Service) postSummary(w http.ResponseWriter, r *http.Request) error {
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	said, body, err := httpx.ReadJSON[schemas.SummaryRecord](w, r, maxForm)
	if err != nil {
		return err
	}
	checked := said
	if said.Words != nil && strings.TrimSpace(*said.Words) == "" {
		checked.Words = nil // taken back
	}
	if faults := schemas.Validate(checked); len(faults) > 0 {
		return unprocessable("The summary is not as expected: see errors.").With("errors", faults)
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		sub, err := s.lockSubject(tx, who, journey)
		if err != nil {
			return 0, nil, err
		}
		if sub.erased {
			return 0, nil, gone()
		}
		kept, err := sub.loadSummary(tx, who)
		if err != nil {
			return 0, nil, err
		}
		tag := ""
		if kept.version > 0 {
			tag = httpx.VersionTag(kept.version)
		}
		if err := httpx.CheckIfMatch(r, tag); err != nil {
			return 0, nil, err
		}
		if schemas.Role(who.Role) == schemas.Person {
			if said, err = kept.addedBy(said, s.today(tx.Now)); err != nil {
				return 0, nil, err
			}
		}
		if fault := kept.put(said); fault != "" {
			return 0, nil, unprocessable(fault)
		}
		for _, partner := range kept.Released {
			if sub.bars(partner) {
				return 0, nil, unprocessable("The person said that this organisation must not know. Nothing is " +
					"passed on to it.")
			}
		}
		kept.version++
		if err := storeSummary(tx, who, sub, kept, tx.Now); err != nil {
			return 0, nil, err
		}
		w.Header().Set("ETag", httpx.VersionTag(kept.version))
		// What is answered may be kept for a repetition: the words are not repeated.
		return http.StatusOK, summaryKept{journey, kept.version, kept.Words != "",
			append([]string{}, kept.Released...)}, nil
	})
}

// summaryKept says whether there is a summary now, and to which partners it is released.
type summaryKept struct {
	Journey  string   `json:"journey"`
	Version  int64    `json:"version"`
	Kept     bool     `json:"kept"`
	Released []string `json:"released"`
}

// shownTo is what somebody reads of it with who the person is: a partner only what was released to it.
func (s summaryOf) shownTo(who principal.Principal) (words string, released []string) {
	switch {
	case schemas.Role(who.Role) != schemas.Partner:
		return s.Words, s.Released
	case slices.Contains(s.Released, who.Organisation):
		return s.Words, nil
	}
	return "", nil
}
