package schemas

import (
	"iter"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Facts holds the coded values about a person's situation that a service's criterion may speak of. The list is
// closed: what is not a field here cannot be asked for, stored or sent. An absent fact is unknown, and unknown never
// excludes. There is no grade of a person among them, and none may be added. Facts are pseudonymous
// special-category data: they travel in an event's data only.
type Facts struct {
	// Age in whole years on the day the facts were read. Absent when the birth date is not known.
	Age *int `json:"age,omitempty" is:"years"`
	// Local day by which the person will be a year older: the Monday on or after their birthday, told in the half year
	// before it. It is no birthday, no criterion may name it, and nobody but intake states it.
	AgeRisesOn *string `json:"ageRisesOn,omitempty" is:"date"`
	// Coded place where the person lives ("E06000027" or a site's own code). Never an address or a postcode.
	AreaResidence *string `json:"areaResidence,omitempty" is:"area"`
	// Coded place where the person is staying now, if that is somewhere else.
	AreaStaying *string `json:"areaStaying,omitempty" is:"area"`
	// Coded place of the person's GP practice.
	AreaGP *string `json:"areaGP,omitempty" is:"area"`
	// Whether the person is registered with a GP practice.
	RegisteredGP *bool `json:"registeredGP,omitempty"`
	// Gender as the person states it.
	Gender *string `json:"gender,omitempty" is:"gender"`
	// Language the person prefers, as a BCP 47 code such as "en" or "cy".
	Language *string `json:"language,omitempty" is:"language"`
	// Whether an interpreter is needed.
	InterpreterNeeded *bool `json:"interpreterNeeded,omitempty"`
	// How the request for support came: by a discharge, from a professional, or from the person.
	Route *string `json:"route,omitempty" is:"route"`
	// What became of the psychosocial assessment.
	Assessment *string `json:"assessment,omitempty" is:"assessment"`
	// Where the person went on leaving.
	Destination *string `json:"destination,omitempty" is:"destination"`
	// Channels the person said they prefer. Absent is not known; an empty list is none.
	Channels []string `json:"channels,omitzero" is:"channel" items:"0,10"`
	// Gender of worker the person asked for.
	WorkerGender *string `json:"workerGender,omitempty" is:"worker-gender"`
	// When the person can meet or talk. Absent is not known; an empty list is none.
	Hours []string `json:"hours,omitzero" is:"meeting-hours" items:"0,10"`
	// Access and communication needs that a session has to meet. Absent is not known; an empty list is none.
	Access []string `json:"access,omitzero" is:"access-need" items:"0,10"`
	// A group of one's own that the person asked for.
	Group *string `json:"group,omitempty" is:"own-group"`
	// Whether the person cares for somebody who self-harms.
	Carer *bool `json:"carer,omitempty"`
	// Whether the person goes to school or college.
	InEducation *bool `json:"inEducation,omitempty"`
	// Local day on which the person last left hospital after self-harm, as coded visits say it: never from a call, from
	// somebody's words, or from a preference.
	LastSelfHarm *string `json:"lastSelfHarm,omitempty" is:"date"`
	// Ids of the services whose list the person is on. Absent is not known; an empty list is none.
	WaitingOn []string `json:"waitingOn,omitzero" is:"service" items:"0,20"`
	// Ids of the services whose care the person is in. Absent is not known; an empty list is none.
	OpenTo []string `json:"openTo,omitzero" is:"service" items:"0,20"`
}

// Fields gives the facts one by one, by their names on the wire, each as a pointer to its field. A fact that is not
// known is zero there.
func (f *Facts) Fields() iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		all := reflect.ValueOf(f).Elem()
		for i, name := range factNames {
			if !yield(name, all.Field(i)) {
				return
			}
		}
	}
}

// Beside gives each fact by its name with the same fact of other, as Fields does.
func (f *Facts) Beside(other *Facts, each func(name string, own, theirs reflect.Value)) {
	all, others := reflect.ValueOf(f).Elem(), reflect.ValueOf(other).Elem()
	for i, name := range factNames {
		each(name, all.Field(i), others.Field(i))
	}
}

// factNames are the names of the facts on the wire, in the order of their fields.
var factNames = func() (names []string) {
	for field := range reflect.TypeFor[Facts]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()

// Normal is the facts in one spelling, whoever wrote them: languages in lower case, and the codes of areas as the
// Office for National Statistics writes them. A site's own codes stand as they are.
func (f Facts) Normal() Facts {
	if f.Language != nil {
		language := strings.ToLower(*f.Language)
		f.Language = &language
	}
	for _, area := range []**string{&f.AreaResidence, &f.AreaStaying, &f.AreaGP} {
		if *area != nil {
			code := NormalArea(**area)
			*area = &code
		}
	}
	return f
}

// NormalArea is the code of an area in one spelling.
func NormalArea(code string) string {
	if nationalArea.MatchString(code) {
		return strings.ToUpper(code)
	}
	return code
}

var nationalArea = regexp.MustCompile(`^[EWSNewsn][0-9]{8}$`)

// Merge takes over each fact that other states, and forgets those that are taken back. What other leaves out stays.
func (f *Facts) Merge(other Facts, takenBack []string) {
	f.Beside(&other, func(name string, field, stated reflect.Value) {
		if slices.Contains(takenBack, name) {
			field.SetZero()
		}
		if !stated.IsZero() {
			field.Set(stated)
		}
	})
}

// Changed are the facts that differ from before, and the names of those that are known no more.
func (f Facts) Changed(before Facts) (changed Facts, takenBack []string) {
	was, into := maps.Collect(before.Fields()), maps.Collect(changed.Fields())
	for name, is := range f.Fields() {
		switch {
		case reflect.DeepEqual(is.Interface(), was[name].Interface()):
		case is.IsZero():
			takenBack = append(takenBack, name)
		default:
			into[name].Set(is)
		}
	}
	return changed, takenBack
}

// IsZero says that no fact is known.
func (f Facts) IsZero() bool { return reflect.ValueOf(f).IsZero() }
