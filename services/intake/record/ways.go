package record

// The ways in by which something may be said. A door is stored with each message, and with each fact that came by it.
const (
	EndpointMLLP    = "mllp"
	EndpointFHIR    = "fhir"    // POST /fhir/$process-message
	EndpointEvents  = "events"  // POST /api/events
	EndpointSignals = "signals" // POST /api/signals
	EndpointForm    = "form"    // the form, POST /api/referrals, and a nightly list
	EndpointAlarm   = "alarm"   // nobody: a loop noticed it

	WayList = "list" // a nightly list
	// wayPreferences: the person said it themselves, to whoever recorded it. No feed overrules that.
	WayPreferences = "preferences"
)

// fed says that a way is a hospital's own system, which nobody asked the person for.
func fed(way string) bool {
	return way == EndpointMLLP || way == EndpointFHIR || way == EndpointEvents || way == EndpointSignals ||
		way == WayList
}
