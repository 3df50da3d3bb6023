"""``python -m plexus_sync``: the command ``plexus-sync``."""

import sys

from plexus_sync.cli import main

if __name__ == "__main__":
    sys.exit(main())
