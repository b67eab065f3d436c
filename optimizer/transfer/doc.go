// Package transfer lets any strategy use what earlier studies measured, and
// keeps it from being misled by them.
//
// Algorithm wraps a strategy, the base. The sources give seeds: a few designs
// that together were good in all of them. Models that Methods train on the
// sources become the prior mean of a Gaussian process of the target, which
// proposes beside the base for as long as it predicts the target better than a
// model of the target alone, and less the longer it has improved nothing.
//
// The base knows nothing of the sources. A gate keeps the results of their
// designs from it until one of these was good, compared with its own first
// feasible ones: useless sources cost their own trials. Asked for one design
// at a time the base then proposes what it would propose without them.
//
// References:
//   - M. Wistuba, N. Schilling, L. Schmidt-Thieme, Sequential Model-Free
//     Hyperparameter Tuning, ICDM 2015; D. Salinas et al., Syne Tune, AutoML
//     2022 (the zero-shot portfolio of seeds)
//   - D. Golovin et al., Google Vizier, KDD 2017, section 3.3 (stacked residual
//     processes)
//   - M. Feurer, B. Letham, E. Bakshy, Scalable Meta-Learning for Bayesian
//     Optimization using Ranking-Weighted Gaussian Process Ensembles, ICML
//     AutoML workshop 2018 (RGPE, weights by resampled ranks, and the guard against dilution)
//   - M. Chen, Z. Xu, K. Weinberger, F. Sha, Marginalized Denoising
//     Autoencoders for Domain Adaptation, ICML 2012 (corruption in closed form)
//   - A. Kumar, A. Yazdanbakhsh, M. Hashemi, K. Swersky, S. Levine, Data-Driven
//     Offline Optimization for Architecting Hardware Accelerators (PRIME), ICLR
//     2022 (conservative models that learn from infeasible designs too)
//   - A. Yazdanbakhsh et al., Apollo, arXiv 2102.01723 (transfer between
//     networks and between budgets)
package transfer
