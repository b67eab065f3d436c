package draw

import "math"

// Ticks are round values from low to high, about most of them at most. There are
// none where the span is too short for values between them, or has no end.
func Ticks(low, high float64, most int) (values []float64) {
	rough := (high - low) / float64(most)
	step := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, by := range []float64{1, 2, 5, 10} {
		if by*step >= rough {
			step *= by
			break
		}
	}
	first := math.Ceil(low / step)
	if !(math.Abs(first) < 1<<52) { // beyond it the next whole number is the same one
		return nil
	}
	for k := range most + 2 {
		v := (first + float64(k)) * step
		if !(v <= high) {
			break
		}
		if v < low {
			continue // a share of the step that no number can say
		}
		values = append(values, v)
	}
	return values
}

// Decades are the powers of ten from low to high, both above 0, and where these are
// few twice and five times them.
func Decades(low, high float64) (values []float64) {
	if !(low > 0 && low <= high && high <= math.MaxFloat64) {
		return nil
	}
	from, to := math.Log10(low), math.Log10(high)
	digits := []float64{1, 2, 5}
	if to-from > 3 {
		digits = digits[:1]
	}
	for k := int(math.Floor(from)); k <= int(to); k++ {
		for _, d := range digits {
			if v := d * math.Pow10(k); v >= low && v <= high {
				values = append(values, v)
			}
		}
	}
	return values
}

// Alike reports whether two values are too near to each other for a scale between
// them: they are one.
func Alike(low, high float64) bool {
	return !(high-low > 1e-9*max(math.Abs(low), math.Abs(high)))
}
