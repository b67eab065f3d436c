// Package number names the formats of numbers that networks compute with:
// whole numbers and floating-point ones of a width.
package number

import "fmt"

// Kind is how the bits of a number are read.
type Kind string

// The kinds. Float has an exponent of 2 (4 bits), 4 (8), 5 (16) or 8 bits (32), Brain
// the 8 bits of a 32-bit number in 16.
const (
	Int   Kind = ""
	Float Kind = "float"
	Brain Kind = "bfloat"
)

// Kinds are the values of Kind.
func Kinds() []Kind { return []Kind{Int, Float, Brain} }

// Format is a format of numbers.
type Format struct {
	Kind Kind
	Bits int64
}

// named are the formats that have a name.
var named = [...]struct {
	name string
	Format
}{
	{"int4", Format{Int, 4}},
	{"int8", Format{Int, 8}},
	{"int16", Format{Int, 16}},
	{"int32", Format{Int, 32}},
	{"fp4", Format{Float, 4}},
	{"fp8", Format{Float, 8}},
	{"bf16", Format{Brain, 16}},
	{"fp16", Format{Float, 16}},
	{"fp32", Format{Float, 32}},
}

// Names returns the names that Named knows.
func Names() []string {
	var list []string
	for _, f := range named {
		list = append(list, f.name)
	}
	return list
}

// Named returns the format with a name; false when there is none.
func Named(name string) (Format, bool) {
	for _, f := range named {
		if f.name == name {
			return f.Format, true
		}
	}
	return Format{}, false
}

// String returns the format's name, or its kind and width.
func (f Format) String() string {
	for _, n := range named {
		if n.Format == f {
			return n.name
		}
	}
	if f.Kind == Int {
		return fmt.Sprintf("int%d", f.Bits)
	}
	return fmt.Sprintf("%s%d", f.Kind, f.Bits)
}

// Product returns the format of the multiplier for operands of which one is a
// floating-point number at least: of the wider one's width, to which the other
// is brought first.
func Product(a, b Format) Format {
	p := Format{Float, max(a.Bits, b.Bits)}
	half := Format{Float, 16}
	if p.Bits == half.Bits && a != half && b != half && (a.Kind == Brain || b.Kind == Brain) {
		p.Kind = Brain
	}
	return p
}

// Sum returns the format in which products of two operands are summed: an
// integer or a floating-point number of the given width.
func Sum(a, b Format, bits int64) Format {
	if a.Kind == Int && b.Kind == Int {
		return Format{Int, bits}
	}
	return Format{Float, bits}
}
