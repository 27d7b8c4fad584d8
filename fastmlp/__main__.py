"""The command line, as `python -m fastmlp`."""

from fastmlp.cli import main

if __name__ == "__main__":
    main(prog_name="fastmlp")
