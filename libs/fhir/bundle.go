package fhir

import (
	"encoding/json"
	"strings"
)

// Bundle is a set of resources; of type message, its first is the MessageHeader.
type Bundle struct {
	ID            string      `json:"id,omitempty"`
	Meta          *Meta       `json:"meta,omitempty"`
	ImplicitRules string      `json:"implicitRules,omitempty"`
	Identifier    *Identifier `json:"identifier,omitempty"`
	Type          string      `json:"type"`
	Timestamp     string      `json:"timestamp,omitempty"`
	Total         *int        `json:"total,omitempty"`
	Link          []Link      `json:"link,omitempty"`
	Entry         []Entry     `json:"entry,omitempty"`
	Rest          Rest        `json:"-"`
}

// Link is an address related to a bundle.
type Link struct {
	Relation string `json:"relation"`
	URL      string `json:"url"`
	Rest     Rest   `json:"-"`
}

// Entry is one resource of a bundle.
type Entry struct {
	FullURL  string
	Resource Resource
	Search   *Search
	Rest     Rest
}

// Search says why an entry is in a searchset.
type Search struct {
	Mode string `json:"mode,omitempty"`
	Rest Rest   `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (s Search) MarshalJSON() ([]byte, error) {
	type bare Search
	return writeRest("", bare(s), s.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Search) UnmarshalJSON(body []byte) error {
	type bare Search
	return readRest(body, (*bare)(s), &s.Rest)
}

// Other is a resource of a type without a struct here: kept whole.
type Other struct {
	Kind string
	Raw  json.RawMessage
}

// ResourceType implements Resource.
func (o *Other) ResourceType() string { return o.Kind }

// ResourceID implements Resource.
func (o *Other) ResourceID() string {
	var named struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(o.Raw, &named) // checked when it was read
	return named.ID
}

// MarshalJSON implements json.Marshaler.
func (o Other) MarshalJSON() ([]byte, error) { return o.Raw, nil }

// ResourceType implements Resource.
func (*Bundle) ResourceType() string { return "Bundle" }

// ResourceID implements Resource.
func (b *Bundle) ResourceID() string { return b.ID }

// MarshalJSON implements json.Marshaler.
func (b Bundle) MarshalJSON() ([]byte, error) {
	type bare Bundle
	return writeRest("Bundle", bare(b), b.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *Bundle) UnmarshalJSON(body []byte) error {
	type bare Bundle
	return readRest(body, (*bare)(b), &b.Rest)
}

// MarshalJSON implements json.Marshaler.
func (l Link) MarshalJSON() ([]byte, error) {
	type bare Link
	return writeRest("", bare(l), l.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *Link) UnmarshalJSON(body []byte) error {
	type bare Link
	return readRest(body, (*bare)(l), &l.Rest)
}

// writtenEntry is an entry's own elements; the resource's type is known only when it is there.
type writtenEntry struct {
	FullURL  string          `json:"fullUrl,omitempty"`
	Resource json.RawMessage `json:"resource,omitempty"`
	Search   *Search         `json:"search,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (e Entry) MarshalJSON() ([]byte, error) {
	written := writtenEntry{FullURL: e.FullURL, Search: e.Search}
	if e.Resource != nil {
		var err error
		if written.Resource, err = json.Marshal(e.Resource); err != nil {
			return nil, err
		}
	}
	return writeRest("", written, e.Rest)
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *Entry) UnmarshalJSON(body []byte) error {
	var written writtenEntry
	if err := readRest(body, &written, &e.Rest); err != nil {
		return err
	}
	e.FullURL, e.Search = written.FullURL, written.Search
	if len(written.Resource) == 0 {
		return nil
	}
	var named struct {
		ResourceType string `json:"resourceType"`
	}
	err := json.Unmarshal(written.Resource, &named)
	if err == nil {
		e.Resource, err = decode(named.ResourceType, written.Resource)
	}
	return err
}

// Header is the MessageHeader of a message, or nil.
func (b *Bundle) Header() *MessageHeader {
	if b.Type != "message" || len(b.Entry) == 0 {
		return nil
	}
	header, _ := b.Entry[0].Resource.(*MessageHeader)
	return header
}

// Resolve finds what a reference points at within the bundle: by fullUrl, or by type and id ("Patient/7"). It is nil
// where the bundle does not hold it; nothing is ever fetched.
func (b *Bundle) Resolve(r *Reference) Resource {
	if r == nil || r.Reference == "" {
		return nil
	}
	for _, entry := range b.Entry {
		if entry.Resource != nil && entry.FullURL == r.Reference {
			return entry.Resource
		}
	}
	for _, entry := range b.Entry {
		if entry.Resource == nil || entry.Resource.ResourceID() == "" {
			continue
		}
		if local := entry.Resource.ResourceType() + "/" + entry.Resource.ResourceID(); r.Reference == local ||
			(strings.HasSuffix(r.Reference, "/"+local) && strings.Contains(r.Reference, "://")) {
			return entry.Resource
		}
	}
	return nil
}

// Find resolves a reference to a resource of one type; another type, or none, is the zero value.
func Find[T Resource](b *Bundle, r *Reference) T {
	found, _ := b.Resolve(r).(T)
	return found
}

// All gives the bundle's resources of one type.
func All[T Resource](b *Bundle) []T {
	var all []T
	for _, entry := range b.Entry {
		if one, ok := entry.Resource.(T); ok {
			all = append(all, one)
		}
	}
	return all
}
