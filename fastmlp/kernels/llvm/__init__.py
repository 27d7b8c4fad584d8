"""From Python functions to machine code: compile options, the cache on disk, LLVM instructions."""
