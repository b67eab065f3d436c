package transfer

import (
	"fmt"

	"apollo/archiver"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/services/study"
)

// Learn takes sources that are all needed: the first one that does not fit is
// an error.
func Learn(t Target, logs ...*archiver.SourceLog) (study.Knowledge, []events.SourcePin, error) {
	l, err := NewLearner(t)
	if err != nil {
		return study.Knowledge{}, nil, err
	}
	for _, log := range logs {
		if _, err := l.Add(log, ""); err != nil {
			return study.Knowledge{}, nil, err
		}
	}
	k, pins := l.Knowledge()
	return k, pins, nil
}

// Check reports why a source does not fit, from its columns alone: units,
// types, metrics, and what the study's method asks for.
func (l *Learner) Check(log *archiver.SourceLog) error {
	m, err := l.match(log.Columns)
	if err != nil {
		return err
	}
	_, err = l.use(m, log.Columns.Spec)
	return err
}

// Layers finds the layers of a network: those that its study carries, or the
// built-in ones of its name. The error says that there are none, or that they
// are others than the study means.
func Layers(builtin func(name string) (*workload.Workload, error)) func(events.Network) (*workload.Workload, error) {
	return func(n events.Network) (*workload.Workload, error) {
		w, err := layers(n, builtin)
		if err != nil {
			return nil, err
		}
		got, err := w.Identity()
		if err == nil && got != n.SHA256 {
			err = fmt.Errorf("network %s has other layers here (%.12s) than the study means (%.12s)", n.Name, got, n.SHA256)
		}
		return w, err
	}
}

func layers(n events.Network, builtin func(name string) (*workload.Workload, error)) (*workload.Workload, error) {
	if len(n.Workload) > 0 {
		return workload.Parse(n.Name, n.Workload)
	}
	return builtin(n.Name)
}
