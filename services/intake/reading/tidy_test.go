package reading

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestPartsThatHoldNobodyNeedNotBeRead(t *testing.T) {
	t.Parallel()
	forms := []string{
		`{"organisation":"RXX","n":12345678901234567890,"person":{"familyName":" Example  Wood ","phone":"07700900123","nhsNumber":"999 000 0107","birthDate":"14/6/1991","postcode":"zz993wz","n":1e3}}`,
		`{"person":{"familyName":"A & B <c>","email":""},"safeContact":{"channel":"phone","value":"07700 900 123"},"notes":"a  b & <c>"}`,
		`{"person":{"familyName":"A","familyName":" B "},"facts":{"age":1,"age":2},"person":{"givenName":" C "}}`,
		`{"person":"nobody","safeContact":[1],"safeContact":{"channel":"post","value":" x "}}`,
		`{"person":{"familyName":"\u00e9\u200b","givenName":"\ufffd"}}`, "{\"person\":{\"familyName\":\"\xff\"}}",
		`{"x":"\u0000"}`, "{\"x\":\"\uFFFD\"}",
		`{"person":null}`, `{}`, `null`, `[1]`, `{"a":1} {"b":2}`, `{"a":1}x`, `{"person":{"familyName":"A"}`,
		"{\"x\":\"\x00\"}", ``,
	}
	for _, form := range forms {
		got, damaged := TidySubmitted([]byte(form))
		want, wantDamaged := tidyWhole([]byte(form))
		var read, wanted any
		gotNot, wantNot := decode(got, &read), decode(want, &wanted)
		if damaged != wantDamaged || (gotNot == nil) != (wantNot == nil) || !reflect.DeepEqual(read, wanted) {
			t.Errorf("%s\nis tidied to %s, %t\nand wholly to   %s, %t", form, got, damaged, want, wantDamaged)
		}
	}
}

func decode(text []byte, into *any) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// TestARefusedRowSpeaksOfItsColumns: whoever keeps a list knows its columns, and no path of an event.
func TestARefusedRowSpeaksOfItsColumns(t *testing.T) {
	t.Parallel()
	const list = "visit,local_id,family_name,given_name,birth_date,nhs_number,under_18,assessment,safe_channel,safe_contact,left_at\n" +
		"V1,L1,Examplewood,Rowan,1990-02-31,1234567890,maybe,somehow,pigeon,,2026-03-02T02:41:00Z\n"
	rows, err := ReadList("RXX", []byte(list), "")
	if err != nil || len(rows) != 1 || len(rows[0].Faults) < 4 {
		t.Fatalf("%v: %+v", err, rows)
	}
	for _, f := range rows[0].Faults {
		column := strings.TrimPrefix(f.Pointer, "/")
		if column != "" && listColumns[column] == nil || strings.Contains(f.String(), "/person") ||
			strings.Contains(f.String(), "facts/") {
			t.Errorf("a row is refused with %q", f)
		}
	}
	for _, c := range columnsOf {
		if listColumns[c.column] == nil || c.words == "" {
			t.Errorf("%s leads to no column: %+v", c.pointer, c)
		}
	}
}
