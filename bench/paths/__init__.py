"""What is measured: each module registers its paths with `bench.measure.path`."""
