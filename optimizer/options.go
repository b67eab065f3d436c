package optimizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// knobs is an Algorithm that can check its fields before a study starts.
type knobs interface {
	Algorithm
	validate() error
}

// configure reads the fields of A from a JSON object and checks them.
func configure[A knobs](options []byte) (Algorithm, error) {
	var a A
	if err := readOptions(options, &a); err != nil {
		return nil, err
	}
	if err := a.validate(); err != nil {
		return nil, fmt.Errorf("option %w", err)
	}
	return a, nil
}

// readOptions is stricter than json.Unmarshal: a key counts only in its exact
// spelling, once, and with a value.
func readOptions(options []byte, into any) error {
	if len(bytes.TrimSpace(options)) == 0 {
		return nil
	}
	known := jsonKeys(reflect.TypeOf(into).Elem())
	d := json.NewDecoder(bytes.NewReader(options))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.New("options are not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("read options: %w", err)
		}
		key, _ := token.(string) // the decoder lets nothing else be a key
		if !slices.Contains(known, key) {
			return unknownOption(key, known)
		}
		if seen[key] {
			return fmt.Errorf("option %s is set twice", key)
		}
		seen[key] = true
		if err := readOption(d, key, into); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("read options: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("options go on after the JSON object")
	}
	return nil
}

func readOption(d *json.Decoder, key string, into any) error {
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("read option %s: %w", key, err)
	}
	if string(value) == "null" {
		return fmt.Errorf("option %s is null: leave it out for the default", key)
	}
	head := "{" + strconv.Quote(key) + ":"
	err := json.Unmarshal([]byte(head+string(value)+"}"), into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		name := key
		if i := strings.LastIndex(wrong.Field, key+"."); i >= 0 {
			name = wrong.Field[i:]
		}
		return &mistypedOption{fmt.Sprintf("option %s is a %s, but must be of type %s", name, wrong.Value, wrong.Type), wrong.Offset - int64(len(head))}
	}
	if err != nil {
		return fmt.Errorf("read option %s: %w", key, err)
	}
	return nil
}

// mistypedOption is the error for an option, or a field of it, of another type.
type mistypedOption struct {
	text   string
	offset int64
}

func (e *mistypedOption) Error() string { return e.text }

// Offset is where the option's JSON stopped to be right, in bytes after its begin.
func (e *mistypedOption) Offset() int64 { return e.offset }

func unknownOption(key string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("unknown option %q: it takes none", key)
	}
	return fmt.Errorf("unknown option %q%s: known are %s", key, suggestion(key, known), strings.Join(known, ", "))
}

// jsonKeys lists the keys of a struct of knobs in the order of its fields.
func jsonKeys(t reflect.Type) []string {
	var keys []string
	for field := range t.Fields() {
		if field.Anonymous {
			keys = append(keys, jsonKeys(field.Type)...)
		}
		if key := field.Tag.Get("json"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
