package schemas

import "slices"

// Names of attributes that logs, spans and metrics may carry. The list is closed: a name that is not here is
// refused, so that nothing about a person can slip into telemetry. Values are opaque ids, codes and counts; errors
// carry a kind, never what somebody wrote.
const (
	AttrService     = "footbridge.service"      // one of the services
	AttrJourney     = "footbridge.journey"      // the journey's opaque id; logs and spans only, never a metric
	AttrEventID     = "footbridge.event.id"     // logs and spans only
	AttrEventType   = "footbridge.event.type"   // a Type
	AttrConsumer    = "footbridge.consumer"     // a durable consumer
	AttrBatchSize   = "footbridge.batch.size"   // events in a batch
	AttrBatchFresh  = "footbridge.batch.fresh"  // of which not seen before
	AttrEmitted     = "footbridge.emitted"      // events given out
	AttrWriter      = "footbridge.writer"       // an outbox writer's id
	AttrDue         = "footbridge.due"          // name of a loop over what falls due
	AttrTaken       = "footbridge.taken"        // rows a loop took
	AttrLag         = "footbridge.lag"          // messages still to be read
	AttrAttempt     = "footbridge.attempt"      // which try this is
	AttrReason      = "footbridge.reason"       // a code
	AttrOutcome     = "footbridge.outcome"      // of a message in the ledger
	AttrSender      = "footbridge.sender"       // a sender's profile
	AttrControlID   = "footbridge.control.id"   // MSH-10; logs only
	AttrMessage     = "footbridge.message"      // a ledger id; logs and spans only
	AttrMessageKind = "footbridge.message.kind" // "ADT^A03"
	AttrAckCode     = "footbridge.ack.code"     // AA, AE, AR
	AttrStepKind    = "footbridge.step.kind"    // a code
	AttrStream      = "footbridge.stream"       // a JetStream stream
	AttrSequence    = "footbridge.sequence"     // in a stream
	AttrMigration   = "footbridge.migration"    // number of a migration
	AttrAddress     = "footbridge.address"      // what a listener is bound to
	AttrListener    = "footbridge.listener"     // mllp, http, operations
	AttrProvider    = "footbridge.provider"     // an identity provider's id, from the sign-in file
	AttrRequest     = "footbridge.request"      // a request's id, as a page shows it; logs only
	AttrRunbook     = "footbridge.runbook"      // a file in docs/runbooks
	AttrRole        = "footbridge.role"         // a Role
	AttrFaults      = "footbridge.faults"       // how many faults a sender's data had
	AttrDuration    = "footbridge.duration"     // seconds
	AttrCount       = "footbridge.count"
	// Where the time of a batch went, in milliseconds: its oldest event waited in the queue; the first round trip, with
	// the locks; the last, with the commit.
	AttrWaitedQueue  = "footbridge.waited.queue"
	AttrWaitedLock   = "footbridge.waited.lock"
	AttrWaitedCommit = "footbridge.waited.commit"

	AttrError     = "error" // an error's text: wrapped with ids, never with what somebody wrote
	AttrErrorType = "error.type"
	AttrTraceID   = "trace_id"
	AttrSpanID    = "span_id"

	AttrMessagingSystem        = "messaging.system"
	AttrMessagingDestination   = "messaging.destination.name" // a stream or a subject's filter, never a subject
	AttrMessagingOperation     = "messaging.operation.name"
	AttrMessagingOperationType = "messaging.operation.type"
	AttrMessagingMessageID     = "messaging.message.id"
	AttrMessagingBatchCount    = "messaging.batch.message_count"
	AttrMessagingConsumerGroup = "messaging.consumer.group.name"

	AttrHTTPMethod    = "http.request.method"
	AttrHTTPRoute     = "http.route" // the pattern, never the path
	AttrHTTPStatus    = "http.response.status_code"
	AttrURLScheme     = "url.scheme"
	AttrServerAddress = "server.address"
	AttrServerPort    = "server.port"
	AttrNetProtocol   = "network.protocol.name"
	AttrNetVersion    = "network.protocol.version"

	AttrDBSystem    = "db.system.name"
	AttrDBNamespace = "db.namespace"
	AttrDBOperation = "db.operation.name"
	AttrDBCollected = "db.response.returned_rows"
	AttrDBStatus    = "db.response.status_code" // SQLSTATE

	AttrServiceName      = "service.name"
	AttrServiceVersion   = "service.version"
	AttrServiceInstance  = "service.instance.id"
	AttrServiceNamespace = "service.namespace"
	AttrDeployment       = "deployment.environment.name"
)

// AllowedAttributes is the closed list of the names above, in order. It is not to be changed.
var AllowedAttributes = []string{
	AttrService, AttrJourney, AttrEventID, AttrEventType, AttrConsumer, AttrBatchSize, AttrBatchFresh, AttrEmitted,
	AttrWriter, AttrDue, AttrTaken, AttrLag, AttrAttempt, AttrReason, AttrOutcome, AttrSender, AttrControlID,
	AttrMessage, AttrMessageKind, AttrAckCode, AttrStepKind, AttrStream, AttrSequence, AttrMigration, AttrAddress,
	AttrListener, AttrProvider, AttrRequest, AttrRunbook, AttrRole, AttrFaults, AttrDuration, AttrCount,
	AttrWaitedQueue, AttrWaitedLock, AttrWaitedCommit,
	AttrError, AttrErrorType, AttrTraceID, AttrSpanID,
	AttrMessagingSystem, AttrMessagingDestination, AttrMessagingOperation, AttrMessagingOperationType,
	AttrMessagingMessageID, AttrMessagingBatchCount, AttrMessagingConsumerGroup,
	AttrHTTPMethod, AttrHTTPRoute, AttrHTTPStatus, AttrURLScheme, AttrServerAddress, AttrServerPort,
	AttrNetProtocol, AttrNetVersion,
	AttrDBSystem, AttrDBNamespace, AttrDBOperation, AttrDBCollected, AttrDBStatus,
	AttrServiceName, AttrServiceVersion, AttrServiceInstance, AttrServiceNamespace, AttrDeployment,
}

// metricNever are attributes that have a value per journey, event or message: on a metric they would be both
// unbounded and a trace of a person.
var metricNever = []string{
	AttrJourney, AttrEventID, AttrControlID, AttrMessage, AttrMessagingMessageID, AttrSequence, AttrTraceID,
	AttrSpanID, AttrError, AttrRequest, AttrWaitedQueue, AttrWaitedLock, AttrWaitedCommit,
}

// logsOnly are attributes that a log may carry and a span may not: what senders chose, and texts of errors.
var logsOnly = []string{AttrControlID, AttrRequest, AttrError, AttrTraceID, AttrSpanID}

// AllowedOnSpans is the list of the attributes that spans may carry.
func AllowedOnSpans() []string {
	return slices.DeleteFunc(slices.Clone(AllowedAttributes), func(key string) bool {
		return slices.Contains(logsOnly, key)
	})
}

// AllowedOnMetrics says whether a metric may carry the attribute.
func AllowedOnMetrics(key string) bool {
	return slices.Contains(AllowedAttributes, key) && !slices.Contains(metricNever, key)
}
