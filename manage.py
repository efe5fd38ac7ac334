#!/usr/bin/env python
"""Django's command line for ccatdc; `manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    """Run one management command with the settings of the environment, ours by default."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.base")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
