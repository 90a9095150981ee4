package intake

// The ways in by which something may be said. A door is stored with each message, and with each fact that came by it.
const (
	doorMLLP    = "mllp"
	doorFHIR    = "fhir"    // POST /fhir/$process-message
	doorEvents  = "events"  // POST /api/events
	doorSignals = "signals" // POST /api/signals
	doorForm    = "form"    // the form, POST /api/referrals, and a night's list
	doorAlarm   = "alarm"   // nobody: a loop noticed it

	wayList = "list" // a night's list
	// wayPreferences: the person said it themselves, to whoever recorded it. No feed overrules that.
	wayPreferences = "preferences"
)

// fed says that a way is a hospital's own system, which nobody asked the person for.
func fed(way string) bool {
	return way == doorMLLP || way == doorFHIR || way == doorEvents || way == doorSignals || way == wayList
}
