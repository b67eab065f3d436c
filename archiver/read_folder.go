package archiver

import (
	"maps"
	"math"
	"math/big"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// folderValue is what a folder called column=value says about all rows below.
// It has no type: a text, and a number where it reads as one.
type folderValue struct {
	text string
	// number is NaN where the text is none, infinite where no double is that
	// number.
	number float64
}

// hiveNull is the folder name that Hive, Spark, DuckDB and pyarrow give to NULL.
const hiveNull = "__HIVE_DEFAULT_PARTITION__"

// folderValues are the columns that exist in the names of a file's folders.
func folderValues(file string) map[string]*folderValue {
	all := map[string]*folderValue{}
	for part := range strings.SplitSeq(path.Dir(file), "/") {
		name, text, ok := strings.Cut(part, "=")
		if !ok || name == "" {
			continue
		}
		// Special characters are written as %XX; what is no escape stands for
		// itself.
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
		if text == hiveNull {
			text = ""
		}
		all[name] = &folderValue{text, folderNumber(text)}
	}
	return all
}

func decimalText() *regexp.Regexp {
	return regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$`)
}

func folderNumber(text string) float64 {
	if !decimalText().MatchString(text) {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.Inf(1)
	}
	if n, whole := new(big.Int).SetString(text, 10); whole {
		if back, _ := new(big.Float).SetFloat64(f).Int(nil); back.Cmp(n) != 0 {
			return math.Inf(1)
		}
	}
	return f
}

// folderNames are the names in an order that does not change.
func folderNames(all map[string]*folderValue) []string { return slices.Sorted(maps.Keys(all)) }
