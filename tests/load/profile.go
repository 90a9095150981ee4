package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
)

// profileSeconds is how long the service is profiled; the load must last about as long.
const profileSeconds = 8

// profile fetches a CPU profile of the running service into a file; the channel answers when it is there.
func (b *bench) profile(ctx context.Context, ops, file string) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", ops, profileSeconds), file)
	}()
	return done
}

func fetch(ctx context.Context, address, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("fetching the profile: %w", err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("fetching the profile: %w", err)
	}
	return os.WriteFile(file, content, 0o644)
}
