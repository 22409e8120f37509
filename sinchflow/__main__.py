"""`python -m sinchflow`: the same command where the installed script is not on the path."""

from sinchflow.cli.main import main

if __name__ == "__main__":
    main()
