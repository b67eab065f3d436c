package proposer

import (
	"context"
	"fmt"
	"time"

	"apollo/events"
	"apollo/services/study"
)

// checkWall ends a run whose wall time is over: the running trials finish. It is
// said in the log, so that whoever reads that needs no clock.
func (o *owner) checkWall(ctx context.Context) error {
	most := time.Duration(o.spec.Budget.WallSeconds * float64(time.Second))
	if state, _ := o.machine.State(); o.brief || most == 0 || state != study.Running || time.Since(o.wallSince) < most {
		return nil
	}
	return o.append(ctx, "stopping", events.StudyStopping{
		Study: o.key.Study, Run: o.key.Run, Reason: fmt.Sprintf("the budget of %s of wall time is spent", most),
	})
}
