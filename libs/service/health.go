package service

import (
	"encoding/json"
	"net/http"
	"sync"
)

// Health is what a component says about itself. Its methods may be called from any goroutine.
type Health struct {
	runner *Runner

	mu     sync.Mutex
	ready  bool
	reason string
	note   string
	became chan struct{} // closed at the first Ready
	once   sync.Once
}

// Ready says that the component can do its work.
func (h *Health) Ready() {
	h.set(true, "")
	h.once.Do(func() { close(h.became) })
}

// Unready says that it cannot for now, and why, in words for whoever is on call: "the database does not answer".
// The reason is shown to anyone who can reach /readyz, so it holds no address, no credential and nobody's details.
func (h *Health) Unready(reason string) { h.set(false, reason) }

// Note says what is amiss, in words like those of Unready, though the component can do all but that; empty takes it
// back. It keeps no traffic away.
func (h *Health) Note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note = text
}

func (h *Health) noted() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.note
}

func (h *Health) set(ready bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready, h.reason = ready, reason
}

func (h *Health) why() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ready {
		return ""
	}
	return h.reason
}

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready bool `json:"ready"`
	// Reasons holds, for each component that is not ready, why.
	Reasons map[string]string `json:"reasons,omitempty"`
	// Notes hold, for each component that is ready all the same, what is amiss.
	Notes map[string]string `json:"notes,omitempty"`
}

// Readiness says whether the process can do all of its work now. While it stops, it cannot.
func (r *Runner) Readiness() Readiness {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := Readiness{Ready: true, Reasons: map[string]string{}, Notes: map[string]string{}}
	for _, c := range r.components {
		if reason := c.health.why(); reason != "" {
			state.Reasons[c.name] = reason
		}
		if note := c.health.noted(); note != "" {
			state.Notes[c.name] = note
		}
	}
	if r.draining {
		state.Reasons["process"] = "stopping"
	}
	state.Ready = len(state.Reasons) == 0
	return state
}

func (r *Runner) serveReadiness(w http.ResponseWriter, _ *http.Request) {
	state := r.Readiness()
	status := http.StatusOK
	if !state.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(state) // the asker has gone; nobody is left to tell
}
