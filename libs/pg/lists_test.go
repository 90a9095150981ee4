package pg

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"
)

// asPgxSends is a list as the library sends it.
func asPgxSends(t testing.TB, oid uint32, list []string) []byte {
	t.Helper()
	types := pgtype.NewMap()
	types.RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}})
	sent, err := types.Encode(oid, pgtype.BinaryFormatCode, list, []byte{})
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func ours() *pgtype.Map {
	types := pgtype.NewMap()
	registerLists(types, &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}})
	return types
}

func TestListsAreSentAsTheLibrarySendsThem(t *testing.T) {
	t.Parallel()
	types := ours()
	id := rapid.StringMatching(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	rapid.Check(t, func(rt *rapid.T) {
		for oid, list := range map[uint32][]string{
			pgtype.TextArrayOID: rapid.SliceOfN(rapid.String(), 0, 5).Draw(rt, "texts"),
			pgtype.UUIDArrayOID: rapid.SliceOfN(id, 0, 5).Draw(rt, "ids"),
		} {
			sent, err := types.Encode(oid, pgtype.BinaryFormatCode, list, []byte("before"))
			if err != nil {
				rt.Fatal(err)
			}
			if want := append([]byte("before"), asPgxSends(t, oid, list)...); !bytes.Equal(sent, want) {
				rt.Fatalf("sent as %x, not %x", sent, want)
			}
		}
	})
	for _, oid := range []uint32{pgtype.TextArrayOID, pgtype.UUIDArrayOID} {
		if sent, err := types.Encode(oid, pgtype.BinaryFormatCode, []string(nil), nil); sent != nil || err != nil {
			t.Errorf("no list is sent as %x: %v", sent, err)
		}
	}
}

func BenchmarkAListOfTexts(b *testing.B) {
	list := make([]string, 256)
	for i := range list {
		list[i] = strings.Repeat("a", 700)
	}
	for name, types := range map[string]*pgtype.Map{"at once": ours(), "as the library does": pgtype.NewMap()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := types.Encode(pgtype.TextArrayOID, pgtype.BinaryFormatCode, list, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
