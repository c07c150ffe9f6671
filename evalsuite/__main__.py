"""``python -m evalsuite``: the command line, also from a folder that has modules of the same names as ours."""

from evalsuite.cli import main

if __name__ == "__main__":  # worker processes import this module under another name
    main()
