package archiver

import (
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// form says how the physical values of a column become values of the log. The
// table of all types is in docs/transfer.md.
type form uint8

const (
	formNumber   form = iota // BOOLEAN, INT32, INT64, FLOAT, DOUBLE as they are
	formUnsigned             // INT32 and INT64 that are UINT
	formHalf                 // FIXED_LEN_BYTE_ARRAY(2) that is FLOAT16
	formDecimal              // a whole number of 10^-scale
	formText                 // bytes that are UTF-8
	formUUID                 // 16 bytes
	formTime                 // INT64 of a unit
	formInt96                // nanoseconds of a Julian day
)

// fileColumn is a top-level column of a file.
type fileColumn struct {
	name string
	// unread says why no value of it can be read: its type, by name. "" means
	// that it can be.
	unread string
	// null is set for columns that hold NULL throughout: nothing is read.
	null bool
	kind Kind
	form form
	from parquet.Kind
	// scale is a decimal's, or what turns a timestamp into microseconds: by
	// multiplication or, when divide is set, by division.
	scale  int64
	divide bool
	// leaf is the index of its chunk in every row group.
	leaf     int
	optional bool
}

// fileColumns lists the top-level columns of a schema that was checked.
func fileColumns(schema []format.SchemaElement) []*fileColumn {
	var list []*fileColumn
	seen := map[string]*fileColumn{}
	leaf := 0
	for i := 1; i < len(schema); {
		e := &schema[i]
		c := typeOf(e)
		c.name, c.leaf = e.Name, leaf
		if isAdded(c.name) && c.unread == "" && (c.kind == KindFloat || c.kind == KindInt) && !c.null {
			c.name = metricPrefix + c.name // what it would be called today
		}
		next := i + subtree(schema[i:])
		for ; i < next; i++ {
			if schema[i].Type.Valid {
				leaf++
			}
		}
		if twin := seen[c.name]; twin != nil {
			twin.unread = "there twice"
			continue
		}
		seen[c.name] = c
		list = append(list, c)
	}
	return list
}

// subtree returns how many elements the first one and all below it are.
func subtree(schema []format.SchemaElement) int {
	n := 1
	for range schema[0].NumChildren.V {
		n += subtree(schema[n:])
	}
	return n
}

// typeOf says what a column's values are.
func typeOf(e *format.SchemaElement) *fileColumn {
	c := &fileColumn{scale: 1}
	if !e.Type.Valid || e.RepetitionType.V == format.Repeated {
		c.unread = "nested"
		return c
	}
	c.from, c.optional = parquet.Kind(e.Type.V), e.RepetitionType.V == format.Optional
	logical := logicalOf(e)
	switch l := logical.(type) {
	case nil:
		c.plain()
	case *format.NullType:
		c.null = true
	case *format.StringType, *format.EnumType:
		c.text(parquet.ByteArray)
	case *format.IntType:
		c.integer(!l.IsSigned)
	case *format.DecimalType:
		c.decimal(l)
	case *format.TimestampType:
		c.timestamp(l)
	case *format.Float16Type:
		c.set(KindFloat, formHalf, c.from == parquet.FixedLenByteArray && e.TypeLength.V == 2)
	case *format.UUIDType:
		c.set(KindString, formUUID, c.from == parquet.FixedLenByteArray && e.TypeLength.V == 16)
	default:
		c.unread = "x"
	}
	if c.unread != "" {
		c.unread = "of type " + typeName(e, logical)
	}
	return c
}

func (c *fileColumn) set(k Kind, f form, fits bool) {
	if c.kind, c.form = k, f; !fits {
		c.unread = "x"
	}
}

// plain is for columns without a logical type.
func (c *fileColumn) plain() {
	switch c.from {
	case parquet.Boolean:
		c.set(KindBool, formNumber, true)
	case parquet.Int32, parquet.Int64:
		c.set(KindInt, formNumber, true)
	case parquet.Float, parquet.Double:
		c.set(KindFloat, formNumber, true)
	case parquet.Int96:
		c.set(KindTime, formInt96, true)
	default:
		c.set(KindString, formText, true)
	}
}

func (c *fileColumn) text(want parquet.Kind) { c.set(KindString, formText, c.from == want) }

func (c *fileColumn) integer(unsigned bool) {
	f := formNumber
	if unsigned {
		f = formUnsigned
	}
	c.set(KindInt, f, c.from == parquet.Int32 || c.from == parquet.Int64)
}

// maxDecimalDigits is the precision of the widest decimals that tools write,
// 256 bits.
const maxDecimalDigits = 76

func (c *fileColumn) decimal(l *format.DecimalType) {
	fits := l.Scale >= 0 && l.Scale <= maxDecimalDigits && c.from != parquet.Boolean && c.from != parquet.Float && c.from != parquet.Double && c.from != parquet.Int96
	c.set(KindFloat, formDecimal, fits)
	c.scale = int64(l.Scale)
}

func (c *fileColumn) timestamp(l *format.TimestampType) {
	c.set(KindTime, formTime, c.from == parquet.Int64)
	switch l.Unit.Value.(type) {
	case *format.MilliSeconds:
		c.scale = 1000
	case *format.NanoSeconds:
		c.scale, c.divide = 1000, true
	}
}

// logicalOf is the logical type, also of writers that only know the older
// converted types; nil when there is none.
func logicalOf(e *format.SchemaElement) format.LogicalTypeValue {
	if e.LogicalType.Value != nil {
		return e.LogicalType.Value
	}
	if !e.ConvertedType.Valid {
		return nil
	}
	switch t := e.ConvertedType.V; t {
	case deprecated.UTF8:
		return &format.StringType{}
	case deprecated.Enum:
		return &format.EnumType{}
	case deprecated.Decimal:
		return &format.DecimalType{Scale: e.Scale.V, Precision: e.Precision.V}
	case deprecated.TimestampMillis:
		return &format.TimestampType{Unit: format.TimeUnit{Value: &format.MilliSeconds{}}}
	case deprecated.TimestampMicros:
		return &format.TimestampType{Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return &format.IntType{BitWidth: 8 << (t - deprecated.Uint8)}
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		return &format.IntType{BitWidth: 8 << (t - deprecated.Int8), IsSigned: true}
	case deprecated.Date:
		return &format.DateType{}
	case deprecated.TimeMillis, deprecated.TimeMicros:
		return &format.TimeType{}
	case deprecated.Json:
		return &format.JsonType{}
	case deprecated.Bson:
		return &format.BsonType{}
	}
	return otherType{}
}

// otherType is a converted type without a logical one.
type otherType struct{}

func (otherType) String() string { return "INTERVAL" }
func (otherType) FieldID() int16 { return 0 }

// typeName is a column's type as the format's specification writes it.
func typeName(e *format.SchemaElement, logical format.LogicalTypeValue) string {
	name := e.Type.V.String()
	if e.Type.V == format.FixedLenByteArray {
		name = fmt.Sprintf("%s(%d)", name, e.TypeLength.V)
	}
	if logical == nil {
		return name
	}
	return logical.String() + " as " + name
}
