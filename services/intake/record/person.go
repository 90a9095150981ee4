package record

import (
	"maps"
	"slices"

	"footbridge/libs/vault"
	"footbridge/libs/written"
	"footbridge/schemas"
)

// Person is one record of somebody, under a random id. Who they are is concealed in memory and sealed in the vault.
type Person struct {
	ID           string
	Organisation string
	Survivor     string   // the record that this one has been merged into
	Aliases      []string // records that have been merged into this one
	// Deaths are those of the record's IDs that a death was reported of, stops those of which a human stopped contact:
	// undoing a merge gives each back what was said of it.
	Deaths, Stops []string
	// Anonymous: known by a visit alone, since no message gave an identifier that may be matched on.
	Anonymous  bool
	Identity   vault.Personal[Identity]
	Facts      FactBook
	Version    Version // of the newest identity
	RowVersion int64

	// numbers are the keyed hashes of verified NHS numbers of this record: others that carry one are the same person.
	numbers []string

	Wrapped []byte // the person's wrapped key, as stored
	IsNew   bool
	changed bool
	Applied bool // the identity changed
	// deathsChanged: of a record that was merged into this one a death was reported, or lifted.
	DeathsChanged bool
	// stopChanged: a human stopped contact, or lifted that.
	stopChanged bool
}

// Deceased says whether a death was reported of the record, or of one merged into it.
func (p *Person) Deceased() bool { return len(p.Deaths) > 0 }

// die notes that a death was reported of one of the record's IDs.
func (p *Person) die(id string) {
	if !slices.Contains(p.IDs(), id) {
		id = p.ID
	}
	if !slices.Contains(p.Deaths, id) {
		p.Deaths, p.DeathsChanged, p.changed = append(slices.Clone(p.Deaths), id), true, true
	}
}

// IDs are the ids of this record and of all that were merged into it.
func (p *Person) IDs() []string { return append([]string{p.ID}, p.Aliases...) }

// apply takes in what a message says of who the person is. A newer message replaces field by field, an older one
// only fills what is unknown; an empty field keeps, a null one deletes.
func (p *Person) apply(said Identity, stamp Version) {
	p.RowVersion++
	stamp.ArrivalNumber = p.RowVersion
	next := p.Identity.Reveal()
	next.Version = maps.Clone(next.Version)
	if !next.apply(said, stamp) && !p.IsNew {
		return
	}
	p.Identity, p.changed, p.Applied = vault.Conceal(next), true, true
	p.Version = later(p.Version, stamp)
}

// apply takes over each field that is newer than what is known of it, and says whether there was any.
func (id *Identity) apply(said Identity, stamp Version) (changed bool) {
	if id.Version == nil {
		id.Version = map[string]Version{}
	}
	newer := func(name string) bool {
		if !stamp.After(id.Version[name]) {
			return false
		}
		id.Version[name], changed = stamp, true
		return true
	}
	from := said.fields()
	for name, to := range id.fields() {
		given := *from[name] != "" || slices.Contains(said.Removed, name) || (name == "nhsNumber" && said.NumberInvalid)
		if !given || !newer(name) {
			continue
		}
		*to = *from[name]
		if name == "nhsNumber" {
			id.NumberInvalid = said.NumberInvalid
		}
	}
	if said.NHSNumberVerified && said.NHSNumber != "" && newer("verifiedNumber") {
		id.VerifiedNumber = said.NHSNumber
	}
	if said.Protected && !id.Protected {
		id.Protected, changed = true, true
	}
	if said.SafeContact != nil && newer("safeContact") {
		id.SafeContact = said.SafeContact
	}
	id.NHSNumberVerified = id.NHSNumber != "" && id.NHSNumber == id.VerifiedNumber
	return changed
}

// Differs are the names of the fields of who somebody is that are given otherwise than they are known, in their order.
func (id *Identity) Differs(to Identity) (names []string) {
	known := id.fields()
	for name, given := range to.fields() {
		if *given != "" && *given != *known[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (id *Identity) fields() map[string]*string {
	return map[string]*string{
		"nhsNumber": &id.NHSNumber, "localId": &id.LocalID, "familyName": &id.FamilyName, "givenName": &id.GivenName,
		"birthDate": &id.BirthDate, "phone": &id.Phone, "email": &id.Email, "address": &id.Address,
		"postcode": &id.Postcode, "language": &id.Language,
	}
}

// merge makes p the record that survives other. Identity, consent and contact stay with the record they came to, so
// that a wrong merge can be undone; a death and a stop count at once, since the strictest wins, and stay with theirs.
func (p *Person) merge(other *Person) {
	for _, id := range other.IDs() {
		if id != p.ID && !slices.Contains(p.Aliases, id) {
			p.Aliases = append(p.Aliases, id)
		}
	}
	p.NoteBirths(other)
	other.Survivor, other.changed = p.ID, true
	p.Deaths, p.Stops, p.changed = append(slices.Clone(p.Deaths), other.Deaths...),
		append(slices.Clone(p.Stops), other.Stops...), true
}

// ownOf is what a message says of the person, without the birth date that it gives under a record which was merged into
// this one: that is noted, the youngest, and does not cross, in whatever order the merge and the message came.
func (p *Person) ownOf(under string, said Identity) Identity {
	if under == p.ID || !slices.Contains(p.Aliases, under) || said.BirthDate == "" {
		return said
	}
	next := p.Identity.Reveal()
	if said.BirthDate > next.OtherBirths[under] {
		next.OtherBirths = addBirth(next.OtherBirths, under, said.BirthDate)
		p.Identity, p.changed, p.Applied = vault.Conceal(next), true, true
	}
	said.BirthDate = ""
	return said
}

// NoteBirths keeps the birth dates of a record that is merged into this one, and that it is protected.
func (p *Person) NoteBirths(other *Person) {
	next, theirs := p.Identity.Reveal(), other.Identity.Reveal()
	births := addBirth(next.OtherBirths, other.ID, theirs.BirthDate)
	for id, born := range theirs.OtherBirths {
		births = addBirth(births, id, born)
	}
	guards := theirs.Protected && !theirs.ProtectedAsked && (!next.Protected || next.ProtectedAsked)
	if guards || !maps.Equal(births, next.OtherBirths) {
		next.OtherBirths, next.Protected, next.ProtectedAsked = births, next.Protected || guards, next.ProtectedAsked &&
			!guards
		p.Identity, p.changed, p.Applied = vault.Conceal(next), true, true
	}
}

// stopContact says that nobody may contact the person, once for each journey of theirs, until a named human lifts
// it.
func stopContact(visits []*Visit) []Emission {
	var say []Emission
	over := map[string]bool{}
	for _, v := range visits {
		over[v.Published.Journey] = over[v.Published.Journey] || v.Published.ContactOver
	}
	for _, v := range visits {
		if v.Published.Journey == "" || v.Published.ContactOver {
			continue
		}
		v.Published.ContactOver, v.changed = true, true
		if over[v.Published.Journey] {
			continue
		}
		over[v.Published.Journey] = true
		say = append(say, Emission{Type: schemas.ContactStopped, Journey: v.Published.Journey,
			Data: schemas.ContactStoppedData{}})
	}
	return say
}

// Tidy gives who somebody is the one spelling that numbers, names, postcodes and telephone numbers have here, whichever
// way they came.
func (id *Identity) Tidy() {
	id.FamilyName, id.GivenName, id.Email = written.Name(id.FamilyName), written.Name(id.GivenName),
		written.Line(id.Email)
	id.Postcode = written.Postcode(id.Postcode)
	id.Phone, _ = written.Phone(id.Phone)
	if id.NHSNumber != "" {
		number, valid := written.NHSNumber(id.NHSNumber)
		if id.NHSNumber = number; !valid {
			id.NHSNumber, id.NHSNumberVerified, id.NumberInvalid = "", false, true
		}
	}
}

// IsDamaged says whether what came of somebody holds letters that could not be read.
func (id *Identity) IsDamaged() bool {
	for _, text := range id.fields() {
		if written.IsDamaged(*text) {
			return true
		}
	}
	return false
}
