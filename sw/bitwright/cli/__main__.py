"""`python -m bitwright.cli`, where the `bitwright` script is not on PATH."""

import sys

from bitwright.cli import main

sys.exit(main())
