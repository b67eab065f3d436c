package health

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"apollo/events"
)

// How long before credentials or a certificate run out somebody has to look, and when
// it is a fault: at most so long, and less where they are issued for days or hours.
const (
	soonOver, soonShare = 14 * 24 * time.Hour, 5
	overNow, nowShare   = 24 * time.Hour, 20
)

// Expirer is a bus that knows what proves who is who on its connection, and when each
// of that runs out.
type Expirer interface {
	Expiries() map[string]events.Validity
}

// Expiries are those of a bus; none where it knows of none.
func Expiries(bus events.Bus) map[string]events.Validity {
	if e, ok := bus.(Expirer); ok {
		return e.Expiries()
	}
	return nil
}

// Expiring says of credentials and certificates when they run out.
func Expiring(bus events.Bus, now time.Time) (out []Finding) {
	ends := Expiries(bus)
	for _, what := range slices.Sorted(maps.Keys(ends)) {
		v := ends[what]
		left, life := v.Until.Sub(now), v.Until.Sub(v.From)
		soon := left < min(soonOver, life/soonShare)
		f := Finding{Check: what, OK: left > min(overNow, life/nowShare)}
		f.Warning = f.OK && soon
		at := v.Until.UTC().Format(time.RFC3339)
		switch {
		case left <= 0:
			f.Text = "ran out at " + at
		case left < 2*overNow:
			f.Text = fmt.Sprintf("runs out at %s, in %.1f h", at, left.Hours())
		default:
			f.Text = fmt.Sprintf("valid until %s, for %.0f days", at, left.Hours()/24)
		}
		if soon {
			f.Hint = "put a new one in its place: it is read when the connection is made again, without a restart"
		}
		out = append(out, f)
	}
	return out
}
