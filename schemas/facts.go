package schemas

// Facts are the coded values about a person's situation that a criterion may speak of. The list is closed:
// what is not a field here cannot be asked for, stored or sent. An absent fact (nil) is unknown, and unknown
// never excludes (domain invariant 4). There is no score, level or band of a person, and none may be added
// (invariant 10). Facts are pseudonymous special-category data: they travel in an event's data only.
type Facts struct {
	// Age in whole years on the day the facts were read, 0 to 130; nil when the birth date is not known.
	Age *int `json:"age,omitempty"`
	// Areas are coded places ("E06000027" or a site's own code), never an address or a postcode.
	AreaResidence *string `json:"areaResidence,omitempty"`
	AreaStaying   *string `json:"areaStaying,omitempty"`
	AreaGP        *string `json:"areaGP,omitempty"`
	// RegisteredGP says whether the person is registered with a GP practice.
	RegisteredGP *bool `json:"registeredGP,omitempty"`
	// Gender as the person states it: woman, man, non-binary, not-said.
	Gender *string `json:"gender,omitempty"`
	// Language is a BCP 47 code; InterpreterNeeded says whether an interpreter is needed.
	Language          *string `json:"language,omitempty"`
	InterpreterNeeded *bool   `json:"interpreterNeeded,omitempty"`
	// Route is how the referral came: discharge, professional, self.
	Route *string `json:"route,omitempty"`
	// Assessment says what became of the psychosocial assessment: done, offered, declined, left-before, not-known.
	Assessment *string `json:"assessment,omitempty"`
	// Destination is where the person went: home, temporary, ward, police, custody, other-hospital, not-known.
	Destination *string `json:"destination,omitempty"`
	// Channels the person said they prefer: in-person, video, phone, text. Nil is not known; empty is none.
	Channels []string `json:"channels,omitempty"`
	// WorkerGender asked for: any, woman, man.
	WorkerGender *string `json:"workerGender,omitempty"`
	// Carer says the person cares for somebody who self-harms; InEducation that they go to school or college.
	Carer       *bool `json:"carer,omitempty"`
	InEducation *bool `json:"inEducation,omitempty"`
	// WaitingOn and OpenTo are the ids of services whose list the person is on, or whose care they are in.
	WaitingOn []string `json:"waitingOn,omitempty"`
	OpenTo    []string `json:"openTo,omitempty"`
}
