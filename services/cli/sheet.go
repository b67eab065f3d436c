package cli

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// sheet are the rows of csv.
func (ans *Answer) sheet() (*Grid, error) {
	switch {
	case ans.Sheet != nil:
		return ans.Sheet, nil
	case len(ans.Items) > 0:
		return flatten(ans.Items)
	case ans.Grid != nil:
		return ans.Grid, nil
	}
	return nil, Usagef("this answer is no table of rows: use -o json, jsonl or yaml instead of csv")
}

// flatten makes a row of every item: its numbers and texts as json has them, under
// the same names; what is inside of an object has its name before a dot.
func flatten(items []any) (*Grid, error) {
	g := &Grid{}
	var rows []map[string]string
	for _, item := range items {
		text, err := json.Marshal(item)
		if err != nil {
			return nil, err
		}
		r := flatRow{cells: map[string]string{}}
		if err := r.object("", text); err != nil {
			return nil, err
		}
		for _, name := range r.names {
			if !slices.Contains(g.Header, name) {
				g.Header = append(g.Header, name)
			}
		}
		rows = append(rows, r.cells)
	}
	for _, row := range rows {
		cells := make([]string, len(g.Header))
		for i, name := range g.Header {
			cells[i] = row[name]
		}
		g.Add(cells...)
	}
	return g, nil
}

// flatRow is an item as cells, with their names in order.
type flatRow struct {
	names []string
	cells map[string]string
}

func (r *flatRow) object(prefix string, text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return r.value(strings.TrimSuffix(prefix, "."), text) // no object: one cell
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		name, _ := key.(string)
		if value[0] == '{' {
			err = r.object(prefix+name+".", value)
		} else {
			err = r.value(prefix+name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *flatRow) value(name string, text []byte) error {
	cell := string(text)
	switch text[0] {
	case '"':
		if err := json.Unmarshal(text, &cell); err != nil {
			return err
		}
	case 'n':
		cell = ""
	case '[':
		var words []string
		if json.Unmarshal(text, &words) == nil {
			cell = strings.Join(words, " ")
		}
	}
	if name == "" {
		name = "value"
	}
	r.names, r.cells[name] = append(r.names, name), cell
	return nil
}
