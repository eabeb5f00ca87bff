"""``python -m omnidetective``."""

from omnidetective.cli.main import main

if __name__ == "__main__":
    main()
