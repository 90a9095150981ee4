package telemetry

import "testing"

func TestFewerAreKeptAsMoreIsDoneAndMoreAgainAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		now  int
		rate float64
		want int
	}{
		{0, 0, 0}, {0, 2000, 0}, {0, 2001, 1}, {3, 9000, 4}, {4, 1500, 4}, {4, 500, 4}, {4, 499, 3}, {1, 0, 0},
		{mostHalved, 9000, mostHalved},
	} {
		if got := halvings(c.now, c.rate, 2000); got != c.want {
			t.Errorf("halved %d times and %.0f a second: %d times, not %d", c.now, c.rate, got, c.want)
		}
	}
}
