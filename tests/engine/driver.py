"""The command line with the row-driven pipeline in place of the real one: ``python -m engine.driver run --input …``."""

from __future__ import annotations

from engine.fakes import create

import omnidetective.engine.run
from omnidetective.cli.main import main

if __name__ == "__main__":
    omnidetective.engine.run.default_pipeline = create
    main()
