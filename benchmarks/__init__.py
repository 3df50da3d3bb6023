"""What a frame costs here and elsewhere; ``make bench`` measures, docs/benchmarks.rst tells."""
