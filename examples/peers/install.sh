#!/usr/bin/env bash
# Installs the optimizers that have adapters here, each into a virtual
# environment below PEERS (.peers), lets every adapter search for some trials with
# the program APOLLO (bin/apollo), and prints what works, what does not, and why.
# Arguments choose peers by name; none means all.
set -uo pipefail
cd "$(dirname "$0")/../.."
peers=${PEERS:-.peers}
apollo=${APOLLO:-bin/apollo}
seconds=${SECONDS_EACH:-1800}

command -v python3 >/dev/null || { echo "peers: python3 is needed" >&2; exit 1; }
mkdir -p "$peers"

# name, environment, adapter with its arguments; EARLIER is a log of another network's designs
table='optuna-tpe torch optuna_peer.py tpe
optuna-gp torch optuna_peer.py gp
optuna-cmaes torch optuna_peer.py cmaes
botorch torch botorch_peer.py
ax torch ax_peer.py
nevergrad nevergrad nevergrad_peer.py
smac smac smac_peer.py
hebo hebo hebo_peer.py
vizier vizier vizier_peer.py
learned learned learned_peer.py EARLIER'

# install makes an environment from its requirements, once; its log says why not.
declare -A broke=()
install() {
  local env=$peers/$1 want
  [ -n "${broke[$1]:-}" ] && return 1
  want=$(sha256sum "examples/peers/requirements/$1.txt")
  [ "$(cat "$env/installed" 2>/dev/null)" = "$want" ] && return 0
  rm -rf "$env"
  python3 -m venv "$env" >"$peers/$1.log" 2>&1 &&
    timeout "$seconds" "$env/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
      -r "examples/peers/requirements/$1.txt" >>"$peers/$1.log" 2>&1 &&
    compile "$1" &&
    echo "$want" >"$env/installed"
}

# compile builds what BoTorch compiles at first use, for several objectives: it
# takes minutes, which no suggestion may. Without a compiler the library falls
# back on Python.
compile() {
  [ "$1" = torch ] || return 0
  timeout "$seconds" "$peers/$1/bin/python" -c 'import botorch.acquisition.multi_objective.logei as m; m._try_load_fused_kernel()' \
    >>"$peers/$1.log" 2>&1 || true
}

# earlier makes the log that a peer learns from.
earlier() {
  rm -rf "$peers/earlier"
  "$apollo" bench --suite apollo --task mobiledet-6p8 --algorithms random --seeds 1 --trials 100 --workers 1 --resamples 0 \
    --data "$peers/earlier" >"$peers/earlier.log" 2>&1
}

# check lets an adapter search a constrained task.
check() {
  local name=$1 log=$peers/$1.check
  rm -rf "$log.data"
  timeout "$seconds" "$apollo" bench --suite apollo --task mobilenetv2-6p8 --algorithms random --seeds 1 --trials 14 --workers 1 \
    --resamples 0 --data "$log.data" --peer "$name=$2" >"$log" 2>&1
  local code=$?
  rm -rf "$log.data"
  [ $code -eq 0 ] && ! grep -q ' failed' "$log"
}

works=0 broken=0
while read -r name env adapter; do
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  printf '%-11s ' "$name"
  if ! install "$env"; then
    broke[$env]=yes # peers that share an environment fail together
    broken=$((broken + 1))
    printf 'does not install: %s\n' "$(grep -i error "$peers/$env.log" | tail -1 | cut -c1-200)"
    continue
  fi
  [[ "$adapter" != *EARLIER* ]] || earlier
  command="$peers/$env/bin/python examples/peers/${adapter/EARLIER/$peers/earlier}"
  if check "$name" "$command"; then
    works=$((works + 1))
    printf 'works: --peer "%s=%s"\n' "$name" "$command"
  else
    broken=$((broken + 1))
    printf 'installs, but does not search: %s (%s.check)\n' "$(grep -i failed "$peers/$name.check" | head -1 | cut -c1-300)" "$peers/$name"
  fi
done <<<"$table"
echo "$works peers work, $broken do not"
