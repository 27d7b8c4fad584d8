"""Check the kernels on this machine against the float64 reference, on random cases."""

from fastmlp.verify.run import Outcome, verify

__all__ = ["Outcome", "verify"]
