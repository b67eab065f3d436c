package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/examples/simulators/forms"
	"apollo/services/cli"
)

// readForms reads the mappings in the folder of an export for ZigZag or AccelForge. A layer
// whose file has none, for the tool to search, keeps the mapper's.
func (s *subject) readForms(dir string) ([]report.Given, error) {
	refuse := func(err error) error {
		return cli.Hinted(cli.ExitUsage, "`apollo design export --as zigzag` or `accelforge` writes such a folder, of the same design and networks",
			fmt.Errorf("read mappings from %s: %w", dir, err))
	}
	if s.Template.Name != "nvdla" {
		return nil, refuse(fmt.Errorf("mappings of other tools are for the template nvdla, not %s", s.Template.Name))
	}
	mapped, err := s.mapped("", nil)
	if err != nil {
		return nil, err
	}
	var given []report.Given
	files := 0
	for i := range mapped {
		m := &mapped[i]
		if err := inBytes(m); err != nil {
			return nil, err
		}
		nest, path, err := s.readForm(dir, m)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, refuse(fmt.Errorf("%s: %w", strings.TrimPrefix(path, dir+string(os.PathSeparator)), err))
		}
		if files++; nest != nil {
			g, err := nest.given(m)
			if err != nil {
				return nil, refuse(fmt.Errorf("%s: %w", strings.TrimPrefix(path, dir+string(os.PathSeparator)), err))
			}
			given = append(given, g)
		}
	}
	switch {
	case files == 0:
		return nil, refuse(fmt.Errorf("there is no file of a layer, as %s", layerFile("", &mapped[0], 0)))
	case len(given) == 0:
		return nil, refuse(errors.New("no file has a mapping: all are left for the tool to search"))
	}
	return given, nil
}

// readForm reads the mapping of a layer: nil where its file leaves it to the tool.
func (s *subject) readForm(dir string, m *report.Mapped) (n *flatNest, path string, err error) {
	// An export of one layer numbers it otherwise than one of all.
	files, err := os.ReadDir(filepath.Join(dir, m.Network))
	if err != nil {
		return nil, dir, err
	}
	suffix := strings.TrimPrefix(filepath.Base(layerFile(dir, m, 0)), "001")
	at := slices.IndexFunc(files, func(f os.DirEntry) bool {
		number, ok := strings.CutSuffix(f.Name(), suffix)
		_, err := strconv.Atoi(number)
		return ok && err == nil
	})
	if at < 0 {
		return nil, dir, fs.ErrNotExist
	}
	layer := filepath.Join(dir, m.Network, files[at].Name())
	path = zigzagMappingFile(layer)
	text, err := readMappingFile(path)
	if err == nil {
		if err := s.sameForm("zigzag-machine.yaml", zigzagMachineFile(dir), m); err != nil {
			return nil, path, err
		}
		if err := s.sameForm("zigzag-layer.yaml", layer, m); err != nil {
			return nil, path, err
		}
		n, err = zigzagNest(text, m)
		return n, path, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, path, err
	}
	if text, err = readMappingFile(layer); err != nil {
		return nil, layer, err
	}
	if err := s.sameForm("accelforge.yaml", layer, m); err != nil {
		return nil, layer, err
	}
	n, err = accelforgeNest(text, m)
	return n, layer, err
}

// sameForm refuses a file that is of another design or layer than m, up to its mapping.
func (s *subject) sameForm(form, path string, m *report.Mapped) error {
	text, err := readMappingFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the machine and the layer must stand beside the mapping: " + err.Error()) // that they are missing is no missing mapping
	case err != nil:
		return err
	}
	want, err := forms.Fill(form, s.formValues(m))
	if err != nil {
		return err
	}
	const mapping = "mapping:"
	have := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for i, line := range strings.Split(strings.TrimRight(want, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, mapping):
			return nil
		case i >= len(have):
			return fmt.Errorf("%s ends after line %d, want %q", filepath.Base(path), len(have), line)
		case have[i] != line:
			return fmt.Errorf("%s, line %d is %q, of this design and layer it is %q", filepath.Base(path), i+1, have[i], line)
		}
	}
	return nil
}

// flatNest is a mapping in which loops in time have no level yet, outermost first.
type flatNest struct {
	dims    []model.Dim
	steps   []int64
	spatial [model.Dims]int64
	// covered is how much of its bound the loops over a dimension cover so far.
	bound, covered [model.Dims]int64
	// begins refuses a level whose first loop is that one; nil where all may begin anywhere.
	begins func(level, loop int) error
}

func newFlatNest(m *report.Mapped) *flatNest {
	one := model.Ones().Spatial
	return &flatNest{spatial: one, covered: one, bound: m.Problem.Bound}
}

// given are the nests that the mapping may be here: the tools have no groups, and not
// all of them a level for each loop.
func (n *flatNest) given(m *report.Mapped) (report.Given, error) {
	g := report.Given{Network: m.Network, Layer: m.Layer}
	levels := 1
	if m.Problem.Bound[model.G] > 1 {
		levels = arrayLevel + 1
	}
	for d := range model.Dims {
		if d != model.G && n.covered[d] < n.bound[d] {
			return g, fmt.Errorf("the loops over %s cover %d of %d", d, n.covered[d], n.bound[d])
		}
	}
	begins := n.begins
	if begins == nil {
		begins = func(int, int) error { return nil }
	}
	// Of all places the one that came furthest says why none is right: where a buffer may begin somewhere, it is not the reason.
	var why error
	reached := 0
	refuse := func(stage int, err error) {
		if stage > reached {
			reached, why = stage, err
		}
	}
	for b1 := range len(n.dims) + 1 {
		if err := begins(1, b1); err != nil {
			refuse(1, err)
			continue
		}
		for b2 := b1; b2 <= len(n.dims); b2++ {
			if err := begins(arrayLevel, b2); err != nil {
				refuse(2, err)
				continue
			}
			refuse(3, errors.New("two loops over one dimension stand at one level however they are placed"))
			for groups := range levels {
				if nest, ok := n.at(b1, b2, groups, m); ok {
					g.Or = append(g.Or, nest)
				}
			}
		}
	}
	if len(g.Or) == 0 {
		return g, why
	}
	g.Nest, g.Or = g.Or[0], g.Or[1:]
	return g, nil
}

// at is the nest with its loops from b1 on at the buffer, from b2 on at the accumulator,
// and the groups at a level of their own choice.
func (n *flatNest) at(b1, b2, groups int, m *report.Mapped) (string, bool) {
	var out model.Mapping
	for i := range out.Loops {
		out.Loops[i] = model.Ones()
	}
	out.Loops[groups].Temporal[model.G] = m.Problem.Bound[model.G]
	out.Loops[arrayLevel].Spatial = n.spatial
	for level, part := range [][2]int{{0, b1}, {b1, b2}, {b2, len(n.dims)}} {
		l := &out.Loops[level]
		order := []model.Dim{model.G}
		for i := part[0]; i < part[1]; i++ {
			d := n.dims[i]
			if at := slices.Index(order, d); at >= 0 && at < len(order)-1 {
				return "", false
			} else if at < 0 {
				order = append(order, d)
			}
			l.Temporal[d] *= n.steps[i]
		}
		for d := range model.Dims {
			if !slices.Contains(order, d) {
				order = append(order, d)
			}
		}
		copy(l.Order[:], order)
	}
	return out.String(&m.Arch), true
}

// zigzagNest reads a mapping of ZigZag: an order of loops, innermost first.
func zigzagNest(text []byte, m *report.Mapped) (*flatNest, error) {
	var f []struct {
		SpatialMapping   map[string][]string `yaml:"spatial_mapping"`
		TemporalOrdering [][2]any            `yaml:"temporal_ordering"`
	}
	if err := decodeYAML(text, &f); err != nil {
		return nil, err
	}
	if len(f) != 1 {
		return nil, fmt.Errorf("the file has %d mappings, want one", len(f))
	}
	if len(f[0].TemporalOrdering) == 0 {
		return nil, nil
	}
	n := newFlatNest(m)
	dimOf := func(name string) (model.Dim, bool) {
		for d, known := range zigzagDims() {
			if known == name {
				return d, true
			}
		}
		return 0, false
	}
	axes := map[string]model.Dim{"D1": model.C, "D2": model.K}
	for _, axis := range slices.Sorted(maps.Keys(f[0].SpatialMapping)) {
		d, known := axes[axis]
		if !known {
			return nil, fmt.Errorf("spatial_mapping: %s: the array has no such axis, want D1 for C or D2 for K", axis)
		}
		for i, text := range f[0].SpatialMapping[axis] {
			name, steps, _ := strings.Cut(text, ",")
			count, err := strconv.ParseInt(strings.TrimSpace(steps), 10, 64)
			if over, ok := dimOf(name); !ok || over != d || err != nil || count < 1 {
				return nil, fmt.Errorf("spatial_mapping: %s: %q: the array spreads %s there, as in \"%s, 16\"", axis, text, zigzagDims()[d], zigzagDims()[d])
			}
			if lanes := m.Arch.Level[arrayLevel].Fanout; count > lanes/n.spatial[d] {
				return nil, fmt.Errorf("spatial_mapping: %s[%d]: %q is more than the %d multipliers of the array", axis, i, text, lanes)
			}
			n.spatial[d] *= count
		}
	}
	n.covered = n.spatial
	for i, loop := range slices.Backward(f[0].TemporalOrdering) {
		d, ok := dimOf(fmt.Sprint(loop[0]))
		steps, err := strconv.ParseInt(fmt.Sprint(loop[1]), 10, 64)
		if !ok || err != nil || steps < 1 {
			return nil, fmt.Errorf("temporal_ordering[%d]: %v is no loop, want one like [OX, 28], over B, K, C, OY, OX, FY or FX", i, loop)
		}
		if err := n.add(d, steps); err != nil {
			return nil, fmt.Errorf("temporal_ordering[%d]: %v: %w", i, loop, err)
		}
	}
	return n, nil
}

// add places a loop in time. One that has nothing left to do is refused: many of them are more steps than a number holds.
func (n *flatNest) add(d model.Dim, steps int64) error {
	if steps == 1 {
		return nil
	}
	n.dims, n.steps = append(n.dims, d), append(n.steps, steps)
	return n.cover(d, steps)
}

func (n *flatNest) cover(d model.Dim, steps int64) error {
	switch {
	case steps > n.bound[d]:
		return fmt.Errorf("%d steps over %s, of which this layer has %d", steps, d, n.bound[d])
	case steps > 1 && n.covered[d] >= n.bound[d]:
		return fmt.Errorf("the other loops over %s cover %d of %d already: leave this one out", d, n.covered[d], n.bound[d])
	}
	n.covered[d] *= steps
	return nil
}

// accelforgeNode is one of a mapping of AccelForge.
type accelforgeNode struct {
	kind         string
	Tensors      []string `yaml:"tensors"`
	Component    string   `yaml:"component"`
	RankVariable string   `yaml:"rank_variable"`
	TileShape    int64    `yaml:"tile_shape"`
	Name         string   `yaml:"name"`
	Einsum       string   `yaml:"einsum"`
}

// accelforgeNest reads the mapping of a file of AccelForge.
func accelforgeNest(text []byte, m *report.Mapped) (*flatNest, error) {
	nodes, err := accelforgeNodesOf(text)
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	n := newFlatNest(m)
	r := accelforgeReader{flatNest: n, left: m.Problem.Bound, stored: map[[2]string]int{}}
	for i := range nodes {
		if err := r.node(&nodes[i]); err != nil {
			return nil, fmt.Errorf("mapping: nodes[%d]: %w", i, err)
		}
	}
	return n, r.place(m)
}

// accelforgeReader is the state of reading a mapping of AccelForge.
type accelforgeReader struct {
	*flatNest
	left [model.Dims]int64 // of each dimension
	// stored is above how many loops in time a component stores a tensor.
	stored map[[2]string]int
}

func (r *accelforgeReader) node(n *accelforgeNode) error {
	switch n.kind {
	case "!Storage":
		for _, tensor := range n.Tensors {
			place := [2]string{n.Component, tensor}
			if _, twice := r.stored[place]; twice {
				return fmt.Errorf("%s stores %s a second time: want one !Storage of a tensor in a component", n.Component, tensor)
			}
			r.stored[place] = len(r.dims)
		}
		return nil
	case "!Temporal", "!Spatial":
		d, err := model.DimOf(strings.ToUpper(n.RankVariable))
		if err != nil || d == model.G || n.TileShape < 1 || n.TileShape > r.left[d] {
			return fmt.Errorf("rank_variable %q, tile_shape %d: want one of n, k, c, p, q, r, s and a tile of 1 to what is left of it", n.RankVariable, n.TileShape)
		}
		steps := model.CeilDiv(r.left[d], n.TileShape)
		r.left[d] = n.TileShape
		if n.kind == "!Temporal" {
			return r.add(d, steps)
		}
		if axis := map[string]model.Dim{"filters": model.K, "channels": model.C}; axis[n.Name] != d {
			return fmt.Errorf("the array spreads k over filters and c over channels, not %s over %q", n.RankVariable, n.Name)
		}
		r.spatial[d] *= steps
		return r.cover(d, steps)
	case "!Compute":
		return nil
	}
	return fmt.Errorf("%s is none of !Storage, !Temporal, !Spatial, !Compute", n.kind)
}

// place sets where the loops may stand: the loops between the place of a store and that of
// its level here must be such that do not touch what is stored.
func (r *accelforgeReader) place(m *report.Mapped) error {
	at := func(level int, o model.Operand) (int, bool) {
		i, ok := r.stored[[2]string{accelforgeLevels()[level], accelforgeTensors()[o]}]
		return i, ok
	}
	for level := range m.Arch.Levels {
		for o := range model.Operands {
			tensor := accelforgeTensors()[o]
			if _, ok := at(level, o); ok != m.Arch.Level[level].Keeps[o] {
				return fmt.Errorf("mapping: %s and %s: the %s of this template keeps them: %t", accelforgeLevels()[level], tensor, m.Arch.Level[level].Name, !ok)
			}
		}
	}
	r.begins = func(level, loop int) error {
		for o := range model.Operands {
			if !m.Arch.Level[level].Keeps[o] {
				continue
			}
			from, _ := at(level, o)
			if from > loop || slices.ContainsFunc(r.dims[from:loop], o.Uses) {
				return fmt.Errorf("mapping: %s stores %s where no loop of this template can begin: its %s begins at one place for all that it keeps", accelforgeLevels()[level], accelforgeTensors()[o], m.Arch.Level[level].Name)
			}
		}
		return nil
	}
	if register, _ := at(arrayLevel+1, model.Weights); slices.ContainsFunc(r.dims[register:], model.Weights.Uses) {
		return errors.New("mapping: a loop below the Register changes the weight: a register of this template holds one")
	}
	return nil
}

// accelforgeNodesOf returns the nodes under mapping, with their tags.
func accelforgeNodesOf(text []byte) (nodes []accelforgeNode, err error) {
	defer func() {
		if r := recover(); r != nil { // the library panics on some malformed documents
			err = fmt.Errorf("malformed YAML: %v", r)
		}
	}()
	at := bytes.Index(append([]byte("\n"), text...), []byte("\nmapping:"))
	if at < 0 {
		return nil, errors.New("there is no mapping")
	}
	file, err := parser.ParseBytes(text[at:], 0)
	if err != nil {
		return nil, err
	}
	path, err := yaml.PathString("$.mapping.nodes")
	if err != nil {
		return nil, err
	}
	found, err := path.FilterFile(file)
	if err != nil {
		return nil, fmt.Errorf("mapping.nodes: %w", err)
	}
	list, ok := found.(*ast.SequenceNode)
	if !ok {
		return nil, errors.New("mapping.nodes is no list")
	}
	for i, item := range list.Values {
		tag, ok := item.(*ast.TagNode)
		if !ok {
			return nil, fmt.Errorf("mapping: nodes[%d] has no tag, such as !Temporal", i)
		}
		n := accelforgeNode{kind: tag.Start.Value}
		if err := yaml.NodeToValue(tag.Value, &n, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("mapping: nodes[%d]: %w", i, err)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// decodeYAML decodes what it knows of a document.
func decodeYAML(b []byte, into any) (err error) {
	defer func() {
		if r := recover(); r != nil { // the library panics on some malformed documents
			err = fmt.Errorf("malformed YAML: %v", r)
		}
	}()
	return yaml.Unmarshal(b, into)
}
