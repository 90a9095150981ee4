package schemas

// FiguresRoutes are those at which a service answers for itself: its figures, and a dead letter of its own. They are no
// part of the surface: the console asks them for GET /api/operations, as whoever asked it.
func FiguresRoutes(service string) []Route {
	return []Route{
		{"GET", "/figures", service, watchers, false, "Shows how the service stands; with charts=true, how it stood."},
		{"POST", "/redrive", service, []Role{Operator}, false, "Puts one of its dead letters back in line."},
	}
}
