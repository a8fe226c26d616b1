// What a program of node does with a model: node node_host.mjs FOLDER MODEL GPU_LAYERS
//
// FOLDER holds node_modules. Prints the tokens that follow two prompts, one line each.
import path from "node:path";
import {pathToFileURL} from "node:url";

const [folder, modelPath, gpuLayers] = process.argv.slice(2);
const library = path.join(folder, "node_modules", "node-llama-cpp", "dist", "index.js");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(library).href);

const longPrompt = "once" + Array.from({length: 60}, (_, i) => ` ${(i * 7919) % 1009}`).join("");

const llama = await getLlama({
    gpu: false, build: "never", skipDownload: true, progressLogs: false,
    logLevel: LlamaLogLevel.warn
});
const model = await llama.loadModel({modelPath, gpuLayers: Number(gpuLayers)});
const context = await model.createContext({contextSize: 512, batchSize: 64, threads: 1});
const sequence = context.getSequence();
for (const prompt of ["hello the world", longPrompt]) {
    await sequence.clearHistory();
    const tokens = [];
    for await (const token of sequence.evaluate(model.tokenize(prompt), {temperature: 0})) {
        tokens.push(token);
        if (tokens.length === 24) break;
    }
    console.log(tokens.join(" "));
}
await llama.dispose();
