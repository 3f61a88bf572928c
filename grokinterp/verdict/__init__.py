"""Floor 7: which algorithm a network uses, with the evidence for and against it, controls and a guarantee."""
