package intake

import (
	"context"
	"time"

	"footbridge/libs/flow"
)

// Due are intake's loops by time: the ledger's days are made ahead, by the system's clock.
func (s *Service) Due() []flow.Due {
	return []flow.Due{{Name: "ledger-days", Every: time.Minute, Limit: 1, Run: func(ctx context.Context, _ *flow.Tx, _ int) (int, error) {
		return 0, s.makePartitions(ctx)
	}}}
}
