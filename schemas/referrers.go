package schemas

import (
	"crypto/sha256"
	"fmt"
)

// What a referrer is told: whoever asked for support for somebody, or sent them home, reads what became of it in a log
// of its organisation's own, as partners read theirs. It is told that a partner was asked, is in touch, or has the
// person no longer; that a session was kept, and that what comes next is settled, by the person's yes to tell-referrer
// alone. No partner, day, reason or word is in it.

// ReferralUpdated says how a referral stands, and ReferralWithheld stands in the place of one that was taken back
// before it was given out. They go to referrers alone and never on the bus.
const (
	ReferralUpdated  Type = "care.footbridge.referral.updated.v1"
	ReferralWithheld Type = "care.footbridge.referral.withheld.v1"
)

// ReferralSchema names the schema of ReferralNewsData in an event; it is published under the type of ReferralUpdated.
const ReferralSchema = "urn:footbridge:schema:care.footbridge.referral.updated.v1"

// ReferralNewsData is what a referrer is told.
type ReferralNewsData struct {
	// Id of the journey, as it was answered when support was asked for.
	Referral string `json:"referral" is:"uuid"`
	// How the referral stands with this event.
	State string `json:"state" is:"referral-state"`
}

// How a referral stands, as its referrer is told.
const (
	NewsOffered   = "offered"                // a partner was asked
	NewsInTouch   = "in-touch"               // a partner has taken them on
	NewsNotWith   = "no-longer-with-partner" // the partner that was told of is not in touch any more
	NewsKept      = "session-kept"           // by a yes to tell-referrer alone
	NewsCompleted = "completed"              // the same: what comes next is settled
	NewsWithheld  = "withheld"
)

// ReferralsPage is where staff read what became of those their organisation referred.
const ReferralsPage = "/referrals"

// ByYes says whether a referrer is told of a state by the person's yes to tell-referrer alone.
func ByYes(state string) bool { return state == NewsKept || state == NewsCompleted }

// ReferrerLog is the id of the log of what an organisation that refers people is told. It tells nothing of anybody: the
// organisation's code is public.
func ReferrerLog(organisation string) string {
	sum := sha256.Sum256([]byte("referrer " + organisation))
	digits := fmt.Sprintf("%x", sum[:16])
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:32])
}
