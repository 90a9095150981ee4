package workers

import "footbridge/libs/pg/wrapped"

// KeyTables hold all keys of this service that are wrapped: a worker's.
var KeyTables = []wrapped.Table{{Name: "worker", Owner: "id", Key: "wrapped"}}
