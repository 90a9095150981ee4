package intake

import (
	"footbridge/services/intake/record"
	"sync"
)

// unknownCodes counts codes in systems that nobody has agreed on, until the next look at the feeds. A process that is
// killed forgets a minute of them: they only ever make a human look at a profile.
type unknownCodes struct {
	mu    sync.Mutex
	count map[feedKey]int64
}

func (s *Service) noteUnknown(a *inboundMessage) {
	if a.ClinicalEvent == nil || a.result.Outcome == record.Duplicate {
		return
	}
	if n := a.ClinicalEvent.UnknownOf(); n > 0 {
		s.giveBackUnknown(map[feedKey]int64{{a.Organisation, a.Sender}: n})
	}
}

func (s *Service) takeUnknown() map[feedKey]int64 {
	s.unknown.mu.Lock()
	defer s.unknown.mu.Unlock()
	taken := s.unknown.count
	s.unknown.count = nil
	return taken
}

func (s *Service) giveBackUnknown(count map[feedKey]int64) {
	s.unknown.mu.Lock()
	defer s.unknown.mu.Unlock()
	for key, n := range count {
		if s.unknown.count == nil {
			s.unknown.count = map[feedKey]int64{}
		}
		s.unknown.count[key] += n
	}
}
