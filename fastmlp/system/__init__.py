"""The operating system: files, reading, paths, signals, forks and cores."""
