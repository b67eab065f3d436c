package workload

// LiveBytes returns, for every layer, the activation bytes that exist while it
// runs: its output and every tensor that it or a later layer still reads.
// Tensors that nobody reads are outputs of the network and stay to the end. A
// View shares its input's memory. The workload must be normalised.
func (w *Workload) LiveBytes() []int64 {
	if len(w.Layers) == 0 {
		return nil
	}
	tensors := w.tensors()
	change := make([]int64, len(w.Layers)+1)
	for _, t := range tensors {
		change[t.first] += t.bytes
		change[t.last+1] -= t.bytes
	}
	live := make([]int64, len(w.Layers))
	var now int64
	for i := range live {
		now += change[i]
		live[i] = now
	}
	return live
}

// PeakLiveBytes returns the largest value of LiveBytes: the memory that keeps
// every activation on chip.
func (w *Workload) PeakLiveBytes() int64 {
	var peak int64
	for _, b := range w.LiveBytes() {
		peak = max(peak, b)
	}
	return peak
}

// tensor is a piece of activation memory and the layers that it lives through.
type tensor struct {
	bytes       int64
	first, last int
}

func (w *Workload) tensors() []tensor {
	bits := w.Precision.WithDefaults().Activations
	tensors := make([]tensor, 0, len(w.Inputs)+len(w.Layers))
	owner := make(map[string]int, len(w.Inputs)+len(w.Layers))
	unread := make(map[string]bool, len(w.Inputs)+len(w.Layers))
	add := func(name string, t tensor) {
		owner[name] = len(tensors)
		tensors = append(tensors, t)
	}
	for _, in := range w.Inputs {
		add(in.Name, tensor{bytes: bytesOf(elements(in.Shape), bits)})
		unread[in.Name] = true
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		for _, name := range l.In {
			delete(unread, name)
			if at, ok := owner[name]; ok {
				tensors[at].last = i
			}
		}
		unread[l.ID] = true
		if l.Op == View && len(l.In) > 0 {
			owner[l.ID] = owner[l.In[0]]
			continue
		}
		add(l.ID, tensor{bytes: l.OutputBytes(w.Precision), first: i, last: i})
	}
	for name := range unread {
		tensors[owner[name]].last = max(len(w.Layers)-1, 0)
	}
	return tensors
}

func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
