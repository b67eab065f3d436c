package tflite

import (
	"encoding/binary"
	"fmt"

	"apollo/evaluator/workload/graph"
)

// reader reads FlatBuffers (https://flatbuffers.dev/internals) with every
// access checked. The first mistake stays in err, and reads after it return
// zero values, so that callers check once per table.
type reader struct {
	data    []byte
	objects int
	err     error
}

func (r *reader) fail(at int, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("offset %d: "+format, append([]any{at}, args...)...)
	}
}

// count charges n objects to the budget of the file.
func (r *reader) count(at, n int) bool {
	r.objects += n
	if r.objects > graph.MaxObjects {
		r.fail(at, "the file has more than %d tables and list entries", graph.MaxObjects)
	}
	return r.err == nil
}

// bytes returns n bytes at an offset, or nil.
func (r *reader) bytes(at, n int) []byte {
	if r.err != nil || at < 0 || n < 0 || at > len(r.data)-n {
		r.fail(at, "%d bytes expected, the file ends at %d", n, len(r.data))
		return nil
	}
	return r.data[at : at+n]
}

func (r *reader) u16(at int) int {
	if b := r.bytes(at, 2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (r *reader) u32(at int) int {
	if b := r.bytes(at, 4); b != nil {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

func (r *reader) i32(at int) int64 { return int64(int32(uint32(r.u32(at)))) }

// table is a table and its field list.
type table struct {
	r              *reader
	at, list, size int
}

// table returns the table that the offset at points to.
func (r *reader) table(at int) table {
	if !r.count(at, 1) {
		return table{r: r}
	}
	t := table{r: r, at: at + r.u32(at)}
	t.list = t.at - int(r.i32(t.at))
	t.size = r.u16(t.list)
	if t.size < 4 || r.bytes(t.list, t.size) == nil {
		r.fail(t.at, "this is not a table")
		return table{r: r}
	}
	return t
}

// field returns the offset of a field, 0 when it is absent.
func (t table) field(i int) int {
	slot := 4 + 2*i
	if t.r.err != nil || slot+2 > t.size {
		return 0
	}
	if off := t.r.u16(t.list + slot); off != 0 {
		return t.at + off
	}
	return 0
}

func (t table) int32(i int, absent int64) int64 {
	if at := t.field(i); at != 0 {
		return t.r.i32(at)
	}
	return absent
}

func (t table) byte(i int) int {
	if at := t.field(i); at != 0 {
		if b := t.r.bytes(at, 1); b != nil {
			return int(b[0])
		}
	}
	return 0
}

// child returns a field that is a table; ok is false when it is absent.
func (t table) child(i int) (sub table, ok bool) {
	at := t.field(i)
	if at == 0 {
		return table{r: t.r}, false
	}
	sub = t.r.table(at)
	return sub, t.r.err == nil
}

// list is a vector: n entries from an offset.
type list struct {
	r     *reader
	at, n int
}

// list returns a field that is a vector of entries of the given bytes.
func (t table) vector(i, width int) list {
	at := t.field(i)
	if at == 0 {
		return list{r: t.r}
	}
	start := at + t.r.u32(at)
	n := t.r.u32(start)
	if t.r.err != nil || n > (len(t.r.data)-start)/width {
		t.r.fail(start, "a list of %d entries does not fit into the file", n)
		return list{r: t.r}
	}
	return list{t.r, start + 4, n}
}

// tables returns a vector of tables, at most limit.
func (t table) tables(i, limit int, what string) list {
	l := t.vector(i, 4)
	if l.n > limit {
		t.r.fail(l.at, "the file has %d %s, the limit is %d", l.n, what, limit)
		return list{r: t.r}
	}
	return l
}

func (l list) table(i int) table { return l.r.table(l.at + 4*i) }

// ints returns a vector of 32-bit integers.
func (t table) ints(i int) []int64 {
	l := t.vector(i, 4)
	if l.n == 0 || !t.r.count(l.at, l.n) {
		return nil
	}
	out := make([]int64, l.n)
	for j := range out {
		out[j] = t.r.i32(l.at + 4*j)
	}
	return out
}

// text returns a string, clipped to what a name keeps.
func (t table) text(i int) string {
	l := t.vector(i, 1)
	return graph.Clip(t.r.bytes(l.at, min(l.n, graph.MaxName)))
}
