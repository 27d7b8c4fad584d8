"""Benchmarks of epochs, kernels and the machine, against NumPy and the installed frameworks."""
