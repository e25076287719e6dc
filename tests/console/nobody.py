"""How to run a program without root: as another user where we are root, as ourselves where we are not."""

import os

NOBODY = {"user": 65520, "group": 65520, "extra_groups": []} if os.geteuid() == 0 else {}
