"""Prints a line `NAME VERSION` for Python and for each package that is named."""

import platform
import sys
from importlib.metadata import version

print("python", platform.python_version())
for name in sys.argv[1:]:
    print(name, version(name))
