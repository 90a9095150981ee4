//go:build foreign

package hl7

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// foreignMessages are other people's messages. They are read in place and never copied here.
const foreignMessages = "../../../shared/data/hl7v2"

func TestForeignMessagesAreAllRead(t *testing.T) {
	t.Parallel()
	files, messages := 0, 0
	err := filepath.WalkDir(foreignMessages, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pieces, err := Split(file)
		if err != nil {
			t.Errorf("splitting %s: %v", path, err)
		}
		files++
		messages += len(pieces)
		for i, piece := range pieces {
			readForeign(t, path, i, piece)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the foreign messages are needed here: %v", err)
	}
	if files < 20 || messages < files {
		t.Fatalf("only %d files with %d messages found", files, messages)
	}
	t.Logf("%d files, %d messages", files, messages)
}

func readForeign(t *testing.T, path string, i int, piece []byte) {
	m, err := Parse(piece)
	if err != nil {
		t.Errorf("%s, message %d: %v", path, i, err)
		return
	}
	if m.Type() == "" || m.Trigger() == "" || m.ControlID() == "" || m.Version() == "" {
		t.Errorf("%s, message %d: header %q", path, i, m.Segment("MSH").Raw())
	}
	if m.Continued() > 0 || m.Charset().Doubtful {
		t.Logf("%s, message %d: %d lines continued, %+v", path, i, m.Continued(), m.Charset())
	}
	if _, err := m.SentAt().Time(time.UTC); err != nil {
		t.Errorf("%s, message %d: MSH-7 %q: %v", path, i, m.SentAt(), err)
	}
	if ack, err := ParseAck(theAck(m, Ack{Mode: Original, ControlID: "a"})); err != nil ||
		ack.ControlID != m.ControlID() {
		t.Errorf("%s, message %d: ack %+v, %v", path, i, ack, err)
	}
	readAll(m)
}
