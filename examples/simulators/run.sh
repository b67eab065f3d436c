#!/usr/bin/env bash
# Installs each simulator into an environment of its own below PEERS (.peers), with
# the Python package of Apollo, runs its study for a few designs, and reports what
# installs and passes. TRIALS says for how many designs.
set -uo pipefail
cd "$(dirname "$0")/../.."
command -v python3 >/dev/null || { echo "simulators: python3 is not there and is needed: install Python 3.10 or newer, with venv" >&2; exit 1; }
root=${PEERS:-.peers}/simulators
mkdir -p "$root"
failed=0
printf '%-10s %-9s %-6s %-9s %s\n' simulator installs lines 's design' result
for study in examples/simulators/*_study.py; do
  name=$(basename "$study" _study.py)
  env=$root/$name
  want=$(cat "examples/simulators/$name.txt" clients/python/dist/*.whl | sha256sum)
  if [ "$(cat "$env/installed" 2>/dev/null)" != "$want" ]; then
    rm -rf "$env"
    if ! { python3 -m venv "$env" && "$env/bin/python" -m pip install --disable-pip-version-check -q clients/python/dist/*.whl -r "examples/simulators/$name.txt"; } >"$root.log" 2>&1; then
      printf '%-10s %-9s %s\n' "$name" no "$(tail -1 "$root.log")"
      continue
    fi
    echo "$want" >"$env/installed"
  fi
  data=$(mktemp -d)
  lines=$(grep -c . "$study")
  if said=$("$env/bin/python" "$study" "${TRIALS:-4}" "$data" 2>"$data/stderr") && [ "$said" != None ]; then
    seconds=$("$env/bin/python" -c "import apollo, statistics as s; print(f'{s.median(t.more[\"seconds\"] for t in apollo.Run(\"$name\", [\"--data\", \"$data\"]).list_trials()):.1f}')")
    printf '%-10s %-9s %-6s %-9s %s\n' "$name" yes "$lines" "$seconds" "$said"
  else
    printf '%-10s %-9s %-6s %-9s %s\n' "$name" yes "$lines" - "FAILED: $(tail -1 "$data/stderr")"
    failed=1
  fi
  rm -rf "$data"
done
exit $failed
