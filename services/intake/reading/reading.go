package reading

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"footbridge/libs/hl7"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// Reasons for messages that could not be read or are not taken.
const (
	ReasonEmpty      = "empty"
	ReasonNotHL7     = "not-hl7"
	ReasonBroken     = "broken-content"
	ReasonTruncated  = "frame-truncated"
	ReasonTooLarge   = "too-large"
	ReasonEvent      = "unknown-event"
	ReasonProcessing = "processing-id"
	// ReasonNoProcessing: MSH-11 is empty, so that nobody can know whether the message is about a real person.
	ReasonNoProcessing = "no-processing-id"
	ReasonVersion      = "version"
	ReasonNoTime       = "no-end-time"
	ReasonFault        = "could-not-be-processed"
	ReasonUnframed     = "not-mllp"
	ReasonAnswered     = "answered-by-later-coding"
	ReasonAnswer       = "acknowledgement"
)

// Reading is what became of a message in memory, before anything is stored: a statement to be joined to its
// visit, or an outcome that is final already.
type Reading struct {
	Organisation string // the sending organisation: MSH-4, or where the profile says
	Sender       string // the sending application, MSH-3, or an event's source
	ControlID    string
	Type         string // ADT^A03, or an event's type
	Ack          hl7.Outcome
	Faults       []hl7.Fault

	ClinicalEvent *record.ClinicalEvent
	// Outcome and Reason are set where there is no statement; a quarantined or rejected message may have one too,
	// for a human to release.
	Outcome record.Outcome
	Reason  string
}

// typeShown is a message's type as the ledger shows it: only what has the shape of HL7's codes. A sender may write
// anything there, and operators, who read the ledger, must not know who anybody is.
func typeShown(kind, trigger string) string {
	switch {
	case !hasCodeShape(kind):
		return ""
	case !hasCodeShape(trigger):
		return kind + "^"
	}
	return kind + "^" + trigger
}

// hasCodeShape says whether text is three capital letters or digits.
func hasCodeShape(text string) bool {
	return len(text) == 3 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// ReadHL7 reads one message by its sender's profile. It asks nobody for the time: received is when it came, and
// orders it where the sender gives no time at all.
func ReadHL7(message *hl7.Message, profiles *Profiles, received time.Time) Reading {
	profile := profiles.For(message.SendingApplication())
	reading := Reading{
		Organisation: profile.facility(message),
		Sender:       Named(message.SendingApplication()),
		ControlID:    Named(message.ControlID()),
		Type:         typeShown(message.Type(), message.Trigger()),
	}
	if message.IsAck() && message.Type() != "ADT" { // one of ADT is not lost for a stray MSA
		reading.Ack, reading.Outcome, reading.Reason = NoAck, record.Ignored, ReasonAnswer
		reading.ControlID = "" // its numbers are of another series than those of its sender's messages
		return reading
	}
	if message.Type() == "" {
		reading.Ack, reading.Outcome, reading.Reason = hl7.Failed, record.Quarantined, ReasonBroken
		reading.Faults = []hl7.Fault{{Segment: "MSH", Field: 9, Code: hl7.CodeRequiredFieldMissing}}
		return reading
	}
	if refused, reason, fault := profile.refuses(message); refused {
		reading.Ack, reading.Outcome, reading.Reason, reading.Faults = hl7.Refused, record.Rejected, reason,
			[]hl7.Fault{fault}
		return reading
	}
	kind := profile.kinds[message.Trigger()]
	if kind == record.KindIgnore {
		if !profile.mustBeRead(message) {
			reading.Outcome, reading.Reason = record.Ignored, record.ReasonType
			return reading
		}
		kind = record.KindPerson // whatever else it is, it says that somebody has died, or that a record is protected
	}
	if reading.ControlID == "" || reading.Organisation == "" || !message.Segment("PID").Exists() ||
		profile.holdsTooMuch(message) {
		reading.Ack, reading.Outcome, reading.Reason = hl7.Failed, record.Quarantined, ReasonBroken
		reading.Faults = []hl7.Fault{missing(message, reading)}
		return reading
	}
	statement := profile.clinicalEvent(message, kind, reading.Organisation, received)
	if numbers := profile.numbers(message); numbers != reading.Organisation {
		statement.Numbers = numbers
	}
	reading.ClinicalEvent = &statement
	if profile.lacksProcessing(message) {
		reading.Ack, reading.Outcome, reading.Reason = hl7.Failed, record.Quarantined, ReasonNoProcessing
		reading.Faults = []hl7.Fault{{Segment: "MSH", Field: 11, Code: hl7.CodeRequiredFieldMissing}}
		return reading
	}
	reading.Judge()
	return reading
}

// facility is where a message comes from, as the sender spells it.
func (p *Profile) facility(message *hl7.Message) string {
	for _, path := range p.facilityPaths {
		if spelt := Named(strings.TrimSpace(message.At(path).String())); spelt != "" {
			return spelt
		}
	}
	return p.numbers(message)
}

// numbers is whose the numbers of people in a message are. They are the same whether or not a message speaks of a
// visit, so that what is about a person alone (a death, a merge) finds whoever was at any of the facilities.
func (p *Profile) numbers(message *hl7.Message) string {
	return cmp.Or(p.Organisation, Named(message.SendingFacility()))
}

// Judge finds what can be read but not used: kept, acknowledged, and put before a human.
func (r *Reading) Judge() {
	s := r.ClinicalEvent
	identity := s.Person.Reveal()
	known := identity.LocalID != "" || (identity.NHSNumber != "" && identity.NHSNumberVerified)
	switch {
	case s.Kind == record.KindByHand:
		r.Outcome, r.Reason = record.Quarantined, record.ReasonByHand
	case s.Merges() && (!known || s.GivenUp.Person.Reveal().LocalID == ""):
		r.Outcome, r.Reason = record.Quarantined, record.ReasonNoPerson
	case s.Kind == record.KindJoinVisits && (s.Visit == "" || s.GivenUp.Visit == ""):
		r.Outcome, r.Reason = record.Quarantined, record.ReasonNoVisit
	case s.Kind == record.KindPerson && !known && (s.Died || identity.Protected):
		r.Outcome, r.Reason = record.Quarantined, record.ReasonNoPerson
	case s.Kind == record.KindPerson && !known:
		r.Outcome, r.Reason = record.Ignored, record.ReasonDemographics
	case s.Visit == "" && !known:
		r.Outcome, r.Reason = record.Quarantined, record.ReasonNoPerson
	case s.Kind == record.KindEnd && !s.Happened.Known() && s.Died:
		s.Kind = record.KindUpdate // a death waits for nobody to say when they left
	case s.Kind == record.KindEnd && !s.Happened.Known():
		r.Outcome, r.Reason = record.Quarantined, ReasonNoTime
	}
}

func (p *Profile) refuses(message *hl7.Message) (bool, string, hl7.Fault) {
	_, event := p.kinds[message.Trigger()]
	version, processing := message.Version(), message.ProcessingID()
	switch {
	case message.Type() != "ADT":
		return true, record.ReasonType, hl7.Fault{Segment: "MSH", Field: 9, Code: hl7.CodeUnsupportedMessage}
	case !event:
		return true, ReasonEvent, hl7.Fault{Segment: "MSH", Field: 9, Code: hl7.CodeUnsupportedEvent}
	case processing != "" && !containsWords(p.ProcessingIDs, processing):
		return true, ReasonProcessing, hl7.Fault{Segment: "MSH", Field: 11, Code: hl7.CodeUnsupportedID}
	case version != "" && !slices.ContainsFunc(p.Versions, func(v string) bool {
		return version == v || strings.HasPrefix(version, v+".")
	}):
		return true, ReasonVersion, hl7.Fault{Segment: "MSH", Field: 12, Code: hl7.CodeUnsupportedVersion}
	}
	return false, "", hl7.Fault{}
}

// lacksProcessing says that a message does not say whether it is about a real person (MSH-11), and that the profile
// does not take it for one.
func (p *Profile) lacksProcessing(message *hl7.Message) bool {
	return message.ProcessingID() == "" && !slices.Contains(p.ProcessingIDs, "")
}

// Bounds of what one message may say. Beyond them it is broken, and a human looks: nothing of it is left out unseen.
const (
	maxCodes = 500 // reasons, or diagnoses
	maxName  = 200 // bytes of a name by which things are found: of sender, organisation, message or visit
)

// Named is a name, or nothing where it is too long to be one and to be looked up.
func Named(text string) string {
	if len(text) > maxName {
		return ""
	}
	return text
}

func (p *Profile) holdsTooMuch(message *hl7.Message) bool {
	reasons, diagnoses := message.Segment("PV2").Field(3).RepCount(), 0
	for _, name := range p.actingReasons {
		for range message.All(name) {
			reasons++
		}
	}
	for diagnosis := range message.All("DG1") {
		diagnoses += max(1, diagnosis.Field(3).RepCount())
	}
	longest := max(len(message.Segment("PV1").Field(19).String()), len(message.Segment("MRG").Field(5).String()))
	return reasons > maxCodes || diagnoses > maxCodes || longest > maxName
}

func missing(message *hl7.Message, r Reading) hl7.Fault {
	switch {
	case r.ControlID == "":
		return hl7.Fault{Segment: "MSH", Field: 10, Code: hl7.CodeRequiredFieldMissing}
	case r.Organisation == "":
		return hl7.Fault{Segment: "MSH", Field: 4, Code: hl7.CodeRequiredFieldMissing}
	}
	return hl7.Fault{Segment: "PID", Code: hl7.CodeSegmentSequence}
}

// ReadFailure names why bytes could not be parsed, and how they are answered: AR for what is no HL7 message at
// all, AE for a message whose content is broken.
func ReadFailure(err error) Reading {
	reading := Reading{Ack: hl7.Failed, Outcome: record.Quarantined, Reason: ReasonBroken}
	switch {
	case errors.Is(err, hl7.ErrEmpty):
		reading.Ack, reading.Outcome, reading.Reason = hl7.Refused, record.Rejected, ReasonEmpty
	case errors.Is(err, hl7.ErrNoMSH), errors.Is(err, hl7.ErrUTF16):
		reading.Ack, reading.Outcome, reading.Reason = hl7.Refused, record.Rejected, ReasonNotHL7
	case errors.Is(err, hl7.ErrBatch):
		reading.Ack, reading.Outcome, reading.Reason = hl7.Refused, record.Rejected, record.ReasonType
	case errors.Is(err, hl7.ErrTooLong):
		reading.Ack, reading.Outcome, reading.Reason = hl7.Refused, record.Rejected, ReasonTooLarge
	case errors.Is(err, hl7.ErrTruncated):
		reading.Reason = ReasonTruncated
	}
	return reading
}

func (p *Profile) clinicalEvent(message *hl7.Message, kind record.Kind, organisation string,
	received time.Time) record.ClinicalEvent {
	evn, pv1, pid := message.Segment("EVN"), message.Segment("PV1"), message.Segment("PID")
	s := record.ClinicalEvent{
		Header: record.Header{Kind: kind, Organisation: organisation, PublishedBy: "hl7",
			Visit: pv1.Field(19).String()},
		Attendance: record.Attendance{Arrived: p.moment(pv1.Field(44))},
	}
	s.StatedAt, s.SentAt = p.statedAndSent(&s, evn.Field(2), message.SentAt(), received)
	p.readEnd(&s, evn, pv1)
	evidence, stand := p.evidence(message)
	where := p.whereTo(pv1, stand)
	s.Died = p.died(message) || where.died
	if kind != record.KindPerson && !s.Merges() {
		s.Evidence, s.LeftBefore, s.Destination = evidence, where.left, where.to
		if where.unknown {
			s.Doubt(record.AboutDestination, schemas.FlagDestinationUnknown, "")
		} else if where.to != "" {
			s.Doubt(record.AboutDestination, "", "")
		}
		if stated, unknown := p.indicators(message); unknown {
			s.Doubt(record.AboutIndicator, schemas.FlagIndicatorUnknown, "")
		} else if stated {
			s.Doubt(record.AboutIndicator, "", "")
		}
	}
	identity := p.identity(message, pid, p.numbers(message))
	p.doubtText(&s, message, identity)
	if day := pid.Field(7).String(); identity.BirthDate == "" && len(day) >= 8 {
		s.Doubt(record.AboutBorn, schemas.FlagTimeNotBelieved, record.ReadNoBirth)
	}
	if !s.Merges() {
		s.Facts = p.facts(message, identity)
		s.Setting = p.setting(pv1)
	}
	s.Conceal(identity)
	mrg := message.Segment("MRG")
	if kind == record.KindJoinVisits {
		s.GivenUp.Visit = mrg.Field(5).String()
	}
	if s.Merges() {
		s.GivenUp.Person = vault.Conceal(record.Identity{
			ReportedPerson: schemas.ReportedPerson{LocalID: p.localID(mrg.Field(1), p.numbers(message))}})
	}
	s.Believe(received, p.zone)
	return s
}

// readEnd reads when the person left, as an end says it or an update corrects it. A time that is there and cannot be
// read is doubted: what is used in its place is shown to a human.
func (p *Profile) readEnd(s *record.ClinicalEvent, evn, pv1 hl7.Segment) {
	unreadable := func(about string, field hl7.Value, read string) {
		if !field.IsEmpty() && !field.IsNull() && !p.moment(field).Known() {
			s.Doubt(about, schemas.FlagTimeNotBelieved, read)
		}
	}
	unreadable(record.AboutArrived, pv1.Field(44), record.ReadNoArrival)
	switch s.Kind {
	case record.KindEnd:
		unreadable(record.AboutLeft, pv1.Field(45), "")
		if !p.moment(pv1.Field(45)).Known() {
			unreadable(record.AboutLeft, evn.Field(6), "")
		}
		s.Ends = []record.Moment{p.moment(pv1.Field(45)), p.moment(evn.Field(6)), p.moment(evn.Field(2))}
		if !pv1.Exists() {
			s.Doubt(record.AboutVisit, schemas.FlagNoVisitDetails, "")
		} else {
			s.Doubt(record.AboutVisit, "", "")
		}
	case record.KindUpdate:
		unreadable(record.AboutLeft, pv1.Field(45), "")
		s.Corrects = p.moment(pv1.Field(45))
	}
}

// statedAndSent are when the sender said a message (EVN-2, else MSH-7) and when it was sent (MSH-7). A day alone gives
// way to a time of that day, and a time that is far from the other, or ahead of our clock, is not believed: else
// nothing said later, by a human least of all, could ever supersede it.
func (p *Profile) statedAndSent(s *record.ClinicalEvent, recorded, sent hl7.Value, received time.Time) (time.Time,
	time.Time) {
	event, msh := p.moment(recorded), p.moment(sent)
	for _, m := range []*record.Moment{&event, &msh} {
		if m.Known() && record.InFuture(*m, received, p.zone) {
			*m = record.Moment{}
		}
	}
	reference := firstKnown(received, msh)
	switch {
	case !event.Known():
	case event.At.Before(reference.Add(-record.OldFor)):
		event = record.Moment{}
	case event.DayOnly && msh.Known() && !msh.DayOnly && msh.On(p.zone) == event.On(p.zone):
		event = msh
	}
	if !recorded.IsEmpty() && !recorded.IsNull() && !event.Known() &&
		(s.Kind == record.KindEnd || s.Kind == record.KindUpdate) {
		s.Doubt("said", schemas.FlagTimeNotBelieved, record.ReadMessageTime)
	}
	return firstKnown(received, event, msh), msh.At
}

// doubtText notes that the bytes do not fit the character set, so that what was read may be spelt otherwise.
func (p *Profile) doubtText(s *record.ClinicalEvent, message *hl7.Message, identity record.Identity) {
	switch {
	case message.Charset().Doubtful:
		s.Doubt(record.AboutText, schemas.FlagTextDamaged, record.ReadDetected)
	case identity.FamilyName != "":
		s.Doubt(record.AboutText, "", "")
	}
}

// setting reads the class and place of a visit.
func (p *Profile) setting(pv1 hl7.Segment) record.Setting {
	place := pv1.Field(3)
	for _, known := range p.Settings.Places {
		if sameWords(known, place.Comp(1).String()) || sameWords(known, place.Comp(4).String()) {
			return record.SettingEmergency
		}
	}
	return p.classes[strings.ToUpper(pv1.Field(2).String())]
}

// facts reads what the sender states, as far as the profile says which fields are facts. A postcode is turned into
// an area's code here and goes no further.
func (p *Profile) facts(message *hl7.Message, identity record.Identity) schemas.Facts {
	var facts schemas.Facts
	pid, pd1 := message.Segment("PID"), message.Segment("PD1")
	if language := strings.ToLower(identity.Language); isLanguage(language) {
		facts.Language = &language
	}
	if area, ok := p.AreaOf[record.Outward(identity.Postcode)]; ok {
		facts.AreaResidence = &area
	}
	if gender, ok := p.genders[strings.ToUpper(pid.Field(8).String())]; ok {
		facts.Gender = &gender
	}
	if segment := p.needed.Segment; segment != "" &&
		actionOf(segment, message.SegmentN(segment, p.needed.Occurrence)) != deletesPart {
		value := message.At(p.needed).String()
		yes, no := containsWords(p.Facts.Interpreter.Yes, value), containsWords(p.Facts.Interpreter.No, value)
		if yes || no {
			facts.InterpreterNeeded = &yes
		}
	}
	if practice := practiceOf(pd1); p.Facts.GP && practice != "" {
		registered := !containsWords(p.Facts.NoGP, practice)
		facts.RegisteredGP = &registered
		if area, ok := p.gpAreas[strings.ToUpper(practice)]; ok && registered {
			facts.AreaGP = &area
		}
	}
	return facts
}

// practiceOf is the code of the GP practice that is named: PD1-3 (XON: its id, or its name), else the GP's own in
// PD1-4.
func practiceOf(pd1 hl7.Segment) string {
	return cmp.Or(pd1.Field(3).Comp(3).String(), pd1.Field(4).Comp(1).String(), pd1.Field(3).Comp(1).String())
}

func containsWords(list []string, value string) bool {
	return slices.ContainsFunc(list, func(one string) bool { return sameWords(one, value) })
}

func isLanguage(code string) bool {
	return (len(code) == 2 || len(code) == 3) && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz") == ""
}

// evidence reads the reason (PV2-3), what the profile names beside it, and the diagnoses (DG1), and gives beside it the
// coded values that stand. A field that is absent says nothing; one that is null takes back what was said before.
func (p *Profile) evidence(message *hl7.Message) (evidence []record.Evidence, stand []Coded) {
	var reasons []Coded
	for value := range message.Segment("PV2").Field(3).Reps() {
		if !value.IsEmpty() && !value.IsNull() {
			reasons = append(reasons, coded(value, "")...)
		}
	}
	for _, path := range p.reasonPaths {
		if _, acts := actingSegments[path.Segment]; !acts {
			reasons = append(reasons, valuesAt(message.All(path.Segment), path)...)
		}
	}
	if len(reasons) > 0 || message.Segment("PV2").Field(3).IsNull() {
		reason := p.Weigh(record.RoleReason, reasons)
		reason.Left = p.LeftBefore(reasons)
		evidence = append(evidence, reason)
	}
	stand = reasons
	for _, name := range p.actingReasons {
		parts, coded := p.parts(message, name, record.RoleReason+" "+name, func(segment hl7.Segment) (values []Coded) {
			for _, path := range p.reasonPaths {
				if path.Segment == name {
					values = append(values, valuesAt(slices.Values([]hl7.Segment{segment}), path)...)
				}
			}
			return values
		})
		evidence, stand = append(evidence, parts...), append(stand, coded...)
	}
	diagnoses, coded := p.diagnoses(message)
	return append(evidence, diagnoses...), append(stand, coded...)
}

// valuesAt are the values of a field in some segments, such as OBX-5 or NTE-3.
func valuesAt(segments iter.Seq[hl7.Segment], path hl7.Path) (values []Coded) {
	for segment := range segments {
		for value := range segment.Field(path.Field).Reps() {
			if path.Comp > 0 {
				value = value.Comp(path.Comp)
			}
			if !value.IsEmpty() && !value.IsNull() {
				values = append(values, Coded{Text: value.Text()})
				values = append(values, coded(value, "")...)
			}
		}
	}
	return values
}

// coded reads a CE: identifier, text and system, and the alternate triple. method is DG1-2, used where the
// component is empty.
func coded(value hl7.Value, method string) []Coded {
	first := Coded{Code: value.Comp(1).String(), Text: value.Comp(2).Text(), System: value.Comp(3).String()}
	if first.System == "" {
		first.System = method
	}
	values := []Coded{first}
	if code, text := value.Comp(4).String(), value.Comp(5).Text(); code != "" || text != "" {
		values = append(values, Coded{Code: code, Text: text, System: value.Comp(6).String()})
	}
	return values
}

func (p *Profile) identity(message *hl7.Message, pid hl7.Segment, organisation string) record.Identity {
	var id record.Identity
	number := message.NHSNumber(p.nhsKinds())
	id.NHSNumber, id.NumberInvalid = number.Number, number.Invalid || number.Conflicting
	id.NHSNumberVerified = number.Number != "" && !number.Tolerated && p.isVerified(pid.Field(32))
	id.LocalID = p.localID(pid.Field(3), organisation)
	id.Protected = isProtected(message)
	take := func(name string, to *string, value hl7.Value) {
		if value.IsNull() {
			id.Removed = append(id.Removed, name)
			return
		}
		*to = value.String()
	}
	name, address := pid.Field(5).Rep(0), pid.Field(11).Rep(0)
	take("familyName", &id.FamilyName, name.Comp(1))
	take("givenName", &id.GivenName, name.Comp(2))
	take("postcode", &id.Postcode, address.Comp(5))
	take("phone", &id.Phone, pid.Field(13).Rep(0).Comp(1))
	take("language", &id.Language, pid.Field(15).Comp(1))
	take("birthDate", &id.BirthDate, pid.Field(7))
	id.BirthDate = birthDate(id.BirthDate)
	var lines []string
	for n := 1; n <= 4; n++ {
		if line := address.Comp(n).String(); line != "" {
			lines = append(lines, line)
		}
	}
	id.Address = strings.Join(lines, ", ")
	if id.Phone == "" {
		id.Phone = pid.Field(14).Rep(0).Comp(1).String() // at work, where none is at home
	}
	for phone := range pid.Field(13).Reps() {
		if email := phone.Comp(4).String(); strings.Contains(email, "@") {
			id.Email = email
		}
	}
	invalid := id.NumberInvalid
	id.Tidy()
	id.NumberInvalid = id.NumberInvalid || invalid
	return id
}

// birthDate takes the day as written: a time of day or an offset behind it is an artefact of the sender's database.
func birthDate(written string) string {
	if len(written) < 8 {
		return ""
	}
	day, err := time.Parse("20060102", written[:8])
	if err != nil {
		return ""
	}
	return day.Format(time.DateOnly)
}

func (p *Profile) nhsKinds() []hl7.IdentifierKind {
	kinds := make([]hl7.IdentifierKind, len(p.Identifiers.NHSNumber))
	for i, kind := range p.Identifiers.NHSNumber {
		kinds[i] = hl7.IdentifierKind{Authority: kind.Authority, Type: kind.Type}
	}
	return kinds
}

// localID gives the sender's own number for the person. With an authority other than the organisation itself, that
// is part of it, since a hospital may count patients in more than one series. The first agreed type that is there
// wins.
func (p *Profile) localID(field hl7.Value, organisation string) string {
	for _, kind := range p.Identifiers.LocalTypes {
		for rep := range field.Reps() {
			number := rep.Comp(1).String()
			if number != "" && strings.EqualFold(rep.Comp(5).String(), kind) {
				if authority := rep.Comp(4).String(); authority != "" && authority != organisation {
					return authority + "|" + number
				}
				return number
			}
		}
	}
	return ""
}

func (p *Profile) isVerified(status hl7.Value) bool {
	for rep := range status.Reps() {
		if slices.Contains(p.Identifiers.Verified, rep.String()) {
			return true
		}
	}
	return false
}

// moment reads a time stamp. A date without an hour is noon of that local day, marked so: it is not midnight.
func (p *Profile) moment(value hl7.Value) record.Moment {
	t, err := value.Time(p.zone)
	switch {
	case err != nil || !t.HasDay():
		return record.Moment{}
	case !t.HasClock():
		y, m, d := t.Time.Date()
		return record.Moment{At: time.Date(y, m, d, 12, 0, 0, 0, p.zone).UTC(), DayOnly: true}
	}
	return record.Moment{At: t.Time.UTC()}
}

// StatedAt orders a message by when its sender said it. A clock that runs ahead is not believed: else nothing said
// later, by a human least of all, could ever supersede it.
func StatedAt(received time.Time, moments ...record.Moment) time.Time {
	said := firstKnown(received, moments...)
	if said.After(received.Add(record.FutureTolerance)) {
		return received
	}
	return said
}

func firstKnown(fallback time.Time, moments ...record.Moment) time.Time {
	if m := record.FirstMoment(moments...); m.Known() {
		return m.At
	}
	return fallback
}

// AckCode is an answer in original mode, as the ledger shows it.
func AckCode(outcome hl7.Outcome) string {
	switch outcome {
	case hl7.Failed:
		return "AE"
	case hl7.Refused:
		return "AR"
	case NoAck:
		return "none"
	}
	return "AA"
}

// noAck: nothing is answered, since the sender has not finished asking, or it is itself an answer.
const NoAck hl7.Outcome = 255
