package intake

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"footbridge/schemas"
)

// A night's list is CSV with one row for each attendance that a feed may have missed. Its first row names the columns,
// in any order; only visit is needed. Dates are YYYY-MM-DD, times RFC 3339, answers yes, no or nothing.

// listColumns are the columns of a list, with what they fill in.
var listColumns = map[string]func(d *schemas.ReferralSubmittedData, value string) error{
	"visit":               func(d *schemas.ReferralSubmittedData, v string) error { d.Visit = v; return nil },
	"local_id":            func(d *schemas.ReferralSubmittedData, v string) error { d.Person.LocalID = v; return nil },
	"nhs_number":          func(d *schemas.ReferralSubmittedData, v string) error { d.Person.NHSNumber = v; return nil },
	"nhs_number_verified": func(d *schemas.ReferralSubmittedData, v string) error { return yesOrNo(v, &d.Person.NHSNumberVerified) },
	"family_name":         func(d *schemas.ReferralSubmittedData, v string) error { d.Person.FamilyName = v; return nil },
	"given_name":          func(d *schemas.ReferralSubmittedData, v string) error { d.Person.GivenName = v; return nil },
	"birth_date":          func(d *schemas.ReferralSubmittedData, v string) error { d.Person.BirthDate = v; return nil },
	"phone":               func(d *schemas.ReferralSubmittedData, v string) error { d.Person.Phone = v; return nil },
	"email":               func(d *schemas.ReferralSubmittedData, v string) error { d.Person.Email = v; return nil },
	"address":             func(d *schemas.ReferralSubmittedData, v string) error { d.Person.Address = v; return nil },
	"postcode":            func(d *schemas.ReferralSubmittedData, v string) error { d.Person.Postcode = v; return nil },
	"left_at":             func(d *schemas.ReferralSubmittedData, v string) error { return json.Unmarshal(quoted(v), &d.LeftAt) },
	"assessment":          func(d *schemas.ReferralSubmittedData, v string) error { d.Facts.Assessment = &v; return nil },
	"under_18":            func(d *schemas.ReferralSubmittedData, v string) error { d.Under18 = v; return nil },
	"told":                func(d *schemas.ReferralSubmittedData, v string) error { d.Told = strings.Fields(v); return nil },
	"follow_up":           func(d *schemas.ReferralSubmittedData, v string) error { return answered(d, schemas.PurposeFollowUp, v) },
	"bridging":            func(d *schemas.ReferralSubmittedData, v string) error { return answered(d, schemas.PurposeBridging, v) },
	"safe_channel":        func(d *schemas.ReferralSubmittedData, v string) error { safe(d).Channel = v; return nil },
	"safe_contact":        func(d *schemas.ReferralSubmittedData, v string) error { safe(d).Value = v; return nil },
	"safe_confirmed":      func(d *schemas.ReferralSubmittedData, v string) error { return yesOrNo(v, &safe(d).Confirmed) },
}

func quoted(v string) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil // a text always marshals
	}
	return text
}

var errNotYesOrNo = errors.New("is neither yes nor no")

func yesOrNo(v string, into *bool) error {
	switch strings.ToLower(v) {
	case "yes", "y", "true":
		*into = true
	case "no", "n", "false":
		*into = false
	default:
		return errNotYesOrNo
	}
	return nil
}

func answered(d *schemas.ReferralSubmittedData, purpose, v string) error {
	consent := schemas.ReportedConsent{Purpose: purpose, How: "spoken"}
	err := yesOrNo(v, &consent.Given)
	d.Consents = append(d.Consents, consent)
	return err
}

func safe(d *schemas.ReferralSubmittedData) *schemas.ReportedContact {
	if d.SafeContact == nil {
		d.SafeContact = &schemas.ReportedContact{}
	}
	return d.SafeContact
}

// ListRow is one row, read; with faults it cannot be used, and nothing of it is.
type ListRow struct {
	Row    int // counted from 1; the header is 1
	Raw    []byte
	Data   schemas.ReferralSubmittedData
	Faults []schemas.Fault
}

// maxRows bounds a list: a night's attendances at the largest department are a few hundred.
const maxRows = 5000

// ReadList reads a whole list before any of it is used. An error means that it is no list: nothing of it is used.
func ReadList(organisation string, text []byte) ([]ListRow, error) {
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	reader.FieldsPerRecord, reader.TrimLeadingSpace = -1, true
	header, err := reader.Read()
	if err != nil {
		return nil, errors.New("it has no first row that names the columns")
	}
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if listColumns[header[i]] == nil {
			return nil, fmt.Errorf("column %d has a name that is not known", i+1)
		}
		if slices.Contains(header[:i], header[i]) {
			return nil, fmt.Errorf("column %d is there twice", i+1)
		}
	}
	if !slices.Contains(header, "visit") {
		return nil, errors.New("it has no column visit, by which rows are reconciled")
	}
	rows := readRows(reader, header, organisation)
	if len(rows) > maxRows {
		return nil, fmt.Errorf("it has more than %d rows", maxRows)
	}
	return rows, nil
}

func readRows(reader *csv.Reader, header []string, organisation string) []ListRow {
	var rows []ListRow
	seen := map[string]bool{}
	for len(rows) <= maxRows {
		fields, err := reader.Read()
		if fields == nil && err != nil {
			var broken *csv.ParseError
			if !errors.As(err, &broken) {
				return rows
			}
		}
		row := ListRow{Row: len(rows) + 2, Raw: []byte(strings.Join(fields, ","))}
		switch {
		case err != nil:
			row.fault("", "is no CSV: its quotes do not match", "write a quote within a field twice, and the field in quotes")
		case len(fields) != len(header):
			row.fault("", "has another number of fields than the header", "put fields that hold a comma in quotes")
		default:
			row.read(header, fields, organisation)
		}
		if visit := row.Data.Visit; visit != "" && seen[visit] {
			row.fault("/visit", "is in this list already", "send each visit once")
		}
		seen[row.Data.Visit] = true
		rows = append(rows, row)
		if err != nil {
			return rows // what follows a broken quote cannot be told apart
		}
	}
	return rows
}

func (r *ListRow) fault(pointer, problem, do string) {
	r.Faults = append(r.Faults, schemas.Fault{Pointer: pointer, Problem: problem, Do: do})
}

func (r *ListRow) read(header, fields []string, organisation string) {
	r.Data = schemas.ReferralSubmittedData{Organisation: organisation, Route: "professional"}
	for i, name := range header {
		value := strings.TrimSpace(fields[i])
		if value == "" {
			continue
		}
		if err := listColumns[name](&r.Data, value); err != nil {
			r.fault("/"+name, "cannot be read", "compare it with the header's description")
		}
	}
	if r.Data.Visit == "" {
		r.fault("/visit", "is missing", "give the visit number, or fill in the form instead")
		return
	}
	r.Data.Referral = "list " + r.Data.Visit
	r.Faults = append(r.Faults, schemas.ValidateReferralSubmitted(r.Data)...)
}

// Reconciled is what became of a row.
type Reconciled string

// What can become of a row.
const (
	RowKnown  Reconciled = "already-known" // a journey of this visit stands: nothing was missed
	RowRaised Reconciled = "raised-now"
	RowKept   Reconciled = "kept" // in the ledger, with a reason; a human looks where the reason says so
	RowBroken Reconciled = "cannot-be-read"
)

// reconcile names what a row's result means for whoever sent the list.
func reconcile(outcome Outcome, journey string) Reconciled {
	switch {
	case outcome == RaisedOutcome || outcome == RaisedFlagged:
		return RowRaised
	case journey != "" && (outcome == Joined || outcome == Corrected || outcome == Duplicate):
		return RowKnown
	case outcome == Rejected:
		return RowBroken
	}
	return RowKept
}
