// Package reading turns what senders send into statements that package record understands: HL7 v2 messages, FHIR
// bundles, national signals and lists, each by its sender's profile (profile.go; profiles/default.yaml says what every
// field means). It is given bytes or a parsed message and the time of receipt, and keeps nothing. What cannot be true
// or cannot be read is said in the statement, never repaired in silence; a human sees it. DryRun reads samples, so that
// a profile can be tried before it is used.
package reading
