package transfer

import (
	"fmt"

	"apollo/archiver"
	"apollo/evaluator/workload"
	"apollo/events"
)

// Check reports why a source does not fit, from its columns alone: units,
// types, metrics, and what the study's method asks for.
func (l *Learner) Check(log *archiver.SourceLog) error {
	m, err := l.match(renamed(log))
	if err != nil {
		return err
	}
	use, err := l.use(m, log.Columns.Spec)
	if ours := l.target.Identity; err == nil && use == UseMerge && l.merges() && l.asks() && ours != nil &&
		log.Identity != (events.Identity{}) && log.Identity != *ours {
		return notTheSame(by(log.Identity), *ours, log.Identity.Program != "")
	}
	return err
}

// Layers finds the layers of a network: those that its study carries, or the
// built-in ones of its name; of a family those of its own network. The error says that there are none, or that they
// are others than the study means.
func Layers(builtin func(string, workload.Sizes) (*workload.Workload, error)) func(events.Network) (*workload.Workload, error) {
	return func(n events.Network) (*workload.Workload, error) {
		w, err := layers(n, builtin)
		if err != nil {
			return nil, err
		}
		want := n.SHA256
		if n.Family != "" {
			want = n.Own
		}
		got, err := w.Identity()
		if err == nil && got != want {
			err = fmt.Errorf("network %s has other layers here (%.12s) than the study means (%.12s)", n.Name, got, want)
		}
		return w, err
	}
}

func layers(n events.Network, builtin func(string, workload.Sizes) (*workload.Workload, error)) (*workload.Workload, error) {
	if len(n.Workload) > 0 {
		return workload.Parse(n.Name, n.Workload)
	}
	if n.Family != "" {
		f, ok := workload.FamilyNamed(n.Family)
		if !ok {
			return nil, fmt.Errorf("there is no network family %q", n.Family)
		}
		return f.Sized(f.Own(), workload.Sizes(n.NetworkSizes))
	}
	return builtin(n.Name, workload.Sizes(n.NetworkSizes))
}
