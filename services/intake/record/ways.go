package record

// The ways in by which something may be said. A door is stored with each message, and with each fact that came by it.
const (
	DoorMLLP    = "mllp"
	DoorFHIR    = "fhir"    // POST /fhir/$process-message
	DoorEvents  = "events"  // POST /api/events
	DoorSignals = "signals" // POST /api/signals
	DoorForm    = "form"    // the form, POST /api/referrals, and a night's list
	DoorAlarm   = "alarm"   // nobody: a loop noticed it

	WayList = "list" // a night's list
	// wayPreferences: the person said it themselves, to whoever recorded it. No feed overrules that.
	WayPreferences = "preferences"
)

// fed says that a way is a hospital's own system, which nobody asked the person for.
func fed(way string) bool {
	return way == DoorMLLP || way == DoorFHIR || way == DoorEvents || way == DoorSignals || way == WayList
}
