package workload

import (
	"cmp"
	"slices"
)

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
	tensors, touched := w.tensors()
	for _, t := range tensors {
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
	}
	var live, stored int64
	for i := range lives {
		live += change[i]
		stored += outside[i]
		lives[i].Live = live
		lives[i].Waiting = live - touched[i].bytes
		lives[i].WaitingOutside = stored - touched[i].stored
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
	// grows is the tensor that this one is appended to, -1 for none, and whole the
	// bytes of both and of all before: who reads this one reads them too. root is the
	// first of them.
	grows, root int
	whole       int64
	// first and last are the layers that it lives through; -1 for an input that
	// no layer reads.
	first, last int
}

// touched is the bytes that a layer reads and writes, and those of them that are
// outside as well.
type touched struct{ bytes, stored int64 }

func (t *touched) add(x *tensor, bytes int64) {
	t.bytes += bytes
	if x.stored {
		t.stored += bytes
	}
}

// tensors returns the pieces of memory and what each layer touches of them. A
// network may append a piece in every layer, so none keeps a list of the others.
func (w *Workload) tensors() ([]tensor, []touched) {
	bits := w.Precision.WithDefaults().Activations
	tensors := make([]tensor, 0, len(w.Inputs)+len(w.Layers))
	layers := make([]touched, len(w.Layers))
	// What a name stands for: a tensor and what that grows.
	named := make(map[string]int, len(w.Inputs)+len(w.Layers))
	read := make(map[string]bool, len(w.Inputs)+len(w.Layers))
	add := func(t tensor) int {
		at := len(tensors)
		t.root, t.whole = at, t.bytes
		if t.grows >= 0 {
			before := &tensors[t.grows]
			// What comes in at every run holds then what this one appends.
			t.stored, t.output = before.stored, before.stored
			t.root, t.whole = before.root, before.whole+t.bytes
		}
		tensors = append(tensors, t)
		return at
	}
	for _, in := range w.Inputs {
		bytes := bytesOf(elements(in.Shape), bits)
		named[in.Name] = add(tensor{bytes: bytes, input: true, stored: true, grows: -1, first: -1, last: -1})
	}
	var reads []int
	counted := make([]int, cap(tensors)) // the layer, from 1, that has counted a tensor
	for i := range w.Layers {
		l := &w.Layers[i]
		reads = reads[:0]
		for at, name := range l.In {
			read[name] = true
			if l.Op == View || l.appends() && at == 0 {
				continue // stays where it is
			}
			reads = append(reads, named[name])
		}
		slices.SortFunc(reads, func(a, b int) int {
			return cmp.Or(cmp.Compare(tensors[a].root, tensors[b].root), cmp.Compare(a, b))
		})
		reads = slices.Compact(reads)
		for n, at := range reads {
			t := &tensors[at]
			t.last = i
			if root := &tensors[t.root]; root.first < 0 {
				root.first = i
			}
			same := func(n int) bool { return n >= 0 && n < len(reads) && tensors[reads[n]].root == t.root }
			if !same(n-1) && !same(n+1) {
				layers[i].add(t, t.whole)
				continue
			}
			for ; at >= 0 && counted[at] <= i; at = tensors[at].grows {
				counted[at] = i + 1
				layers[i].add(&tensors[at], tensors[at].bytes)
			}
		}
		if l.Op == View && len(l.In) > 0 {
			named[l.ID] = named[l.In[0]]
			continue
		}
		made := tensor{bytes: l.OutputBytes(w.Precision), grows: -1, first: i, last: -1}
		if l.appends() {
			made.grows = named[l.In[0]]
		}
		at := add(made)
		named[l.ID] = at
		layers[i].add(&tensors[at], made.bytes)
	}
	for i := range w.Layers {
		if id := w.Layers[i].ID; !read[id] {
			tensors[named[id]].output = true
		}
	}
	for i := len(tensors) - 1; i >= 0; i-- {
		t := &tensors[i]
		if t.grows >= 0 {
			before := &tensors[t.grows]
			before.last = max(before.last, t.last)
			before.output = before.output || t.output
		}
		t.last = max(t.last, t.first)
	}
	return tensors, layers
}

func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
