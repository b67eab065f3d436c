#!/usr/bin/env bash
# Installs each simulator into an environment of its own below PEERS (.peers), with
# the Python package of Apollo, runs its study for a few designs, and reports what
# installs and passes. A simulator that no package index has runs where it is
# installed, else its adapter runs against a stand-in. TRIALS says for how many designs,
# arguments which simulators. TIMEOUT bounds a design (3 h): it asks whether a simulator
# works, not how soon.
set -uo pipefail
cd "$(dirname "$0")/../.."
command -v python3 >/dev/null || { echo "simulators: python3 is not there and is needed: install Python 3.10 or newer, with venv" >&2; exit 1; }
export TIMEOUT=${TIMEOUT:-3 h}
root=${PEERS:-.peers}/simulators
mkdir -p "$root"
failed=0
row() { printf '%-10s %-9s %-6s %-9s %s\n' "$@"; }
row simulator installs lines 's design' result
for study in examples/simulators/*_study.py; do
  name=$(basename "$study" _study.py)
  case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
  needs=examples/simulators/$name.txt
  lines=$(grep -c . "$study")
  python=$(sed -n 's/^# Python: //p' "$needs" 2>/dev/null)
  command -v "${python:=python3}" >/dev/null && "$python" --version >/dev/null 2>&1 || { row "$name" no "$lines" - "needs $python"; continue; }
  env=$root/$([ -f "$needs" ] && echo "$name" || echo programs)
  want=$(cat "$needs" clients/python/dist/*.whl 2>/dev/null | sha256sum)
  if [ "$(cat "$env/installed" 2>/dev/null)" != "$want" ]; then
    rm -rf "$env"
    if ! { "$python" -m venv "$env" && "$env/bin/python" -m pip install --disable-pip-version-check -q clients/python/dist/*.whl $([ -f "$needs" ] && echo "-r $needs"); } >"$root.log" 2>&1; then
      row "$name" no "$lines" - "$(tail -1 "$root.log")"
      continue
    fi
    echo "$want" >"$env/installed"
  fi
  data=$(mktemp -d)
  installs=yes
  said=$("$env/bin/python" "$study" "${TRIALS:-4}" "$data" 2>"$data/stderr")
  ended=$?
  if grep -q 'is not there: install it' "$data/stderr"; then
    installs=stand-in
    said=$(for p in examples/simulators/standins/*; do
      b=$(basename "$p")
      v=$(printf %s "${b^^}" | tr -c 'A-Z0-9' _)
      [ -n "${!v:-}" ] || command -v "$b" >/dev/null || export "$v=$PWD/$p"
    done; "$env/bin/python" "$study" "${TRIALS:-4}" "$data" 2>"$data/stderr")
    ended=$?
  fi
  if [ $ended = 0 ] && [ "$said" != None ]; then
    seconds=$("$env/bin/python" -c "import apollo, statistics as s; print(f'{s.median(t.more[\"seconds\"] for t in apollo.Run(\"$name\", [\"--data\", \"$data\"]).list_trials()):.1f}')")
    row "$name" $installs "$lines" "$seconds" "$said"
  else
    row "$name" $installs "$lines" - "FAILED: $(tail -1 "$data/stderr")"
    failed=1
  fi
  rm -rf "$data"
done
exit $failed
