package record

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
	KindCancelMove  Kind = "cancel-move"  // they have not been moved after all
	KindUpdate      Kind = "update"       // may bring a reason or a diagnosis late
	KindEnd         Kind = "end"          // left: the candidate for a discharge
	KindCancelStart Kind = "cancel-start" // there was no such visit
	KindCancelEnd   Kind = "cancel-end"   // they have not left after all
	KindPerson      Kind = "person"       // demographics only, never a trigger
	KindMerge       Kind = "merge"        // two records are one person
	KindRename      Kind = "rename"       // a person's identifier is corrected (A47)
	KindJoinVisits  Kind = "join-visits"  // two visit numbers are one attendance (A42)
	KindByHand      Kind = "by-hand"      // understood, but only a human can carry it out
	KindReferral    Kind = "referral"     // somebody asks for support: referral.submitted, or a form
	KindUnask       Kind = "unask"        // whoever asked takes it back
	KindSignal      Kind = "signal"       // a signal about a person, from elsewhere than their hospital
	KindIgnore      Kind = "ignore"       // of no concern here
	KindReported    Kind = "reported"     // discharge.reported, over POST /events
	KindHuman       Kind = "human"        // a named human decided about a quarantined message
	KindLeft        Kind = "left"         // a named human said when the person left, of a visit without an end
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

// Version orders statements about one visit or person: by when the sender said them (EVN-2, else MSH-7), then by when
// they were sent (MSH-7), then by when they came. Senders write minutes, or leave EVN-2 as it was: what kind of message
// it is never outranks time. It is never taken for the time something happened.
type Version struct {
	StatedAt      time.Time `json:"said"`
	SentAt        time.Time `json:"sent,omitzero"`
	Came          string    `json:"c,omitempty"` // the ledger's id of the message: ids grow as messages come
	ArrivalNumber int64     `json:"seq,omitempty"`
}

// After says whether s supersedes o; everything supersedes the zero Version.
func (s Version) After(o Version) bool {
	switch {
	case !s.StatedAt.Equal(o.StatedAt):
		return s.StatedAt.After(o.StatedAt)
	case !s.SentAt.Equal(o.SentAt):
		return s.SentAt.After(o.SentAt)
	case s.Came != o.Came:
		return len(s.Came) > len(o.Came) || (len(s.Came) == len(o.Came) && s.Came > o.Came)
	}
	return s.ArrivalNumber > o.ArrivalNumber
}

// IsZero says that nothing was said.
func (s Version) IsZero() bool { return s == Version{} }

// Version is when this statement was said.
func (s ClinicalEvent) Version(seq int64) Version {
	return Version{StatedAt: s.StatedAt, SentAt: s.SentAt, Came: s.Message, ArrivalNumber: seq}
}

// Setting is what kind of care a visit was in, as the sender's profile reads its class and place.
type Setting string

// The settings. A visit of which nothing but another setting is known is no attendance for a human to miss: in-scope
// codes on it are shown to one.
const (
	SettingUnknown   Setting = ""
	SettingEmergency Setting = "emergency" // A&E or urgent treatment centre
	SettingWard      Setting = "ward"      // admitted: the discharge is when they leave the ward
	SettingElsewhere Setting = "elsewhere" // a clinic, a waiting list
)

// Verdict is what a statement says about whether the visit followed self-harm. It is about the message.
type Verdict string

// The verdicts, weakest first.
const (
	VerdictNothing Verdict = ""
	VerdictAsk     Verdict = "ask"      // a human decides
	VerdictInScope Verdict = "in-scope" // an entry of a code list says so
)

// Evidence is one field's say: the newest of each role counts. No free text is kept in it.
type Evidence struct {
	Role    string   `json:"role"` // reason, diagnosis, intent, sender
	Verdict Verdict  `json:"verdict,omitempty"`
	Because []string `json:"because,omitempty"` // list entries: "self-harm snomed:276853009", "mention"
	Profile string   `json:"profile,omitempty"` // name and version of the profile that read it

	// Blank: it is for a human only as long as no intent is recorded, as of a poisoning. Other: another intent than
	// self-harm is.
	Blank bool `json:"blank,omitempty"`
	Other bool `json:"other,omitempty"`

	// Left: a code says that the person left before being seen.
	Left bool `json:"left,omitempty"`
	// Parts are the diagnoses of a message that says all of them. One that comes with an action code changes that one
	// alone: it has a Key of its own, and Gone where it is taken back.
	Parts []Evidence `json:"parts,omitempty"`
	Key   PartKey    `json:"key,omitzero"`
	Gone  bool       `json:"gone,omitempty"`
	// Updates: it stands in the place of one that may have had another code.
	Updates bool `json:"updates,omitempty"`

	Unknown int `json:"-"` // codes in a system that nobody has agreed on
}

// Identity is what a message says of who the person is. It lives sealed in the vault and in memory, nowhere else.
type Identity struct {
	schemas.ReportedPerson
	Language string `json:"language,omitempty"`
	// Removed lists fields that the message deletes (HL7's ""); an absent field keeps what was known.
	Removed []string `json:"-"`
	// NumberInvalid: a number was given as an NHS number that cannot be one.
	NumberInvalid bool `json:"numberInvalid,omitempty"`
	// SafeContact is how the person may be reached, as a form said.
	SafeContact *schemas.ReportedContact `json:"safeContact,omitempty"`
	// VerifiedNumber is the newest NHS number that was said to be traced and verified.
	VerifiedNumber string `json:"verifiedNumber,omitempty"`
	// Protected: the hospital's record is protected (PD1-12). Asked: the person has been asked since, and answered.
	Protected      bool `json:"protected,omitempty"`
	ProtectedAsked bool `json:"protectedAsked,omitempty"`
	// OtherBirths are the birth dates of records that were merged into this one: none of them crosses, but a child is
	// one.
	OtherBirths map[string]string `json:"otherBirths,omitempty"`
	// Version is when each field was last said, so that any order of messages leads to the same person.
	Version ByName[Version] `json:"said,omitempty"`
}

// ClinicalEvent is one message, read: everything that deciding about it may use. Of the bodies, those of its kind hold
// something, and the others are empty.
type ClinicalEvent struct {
	Header
	About
	Attendance         // of every kind about a visit
	Asked      Asked   // of KindReferral
	GivenUp    GivenUp // of KindMerge, KindRename and KindJoinVisits
	Signal     Signal  // of KindSignal
	InScope    bool    // of KindHuman: a human's decision about the visit
}

// Header is what every message has: what it is, whose, and when it was said.
type Header struct {
	Message      string // the ledger's id
	Record       string // the record that it was said under, whatever that has been merged into
	Kind         Kind
	Organisation string
	Numbers      string // whose the numbers of people are, where that is not Organisation
	Visit        string // PV1-19, or empty
	StatedAt     time.Time
	SentAt       time.Time        // MSH-7: it orders what was said at one time
	PublishedBy  string           // hl7, event, form
	By           string           // who sent it, as recordedBy writes it, where it came with a principal of its own
	Doubts       map[string]Doubt // what could not be believed, by what it is about
}

// About is what a message of any kind may say of the person.
type About struct {
	Person    vault.Personal[Identity]
	Died      bool
	Facts     schemas.Facts // what the sender states as facts
	Retracted []string      // names of facts that the sender says are known no more
	Consents  []schemas.ReportedConsent
}

// Attendance is what a message says of a visit. A request says of it when the person left, if they have been.
type Attendance struct {
	Setting     Setting
	Arrived     Moment   // PV1-44
	Happened    Moment   // when they left: the first of Ends that can be true
	Ends        []Moment // of an end: PV1-45, EVN-6, EVN-2; the best first, unknown ones included
	Else        Moment   // the next of Ends that can be true
	Corrects    Moment   // of an update: PV1-45, which corrects when they left
	Destination string
	LeftBefore  bool
	Evidence    []Evidence
}

// Asked is what a request for support says.
type Asked struct {
	At         Moment   // when it was asked for
	Route      string   // professional or self
	Under18    string   // yes, no or not-known, where no birth date is given
	Unverified bool     // who it is about is not known for certain
	Told       []string // what the person was told, as codes
	Double     string   // another record that may be the same person
}

// GivenUp is what becomes part of another: a record, or a visit number.
type GivenUp struct {
	Person vault.Personal[Identity] // MRG-1
	Visit  string                   // MRG-5
}

// Signal is what became known of a person elsewhere than at their hospital.
type Signal struct {
	Kind    SignalKind
	Becomes vault.Personal[string] // the NHS number that theirs has changed to; empty where it does not say
}

// Conceal puts back who a statement is about.
func (s *ClinicalEvent) Conceal(identity Identity) { s.Person = vault.Conceal(identity) }

// UnknownOf counts the codes of a message whose system nobody has agreed on.
func (s *ClinicalEvent) UnknownOf() (n int64) {
	for _, evidence := range s.Evidence {
		n += int64(evidence.Unknown)
	}
	return n
}

// Merges says whether two records become one.
func (s *ClinicalEvent) Merges() bool { return s.Kind == KindMerge || s.Kind == KindRename }

// FirstMoment is the first that is known; the zero value where none is.
func FirstMoment(moments ...Moment) Moment {
	for _, m := range moments {
		if m.Known() {
			return m
		}
	}
	return Moment{}
}

// Roles of evidence.
const (
	RoleReason    = "reason"
	RoleDiagnosis = "diagnosis"
	RoleIntent    = "intent"
	RoleSender    = "sender" // the sender's own statement, as in discharge.reported
	RoleWords     = "words"  // a reason in words beside codes: it takes nothing back that codes say
)
