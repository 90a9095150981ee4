//go:build foreign

package criteria

import (
	"os"
	"path/filepath"
	"testing"
)

// foreignDirectory is other people's data. It is read in place and never copied here.
const foreignDirectory = "../../../../shared/data/openreferraluk/uk-profile"

func TestAForeignDirectoryIsImportedWithNothingLost(t *testing.T) {
	t.Parallel()
	for file, entries := range map[string]int{"service_list.json": 1, "service_full.json": 1} {
		content, err := os.ReadFile(filepath.Join(foreignDirectory, file))
		if err != nil {
			t.Fatal(err)
		}
		in := ImportOpenReferral(OnePage(content))
		t.Logf("%s: header says %v, %d entries, %d taken, faults %+v", file, in.HeaderSays, in.Entries,
			len(in.Services), in.Faults)
		if in.Entries != entries || len(in.Services)+in.Skipped != entries {
			t.Errorf("%s: got %+v", file, in)
		}
		raw, _, why := readPage(content)
		if why != "" {
			t.Fatal(why)
		}
		for _, service := range in.Services {
			sameJSON(t, raw[0], service)
		}
	}
}
