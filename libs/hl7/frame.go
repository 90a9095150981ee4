package hl7

// MLLP's framing bytes (Minimal Lower Layer Protocol, release 1): a frame is 0x0B, the message, 0x1C, 0x0D.
const (
	startBlock = 0x0b
	endBlock   = 0x1c
	frameEnd   = '\r'
)
