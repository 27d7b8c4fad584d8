"""What lies where: records, panels, and the sizes that depend on the processor."""
