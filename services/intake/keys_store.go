package intake

import "footbridge/libs/pg/wrapped"

// KeyTables hold all keys of this service that are wrapped: a person's, a message's, and that of why
// somebody searched who found nobody.
var KeyTables = []wrapped.Table{{Name: "person_key", Owner: "person", Key: "wrapped"},
	{Name: "message_key", Owner: "message", Key: "wrapped"}, {Name: "search", Owner: "id", Key: "wrapped"}}
