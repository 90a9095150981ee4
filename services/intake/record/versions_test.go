package record

import (
	"encoding/json"
	"maps"
	"testing"
	"time"
)

func TestPartsSaidAtOneTimeKeepItOnce(t *testing.T) {
	t.Parallel()
	one := Version{StatedAt: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), Came: "m1", ArrivalNumber: 1}
	two := Version{StatedAt: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Came: "m2", ArrivalNumber: 2}
	parts := ByName[Version]{"age": one, "carer": two, "gender": one}
	text, err := json.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"at":{"said":"2026-03-01T09:00:00Z","c":"m1","seq":1},"of":["age","gender"]},{"at":{"said":"2026-03-02T09:00:00Z","c":"m2","seq":2},"of":["carer"]}]`
	if string(text) != want {
		t.Errorf("written as %s", text)
	}
	before, _ := json.Marshal(map[string]Version(parts))
	for _, written := range [][]byte{text, before} {
		var read ByName[Version]
		if err := json.Unmarshal(written, &read); err != nil || !maps.Equal(read, parts) {
			t.Errorf("%s is read as %v, %v", written, read, err)
		}
	}
}
