package workload

// Life is what exists of a network's activations while a layer runs, on a chip
// that keeps them from the layer that writes them to the last that reads them,
// and what crosses its border meanwhile. An input of the network arrives at the
// first layer that reads it; one that no layer reads stays outside. What nobody
// reads is an output of the network and leaves as it is written, as does what
// has a view that nobody reads. A view shares its input's memory. All is in
// bytes.
type Life struct {
	// Arrives is the inputs that the layer is the first to read, Leaves its own
	// output where that is the network's.
	Arrives, Leaves int64
	// Live is everything that exists: what the layer reads and writes, and what
	// waits for a later one.
	Live int64
	// Waiting is the part of Live that the layer neither reads nor writes, and
	// WaitingInputs the part of that which has come from outside, where it
	// still is.
	Waiting, WaitingInputs int64
}

// Lives returns the Life of every layer. The workload must be normalised.
func (w *Workload) Lives() []Life {
	lives := make([]Life, len(w.Layers))
	last := len(w.Layers)
	change, inputs := make([]int64, last+1), make([]int64, last+1)
	for _, t := range w.tensors() {
		if t.first < 0 {
			continue
		}
		change[t.first] += t.bytes
		change[t.last+1] -= t.bytes
		if t.input {
			inputs[t.first] += t.bytes
			inputs[t.last+1] -= t.bytes
			lives[t.first].Arrives += t.bytes
		} else if t.output {
			lives[t.first].Leaves += t.bytes
		}
		for _, i := range t.touched {
			lives[i].Waiting -= t.bytes
			if t.input {
				lives[i].WaitingInputs -= t.bytes
			}
		}
	}
	var live, fromOutside int64
	for i := range lives {
		live += change[i]
		fromOutside += inputs[i]
		lives[i].Live = live
		lives[i].Waiting += live
		lives[i].WaitingInputs += fromOutside
	}
	return lives
}

// PeakLiveBytes returns the most that is alive at a time: the memory that keeps
// every activation on chip.
func (w *Workload) PeakLiveBytes() int64 {
	var peak int64
	for _, l := range w.Lives() {
		peak = max(peak, l.Live)
	}
	return peak
}

// tensor is a piece of activation memory.
type tensor struct {
	bytes         int64
	input, output bool // of the network
	// first and last are the layers that it lives through; -1 for an input that
	// no layer reads.
	first, last int
	touched     []int // the layers that write or read it, each once
}

func (t *tensor) touch(layer int) {
	if t.first < 0 {
		t.first = layer
	}
	if n := len(t.touched); n == 0 || t.touched[n-1] != layer {
		t.touched = append(t.touched, layer)
	}
	t.last = layer
}

func (w *Workload) tensors() []tensor {
	bits := w.Precision.WithDefaults().Activations
	tensors := make([]tensor, 0, len(w.Inputs)+len(w.Layers))
	owner := make(map[string]int, len(w.Inputs)+len(w.Layers))
	read := make(map[string]bool, len(w.Inputs)+len(w.Layers))
	add := func(name string, t tensor) *tensor {
		t.first, t.last = -1, -1
		owner[name] = len(tensors)
		tensors = append(tensors, t)
		return &tensors[len(tensors)-1]
	}
	for _, in := range w.Inputs {
		add(in.Name, tensor{bytes: bytesOf(elements(in.Shape), bits), input: true})
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		for _, name := range l.In {
			read[name] = true
			if at, ok := owner[name]; ok && l.Op != View {
				tensors[at].touch(i)
			}
		}
		if l.Op == View && len(l.In) > 0 {
			owner[l.ID] = owner[l.In[0]]
			continue
		}
		if l.appends() { // the tensor grows where it is
			owner[l.ID] = owner[l.In[0]]
			grown := &tensors[owner[l.ID]]
			grown.bytes += l.OutputBytes(w.Precision)
			grown.touch(i)
			continue
		}
		add(l.ID, tensor{bytes: l.OutputBytes(w.Precision)}).touch(i)
	}
	for i := range w.Layers {
		if id := w.Layers[i].ID; !read[id] {
			tensors[owner[id]].output = true
		}
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
