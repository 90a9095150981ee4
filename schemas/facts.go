package schemas

// Facts holds the coded values about a person's situation that a service's criterion may speak of. The list is
// closed: what is not a field here cannot be asked for, stored or sent. An absent fact is unknown, and unknown never
// excludes. There is no grade of a person among them, and none may be added. Facts are pseudonymous
// special-category data: they travel in an event's data only.
type Facts struct {
	// Age in whole years on the day the facts were read. Absent when the birth date is not known.
	Age *int `json:"age,omitempty" is:"years"`
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
	// Whether the person cares for somebody who self-harms.
	Carer *bool `json:"carer,omitempty"`
	// Whether the person goes to school or college.
	InEducation *bool `json:"inEducation,omitempty"`
	// Ids of the services whose list the person is on. Absent is not known; an empty list is none.
	WaitingOn []string `json:"waitingOn,omitzero" is:"service" items:"0,100"`
	// Ids of the services whose care the person is in. Absent is not known; an empty list is none.
	OpenTo []string `json:"openTo,omitzero" is:"service" items:"0,100"`
}
