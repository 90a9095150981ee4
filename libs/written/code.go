package written

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
	"unicode"
)

// codes are Crockford's letters: digits and small letters without i, l, o and u.
var codes = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewCode is a random code of so many characters, each of five bits, to be handed on by paper, mail or voice.
func NewCode(length int) string {
	random := make([]byte, length*5/8+1)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	return CodeOf(random, length)
}

// CodeOf writes the first 5*length bits of random as a code.
func CodeOf(random []byte, length int) string { return codes.EncodeToString(random)[:length] }

// Code is a code however somebody typed it: in any case, with blanks, hyphens or the full stop of a sentence, and with
// letters that are taken for a digit (i and l for 1, o for 0). What is no code stays what else it is.
func Code(typed string) string {
	return strings.Map(func(r rune) rune {
		switch r = unicode.ToLower(r); {
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r), r == '.':
			return -1
		case r == 'o':
			return '0'
		case r == 'i', r == 'l':
			return '1'
		}
		return r
	}, typed)
}

// InFours is a code as it is printed or read out: in groups of four.
func InFours(code string) string {
	var groups []string
	for len(code) > 4 {
		groups, code = append(groups, code[:4]), code[4:]
	}
	return strings.Join(append(groups, code), "-")
}
