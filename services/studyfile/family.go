package studyfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/accuracy"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/events/unit"
)

// FamilyOf is the family that a study's network stands for; nil for a network that
// stands for itself. The error says that this build has another family than the
// study means.
func FamilyOf(n *events.Network) (*evaluator.Family, error) {
	if n.Family == "" {
		return nil, nil
	}
	f, err := openFamily(n)
	if err != nil {
		return nil, err
	}
	_, all, err := identify(f)
	if err == nil && all != n.SHA256 {
		err = fmt.Errorf("the network family %s has other networks or accuracies here (%.12s) than the study means (%.12s)", n.Family, all, n.SHA256)
	}
	return f, err
}

// openFamily finds the family of a network, with what is known of its accuracies.
func openFamily(n *events.Network) (*evaluator.Family, error) {
	f, ok := workload.FamilyNamed(n.Family)
	if !ok {
		return nil, fmt.Errorf("there is no network family %q", n.Family)
	}
	out := &evaluator.Family{Family: f, Sizes: workload.Sizes(n.NetworkSizes), Measured: n.Accuracies.Only == events.OnlyMeasured, Param: events.NetworkParameter}
	a := &n.Accuracies
	if a.Scale == "" {
		if out.Measured {
			return nil, errors.New("only measured networks are searched, and the scale of their accuracies is missing: want published or proxy")
		}
		return out, nil
	}
	var err error
	if len(a.Known) == 0 {
		out.Known, err = accuracy.Builtin(f, a.Scale)
		return out, err
	}
	if out.Known, err = accuracy.Parse(a.Known); err != nil {
		return nil, err
	}
	switch {
	case out.Known.Family().Name != f.Name:
		return nil, fmt.Errorf("the accuracies are of family %s, the study searches %s", out.Known.Family().Name, f.Name)
	case out.Known.Scale != a.Scale:
		return nil, fmt.Errorf("these are %s accuracies, and the study's scale is %s: they cannot be compared", out.Known.Scale, a.Scale)
	case out.Measured && len(out.Known.Measured()) == 0:
		return nil, errors.New("there is no table: no network is measured")
	}
	return out, nil
}

// identify returns the identities of a family's networks, and of these with what is
// known of their accuracies. The family's own network and its corners stand for
// all of them.
func identify(f *evaluator.Family) (members, all string, err error) {
	var text strings.Builder
	corners := [][]int64{f.Own(), nil, nil}
	for i := range f.Params {
		p := &f.Params[i]
		fmt.Fprintf(&text, "%s %v %d\n", p.Name, p.Values, p.Own)
		corners[1], corners[2] = append(corners[1], p.Values[0]), append(corners[2], p.Values[len(p.Values)-1])
	}
	for _, values := range corners {
		w, err := f.Sized(values, f.Sizes)
		if err != nil {
			return "", "", err
		}
		id, err := w.Identity()
		if err != nil {
			return "", "", err
		}
		fmt.Fprintln(&text, id)
	}
	known := []byte("nothing")
	if f.Known != nil {
		if known, err = f.Known.Document().JSON(); err != nil {
			return "", "", err
		}
	}
	if f.Measured { // the parameter is a place in the table
		text.Write(known)
	}
	members = digest(text.String())
	return members, digest(members + string(known)), nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// family adds a family of networks.
func (b *builder) family(n *node, read events.Network) {
	at := n.get("family")
	if !slices.Contains(workload.FamilyNames(), read.Family) {
		b.addMistake(at, codeUnknownName, oneOf(read.Family, workload.FamilyNames()), "there is no network family %q", clip(read.Family))
		return
	}
	name := n.get("name")
	if b.when(name != nil && read.Name != read.Family, name, codeContradicts, "Remove it.", "a family has its own name") ||
		b.when(b.spec.Search == "", at, codeMissing, "Write search: one beside networks.", "a design runs one network of a family, which the study has to search") ||
		b.when(len(b.field("workload", "networks").list()) > 1, at, codeContradicts, "Search the family alone, or networks by their names.", "a family stands beside other networks") {
		return
	}
	read.Name = read.Family
	if !b.accuracyFiles(n, &read) {
		// The parameters are there all the same: that they or accuracies are missing is no mistake of its own.
		read.Accuracies = events.Accuracies{}
		b.broken = append(b.broken, "accuracy", "accuracy_interval")
	}
	f, err := openFamily(&read)
	if err != nil {
		b.addMistake(b.orFamily(n), codeBadOptions, "", "%s", err)
		return
	}
	own, err := f.Sized(f.Own(), f.Sizes)
	if b.when(err != nil, at, codeBadOptions, "", "%v", err) {
		return
	}
	if read.Own, err = own.Identity(); err == nil {
		read.Members, read.SHA256, err = identify(f)
	}
	if b.when(err != nil, at, codeBadOptions, "", "network family %q cannot be used: %v", read.Family, err) {
		return
	}
	if a := &read.Accuracies; f.Known != nil {
		source := n.at("accuracies", "source")
		if b.when(a.Source != "" && len(a.Known) == 0 && a.Source != f.Known.Source, source, codeContradicts, "Remove it.", "what this build knows names its source itself") {
			return
		}
		a.Source = f.Known.Source
	}
	b.networks = append(b.networks, evaluator.Network{Workload: own, Weight: read.Weight, Family: f})
	choice := Choice(b.spec.Search, b.networks)
	for i, p := range choice.Params {
		chosen := events.ChosenBy{Name: p.Name, Own: choice.Baseline[i].Num}
		if !f.HasOwn() {
			chosen.Own = events.NoOwn
		}
		read.Chosen = append(read.Chosen, chosen)
	}
	b.spec.Networks = append(b.spec.Networks, read)
}

// orFamily is where accuracies stand, or their family.
func (b *builder) orFamily(n *node) *node {
	if a := n.get("accuracies"); a != nil {
		return a
	}
	return n.get("family")
}

// accuracyFiles reads the files with accuracies into the study.
func (b *builder) accuracyFiles(n *node, read *events.Network) bool {
	a := n.get("accuracies")
	if a == nil || a.kind != mapKind {
		return true
	}
	if !slices.Contains(accuracy.Scales(), read.Accuracies.Scale) {
		return false // reported: it is missing, or another
	}
	table, predictor := a.get("table"), a.get("predictor")
	if column := a.get("column"); b.when(column != nil && table == nil, column, codeContradicts, "Name a table too, or remove it.", "a column is that of a table") {
		return false
	}
	if table == nil && predictor == nil {
		return true
	}
	known, at, err := b.knownFiles(read, a, table, predictor)
	if err != nil {
		b.addMistake(at, codeBadOptions, "Docs: the section on accuracies of the study file.", "%s", err)
		return false
	}
	if known == nil {
		return false
	}
	d := known.Document()
	d.Source = read.Accuracies.Source
	read.Accuracies.Known, err = d.JSON()
	return !b.when(err != nil, a, codeBadOptions, "", "%v", err)
}

// knownFiles reads a table, a predictor or both: a table alone gets a predictor
// fitted, where it is large enough and networks without a measurement can be chosen.
// at is where a mistake is; the result is nil for one that is reported.
func (b *builder) knownFiles(read *events.Network, a, table, predictor *node) (known *accuracy.Known, at *node, err error) {
	f, _ := workload.FamilyNamed(read.Family)
	if table != nil {
		data, ok := b.sideFile(table)
		if !ok {
			return nil, nil, nil
		}
		column := "accuracy"
		if c := a.get("column"); c != nil {
			column = c.text
		}
		if known, err = accuracy.ReadTable(f, data, column); err != nil {
			return nil, table, err
		}
		known.Scale = read.Accuracies.Scale
	}
	if predictor == nil {
		if read.Accuracies.Only == events.OnlyMeasured {
			return known, table, nil
		}
		const times = 1 // a tenth of the table left out is enough for an interval
		fit, err := known.Fit(max(times, fewRowsFolds(len(known.Measured()))))
		if errors.Is(err, accuracy.ErrFewNetworks) {
			return known, table, nil // no network without a measurement is known then
		}
		if err != nil {
			return nil, table, err
		}
		return fit.Known, table, nil
	}
	data, ok := b.sideFile(predictor)
	if !ok {
		return nil, nil, nil
	}
	p, err := accuracy.Parse(data)
	switch {
	case err != nil:
		return nil, predictor, err
	case p.Family().Name != f.Name:
		return nil, predictor, fmt.Errorf("the predictor is of family %s, the study searches %s", p.Family().Name, f.Name)
	case p.Scale != read.Accuracies.Scale:
		return nil, predictor, fmt.Errorf("the predictor is of %s accuracies, and the study's scale is %s: they cannot be compared", p.Scale, read.Accuracies.Scale)
	case p.Most() <= 1:
		return nil, predictor, fmt.Errorf("the predictor predicts at most %.2g percent: these are shares, want percent, as 70.9 for 0.709", p.Most())
	case known == nil:
		if read.Accuracies.Source == "" {
			read.Accuracies.Source = p.Source
		}
		return p, predictor, nil
	}
	known, err = known.With(p)
	return known, predictor, err
}

// fewRowsFolds is in how many folds a small table is left out, so that the interval
// follows from a hundred networks or all.
func fewRowsFolds(networks int) int {
	const enough, folds = 1000, 10
	if networks < enough {
		return folds
	}
	return 1
}

// sideFile reads a file that the document names and that becomes part of what is published.
func (b *builder) sideFile(n *node) ([]byte, bool) {
	if n.kind != stringKind {
		return nil, false
	}
	if b.when(b.opts.Published || b.opts.ReadFile == nil, n, codeUnsupported,
		"Submit it with `apollo study submit`, which sends what the file says.", "a published study cannot name files") {
		return nil, false
	}
	data, err := b.opts.ReadFile(b.path(n.text))
	b.when(err != nil, n, codeUnknownName, "Paths are relative to the study file.", "the file cannot be read: %s", err)
	return data, err == nil
}

// covered refuses networks that can be chosen and whose accuracy nobody knows.
func (b *builder) covered() {
	n := b.spec.SearchedFamily()
	if n == nil || len(b.networks) == 0 || len(b.spec.Parameters) == 0 {
		return
	}
	f := b.networks[0].Family
	if f.Known == nil || f.Measured {
		return
	}
	levels := make([][]int64, len(f.Params))
	for i := range f.Params {
		at := slices.IndexFunc(b.spec.Parameters, func(p events.Parameter) bool { return p.Name == f.Params[i].Name })
		if at < 0 {
			return // reported: its name is taken
		}
		for _, v := range b.spec.Parameters[at].Values {
			levels[i] = append(levels[i], int64(v))
		}
	}
	err := f.Known.Covers(levels)
	if err == nil {
		return
	}
	at := b.orFamily(b.field("workload", "networks").list()[0])
	unknown, ok := errors.AsType[accuracy.LevelsError](err)
	if !ok {
		b.addMistake(at, codeContradicts, "Restrict the parameters, write only: measured, or bring a predictor.", "%s", err)
		return
	}
	var missing, fix, restrict []string
	for _, u := range unknown {
		p := &f.Params[u.Param]
		missing = append(missing, p.Name+" is "+levelList(p, u.Unknown, "%s or %s"))
		if len(u.Known) == 1 {
			fix = append(fix, p.Name+": "+levelList(p, u.Known, ""))
		} else {
			restrict = append(restrict, p.Name+": ["+levelList(p, u.Known, "%s, %s")+"]")
		}
	}
	var space []string
	if fix != nil {
		space = append(space, "fix: {"+strings.Join(fix, ", ")+"}")
	}
	if restrict != nil {
		space = append(space, "restrict: {"+strings.Join(restrict, ", ")+"}")
	}
	b.addMistake(at, codeContradicts, "Write space: {"+strings.Join(space, ", ")+"}, or bring a predictor.",
		"nobody knows the accuracy of networks whose %s", strings.Join(missing, ", or whose "))
}

// levelList is some levels of a parameter, the last one set behind the others.
func levelList(p *workload.FamilyParam, values []int64, last string) string {
	var list []string
	for _, v := range values {
		list = append(list, unit.Format(float64(v), p.Unit))
	}
	end := len(list) - 1
	if end == 0 {
		return list[0]
	}
	return fmt.Sprintf(last, strings.Join(list[:end], ", "), list[end])
}

// familyWork is what a study's expressions call the operations of a network that a
// design chooses from a family.
const familyWork = "network_macs * 2"

// batchText is a family's batch as an expression.
func batchText(n *events.Network) string { return strconv.FormatInt(max(1, n.Batch), 10) }
