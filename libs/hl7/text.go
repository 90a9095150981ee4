package hl7

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// Charset is how a message's bytes become text.
type Charset struct {
	// Declared is the first repetition of MSH-18 as sent; "" where the sender declares nothing.
	Declared string
	// Encoding is what the text is read in: "ASCII", "UTF-8", "8859/1", "8859/15" or "WINDOWS-1252". Where UTF-8 or
	// nothing was declared, values that are not valid UTF-8 are read as Windows-1252, each for itself: one damaged
	// name must not spoil the others.
	Encoding string
	// Doubtful is true when the bytes do not fit what was declared, or when the declared set is not one of those
	// above; where nothing was declared, when they look like UTF-8 that was broken; and when the message holds a NUL or
	// a replacement character. Names may then show wrong letters: worth a flag.
	Doubtful bool
}

// charsetOf decides by what MSH-18 says and by what the bytes are.
func charsetOf(declared string, body []byte) Charset {
	c := Charset{Declared: declared}
	ascii, valid := survey(body)
	switch encoding := knownCharset(declared); {
	case encoding == "8859/1" || encoding == "8859/15" || encoding == "WINDOWS-1252":
		c.Encoding = encoding
		if valid && !ascii { // hardly any text in a single-byte set is valid UTF-8 by chance
			c.Encoding, c.Doubtful = "UTF-8", true
		}
	case ascii:
		c.Encoding = "ASCII"
		c.Doubtful = encoding == "unknown"
	case valid:
		c.Encoding = "UTF-8"
		c.Doubtful = encoding == "unknown" || encoding == "ASCII"
	default:
		c.Encoding = "WINDOWS-1252"
		c.Doubtful = encoding != "" || looksBroken(body)
	}
	c.Doubtful = c.Doubtful || bytes.IndexByte(body, 0) >= 0 || bytes.Contains(body, replacement) ||
		(c.Encoding == "WINDOWS-1252" && hasUnassigned(body))
	return c
}

// replacement is what another system has written for letters that it could not read.
var replacement = []byte("\uFFFD")

// hasUnassigned says whether there is a byte that is no letter in Windows-1252.
func hasUnassigned(body []byte) bool {
	for _, b := range body {
		if 0x80 <= b && b < 0xA0 && windows1252[b-0x80] == '?' {
			return true
		}
	}
	return false
}

// looksBroken says whether bytes that are not valid UTF-8 look as if they had been: there are whole characters of it
// among them, or one that was cut off after its second byte, or what begins most of them in English names (C2, C3, E2)
// before a byte that cannot follow.
func looksBroken(body []byte) bool {
	for i := 0; i < len(body); {
		if body[i] < utf8.RuneSelf {
			i++
			continue
		}
		if r, size := utf8.DecodeRune(body[i:]); r != utf8.RuneError || size > 1 {
			return true
		}
		begins := body[i] == 0xC2 || body[i] == 0xC3 || body[i] == 0xE2
		goesOn := body[i] >= 0xC2 && body[i] < 0xF5 && i+1 < len(body) && body[i+1]&0xC0 == 0x80
		if begins || goesOn {
			return true
		}
		i++
	}
	return false
}

// survey looks at eight bytes at a time while they are ASCII, as nearly all messages are throughout.
func survey(body []byte) (ascii, valid bool) {
	rest := body
	for len(rest) >= 8 && binary.LittleEndian.Uint64(rest)&0x8080808080808080 == 0 {
		rest = rest[8:]
	}
	for _, b := range rest {
		if b >= utf8.RuneSelf {
			return false, utf8.Valid(body)
		}
	}
	return true, true
}

// knownCharset maps what senders write (HL7 table 0211, and variants seen) to a name of ours.
func knownCharset(declared string) string {
	switch squeeze(declared) {
	case "":
		return ""
	case "ASCII", "USASCII", "ISOIR6", "6461":
		return "ASCII"
	case "UNICODEUTF8", "UTF8", "UNICODE":
		return "UTF-8"
	case "88591", "ISO88591", "ISOIR100", "LATIN1":
		return "8859/1"
	case "885915", "ISO885915", "ISOIR203", "LATIN9":
		return "8859/15"
	case "WINDOWS1252", "CP1252", "1252":
		return "WINDOWS-1252"
	}
	return "unknown"
}

// squeeze keeps the ASCII letters, as capitals, and the digits.
func squeeze(s string) string {
	var kept [24]byte
	n := 0
	for i := 0; i < len(s) && n < len(kept); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if isUpperOrDigit(c) {
			kept[n] = c
			n++
		}
	}
	return string(kept[:n])
}

// decode returns the value's text as UTF-8 bytes: the message's own where they need no change.
func (v Value) decode() []byte {
	switch {
	case v.m == nil || v.IsNull():
		return nil
	case v.level != levelLiteral && v.isPlain():
		return v.raw
	}
	text := v.raw
	if v.level != levelLiteral {
		text = v.m.delims.unescape(text)
	}
	return clean(v.m.charset.toUTF8(text))
}

// isPlain: printable ASCII without an escape needs no decoding.
func (v Value) isPlain() bool {
	escape := v.m.delims.Escape
	for _, c := range v.raw {
		if c < ' ' || c >= utf8.RuneSelf || c == escape {
			return false
		}
	}
	return true
}

// unescape replaces the escape sequences that stand for text. What is unknown, unfinished or for formatting stays
// as sent: nothing a person wrote is dropped.
func (d *Delimiters) unescape(raw []byte) []byte {
	if d.Escape == 0 {
		return raw
	}
	start := bytes.IndexByte(raw, d.Escape)
	if start < 0 {
		return raw
	}
	text := make([]byte, 0, len(raw))
	for start >= 0 {
		text = append(text, raw[:start]...)
		raw = raw[start:]
		length := bytes.IndexByte(raw[1:], d.Escape)
		if length < 0 {
			break
		}
		after, known := d.appendEscape(text, raw[1:1+length])
		if known {
			text, raw = after, raw[length+2:]
		} else { // the second escape character may begin a sequence of its own
			text, raw = append(text, raw[:1+length]...), raw[1+length:]
		}
		start = bytes.IndexByte(raw, d.Escape)
	}
	return append(text, raw...)
}

// appendEscape appends what the sequence with this body means.
func (d *Delimiters) appendEscape(text, body []byte) ([]byte, bool) {
	switch string(body) {
	case "F":
		return append(text, d.Field), true
	case "S":
		return appendDelimiter(text, d.Component)
	case "T":
		return appendDelimiter(text, d.Subcomponent)
	case "R":
		return appendDelimiter(text, d.Repetition)
	case "E":
		return append(text, d.Escape), true
	case "P":
		return appendDelimiter(text, d.Truncation)
	case ".br", ".sp":
		return append(text, '\n'), true
	}
	if len(body) > 1 && body[0] == 'X' {
		return appendHex(text, body[1:])
	}
	return text, false
}

func appendDelimiter(text []byte, c byte) ([]byte, bool) {
	if c == 0 {
		return text, false
	}
	return append(text, c), true
}

// appendHex appends the bytes that pairs of hexadecimal digits stand for, in the message's character set.
func appendHex(text, digits []byte) ([]byte, bool) {
	if len(digits)%2 != 0 {
		return text, false
	}
	before := len(text)
	for i := 0; i < len(digits); i += 2 {
		high, ok1 := hexDigit(digits[i])
		low, ok2 := hexDigit(digits[i+1])
		if !ok1 || !ok2 {
			return text[:before], false
		}
		text = append(text, high<<4|low)
	}
	return text, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// toUTF8 converts from the message's character set.
func (c Charset) toUTF8(text []byte) []byte {
	switch c.Encoding {
	case "8859/1", "WINDOWS-1252":
		if c.Encoding == "WINDOWS-1252" && knownCharset(c.Declared) != "WINDOWS-1252" && utf8.Valid(text) {
			return text // undeclared, or declared wrongly: each value for itself
		}
		return fromSingleByte(text, false)
	case "8859/15":
		return fromSingleByte(text, true)
	}
	if utf8.Valid(text) { // an \X..\ escape can bring other bytes into an ASCII message
		return text
	}
	return fromSingleByte(text, false)
}

// fromSingleByte reads Windows-1252, or ISO 8859-15 where it differs. Windows-1252 is ISO 8859-1 with letters
// where that has control characters that no text holds, so senders of either are read right.
func fromSingleByte(text []byte, latin9 bool) []byte {
	converted := make([]byte, 0, len(text)+len(text)/4)
	for _, b := range text {
		r := rune(b)
		if 0x80 <= b && b < 0xA0 {
			r = windows1252[b-0x80]
		} else if latin9 {
			r = latin9Rune(b)
		}
		converted = utf8.AppendRune(converted, r)
	}
	return converted
}

// windows1252 holds the letters of 0x80 to 0x9F; the five unassigned ones become a question mark.
var windows1252 = [32]rune{
	'€', '?', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '?', 'Ž', '?',
	'?', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '?', 'ž', 'Ÿ',
}

func latin9Rune(b byte) rune {
	switch b {
	case 0xA4:
		return '€'
	case 0xA6:
		return 'Š'
	case 0xA8:
		return 'š'
	case 0xB4:
		return 'Ž'
	case 0xB8:
		return 'ž'
	case 0xBC:
		return 'Œ'
	case 0xBD:
		return 'œ'
	case 0xBE:
		return 'Ÿ'
	}
	return rune(b)
}

// clean makes line ends one LF, leaves NUL out, which PostgreSQL refuses in text and JSON, and writes a question mark
// for a replacement character: nothing that is kept holds either (see [Charset.Doubtful]).
func clean(text []byte) []byte {
	if bytes.Contains(text, replacement) {
		text = bytes.ReplaceAll(text, replacement, []byte{'?'})
	}
	if bytes.IndexByte(text, '\r') < 0 && bytes.IndexByte(text, 0) < 0 {
		return text
	}
	cleaned := make([]byte, 0, len(text)+8)
	for i, c := range text {
		switch {
		case c == 0:
		case c == '\r' && i+1 < len(text) && text[i+1] == '\n':
		case c == '\r':
			cleaned = append(cleaned, '\n')
		default:
			cleaned = append(cleaned, c)
		}
	}
	return cleaned
}

// Quote returns text with every delimiter, line end and control character of it written as an escape sequence, so
// that it can stand in a field. It is the inverse of [Value.String] for text without blanks at its ends. Bytes
// beyond ASCII stay as they are: declare their character set in MSH-18.
func (d Delimiters) Quote(text string) string { return string(d.appendEscaped(nil, text)) }

func (d *Delimiters) appendEscaped(b []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		letter := d.letter(c)
		switch {
		case d.Escape == 0 && (letter != 0 || c < ' '):
			b = append(b, ' ') // the sender declared no way to write it
		case letter != 0:
			b = append(b, d.Escape, letter, d.Escape)
		case c == '\n':
			b = append(append(append(b, d.Escape), ".br"...), d.Escape)
		case c < ' ':
			b = append(b, d.Escape, 'X', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15], d.Escape)
		default:
			b = append(b, c)
		}
	}
	return b
}

// letter names the escape sequence that stands for a delimiter; 0 for what is none.
func (d *Delimiters) letter(c byte) byte {
	switch c {
	case 0:
		return 0
	case d.Field:
		return 'F'
	case d.Component:
		return 'S'
	case d.Subcomponent:
		return 'T'
	case d.Repetition:
		return 'R'
	case d.Escape:
		return 'E'
	}
	return 0
}
