"""A process of the command line: `fastmlp`, or `python -m fastmlp`."""

import atexit
import gc

# New objects between two collections of garbage
MANY = 200_000


def main() -> None:
    """Run the command that the arguments of the process name."""
    # modules leave many objects and no garbage: looking for some again and again, and once more at
    # the end, takes a fifth of a second
    gc.set_threshold(MANY)
    atexit.register(gc.freeze)
    try:
        from fastmlp.cli import main as command
    except KeyboardInterrupt:  # `command` handles those that follow
        raise SystemExit(130) from None
    command(prog_name="fastmlp")


if __name__ == "__main__":
    main()
