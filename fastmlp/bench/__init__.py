"""Measure this machine, its kernels and its epochs, against NumPy and the frameworks installed."""
