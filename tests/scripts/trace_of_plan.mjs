// Makes a trace of the passes that llama-pshard-explain -o json predicts, each step 10 % longer:
//
//   node trace_of_plan.mjs PLAN.json > TRACE.json        (docs/formats/trace.md)
import { readFileSync } from "node:fs";

const data = JSON.parse(readFileSync(process.argv[2], "utf8"));
const lanes = ["passes", "GPU", "upload", "download", "CPU"];
const events = [{ name: "process_name", ph: "M", pid: 1, tid: 0,
    args: { name: "played back", format: "pshard-trace", version: 1, device: "no GPU", model: "" } }];
const us = (seconds) => Math.round(1.1e9 * seconds) / 1e3;

data.tiers.forEach((tier, pass) => {
    const begin = 1e7 * pass;
    const steps = tier.pass.steps;
    events.push({ name: `${tier.tokens} tokens`, cat: "pass", ph: "X", ts: begin, dur: us(tier.pass.end_seconds), pid: 1, tid: 0,
        args: { pass, tokens: tier.tokens, tier: tier.tokens, plan: tier.strategy, weights: "", steps: steps.length, events: steps.length, rest: [] } });
    steps.forEach((step, i) => events.push({ name: step.name, cat: step.kind, ph: "X", ts: begin + us(step.begin_seconds),
        dur: us(step.end_seconds - step.begin_seconds), pid: 1, tid: lanes.indexOf(step.lane),
        args: { pass, step: i, bytes: step.bytes, [step.kind === "compute" ? "stage" : "group"]: i, waits: [] } }));
});
console.log(JSON.stringify(events));
