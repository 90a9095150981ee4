package intake

import (
	"time"

	"footbridge/libs/vault"
	"footbridge/schemas"
)

// Kind is what a message says happened, whatever its trigger event was called.
type Kind string

// The kinds of statement. The trigger events of each are the profile's.
const (
	KindStart       Kind = "start"        // somebody arrived, was admitted, or changed class
	KindMove        Kind = "move"         // to another place within the visit: a ward transfer holds
	KindUpdate      Kind = "update"       // may bring a reason or a diagnosis late
	KindEnd         Kind = "end"          // left: the candidate for a discharge
	KindCancelStart Kind = "cancel-start" // there was no such visit
	KindCancelEnd   Kind = "cancel-end"   // they have not left after all
	KindPerson      Kind = "person"       // demographics only, never a trigger
	KindMerge       Kind = "merge"        // two records are one person
	KindByHand      Kind = "by-hand"      // understood, but only a human can carry it out yet
	KindIgnore      Kind = "ignore"       // of no concern here
	KindReported    Kind = "reported"     // discharge.reported, over POST /events
	KindHuman       Kind = "human"        // a named human decided about a quarantined message
)

// Moment is a time as precisely as a message gave it.
type Moment struct {
	At      time.Time `json:"at"`
	DayOnly bool      `json:"dayOnly,omitempty"` // At is then noon of that local day: a date is not midnight
}

// Known says that the message gave a time at all.
func (m Moment) Known() bool { return !m.At.IsZero() }

// Same compares what was said, not how: two zones' spelling of one instant are the same.
func (m Moment) Same(o Moment) bool { return m.At.Equal(o.At) && m.DayOnly == o.DayOnly }

// Stamp orders statements about one visit: by when the sender said them (EVN-2, or else MSH-7, or else when they
// came), and by arrival where that is equal. It is never taken for the time something happened.
type Stamp struct {
	SaidAt time.Time `json:"said"`
	Seq    int64     `json:"seq"`
}

// After says whether s supersedes o; everything supersedes the zero Stamp.
func (s Stamp) After(o Stamp) bool {
	if s.SaidAt.Equal(o.SaidAt) {
		return s.Seq > o.Seq
	}
	return s.SaidAt.After(o.SaidAt)
}

// Verdict is what a statement says about whether the visit followed self-harm. It is about the message.
type Verdict string

// The verdicts, weakest first.
const (
	SaysNothing Verdict = ""
	SaysAsk     Verdict = "ask"      // a human decides
	SaysInScope Verdict = "in-scope" // an entry of a code list says so
)

// Evidence is one field's say: the newest of each role counts. No free text is kept in it.
type Evidence struct {
	Role    string   `json:"role"` // reason, diagnosis, intent, sender
	Verdict Verdict  `json:"verdict,omitempty"`
	Because []string `json:"because,omitempty"` // list entries: "self-harm snomed:276853009", "mention"
	Profile string   `json:"profile,omitempty"` // name and version of the profile that read it
}

// Identity is what a message says of who the person is. It lives sealed in the vault and in memory, nowhere else.
type Identity struct {
	schemas.ReportedPerson
	Language string `json:"language,omitempty"`
	// Removed lists fields that the message deletes (HL7's ""); an absent field keeps what was known.
	Removed []string `json:"-"`
	// NumberInvalid: a number was given as an NHS number that cannot be one.
	NumberInvalid bool `json:"numberInvalid,omitempty"`
}

// PersonKeys are the keyed hashes under which a person is found again, the strongest first: the sender's own
// number, then a verified NHS number; where there is neither, the visit's.
type PersonKeys [][]byte

// Statement is one message, read: everything that deciding about it may use.
type Statement struct {
	Message      string // the ledger's id
	Kind         Kind
	Organisation string
	Visit        string // PV1-19, or empty
	SaidAt       time.Time
	Happened     Moment // PV1-45 for an end, else EVN-6, else EVN-2
	Arrived      Moment // PV1-44
	Destination  string
	Died         bool
	LeftBefore   bool
	Evidence     []Evidence
	Person       vault.Personal[Identity]
	Merged       vault.Personal[Identity] // of KindMerge: the record that is given up (MRG)
	Facts        schemas.Facts            // what the sender states as facts
	Consents     []schemas.ReportedConsent
	RaisedBy     string // hl7, event, form

	// InScope is a human's decision about the visit, of KindHuman.
	InScope bool
}
