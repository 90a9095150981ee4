package schemas

// flagWords say why somebody looks at a discharge or a request before it goes on, for staff to read wherever it is
// shown. They are about what came, and name no condition.
var flagWords = map[string]string{
	FlagUnder18:         "They are under 18: the young people’s team decides first, and nobody rings before",
	FlagAgeUnknown:      "Their age is not known, so the young people’s team looks first",
	FlagLate:            "It came so late that few days of the two weeks are left",
	FlagFutureDischarge: "The time of leaving is in the future",
	FlagMerged:          "Two records have been made one: what they agreed to is asked again",
	FlagNumberInvalid:   "The NHS number given cannot be one",
	FlagLeftBefore:      "They left before an assessment",
	FlagPossibleDouble:  "Another record looks like the same person: somebody compares the two first",
	FlagUnverified:      "Who it is about is not known for certain until somebody has spoken with them",
	FlagElsewhere: "They went to a ward, another hospital, the police or custody: find out how to reach them, " +
		"or hold the journey there",
	FlagReturned: "They have come back while their journey is open",

	FlagTimeNotBelieved:    "A time the hospital sent cannot be right: another was used, so check when they left",
	FlagLeftBeforeArrival:  "The time of leaving is before the arrival: another was used, so check when they left",
	FlagTextDamaged:        "Some letters came damaged: a name may be spelt wrongly",
	FlagNoVisitDetails:     "The hospital sent nothing about the visit itself: check where they were and when they left",
	FlagDestinationUnknown: "Where they went is written in a way that is not known here: ask the hospital",
	FlagIndicatorUnknown: "Whether they have died, or their record is protected, is written in a way that is not " +
		"known here: ask the hospital first",
	FlagProtected: "Their hospital record is protected: nothing goes out until they have been asked",
	FlagUnplaced: "Nobody has agreed which organisation it came from: a navigator places it first, and " +
		"nobody sees who it is before",
	FlagNoSafeChannel: "No telephone and no address is known: there is no safe way to reach them yet",
}

// FlagWords say what a flag means, without a full stop; nothing, of what is no flag. There is no other list.
func FlagWords(flag string) string { return flagWords[flag] }
