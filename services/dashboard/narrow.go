package dashboard

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"

	"apollo/events"
	"apollo/events/unit"
)

// The words of the form that narrows a page for who cannot brush: a metric, and its least and
// largest value, as people write quantities.
const narrowOf, narrowFrom, narrowTo = "of", "from", "to"

// openEnd stands for no limit: a number that scripts read too.
const openEnd = 1e308

// narrowed is the address of a page that its form narrows; "" where it does not ask. The error
// is for people.
func narrowed(spec *events.Spec, v url.Values) (string, error) {
	if !v.Has(narrowOf) {
		return "", nil
	}
	i := spec.MetricIndex(v.Get(narrowOf))
	if i < 0 {
		return "", fmt.Errorf("the study has no metric %.60q", v.Get(narrowOf))
	}
	ends := [2]float64{-openEnd, openEnd}
	for k, word := range []string{narrowFrom, narrowTo} {
		if text := v.Get(word); text != "" {
			var err error
			if ends[k], err = inUnit(text, spec.Metrics[i].Unit); err != nil {
				return "", fmt.Errorf("%s of %s: %w", word, spec.Metrics[i].Short(), err)
			}
		}
	}
	to := url.Values{}
	for name, values := range v {
		to[name] = append(to[name], values...)
	}
	for _, word := range []string{narrowOf, narrowFrom, narrowTo, "page"} {
		to.Del(word)
	}
	end := func(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }
	if ends[0] > -openEnd || ends[1] < openEnd {
		to.Add("in", spec.Metrics[i].Name+":"+end(ends[0])+":"+end(ends[1]))
	}
	return "?" + to.Encode() + "#trials-table", nil
}

// inUnit reads a quantity; a number alone is one of the unit.
func inUnit(text, symbol string) (float64, error) {
	q, err := unit.Parse(text)
	if err != nil {
		return 0, fmt.Errorf("%w: want a number, with a unit or in %s", err, cmp.Or(symbol, "none"))
	}
	if q.Unit.Symbol == "" {
		return strconv.ParseFloat(q.Digits, 64)
	}
	if _, err := unit.Ratio(q.Unit.Symbol, symbol); err != nil {
		return 0, err
	}
	of, _ := unit.Find(symbol)
	return q.In(of), nil
}
