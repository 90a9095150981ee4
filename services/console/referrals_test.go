package console

import (
	"net/http"
	"strings"
	"testing"

	"footbridge/schemas"
)

// TestATeamReadsHowEachReferralStands once, the newest in front, and nothing of what was taken back; and names its
// mailbox on the same page.
func TestATeamReadsHowEachReferralStands(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/referrals", nurse)
	met, touch := strings.Index(page, referralWords[schemas.NewsKept]), strings.Index(page,
		referralWords[schemas.NewsInTouch])
	if met < 0 || touch < met || strings.Contains(page, referralWords[schemas.NewsOffered]) ||
		strings.Count(page, "<time ") != 2 {
		t.Errorf("the referrals are not each said once, the newest in front: %d, %d", met, touch)
	}
	if !strings.Contains(page, "liaison@northgate.example") || !strings.Contains(page, mailboxTrouble["returned"]) {
		t.Error("the page does not say which mailbox is told, or what came back from it")
	}
	for role, may := range map[schemas.Role]bool{schemas.SendingTeam: true, schemas.Partner: false,
		schemas.Operator: false, schemas.Person: false} {
		if opens(http.MethodGet, schemas.ReferralsPage, string(role)) != may {
			t.Errorf("%s: may read what became of those a team referred: %t", role, !may)
		}
	}
}
