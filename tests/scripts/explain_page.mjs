// Opens a report of llama-pshard-explain in headless Chromium and looks at it as a reader would.
//
//   node explain_page.mjs CHROMIUM REPORT.html SCRATCH [--any-times] [SHOTS]
//
// With --any-times, also with passes of other lengths than the report's own. Talks to the browser over its own
// debugging pipe: no package and no port is needed. With a folder
// SHOTS, a picture of each size and scheme is left there. Exits with 1 and the faults, if any.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [chromium, report, scratch, ...more] = process.argv.slice(2);
const anyTimes = more[0] === "--any-times";
const shots = anyTimes ? more[1] : more[0];
const faults = [];
const check = (good, text) => { if (!good) faults.push(text); };

const browser = spawn(chromium, [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--no-first-run", "--remote-debugging-pipe", `--user-data-dir=${scratch}/profile`, "about:blank",
], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
browser.on("error", (error) => { console.log(`FAILED: ${error.message}`); process.exit(1); });

const waiting = new Map();
const events = [];
let last = 0, buffer = "";
browser.stdio[4].on("data", (bytes) => {
    buffer += bytes;
    for (let end = buffer.indexOf("\0"); end >= 0; end = buffer.indexOf("\0")) {
        const message = JSON.parse(buffer.slice(0, end));
        buffer = buffer.slice(end + 1);
        if (!message.id) { events.push(message); continue; }
        const { resolve, reject } = waiting.get(message.id);
        waiting.delete(message.id);
        message.error ? reject(new Error(message.error.message)) : resolve(message.result);
    }
});

function send(method, params = {}, sessionId = undefined) {
    const id = ++last;
    browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function openPage() {
    const { targetId } = await send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
    const call = (method, params) => send(method, params, sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await call(`${domain}.enable`);
    return call;
}

async function evaluate(call, expression) {
    const { result, exceptionDetails } = await call("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
}

async function untilReady(call) {
    for (let i = 0; i < 600; ++i) {
        if (await evaluate(call, "document.documentElement?.dataset.ready === 'yes'").catch(() => false)) return;
        await sleep(100);
    }
    throw new Error("the page was not ready after a minute: " + complaints().join("; "));
}

// What the browser complained about.
function complaints() {
    const found = [];
    for (const { method, params } of events) {
        if (method === "Runtime.exceptionThrown") found.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
        if (method === "Log.entryAdded" && params.entry.level !== "verbose") found.push(params.entry.text);
        if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
            found.push(params.args.map((one) => one.value ?? one.description).join(" "));
        }
    }
    return found;
}

const requests = () => events.filter((one) => one.method === "Network.requestWillBeSent")
    .map((one) => one.params.request.url).filter((url) => !/^(file|data|about|blob):/.test(url));

// For the page: the labels of a chart that are not inside it.
const cutOff = `function cutOff(chart) {
    const box = chart.getBoundingClientRect();
    return [...chart.querySelectorAll("svg text")].map((label) => [label.textContent, label.getBoundingClientRect()])
        .filter(([, at]) => at.width > 0 && (at.right > box.right + 1 || at.left < box.left - 1))
        .map(([text]) => chart.id + ": '" + text + "' is cut off");
}`;

// Runs in the page: numbers of the JSON that a reader must find, and what is broken to the eye.
const inspection = `(() => {
    ${cutOff}
    const data = JSON.parse(document.getElementById("data").textContent);
    const text = (id) => document.getElementById(id).innerText.replace(/,/g, "");
    const shown = (value) => value >= 100 ? String(Math.round(value)) : value.toFixed(2);
    const faults = [];
    const check = (good, fault) => { if (!good) faults.push(fault); };
    const buttons = [...document.querySelectorAll("#picker button")];
    check(document.title.includes(data.plan.model.name || data.plan.model.path), "the title names no model");
    check(buttons.length === data.tiers.length, "a button for each tier");
    check(text("facts").includes(String(Math.round(data.plan.budget.plan_bytes / 1048576))), "the budget is not shown");
    data.tiers.forEach((tier, i) => {
        const row = document.querySelectorAll("#tiers tbody tr")[i].innerText.replace(/,/g, "");
        check(row.includes(String(tier.tokens)), "row " + i + " lacks its tokens");
        if (tier.tokens_per_second !== null) check(row.includes(shown(tier.tokens_per_second)), "row " + i + " lacks its rate");
        for (const bound of Object.values(tier.lower_bound)) {
            if (bound && bound.reached !== null) check(row.includes(Math.round(100 * bound.reached) + " %"), "row " + i + " lacks a bound");
        }
        buttons[i].click();
        check(buttons[i].getAttribute("aria-pressed") === "true", "button " + i + " is not pressed");
        const planned = data.plan.tiers.find((one) => one.tokens === tier.tokens);
        if (!planned || !planned.plan) return;
        const rows = [...document.querySelectorAll("#candidates tbody tr")].map((row) => row.innerText.replace(/,/g, ""));
        check(rows.length === 1 + planned.rivals.length, "tier " + i + " lacks candidates");
        planned.rivals.forEach((rival, r) => {
            check(rows[r + 1].includes(rival.choice.strategy), "a rival is not named");
            if (rival.reason) check(rows[r + 1].includes(rival.reason.replace(/,/g, "")), "a reason is not told");
            else if (rival.prediction) check(rows[r + 1].includes(shown(rival.prediction.tokens_per_second)), "a rival's rate is not shown");
        });
        check(text("memory-text").includes(String(Math.round(planned.plan.memory.device_bytes / 1048576))), "tier " + i + " lacks its VRAM");
        if (!tier.pass) return;
        const blocks = document.querySelectorAll("#lanes svg path").length;
        check(blocks >= Math.min(20, tier.pass.steps.length), "tier " + i + " draws " + blocks + " of " + tier.pass.steps.length + " steps");
        const named = new Set(tier.pass.steps.map((step) => step.lane));
        for (const lane of named) check(document.getElementById("lanes").textContent.includes(lane), "the lane " + lane + " has no name");
    });
    for (const change of data.changes) check(text("changes-section").includes(change.name.replace(/,/g, "")), "the change " + change.name + " is not told");
    for (const tier of data.measured ? data.measured.tiers : []) {
        check(text("measured").includes((1e3 * tier.median_seconds).toFixed(tier.median_seconds < 0.1 ? 2 : 1)), "a measured time is not shown");
        const i = data.tiers.findIndex((one) => one.tokens === tier.tokens);
        if (i < 0) continue;
        buttons[i].click();
        check(document.getElementById("lanes").textContent.includes("measured"), "measured lanes are not drawn");
    }
    buttons[0].click();
    check(document.documentElement.scrollWidth <= window.innerWidth, "the page is " + document.documentElement.scrollWidth + " wide");
    for (const chart of document.querySelectorAll(".chart")) {
        if (!chart.offsetParent) continue;
        const svg = chart.querySelector("svg");
        const box = svg && svg.getBoundingClientRect();
        check(box && box.width > 200 && box.height > 100, chart.id + " is not drawn");
        check(box && box.right <= window.innerWidth + 1, chart.id + " leaves the window");
        faults.push(...cutOff(chart));
    }
    const channel = (text) => text.match(/[0-9.]+/g).slice(0, 3).map(Number)
        .map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const light = (text) => { const [r, g, b] = channel(text); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    for (const id of ["title", "subtitle", "lanes-text", "tiers"]) {
        const element = document.getElementById(id);
        const card = element.closest("section") || document.body;
        const pair = [light(getComputedStyle(element).color), light(getComputedStyle(card).backgroundColor)].sort((a, b) => b - a);
        check((pair[0] + 0.05) / (pair[1] + 0.05) >= 4.5, id + " is hard to read");
    }
    return faults;
})()`;

async function open(call, file, width, scheme) {
    await call("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 });
    await call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    await call("Page.navigate", { url: pathToFileURL(file).href });
    await sleep(300);
    await untilReady(call);
}

// The report with a tier for each length of a pass from 10 us to 100 s: its own passes, stretched. Every
// second one begins before 0, as measured ones may.
function stretchedReport() {
    const html = readFileSync(report, "utf8");
    const [, json] = html.match(/<script type="application\/json" id="data">([^]*?)<\/script>/);
    const data = JSON.parse(json);
    const tier = data.tiers.find((one) => one.pass);
    const measured = data.measured?.tiers[0];
    const stretched = (pass, seconds, early) => {
        const factor = seconds / pass.end_seconds, before = early ? seconds / 7 : 0;
        const move = (at) => at * factor - before;
        const steps = pass.steps.map((step) => ({ ...step, begin_seconds: move(step.begin_seconds), end_seconds: move(step.end_seconds) }));
        return { ...pass, end_seconds: seconds, steps };
    };
    data.tiers = [];
    if (measured) data.measured.tiers = [];
    for (let seconds = 1e-5; seconds <= 100; seconds *= 1.25) {
        const tokens = data.tiers.length + 1;
        data.tiers.push({ ...tier, tokens, pass: stretched(tier.pass, seconds, tokens % 2 === 0) });
        if (measured && tokens % 3 === 0) {
            data.measured.tiers.push({ ...measured, tokens, median_seconds: seconds, pass: stretched(measured.pass, 1.3 * seconds, false) });
        }
    }
    const file = `${scratch}/stretched.html`;
    writeFileSync(file, html.replace(json, () => JSON.stringify(data).replace(/</g, "\\u003c")));
    return file;
}

// Whatever the times are, each label of the lanes is inside, those of the slider too, which show while the
// mouse is over it.
async function lookAtSpans(call, width) {
    await open(call, stretchedReport(), width, "light");
    const n = await evaluate(call, "document.querySelectorAll('#picker button').length");
    check(n > 70, `only ${n} spans are looked at`);
    const found = new Set();
    for (let i = 0; i < n; ++i) {
        const place = await evaluate(call, `document.querySelectorAll("#picker button")[${i}].click();
            document.getElementById("lanes").scrollIntoView({ block: "end" });
            (({ left, width, bottom }) => ({ x: left + width / 2, y: bottom - 18 }))(document.getElementById("lanes").getBoundingClientRect())`);
        await call("Input.dispatchMouseEvent", { type: "mouseMoved", x: 1, y: 1 });
        await call("Input.dispatchMouseEvent", { type: "mouseMoved", ...place });
        const { faults: cut, labels } = await evaluate(call, `(() => { ${cutOff}
            const lanes = document.getElementById("lanes");
            const labels = [...lanes.querySelectorAll("svg text")].map((label) => label.textContent).filter((text) => / (us|ms|s)$/.test(text));
            return { faults: cutOff(lanes), labels }; })()`);
        check(labels.length >= 4, `span ${i}: only the times ${labels.join(", ")} are written`);
        cut.forEach((fault) => found.add(fault));
    }
    for (const fault of found) faults.push(`${width} px, other times: ${fault}`);
}

// The report with markup in each name of others, and in what the names of series are made of.
function hostileReport() {
    const html = readFileSync(report, "utf8");
    const [, json] = html.match(/<script type="application\/json" id="data">([^]*?)<\/script>/);
    const data = JSON.parse(json);
    const markup = (text) => `<img src=x onerror="window.hurt = true">${text}`;
    const steps = (pass) => pass?.steps.forEach((step) => { step.name = markup(step.name); });
    for (const tiers of [data.tiers, data.plan.tiers, data.measured?.tiers ?? []]) {
        for (const tier of tiers) { tier.tokens = markup(tier.tokens); steps(tier.pass); }
    }
    for (const change of data.changes) change.name = markup(change.name);
    for (const key of ["name", "path", "architecture"]) data.plan.model[key] = markup(data.plan.model[key]);
    if (data.measured) data.measured.device = markup(data.measured.device);
    const file = `${scratch}/hostile.html`;
    writeFileSync(file, html.replace(json, () => JSON.stringify(data).replace(/</g, "\\u003c")));
    return file;
}

// Names are shown and not obeyed, in the tooltips of all charts, too.
async function lookForHurt(call) {
    await open(call, hostileReport(), 1280, "light");
    const charts = await evaluate(call, "[...document.querySelectorAll('.chart')].map((one) => one.id)");
    const shown = new Set();
    for (const id of charts) {
        await evaluate(call, `echarts.getInstanceByDom(document.getElementById("${id}"))
            .dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: 0 })`);
        await sleep(100);
        if (await evaluate(call, `[...document.getElementById("${id}").children].slice(1).some((tip) => tip.innerText.includes("<img"))`)) shown.add(id);
    }
    await sleep(300);
    check(shown.has("lanes"), "no tooltip shows the markup of a step");
    check(shown.has("depth"), "no tooltip shows the markup of a series");
    check(!await evaluate(call, "window.hurt === true || document.querySelectorAll('img').length > 0"), "a name is taken for markup");
}

async function look(call, width, scheme) {
    const place = `${width} px, ${scheme}: `;
    await open(call, report, width, scheme);
    for (const fault of await evaluate(call, inspection)) faults.push(place + fault);
    if (!shots) return;
    const { cssContentSize } = await call("Page.getLayoutMetrics");
    const clip = { x: 0, y: 0, width, height: Math.ceil(cssContentSize.height), scale: 1 };
    const { data } = await call("Page.captureScreenshot", { captureBeyondViewport: true, clip });
    writeFileSync(`${shots}/${width}-${scheme}.png`, Buffer.from(data, "base64"));
}

// No colour of the dark scheme may stay when the reader's system turns light.
async function turn(call) {
    const fill = "getComputedStyle(document.body).backgroundColor";
    const before = await evaluate(call, fill);
    const chart = "document.querySelector('#batch svg').outerHTML";
    const drawn = await evaluate(call, chart);
    await call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: "light" }] });
    await sleep(500);
    check(await evaluate(call, fill) !== before, "the page does not follow the colour scheme");
    check(await evaluate(call, chart) !== drawn, "the charts do not follow the colour scheme");
}

async function main() {
    check(!/(src|href)\s*=\s*["']?https?:/i.test(readFileSync(report, "utf8").replace(/<script>[^]*?<\/script>/g, "")),
        "the report refers to the network");
    const call = await openPage();
    for (const [width, scheme] of [[1280, "light"], [400, "light"], [400, "dark"], [1280, "dark"]]) await look(call, width, scheme);
    await turn(call);
    await lookForHurt(call);
    for (const width of anyTimes ? [1280, 400] : []) await lookAtSpans(call, width);
    for (const complaint of complaints()) faults.push("the browser says: " + complaint);
    for (const url of requests()) faults.push("the page asks for " + url);
}

const limit = setTimeout(() => { console.log("FAILED: no end after 4 minutes"); browser.kill("SIGKILL"); process.exit(1); }, 240000);
try {
    await main();
} catch (error) {
    faults.push(error.message);
}
// Its own processes end before it does, so that nothing is left that writes into the scratch folder.
const ended = new Promise((resolve) => browser.on("exit", resolve));
send("Browser.close").catch(() => {});
await ended;
clearTimeout(limit);
for (const fault of faults) console.log(`FAILED: ${fault}`);
if (faults.length === 0) console.log("the report is as it should be");
process.exit(faults.length === 0 ? 0 : 1);
