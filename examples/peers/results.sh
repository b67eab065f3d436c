#!/usr/bin/env bash
# Compares the strategies with other people's optimizers on four tasks and writes
# the tables of docs/results-peers.md: seed after seed until a group has SEEDS (10)
# of them or has used its share of HOURS (3) of CPU time. The peers are those
# that `make peers` installed. Arguments choose groups (fast, slow, plain,
# plain-slow); none means all. What is interrupted goes on, with the CPU time of
# before counted; the last seed of a group may exceed its share. ANY_BUILD=1 also
# keeps the searches of another build: right only where it proposes and measures the
# same.
set -euo pipefail
cd "$(dirname "$0")/../.."
apollo=${APOLLO:-bin/apollo}
data=${DATA:-apollo-peers}
hours=${HOURS:-3}
seeds=${SEEDS:-10}
first=${FIRST_SEED:-101}
page=${PAGE:-docs/results-peers.md}
kept=(${ANY_BUILD:+--any-build})
torch=.peers/torch/bin/python
tasks=(--suite apollo --task mobilenetedgetpu-4p8 --task mobiledet-6p8 --task ppocrdet-5p8 --task ppocrrec-6p8)

scratch=$(mktemp -d)
trap 'note; rm -rf "$scratch"' EXIT

# cpu sets spent to the CPU seconds of all processes that have ended below this
# shell. A substitution would count those of its own.
cpu() {
  times >"$scratch/times"
  spent=$(tail -1 "$scratch/times" | sed 's/[ms]/ /g' | awk '{print $1 * 60 + $2 + $3 * 60 + $4}')
}

# note adds a line to the log of the group, if one is open: the seed that was run
# and the CPU seconds since begin.
log= n=0
note() {
  [ -n "$log" ] || return 0
  cpu
  echo "$n $begin $spent" | awk '{print $1, $3 - $2}' >>"$log"
  begin=$spent
}

chosen=" $* "
# group NAME SHARE TRIALS ARGUMENTS runs one table within its share of the hours.
group() {
  local name=$1 share=$2 trials=$3 done=0 used
  shift 3
  if [ "$chosen" != "  " ] && [[ "$chosen" != *" $name "* ]]; then return 0; fi
  mkdir -p "$data/$name"
  cpu && begin=$spent log=$data/$name/cpu_s
  for n in $(seq "$seeds"); do
    "$apollo" -q --data "$data/$name" bench "${tasks[@]}" --trials "$trials" --first-seed "$first" --seeds "$n" --workers 1 --resamples 0 "${kept[@]}" "$@" >/dev/null
    note
    done=$n used=$(awk -v n="$n" '$1 <= n {s += $2} END {print s / 3600}' "$log")
    echo "$name: $n seeds, $used CPU hours" >&2
    if awk "BEGIN {exit !($used >= $hours * $share)}"; then break; fi
  done
  log=
  local table=$scratch/$name
  printf '<!-- bench: apollo known-area -->\n<!-- bench: end -->\n' >"$table"
  "$apollo" -q --data "$data/$name" bench report "${tasks[@]:0:2}" --trials "$trials" --seeds "$done" --markdown "$table" >/dev/null
  {
    grep -v '^<!--' "$table" | sed '/^| task | baseline/,$d'
    printf '%s of %s seeds in %.3f CPU hours; fewer than three seeds tell nothing.\n\n' "$done" "$seeds" "$used"
  } >"$table.part"
  awk -v name="$name" -v part="$table.part" '
    $0 == "<!-- peers: " name " -->" {print; while ((getline text < part) > 0) print text; skip = 1; found = 1}
    $0 == "<!-- peers: end -->" {skip = 0}
    !skip && !($0 == "<!-- peers: " name " -->") {print}
    END {exit !found}' "$page" >"$table.page" || { echo "peers: $page has no part <!-- peers: $name -->" >&2; exit 1; }
  cp "$table.page" "$page"
}

group fast 0.25 60 --algorithms default,default-nofeatures \
  --peer "optuna-tpe=$torch examples/peers/optuna_peer.py tpe" --peer "optuna-cmaes=$torch examples/peers/optuna_peer.py cmaes" \
  --peer "nevergrad=.peers/nevergrad/bin/python examples/peers/nevergrad_peer.py"
group slow 0.4 20 --algorithms default --peer "botorch=$torch examples/peers/botorch_peer.py" \
  --peer "optuna-gp=$torch examples/peers/optuna_peer.py gp" --peer "hebo=.peers/hebo/bin/python examples/peers/hebo_peer.py" \
  --peer "smac=.peers/smac/bin/python examples/peers/smac_peer.py"
group plain 0.1 20 --algorithms default --peer "optuna-tpe-plain=$torch examples/peers/optuna_peer.py tpe plain" \
  --peer "botorch-plain=$torch examples/peers/botorch_peer.py plain" --peer "nevergrad=.peers/nevergrad/bin/python examples/peers/nevergrad_peer.py"
group plain-slow 0.25 20 --algorithms default --peer "optuna-gp-plain=$torch examples/peers/optuna_peer.py gp plain" \
  --peer "optuna-cmaes-plain=$torch examples/peers/optuna_peer.py cmaes plain" --peer "hebo-plain=.peers/hebo/bin/python examples/peers/hebo_peer.py plain" \
  --peer "smac-plain=.peers/smac/bin/python examples/peers/smac_peer.py plain"
