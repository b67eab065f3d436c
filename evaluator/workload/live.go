package workload

import "slices"

// Life is what exists of a network's activations while a layer runs, on a chip
// that keeps them from the layer that writes them to the last that reads them,
// and what crosses its border meanwhile. An input of the network arrives at the
// first layer that reads it; one that no layer reads stays outside. What nobody
// reads is an output of the network and leaves as it is written, as does what
// has a view that nobody reads. A view shares its input's memory. What is
// appended to an input leaves too, whoever reads it: it is there at the next run;
// the input arrives with what reads its elements. All is in bytes.
type Life struct {
	// Arrives is the inputs that the layer is the first to read, Leaves its own
	// output where that is the network's.
	Arrives, Leaves int64
	// Live is everything that exists: what the layer reads and writes, and what
	// waits for a later one.
	Live int64
	// Waiting is the part of Live that the layer neither reads nor writes, and
	// WaitingOutside the part of that which is outside as well: inputs, and what
	// was appended to them.
	Waiting, WaitingOutside int64
}

// Lives returns the Life of every layer. The workload must be normalised.
func (w *Workload) Lives() []Life {
	lives := make([]Life, len(w.Layers))
	last := len(w.Layers)
	change, outside := make([]int64, last+1), make([]int64, last+1)
	for _, t := range w.tensors() {
		if t.first < 0 {
			continue
		}
		change[t.first] += t.bytes
		change[t.last+1] -= t.bytes
		if t.stored {
			outside[t.first] += t.bytes
			outside[t.last+1] -= t.bytes
		}
		if t.input {
			lives[t.first].Arrives += t.bytes
		} else if t.output {
			lives[t.first].Leaves += t.bytes
		}
		for _, i := range t.touched {
			lives[i].Waiting -= t.bytes
			if t.stored {
				lives[i].WaitingOutside -= t.bytes
			}
		}
	}
	var live, stored int64
	for i := range lives {
		live += change[i]
		stored += outside[i]
		lives[i].Live = live
		lives[i].Waiting += live
		lives[i].WaitingOutside += stored
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
	stored        bool // outside from its first layer on: an input, or appended to one
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
	// What a name stands for: one tensor, or one that has grown and what was
	// appended to it.
	parts := make(map[string][]int, len(w.Inputs)+len(w.Layers))
	read := make(map[string]bool, len(w.Inputs)+len(w.Layers))
	add := func(t tensor) int {
		t.first, t.last = -1, -1
		tensors = append(tensors, t)
		return len(tensors) - 1
	}
	for _, in := range w.Inputs {
		parts[in.Name] = []int{add(tensor{bytes: bytesOf(elements(in.Shape), bits), input: true, stored: true})}
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		for at, name := range l.In {
			read[name] = true
			if l.Op == View || l.appends() && at == 0 {
				continue // stays where it is
			}
			for _, part := range parts[name] {
				tensors[part].touch(i)
			}
		}
		if l.Op == View && len(l.In) > 0 {
			parts[l.ID] = parts[l.In[0]]
			continue
		}
		made := add(tensor{bytes: l.OutputBytes(w.Precision)})
		tensors[made].touch(i)
		parts[l.ID] = []int{made}
		if l.appends() {
			grows := parts[l.In[0]]
			// What comes in at every run holds then what this one appends.
			tensors[made].stored = len(grows) > 0 && tensors[grows[0]].input
			tensors[made].output = tensors[made].stored
			parts[l.ID] = append(slices.Clone(grows), made)
		}
	}
	for i := range w.Layers {
		if id := w.Layers[i].ID; !read[id] {
			for _, part := range parts[id] {
				tensors[part].output = true
			}
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
