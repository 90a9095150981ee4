package hl7

import "bytes"

// Split cuts a file that holds several messages, one after the other, with or without blank lines or MLLP framing
// between them, into its messages. The pieces share memory with file; each can go to [Parse]. What stands before
// the first MSH must be blank.
//
// Errors: [ErrEmpty] for a file without anything, [ErrNoMSH] when something else than a message comes first,
// [ErrBatch] for a batch file, [ErrUTF16].
func Split(file []byte) ([][]byte, error) {
	if bytes.HasPrefix(file, []byte("\xff\xfe")) || bytes.HasPrefix(file, []byte("\xfe\xff")) {
		return nil, ErrUTF16
	}
	body := trimStart(file)
	switch {
	case len(body) == 0:
		return nil, ErrEmpty
	case isBatchLine(body):
		return nil, ErrBatch
	case !isHeaderLine(body):
		return nil, ErrNoMSH
	}
	return cutAtHeaders(body)
}

func cutAtHeaders(body []byte) ([][]byte, error) {
	var pieces [][]byte
	begin := 0
	lines := lineScanner{b: body}
	for lines.next() {
		line := trimStart(body[lines.start:lines.end])
		if isBatchLine(line) {
			return nil, ErrBatch
		}
		if start := lines.end - len(line); start > begin && isHeaderLine(line) {
			pieces = append(pieces, trimEnd(body[begin:start]))
			begin = start
		}
	}
	return append(pieces, trimEnd(body[begin:])), nil
}

// isHeaderLine: MSH, a delimiter, and another one that begins MSH-2.
func isHeaderLine(line []byte) bool {
	return len(line) >= 5 && string(line[:3]) == "MSH" && canDelimit(line[3]) && canDelimit(line[4])
}

// trimEnd leaves one line end out of those that end a message, since MLLP wants the last segment ended too.
func trimEnd(b []byte) []byte {
	end := len(b)
	for end > 0 && (isPadding(b[end-1]) || b[end-1] == ' ' || b[end-1] == '\t') {
		end--
	}
	if end < len(b) && b[end] == '\r' {
		end++
	}
	return b[:end:end]
}
