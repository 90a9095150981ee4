package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Who a person is, is shown for a stated reason, by a press and never by an address: a look is meant, and is kept.

// identity is who somebody is, as far as the caller may see it.
type identity struct {
	Person        string        `json:"person"`
	FamilyName    string        `json:"familyName"`
	GivenName     string        `json:"givenName"`
	Contact       []channel     `json:"contact"`
	NoSafeChannel bool          `json:"noSafeChannel"`
	Arrangement   string        `json:"arrangement"`
	Named         []namedPerson `json:"named"`
	AskFirst      bool          `json:"askFirst"`
	NeverTell     []string      `json:"neverTell"`
	MustNotKnow   []string      `json:"mustNotKnow"`
	Needs         []string      `json:"needs"`
	NeedsNote     string        `json:"needsNote"`
	Wishes        struct {
		Channels     []string `json:"channels"`
		WorkerGender string   `json:"workerGender"`
		Language     string   `json:"language"`
		Interpreter  *bool    `json:"interpreterNeeded"`
		Words        string   `json:"words"`
	} `json:"wishes"`
	BirthDate   string `json:"birthDate"`
	NHSNumber   string `json:"nhsNumber"`
	Verified    bool   `json:"nhsNumberVerified"`
	LocalID     string `json:"localId"`
	Unconfirmed *struct {
		Phone    string `json:"phone"`
		Email    string `json:"email"`
		Address  string `json:"address"`
		Postcode string `json:"postcode"`
	} `json:"unconfirmed"`
	Stopped bool `json:"contactStopped"`
	// Proposed was said on the person's own page, and nobody has asked them about it yet.
	Proposed []channel `json:"proposed"`
}

type channel struct {
	Channel         string `json:"channel"`
	Value           string `json:"value"`
	Confirmed       bool   `json:"confirmed"`
	FromHour        int    `json:"fromHour"`
	ToHour          int    `json:"toHour"`
	MayLeaveMessage bool   `json:"mayLeaveMessage"`
}

type namedPerson struct {
	Name    string `json:"name"`
	Is      string `json:"is"`
	MayHear string `json:"mayHear"`
}

// look is one time that somebody looked at who a person is.
type look struct {
	At           time.Time `json:"at"`
	Organisation string    `json:"organisation"`
	Role         string    `json:"role"`
	Sees         string    `json:"sees"`
	Refused      string    `json:"refused"`
	Reason       string    `json:"reason"`
}

func (c *client) identity(ctx context.Context, p principal.Principal, journey, reason string) (identity, error) {
	var who identity
	err := c.call(ctx, p, schemas.Intake, http.MethodGet, "/api/journeys/"+url.PathEscape(journey)+"/identity", "", nil,
		&who, header{schemas.ReasonHeader, reason})
	return who, err
}

// looks are the latest; more says that there were others before.
func (c *client) looks(ctx context.Context, p principal.Principal, person string) (latest []look, more bool,
	err error) {
	var list httpx.List[look]
	err = c.get(ctx, p, schemas.Intake, "/api/people/"+url.PathEscape(person)+"/access", &list)
	return list.Items, list.Next != nil, err
}

// identityView is who a person is, in words.
type identityView struct {
	Facts   []factView
	Stopped bool
	// AskFirst: another record of theirs names somebody who must not know.
	AskFirst, NoSafeChannel bool
}

func viewIdentity(who identity) *identityView {
	v := &identityView{Stopped: who.Stopped, AskFirst: who.AskFirst, NoSafeChannel: who.NoSafeChannel}
	add := func(name string, words ...string) {
		if text := strings.Join(words, ""); strings.TrimSpace(text) != "" {
			v.Facts = append(v.Facts, factView{name, text})
		}
	}
	add("Name", strings.TrimSpace(who.GivenName+" "+who.FamilyName))
	if who.BirthDate != "" {
		add("Date of birth", dayWords(who.BirthDate))
	}
	if who.NHSNumber != "" {
		add("NHS number", who.NHSNumber, map[bool]string{true: ", verified", false: ", not verified"}[who.Verified])
	}
	add("Hospital number", who.LocalID)
	for _, c := range who.Contact {
		add(wordsFor(channelWords, c.Channel), channelInWords(c))
	}
	for _, c := range who.Proposed {
		add("Said on their page: ask them first", wordsFor(channelWords, c.Channel), " ", c.Value)
	}
	add("Arranged instead", who.Arrangement)
	for _, n := range who.Named {
		add("May hear", n.Name, map[bool]string{true: " (" + n.Is + ")"}[n.Is != ""], ": ", n.MayHear)
	}
	add("Never tell", strings.Join(who.NeverTell, "; "))
	add("Must not know", strings.Join(who.MustNotKnow, ", "))
	add("Needs", listed(valueWords, who.Needs))
	add("About these", who.NeedsNote)
	wishes := who.Wishes
	add("Likes to talk", listed(valueWords, wishes.Channels))
	add("Would like to meet", wordsIf(valueWords, wishes.WorkerGender))
	add("Language", wordsIf(languageWords, wishes.Language))
	if wishes.Interpreter != nil && *wishes.Interpreter {
		add("Interpreter", "Yes")
	}
	add("In their words", wishes.Words)
	if from := who.Unconfirmed; from != nil {
		add("Not confirmed as safe", all(withoutEmpty(from.Phone, from.Email, from.Address, from.Postcode)),
			". From the hospital’s record: leave no word there, and send nothing to it")
	}
	return v
}

func wordsIf(words map[string]string, code string) string {
	if code == "" {
		return ""
	}
	return wordsFor(words, code)
}

func withoutEmpty(texts ...string) (kept []string) {
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

// channelInWords is a number or an address, with the hours at which it may be used.
func channelInWords(c channel) string {
	words := c.Value
	if c.ToHour > 0 {
		words += ", between " + hourWords(c.FromHour) + " and " + hourWords(c.ToHour)
	}
	if !c.Confirmed {
		words += ". They have not said yet that it is safe: leave no word"
	} else if c.MayLeaveMessage {
		words += ". Word may be left that says nothing about the reason"
	} else {
		words += ". Leave no word"
	}
	return words
}

type whoView struct {
	form
	ID, Code string
	Who      *identityView
	Looks    []lookView
}

type lookView struct{ At, Who, Why string }

func (s *Console) showWho(w http.ResponseWriter, r *http.Request) error {
	return s.whoPage(w, r, http.StatusOK, filledIn{}, nil, nil)
}

// whoPage asks why somebody looks, or shows who the person is to whom that was said.
func (s *Console) whoPage(w http.ResponseWriter, r *http.Request, status int, f filledIn, who *identity,
	looks []look, more ...problemView) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if who == nil && len(more) == 0 {
		if _, err := s.client.journey(r.Context(), p, id, ""); err != nil {
			return err // of a journey that is not theirs nobody is asked why
		}
	}
	page := whoView{form: accessForm().filled(f.entered, f.matters), ID: id, Code: codeOf(id)}
	page.Request = clock.NewRandomID()
	if who != nil {
		page.Who = viewIdentity(*who)
		for _, l := range looks {
			page.Looks = append(page.Looks, lookView{shortTime(l.At, s.zone), wordsFor(roleNames, l.Role) + ", " +
				s.organisationName(s.client.organisation(r.Context(), p, l.Organisation)), l.why()})
		}
	}
	return s.show(w, r, status, "who", view{Title: whoTitle, Here: "/journeys",
		Problems: append(page.problems(), more...), Page: page})
}

// whoTitle says nothing that identifies anybody: titles stay in a browser's history.
const whoTitle = "Who the person is"

func (l look) why() string {
	if l.Refused != "" {
		return "They were not shown it"
	}
	switch l.Sees {
	case "search":
		return strings.TrimSpace("Found by a search. " + l.Reason)
	case "correction":
		return "Corrected who this is about. " + l.Reason
	}
	return l.Reason
}

// lookWho shows who the person of a journey is, for a reason that goes on in a header and never in an address.
func (s *Console) lookWho(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	a := newAnswers(r.PostForm, s.zone)
	reason := a.reason("why")
	if len(a.matters) > 0 {
		return s.whoPage(w, r, http.StatusUnprocessableEntity, filledIn{entered: r.PostForm, matters: a.matters}, nil,
			nil)
	}
	who, err := s.client.identity(r.Context(), p, r.PathValue("id"), reason)
	if status, shown := notShown(err, "why"); shown != nil {
		return s.whoPage(w, r, status, filledIn{entered: r.PostForm}, nil, nil, *shown)
	}
	if err != nil {
		return err
	}
	var looks []look
	if who.Person != "" {
		if looks, _, err = s.client.looks(r.Context(), p, who.Person); err != nil {
			looks = nil // who has looked is shown to whom the service shows it
		}
	}
	return s.whoPage(w, r, http.StatusOK, filledIn{}, &who, looks)
}

// reason is why somebody looks, in a few words of their own.
func (a *answers) reason(name string) string {
	reason := a.text(name, 200)
	if a.matters[name] == "" && schemas.ReasonFault(reason) != "" {
		a.matter(name, "Write in a few words of your own why you look, with no number, address or name of anybody")
	}
	return reason
}

// The page of staff who treat somebody now, anywhere: one journey at a time, by its number, for a reason.

type lookPage struct {
	form
	Journey *journeyView
	Who     *identityView
	Hidden  bool // who the person is, is not open to the caller
}

func lookForm() form {
	return form{Sections: []section{{Questions: append([]question{
		text("number", "Number of the journey", "The whole number, as it stands on the person’s papers or at the end "+
			"of the journey’s page.").short(20),
	}, accessForm().Sections[0].Questions...)}}}
}

func (s *Console) showLook(w http.ResponseWriter, r *http.Request) error {
	return s.lookAgain(w, r, http.StatusOK, filledIn{}, lookPage{})
}

func (s *Console) lookAgain(w http.ResponseWriter, r *http.Request, status int, f filledIn, page lookPage,
	more ...problemView) error {
	page.form = lookForm().filled(f.entered, f.matters)
	page.Request = clock.NewRandomID()
	return s.show(w, r, status, "look", view{Title: "Look at a journey", Here: "/look",
		Problems: append(page.problems(), more...), Separate: separateWords(""), Page: page})
}

func (s *Console) lookAt(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	if !r.PostForm.Has("why") { // from a search: the number is known, and nobody has been asked yet
		return s.lookAgain(w, r, http.StatusOK, filledIn{entered: r.PostForm}, lookPage{})
	}
	a := newAnswers(r.PostForm, s.zone)
	id, reason := strings.ToLower(a.text("number", 60)), a.reason("why")
	if !clock.IsID(id) {
		a.matter("number", "Write the whole number: 36 letters, digits and hyphens")
	}
	if len(a.matters) > 0 {
		return s.lookAgain(w, r, http.StatusUnprocessableEntity, filledIn{entered: r.PostForm, matters: a.matters},
			lookPage{})
	}
	j, err := s.client.journey(r.Context(), p, id, reason)
	if statusOf(err) == http.StatusNotFound {
		return s.lookAgain(w, r, http.StatusUnprocessableEntity, filledIn{entered: r.PostForm}, lookPage{},
			problemView{"There is no journey of this number that you may see. Compare it with the paper", "number"})
	}
	if status, shown := notShown(err, "why"); shown != nil {
		return s.lookAgain(w, r, status, filledIn{entered: r.PostForm}, lookPage{}, *shown)
	}
	if err != nil {
		return err
	}
	shown := s.viewJourney(r, p, j, reason)
	shown.ReadOnly = true
	page := lookPage{Journey: &shown}
	who, err := s.client.identity(r.Context(), p, id, reason)
	if page.Hidden = err != nil; err == nil {
		page.Who = viewIdentity(who)
	}
	return s.lookAgain(w, r, http.StatusOK, filledIn{}, page)
}
