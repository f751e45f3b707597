"""microburst with dice that are thrown the same each time: `python -m tests.crash.seeded_microburst SEED …`.

With one mend for 0.10.0, which drops the Content-Length of every answer: what HeadObject asks S3 for is just that.
"""

import random
import sys

from microburst import forward
from microburst.cli import main

if __name__ == "__main__":
    random.seed(int(sys.argv[1]))
    forward.HOP_BY_HOP = forward.HOP_BY_HOP - {"content-length"}
    sys.exit(main(sys.argv[2:]))
