package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/graph"
	"apollo/internal/atomicfile"
	"apollo/services/cli"
)

// imported is the answer of `workload import`.
type imported struct {
	Name      string             `json:"name"`
	Identity  string             `json:"identity"`
	Source    workload.Source    `json:"source"`
	Precision workload.Precision `json:"precision"`
	Report    workload.Report    `json:"report"`
	Totals    workload.Totals    `json:"totals"`
	Layers    []importedLayer    `json:"layers"`
	// File is the workload file that was written.
	File string `json:"file,omitempty"`
}

// importedLayer is a layer with its counts.
type importedLayer struct {
	workload.Layer
	MACs        int64 `json:"macs"`
	Params      int64 `json:"params"`
	InputBytes  int64 `json:"input_bytes"`
	OutputBytes int64 `json:"output_bytes"`
	WeightBytes int64 `json:"weight_bytes"`
}

func (a *app) workloadImportCommand() *cobra.Command {
	var dims, values []string
	var o workload.ImportOptions
	var out, name string
	var summary bool
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "import MODEL...", Short: "Turn a TensorFlow Lite or ONNX model into a workload",
		Long: `Turn a TensorFlow Lite or ONNX model into a workload: its layers, with activations,
normalisation, padding and quantisation folded into them. The format follows from the
content. --out writes the workload file, which --workload and a study's
workload: {networks: [{file: …}]} accept. --summary imports any number of models and
prints a line for each: operations, layers, multiplications, parameters, time.`,
		Example: "  apollo workload import model.tflite --out model.yaml\n" +
			"  apollo workload import model.onnx --dim height=640 --dim width=640 --precision int8 -o json\n" +
			"  apollo workload import voice.onnx --value sr=16000 --out voice.yaml\n" +
			"  apollo workload import --summary models/*",
		Args: func(c *cobra.Command, args []string) error {
			if summary && len(args) > 0 {
				return nil
			}
			return cli.Exactly(1)(c, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var err error
			if o.Dims, err = parseDims(dims); err != nil {
				return err
			}
			if o.Values, err = parseNumbers("--value", values); err != nil {
				return err
			}
			if summary {
				return a.summarise(args, o)
			}
			data, err := readModelFile(args[0])
			if err != nil {
				return err
			}
			o.External = beside(args[0])
			w, report, err := workload.Import(args[0], data, o)
			if err != nil {
				return cli.Hinted(cli.ExitUsage, "", err)
			}
			if name != "" {
				w.Name = name
				if err := w.Normalise(); err != nil {
					return cli.Usagef("--name: %v", err)
				}
			}
			if err := writeWorkload(out, w); err != nil {
				return err
			}
			return a.printImport(w, report, out)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&dims, "dim", nil, "size of an open `dimension`, as often as wanted: name=value or input.index=value")
	f.StringArrayVar(&values, "value", nil, "`value` of an input of one element that chooses a branch or makes a shape, as often as wanted: input=number")
	f.StringVar(&o.Precision, "precision", "", "`widths` to count bytes with: "+strings.Join(workload.Precisions(), "|")+" (default: as in the file)")
	f.BoolVar(&o.Strict, "strict", false, "refuse a model with an operation that is not modelled")
	f.BoolVar(&summary, "summary", false, "print a line for each of any number of models")
	f.StringVar(&out, "out", "", "write the workload `file`: YAML, or JSON where it ends in .json")
	f.StringVar(&name, "name", "", "`name` of the workload (default: that of the file)")
	return c
}

// parseDims reads name=value; a name may hold "=".
func parseDims(dims []string) (map[string]int64, error) {
	sizes, err := parseNumbers("--dim", dims)
	for name, n := range sizes {
		if n < 0 {
			return nil, cli.Usagef("--dim %s=%d: the size must be a whole number of 0 or more", name, n)
		}
	}
	return sizes, err
}

func parseNumbers(flag string, list []string) (map[string]int64, error) {
	numbers := map[string]int64{}
	for _, text := range list {
		at := strings.LastIndexByte(text, '=')
		if at < 1 {
			return nil, cli.Usagef("%s %q: want name=value", flag, text)
		}
		n, err := strconv.ParseInt(text[at+1:], 10, 64)
		if err != nil {
			return nil, cli.Usagef("%s %s: want a whole number behind the last =", flag, text)
		}
		if _, twice := numbers[text[:at]]; twice {
			return nil, cli.Usagef("%s %s: %s is given twice, say it once", flag, text, text[:at])
		}
		numbers[text[:at]] = n
	}
	return numbers, nil
}

// beside reads parts of the files in the folder of a model, and of no others.
func beside(model string) func(location string, offset, length int64) ([]byte, error) {
	return func(location string, offset, length int64) ([]byte, error) {
		root, err := os.OpenRoot(filepath.Dir(model))
		if err != nil {
			return nil, err
		}
		defer func() { _ = root.Close() }()
		name := filepath.FromSlash(location)
		info, err := root.Stat(name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil, errors.New("there is no such file")
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular(): // opening a pipe waits for its writer
			return nil, errors.New("which is no regular file")
		}
		f, err := root.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		part := make([]byte, length)
		n, err := f.ReadAt(part, offset)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return part[:n], err
	}
}

// readModelFile reads a file of bounded size.
func readModelFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, cli.Hinted(cli.ExitNotFound, "name a file of TensorFlow Lite or ONNX that is there", fmt.Errorf("there is no file %s", path))
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, graph.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

// writeWorkload writes a workload file; path "" writes none. A file that is
// there already is replaced in one step.
func writeWorkload(path string, w *workload.Workload) error {
	if path == "" {
		return nil
	}
	b, err := w.CanonicalJSON()
	if err != nil {
		return err
	}
	if filepath.Ext(path) != ".json" {
		b = asYAML(w, b)
	}
	return atomicfile.Write(path, b)
}

// asYAML writes canonical JSON as YAML where that reads back to the same
// workload. JSON, which is YAML too, stays where a name does not survive.
func asYAML(w *workload.Workload, canonical []byte) []byte {
	b, err := yaml.JSONToYAML(canonical)
	if err != nil {
		return canonical
	}
	again, err := workload.Parse(w.Name, b)
	if err != nil {
		return canonical
	}
	if c, err := again.CanonicalJSON(); err != nil || !bytes.Equal(c, canonical) {
		return canonical
	}
	return b
}

func (a *app) printImport(w *workload.Workload, r workload.Report, file string) error {
	id, err := w.Identity()
	if err != nil {
		return err
	}
	v := imported{Name: w.Name, Identity: id, Source: w.Source, Precision: w.Precision, Report: r, Totals: w.Totals(), File: file}
	for i := range w.Layers {
		l := &w.Layers[i]
		v.Layers = append(v.Layers, importedLayer{
			Layer: *l, MACs: l.MACs(), Params: l.Params(), InputBytes: l.InputBytes(w.Precision),
			OutputBytes: l.OutputBytes(w.Precision), WeightBytes: l.WeightBytes(w.Precision),
		})
	}
	shown := showWorkload(w)
	return a.Print(cli.Answer{Value: v, Items: shown.Items, Grid: shown.Grid, Text: func(out io.Writer, p cli.Paint) {
		importText(out, &v)
		fmt.Fprintln(out)
		shown.Text(out, p)
	}})
}

// importText says what became of the operations.
func importText(out io.Writer, v *imported) {
	f := v.Report.Folded
	fmt.Fprintf(out, "%s: %d operations became %d layers\n", v.Report.Format, v.Report.Ops, v.Report.Layers)
	fmt.Fprintf(out, "folded: %d over constants, %d views, %d quantisation, %d padding, %d normalisation, %d scales, %d activations\n",
		f.Constants, f.Views, f.Quantisation, f.Padding, f.Normalisation, f.Scales, f.Activations)
	if len(v.Report.Unmodelled) == 0 {
		fmt.Fprintln(out, "every multiplication is modelled")
	}
	for _, op := range v.Report.Unmodelled {
		fmt.Fprintf(out, "warning: only the bytes are counted of %s\n", op)
	}
	for _, note := range v.Report.Notes {
		fmt.Fprintf(out, "note: %s\n", note)
	}
	if v.File != "" {
		fmt.Fprintf(out, "written to %s\n", v.File)
	}
}

// network returns a built-in network, perhaps with sizes ("gpt2_decode:past=512"),
// or the one in a workload file: a name with a path separator or the ending of
// one.
func network(name string) (*workload.Workload, error) {
	if !isFile(name) {
		name, text, sized := strings.Cut(name, ":")
		var sizes workload.Sizes
		var err error
		family, member := workload.FamilyNamed(name)
		var values []int64
		if member {
			if values, text, err = family.ParseValues(text); err != nil {
				return nil, cli.Usagef("%s: %v", name, err)
			}
			sized = text != ""
		}
		if sized {
			if sizes, err = workload.ParseSizes(text); err != nil {
				if member {
					var params []string
					for _, p := range family.Params {
						params = append(params, p.Name)
					}
					err = fmt.Errorf("%w; and the family has the parameters %s", err, strings.Join(params, ", "))
				}
				return nil, cli.Usagef("%s: sizes stand behind the network's name, as in %s:batch=8: %v", name, name, err)
			}
		}
		if member {
			w, err := family.Sized(values, sizes)
			if err != nil {
				return nil, cli.Hinted(cli.ExitUsage, "`apollo workload ls` lists the sizes of every network", err)
			}
			return w, nil
		}
		w, err := workload.Sized(name, sizes)
		if err != nil {
			if sized && slices.Contains(workload.Names(), name) {
				return nil, cli.Hinted(cli.ExitUsage, "`apollo workload ls` lists the sizes of every network", err)
			}
			return nil, cli.Hinted(cli.ExitNotFound, "a workload file is named by its path, with .yaml or .json at its end; `apollo workload import` makes one of a model", err)
		}
		return w, nil
	}
	data, err := readModelFile(name)
	if err != nil {
		return nil, err
	}
	w, err := workload.Parse(name, data)
	if err != nil {
		return nil, cli.Hinted(cli.ExitUsage, "a model file becomes a workload file with `apollo workload import`", err)
	}
	return w, nil
}

func isFile(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return strings.ContainsRune(name, filepath.Separator)
}
