package console

import (
	"context"
	"net/http"
	"strings"

	"footbridge/libs/principal"
)

// Who a request is about is corrected in two pages: one asks, and one shows what was there beside what will be, before
// anything is changed. Somebody's name or birth date typed into the wrong person's form is seen there.

// lookToCorrect is the reason that is kept of the look by which a correction shows what was there.
const lookToCorrect = "To correct who the request is about"

// changeView is one thing that a correction changes: as it was, and as it will be.
type changeView struct {
	Name, Was, Will string
	Anchor          string // where its question stands in the form
}

// correctsWho says whether a request corrects who somebody is.
func correctsWho(path string) bool {
	return samePath("/api/journeys/{id}/correction", path)
}

// compared fills in what a correction changes, from who the person is now. What is matter with it is a line for whoever
// fills the form in: that what was there cannot be shown, or that nothing would be another.
func (s *Console) compared(ctx context.Context, p principal.Principal, journey string, check *checkView) (status int,
	matter *problemView, err error) {
	who, err := s.client.identity(ctx, p, journey, lookToCorrect)
	if status, matter = notShown(err, "next"); matter != nil || err != nil {
		return status, matter, err
	}
	differs := false
	for _, q := range check.Questions {
		change, will := changeOf(who, strings.TrimPrefix(q.Name, check.Key+".")), q.answered()
		if change.Name == "" || will == "" {
			continue
		}
		if q.Kind == asDate {
			will = dayWords(newAnswers(check.entered, s.zone).date(q.Name))
		}
		differs = differs || squeezed(change.Was) != squeezed(will)
		change.Will, change.Anchor = will, q.Anchor()
		check.Changes = append(check.Changes, change)
	}
	if !differs {
		return http.StatusUnprocessableEntity, &problemView{"Nothing would be different. Write only what is wrong, " +
			"as it should be", "next"}, nil
	}
	check.Rows = check.Rows[len(check.Changes):]
	return 0, nil, nil
}

// changeOf is a field of a correction as it is now; without a name where it is no part of who somebody is.
func changeOf(who identity, field string) changeView {
	switch field {
	case "familyName":
		return changeView{Name: "Family name", Was: who.FamilyName}
	case "givenName":
		return changeView{Name: "Given names", Was: who.GivenName}
	case "birthDate":
		if who.BirthDate == "" {
			return changeView{Name: "Date of birth"}
		}
		return changeView{Name: "Date of birth", Was: dayWords(who.BirthDate)}
	case "nhsNumber":
		return changeView{Name: "NHS number", Was: who.NHSNumber}
	}
	return changeView{}
}

func squeezed(words string) string { return strings.Join(strings.Fields(words), "") }
