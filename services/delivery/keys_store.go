package delivery

import "footbridge/libs/pg/wrapped"

// KeyTables hold all keys of this service that are wrapped: an endpoint's.
var KeyTables = []wrapped.Table{{Name: "subscription", Owner: "id", Key: "key"}}
