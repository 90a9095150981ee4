package journey

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// mark is when a list of steps was read: which transactions it saw, and before what time what it showed was due.
type mark struct {
	Snapshot string    // as PostgreSQL writes it: xmin:xmax:those between that had not ended
	Before   time.Time // zero for a list that no time ends
}

// marked stands between the two.
const marked = "@"

func (m mark) String() string {
	if m.Before.IsZero() {
		return m.Snapshot
	}
	return m.Snapshot + marked + m.Before.UTC().Format(time.RFC3339Nano)
}

// before is where what has become due since begins, or nil.
func (m mark) before() *time.Time {
	if m.Before.IsZero() {
		return nil
	}
	return &m.Before
}

// markOf reads a mark. What PostgreSQL would not take for a snapshot is refused here, as an error of whoever asks.
func markOf(text string) (*mark, error) {
	snapshot, before, ends := strings.Cut(text, marked)
	m := mark{Snapshot: snapshot}
	if ends {
		at, err := time.Parse(time.RFC3339Nano, before)
		if err != nil {
			return nil, fmt.Errorf("reading a mark %q: %w", text, err)
		}
		m.Before = at
	}
	parts := strings.Split(snapshot, ":")
	if len(parts) != 3 {
		return nil, fmt.Errorf("a mark of %d parts", len(parts))
	}
	xmin, err := transactionOf(parts[0])
	if err != nil {
		return nil, err
	}
	xmax, err := transactionOf(parts[1])
	if err != nil || xmax < xmin {
		return nil, fmt.Errorf("a mark that ends before it begins: %q", text)
	}
	if parts[2] == "" {
		return &m, nil
	}
	last := xmin
	for i, part := range strings.Split(parts[2], ",") {
		id, err := transactionOf(part)
		if err != nil || id < last || id == last && i > 0 || id >= xmax {
			return nil, fmt.Errorf("a mark with transactions out of order: %q", text)
		}
		last = id
	}
	return &m, nil
}

func transactionOf(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 || id > math.MaxInt64 {
		return 0, fmt.Errorf("%q is no transaction", text)
	}
	return id, nil
}
