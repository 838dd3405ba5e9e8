// Serves the side-by-side page, opens it in headless Chromium through
// chromedriver, and writes what it measured: results.json and RESULTS.md.
//
//   node bench/drive.mjs FOLDER NATIVE.json
//
// FOLDER holds the page; NATIVE.json a list of native rows, which may be empty.
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { cpus } from "node:os";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const LIMIT_MS = 300_000;
const [folder, native] = process.argv.slice(2);
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
    const script = "return [window.results ?? null, window.failure ?? null]";
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

function table({ rows, browser, date }) {
  const line = (r) =>
    `| ${r.name} | ${r.ours_ms.toFixed(1)} | ${r.peer} | ${r.peer_ms.toFixed(1)} | ${r.ratio.toFixed(1)} |`;
  return `# Side by side

${date}; ${cpus().length} cores, ${cpus()[0].model.trim()}; ${browser}. Medians in milliseconds for ten
seconds of speech at 16 kHz, hop 160, one thread, ours and the peer by turns in one
run. Ratio: the peer's time over ours.

| what | ours, ms | peer | peer, ms | ratio |
| --- | ---: | --- | ---: | ---: |
${rows.map(line).join("\n")}
`;
}

try {
  const { results, browser } = await measured();
  const rows = [...results, ...JSON.parse(await readFile(native, "utf8"))];
  const date = new Date().toISOString().slice(0, 10);
  await writeFile(join(here, "results.json"), `${JSON.stringify(rows, null, 2)}\n`);
  const text = table({ rows, browser, date });
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
