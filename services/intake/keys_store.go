package intake

import "footbridge/libs/pg/wrapped"

// KeyTables hold all keys of this service that are wrapped: a person's, and a message's.
var KeyTables = []wrapped.Table{{Name: "person_key", Owner: "person", Key: "wrapped"},
	{Name: "message_key", Owner: "message", Key: "wrapped"}}
