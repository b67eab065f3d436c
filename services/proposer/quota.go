package proposer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
)

// Quota is what an operator lets one study, one owner and one request take of a
// proposer, below the limits of the contract. 0 means no limit beside those. It
// holds for what comes from the log as for what is asked for.
type Quota struct {
	// Trials is the largest budget of a study.
	Trials int
	// InFlight is the largest number of designs that a study has in flight: its
	// batch times its parallelism. The proposer holds each of them.
	InFlight int
	// Levels is the largest number of levels of all parameters of a study: the
	// proposer holds them, and the accepted event lists them.
	Levels int
	// Studies is how many studies of one owner may be unfinished at a time. Those
	// that are asked for without an owner count as of one more.
	Studies int
	// StudyBytes is how much the log and the results of one run may take on the
	// bus. A run that reaches it pauses.
	StudyBytes int64
	// RequestTime is how long the check of one request may take: commands are
	// carried out one after the other.
	RequestTime time.Duration
	// OwnerTime is how long the requests of one owner may take in a minute while those of
	// others wait. Requests without an owner count as of one more.
	OwnerTime time.Duration
}

// DefaultQuota returns the limits of a service for a group of people. All were
// chosen; docs/operate.md says why.
func DefaultQuota() Quota {
	return Quota{
		Trials: events.MaxTrials, InFlight: 64 << 10, Levels: 128 << 10, Studies: 1000, StudyBytes: 16 << 30, RequestTime: 10 * time.Second,
		OwnerTime: 10 * time.Second,
	}
}

// The names of the limits: flags of `apollo serve proposer`.
const (
	QuotaTrials      = "max-trials"
	QuotaInFlight    = "max-in-flight"
	QuotaLevels      = "max-levels"
	QuotaStudies     = "max-studies"
	QuotaStudyBytes  = "max-study-bytes"
	QuotaRequestTime = "max-request-time"
	QuotaOwnerTime   = "max-owner-time"
)

// codeQuota is the code of a refusal because of a quota.
const codeQuota = "quota"

// over is the refusal of what is over a limit.
func over(pointer, limit, message string) *events.Mistake {
	return &events.Mistake{
		Pointer: pointer, Code: codeQuota, Message: fmt.Sprintf("%s (limit %s of this service)", message, limit),
		Hint: "ask for less" + raises(limit),
	}
}

// raises is who else can do something about a limit.
func raises(limit string) string {
	return fmt.Sprintf(", or ask the operator for more: --%s of `apollo up` or `apollo serve proposer` raises it", limit)
}

// spec refuses a study that is too large.
func (q *Quota) spec(s *events.Spec) *events.Mistake {
	if mistake := q.trials("/spec/budget/trials", s.Budget.Trials); mistake != nil {
		return mistake
	}
	// Divided: what a log says may be any number.
	if b := &s.Budget; q.InFlight > 0 && (b.Batch > q.InFlight || b.Parallelism > q.InFlight/max(1, b.Batch)) {
		return over("/spec/budget", QuotaInFlight, fmt.Sprintf(
			"batches of %d designs and a parallelism of %d are more than %d designs in flight", b.Batch, b.Parallelism, q.InFlight))
	}
	levels := 0
	for _, p := range s.Parameters {
		levels += max(len(p.Values), len(p.Labels))
	}
	if q.Levels > 0 && levels > q.Levels {
		return over("/spec/space", QuotaLevels, fmt.Sprintf("the parameters have %d levels in all, at most %d are allowed", levels, q.Levels))
	}
	return nil
}

func (q *Quota) trials(pointer string, n int) *events.Mistake {
	if q.Trials > 0 && n > q.Trials {
		return over(pointer, QuotaTrials, fmt.Sprintf("%d trials are too many: at most %d are allowed", n, q.Trials))
	}
	return nil
}

// checkStudies refuses one more run of an owner that has enough of them; beside is one
// that does not count. Each proposer counts those that it drives, which are all that it
// has heard of.
func (p *Proposer) checkStudies(who string, beside messages.RunKey) *events.Mistake {
	if p.Quota.Studies == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for key, o := range p.owners {
		if o.who == who && !o.brief && key != beside {
			n++
		}
	}
	if n < p.Quota.Studies {
		return nil
	}
	whose := "without an owner"
	if who != "" {
		whose = "of " + who
	}
	refusal := over("", QuotaStudies, fmt.Sprintf("%d studies %s have not ended: at most %d may run at a time", n, whose, p.Quota.Studies))
	refusal.Hint = "wait until one has ended, or `apollo study cancel` one (`apollo study ls`)" + raises(QuotaStudies)
	return refusal
}

// belongs says whose run it is.
func (p *Proposer) belongs(o *owner, who string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.who = who
}

func (o *owner) whose() string {
	o.proposer.mu.Lock()
	defer o.proposer.mu.Unlock()
	return o.who
}

// replaced is the run that a fresh one takes the place of.
func replaced(earlier []acceptedRun) (key messages.RunKey) {
	if len(earlier) > 0 {
		key = earlier[len(earlier)-1].key
	}
	return key
}

// quotaError is a request to a run that is refused because of a limit.
type quotaError struct{ mistake *events.Mistake }

func (e *quotaError) Error() string { return e.mistake.Message }

// refusal is the answer to a request that a run refused because of a limit; nil where
// it refused it for another reason, or did not.
func (q *Quota) refusal(ctl *events.StudyControl, refused error) *events.Mistake {
	if e, ok := errors.AsType[*quotaError](refused); ok {
		return e.mistake
	}
	if e, ok := errors.AsType[*study.TooManyError](refused); ok {
		pointer := "/data/trials"
		switch ctl.Verb {
		case "add":
			pointer = "/data/designs"
		case "retry":
			pointer = "/data/retry"
		}
		return q.trials(pointer, e.Trials)
	}
	return nil
}

// overQuota refuses what gives a run more to do where it, or its owner, has enough. One
// that is resumed pauses again, and says why.
func (o *owner) overQuota(c *events.StudyControl) error {
	if o.machine.Knows(c.ID) || !slices.Contains([]string{"extend", "add", "retry"}, c.Verb) {
		return nil
	}
	mistake := o.tooManyBytes("/data/verb")
	if state, _ := o.machine.State(); mistake == nil && state.Terminal() {
		mistake = o.proposer.checkStudies(o.whose(), o.key)
	}
	if mistake == nil {
		return nil
	}
	return &quotaError{mistake}
}

// soon calls f, which reads a request, for as long as that may take. Beyond that
// it refuses the request; f goes on until it ends by itself, which the limits of
// the contract see to.
func (q *Quota) soon(ctx context.Context, f func()) *events.Mistake {
	if q.RequestTime == 0 {
		f()
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	late := time.NewTimer(q.RequestTime)
	defer late.Stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		<-done
		return nil
	case <-late.C:
		return q.late("/spec")
	}
}

// fork is soon for the check of a fork, which ends with its context.
func (q *Quota) fork(ctx context.Context, f func(ctx context.Context) error) (*events.Mistake, error) {
	if q.RequestTime == 0 {
		return nil, f(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, q.RequestTime)
	defer cancel()
	err := f(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return q.late("/spec/fork"), nil
	}
	return nil, err
}

func (q *Quota) late(pointer string) *events.Mistake {
	return over(pointer, QuotaRequestTime, fmt.Sprintf("the study takes longer than %s to check", q.RequestTime))
}

// tooManyBytes says that a run takes too much of the bus; nil while it does not.
func (o *owner) tooManyBytes(pointer string) *events.Mistake {
	most := o.proposer.Quota.StudyBytes
	if most == 0 || o.bytes <= most {
		return nil
	}
	return over(pointer, QuotaStudyBytes, fmt.Sprintf("the log and the results of the run take %d bytes on the bus, at most %d are allowed", o.bytes, most))
}

// checkBytes pauses a run that takes too much of the bus.
func (o *owner) checkBytes(ctx context.Context) error {
	mistake := o.tooManyBytes("")
	if state, _ := o.machine.State(); o.brief || mistake == nil || state != study.Running {
		return nil
	}
	return o.append(ctx, "paused", events.StudyPaused{
		Study: o.key.Study, Run: o.key.Run, Reason: mistake.Message + ": " + mistake.Hint + ", then resume",
	})
}
