package external

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

// question builds the lines of one task. What is the same for all designs is
// encoded once.
type question struct {
	names    []string // the parameters, quoted and with a colon
	tail     string   // units and metrics
	networks []networkText
}

// networkText is a network as a question says it.
type networkText struct {
	name   string
	sha256 string
	head   string // name, weight and hash, without the end of the object
	layers string // the canonical workload
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
	q.tail = `},"units":` + encode(units) + `,"metrics":` + encode(wanted)
	for _, n := range networks {
		q.networks = append(q.networks, textOf(n))
	}
	return q
}

func textOf(n evaluator.Network) networkText {
	t := networkText{name: n.Workload.Name, head: `{"name":` + quote(n.Workload.Name) + `,"weight":` + encode(n.Weight)}
	id, err := n.Workload.Identity()
	layers, layersErr := n.Workload.CanonicalJSON()
	if err == nil && layersErr == nil { // both hold for every network of a study
		t.sha256, t.layers = id, string(bytes.TrimSpace(layers))
		t.head += `,"sha256":` + quote(id)
	}
	return t
}

// about is the question about one of the networks, or about another one of a family.
func (q question) about(n evaluator.Network) question {
	one := slices.DeleteFunc(slices.Clone(q.networks), func(o networkText) bool { return o.name != n.Workload.Name })
	if len(one) == 0 {
		one = []networkText{textOf(n)}
	}
	q.networks = one
	return q
}

// asking is what a line says besides the design.
type asking struct {
	id string
	// op is "" for an evaluation.
	op string
	// limit is the time for the answer; 0 means none.
	limit time.Duration
	// scratch is the folder that the question has for itself; "" for none.
	scratch string
	// knows are the networks whose layers the process has; nil means that it needs
	// none.
	knows map[string]bool
}

// line writes the question about one design: the parameters in the order of
// the task.
func (q question) line(a asking, r evaluator.Request) []byte {
	b := fmt.Appendf(nil, `{"id":%s,`, quote(a.id))
	if a.op != "" {
		b = fmt.Appendf(b, `"op":%s,`, quote(a.op))
	}
	b = fmt.Appendf(b, `"study":%s,"trial":%d,"design":{`, quote(r.Study), r.Trial)
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
	b = q.appendNetworks(append(b, q.tail...), a.knows)
	return append(appendCircumstances(b, a, r), "}\n"...)
}

// appendNetworks writes the networks, with the layers of those that the process
// has not got before.
func (q question) appendNetworks(b []byte, knows map[string]bool) []byte {
	if len(q.networks) == 0 {
		return b
	}
	b = append(b, `,"networks":[`...)
	for i, n := range q.networks {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, n.head...)
		if n.layers != "" && knows != nil && !knows[n.sha256] {
			b = append(append(b, `,"workload":`...), n.layers...)
			knows[n.sha256] = true
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendCircumstances writes what is known of the trial and its attempt.
func appendCircumstances(b []byte, a asking, r evaluator.Request) []byte {
	if r.Run != "" {
		b = fmt.Appendf(b, `,"run":%s`, quote(r.Run))
	}
	if r.Attempt > 0 {
		b = fmt.Appendf(b, `,"attempt":%d,"attempts":%d,"seed":%d`, r.Attempt, r.Attempts, r.Seed)
	}
	if len(r.Limits) > 0 {
		b = append(append(b, `,"limits":`...), encode(r.Limits)...)
	}
	if r.Watched != "" {
		b = fmt.Appendf(b, `,"early_stop":{"metric":%s}`, quote(r.Watched))
	}
	if a.limit > 0 {
		b = fmt.Appendf(b, `,"timeout_s":%s,"deadline_s":%s`, decimal(a.limit.Seconds()), decimal(float64(time.Now().Add(a.limit).UnixMilli())/1e3))
	}
	if a.scratch != "" {
		b = fmt.Appendf(b, `,"scratch":%s`, quote(a.scratch))
	}
	return b
}

// decimal writes a number without an exponent, which every reader takes.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

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
