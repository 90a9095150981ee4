package journey

import (
	"time"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

func navigatorOf(organisation string) principal.Principal {
	return principal.Principal{Organisation: organisation, Role: string(schemas.Navigator), Subject: "someone"}
}

// ofRole is somebody of a role at the hospital.
func ofRole(role schemas.Role) principal.Principal {
	return principal.Principal{Organisation: "RXX", Role: string(role), Subject: string(role) + "-1"}
}

// aWord says all that somebody's word about a step may have to say, at a time.
func aWord(now time.Time) schemas.StepDone {
	return schemas.StepDone{Found: "as-it-was", ConfirmedBy: "hospital", Told: "phone", Heard: "duty-worker",
		Decided: "safe-letter", TakesOver: "service:adults", SeenTo: "another-worker",
		On: now.Format(time.DateOnly), Next: &schemas.StepNext{Kind: "ring-back", Owner: teamLiaison,
			DueAt: now.Add(time.Hour)}}
}

// withoutNext is aWord that names no next step.
func withoutNext(now time.Time) schemas.StepDone {
	said := aWord(now)
	said.Next = nil
	return said
}

// whoEnds is somebody who may end a step by their word; ok is false where nobody may.
func whoEnds(s Step) (by principal.Principal, ok bool) {
	kind, known := kindOf(s)
	switch {
	case !known:
		return navigatorOf("RXX"), true
	case kind.Done == nil:
		return principal.Principal{}, false
	}
	return ofRole(kind.Done.By[0]), true
}
