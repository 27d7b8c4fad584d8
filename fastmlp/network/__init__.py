"""The network, its parameters and predictions, and its file."""

from fastmlp.network.evaluation import Evaluation
from fastmlp.network.known import PIXEL_SCALE
from fastmlp.network.network import Network
from fastmlp.network.scaling import Scaling

__all__ = ["PIXEL_SCALE", "Evaluation", "Network", "Scaling"]
