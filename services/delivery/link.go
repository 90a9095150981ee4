package delivery

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
)

// A link lets whoever holds it answer one offer of one partner, without an account: what stands in the mail is a token,
// and its hash is all that is kept.

// tokenBytes make a token that cannot be guessed: 130 bits, in 26 characters.
const tokenBytes = 16

// tokenLetters are digits and letters without i, l, o and u, in one case: a token can be read out, and typed.
var tokenLetters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// mint makes a link to one offer for its partner, which opens until a time, and returns its token. It is to go into the
// mail and nowhere else. linkUntil says how long a link is of use.
func (s *Service) mint(tx *flow.Tx, offer, partner string, until time.Time) (token string) {
	random := make([]byte, tokenBytes)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	token = tokenLetters.EncodeToString(random)
	saveLink(tx, hashToken(token), offer, partner, tx.Now, until)
	return token
}

// keepLinks is for how long a link is kept that opens nothing any more. To its holder that makes no difference.
const keepLinks = 30 * 24 * time.Hour

// endLinks forgets links.
func (s *Service) endLinks(_ context.Context, tx *flow.Tx, limit int) (taken int, err error) {
	forgetLinks(tx, tx.Now.Add(-keepLinks), limit, func() { taken++ })
	return taken, tx.Flush()
}

// linkUntil is how long a link to an offer is of use: while the offer can be answered, late too, or its answer be taken
// back, which is until the end of its window's last day, in zone.
func linkUntil(o *Offer, zone *time.Location) (until time.Time, ok bool) {
	last, err := calendar.ParseDay(o.LastDay)
	if err != nil {
		return time.Time{}, false
	}
	return (last + 1).At(0, 0, zone), true
}

// hashToken is the hash under which a link is kept. A token counts as it was read out or typed: in any case, with what
// is easily taken for another character, with blanks and hyphens, and with the full stop of a sentence after it.
func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte("link " + asTyped.Replace(strings.ToLower(token))))
	return sum[:]
}

var asTyped = strings.NewReplacer("i", "1", "l", "1", "o", "0", " ", "", "-", "", ".", "", "\u00a0", "")
