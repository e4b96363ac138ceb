// A training program in JavaScript: gradient descent on (x - 1)^2 from x = 0.
//
//   danlu run -p 'lr=0.01..1.0:log' --min loss --trials 10 --max-steps 20 \
//       -- node examples/programs/train.js
//
// It reads its params as JSON, goes on from its checkpoint, saves before it reports,
// and ends when it is asked to or has reached its budget.
const fs = require("fs");
const path = require("path");

const env = process.env;
const params = env.DANLU_PARAMS
  ? JSON.parse(fs.readFileSync(env.DANLU_PARAMS, "utf8"))
  : { lr: 0.1 };
const budget = Number(env.DANLU_BUDGET || 20);
const checkpoint = path.join(env.DANLU_CHECKPOINT || ".", "state.json");

let state = { step: 0, x: 0 };
if (fs.existsSync(checkpoint)) {
  state = JSON.parse(fs.readFileSync(checkpoint, "utf8"));
}

function report(line) {
  const text = JSON.stringify(line) + "\n";
  if (env.DANLU_REPORT) fs.appendFileSync(env.DANLU_REPORT, text);
  else process.stdout.write(text);
}

// JSON has no nan and no infinity: they are reported as text.
const number = (value) => (Number.isFinite(value) ? value : String(value));

while (state.step < budget && !(env.DANLU_STOP && fs.existsSync(env.DANLU_STOP))) {
  state = { step: state.step + 1, x: state.x - params.lr * 2 * (state.x - 1) };
  fs.writeFileSync(checkpoint + ".new", JSON.stringify(state));
  fs.renameSync(checkpoint + ".new", checkpoint);
  report({ step: state.step, loss: number((state.x - 1) ** 2) });
}
