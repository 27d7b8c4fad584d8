"""One training step, and inference, as phases that a team computes."""
