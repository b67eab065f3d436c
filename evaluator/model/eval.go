package model

// Access counts what one operand does at one level, in elements over all
// instances of the level.
type Access struct {
	// Tile is the part of the operand that one instance holds at a time.
	Tile int64
	// Fills are elements that arrive from the level above: for outputs, partial
	// sums that come back.
	Fills int64
	// Reads are elements read for the level below: for outputs, partial sums
	// that go back down. One read serves all instances that need the element.
	Reads int64
	// Updates are outputs that arrive from below.
	Updates int64
	// Drains are outputs that leave for the level above.
	Drains int64
}

// Compute is the Bottleneck of a layer that its multipliers limit.
const Compute = -1

// Result is the cost of a mapping. Arrays are indexed by level.
type Result struct {
	// MACs is the work; ComputeCycles the steps of the loop nest on the
	// busiest units, of which Active have work.
	MACs, ComputeCycles, Active int64
	// LevelCycles is the time that a level's traffic takes at its bandwidth.
	LevelCycles [MaxLevels]int64
	// FillCycles and DrainCycles are the first tiles' way in and the last
	// tile's way out, which nothing hides.
	FillCycles, DrainCycles int64
	// Cycles is the total: the largest of ComputeCycles and the LevelCycles of
	// double-buffered levels, plus the LevelCycles of the others, plus fill and
	// drain.
	Cycles int64
	// Bottleneck is the level with the largest time, or Compute.
	Bottleneck int
	// Access counts per level and operand; zero where the level keeps nothing.
	Access [MaxLevels][Operands]Access
	// ComputePJ and LevelPJ are dynamic energies in pJ.
	ComputePJ float64
	LevelPJ   [MaxLevels]float64
}

// Eval returns the cost of a mapping. The mapping must be valid for the
// problem and the hierarchy (Mapping.Validate); capacities play no role.
func Eval(p *Problem, a *Arch, m *Mapping) Result {
	var r Result
	r.Eval(p, a, m)
	return r
}

// Eval overwrites r with the cost of a mapping; it allocates nothing.
func (r *Result) Eval(p *Problem, a *Arch, m *Mapping) {
	fill, drain := m.Ramp(p, a)
	r.EvalRamped(p, a, m, &fill, &drain)
}

// EvalRamped is Eval for who has the mapping's Ramp already.
func (r *Result) EvalRamped(p *Problem, a *Arch, m *Mapping, fill, drain *[MaxLevels]int64) {
	*r = Result{MACs: p.MACs(), Active: 1}
	for i := range a.Levels {
		r.Active *= product(&m.Loops[i].Spatial)
	}
	w := walk{p: p, a: a, m: m}
	w.begin()
	r.ComputeCycles = product(&w.steps)
	for o := range Operands {
		w.operand(o, r)
	}
	r.times(p, a, m, fill, drain)
}

// EvalLeast evaluates a mapping whose loops have another order for each operand, and no
// ramp: where each one's is the best for it, no order of the same loops takes less.
func (r *Result) EvalLeast(p *Problem, a *Arch, m *Mapping, orders *[Operands][Dims]Dim) {
	*r = Result{MACs: p.MACs(), Active: 1}
	w := walk{p: p, a: a, m: m}
	w.begin()
	r.ComputeCycles = product(&w.steps)
	for o := range Operands {
		for i := range a.Levels {
			m.Loops[i].Order = orders[o]
		}
		w.operand(o, r)
	}
	var none [MaxLevels]int64
	r.times(p, a, m, &none, &none)
}

// Utilisation is the share of the hierarchy's units that work, over the
// compute cycles.
func (r *Result) Utilisation(a *Arch) float64 {
	return float64(r.MACs) / (float64(r.ComputeCycles) * float64(a.Units()))
}

// TileBytes returns what one instance of a level holds at a time. Outputs
// count as partial sums while a sum is split above the level.
func (r *Result) TileBytes(p *Problem, level int) int64 {
	var n int64
	for o := range Operands {
		n += r.Access[level][o].Tile * r.width(p, level, o)
	}
	return n
}

// width returns the bytes per element: partial sums are wider.
func (r *Result) width(p *Problem, level int, o Operand) int64 {
	if o == Outputs && (r.Access[level][o].Reads > 0 || r.Access[level][o].Fills > 0) {
		return p.PartialBytes
	}
	return p.Bytes[o]
}

// Traffic returns the bytes that one level reads and writes, over all
// instances. Every output is written back once complete; partial sums travel
// in their own width.
func (r *Result) Traffic(p *Problem, level int) (read, write int64) {
	for o := range Operands {
		x := &r.Access[level][o]
		if o != Outputs {
			read += x.Reads * p.Bytes[o]
			write += x.Fills * p.Bytes[o]
			continue
		}
		partial, final := p.PartialBytes, p.Bytes[Outputs]
		read += x.Reads*partial + (x.Drains-x.Fills)*final + x.Fills*partial
		write += x.Fills*partial + (x.Updates-x.Reads)*final + x.Reads*partial
	}
	return read, write
}

// WirePJ is the part of LevelPJ that the wires to the next level have: what is
// read for it, and the outputs that come from it.
func (r *Result) WirePJ(p *Problem, a *Arch, level int) float64 {
	pj := 0.0
	for o := range Operands {
		x := &r.Access[level][o]
		bytes := x.Reads * p.Bytes[o]
		if o == Outputs {
			bytes = 2*x.Reads*p.PartialBytes + (x.Updates-x.Reads)*p.Bytes[o]
		}
		pj += float64(bytes) * a.Level[level].WirePJ[o]
	}
	return pj
}

// times fills in the times and energies.
func (r *Result) times(p *Problem, a *Arch, m *Mapping, fill, drain *[MaxLevels]int64) {
	r.ComputePJ = float64(r.MACs) * a.MACPJ
	r.Bottleneck, r.Cycles = Compute, r.ComputeCycles
	instances, stall, longest := int64(1), int64(0), r.ComputeCycles
	for i := range a.Levels {
		l := &a.Level[i]
		read, write := r.Traffic(p, i)
		r.LevelPJ[i] = float64(read)*l.ReadPJ + float64(write)*l.WritePJ
		if l.WirePJ != [Operands]float64{} {
			r.LevelPJ[i] += r.WirePJ(p, a, i)
		}
		t := l.cycles(CeilDiv(read, instances), CeilDiv(write, instances))
		r.LevelCycles[i] = t
		if t > longest {
			longest, r.Bottleneck = t, i
		}
		if l.DoubleBuffered {
			r.Cycles = max(r.Cycles, t)
		} else {
			stall += t
		}
		instances *= product(&m.Loops[i].Spatial)
	}
	for i := range a.Levels {
		r.FillCycles += fill[i]
		r.DrainCycles += drain[i]
	}
	r.Cycles += stall + r.FillCycles + r.DrainCycles
}

// Ramp returns the time that each level takes for the first tiles' way in and for
// the last outputs' way out: a level that keeps an operand gets a tile from the
// level above that keeps it. Instances that hold the same elements share them.
func (m *Mapping) Ramp(p *Problem, a *Arch) (fill, drain [MaxLevels]int64) {
	// Steps in time from each level in, and instances of the levels so far, going out; the last one
	// that keeps an operand.
	var time [MaxLevels + 1][Dims]int64
	room := [Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	time[a.Levels] = room
	last := [Operands]int{-1, -1, -1}
	for i := a.Levels - 1; i >= 0; i-- {
		l, level := &m.Loops[i], &a.Level[i]
		for d := range Dims {
			time[i][d] = time[i+1][d] * l.Temporal[d]
			room[d] *= l.Spatial[d]
		}
		var extent [Dims]int64
		of := -1 // whose tiles have the extent
		for o := range Operands {
			if !level.Keeps[o] || l.Bypass[o] {
				continue
			}
			rate := level.ReadRate
			if o == Outputs {
				rate = level.WriteRate
			}
			if below := last[o]; below >= 0 && rate > 0 {
				if of != below {
					of = below
					for d := range Dims {
						extent[d] = min(time[below][d]*room[d], p.Bound[d])
					}
				}
				n := p.Elements(o, &extent) * p.Bytes[o]
				switch {
				case o != Outputs:
					fill[i] += n
				case a.Level[below].Forwards:
					drain[i] += m.backlog(a, below, n, rate)
				default:
					drain[i] += n
				}
			}
			last[o] = i
		}
	}
	for i := range a.Levels {
		fill[i], drain[i] = cycles(fill[i], a.Level[i].ReadRate), cycles(drain[i], a.Level[i].WriteRate)
	}
	return fill, drain
}

// backlog returns how many of n bytes of outputs are left at a level when the last
// one is complete: they complete evenly over the loops inside the innermost one
// that sums, and leave at the given rate.
func (m *Mapping) backlog(a *Arch, level int, n, rate int64) int64 {
	steps := int64(1)
	for i := a.Levels - 1; i >= level; i-- {
		l := &m.Loops[i]
		for at := len(l.Order) - 1; at >= 0; at-- {
			d := l.Order[at]
			if l.Temporal[d] > 1 && !relevant[Outputs][d] {
				return max(n-steps*rate/milli, n/steps)
			}
			steps *= l.Temporal[d]
		}
	}
	return max(n-steps*rate/milli, n/steps)
}

// milli is the number of cycles that rates are given for.
const milli = 1000

// cycles returns how long one instance takes to read and write so many bytes.
func (l *Level) cycles(read, write int64) int64 {
	if l.Shared {
		return cycles(read+write, l.ReadRate)
	}
	return max(cycles(read, l.ReadRate), cycles(write, l.WriteRate))
}

func cycles(bytes, rate int64) int64 {
	if rate == 0 {
		return 0
	}
	return CeilDiv(bytes*milli, rate)
}
