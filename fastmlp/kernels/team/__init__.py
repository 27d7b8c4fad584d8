"""Several threads that do one job: their start, their barrier, their shares of the work."""
