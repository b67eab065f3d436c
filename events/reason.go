package events

// Codes of a Reason that Apollo itself gives. Evaluators have their own.
const (
	// ReasonRule: the design breaks a structural rule.
	ReasonRule = "rule"
	// ReasonConstraint: a metric is outside of its constraint.
	ReasonConstraint = "constraint"
	// ReasonBadResult: the evaluator's answer does not fit the question.
	ReasonBadResult = "bad_result"
	// ReasonTooLarge: the answer is larger than a message may be.
	ReasonTooLarge = "result_too_large"
	// ReasonEarlyStop: the evaluation was worse than others at the same step.
	ReasonEarlyStop = "early_stop"
	// ReasonLowFidelity: it was measured at a fidelity that does not count.
	ReasonLowFidelity = "low_fidelity"
	// ReasonStart: the evaluator's program could not be started, so that nothing
	// is known of the design.
	ReasonStart = "start_failed"
)
