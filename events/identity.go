package events

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Identity is who measures. All answers of one run are of one identity: two
// versions of a model, or two programs under one name, never mix in a study.
// Two identities are the same when both fields are; a client that says neither
// has the empty identity.
type Identity struct {
	// Version is what the evaluator says about itself.
	Version string `json:"version,omitempty"`
	// Program is the digest of a user's program (Program.Digest); "" for an
	// evaluator that is built in and for a client that does not say it.
	Program string `json:"program,omitempty"`
}

// ManualIdentity is who answers for a study whose evaluator is nobody
// (EvaluatorSpec.Manual): people, and their programs.
func ManualIdentity() Identity { return Identity{Version: "manual"} }

// String says the identity in words, for messages: "version 2, program 3f2a17c0".
func (i Identity) String() string {
	const digits = 8 // enough to tell programs apart by eye
	version, program := "no version", ""
	if i.Version != "" {
		version = "version " + cut(i.Version, 63)
	}
	if i.Program != "" {
		program = ", program " + cut(i.Program, digits+len("…"))
		if len(i.Program) >= digits {
			program = ", program " + i.Program[:digits]
		}
	}
	return version + program
}

// Program is a user's program as far as it counts for the identity: the
// arguments as they were written, the resolved path, and the content of every
// argument that is a regular file. Nothing else counts: what a script imports
// is covered by the version that the program says.
type Program struct {
	// Args are shown, logged and sent without what Redact takes out.
	Args []string `json:"args"`
	// Path is the absolute path of the executable.
	Path string `json:"path"`
	// Files has an entry for every argument that is a regular file.
	Files []ProgramFile `json:"files,omitempty"`
	// SHA256 is the digest of the program with all of its arguments, where Args
	// lack something.
	SHA256 string `json:"sha256,omitempty"`
}

// ProgramFile is an argument that is a regular file.
type ProgramFile struct {
	// Arg is its place in Program.Args.
	Arg    int    `json:"arg" jsonschema:"minimum=0"`
	SHA256 string `json:"sha256"`
}

// Digest identifies the program, 64 hex digits; "" for nil.
func (p *Program) Digest() string {
	if p == nil {
		return ""
	}
	if p.SHA256 != "" {
		return p.SHA256
	}
	b, err := json.Marshal(p)
	if err != nil { // strings and numbers always have an encoding
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// WithoutSecrets returns the program as it may be shown: what Redact takes
// out of its arguments counts for its digest alone.
func (p *Program) WithoutSecrets() *Program {
	if p == nil {
		return nil
	}
	shown := *p
	shown.Args = make([]string, len(p.Args))
	for i, arg := range p.Args {
		shown.Args[i] = Redact(arg)
	}
	if !slices.Equal(shown.Args, p.Args) {
		shown.SHA256 = p.Digest()
	}
	return &shown
}

// String is the command line, for people; "" for nil.
func (p *Program) String() string {
	if p == nil {
		return ""
	}
	return cut(strings.Join(p.Args, " "), MaxReasonBytes)
}

// DiffPrograms says in what two programs differ, for people, one line each. It
// is empty exactly when their digests are the same.
func DiffPrograms(have, want *Program) []string {
	if have.Digest() == want.Digest() {
		return nil
	}
	if have == nil || want == nil {
		return []string{fmt.Sprintf("the program: %s, now %s", orNone(have), orNone(want))}
	}
	var out []string
	if !slices.Equal(have.Args, want.Args) {
		out = append(out, diffArgs(have.Args, want.Args)...)
	}
	if have.Path != want.Path {
		out = append(out, fmt.Sprintf("the executable: %s, now %s", have.Path, want.Path))
	}
	before, after := have.contents(), want.contents()
	for i := range max(len(have.Args), len(want.Args)) {
		a, b := before[i], after[i]
		if a == b || i >= len(have.Args) || i >= len(want.Args) || have.Args[i] != want.Args[i] {
			continue
		}
		out = append(out, fmt.Sprintf("the file %s: %s, now %s", cut(want.Args[i], 160), content(a), content(b)))
	}
	if len(out) == 0 {
		return []string{"a secret in its arguments, which is not shown"}
	}
	return out
}

func orNone(p *Program) string {
	if p == nil {
		return "none"
	}
	return p.String()
}

func diffArgs(have, want []string) []string {
	var out []string
	at := func(args []string, i int) string {
		if i < len(args) {
			return fmt.Sprintf("%q", cut(args[i], 160))
		}
		return "none"
	}
	for i := range max(len(have), len(want)) {
		if x, y := at(have, i), at(want, i); i >= len(have) || i >= len(want) || have[i] != want[i] {
			out = append(out, fmt.Sprintf("argument %d: %s, now %s", i, x, y))
		}
	}
	return out
}

// contents returns the digests of the files by argument.
func (p *Program) contents() map[int]string {
	m := make(map[int]string, len(p.Files))
	for _, f := range p.Files {
		m[f.Arg] = f.SHA256
	}
	return m
}

func content(sha256 string) string {
	if sha256 == "" {
		return "no file"
	}
	return "content " + cut(sha256, 12+len("…"))
}

// Identity returns who gave the answer.
func (v *BatchEvaluated) Identity() Identity {
	return Identity{Version: v.EvaluatorVersion, Program: v.Program}
}

// Pin returns the identity that the run's answers must have from the start;
// nil when the first answer decides (Binds) or nothing does.
func (e *StudyAccepted) Pin() *Identity {
	switch {
	case e.Identity != nil:
		return e.Identity
	case e.Spec.Evaluator.Version != "": // accepted before Identity was said
		return &Identity{Version: e.Spec.Evaluator.Version}
	}
	return nil
}

// Refusal says why an answer to this question does not count because of who
// gave it; "" when it does, and for an answer to another question. Everyone who
// reads results asks it, so that all of them leave out the same ones. An answer
// without trials measures nothing.
func (want *Expected) Refusal(res *BatchEvaluated) string {
	if want.Identity == nil || len(want.Trials) == 0 || !want.asked(res) {
		return ""
	}
	if got := res.Identity(); got != *want.Identity {
		return fmt.Sprintf("the answer is of another evaluator: asked was %s, it is of %s", want.Identity, got)
	}
	return ""
}

// Binds reports whether an answer is one that chooses who measures, where the
// first answer does: it says that it is one to a question with designs.
func (want *Expected) Binds(res *BatchEvaluated) bool { return len(want.Trials) > 0 && want.asked(res) }

// asked reports whether an answer says that it is one to this question.
func (want *Expected) asked(res *BatchEvaluated) bool {
	return res != nil && res.Study == want.Study && res.Run == want.Run && res.Batch == want.Batch
}

// StudyBound pins a run to the identity of the first answer to one of its
// batches: from then on no other one is asked, and none counts.
type StudyBound struct {
	Study    string   `json:"study"`
	Run      string   `json:"run"`
	Identity Identity `json:"identity"`
	// Batch is the one that was answered, Worker who answered it.
	Batch  int    `json:"batch" jsonschema:"minimum=0"`
	Worker string `json:"worker,omitempty"`
}

// BatchRefused says that the stored answer to a batch is of another identity
// than the run's. It is taken off the results, and the work is published anew.
type BatchRefused struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	Batch int    `json:"batch" jsonschema:"minimum=0"`
	// Sequence is that of the answer among the results.
	Sequence uint64 `json:"sequence"`
	// Asked is the identity of the run, Answered that of the answer.
	Asked    Identity `json:"asked"`
	Answered Identity `json:"answered"`
	// Worker names the process that answered.
	Worker string `json:"worker,omitempty"`
}

// EventType implements Payload.
func (StudyBound) EventType() string { return "apollo.study.bound.v1" }

// EventType implements Payload.
func (BatchRefused) EventType() string { return "apollo.batch.refused.v1" }
