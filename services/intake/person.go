package intake

import (
	"slices"
	"time"

	"footbridge/libs/vault"
	"footbridge/schemas"
)

// Person is one record of somebody, under a random id. Who they are is concealed in memory and sealed in the vault.
type Person struct {
	ID           string
	Organisation string
	Survivor     string   // the record that this one has been merged into
	Aliases      []string // records that have been merged into this one
	Deceased     bool
	// Anonymous: known by a visit alone, since no message gave an identifier that may be matched on.
	Anonymous bool
	Identity  vault.Personal[Identity]
	Said      Stamp // of the newest identity
	Version   int64

	wrapped []byte // the person's wrapped key, as stored
	isNew   bool
	changed bool
	learnt  bool // the identity changed
}

// IDs are the ids of this record and of all that were merged into it.
func (p *Person) IDs() []string { return append([]string{p.ID}, p.Aliases...) }

// learn takes in what a message says of who the person is. A newer message replaces field by field, an older one
// only fills what is unknown; an empty field keeps, a null one deletes.
func (p *Person) learn(said Identity, saidAt time.Time) {
	p.Version++
	stamp := Stamp{SaidAt: saidAt, Seq: p.Version}
	known := p.Identity.Reveal()
	var next Identity
	if stamp.After(p.Said) || p.isNew {
		next = overlayIdentity(known, said)
		for _, name := range said.Removed {
			next.remove(name)
		}
		next.NumberInvalid = said.NumberInvalid || (known.NumberInvalid && said.NHSNumber == "")
		p.Said, p.changed = stamp, true
	} else {
		next = overlayIdentity(said, known)
		next.NumberInvalid = known.NumberInvalid || (said.NumberInvalid && known.NHSNumber == "")
	}
	next.Removed = nil
	if !p.isNew && sameIdentity(next, known) {
		return
	}
	p.Identity, p.changed, p.learnt = vault.Conceal(next), true, true
}

func sameIdentity(a, b Identity) bool {
	return a.ReportedPerson == b.ReportedPerson && a.Language == b.Language && a.NumberInvalid == b.NumberInvalid
}

func overlayIdentity(under, over Identity) Identity {
	out := under
	verified := over.NHSNumberVerified || (under.NHSNumberVerified && (over.NHSNumber == "" || over.NHSNumber == under.NHSNumber))
	for name, to := range out.fields() {
		if from := *over.fields()[name]; from != "" {
			*to = from
		}
	}
	out.NHSNumberVerified = verified
	return out
}

func (id *Identity) remove(name string) {
	if field := id.fields()[name]; field != nil {
		*field = ""
	}
}

func (id *Identity) fields() map[string]*string {
	return map[string]*string{
		"nhsNumber": &id.NHSNumber, "localId": &id.LocalID, "familyName": &id.FamilyName, "givenName": &id.GivenName,
		"birthDate": &id.BirthDate, "phone": &id.Phone, "email": &id.Email, "address": &id.Address,
		"postcode": &id.Postcode, "language": &id.Language,
	}
}

// merge makes p the record that survives other. Identity, consent and contact stay with the record they came to,
// so that a wrong merge can be undone; death counts at once, since the strictest wins.
func (p *Person) merge(other *Person) {
	for _, id := range other.IDs() {
		if id != p.ID && !slices.Contains(p.Aliases, id) {
			p.Aliases = append(p.Aliases, id)
		}
	}
	other.Survivor, other.changed = p.ID, true
	p.Deceased, p.changed = p.Deceased || other.Deceased, true
}

// stopContact says that nobody may contact the person, once for each journey of theirs, until a named human lifts
// it.
func stopContact(visits []*Visit, person string) []Say {
	var say []Say
	for _, v := range visits {
		if v.Raised.Journey == "" || v.Raised.ContactOver {
			continue
		}
		v.Raised.ContactOver, v.changed = true, true
		say = append(say, Say{Type: schemas.ContactStopped, Journey: v.Raised.Journey, visit: v,
			Data: schemas.ContactStoppedData{Person: person, Reason: ReasonDeath}})
	}
	return say
}
