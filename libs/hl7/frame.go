package hl7

import (
	"bytes"
	"slices"
)

// MLLP's framing bytes (Minimal Lower Layer Protocol, release 1): a frame is 0x0B, the message, 0x1C, 0x0D.
const (
	startBlock = 0x0b
	endBlock   = 0x1c
	frameEnd   = '\r'
)

// restart is how a frame begins in earnest. A lone 0x0B inside a frame is a vertical tab, which texts pasted from
// word processors do hold; only before MSH does it mean that the sender gave up the frame and began another.
var restart = []byte("\x0bMSH")

// BadKind is what is wrong with a frame.
type BadKind uint8

const (
	// TooLong is a frame over the server's limit, reported as soon as it crosses it. What follows is skipped up to
	// the frame's end or the beginning of the next.
	TooLong BadKind = iota + 1
	// Empty is a frame without content.
	Empty
	// Unfinished is a frame that broke off: another began, the connection ended, or nothing came for too long.
	Unfinished
	// Unframed is something with an MSH in it outside any frame: a sender that does not speak MLLP.
	Unframed
)

// String names the kind in plain words.
func (k BadKind) String() string {
	switch k {
	case TooLong:
		return "frame over the size limit"
	case Empty:
		return "frame without a message"
	case Unfinished:
		return "frame broke off before its end"
	case Unframed:
		return "message outside an MLLP frame"
	}
	return "frame not readable"
}

// BadFrame is a frame that holds no message that could be read.
type BadFrame struct {
	Kind BadKind
	// First holds its first bytes, at most 1024: enough for the header. It may hold identity.
	First []byte
	// Size is how many bytes had come when it was found bad.
	Size int
}

const firstBytes = 1024

// scanned is what the deframer finds: a frame, a bad one, or bytes between frames.
type scanned struct {
	frame []byte   // owned by the receiver; nil if bad or junk
	bad   BadFrame // Kind 0 if none
	junk  int      // bytes skipped between frames
}

type frameState uint8

const (
	outside   frameState = iota
	inside               // after 0x0B
	ending               // after 0x0B … 0x1C: CR, LF, a new 0x0B or silence end it; anything else was content
	skipping             // in a frame that is too long
	skipEnded            // in one, after 0x1C
)

// deframer cuts a stream of bytes into frames. It holds at most max bytes of a frame and firstBytes of junk.
type deframer struct {
	max      int
	emit     func(scanned)
	state    frameState
	content  []byte
	junk     int
	junkHead []byte
	matched  int // how much of restart the last bytes match, while skipping
	finished int // frames found, good or bad
}

// feed takes the next bytes of the stream. It keeps none of chunk.
func (f *deframer) feed(chunk []byte) {
	for len(chunk) > 0 {
		switch f.state {
		case outside:
			chunk = f.between(chunk)
		case inside:
			chunk = f.within(chunk)
		case ending:
			chunk = f.decideEnd(chunk)
		default:
			chunk = f.skip(chunk)
		}
	}
}

// midFrame tells whether a frame has begun and its end is not certain yet.
func (f *deframer) midFrame() bool { return f.state != outside }

// awaitsTail tells whether only the CR after 0x1C is missing.
func (f *deframer) awaitsTail() bool { return f.state == ending || f.state == skipEnded }

// silence ends a frame whose last CR does not come.
func (f *deframer) silence() {
	if f.state == ending {
		f.finish()
	}
	f.state = outside
}

// close takes the end of the stream.
func (f *deframer) close() {
	switch f.state {
	case outside:
		f.endJunk()
	case inside:
		f.broken(f.content)
	case ending:
		f.finish()
	}
	f.state, f.content = outside, nil
}

// between skips what stands between frames. Line ends are nobody's fault and are not counted.
func (f *deframer) between(chunk []byte) []byte {
	for i, c := range chunk {
		switch c {
		case startBlock:
			f.endJunk()
			f.state, f.content = inside, nil
			return chunk[i+1:]
		case endBlock:
			f.endJunk()
		case '\r', '\n':
			if f.junk > 0 {
				f.addJunk(c)
			}
		default:
			f.addJunk(c)
		}
	}
	return nil
}

func (f *deframer) addJunk(c byte) {
	f.junk++
	if len(f.junkHead) < firstBytes {
		f.junkHead = append(f.junkHead, c)
	}
}

func (f *deframer) endJunk() {
	if f.junk == 0 {
		return
	}
	found := scanned{junk: f.junk}
	if bytes.Contains(f.junkHead, []byte("MSH")) {
		found.bad = BadFrame{Kind: Unframed, First: f.junkHead, Size: f.junk}
	}
	f.junk, f.junkHead = 0, nil
	f.emit(found)
}

// within takes content up to 0x1C.
func (f *deframer) within(chunk []byte) []byte {
	piece, rest, ended := bytes.Cut(chunk, []byte{endBlock})
	if taken := f.add(piece); taken < len(piece) {
		return chunk[taken:]
	}
	if ended {
		f.state = ending
	}
	return rest
}

// add appends content up to the limit and returns how much it took. At the limit the frame is given up, unless
// another has begun inside it, which then goes on.
func (f *deframer) add(piece []byte) int {
	taken := min(len(piece), f.max-len(f.content))
	f.grow(taken)
	f.content = append(f.content, piece[:taken]...)
	if taken == len(piece) {
		return taken
	}
	if i := bytes.LastIndex(f.content, restart); i >= 0 {
		f.content = bytes.Clone(f.reportBroken(f.content))
		return taken
	}
	f.report(BadFrame{Kind: TooLong, First: bytes.Clone(f.content[:min(len(f.content), firstBytes)]),
		Size: len(f.content) + 1})
	f.content, f.state, f.matched = nil, skipping, 0
	return taken
}

// grow doubles, as append does, but never beyond the limit.
func (f *deframer) grow(n int) {
	if need := len(f.content) + n; need > cap(f.content) {
		f.content = slices.Grow(f.content, min(max(2*cap(f.content), need), f.max)-len(f.content))
	}
}

// decideEnd looks at the byte after 0x1C.
func (f *deframer) decideEnd(chunk []byte) []byte {
	switch chunk[0] {
	case frameEnd, '\n':
		f.finish()
		f.state = outside
		return chunk[1:]
	case startBlock:
		f.finish()
		f.state = outside
		return chunk
	}
	f.state = inside                                        // 0x1C was content
	for f.state == inside && f.add([]byte{endBlock}) == 0 { // at the limit there may be room only after a cut
	}
	return chunk
}

// finish hands out the frame that has just ended.
func (f *deframer) finish() {
	frame := f.reportBroken(f.content)
	f.content = nil
	if len(trimStart(frame)) == 0 {
		f.report(BadFrame{Kind: Empty, Size: len(frame)})
		return
	}
	if cap(frame) > len(frame)+len(frame)/4+64 {
		frame = bytes.Clone(frame)
	}
	f.finished++
	f.emit(scanned{frame: frame})
}

// reportBroken reports the frames that were given up inside this content, and returns the last.
func (f *deframer) reportBroken(content []byte) []byte {
	for {
		i := bytes.Index(content, restart)
		if i < 0 {
			return content
		}
		if len(trimStart(content[:i])) > 0 { // else 0x0B was only sent twice
			f.broken(content[:i])
		}
		content = content[i+1:]
	}
}

func (f *deframer) broken(content []byte) {
	f.report(BadFrame{Kind: Unfinished, First: bytes.Clone(content[:min(len(content), firstBytes)]),
		Size: len(content)})
}

func (f *deframer) report(bad BadFrame) {
	f.finished++
	f.emit(scanned{bad: bad})
}

// skip looks for the end of a frame that is too long, or for the beginning of the next inside it.
func (f *deframer) skip(chunk []byte) []byte {
	for i, c := range chunk {
		if f.state == skipEnded {
			if c == frameEnd || c == '\n' || c == startBlock {
				f.state = outside
				return chunk[i:]
			}
			f.state = skipping
		}
		switch {
		case c == endBlock:
			f.state, f.matched = skipEnded, 0
		case c == restart[f.matched]:
			f.matched++
		case c == startBlock:
			f.matched = 1
		default:
			f.matched = 0
		}
		if f.matched == len(restart) {
			f.state, f.content = inside, []byte("MSH")
			return chunk[i+1:]
		}
	}
	return nil
}

// appendFrame puts a message into a frame.
func appendFrame(b, message []byte) []byte {
	b = append(b, startBlock)
	b = append(b, message...)
	return append(b, endBlock, frameEnd)
}
