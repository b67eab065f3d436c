package dashboard

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/cli"
)

// amount writes a measured value for people, with the signs that a page can show.
func amount(v float64, unit string) string {
	text := cli.Metric(v, unit)
	if number, of, _ := strings.Cut(text, " "); len(number) > longestNumber && !strings.Contains(number, "e") {
		if whole, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", ""), 64); err == nil {
			text = strings.TrimSpace(strconv.FormatFloat(whole, 'g', 4, 64) + " " + of)
		}
	}
	return signs(text)
}

// longestNumber is that of a billion less one, with its commas and a sign: longer ones have a
// power of ten on pages, where they stand in narrow columns and at ticks.
const longestNumber = len("-999,999,999")

// signs writes units as pages do: "249 us" as "249 µs", "6.8 mm2" as "6.8 mm²".
func signs(text string) string {
	number, unit, has := strings.Cut(text, " ")
	if !has {
		return text
	}
	return number + "\u00a0" + unitSigns(unit)
}

func unitSigns(unit string) string {
	if strings.HasPrefix(unit, "u") {
		unit = "µ" + unit[1:]
	}
	return strings.ReplaceAll(unit, "mm2", "mm²")
}

// hintText writes what is to be done, with the commands that it names set apart.
func hintText(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if part = template.HTMLEscapeString(part); i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // every part was escaped
}

// changeText writes a relative change.
func changeText(share float64) string {
	return strings.Replace(fmt.Sprintf("%+.1f\u00a0%%", 100*share), "-", "−", 1)
}

// metricText writes a value of a metric of a study.
func metricText(spec *events.Spec, metric string, v float64) string {
	if i := spec.MetricIndex(metric); i >= 0 {
		return amount(v, spec.Metrics[i].Unit)
	}
	return cli.Significant(v)
}

// shortName is a metric's name without its unit.
func shortName(spec *events.Spec, metric string) string {
	if i := spec.MetricIndex(metric); i >= 0 {
		return spec.Metrics[i].Short()
	}
	return metric
}

// bestText is a metric of a best trial, "–" where it has none.
func bestText(spec *events.Spec, best *events.BestTrial, metric string) string {
	if best == nil {
		return "–"
	}
	v, measured := best.Metrics[metric]
	if !measured {
		return "–"
	}
	return metricText(spec, metric, v)
}

// ago is how long ago something was, roughly.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return cli.Plural(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return cli.Plural(int(d.Hours()), "hour") + " ago"
	}
	return t.Format("2 Jan 2006")
}

// breakable lets a browser break a long name after its underscores.
func breakable(name string) string { return strings.ReplaceAll(name, "_", "_\u200b") }

// unbreak undoes breakable.
func unbreak(name string) string { return strings.ReplaceAll(name, "\u200b", "") }
