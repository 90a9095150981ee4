package schemas

import "time"

// TextNumbers is where delivery, as itself, asks intake for the number that one text goes to. It is no route: nobody
// else comes there.
const TextNumbers = "/text-numbers"

// What a text to a person is about.
const (
	TextSession = "session" // they asked to be reminded of a session
	TextCall    = "call"    // they asked to be reminded of a call
	TextChanged = "changed" // what they were told does not hold any more
)

// TextAsked is what delivery asks: about what, and for a session, or a change of one, whose it is.
type TextAsked struct {
	Journey string `json:"journey"`
	Partner string `json:"partner,omitempty"`
	About   string `json:"about"`
}

// TextTo is the answer: the number, or from when it may be used, or that there is none that may be.
type TextTo struct {
	Number    string     `json:"number,omitempty"`
	NotBefore *time.Time `json:"notBefore,omitempty"`
}
