package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"footbridge/services/footbridge/sim/oracle"
)

// line is one line of the log. Which of its members are there hangs on Kind; docs/simulator.md describes each.
type line struct {
	At   time.Time `json:"at"` // by the simulation's clock
	Kind string    `json:"kind"`
	// By is who did it: hospital, a team, partner:ID.
	By      string `json:"by,omitempty"`
	Person  *int   `json:"person,omitempty"`
	Journey string `json:"journey,omitempty"`
	Method  string `json:"method,omitempty"`
	Path    string `json:"path,omitempty"`
	Status  int    `json:"status,omitempty"`
	// About is a step's kind, a message's trigger, an event's type, or what must always hold.
	About string `json:"about,omitempty"`
	// From and Seq are of an event: the service that published it, and its number of that service and journey.
	From string `json:"from,omitempty"`
	Seq  string `json:"seq,omitempty"`
	Data any    `json:"data,omitempty"`
}

// log writes JSON lines. Its first error is kept and returned at the end.
type log struct {
	file *os.File
	to   *bufio.Writer
	err  error
}

// LogName is the log's file in the folder that a simulation writes to.
const LogName = "log.jsonl"

func newLog(dir string) (*log, error) {
	if dir == "" {
		return &log{}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, LogName))
	if err != nil {
		return nil, err
	}
	return &log{file: file, to: bufio.NewWriterSize(file, 1<<20)}, nil
}

func (l *log) write(one line) {
	if l.to == nil || l.err != nil {
		return
	}
	one.At = one.At.UTC().Truncate(time.Second)
	text, err := json.Marshal(one)
	if err == nil {
		_, err = l.to.Write(append(text, '\n'))
	}
	l.err = err
}

// again writes down all that was written, and counts it again, independently; false where no log is kept.
func (l *log) again() (counts oracle.Counts, kept bool, err error) {
	if l.to == nil {
		return counts, false, nil
	}
	if err := l.to.Flush(); err != nil {
		return counts, false, fmt.Errorf("writing the log: %w", err)
	}
	file, err := os.Open(l.file.Name())
	if err != nil {
		return counts, false, fmt.Errorf("reading the log: %w", err)
	}
	defer func() { _ = file.Close() }()
	counts, err = oracle.Count(file)
	return counts, true, err
}

func (l *log) close() {
	if l.to != nil {
		l.err = errors.Join(l.err, l.to.Flush(), l.file.Close())
		l.to = nil
	}
}
