package archiver

import (
	"fmt"
	"slices"
	"strings"

	"apollo/archiver/parquetcheck"
)

// UnitSuffix is how a unit ends a metric's name: latency_s, rate_b_per_s.
func UnitSuffix(symbol string) string {
	if symbol == "" {
		return ""
	}
	return "_" + strings.ToLower(strings.ReplaceAll(symbol, "/", "_per_"))
}

// unite makes one set of columns of the files of a source, by name and type.
// Files that cannot be part of it leave the catalogue; who reads it hears why.
func (c *catalogue) unite() *Columns {
	slices.SortFunc(c.files, func(a, b *scanFile) int { return strings.Compare(a.path, b.path) })
	u := union{all: &Columns{}, kinds: map[string]found{}}
	for _, f := range c.files {
		if f.cols.Spec != nil {
			u.all, u.first = f.cols, f.path
			break
		}
	}
	kept := c.files[:0]
	for _, f := range c.files {
		if err := u.addFile(f); err != nil {
			c.bad = append(c.bad, &FileError{Path: f.path, Err: err})
			continue
		}
		kept = append(kept, f)
	}
	c.files = kept
	return u.all
}

// union is the columns of the files so far.
type union struct {
	all *Columns
	// first is the file whose specification all is; "" without one.
	first string
	// kinds are the columns that some file has a value in, by name.
	kinds map[string]found
}

// found is a column's type, and the file that it was first seen in.
type found struct {
	kind       Kind
	unit, path string
}

func (u *union) addFile(f *scanFile) error {
	if u.first != "" {
		return u.addToSpec(f)
	}
	for i := range f.cols.Parameters {
		p := &f.cols.Parameters[i]
		if err := u.sameUnit(paramPrefix+p.Name, p.Unit); err != nil {
			return err
		}
	}
	for _, m := range f.cols.Metrics {
		if err := u.sameUnit(metricColumn(m.Name), m.Unit); err != nil {
			return err
		}
	}
	for _, col := range f.cols.Unread {
		if f.rows > 0 {
			u.all.Unread = append(u.all.Unread, col)
		}
	}
	for i, p := range f.cols.Parameters {
		if f.valued[i] {
			u.parameter(p, f.path)
		}
	}
	for i, m := range f.cols.Metrics {
		if f.valued[len(f.cols.Parameters)+i] {
			u.metric(m, f.path)
		}
	}
	return nil
}

// addToSpec takes a file beside one that carries the study's specification:
// its columns are that study's.
func (u *union) addToSpec(f *scanFile) error {
	if f.cols.Spec != nil {
		if f.cols.signature() != u.all.signature() {
			return parquetcheck.Unfit("its specification has other parameters, metrics or units than that of %s", u.first)
		}
		return nil
	}
	for _, p := range f.cols.Parameters {
		for _, q := range u.all.Parameters {
			if p.Name != q.Name {
				continue
			}
			if p.Unit != q.Unit {
				return unitsDiffer(paramPrefix+p.Name, p.Unit, q.Unit, u.first)
			}
		}
	}
	for _, m := range f.cols.Metrics {
		for _, o := range u.all.Metrics {
			if m.Name == o.Name && m.Unit != o.Unit && (m.Unit != "" || !strings.HasSuffix(m.Name, UnitSuffix(o.Unit))) {
				return unitsDiffer(metricColumn(m.Name), m.Unit, o.Unit, u.first)
			}
		}
	}
	return nil
}

// sameUnit refuses files that mean different numbers by one column.
func (u *union) sameUnit(column, unit string) error {
	if old, seen := u.kinds[column]; seen && old.unit != unit {
		return unitsDiffer(column, unit, old.unit, old.path)
	}
	return nil
}

func unitsDiffer(column, here, there, path string) error {
	return parquetcheck.Unfit("column %q has the unit %q here and %q in %s: write the same into the metadata %s", column, here, there, path, metaUnits)
}

func (u *union) parameter(p Parameter, path string) {
	column := paramPrefix + p.Name
	old, seen := u.kinds[column]
	if !seen {
		u.kinds[column] = found{kind: p.Kind, unit: p.Unit, path: path}
		u.all.Parameters = append(u.all.Parameters, p)
		return
	}
	kind, ok := join(old.kind, p.Kind)
	if !ok {
		u.all.Parameters = slices.DeleteFunc(u.all.Parameters, func(q Parameter) bool { return q.Name == p.Name })
		u.all.Unread = append(u.all.Unread, Unread{column, fmt.Sprintf("of type %v in %s and %v in %s", old.kind, old.path, p.Kind, path)})
		return
	}
	old.kind = kind
	u.kinds[column] = old
	for i := range u.all.Parameters {
		if u.all.Parameters[i].Name == p.Name {
			u.all.Parameters[i].Kind = kind
		}
	}
}

func (u *union) metric(m Metric, path string) {
	column := metricColumn(m.Name)
	if _, seen := u.kinds[column]; seen {
		return
	}
	u.kinds[column] = found{kind: KindFloat, unit: m.Unit, path: path}
	u.all.Metrics = append(u.all.Metrics, m)
}

// join is the type that holds the values of both.
func join(a, b Kind) (Kind, bool) {
	number := func(k Kind) bool { return k == KindInt || k == KindFloat }
	switch {
	case a == b:
		return a, true
	case number(a) && number(b), number(a) && b == KindWord, a == KindWord && number(b):
		return KindFloat, true
	case a == KindWord && b == KindString, a == KindString && b == KindWord:
		return KindString, true
	}
	return 0, false
}

// signature tells specifications apart whose rows mean different numbers.
func (c *Columns) signature() string {
	var b strings.Builder
	for _, p := range c.Parameters {
		fmt.Fprintf(&b, "%s %s %d\n", p.Name, p.Unit, p.Kind)
	}
	for _, m := range c.Metrics {
		fmt.Fprintf(&b, "%s %s\n", m.Name, m.Unit)
	}
	return b.String()
}
