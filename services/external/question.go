package external

import (
	"encoding/json"
	"fmt"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

// question builds the lines of one task. What is the same for all designs is
// encoded once.
type question struct {
	names []string // the parameters, quoted and with a colon
	tail  string   // units, metrics and networks, up to the end of the line
}

func newQuestion(params []space.Param, metrics []evaluator.Metric, networks []evaluator.Network) question {
	var q question
	units := map[string]string{}
	for _, p := range params {
		q.names = append(q.names, quote(p.Name)+":")
		if p.Unit != "" {
			units[p.Name] = p.Unit
		}
	}
	wanted := map[string]string{}
	for _, m := range metrics {
		wanted[m.Name] = m.Unit
	}
	type network struct {
		Name   string  `json:"name"`
		Weight float64 `json:"weight"`
	}
	names := []network{}
	for _, n := range networks {
		names = append(names, network{n.Workload.Name, n.Weight})
	}
	q.tail = `},"units":` + encode(units) + `,"metrics":` + encode(wanted)
	if len(names) > 0 {
		q.tail += `,"networks":` + encode(names)
	}
	q.tail += "}\n"
	return q
}

// line writes the question about one design: the parameters in the order of
// the task.
func (q question) line(id string, r evaluator.Request) []byte {
	b := fmt.Appendf(nil, `{"id":%s,"study":%s,"trial":%d,"design":{`, quote(id), quote(r.Study), r.Trial)
	for i, v := range r.Design {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, q.names[i]...)
		if v.Label != "" {
			b = append(b, quote(v.Label)...)
			continue
		}
		b = append(b, encode(v.Num)...)
	}
	return append(b, q.tail...)
}

// describeLine asks the program to describe itself.
func describeLine(id string) []byte {
	return fmt.Appendf(nil, "{\"id\":%s,\"op\":\"describe\"}\n", quote(id))
}

func quote(s string) string { return encode(s) }

// encode returns the JSON of values that always have one: texts, finite
// numbers and maps of texts, whose keys come out sorted.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}
