package reading

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"footbridge/libs/written"
)

// TidySubmitted gives the person of a form or an event in JSON the spellings that its schema asks for, before it is
// read by it. damaged: it holds letters that could not be read, so that a name would be kept wrongly. What is no JSON
// object is left as it is.
func TidySubmitted(raw []byte) (tidied []byte, damaged bool) {
	if !utf8.Valid(raw) || bytes.Contains(raw, []byte(`\u`)) || bytes.Contains(raw, []byte("\uFFFD")) {
		return tidyWhole(raw)
	}
	// Nothing is written otherwise than it reads: the parts that hold no person are left as they are.
	var form map[string]json.RawMessage
	if json.Unmarshal(raw, &form) != nil || form == nil {
		return raw, written.IsDamaged(string(raw))
	}
	changed := false
	for _, name := range []string{"person", "safeContact"} {
		part := object(form[name])
		if part == nil || !tidyForm(map[string]any{name: part}) {
			continue // it is left out, is no object, or tidy as it is
		}
		tidy, err := json.Marshal(part)
		if err != nil {
			return raw, false
		}
		form[name], changed = tidy, true
	}
	if !changed {
		return raw, false
	}
	tidied, err := json.Marshal(form)
	if err != nil {
		return raw, false
	}
	return tidied, bytes.Contains(tidied, []byte("\uFFFD"))
}

// tidyWhole is TidySubmitted by way of every letter of the form.
func tidyWhole(raw []byte) (tidied []byte, damaged bool) {
	form := object(raw)
	if form == nil {
		return raw, written.IsDamaged(string(raw))
	}
	tidyForm(form)
	tidied, err := json.Marshal(form)
	if err != nil {
		return raw, false
	}
	return tidied, bytes.Contains(tidied, []byte("\uFFFD")) || bytes.Contains(tidied, []byte(`\ufffd`)) ||
		bytes.Contains(tidied, []byte(`\u0000`))
}

// object reads a JSON object with its numbers as they are written; nil where it is none.
func object(raw []byte) (read map[string]any) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&read) != nil || decoder.More() {
		return nil
	}
	return read
}

// tidyForm says whether it has changed anything.
func tidyForm(form map[string]any) (changed bool) {
	day := func(text string) string { read, _ := written.Day(text); return read }
	phone := func(text string) string { read, _ := written.Phone(text); return read }
	number := func(text string) string { read, _ := written.NHSNumber(text); return read }
	put := func(of map[string]any, name string, read func(string) string) {
		if text, ok := of[name].(string); ok && text != "" {
			tidy := read(text)
			of[name], changed = tidy, changed || tidy != text
		}
	}
	if person, ok := form["person"].(map[string]any); ok {
		put(person, "nhsNumber", number)
		put(person, "familyName", written.Name)
		put(person, "givenName", written.Name)
		put(person, "birthDate", day)
		put(person, "phone", phone)
		put(person, "email", written.Line)
		put(person, "postcode", written.Postcode)
	}
	if safe, ok := form["safeContact"].(map[string]any); ok &&
		(safe["channel"] == "phone" || safe["channel"] == "text") {
		put(safe, "value", phone)
	}
	return changed
}
