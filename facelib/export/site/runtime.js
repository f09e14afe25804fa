// Networks in the browser: loads ONNX Runtime Web (WebAssembly, one thread) and the files that the manifest names.
// Every address is one beside this file: nothing is asked of another host.
import * as ort from "./ort/ort.wasm.min.mjs";

const here = new URL(".", import.meta.url);

/**
 * The manifest and a function for each network that it names.
 * @param {(text: string) => void} [tell] says what is being loaded
 * @returns {Promise<{manifest: object, networks: Object<string, import("./cascade.js").Network>}>}
 */
export async function load(tell = () => {}) {
  tell("Loading the runtime (4 MB) …");
  const manifest = JSON.parse(new TextDecoder().decode(await bytesOf("models/manifest.json")));
  const check = (name) => bytesOf(name).then((bytes) => checked(bytes, name, manifest.files[name]));
  ort.env.wasm.numThreads = 1; // more would need special headers of the server
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmPaths = new URL("ort/", here).href;
  ort.env.wasm.wasmBinary = await inflated(await check("ort/ort-wasm-simd-threaded.wasm.gz"));
  const networks = {};
  for (const [name, file] of Object.entries(manifest.networks)) {
    tell(`Loading ${file} …`);
    const session = await ort.InferenceSession.create(await check(file), { executionProviders: ["wasm"] });
    networks[name] = (data, dims) => run(session, data, dims);
  }
  tell("Warming up …"); // the first run of a network takes longer, which would falsify the times shown
  const sides = { pnet: 150, rnet: 24, onet: 48, embedder: manifest.preprocess.size };
  for (const [name, side] of Object.entries(sides)) {
    for (let i = 0; i < 2; i++) await networks[name](new Float32Array(3 * side * side), [1, 3, side, side]);
  }
  return { manifest, networks };
}

async function run(session, data, dims) {
  const answers = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", data, dims) });
  return session.outputNames.map((name) => ({ data: answers[name].data, dims: answers[name].dims }));
}

/**
 * A file beside this one.
 * @param {string} name
 * @returns {Promise<Uint8Array>}
 */
export async function bytesOf(name) {
  const reply = await fetch(new URL(name, here));
  if (!reply.ok) throw new Error(`${name}: the server answers ${reply.status}`);
  return new Uint8Array(await reply.arrayBuffer());
}

async function checked(bytes, name, expected) {
  if (!crypto.subtle) return bytes; // only over https and on one's own machine
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== expected) throw new Error(`${name}: is not the file that the manifest names; load the page again`);
  return bytes;
}

// Some servers announce .gz as an encoding, and the browser has inflated it already: the first bytes tell.
async function inflated(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
