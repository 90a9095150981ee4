package journeys

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// place is something that left the person's own sealed record: where, of which kind, and what stands there.
type place struct {
	kind, where string
	content     []byte
}

// Kinds of places.
const (
	kindSubject = "subject"
	kindHeader  = "header"
	kindBody    = "body"
	kindSpan    = "span"
	kindMetric  = "metric"
	kindLog     = "log"
	kindTable   = "table"
	kindArgs    = "arguments"
	kindFile    = "file"
	kindQuery   = "query"
	kindAnswer  = "answer"
	// What goes to partners.
	kindMail    = "mail"
	kindWebhook = "webhook"
	kindFeed    = "feed"
	kindStream  = "stream"
	// kindServerLog is what PostgreSQL writes by itself: its settings are the site's, and may be any.
	kindServerLog = "server log"
)

// telemetryOnly are the kinds in which no clinical word and no partner's name may stand. In an event's data and in
// tables they may: the criteria of services are quoted there.
var telemetryOnly = []string{kindSubject, kindHeader, kindSpan, kindMetric, kindLog, kindArgs, kindQuery}

// outwardOnly are the kinds that go to partners: neither a clinical word nor the number of a visit, a journey or a
// record of a person may stand there.
var outwardOnly = []string{kindMail, kindWebhook, kindFeed, kindStream}

// canary is a text that must not be found, in any of its spellings.
type canary struct {
	label string
	only  []string // kinds; empty: all
	plain []string // compared without regard to case
	exact [][]byte // compared as they are
}

// identity makes a canary of a text that identifies somebody, in every spelling we can think of.
func identity(label string, spellings ...string) canary {
	c := canary{label: label}
	for _, text := range spellings {
		squeezed := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" -./()+,", r) {
				return -1
			}
			return r
		}, text)
		for _, form := range []string{text, squeezed} {
			if len(form) < 5 {
				continue
			}
			c.plain = append(c.plain, strings.ToLower(form), strings.ToLower(reversed(form)),
				strings.ToLower(url.QueryEscape(form)),
				strings.ToLower(url.PathEscape(form)), hex.EncodeToString([]byte(form)),
				hex.EncodeToString([]byte(strings.ToUpper(form))),
				hex.EncodeToString([]byte(strings.ToLower(form))))
			for _, cased := range []string{form, strings.ToUpper(form), strings.ToLower(form)} {
				c.exact = append(c.exact, inBase64(cased)...)
				c.addHashes(cased)
			}
		}
	}
	slices.Sort(c.plain)
	c.plain = slices.Compact(c.plain)
	return c
}

// addHashes: a plain hash of a number with ten digits is the number, to whoever can count.
func (c *canary) addHashes(form string) {
	m, s1, s2 := md5.Sum([]byte(form)), sha1.Sum([]byte(form)), sha256.Sum256([]byte(form))
	for _, sum := range [][]byte{m[:], s1[:], s2[:]} {
		c.plain = append(c.plain, hex.EncodeToString(sum))
		c.exact = append(c.exact, sum, []byte(base64.RawStdEncoding.EncodeToString(sum)),
			[]byte(base64.RawURLEncoding.EncodeToString(sum)))
	}
}

// inBase64 returns what base64 of any text around form must contain: its inner part, at each of the three offsets.
func inBase64(form string) [][]byte {
	var all [][]byte
	for offset := range 3 {
		padded := strings.Repeat("\x00", offset) + form
		padded = padded[:len(padded)-len(padded)%3]
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString([]byte(padded))
			if offset > 0 {
				text = text[4:]
			}
			if len(text) >= 6 {
				all = append(all, []byte(text))
			}
		}
	}
	return all
}

func reversed(text string) string {
	runes := []rune(text)
	slices.Reverse(runes)
	return string(runes)
}

// digits gives a number in the groupings people write.
func digits(number string, groups ...int) []string {
	all := []string{number}
	for _, between := range []string{" ", "-", ".", "\u00a0"} {
		var parts []string
		rest := number
		for _, n := range groups {
			parts = append(parts, rest[:n])
			rest = rest[n:]
		}
		all = append(all, strings.Join(append(parts, rest), between))
	}
	return all
}

// dates gives a date in the forms that machines and people write.
func dates(day time.Time) []string {
	var all []string
	for _, layout := range []string{time.DateOnly, "20060102", "02/01/2006", "2/1/2006", "01/02/2006", "02-01-2006",
		"02.01.2006", "2006/01/02",
		"2 January 2006", "2 Jan 2006", "January 2, 2006", "02-Jan-2006", "Jan 2 2006"} {
		all = append(all, day.Format(layout))
	}
	return all
}

// leak is a canary found.
type leak struct {
	place  place
	canary string
	as     string
}

func (l leak) String() string {
	return fmt.Sprintf("%s in %s %s, as %q", l.canary, l.place.kind, l.place.where, l.as)
}

// scan looks for every canary in every place.
func scan(places []place, canaries []canary) []leak {
	plain, exact := sieve{}, sieve{}
	for i, c := range canaries {
		for _, form := range c.plain {
			plain.add([]byte(form), i)
		}
		for _, form := range c.exact {
			exact.add(form, i)
		}
	}
	var found []leak
	for _, p := range places {
		seen := map[int]bool{}
		note := func(i int, as []byte) {
			c := canaries[i]
			if !seen[i] && (len(c.only) == 0 || slices.Contains(c.only, p.kind)) {
				seen[i] = true
				found = append(found, leak{p, c.label, string(as)})
			}
		}
		plain.find(bytes.ToLower(p.content), note)
		exact.find(p.content, note)
	}
	return found
}

// sieve holds texts, each of which is of a canary, by their first four bytes, so that thousands are looked for in one
// pass.
type sieve map[[4]byte][]needle

type needle struct {
	text []byte
	of   int
}

// add adds a text of at least four bytes.
func (s sieve) add(text []byte, of int) {
	start := [4]byte(text)
	s[start] = append(s[start], needle{text, of})
}

func (s sieve) find(content []byte, found func(of int, text []byte)) {
	for at := 0; at+4 <= len(content); at++ {
		for _, n := range s[[4]byte(content[at:])] {
			if bytes.HasPrefix(content[at:], n.text) {
				found(n.of, n.text)
			}
		}
	}
}
