"""The network, its parameters and predictions, and its file."""

from fastmlp.network.evaluation import Evaluation
from fastmlp.network.network import PIXEL_SCALE, Network

__all__ = ["PIXEL_SCALE", "Evaluation", "Network"]
