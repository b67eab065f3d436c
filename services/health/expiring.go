package health

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"apollo/events"
)

// How long before credentials or a certificate run out somebody has to look, and when
// it is a fault.
const (
	soonOver = 14 * 24 * time.Hour
	overNow  = 24 * time.Hour
)

// Expirer is a bus that knows what proves who is who on its connection, and when each
// of that runs out.
type Expirer interface {
	Expiries() map[string]time.Time
}

// Expiries are those of a bus; none where it knows of none.
func Expiries(bus events.Bus) map[string]time.Time {
	if e, ok := bus.(Expirer); ok {
		return e.Expiries()
	}
	return nil
}

// Expiring says of credentials and certificates when they run out.
func Expiring(bus events.Bus, now time.Time) (out []Finding) {
	ends := Expiries(bus)
	for _, what := range slices.Sorted(maps.Keys(ends)) {
		left := ends[what].Sub(now)
		f := Finding{Check: what, OK: left > overNow, Warning: left > overNow && left < soonOver}
		at := ends[what].UTC().Format(time.RFC3339)
		switch {
		case left <= 0:
			f.Text = "ran out at " + at
		case left < 2*overNow:
			f.Text = fmt.Sprintf("runs out at %s, in %.1f h", at, left.Hours())
		default:
			f.Text = fmt.Sprintf("valid until %s, for %.0f days", at, left.Hours()/24)
		}
		if left < soonOver {
			f.Hint = "put a new one in its place: it is read when the connection is made again, without a restart"
		}
		out = append(out, f)
	}
	return out
}
