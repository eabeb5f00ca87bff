#!/bin/sh
# Build the wheel, install it into a clean virtual environment outside the checkout, and run the demo with it there:
# what is tested is what users install. Usage: wheel_demo.sh PYTHON
set -eu
python=$1
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

"$root/$python" -m build --wheel --no-isolation --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
"$root/$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check -c "$root/constraints.txt" \
  "$(ls "$work"/dist/*.whl)[local]"

cd "$work"
cp -r "$root/data" "$root/scripts" "$work"
"$work/venv/bin/omnidetective" weights pull whisper-base yamnet centerface
"$work/venv/bin/omnidetective" run --input data/input.jsonl --output out.jsonl --quiet
"$work/venv/bin/python" -m scripts.bench.samples out.jsonl
"$work/venv/bin/omnidetective" eval samples --captions out.jsonl --output samples.json
"$work/venv/bin/python" -m scripts.show_captions out.jsonl
echo "wheel demo: ok"
