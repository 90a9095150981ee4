//go:build ignore

// Command permissions prints the NATS users of Footbridge, one a service, with what each may publish and read, as a
// piece of nats-server configuration. They are derived from the event registry in schemas and from libs/bus, so that
// the server of a site allows what the embedded one allows. Run it from the root of the repository:
//
//	go run deploy/nats/permissions.go > deploy/nats/permissions.conf
package main

import (
	"fmt"
	"strings"

	"footbridge/libs/bus"
	"footbridge/schemas"
)

const events = "FOOTBRIDGE_EVENTS"

func main() {
	fmt.Println("# Made by deploy/nats/permissions.go; change schemas or libs/bus instead. Passwords come from the environment,")
	fmt.Println("# see passwords.sh.")
	fmt.Println("authorization {\n  users = [")
	for _, service := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey} {
		show(bus.ServiceUser(service, "", events, schemas.SubjectsSaidBy(service)))
	}
	// The sentinel gives out what journey says.
	show(bus.ServiceUser("sentinel", "", events, schemas.SubjectsSaidBy(schemas.Journey)))
	show(bus.User{Name: "owner", Publish: []string{"$JS.API.>", "partner.>"}, Subscribe: []string{"_INBOX.>", "footbridge.>", "partner.>"}})
	fmt.Println("  ]\n}")
}

func show(u bus.User) {
	fmt.Printf("    {\n      user: %s, password: $NATS_%s\n", u.Name, strings.ToUpper(u.Name))
	fmt.Printf("      permissions: {\n        publish: {allow: [%s]}\n        subscribe: {allow: [%s]}\n      }\n    }\n", quoted(u.Publish), quoted(u.Subscribe))
}

func quoted(subjects []string) string {
	var all []string
	for _, s := range subjects {
		all = append(all, fmt.Sprintf("%q", s))
	}
	return strings.Join(all, ", ")
}
