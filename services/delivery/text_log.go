package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"footbridge/libs/clock"
	"footbridge/schemas"
)

// mostTexted is how many texts of development are kept.
const mostTexted = 500

// LogTexter is the sender of development: it says in the log that a text would have gone, and to nobody which number or
// words. What it was given stands in the mailbox of development, in memory alone. With real people it is refused.
type LogTexter struct {
	Log   *slog.Logger
	Clock clock.Clock

	mu   sync.Mutex
	sent []texted
}

// texted is a text of development.
type texted struct {
	Text
	At time.Time
}

// Text keeps a text.
func (l *LogTexter) Text(_ context.Context, t Text) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, texted{t, l.Clock.Now()})
	if len(l.sent) > mostTexted {
		l.sent = l.sent[1:]
	}
	l.Log.Info("a text would have gone out here; it stands in the mailbox of development",
		schemas.AttrMessagingMessageID,
		t.ID)
	return nil
}

// texts are those that were sent, the oldest first.
func (l *LogTexter) texts() []texted {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]texted(nil), l.sent...)
}
