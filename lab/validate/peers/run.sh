#!/usr/bin/env bash
# Runs ZigZag and SCALE-Sim beside the cost model on layers that are drawn with a
# fixed seed, in a virtual environment of its own below PEERS (.peers), and writes
# the page docs/results-validate-peers.md.
set -euo pipefail
cd "$(dirname "$0")/../../.."
peers=${PEERS:-.peers}
case $peers in /*) ;; *) peers=$PWD/$peers ;; esac
env=$peers/validate
here=lab/validate/peers

command -v python3 >/dev/null || { echo "validate-peers: python3 is not there and is needed: install Python 3.10 or newer, with venv" >&2; exit 1; }
want=$(sha256sum "$here/requirements.txt")
if [ "$(cat "$env/installed" 2>/dev/null)" != "$want" ]; then
  rm -rf "$env"
  python3 -m venv "$env" || { echo "validate-peers: python3 -m venv failed: install the module venv" >&2; exit 1; }
  "$env/bin/python" -m pip install --disable-pip-version-check --progress-bar off -q -r "$here/requirements.txt" ||
    { echo "validate-peers: the tools of $here/requirements.txt do not install: see above" >&2; exit 1; }
  echo "$want" >"$env/installed"
fi
APOLLO_VALIDATE_PEERS=$env/bin/python APOLLO_VALIDATE_PAGE=$PWD/docs/results-validate-peers.md \
  go test -count=1 -timeout 8h -v -run TestToolsSideBySide ./lab/validate | grep -v '^=== '
