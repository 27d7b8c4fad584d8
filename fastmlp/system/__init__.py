"""What fastmlp needs of the operating system: files, interrupts, forks, paths and cores."""
