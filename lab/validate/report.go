package validate

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
)

// Verdict says how a comparison ended.
type Verdict string

const (
	// Pass is within the tolerance.
	Pass Verdict = "pass"
	// Fail is outside of it.
	Fail Verdict = "FAIL"
	// Note is printed beside a judged row, not judged itself.
	Note Verdict = "note"
)

// Row is one line of the table: a number of a reference beside ours.
type Row struct {
	// Reference is the file, Metric what is compared.
	Reference string `json:"reference"`
	Metric    string `json:"metric"`
	// Theirs and Ours are in Unit. For a comparison of many rows by count they
	// are the number of rows and of rows that agree.
	Theirs float64 `json:"theirs"`
	Ours   float64 `json:"ours"`
	Unit   string  `json:"unit"`
	// Error is what Tolerance bounds, as a share, for example 0.1 for 10 %. A
	// rank correlation stands here as it is.
	Error float64 `json:"error"`
	// Tolerance is the bound in words: "<= 10 %".
	Tolerance string  `json:"tolerance"`
	Verdict   Verdict `json:"verdict"`
	// Misses names rows outside the tolerance, at most maxMisses.
	Misses []string `json:"misses,omitempty"`
}

// Report is the outcome of Run.
type Report struct {
	Rows []Row `json:"rows"`
	// Carried are the files that the folder does not have and the program does.
	Carried []string `json:"carried"`
	// Absent lists the references that were not there.
	Absent []Absent `json:"absent"`
	// Bad lists what was there and could not be compared, as "file:line: reason"
	// or "file: reason". It hides nothing else.
	Bad []string `json:"bad"`
	// Judged and Failed are the numbers of rows that have a verdict and whose
	// verdict is Fail.
	Judged int `json:"judged"`
	Failed int `json:"failed"`
	// Missed is the number of rows that are known to be outside of their
	// tolerance: notes that say so.
	Missed int `json:"missed"`
}

// Absent is a reference that is not there, and where it comes from.
type Absent struct {
	File   string `json:"file"`
	Source string `json:"source"`
}

// reference is one comparison: the file it needs, what it does, and where a file
// comes from that the program does not carry.
type reference struct {
	file   string
	run    func(t *table) ([]Row, error)
	source string
}

// name is what the table calls it.
func (r *reference) name() string {
	return strings.TrimSuffix(strings.TrimSuffix(path.Base(r.file), ".gz"), ".csv")
}

// Names are the references, in the order of the table.
func Names() (all []string) {
	for _, r := range references() {
		all = append(all, r.name())
	}
	return all
}

// references lists the comparisons in the order of the table.
func references() []reference {
	const dosa = "cycles of Gemmini's RTL in github.com/ucb-bar/dosa (BSD-2)"
	return []reference{
		{"scalesim_compute.csv", scalesimCompute, ""},
		{"scalesim_bandwidth.csv", scalesimBandwidth, ""},
		{"timeloop_cases.csv", timeloopCases, "the exercises of Timeloop's model, with their outputs, in github.com/Accelergy-Project/timeloop-accelergy-exercises"},
		{"timeloop_random.csv", timeloopRandom, "answers of Timeloop 3.0.3 to 200 random mappings"},
		{"eyeriss_alexnet.csv", eyerissAlexNet, ""},
		{"eyeriss_vgg16.csv", eyerissVGG, ""},
		{"edgetpu_compiler_estimates.csv", edgeTPUEstimates, "estimates in the compiled networks of github.com/google-coral, with the layers of two of these networks"},
		{"coral_latency.csv", coralLatency, ""},
		{"gemmini_rtl.csv", gemminiRTL, dosa},
		{"gemmini_rtl_mappings.csv", gemminiMappings, dosa},
		{"prime_landscape.csv", primeLandscape, ""},
		{"maestro_layers.csv", maestroLayers, "answers of MAESTRO to data/model with data/mapping of github.com/maestro-project/maestro"},
		{"cacti_sram.csv", cactiSRAM, ""},
		{"power_published.csv", publishedPower, ""},
		{"accuracy/accel_nasbench.csv.gz", accelNASBench, "the measurements of Accel-NASBench (arXiv 2404.08005)"},
		{"language_models.csv", languageModels, ""},
	}
}

// Run compares the model with every reference in the folder, or those that are
// named. A file that is not there is listed in Report.Absent; a file or a row that
// is there and cannot be read as what it says it is in Report.Bad, and the others
// are compared all the same.
func Run(folder fs.FS, only ...string) Report {
	r := Report{Rows: []Row{}, Carried: []string{}, Absent: []Absent{}, Bad: []string{}}
	for _, ref := range references() {
		if len(only) == 0 || slices.Contains(only, ref.name()) {
			r.read(folder, ref)
		}
	}
	return r
}

// read compares with the file of a reference.
func (r *Report) read(folder fs.FS, ref reference) {
	t, err := readTable(folder, ref.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Absent = append(r.Absent, Absent{ref.file, ref.source})
	case err != nil:
		r.Bad = append(r.Bad, fmt.Sprintf("%s: %v", ref.file, err))
	default:
		r.compare(ref, t)
	}
}

// published are references that stand in the repository: a few facts each, with
// their source.
//
//go:embed published/*.csv
var published embed.FS

// Published compares with what the program carries of the references that were
// absent.
func (r *Report) Published() {
	absent := r.Absent
	r.Absent = []Absent{}
	folder, err := fs.Sub(published, "published")
	if err != nil {
		panic("validate: " + err.Error()) // the name is a constant
	}
	for _, ref := range references() {
		if !slices.ContainsFunc(absent, func(a Absent) bool { return a.File == ref.file }) {
			continue
		}
		before := len(r.Absent)
		if r.read(folder, ref); len(r.Absent) == before {
			r.Carried = append(r.Carried, ref.file)
		}
	}
}

// maxBadRows is how many rows of a file may be bad: each costs another look at
// the file.
const maxBadRows = 1000

// compare adds the rows of one reference. A bad row is taken out, and the others
// are compared without it.
func (r *Report) compare(ref reference, t *table) {
	bad := t.skipped
	for len(t.rows) > 0 {
		rows, err := ref.run(t)
		if row, ok := errors.AsType[*badRow](err); ok {
			bad = append(bad, *row)
			t.without(row.row)
			if len(bad) < maxBadRows {
				continue
			}
			err = fmt.Errorf("%d rows are bad: the others are not compared", maxBadRows)
		}
		switch {
		case err != nil:
			r.Bad = append(r.Bad, fmt.Sprintf("%s: %v", ref.file, err))
		case len(rows) == 0:
			r.Bad = append(r.Bad, fmt.Sprintf("%s: none of its %d rows can be compared", ref.file, len(t.rows)))
		}
		r.appendRows(ref.file, rows)
		break
	}
	if len(t.rows) == 0 {
		r.Bad = append(r.Bad, ref.file+": it has no row to compare")
	}
	slices.SortStableFunc(bad, func(a, b badRow) int { return a.line - b.line })
	for _, b := range bad {
		r.Bad = append(r.Bad, fmt.Sprintf("%s:%d: %v", ref.file, b.line, b.err))
	}
}

// appendRows adds rows of a reference and counts them.
func (r *Report) appendRows(file string, rows []Row) {
	for i := range rows {
		rows[i].Reference = file
		if rows[i].Verdict != Note {
			r.Judged++
		}
		if rows[i].Verdict == Fail {
			r.Failed++
		}
		if strings.HasPrefix(rows[i].Tolerance, missedMark) {
			r.Missed++
		}
	}
	r.Rows = append(r.Rows, rows...)
}

// maxMisses bounds how many rows outside the tolerance a Row names.
const maxMisses = 20

// agreement counts rows that agree exactly.
type agreement struct {
	metric      string
	rows, agree int
	misses      []string
}

func (a *agreement) compare(name string, theirs, ours int64) {
	a.rows++
	if theirs == ours {
		a.agree++
		return
	}
	if len(a.misses) < maxMisses {
		a.misses = append(a.misses, fmt.Sprintf("%s: theirs %d, ours %d", name, theirs, ours))
	}
}

// row judges the share of rows that agree; least 1 wants all of them.
func (a *agreement) row(least float64) Row {
	r := Row{Metric: a.metric, Theirs: float64(a.rows), Ours: float64(a.agree), Unit: "rows", Misses: a.misses, Verdict: Pass}
	r.Tolerance = "exact"
	if least < 1 {
		r.Tolerance = fmt.Sprintf("exact in >= %g %%", 100*least)
	}
	if a.rows > 0 {
		r.Error = 1 - float64(a.agree)/float64(a.rows)
	}
	switch {
	case a.rows == 0:
		r.Verdict = Note // nothing agrees with nothing
	case float64(a.agree) < least*float64(a.rows):
		r.Verdict = Fail
	}
	return r
}

// relative compares one number with a tolerance on the relative error.
func relative(metric, unit string, theirs, ours, tolerance float64) Row {
	r := Row{Metric: metric, Theirs: theirs, Ours: ours, Unit: unit, Error: ours/theirs - 1, Verdict: Pass}
	r.Tolerance = fmt.Sprintf("within %g %%", 100*tolerance)
	if !(math.Abs(r.Error) <= tolerance) {
		r.Verdict = Fail
	}
	return r
}

// missedMark begins the tolerance of a row that is outside of it and known to be.
const missedMark = "missed: "

// missed turns a row that fails for a known reason into a note. It is judged
// again as soon as it is within its tolerance.
func missed(r Row, why ...string) Row {
	if r.Verdict == Fail && len(why) > 0 {
		r.Tolerance, r.Verdict, r.Misses = missedMark+r.Tolerance, Note, why
	}
	return r
}

// omitted says how many values of a file, of all that it has, nothing is compared
// with, and why. It is no verdict: what is left out cannot agree.
func omitted(all, left int, why []string) []Row {
	const most = 0.05
	if left == 0 {
		return nil
	}
	share := float64(left) / float64(all)
	r := noted("rows left out (theirs: all)", "rows", float64(all), float64(left), share)
	if r.Misses = why; share > most {
		r.Tolerance = missedMark + "<= 5 %"
	}
	return []Row{r}
}

// noted is a number beside the judged ones.
func noted(metric, unit string, theirs, ours, err float64) Row {
	return Row{Metric: metric, Theirs: theirs, Ours: ours, Unit: unit, Error: err, Tolerance: "reported", Verdict: Note}
}
