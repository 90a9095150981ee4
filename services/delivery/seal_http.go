package delivery

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// What endpoints are signed with is sealed under a key of each endpoint's own, which is wrapped by the key that wraps
// keys: whoever reads the database, a backup, or the answers that are kept for repetitions can sign nothing.

const fieldSecret = "secret"

// noSeal is that the key that wraps keys is not there.
func noSeal() error {
	return httpx.NewProblem(http.StatusServiceUnavailable, "Webhooks are not set up here: the key that seals their "+
		"secrets is not there. Use the feed, and tell whoever runs this system.")
}

// newSecretFor gives an endpoint a new secret, sealed; what it had signs on as the former one.
func (s *Service) newSecretFor(one *subscription) error {
	if s.vault == nil {
		return noSeal()
	}
	key, err := s.vault.Unwrap(one.ID, one.Key)
	if err != nil { // it has none, or none that can be read: nothing that it was signed with can be used any more
		if key, one.Key, err = s.vault.NewKey(one.ID); err != nil {
			return err
		}
		one.Secret = nil
	}
	if one.Former = one.Secret; len(one.Former) == 0 {
		one.Former, one.FormerUntil = nil, nil
	}
	one.Secret = key.Seal(fieldSecret, newSecret())
	return nil
}

// openSecrets reads what a parcel is signed with; nothing where it cannot be read.
func (s *Service) openSecrets(p *parcel) {
	sealed, former := p.Secret, p.Former
	p.Secret, p.Former = nil, nil
	if s.vault == nil {
		return
	}
	key, err := s.vault.Unwrap(p.Subscription, p.Key)
	if err != nil {
		return
	}
	if p.Secret, err = key.Open(fieldSecret, sealed); err != nil {
		p.Secret = nil
	}
	if p.Former, err = key.Open(fieldSecret, former); err != nil {
		p.Former = nil
	}
}

// withSecret writes an answer with the secret of the endpoint that it shows, which is not in what is kept for a
// repetition: that gets the secret as it is then.
func (a api) withSecret(w http.ResponseWriter, r *http.Request, who principal.Principal, answer httpx.Answer) error {
	var shown subscriptionShown
	if err := json.Unmarshal(answer.Body, &shown); err != nil || answer.Status >= http.StatusBadRequest {
		return answer.Write(w)
	}
	batch := &pgx.Batch{}
	subscriptionsOf(batch, who, func(one subscription) {
		if one.ID != shown.ID || a.vault == nil {
			return
		}
		if key, err := a.vault.Unwrap(one.ID, one.Key); err == nil {
			if secret, err := key.Open(fieldSecret, one.Secret); err == nil {
				shown.Secret = secretText(secret)
			}
		}
	})
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("reading what an endpoint is signed with: %w", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, answer.Status, shown)
}
