package suite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"apollo/evaluator"
	"apollo/events"
	"apollo/internal/atomicfile"
	"apollo/lab/bench"
)

// front is a set of pairs to minimise, none of which dominates another, in
// ascending order of the first number.
type front [][2]float64

// prune makes a front of any pairs, which it reorders.
func prune(pairs [][2]float64) front {
	slices.SortFunc(pairs, func(a, b [2]float64) int { return slices.Compare(a[:], b[:]) })
	var out front
	for _, p := range pairs {
		if len(out) == 0 || p[1] < out[len(out)-1][1] {
			out = append(out, p)
		}
	}
	return out
}

// plus is the front of all sums of a pair of each, as far as the first number
// is at most limit. Rounded addition keeps order, so that leaving out what is
// dominated before it is added loses nothing.
func (f front) plus(g front, limit float64) front {
	var sums [][2]float64
	for _, a := range f {
		for _, b := range g {
			if s := [2]float64{a[0] + b[0], a[1] + b[1]}; s[0] <= limit {
				sums = append(sums, s)
			}
		}
	}
	return prune(sums)
}

// bestSystem is the lowest sum of latencies of parts whose areas sum to at most
// a limit.
func bestSystem(ctx context.Context, data string, specs []*events.Spec, parts []evaluator.Evaluator, areaMM2 float64) (bench.Known, error) {
	total := front{{0, 0}}
	for i, part := range parts {
		f, err := keptFront(data, specs[i], "enumeration", func() (front, error) { return enumerate(ctx, specs[i], part) })
		if err != nil {
			return bench.Known{}, fmt.Errorf("prove the optimum: %w", err)
		}
		total = total.plus(f, areaMM2)
	}
	if len(total) == 0 {
		return bench.Known{}, errNoAnswer
	}
	return bench.Known{Best: total[len(total)-1][1], Proven: true, Source: "enumerated"}, nil
}

// enumerate measures every design of a part and returns the front of area and
// latency.
func enumerate(ctx context.Context, spec *events.Spec, ev evaluator.Evaluator) (front, error) {
	sp, err := spec.Space()
	if err != nil {
		return nil, err
	}
	var next atomic.Uint64
	var wait sync.WaitGroup
	workers, area, latency := runtime.GOMAXPROCS(0), spec.MetricIndex("area_mm2"), spec.MetricIndex("latency_s")
	found, errs := make([][][2]float64, workers), make([]error, workers)
	for w := range workers {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < sp.Size() && errs[w] == nil; i = next.Add(1) - 1 {
				var r evaluator.Result
				r, errs[w] = ev.Evaluate(ctx, evaluator.Request{Trial: -1, Design: sp.Values(sp.At(i))})
				if errs[w] == nil && r.Outcome == evaluator.Measured {
					found[w] = append(found[w], [2]float64{r.Values[area], r.Values[latency]})
				}
			}
		})
	}
	wait.Wait()
	return prune(slices.Concat(found...)), errors.Join(errs...)
}

// keptFront reads a front of a study, as a method found it, from a data
// directory, or makes it and writes it there. "" keeps none.
func keptFront(data string, spec *events.Spec, method string, makeFront func() (front, error)) (front, error) {
	if data == "" {
		return makeFront()
	}
	path := filepath.Join(data, "fronts", frontKey(spec, method)+".json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err := makeFront()
		if err != nil {
			return nil, err
		}
		return f, writeFront(path, f)
	}
	if err != nil {
		return nil, fmt.Errorf("read front: %w", err)
	}
	var f front
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("read front %s: %w", path, err)
	}
	return f, nil
}

// frontKey identifies what a front depends on.
func frontKey(spec *events.Spec, method string) string {
	b, err := json.Marshal([]any{
		version, method, spec.Template, spec.Parameters, spec.Networks, spec.Metrics, spec.Objectives, spec.Constraints, spec.Evaluator.Version,
	})
	if err != nil {
		panic(fmt.Sprintf("suite: a study of a suite has no JSON: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func writeFront(path string, f front) error {
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("write front: %w", err)
	}
	if err := atomicfile.Write(path, b); err != nil {
		return fmt.Errorf("front: %w", err)
	}
	return nil
}
