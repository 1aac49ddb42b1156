"""Run programs one after the other and print what the function ``measure`` of each gives: ``run_measures.py [--legacy] FILES``.

With ``--legacy`` the name ``keras`` means Keras 2 (tf_keras) in them.
"""

import importlib
import json
import runpy
import sys
from pathlib import Path

paths = sys.argv[1:]
if paths[0] == "--legacy":
    paths.pop(0)
    sys.modules["keras"] = importlib.import_module("tf_keras")
for path in paths:
    found = runpy.run_path(path)["measure"]()
    print("PROGRAM", Path(path).stem)
    print("MEASURED", json.dumps({name: float(value) for name, value in found.items()}))
