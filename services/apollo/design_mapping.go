package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"apollo/evaluator/report"
	"apollo/services/cli"
)

// mappingSchema is the first line of a mapping file.
const mappingSchema = "apollo.mapping/v1"

// maxMappingFile bounds a mapping file, in bytes.
const maxMappingFile = 4 << 20

// mappingFile is a file of mappings, in YAML or JSON: docs/design-tools.md.
type mappingFile struct {
	Schema   string         `json:"schema" yaml:"schema"`
	Template string         `json:"template" yaml:"template"`
	Layers   []layerMapping `json:"layers" yaml:"layers"`
}

// layerMapping is the loop nest of one layer.
type layerMapping struct {
	// Network is "" for the layer of this id in every network.
	Network string `json:"network,omitempty" yaml:"network"`
	Layer   string `json:"layer" yaml:"layer"`
	Nest    string `json:"nest" yaml:"nest"`
}

// readMappings reads a mapping file, or the folder of an export for ZigZag or AccelForge;
// "" reads none.
func (s *subject) readMappings(path string) ([]report.Given, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return s.readForms(path)
	}
	b, err := readMappingFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parseMappings(b)
	if err == nil {
		err = f.check(s.Template.Name)
	}
	if err != nil {
		return nil, cli.Hinted(cli.ExitUsage, "`apollo design export --as mapping` writes the mapper's own in this format", fmt.Errorf("read mappings from %s: %w", path, err))
	}
	var given []report.Given
	for _, l := range f.Layers {
		given = append(given, report.Given{Network: l.Network, Layer: l.Layer, Nest: l.Nest})
	}
	return given, nil
}

func readMappingFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cli.Hinted(cli.ExitNotFound, "write one with `apollo design export --as mapping > "+path+"`", fmt.Errorf("read mappings: %w", err))
	}
	if info.Size() > maxMappingFile {
		return nil, cli.Usagef("read mappings from %s: %d bytes, the limit is %d", path, info.Size(), maxMappingFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, cli.Hinted(cli.ExitNotFound, "", fmt.Errorf("read mappings: %w", err))
	}
	return b, nil
}

// parseMappings reads the document strictly. The library panics on some
// malformed documents, which is an error here.
func parseMappings(b []byte) (f mappingFile, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed YAML: %v", r)
		}
	}()
	return f, yaml.UnmarshalWithOptions(b, &f, yaml.Strict())
}

func (f *mappingFile) check(template string) error {
	switch {
	case f.Schema != mappingSchema:
		return fmt.Errorf("schema is %q, want %s", f.Schema, mappingSchema)
	case f.Template != template:
		return fmt.Errorf("the mappings are for the template %q, the design is of %q", f.Template, template)
	case len(f.Layers) == 0:
		return fmt.Errorf("there are no layers")
	}
	for i, l := range f.Layers {
		same := func(o layerMapping) bool { return o.Network == l.Network && o.Layer == l.Layer }
		switch {
		case l.Layer == "" || strings.TrimSpace(l.Nest) == "":
			return fmt.Errorf("layers[%d]: layer and nest are both required", i)
		case slices.ContainsFunc(f.Layers[:i], same):
			return fmt.Errorf("layers[%d]: the layer %s has two mappings", i, l.Layer)
		}
	}
	return nil
}

// text is the file as YAML, with nests as blocks of text.
func (f *mappingFile) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "schema: %s\ntemplate: %s\nlayers:\n", f.Schema, f.Template)
	for i := range f.Layers {
		l := &f.Layers[i]
		fmt.Fprintf(&b, "  - network: %q\n    layer: %q\n    nest: |\n", l.Network, l.Layer)
		for line := range strings.Lines(l.Nest) {
			b.WriteString("      " + line)
		}
	}
	return b.String()
}
