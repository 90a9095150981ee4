package criteria

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const soundEntry = `{"id": "s-1", "name": "Sunrise Group", "status": "active", "url": "https://sunrise.example", "minimum_age": 16, "maximum_age": 25,
 "x-local-code": {"a": [1, 2.50, "three"]}, "organization": {"id": "o-1", "name": "Sunrise", "vat": "GB0"},
 "phones": [{"id": "p-1", "number": "01632 960200", "ext": 9}], "email": null, "schedules": [{"id": "h-1", "valid_from": "2026-01-01"}]}`

func pages(contents ...string) func(int) ([]byte, error) {
	return func(number int) ([]byte, error) {
		if number > len(contents) {
			return nil, nil
		}
		return []byte(contents[number-1]), nil
	}
}

func TestAnImportCountsWhatIsThereAndLosesNothing(t *testing.T) {
	t.Parallel()
	broken := `{"id": "s-2", "name": "", "status": "open", "minimum_age": "twelve", "url": "sunrise", "assured_date": "12/01/2026", "phones": [{"id": "p"}], "contacts": {"id": 1}}`
	in := ImportOpenReferral(pages(
		`{"total_items": 10, "total_pages": 10, "page_number": 1, "contents": [`+soundEntry+`, `+broken+`]}`,
		`{"total_items": 10, "last_page": true, "contents": [{"id": "s-3", "name": "Harbour", "status": "inactive"}, "what is this", {"id": "s-1", "name": "Again", "status": "active"}]}`,
		`{"contents": []}`,
		`{"contents": [{"id": "s-9", "name": "Never reached", "status": "active"}]}`))
	if in.Entries != 5 || len(in.Services) != 2 || in.Skipped != 3 || in.Pages != 2 || *in.HeaderSays != 10 {
		t.Fatalf("got %d entries, %d services, %d skipped, %d pages: %+v", in.Entries, len(in.Services), in.Skipped,
			in.Pages, in.Faults)
	}
	fields := map[string]bool{}
	for _, f := range in.Faults {
		fields[f.ID+" "+f.Field] = true
	}
	for _, want := range []string{"s-2 name", "s-2 status", "s-2 minimum_age", "s-2 url", "s-2 assured_date",
		"s-2 phones[0].number", "s-2 contacts", "s-1 id", " total_items", " "} {
		if !fields[want] {
			t.Errorf("the fault %q is not reported: %+v", want, in.Faults)
		}
	}
	sameJSON(t, []byte(strings.Replace(soundEntry, `"email": null, `, "", 1)), in.Services[0])
}

func sameJSON(t *testing.T, want []byte, got any) {
	t.Helper()
	var wanted any
	if err := json.Unmarshal(want, &wanted); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var there any
	if err := json.Unmarshal(b, &there); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(wanted)
	c, _ := json.Marshal(there)
	if string(a) != string(c) {
		t.Errorf("something was lost:\nwant %s\ngot  %s", a, c)
	}
}

func TestADirectoryThatIgnoresThePageNumberIsReadOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	in := ImportOpenReferral(func(int) ([]byte, error) {
		asked++
		return []byte(`[` + soundEntry + `]`), nil
	})
	if asked != 2 || in.Entries != 1 || len(in.Services) != 1 || len(in.Faults) != 0 {
		t.Errorf("asked %d times: %+v", asked, in)
	}
}

func TestWhatIsNoServiceIsSaidToBeNone(t *testing.T) {
	t.Parallel()
	const organisation = `{"id":"o-1","name":"Sunrise","description":"A charity","website":"https://sunrise.example"}`
	for claim, c := range map[string]struct {
		content string
		faults  int
	}{
		"one organisation":             {organisation, 1},
		"a list of organisations":      {"[" + organisation + `,{"id":"o-2","name":"Other"}]`, 2},
		"organisations under contents": {`{"total_items":1,"contents":[` + organisation + `]}`, 1},
		"with a status of its own": {`{"id":"o-1","name":"Sunrise","status":"active","legal_status":"charity"}`,
			1},
		"with its services within": {`{"id":"o-1","name":"Sunrise","status":"active","services":[` + soundEntry +
			`]}`, 1},
		"a place":                        {`[{"id":"l-1","location_type":"physical","name":"Hall"}]`, 1},
		"organisations under their name": {`{"organizations":[` + organisation + `]}`, 1},
	} {
		in := ImportOpenReferral(OnePage([]byte(c.content)))
		if len(in.Services) != 0 || len(in.Faults) != c.faults {
			t.Errorf("%s: got %+v", claim, in)
		}
		for _, fault := range in.Faults {
			if !strings.Contains(fault.What, "services of Open Referral UK are read here") ||
				strings.Contains(fault.What, "is missing") {
				t.Errorf("%s: said %q", claim, fault.What)
			}
		}
	}
}

func TestAnImportGoesOnWithWhatItHas(t *testing.T) {
	t.Parallel()
	in := ImportOpenReferral(func(number int) ([]byte, error) {
		if number == 2 {
			return nil, errors.New("connection refused")
		}
		return []byte(soundEntry), nil
	})
	if len(in.Services) != 1 || len(in.Faults) != 1 || !strings.Contains(in.Faults[0].What, "connection refused") {
		t.Errorf("got %+v", in)
	}
	if in := ImportOpenReferral(OnePage([]byte("<html>"))); len(in.Faults) != 1 || in.Faults[0].Page != 1 {
		t.Errorf("got %+v", in)
	}
}

func TestAnImportedServiceBecomesTheDraftOfADocument(t *testing.T) {
	t.Parallel()
	in := ImportOpenReferral(OnePage([]byte(soundEntry)))
	doc := in.Services[0].Draft(ThirdSector, "group", provenance())
	if doc.Ages == nil || *doc.Ages.From != 16 || *doc.Ages.To != 25 {
		t.Errorf("got %+v", doc.Ages)
	}
	set, err := Compile(lastResort(), doc)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(Source{Content: set.Canonical()})
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash != set.Hash {
		t.Error("the unknown fields do not come back as they were")
	}
}

func FuzzImportOpenReferral(f *testing.F) {
	f.Add([]byte(soundEntry))
	f.Add([]byte(`{"contents": [` + soundEntry + `], "total_items": -1}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		in := ImportOpenReferral(OnePage(content))
		if in.Entries != len(in.Services)+in.Skipped {
			t.Fatalf("%d entries, %d taken, %d skipped", in.Entries, len(in.Services), in.Skipped)
		}
		if _, err := json.Marshal(in); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte(fmt.Sprintf("%s---\n%s", sound, criterion("when: age > 1"))))
	f.Fuzz(func(t *testing.T, content []byte) {
		set, err := Load(Source{Name: "fuzz.yaml", Content: content})
		if err == nil {
			if _, err := Load(Source{Content: set.Canonical()}); err != nil {
				t.Fatalf("what loaded does not load again: %v", err)
			}
		}
	})
}
