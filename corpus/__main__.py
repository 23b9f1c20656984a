"""`python -m corpus`: the same as the console script."""

from corpus.cli import main

if __name__ == "__main__":
    main()
