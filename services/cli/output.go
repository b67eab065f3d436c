package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
)

// Outlet is stdout. It keeps the first write that failed, as on a full disk, and
// writes nothing after it, so that whoever prints line by line need not look.
type Outlet struct {
	io.Writer
	Broken error
}

// Write implements io.Writer.
func (o *Outlet) Write(b []byte) (int, error) {
	if o.Broken != nil {
		return 0, o.Broken
	}
	n, err := o.Writer.Write(b)
	if err != nil {
		o.Broken = Hinted(ExitError, "make room, or write it elsewhere: what was stored is there still", fmt.Errorf("the answer was not written whole: %w", err))
	}
	return n, o.Broken
}

// Answer is what a command prints on stdout.
type Answer struct {
	// Value is the whole answer, for json and yaml.
	Value any
	// Items are the lines of jsonl; nil means value on one line.
	Items []any
	// Text prints the answer for people.
	Text func(w io.Writer, p Paint)
	// Whole says that the text is for other programs: no line of it is broken.
	Whole bool
	// Grid is the answer as rows, for people when text is nil. Sheet are the rows of
	// csv: plain numbers under the names that json has. nil takes Items, as json has
	// them, or Grid where there are none.
	Grid, Sheet *Grid
	// Draw writes the answer as a picture; nil means that it has none.
	Draw func(w io.Writer, format string) error
}

// Print writes the answer in the format that was asked for. Its error is for
// an answer that was not written whole.
func (a *Terminal) Print(ans Answer) error {
	if err := a.write(ans); err != nil {
		return err
	}
	return a.Stdout.Broken
}

func (a *Terminal) write(ans Answer) error {
	switch a.Output {
	case "json":
		return WriteJSON(a.Stdout, ans.Value, "  ")
	case "jsonl":
		if ans.Items == nil {
			return WriteJSON(a.Stdout, ans.Value, "")
		}
		for _, item := range ans.Items {
			if err := WriteJSON(a.Stdout, item, ""); err != nil {
				return err
			}
		}
		return nil
	case "yaml":
		b, err := json.Marshal(ans.Value)
		if err != nil {
			return err
		}
		if b, err = yaml.JSONToYAML(b); err != nil {
			return err
		}
		_, err = a.Stdout.Write(b)
		return err
	case "csv":
		sheet, err := ans.sheet()
		if err != nil {
			return err
		}
		return sheet.csv(a.Stdout)
	case "svg", "png":
		if ans.Draw == nil {
			return Usagef("this answer is no picture: use -o table, json, jsonl or yaml instead of %s", a.Output)
		}
		return ans.Draw(a.Stdout, a.Output)
	}
	if ans.Text == nil {
		ans.Text = ans.Grid.Text
	}
	var text bytes.Buffer
	p := a.Paint()
	ans.Text(&text, p)
	if ans.Whole {
		p.Width = 0
	}
	_, err := io.WriteString(a.Stdout, p.fit(text.String()))
	return err
}

// WriteJSON writes a value as one JSON object and a line feed.
func WriteJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}
