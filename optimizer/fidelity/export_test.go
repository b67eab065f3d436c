package fidelity

var Tau = tau
