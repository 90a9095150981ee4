package schemas

// Holders of keys beside the services: commands of the system's operator, the owner of the streams, the watcher, and in
// development a navigator and a hospital's system that are made up.
const (
	OperatorsKey  = "operator"
	StreamsKey    = "owner"
	SentinelKey   = "sentinel"
	NavigatorsKey = "navigator"
	SendersKey    = "sender"
)

// ServiceItself is the role in which a service speaks for itself. No route of the table is open to it; what services
// ask of one another as themselves stands beside the table (OpenLink, BetweenServices).
const ServiceItself Role = "service"

// MayAssert says whether the holder of a key may say to audience, a service, that somebody of a role is asking.
// Everything that is not said here is refused, so that a stolen key speaks as its holder and as nobody else:
//   - to the gateway speaks a command with the operator's key, as the operator; in development one also with the keys
//     of
//     the made-up navigator and hospital;
//   - to every other service speaks the gateway, as whoever it found out is asking;
//   - a service may say that it is itself; the sentinel may to traces alone, to which it hands over what it did.
func MayAssert(holder, audience string, role Role, subject string, development bool) bool {
	switch {
	case role == ServiceItself:
		return subject == holder && (isService(holder) || holder == SentinelKey && audience == Traces)
	case audience == Gateway:
		return holder == OperatorsKey && role == Operator ||
			development && (holder == NavigatorsKey && role == Navigator || holder == SendersKey && role == System)
	default:
		return holder == Gateway
	}
}

// MayForward says whether a service may pass on to another what the gateway asserted to it: the console alone, whose
// pages are made of what other services answer.
func MayForward(holder string) bool { return holder == Console }

// IsTraced says whether this is the name of a service, or the sentinel's: whose work traces keeps.
func IsTraced(name string) bool { return isService(name) || name == SentinelKey }

func isService(name string) bool {
	switch name {
	case Intake, Threshold, Followup, Bridging, Journey, Delivery, Gateway, Console, Traces:
		return true
	}
	return false
}
