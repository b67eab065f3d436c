package main

import (
	"fmt"
	"io"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/study"
)

// nextLine ends an answer with the one command that most likely follows.
func (a *app) nextLine(w io.Writer, command string) {
	if command != "" {
		fmt.Fprintf(w, "\nnext: %s%s\n", command, a.where())
	}
}

// where are the flags that find the same studies again.
func (a *app) where() string {
	switch {
	case a.nats != "" && a.nats != cli.EnvOr("APOLLO_NATS", ""):
		return " --nats " + shellWord(a.nats)
	case a.nats == "" && a.Data != cli.EnvOr("APOLLO_DATA", "apollo-data"):
		return " --data " + shellWord(a.Data)
	}
	return ""
}

// nextOf is what follows on a study: in which state it is, what it found, and
// whether its optimum is known.
func nextOf(name string, spec *events.Spec, state study.State, trials, feasible int, front bool) string {
	_, template := inspect.Builtins().Template(spec.Template)
	switch {
	case state == study.Running && spec.Evaluator.Manual:
		return "apollo trial ask " + name
	case state == study.Running || state == study.Stopping:
		return "apollo study watch " + name
	case state == study.Paused:
		return "apollo study resume " + name
	case trials == 0:
		return "apollo study ls"
	case feasible == 0:
		return "apollo trial ls " + name + " --last 10" // with the reasons
	case front || !template:
		return "apollo trial ls " + name + " --best 10"
	}
	return "apollo design neighbours --study " + name // what one more step of each parameter brings
}
