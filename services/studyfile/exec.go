package studyfile

// exec reads the command that `apollo run` starts as the study's evaluator. It
// is no part of the specification: where the evaluator runs changes nothing
// about the study. A document from the bus must never start a program.
func (b *builder) exec() string {
	n := b.field("evaluator", "exec")
	if n == nil || n.kind != stringKind {
		return ""
	}
	switch {
	case b.opts.Published:
		b.add(n, codeUnsupported, "Remove it, and start the evaluator where it should run: apollo evaluator run --name NAME --exec COMMAND.",
			"a published study starts no programs")
	case b.builtin():
		b.add(n, codeContradicts, "Remove it; or give your own evaluator a name of its own.", "the evaluator %q is built in", b.desc.Name)
	}
	return n.text
}
