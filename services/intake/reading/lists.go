package reading

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"footbridge/libs/written"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// A nightly list is CSV with one row for each attendance that a feed may have missed. Its first row names the columns,
// in any order; only visit is needed. Dates are YYYY-MM-DD, times RFC 3339, answers yes, no or nothing. A list is of
// what is to be followed up, unless it has a column reason: then each row is judged by that, as the feed's messages
// are, but for those that say in_scope yes.

// listColumns are the columns of a list, with what they fill in.
var listColumns = map[string]func(r *ListRow, value string) error{
	"visit":    func(r *ListRow, v string) error { r.Data.Visit = v; return nil },
	"local_id": func(r *ListRow, v string) error { r.Data.Person.LocalID = v; return nil },
	"nhs_number": func(r *ListRow, v string) error {
		r.Data.Person.NHSNumber, _ = written.NHSNumber(v)
		return nil
	},
	"nhs_number_verified": func(r *ListRow, v string) error { return yesOrNo(v, &r.Data.Person.NHSNumberVerified) },
	"family_name":         func(r *ListRow, v string) error { r.Data.Person.FamilyName = v; return nil },
	"given_name":          func(r *ListRow, v string) error { r.Data.Person.GivenName = v; return nil },
	"birth_date": func(r *ListRow, v string) error {
		r.Data.Person.BirthDate, _ = written.Day(v)
		return nil
	},
	"phone": func(r *ListRow, v string) error {
		r.Data.Person.Phone, _ = written.Phone(v)
		return nil
	},
	"email":   func(r *ListRow, v string) error { r.Data.Person.Email = v; return nil },
	"address": func(r *ListRow, v string) error { r.Data.Person.Address = v; return nil },
	"postcode": func(r *ListRow, v string) error {
		r.Data.Person.Postcode = written.Postcode(v)
		return nil
	},
	"reason":         func(r *ListRow, v string) error { r.Data.Reasons = append(r.Data.Reasons, v); return nil },
	"in_scope":       func(r *ListRow, v string) error { return yesOrNo(v, &r.inScope) },
	"left_at":        func(r *ListRow, v string) error { return json.Unmarshal(quoted(v), &r.Data.LeftAt) },
	"assessment":     func(r *ListRow, v string) error { r.Data.Facts.Assessment = &v; return nil },
	"under_18":       func(r *ListRow, v string) error { r.Data.Under18 = v; return nil },
	"told":           func(r *ListRow, v string) error { r.Data.Told = strings.Fields(v); return nil },
	"follow_up":      func(r *ListRow, v string) error { return answered(&r.Data, schemas.PurposeFollowUp, v) },
	"bridging":       func(r *ListRow, v string) error { return answered(&r.Data, schemas.PurposeBridging, v) },
	"safe_channel":   func(r *ListRow, v string) error { safe(&r.Data).Channel = v; return nil },
	"safe_contact":   func(r *ListRow, v string) error { safe(&r.Data).Value = v; return nil },
	"safe_confirmed": func(r *ListRow, v string) error { return yesOrNo(v, &safe(&r.Data).Confirmed) },
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
	Row    int // the line of the file in which it begins, from 1
	Raw    []byte
	Data   schemas.ReferralSubmittedData
	Faults []schemas.Fault
	// judged: the list is of all attendances, with a reason for each; inScope: the sender says that this one is to be
	// followed up.
	judged, inScope bool
}

// Judged says that what the row's reason says decides whether a human looks, as it does for the feed's messages.
func (r ListRow) Judged() bool { return r.judged && !r.inScope }

// MaxRows bounds a list: a night's attendances at the largest department are a few hundred.
const MaxRows = 5000

// ReadList reads a whole list before any of it is used, in the character set that is declared or that it looks like.
// Rows and columns in which nothing stands are skipped, and what separates nothing at a row's end. An error means that
// it is no list: nothing of it is used.
func ReadList(organisation string, raw []byte, declared string) ([]ListRow, error) {
	text, ok := written.Decode(raw, declared)
	if !ok {
		return nil, errors.New("its character set is not known, or its bytes are not of it")
	}
	reader := csv.NewReader(strings.NewReader(text))
	reader.FieldsPerRecord, reader.TrimLeadingSpace, reader.Comma = -1, true, separator(text)
	header, err := reader.Read()
	for err == nil && isBlank(header) {
		header, err = reader.Read()
	}
	if err != nil {
		return nil, errors.New("it has no first row that names the columns")
	}
	header = withoutBlankEnd(header)
	for i, name := range header {
		header[i] = strings.ToLower(written.Line(name))
		if header[i] != "" && listColumns[header[i]] == nil {
			return nil, fmt.Errorf("column %d has a name that is not known", i+1)
		}
		if header[i] != "" && slices.Contains(header[:i], header[i]) {
			return nil, fmt.Errorf("column %d is there twice", i+1)
		}
	}
	if !slices.Contains(header, "visit") {
		return nil, errors.New("it has no column visit, by which rows are reconciled")
	}
	rows := readRows(reader, header, organisation)
	if len(rows) > MaxRows {
		return nil, fmt.Errorf("it has more than %d rows", MaxRows)
	}
	return rows, nil
}

// separator is what parts the fields of the first row that is not blank: a comma, or else a semicolon or a tabulator,
// as spreadsheets write where the comma is a decimal sign.
func separator(text string) rune {
	for line := range strings.Lines(text) {
		named := strings.Trim(line, ",;\t\r\n \u00a0\"")
		if named == "" {
			continue
		}
		for _, mark := range ",;\t" {
			if strings.ContainsRune(named, mark) {
				return mark
			}
		}
		break
	}
	return ','
}

func isBlank(fields []string) bool { return len(withoutBlankEnd(fields)) == 0 }

// withoutBlankEnd leaves out fields at the end of a row in which nothing stands, or only what would separate others.
func withoutBlankEnd(fields []string) []string {
	for len(fields) > 0 && strings.Trim(written.Line(fields[len(fields)-1]), " ;,") == "" {
		fields = fields[:len(fields)-1]
	}
	if n := len(fields); n > 0 {
		fields[n-1] = strings.TrimRight(fields[n-1], "; ")
	}
	return fields
}

func readRows(reader *csv.Reader, header []string, organisation string) []ListRow {
	var rows []ListRow
	seen := map[string]bool{}
	for len(rows) <= MaxRows {
		fields, err := reader.Read()
		var broken *csv.ParseError
		if fields == nil && err != nil && !errors.As(err, &broken) {
			return rows
		}
		if err == nil && isBlank(fields) {
			continue
		}
		row := ListRow{Row: lineOf(reader, fields, broken), Raw: []byte(strings.Join(withoutBlankEnd(fields), ","))}
		switch {
		case err != nil:
			row.fault("", "is no CSV: its quotes do not match", "write a quote within a field twice, and the field "+
				"in quotes")
		case written.IsDamaged(strings.Join(fields, "")):
			row.fault("", "holds letters that could not be read", "save the list in UTF-8, or say its character set, "+
				"and send the row again")
		case len(withoutBlankEnd(fields)) > len(header):
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

// lineOf is the line of the file in which a row begins.
func lineOf(reader *csv.Reader, fields []string, broken *csv.ParseError) int {
	if broken != nil {
		return broken.StartLine
	}
	if len(fields) == 0 {
		return 0
	}
	line, _ := reader.FieldPos(0)
	return line
}

func (r *ListRow) fault(pointer, problem, do string) {
	r.Faults = append(r.Faults, schemas.Fault{Pointer: pointer, Problem: problem, Do: do})
}

func (r *ListRow) read(header, fields []string, organisation string) {
	r.Data = schemas.ReferralSubmittedData{Organisation: organisation, Route: "professional"}
	r.judged = slices.Contains(header, "reason")
	for i, name := range header {
		if i >= len(fields) || name == "" {
			continue
		}
		value := written.Line(fields[i])
		if value == "" {
			continue
		}
		if err := listColumns[name](r, value); err != nil {
			r.fault("/"+name, "cannot be read", "compare it with the header's description")
		}
	}
	if r.Data.Visit == "" {
		r.fault("/visit", "is missing", "give the visit number, or fill in the form instead")
		return
	}
	// a word from another column, a name perhaps, is not to be kept in clear
	if !strings.ContainsAny(r.Data.Visit, "0123456789") {
		r.Data.Visit = ""
		r.fault("/visit", "is no number of a visit: no digit stands in it", "compare the row's columns with the header")
		return
	}
	r.Data.Referral = "list " + r.Data.Visit
	for _, f := range schemas.ValidateReferralSubmitted(r.Data) {
		r.Faults = append(r.Faults, ofColumn(f))
	}
}

// columnsOf are the columns that fill what a fault points at, with words for whoever keeps the list: they know their
// columns, and not the members of an event.
var columnsOf = []struct{ pointer, column, words string }{
	{"/visit", "visit", "the visit number"}, {"/person/localId", "local_id", "the hospital number"},
	{"/person/nhsNumberVerified", "nhs_number_verified", "whether the NHS number is verified"},
	{"/person/nhsNumber", "nhs_number", "the NHS number"}, {"/person/familyName", "family_name", "the family name"},
	{"/person/givenName", "given_name", "the given name"},
	{"/person/birthDate", "birth_date", "the date of birth"}, {"/person/phone", "phone", "the telephone number"},
	{"/person/email", "email", "the email address"},
	{"/person/address", "address", "the address"}, {"/person/postcode", "postcode", "the postcode"},
	{"/reasons", "reason", "the reason"}, {"/leftAt", "left_at", "when they left"},
	{"/facts/assessment", "assessment", "the assessment"}, {"/under18", "under_18", "whether they are under 18"},
	{"/told", "told", "what they were told"},
	{"/safeContact/channel", "safe_channel", "the safe way to reach them"},
	{"/safeContact/value", "safe_contact", "the safe number or address"},
	{"/safeContact/confirmed", "safe_confirmed", "whether they said that it is safe"},
	{"/consents", "follow_up", "what they said yes or no to"}, {"/person", "local_id", "who it is about"},
}

// ofColumn says what is wrong in the words of the list: by its column, never by a path of the event that it becomes.
func ofColumn(f schemas.Fault) schemas.Fault {
	for _, c := range columnsOf {
		if f.Pointer == c.pointer || strings.HasPrefix(f.Pointer, c.pointer+"/") {
			f.Pointer, f.Problem = "/"+c.column, c.words+" "+f.Problem
			return f
		}
	}
	return f
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

// Reconcile names what a row's result means for whoever sent the list.
func Reconcile(outcome record.Outcome, journey string) Reconciled {
	switch {
	case outcome == record.RaisedOutcome || outcome == record.RaisedFlagged:
		return RowRaised
	case journey != "" && (outcome == record.Joined || outcome == record.Corrected || outcome == record.Duplicate):
		return RowKnown
	case outcome == record.Rejected:
		return RowBroken
	}
	return RowKept
}
