"""Tools that are started by hand from a checkout: the demo, the chaos run, the benchmarks."""
