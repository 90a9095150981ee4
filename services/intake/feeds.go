package intake

import (
	"maps"
	"sync"

	"footbridge/services/intake/record"
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
		s.addUnknown(feedKey{a.Organisation, a.Sender}, n)
	}
}

// unknownSoFar are those that are to be counted now. They stay until that is committed (haveCounted).
func (s *Service) unknownSoFar() map[feedKey]int64 {
	s.unknown.mu.Lock()
	defer s.unknown.mu.Unlock()
	return maps.Clone(s.unknown.count)
}

func (s *Service) haveCounted(counted map[feedKey]int64) {
	s.unknown.mu.Lock()
	defer s.unknown.mu.Unlock()
	for key, n := range counted {
		if s.unknown.count[key] -= n; s.unknown.count[key] <= 0 {
			delete(s.unknown.count, key)
		}
	}
}

func (s *Service) addUnknown(key feedKey, n int64) {
	s.unknown.mu.Lock()
	defer s.unknown.mu.Unlock()
	if s.unknown.count == nil {
		s.unknown.count = map[feedKey]int64{}
	}
	s.unknown.count[key] += n
}
