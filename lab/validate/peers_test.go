package validate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"apollo/evaluator/lower"
	"apollo/evaluator/model"
	"apollo/evaluator/systolic"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
)

// sideLevel is a memory for ZigZag: bits, bits a cycle, and pJ a bit.
type sideLevel struct {
	Bits  int64   `json:"bits"`
	Width int64   `json:"width"`
	Read  float64 `json:"read"`
	Write float64 `json:"write"`
}

// sideJob is a layer for a tool: a matrix product for SCALE-Sim, a convolution
// on a machine for ZigZag.
type sideJob struct {
	Tool     string           `json:"tool"`
	Goal     string           `json:"goal,omitempty"`
	Rows     int64            `json:"rows,omitempty"`
	Cols     int64            `json:"cols,omitempty"`
	Dataflow string           `json:"dataflow,omitempty"`
	M        int64            `json:"m,omitempty"`
	N        int64            `json:"n,omitempty"`
	C        int64            `json:"c,omitempty"`
	K        int64            `json:"k,omitempty"`
	Sparsity string           `json:"sparsity,omitempty"`
	MAC      float64          `json:"mac,omitempty"`
	Levels   []sideLevel      `json:"levels,omitempty"`
	Layer    map[string]int64 `json:"layer,omitempty"`
}

// sideAnswer is what a tool, or our model, says: seconds of a processor.
type sideAnswer struct {
	Cycles  float64 `json:"cycles"`
	Energy  float64 `json:"energy"`
	Seconds float64 `json:"seconds"`
}

// sideCase is a layer for both.
type sideCase struct {
	name string
	job  sideJob
	ours func() sideAnswer
}

// sideSeed draws layers that are in no reference.
const sideSeed = 20261128

// timed repeats a function until it took long enough to measure.
func timed(f func() sideAnswer) sideAnswer {
	const least = 20 * time.Millisecond
	a, n := f(), 0
	start := processorTime()
	for processorTime()-start < least {
		for range 10 { // asking for the time takes some
			f()
			n++
		}
	}
	a.Seconds = (processorTime() - start).Seconds() / float64(n)
	return a
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sideRounds is how often both are timed, one after the other: work of others on the
// machine makes processor time longer, never shorter.
const sideRounds = 5

// inTurn returns the answers of the tools and ours, each with the least of its times.
func inTurn(t *testing.T, python string, list []sideCase) (theirs, ours []sideAnswer) {
	t.Helper()
	ours = make([]sideAnswer, len(list))
	for round := range sideRounds {
		answers := runTools(t, python, list)
		for i, c := range list {
			own := timed(c.ours)
			if round > 0 {
				answers[i].Seconds = min(answers[i].Seconds, theirs[i].Seconds)
				own.Seconds = min(own.Seconds, ours[i].Seconds)
			}
			ours[i] = own
		}
		theirs = answers
	}
	return theirs, ours
}

func scalesimCases(rng *rand.Rand, n int) []sideCase {
	var list []sideCase
	for i := range n {
		a := systolic.Array{Rows: 4 << rng.IntN(4), Cols: 4 << rng.IntN(4), Dataflow: systolic.Dataflow(i % 3)}
		g := systolic.GEMM{M: 10 + rng.Int64N(190), N: 5 + rng.Int64N(95), K: 10 + rng.Int64N(190)}
		flow := [...]string{"ws", "os", "is"}[i%3]
		list = append(list, sideCase{
			fmt.Sprintf("%d x %d x %d, %d x %d %s", g.M, g.N, g.K, a.Rows, a.Cols, flow),
			sideJob{Tool: "scalesim", Rows: a.Rows, Cols: a.Cols, Dataflow: flow, M: g.M, N: g.N, K: g.K},
			func() sideAnswer { p := a.Pass(&g); return sideAnswer{Cycles: float64(p.Cycles)} },
		})
	}
	return list
}

// sparseCases are products with weights in blocks, which the tool packs as well.
func sparseCases(rng *rand.Rand, n int) []sideCase {
	var list []sideCase
	for i := range n {
		a := systolic.Array{Rows: 4 << rng.IntN(4), Cols: 4 << rng.IntN(4), Dataflow: systolic.Dataflow(i % 3)}
		l := workload.Layer{Op: workload.GEMM, M: 10 + rng.Int64N(190), K: 5 + rng.Int64N(95), C: 16 + rng.Int64N(190)}
		sparsity, flow := [...]string{"2:4", "1:4", "4:8", "1:2"}[i%4], [...]string{"ws", "os", "is"}[i%3]
		list = append(list, sideCase{
			fmt.Sprintf("%d x %d x %d at %s, %d x %d %s", l.M, l.K, l.C, sparsity, a.Rows, a.Cols, flow),
			sideJob{Tool: "scalesim", Rows: a.Rows, Cols: a.Cols, Dataflow: flow, M: l.M, N: l.K, K: l.C, Sparsity: sparsity},
			func() sideAnswer {
				p, _, err := lower.Blocks(&l, workload.Precision{Sparsity: sparsity})
				if err != nil {
					return sideAnswer{Cycles: math.NaN()}
				}
				g, _ := systolic.Of(&p)
				pass := a.Pass(&g)
				return sideAnswer{Cycles: float64(pass.Cycles)}
			},
		})
	}
	return list
}

func zigzagCases(rng *rand.Rand, n int) []sideCase {
	const side, kib, bits, milli = 16, 1 << 10, 8, 1000
	s, _ := built("nvdla", side, side)
	m := s.Machine([]int64{side, side, 256 * kib, 32 * kib, 8e9}, s.NetworkBytes)
	var levels []sideLevel
	for i := m.Arch.Levels - 1; i >= 0; i-- {
		l := &m.Arch.Level[i]
		// Tiles of ours have half of a memory, the other half is being filled.
		levels = append(levels, sideLevel{l.Capacity / 2 * bits, l.ReadRate * bits / milli, l.ReadPJ / bits, l.WritePJ / bits})
	}
	var list []sideCase
	for range n {
		window, stride, pixels := 1+2*rng.Int64N(3), 1+rng.Int64N(2), 4+2*rng.Int64N(13)
		p := model.Problem{
			Bound:  [model.Dims]int64{1, 1, 8 * (1 + rng.Int64N(16)), 8 * (1 + rng.Int64N(16)), pixels, pixels, window, window},
			Stride: [2]int64{stride, stride}, Dilation: [2]int64{1, 1}, Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4,
		}
		b := &p.Bound
		for _, goal := range []struct {
			name string
			find func(*template.Machine, *model.Problem, *model.Mapping) (template.Cost, *template.Misfit)
		}{{"latency", (*template.Machine).Fastest}, {"energy", (*template.Machine).Cheapest}} {
			list = append(list, sideCase{
				fmt.Sprintf("%d x %d, %d to %d channels, %d x %d stride %d", pixels, pixels, b[model.C], b[model.K], window, window, stride),
				sideJob{
					Tool: "zigzag", Goal: goal.name, C: side, K: side, MAC: m.Arch.MACPJ, Levels: levels,
					Layer: map[string]int64{"k": b[model.K], "c": b[model.C], "p": pixels, "q": pixels, "r": window, "s": window, "stride": stride},
				},
				func() sideAnswer {
					var found model.Mapping
					return answerOf(goal.find(&m, &p, &found))
				},
			})
		}
	}
	return list
}

func answerOf(cost template.Cost, misfit *template.Misfit) sideAnswer {
	if misfit != nil {
		return sideAnswer{Cycles: math.NaN()}
	}
	return sideAnswer{Cycles: float64(cost.Cycles), Energy: cost.EnergyPJ}
}

// runTools asks the tools.
func runTools(t *testing.T, python string, list []sideCase) []sideAnswer {
	t.Helper()
	jobs := make([]sideJob, len(list))
	for i := range list {
		jobs[i] = list[i].job
	}
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "peers/peers.py")
	var problems bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("peers.py: %v\n%s", err, problems.String())
	}
	var answers []sideAnswer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(list) {
		t.Fatalf("peers.py says %q: %v, want %d answers", out, err, len(list))
	}
	return answers
}

// ZigZag and SCALE-Sim of the package index beside our model, on ten fresh layers
// each: `make validate-peers` runs it and writes docs/results-validate-peers.md.
func TestToolsSideBySide(t *testing.T) {
	python := os.Getenv("APOLLO_VALIDATE_PEERS")
	if python == "" {
		t.Skip("APOLLO_VALIDATE_PEERS is not set to a Python with the tools: make validate-peers makes one")
	}
	rng := rand.New(rand.NewPCG(sideSeed, 0))
	const n = 10
	list := append(scalesimCases(rng, n), zigzagCases(rng, n)...)
	list = append(list, sparseCases(rng, n)...)
	answers, own := inTurn(t, python, list)
	rows := map[string][]string{}
	errors := map[string][]float64{}
	for i, c := range list {
		theirs, ours := answers[i], own[i]
		if c.job.Tool == "scalesim" {
			theirs.Cycles++ // the tool counts from 0
		}
		wrong := ours.Cycles/theirs.Cycles - 1
		row := fmt.Sprintf("| %s | %.0f | %.0f | %+.1f %% |", c.name, theirs.Cycles, ours.Cycles, 100*wrong)
		which := c.job.Tool + c.job.Goal
		if c.job.Sparsity != "" {
			which = "sparse"
		}
		if c.job.Tool == "zigzag" {
			energy := ours.Energy/theirs.Energy - 1
			row += fmt.Sprintf(" %.2f | %.2f | %+.1f %% |", theirs.Energy/1e6, ours.Energy/1e6, 100*energy)
			errors[which+" pJ"] = append(errors[which+" pJ"], math.Abs(energy))
		}
		row += fmt.Sprintf(" %.2f s | %.2g µs | %.1g |", theirs.Seconds, 1e6*ours.Seconds, theirs.Seconds/ours.Seconds)
		rows[which] = append(rows[which], row)
		errors[which] = append(errors[which], math.Abs(wrong))
		t.Log(row)
		if c.job.Tool == "scalesim" && wrong != 0 {
			t.Errorf("SCALE-Sim, %s: the cycles differ by %g, want none", c.name, wrong)
		}
	}
	for _, x := range []string{"zigzaglatency", "zigzagenergy pJ"} {
		if got := median(errors[x]); !(got <= 0.15) {
			t.Errorf("%s: the median error of what both minimise is %.1f %%, want at most 15", x, 100*got)
		}
	}
	if page := os.Getenv("APOLLO_VALIDATE_PAGE"); page != "" && !t.Failed() {
		if err := os.WriteFile(page, []byte(sidePage(rows, errors)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func sidePage(rows map[string][]string, errors map[string][]float64) string {
	table := func(which, columns string) string {
		head := "| layer | cycles | ours | error |" + columns + " theirs takes | ours takes | ratio |"
		return head + "\n" + strings.Repeat("|---", strings.Count(head, "|")-1) + "|\n" + strings.Join(rows[which], "\n") + "\n"
	}
	const energies = " µJ | ours | error |"
	return fmt.Sprintf(`# Two tools beside the cost model

Written by `+"`make validate-peers`"+`: layers drawn with seed %d, in no reference. Times are of the processor: of the tools that of one call, without starting Python, of ours the mean of
repeated calls (%s, %s), each the least of %d runs in turn. The last column is theirs by ours.

## SCALE-Sim 3.0.0

Matrix products (rows x columns x sums) on a systolic array, without stalls: `+"`systolic.Array.Pass`"+`. The tool's energies need another tool and are not compared. All cycles are equal.

%s
Weights in blocks (`+"`SparsitySupport`"+`, a ratio for each layer in the topology): both keep N of M weights along the sums, a block cut short keeps as many at most. All cycles are equal.

%s
## ZigZag 3.9.1

Convolutions on the machine of `+"`nvdla`"+`, 16 x 16 units, 256 KiB and 32 KiB, 8 GB/s, with the sizes, widths and energies of our levels. Each takes the best mapping that it finds
for a goal: both for the least energy (`+"`opt=\"energy\"`"+` there, dynamic energy here), and both for the least latency. With a stride wider than the window ours brings the columns that it
skips, the tool does not.

**For energy**: median error of energies %.1f %%, of cycles %.1f %%.

%s
**For latency**: median error of cycles %.1f %%, of energies %.1f %%. Ours starts sooner: it cuts the first tile small, where the tool fills its memories as far as they go,
and brings operands again where the interface has time for that. Its energies are then those of other, faster mappings.

%s`, sideSeed, runtime.Version(), runtime.GOARCH, sideRounds, table("scalesim", ""), table("sparse", ""),
		100*median(errors["zigzagenergy pJ"]), 100*median(errors["zigzagenergy"]), table("zigzagenergy", energies),
		100*median(errors["zigzaglatency"]), 100*median(errors["zigzaglatency pJ"]), table("zigzaglatency", energies))
}
