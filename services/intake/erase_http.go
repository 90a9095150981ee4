package intake

import (
	"net/http"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// mergeRequest names the other record. Only a reference: what the records say is not repeated here.
type mergeRequest struct {
	Other string `json:"other"`
	// Confirm says that a human compared both and that consent and contact of both may be used together.
	Confirm bool   `json:"confirm"`
	Reason  string `json:"reason"` // kept sealed
}

// postMerge joins two records of one person, and undoes it. The path names the record that survives.
func (s *Service) postMerge(w http.ResponseWriter, r *http.Request, undo bool) error {
	ref, err := pathRef(r, "ref", noSuchPerson)
	if err != nil {
		return err
	}
	request, body, err := httpx.ReadJSON[mergeRequest](w, r, maxForm)
	if err != nil {
		return err
	}
	if !clock.IsID(request.Other) || request.Other == ref || strings.TrimSpace(request.Reason) == "" {
		return unprocessable("Name the other record in other, by its reference, and say why in reason.")
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (status int, answer any, err error) {
		err = s.around(tx, who, []string{ref, request.Other}, func(j *transaction) (map[string][]record.Question,
			error) {
			status, answer, err = s.decideMerge(tx, j, who, ref, request, undo)
			return nil, err
		})
		return status, answer, err
	})
}

func (s *Service) decideMerge(tx *flow.Tx, j *transaction, who principal.Principal, ref string, request mergeRequest,
	undo bool) (int, any, error) {
	records, err := lockRecords(tx, who, ref, request.Other)
	if err != nil {
		return 0, nil, err
	}
	survivor, other := records[ref], records[request.Other]
	waited, changed, err := resolveDoubles(tx, j, who, ref, request.Other)
	if err != nil {
		return 0, nil, err
	}
	for _, v := range changed {
		j.correct(v, "")
	}
	if err := j.flush(tx); err != nil {
		return 0, nil, err
	}
	switch {
	case undo && waited && other.Survivor != survivor.ID:
		// Two people, who looked like one: nothing was merged, and what waited for a human goes on.
		if err := s.noteMerge(tx, who, survivor, "two-people", request.Reason); err != nil {
			return 0, nil, err
		}
		return http.StatusOK, mergeShown{Person: ref, Other: request.Other}, nil
	case undo:
		return s.unmerge(tx, j, who, survivor, other, request)
	}
	return s.merge(tx, j, who, survivor, other, request)
}

func (s *Service) merge(tx *flow.Tx, j *transaction, who principal.Principal, survivor, other *recordOf,
	request mergeRequest) (int, any, error) {
	done := other.Survivor == survivor.ID
	if survivor.Survivor != "" || (other.Survivor != "" && !done) {
		return 0, nil, httpx.NewProblem(http.StatusConflict, "One of these records has been merged into a third one "+
			"already. Use the surviving record's reference.")
	}
	if err := storeMerge(tx, survivor, other, done, recordedBy(who), tx.Now); err != nil {
		return 0, nil, err
	}
	if request.Confirm {
		if err := confirmMerge(tx, survivor, other, recordedBy(who), tx.Now); err != nil {
			return 0, nil, err
		}
	}
	if err := s.noteMerge(tx, who, survivor, "merge", request.Reason); err != nil {
		return 0, nil, err
	}
	return s.emitMerge(tx, j, who, survivor, other, schemas.PersonMerged, request.Confirm)
}

func (s *Service) unmerge(tx *flow.Tx, j *transaction, who principal.Principal, survivor, other *recordOf,
	request mergeRequest) (int, any, error) {
	if other.Survivor != survivor.ID {
		return 0, nil, httpx.NewProblem(http.StatusConflict, "These two records are not merged. Look at both again.")
	}
	merge, err := findMerge(tx, who, survivor.ID, other.ID)
	if err != nil {
		return 0, nil, err
	}
	undoMerge(tx, survivor, other, merge, recordedBy(who), tx.Now)
	if err := s.noteMerge(tx, who, survivor, "unmerge", request.Reason); err != nil {
		return 0, nil, err
	}
	return s.emitMerge(tx, j, who, survivor, other, schemas.PersonUnmerged, true)
}

// noteMerge keeps who decided what about a record, sealed.
func (s *Service) noteMerge(tx *flow.Tx, who principal.Principal, record *recordOf, kind, reason string) error {
	if len(record.wrapped) == 0 {
		return nil // erased: nothing about them is kept any more
	}
	key, err := s.vault.Unwrap(record.ID, record.wrapped)
	if err != nil {
		return err
	}
	return storeNote(tx, key, record.ID, "", kind, reason, recordedBy(who), tx.Now)
}

// emitMerge tells every journey of either record of the merge; what stands otherwise by it is told by around.
func (s *Service) emitMerge(tx *flow.Tx, j *transaction, who principal.Principal, survivor, other *recordOf,
	kind schemas.Type, confirmed bool) (int, any, error) {
	_, journeys, err := journeysOfRecords(tx, who, append([]string{survivor.ID, other.ID}, other.Aliases...))
	if err != nil {
		return 0, nil, err
	}
	for _, journey := range journeys {
		j.tell(journey, record.JourneyEvent{Kind: kind, Data: schemas.PersonMergedData{Person: survivor.ID,
			Other: other.ID, Confirmed: confirmed}})
	}
	many := len(journeys)
	return http.StatusOK, mergeShown{survivor.ID, other.ID, kind == schemas.PersonMerged, &confirmed, &many}, nil
}

// mergeShown is how two records stand to one another; where something was merged or taken apart, whether a human has
// confirmed it, and how many journeys that is about.
type mergeShown struct {
	Person    string `json:"person"`
	Other     string `json:"other"`
	Merged    bool   `json:"merged"`
	Confirmed *bool  `json:"confirmed,omitempty"`
	Journeys  *int   `json:"journeys,omitempty"`
}

// eraseRequest asks for an erasure, with a reason, or confirms what somebody else asked for, by the request's id.
// Nobody is named in it: the two people are those who send the two requests, each with a credential of their own.
type eraseRequest struct {
	Reason  string `json:"reason,omitempty"`
	Confirm string `json:"confirm,omitempty"`
}

// eraseAsked is an erasure that waits for a second person.
type eraseAsked struct {
	// Request is what the second person confirms.
	Request string `json:"request"`
	Person  string `json:"person"`
	// ConfirmBy is until when; after that it is asked for again.
	ConfirmBy time.Time `json:"confirmBy"`
}

// eraseWithin is how long a second person may confirm a request; after that it is asked for again.
const eraseWithin = 7 * 24 * time.Hour

// Erased says what an erasure destroyed, where, and what it could not reach.
type Erased struct {
	Person  string           `json:"person"`
	Records int              `json:"records"`
	Rows    map[string]int64 `json:"rows"` // by table
	Kept    string           `json:"kept"`
	Backups string           `json:"backups"`
}

const (
	erasedKept = "The ledger's lines stay, without content: sender, time, hash, outcome. Journeys, steps, offers and " +
		"plans hold the random reference and codes only; nobody can tell any more whose they were."
	// backupLimits: what erasing cannot reach.
	backupLimits = "Backups taken before now still hold the wrapped keys (tables person_key and message_key) until " +
		"they are overwritten: keep backups of those two tables for days, not months, and apart from the rest. Data " +
		"from before now with those two tables from after it read nobody. Restoring them from before brings the keys " +
		"back: erase again whom table erasure lists in its newest backup, since the restored one does not know of it."
)

// postErase makes all that identifies a person unreadable, everywhere, and says where: one person asks for it, and
// another confirms that very request.
func (s *Service) postErase(w http.ResponseWriter, r *http.Request) error {
	ref, err := pathRef(r, "ref", noSuchPerson)
	if err != nil {
		return err
	}
	request, body, err := httpx.ReadJSON[eraseRequest](w, r, maxForm)
	if err != nil {
		return err
	}
	if fault := eraseFault(request); fault != "" {
		return unprocessable(fault)
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		if who.Source != "" {
			return 0, nil, httpx.NewProblem(http.StatusForbidden, "This credential is a system's, and no person's. "+
				"Two people erase, each with a credential of their own.")
		}
		all, err := erasable(tx, who, ref)
		if err != nil {
			return 0, nil, err
		}
		if request.Confirm == "" {
			asked := eraseAsked{Request: clock.NewRandomID(), Person: ref, ConfirmBy: tx.Now.Add(eraseWithin)}
			storeEraseRequest(tx, asked, recordedBy(who), strings.TrimSpace(request.Reason), tx.Now)
			return http.StatusAccepted, asked, nil
		}
		asked, err := lockEraseRequest(tx, who, ref, request.Confirm)
		if err != nil {
			return 0, nil, err
		}
		if fault := mayConfirm(asked, who.Subject, tx.Now); fault != nil {
			return 0, nil, fault
		}
		rows, err := eraseRecords(tx, who, all)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, Erased{Person: ref, Records: len(all), Rows: rows, Kept: erasedKept,
				Backups: backupLimits},
			storeErasure(tx, all, []string{asked.By, recordedBy(who)}, asked.Reason, rows, tx.Now)
	})
}

// erasable are the records that erasing one would reach, or why that may not be.
func erasable(tx *flow.Tx, who principal.Principal, ref string) ([]string, error) {
	records, err := lockRecords(tx, who, ref)
	if err != nil {
		return nil, err
	}
	all := append([]string{ref}, records[ref].Aliases...)
	if records[ref].Survivor != "" {
		return nil, httpx.NewProblem(http.StatusConflict, "This record has been merged into another one. Erase the "+
			"surviving record, or undo the merge first.")
	}
	open, held, err := obstacles(tx, who, all)
	switch {
	case err != nil:
		return nil, err
	case held:
		return nil, httpx.NewProblem(http.StatusConflict, "A legal hold stands on this record. Whoever placed it "+
			"lifts it first, with POST /api/people/{ref}/legal-hold and {\"on\": false}.")
	case len(open) > 0:
		return nil, httpx.NewProblem(http.StatusConflict, "A journey of this person is still open or held: %s. Close "+
			"it first, with POST /api/journeys/{id}/close, and send the record back to the trust.",
			strings.Join(open, ", ")).With("journeys", open)
	}
	return all, nil
}

func eraseFault(request eraseRequest) string {
	reason := strings.TrimSpace(request.Reason)
	switch {
	case request.Confirm != "" && reason != "":
		return "Either ask for an erasure, with reason, or confirm what somebody else asked for, with confirm."
	case request.Confirm != "" && !clock.IsID(request.Confirm):
		return "What is confirmed is a request's id, as its asker was answered with."
	case request.Confirm == "" && len(reason) < 3:
		return "Say why, in reason; name nobody there. A second person then confirms the request, with confirm."
	case len(reason) > 500:
		return "The reason is longer than 500 bytes. State it shortly."
	}
	return ""
}

// eraseWaits is a request for an erasure, with who asked.
type eraseWaits struct {
	By, Subject, Reason string
	At                  time.Time
}

// mayConfirm says why a person may not confirm a request, or nil. Whoever asked is the same person in any role and any
// organisation.
func mayConfirm(asked *eraseWaits, subject string, now time.Time) *httpx.Problem {
	switch {
	case asked == nil || now.After(asked.At.Add(eraseWithin)):
		return httpx.NewProblem(http.StatusNotFound, "There is no such request to confirm. It may have been done, or "+
			"be older than a week: ask for it anew.")
	case strings.EqualFold(asked.Subject, subject):
		return httpx.NewProblem(http.StatusForbidden, "You asked for this erasure yourself. Another person confirms "+
			"it, with a credential of their own.")
	}
	return nil
}

// legalHoldAsked says whether a hold is placed (true) or lifted.
type legalHoldAsked struct {
	On *bool `json:"on"`
}

// legalHoldShown is whether nothing of a person may be erased; Others are merged records that are held themselves.
type legalHoldShown struct {
	Person string   `json:"person"`
	Held   bool     `json:"held"`
	Others []string `json:"others"`
}

// postHold places or lifts a legal hold. A hold is lifted on the record that it was placed on, and not by way of one
// that was merged with it: while it stands, none of them is erased.
func (s *Service) postHold(w http.ResponseWriter, r *http.Request) error {
	ref, err := pathRef(r, "ref", noSuchPerson)
	if err != nil {
		return err
	}
	request, body, err := httpx.ReadJSON[legalHoldAsked](w, r, maxForm)
	if err != nil {
		return err
	}
	if request.On == nil {
		return unprocessable("Say with on whether the hold is placed (true) or lifted (false).")
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		records, err := lockRecords(tx, who, ref)
		if err != nil {
			return 0, nil, err
		}
		before, err := heldRecords(tx, who, ref)
		if err != nil {
			return 0, nil, err
		}
		others := record.Without(before, []string{ref})
		if !*request.On && len(others) == len(before) && len(others) > 0 {
			return 0, nil, httpx.NewProblem(http.StatusConflict, "The hold was placed on another record, which was "+
				"merged with this one, and is lifted there alone: %s.",
				strings.Join(others, ", ")).With("records", others)
		}
		storeHold(tx, ref, *request.On, recordedBy(who), tx.Now)
		what := map[bool]string{true: "placed", false: "lifted"}[*request.On]
		return http.StatusOK, legalHoldShown{ref, *request.On || len(others) > 0, others},
			s.noteMerge(tx, who, records[ref], "legal-hold", what)
	})
}
