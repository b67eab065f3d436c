package cli

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// sheet are the rows of csv.
func (ans *Answer) sheet() (*Grid, error) {
	switch {
	case ans.Sheet != nil:
		return ans.Sheet, nil
	case len(ans.Items) > 0:
		return Flatten(ans.Items)
	case ans.Grid != nil:
		return ans.Grid, nil
	}
	return nil, Usagef("this answer is no table of rows: use -o json, jsonl or yaml instead of csv")
}

// Flatten makes a row of every item: its numbers and texts as json has them, under
// the same names. What is inside of an object has its name before a dot, and so have the
// objects of a list, which are counted from 0; other lists are one cell, with spaces.
func Flatten(items []any) (*Grid, error) {
	g, known := &Grid{}, map[string]bool{}
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
			if !known[name] {
				known[name], g.Header = true, append(g.Header, name)
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
		var objects []json.RawMessage
		switch {
		case value[0] == '{':
			err = r.object(prefix+name+".", value)
		case value[0] == '[' && json.Unmarshal(value, &objects) == nil && len(objects) > 0 && objects[0][0] == '{':
			for i := range objects {
				if err == nil {
					err = r.object(prefix+name+"."+strconv.Itoa(i)+".", objects[i])
				}
			}
		default:
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
		var words []json.RawMessage
		if json.Unmarshal(text, &words) == nil {
			cell = joined(words)
		}
	}
	if name == "" {
		name = "value"
	}
	r.names, r.cells[name] = append(r.names, name), cell
	return nil
}

// joined are the items of a list as one cell.
func joined(items []json.RawMessage) string {
	texts := make([]string, len(items))
	for i, item := range items {
		if json.Unmarshal(item, &texts[i]) != nil { // no text
			texts[i] = string(item)
		}
	}
	return strings.Join(texts, " ")
}
