#!/usr/bin/env bash
# A training program in bash: gradient descent on (x - 1)^2 from x = 0.
#
#   danlu run -p 'lr=0.01..1.0:log' --min loss --trials 10 --max-steps 20 \
#       -- bash examples/programs/train.sh
#
# It finds its learning rate in the environment, goes on from its checkpoint, saves
# before it reports, and ends when it is asked to or has reached its budget.
set -eu

lr=${DANLU_PARAM_LR:-0.1}
budget=${DANLU_BUDGET:-}
report=${DANLU_REPORT:-/dev/stdout}
checkpoint=${DANLU_CHECKPOINT:-.}/state.txt
stop=${DANLU_STOP:-}

step=0
x=0
if [ -f "$checkpoint" ]; then
    read -r step x < "$checkpoint"
fi

while [ "$step" -lt "${budget:-20}" ] && [ ! -e "$stop" ]; do
    step=$((step + 1))
    x=$(awk -v x="$x" -v lr="$lr" 'BEGIN { printf "%.12g", x - lr * 2 * (x - 1) }')
    loss=$(awk -v x="$x" 'BEGIN { printf "%.12g", (x - 1) ^ 2 }')

    echo "$step $x" > "$checkpoint.new"
    mv "$checkpoint.new" "$checkpoint" # whole or not at all, also after a crash
    echo "{\"step\": $step, \"loss\": $loss}" >> "$report"
done
