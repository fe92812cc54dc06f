"""What the scripts printed on the emulated machine, beside what they print here: compare.py PRINTED LEVEL SCRIPT...
leaves both beside PRINTED as NAME.LEVEL.json and NAME.here.json, and fails where a digest differs."""

import json
import subprocess
import sys
from pathlib import Path

import lanewise.kernels

printed, level = Path(sys.argv[1]), sys.argv[2]
found, complete = {}, {}
for line in printed.read_text().splitlines() if printed.exists() else ():
    if line.startswith("= "):
        _, name, status = line.split()
        complete[name] = status == "0"
    else:
        found[name] = line

failed = False
for script in map(Path, sys.argv[3:]):
    here = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    there = found.get(script.name)
    if there is None or not complete[script.name]:
        sys.exit(f"{script.name} did not end well on the emulated machine; {printed.with_name('console')} says why")
    printed.with_name(f"{script.stem}.here.json").write_text(here)
    printed.with_name(f"{script.stem}.{level}.json").write_text(f"{there}\n")
    here, there = json.loads(here), json.loads(there)
    different = [name for name in sorted(here.keys() | there.keys()) if here.get(name) != there.get(name)]
    for name in different:
        print(f"{script.name}: {name} differs")
    same = len(here.keys() | there.keys()) - len(different)
    print(f"{script.name}: {level} has the bits of {lanewise.kernels.LEVEL} in {same} results, not in {len(different)}")
    failed = failed or bool(different) or not here
sys.exit(failed)
