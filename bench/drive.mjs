// Serves the side-by-side page, opens it in headless Chromium through
// chromedriver, and writes what it measured: results.json and RESULTS.md.
//
//   node bench/drive.mjs FOLDER NATIVE.json DIST
//
// FOLDER holds the page; NATIVE.json a list of native rows, which may be empty;
// DIST what a visitor loads, which may be missing.
import { spawn } from "node:child_process";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { cpus } from "node:os";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const LIMIT_MS = 600_000;
const [folder, native, dist] = process.argv.slice(2);
const here = new URL(".", import.meta.url).pathname;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, "http://localhost").pathname).replace(/\/$/, "/index.html");
  try {
    const body = await readFile(join(folder, path));
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));

const port = 20_000 + (process.pid % 20_000);
const driver = spawn(process.env.CHROMEDRIVER ?? "chromedriver", [`--port=${port}`], { stdio: "ignore" });
driver.on("error", (error) => {
  console.error(`chromedriver does not start: ${error.message}`);
  process.exit(1);
});

async function ask(path, body, method = "POST") {
  const options = { method, headers: { "content-type": "application/json" } };
  if (body) options.body = JSON.stringify(body);
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, options);
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(value.message);
  return value;
}

async function measured() {
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];
  args.push("--disable-component-update", "--disable-sync", "--no-first-run");
  const capabilities = { alwaysMatch: { "goog:chromeOptions": { args } } };
  let session;
  for (let i = 0; !session; i++) {
    try {
      session = await ask("/session", { capabilities });
    } catch (error) {
      if (i > 40) throw error;
      await pause(250);
    }
  }
  const at = `/session/${session.sessionId}`;
  try {
    await ask(`${at}/url`, { url: `http://127.0.0.1:${server.address().port}/` });
    const script = "return [window.measured ?? null, window.failure ?? null]";
    for (const end = Date.now() + LIMIT_MS; Date.now() < end; await pause(500)) {
      const [results, failure] = await ask(`${at}/execute/sync`, { script, args: [] });
      if (failure) throw new Error(failure);
      if (results) return { results, browser: `Chromium ${session.capabilities.browserVersion}` };
    }
    throw new Error("the page did not finish");
  } finally {
    await ask(at, undefined, "DELETE");
  }
}

const digits = (n) => n.toFixed(n < 10 ? 2 : 1);

/** What a visitor loads, in kilobytes of 1,000 bytes, compressed. */
async function sizes() {
  const names = await readdir(dist).catch(() => []);
  const size = async (pattern) => {
    const found = names.filter((name) => pattern.test(name));
    const parts = await Promise.all(found.map((name) => readFile(join(dist, name))));
    return parts.reduce((sum, part) => sum + gzipSync(part, { level: 9 }).length, 0) / 1_000;
  };
  const rows = [
    ["page: HTML, styles, script, program", await size(/\.(html|css)$|^(start|app)-.*\.(js|wasm)$/), 250],
    ["engine: worker's script and program", await size(/^worker-(loader\.js|relaxed.*)$/), 700],
    ["decoders, which come with the first file", await size(/^decoder.*\.(js|wasm)$/), undefined],
  ];
  for (const model of (await readdir(join(dist, "model")).catch(() => [])).sort()) {
    if (!model.endsWith(".safetensors")) continue;
    const bytes = await readFile(join(dist, "model", model));
    rows.push([`model ${model.split(".")[0]}`, gzipSync(bytes, { level: 9 }).length / 1_000, undefined]);
  }
  return names.length ? rows : [];
}

function report({ rows, peaks, browser, date, sizes }) {
  const line = (r) =>
    `| ${r.name} | ${digits(r.ours_ms)} | ${r.peer} | ${digits(r.peer_ms)} | ${digits(r.ratio)} | ${r.target ?? ""} |`;
  const rate = (r, ms) => (r.work / ms / 1e6).toFixed(1);
  const worked = rows.filter((r) => r.work);
  const missed = rows.filter((r) => r.target && r.ratio < r.target);
  const large = sizes.filter(([, size, limit]) => limit && size > limit);
  const misses = [
    ...missed.map((r) => `- ${r.name} beside ${r.peer}: ${digits(r.ratio)}, asked for ${r.target}`),
    ...large.map(([what, size, limit]) => `- ${what}: ${size.toFixed(0)} KB, asked for ${limit}`),
  ];
  return `# Side by side

${date}; ${cpus().length} cores, ${cpus()[0].model.trim()}; ${browser}. Written by \`make bench\`.

Medians in milliseconds, one thread, ours and the peer by turns in one run. Features:
ten seconds of speech at 16 kHz, hop 160. Networks: the same random weights in every
engine, whose outputs must agree before they are timed. Ratio: the peer's time over
ours.

| what | ours, ms | peer | peer, ms | ratio | asked |
| --- | ---: | --- | ---: | ---: | ---: |
${rows.map(line).join("\n")}

## Not reached

${misses.length ? misses.join("\n") : "Nothing."}

## Rates

GFLOP/s, counting a multiplication and an addition for every weight and input that
meet. In the browser a matrix product that fits the caches reaches ${peaks.full.toFixed(1)} with 32-bit and
${peaks.eight.toFixed(1)} with 8-bit weights on this machine.

| what | ours | peer | its |
| --- | ---: | --- | ---: |
${worked.map((r) => `| ${r.name} | ${rate(r, r.ours_ms)} | ${r.peer} | ${rate(r, r.peer_ms)} |`).join("\n")}

## Sizes

${sizes.length ? "" : "There was no built page to weigh.\n"}| what | KB, gzip -9 | asked |
| --- | ---: | ---: |
${sizes.map(([what, size, limit]) => `| ${what} | ${size.toFixed(0)} | ${limit ?? ""} |`).join("\n")}
`;
}

try {
  const { results, browser } = await measured();
  const rows = [...results.rows, ...JSON.parse(await readFile(native, "utf8"))];
  const date = new Date().toISOString().slice(0, 10);
  const plain = rows.map(({ name, ours_ms, peer, peer_ms, ratio }) => ({ name, ours_ms, peer, peer_ms, ratio }));
  await writeFile(join(here, "results.json"), `${JSON.stringify(plain, null, 2)}\n`);
  const text = report({ rows, peaks: results.peaks, browser, date, sizes: await sizes() });
  await writeFile(join(here, "RESULTS.md"), text);
  console.log(text);
} catch (error) {
  console.error(`the page could not be measured: ${error.message}`);
  process.exitCode = 1;
} finally {
  driver.kill();
  server.close();
  server.closeAllConnections();
}
