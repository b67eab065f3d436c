package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/services/draw"
)

// printed is the annotation of a command that lists its formats.
const printed = "formats"

func prints(formats ...string) map[string]string {
	return map[string]string{printed: strings.Join(formats, " ")}
}

// values are the formats of a command that says nothing else: one value.
func values() []string { return []string{"table", "json", "jsonl", "yaml"} }

// PrintsRows annotates a command whose answer has rows.
func PrintsRows() map[string]string { return prints(append(values(), "csv")...) }

// PrintsPictures annotates a command that draws its answer.
func PrintsPictures() map[string]string { return prints(append(values(), draw.Formats()...)...) }

// PrintsRowsAndPictures annotates a command whose answer has rows and a picture.
func PrintsRowsAndPictures() map[string]string {
	return prints(slices.Concat(values(), []string{"csv"}, draw.Formats())...)
}

// PrintsLines annotates a command whose lines never end.
func PrintsLines() map[string]string { return prints("table", "jsonl") }

// PrintsJSON annotates a command that prints the same JSON whoever reads it.
func PrintsJSON() map[string]string { return prints("table", "json") }

// PrintsNothing annotates a command without an answer.
func PrintsNothing() map[string]string { return prints("table") }

// wide is the format for people with lines of any width.
const wide = "wide"

// file is the annotation of a command whose --output is a file with this ending.
const file = "file"

// PrintsFile annotates a command whose answer goes into a file, named by --output.
func PrintsFile(ending string) map[string]string {
	return map[string]string{printed: "table", file: ending}
}

// FormatsOf lists the values of --output that a command knows, as it says
// itself; the first is the one for people. CheckFormat refuses the rest.
func FormatsOf(c *cobra.Command) []string {
	if formats, ok := c.Annotations[printed]; ok {
		return strings.Fields(formats)
	}
	return values()
}

// KnownFormats are FormatsOf and, where there are several, wide: what people can say.
func KnownFormats(c *cobra.Command) []string {
	known := FormatsOf(c)
	if len(known) > 1 {
		return append([]string{known[0], wide}, known[1:]...)
	}
	return known
}

// CheckFormat refuses a format that the command cannot print before it begins:
// hours of search must not end in an answer that nobody sees.
func (a *Terminal) CheckFormat(c *cobra.Command) error {
	known := FormatsOf(c)
	ending, toFile := c.Annotations[file]
	switch {
	case toFile && strings.HasSuffix(a.Output, ending):
		return nil
	case toFile && a.Output != known[0]:
		return Usagef("%s has no output format %q: want a file that ends in %s, or no -o for the standard output", c.CommandPath(), a.Output, ending)
	case slices.Contains(KnownFormats(c), a.Output):
		return nil
	case len(known) == 1:
		return Usagef("%s prints no answer in formats: -o %s has no place here", c.CommandPath(), a.Output)
	}
	return Usagef("%s has no output format %q: want %s", c.CommandPath(), a.Output, strings.Join(KnownFormats(c), ", "))
}

// ForPeople says that the answer is text, no format for programs.
func (a *Terminal) ForPeople() bool { return a.Output == "table" || a.Output == wide }
