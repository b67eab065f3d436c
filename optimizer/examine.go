package optimizer

// Examinable is a strategy whose model of the objective can be held against the trials
// that it was told.
type Examinable interface {
	// LeaveOneOut returns, for each trial that the model has learned from, what it was
	// and what the model would have said without it. Few trials give nothing.
	LeaveOneOut() ([]LeftOut, error)
}

// LeftOut is one trial, in labels of the model: of mean 0 and deviation 1, or nearly,
// in the order of the objective or in its reverse. Deviation is how sure the model was.
type LeftOut struct{ Label, Mean, Deviation float64 }

var (
	_ Examinable = (*gp)(nil)
	_ Examinable = (*gpBandit)(nil)
)

// fewestLeftOut is how many trials say something of a model. Chosen.
const fewestLeftOut = 5

// LeaveOneOut implements Examinable. The trials are those that were measured and are no
// outliers, as far as the model takes them.
func (g *gp) LeaveOneOut() ([]LeftOut, error) {
	if err := g.explain(); err != nil {
		return nil, err
	}
	return g.leaveOneOut(g.learnValues)
}

// LeaveOneOut implements Examinable. Infeasible trials are among them, with the label
// that the model learns for these.
func (g *gpBandit) LeaveOneOut() ([]LeftOut, error) { return g.leaveOneOut(g.learn) }

func (p *gpModels) leaveOneOut(learn lesson) ([]LeftOut, error) {
	if p.running < fewestLeftOut {
		return nil, nil
	}
	m, err := p.model(&p.values, learn, 0)
	if err != nil {
		return nil, err
	}
	mean, deviation := make([]float64, len(m.labels)), make([]float64, len(m.labels))
	m.gp.LeaveOneOut(m.labels, mean, deviation)
	out := make([]LeftOut, len(mean))
	for i := range out {
		out[i] = LeftOut{m.labels[i], mean[i], deviation[i]}
	}
	return out, nil
}
