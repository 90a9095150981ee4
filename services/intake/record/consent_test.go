package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/schemas"
)

// Any answers and any merges: while nobody has confirmed, no yes of another record counts, a no of either counts for
// both, and undoing every merge restores what each had.
func TestNoYesCrossesAnUnconfirmedMergeWhateverWasSaid(t *testing.T) {
	t.Parallel()
	records := []string{"a", "b", "c"}
	rapid.Check(t, func(t *rapid.T) {
		today := "2026-03-01"
		var answers []Answer
		for i := range rapid.IntRange(0, 12).Draw(t, "answers") {
			answers = append(answers, Answer{
				ID: fmt.Sprint(i), Person: rapid.SampledFrom(records).Draw(t, "person"),
				Purpose: schemas.PurposeFollowUp,
				Towards: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "towards"),
				State: rapid.SampledFrom([]ConsentState{ConsentGiven, ConsentDeclined, ConsentWithdrawn}).Draw(t,
					"state"),
				Doubt:   rapid.Bool().Draw(t, "doubt"),
				Until:   rapid.SampledFrom([]string{"", "2026-02-01", "2026-03-05", "2027-01-01"}).Draw(t, "until"),
				Version: Version{StatedAt: time.Unix(int64(rapid.IntRange(0, 5).Draw(t, "at")), 0)},
			})
		}
		own := rapid.SampledFrom(records).Draw(t, "own")
		others := rapid.SliceOfDistinct(rapid.SampledFrom(slices.DeleteFunc(slices.Clone(records),
			func(r string) bool { return r == own })), func(r string) string { return r }).Draw(t, "others")
		towards := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "to")
		alone := Consent(Group{Own: own}, answers, schemas.PurposeFollowUp, towards, today)
		merged := Consent(Group{Own: own, Others: others}, answers, schemas.PurposeFollowUp, towards, today)
		if merged.Holds() && !alone.Holds() {
			t.Fatalf("a yes crossed: alone %s, merged %s", alone, merged)
		}
		for _, other := range others {
			if Consent(Group{Own: other}, answers, schemas.PurposeFollowUp, towards, today).Refuses() &&
				merged.Holds() {
				t.Fatalf("a no of %s did not count for %s", other, own)
			}
		}
		card := Card{Channels: []Channel{{Channel: "phone", Value: "1", Confirmed: true}},
			NoSafeChannel: rapid.Bool().Draw(t, "safe")}
		other := Card{Channels: []Channel{{Channel: "phone", Value: "2", Confirmed: true}},
			NoSafeChannel: rapid.Bool().Draw(t, "otherSafe"), NeverTell: rapid.SliceOfN(rapid.String(), 0, 2).Draw(t,
				"never"), Note: "theirs"}
		strict, askFirst := card.Strictest(other)
		if slices.ContainsFunc(strict.Channels, func(c Channel) bool { return c.Value == "2" }) || strict.Note != "" ||
			strict.NeverTell != nil {
			t.Fatalf("contact crossed: %+v", strict)
		}
		if other.NoSafeChannel && (!strict.NoSafeChannel || len(strict.Usable()) > 0) ||
			(len(other.NeverTell) > 0) != askFirst {
			t.Fatalf("the strictest does not win: %+v", strict)
		}
		reads := func(group Group) bool {
			offer := Offer{ID: "o", Partner: "x", Accepted: 1, AgreementUntil: "2027-01-01"}
			sees, _ := MayRead(Asking{Organisation: "x", Role: string(schemas.Partner)}, group,
				AccessState{State: JourneyOpen, Yes: map[string]int64{"x": 1}}, []Offer{offer}, answers, today)
			return sees != SeesNothing
		}
		if reads(Group{Own: own, Others: others}) && !Consent(Group{Own: own}, answers, schemas.PurposeFollowUp, "x",
			today).Holds() {
			t.Fatal("a partner reads without a yes of this record")
		}
		if sees, _ := MayRead(Asking{Organisation: "x", Role: string(schemas.Partner)}, Group{Own: own},
			AccessState{State: JourneyOpen}, nil, answers, today); sees != SeesNothing {
			t.Fatal("a partner reads without an offer")
		}
	})
}

func TestTheLastDayOfAYesIsADayThatCanBe(t *testing.T) {
	t.Parallel()
	const today = "2026-11-20"
	for until, says := range map[string]string{
		"": "", "2026-11-20": "", "2028-11-01": "", "2026-11-19": "passed already", "2029-01-01": "two years",
		"9999-12-31": "two years",
		"2027-02-30": "local date", "next week": "local date", "20-11-2027": "local date",
	} {
		a := Answer{Purpose: schemas.PurposeFollowUp, State: ConsentGiven, How: "spoken", Giver: "person", Until: until}
		if fault := ConsentFault(a, ConsentNotAsked, Guard{}, today); (fault == "") != (says == "") ||
			!strings.Contains(fault, says) {
			t.Errorf("until %q: %q, want %q", until, fault, says)
		}
	}
}
