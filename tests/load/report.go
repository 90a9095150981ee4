package load

import (
	"fmt"
	"time"
)

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (b *bench) report() error {
	for _, v := range b.variants() {
		r := b.results[v.name]
		if r == nil {
			continue
		}
		b.say("%s: %.1f rows, %.1f events, %.1f deliveries, %.0f bytes", v.name, float64(r.Footprint.allRows())/r.Units, float64(r.Footprint.events)/r.Units,
			float64(r.Footprint.deliveries)/r.Units, float64(r.Footprint.bytes)/r.Units)
		for _, t := range r.Footprint.tables() {
			b.say("   %-30s %.2f", t, float64(r.Footprint.rows[t])/r.Units)
		}
		b.say("  %s", fmt.Sprint(r.Memory))
	}
	return nil
}
