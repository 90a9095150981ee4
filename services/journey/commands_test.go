package journey

import (
	"footbridge/libs/principal"
	"footbridge/schemas"
)

func navigatorOf(organisation string) principal.Principal {
	return principal.Principal{Organisation: organisation, Role: string(schemas.Navigator), Subject: "someone"}
}
