"""``python -m plexus_sync``: the command ``plexus-sync``."""

import sys

try:
    from plexus_sync.cli import main
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
