"""The network: what it is made of, what it answers, and its file."""

from fastmlp.network.network import PIXEL_SCALE, Evaluation, Network

__all__ = ["PIXEL_SCALE", "Evaluation", "Network"]
