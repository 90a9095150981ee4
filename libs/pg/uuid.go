package pg

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// uuidCodec also sends a string as a uuid's sixteen bytes. Ids are strings everywhere else; without this, pgx tries the
// binary form of each list of them, fails, writes an error that quotes the whole list, and sends it as text.
type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode is pgtype.Codec's.
func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, isText := value.(string); isText && format == pgtype.BinaryFormatCode {
		return uuidOfText{}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

type uuidOfText struct{}

// errNoUUID sends the text as it is: the server says what is wrong with it.
var errNoUUID = errors.New("not a uuid of 36 signs")

// Encode is pgtype.EncodePlan's.
func (uuidOfText) Encode(value any, buf []byte) ([]byte, error) {
	return appendUUID(value.(string), buf)
}

func appendUUID(text string, buf []byte) ([]byte, error) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return nil, errNoUUID
	}
	var digits [32]byte
	copy(digits[:8], text)
	copy(digits[8:12], text[9:])
	copy(digits[12:16], text[14:])
	copy(digits[16:20], text[19:])
	copy(digits[20:], text[24:])
	buf, err := hex.AppendDecode(buf, digits[:])
	if err != nil {
		return nil, errNoUUID
	}
	return buf, nil
}

// TextUUIDs makes a connection send strings as uuids in their short form, and lists of strings at once; Open's
// connections do so.
func TextUUIDs(_ context.Context, conn *pgx.Conn) error {
	one := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	conn.TypeMap().RegisterType(one)
	registerLists(conn.TypeMap(), one)
	return nil
}

func registerLists(types *pgtype.Map, uuid *pgtype.Type) {
	text, _ := types.TypeForOID(pgtype.TextOID)
	types.RegisterType(&pgtype.Type{Name: "_uuid", OID: pgtype.UUIDArrayOID,
		Codec: listCodec{&pgtype.ArrayCodec{ElementType: uuid}, appendUUID}})
	types.RegisterType(&pgtype.Type{Name: "_text", OID: pgtype.TextArrayOID,
		Codec: listCodec{&pgtype.ArrayCodec{ElementType: text}, appendText}})
}
