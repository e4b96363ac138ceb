#!/usr/bin/env bash
# Trains a logistic regression on points in the plane, one report per epoch.
# It keeps weights, velocity and epoch as its checkpoint, so it can be paused.
set -euo pipefail
lr=$1 momentum=$2
decay=${DANLU_PARAM_DECAY:-0}
state="${DANLU_CHECKPOINT:-.}/state"
epochs=${DANLU_BUDGET:-20}

[ -f "$state" ] || echo "0 0 0 0 0 0 0" >"$state" # epoch, 3 weights, 3 velocities
read -r epoch _ <"$state"
while [ "$epoch" -lt "${epochs:-20}" ] && [ ! -e "${DANLU_STOP:-/nonexistent}" ]; do
  epoch=$((epoch + 1))
  metrics=$(awk -v lr="$lr" -v m="$momentum" -v decay="$decay" \
    -v seed="$((${DANLU_SEED:-0} + epoch))" -v state="$state" '
    function margin(x, y) { return w[0] + w[1] * x + w[2] * y }
    function clipped(z) { return z > 30 ? 30 : z < -30 ? -30 : z }
    function point() {
      x = 2 * rand() - 1; y = 2 * rand() - 1
      t = (x - 0.5 * y + 0.3 * (rand() + rand() - 1) > 0.1)
    }
    BEGIN {
      getline line < state; split(line, kept, " "); close(state)
      for (i = 0; i < 3; i++) { w[i] = kept[2 + i]; v[i] = kept[5 + i] }
      srand(seed)
      for (start = 0; start < 256; start += 32) {
        g[0] = g[1] = g[2] = 0
        for (i = 0; i < 32; i++) {
          point(); p = 1 / (1 + exp(-clipped(margin(x, y))))
          g[0] += p - t; g[1] += (p - t) * x; g[2] += (p - t) * y
        }
        for (i = 0; i < 3; i++) {
          v[i] = m * v[i] - lr * (g[i] / 32 + decay * w[i])
          w[i] += v[i]
        }
      }
      srand(4711)   # the same points in every epoch and trial
      for (i = 0; i < 500; i++) {
        point(); z = clipped(margin(x, y)); wrong += ((z > 0) != t)
        loss += log(1 + exp(t ? -z : z))
      }
      print kept[1] + 1, w[0], w[1], w[2], v[0], v[1], v[2] > (state ".new")
      printf "\"val_error\": %.4f, \"val_loss\": %.5f\n", wrong / 500, loss / 500
    }')
  mv "$state.new" "$state"                       # first the checkpoint,
  echo "{\"step\": $epoch, $metrics}" >>"${DANLU_REPORT:-/dev/stdout}" # then the report
done
