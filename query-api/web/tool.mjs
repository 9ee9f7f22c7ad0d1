// Builds and checks the page; Maven runs it. Fetches what it needs from npm when package-lock.json has changed, and not otherwise.
//   node tool.mjs build DIRECTORY    the page: script and style named after their content, so that browsers may keep them for ever
//   node tool.mjs check DIRECTORY    types, lint, format and unit tests, unless nothing has changed since they last passed
//   node tool.mjs fmt                formats the sources
//   node tool.mjs install            what both need
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));

class ToolError extends Error {}

/** Runs a program; its output is shown only if it fails. */
function run(program, args) {
  const done = spawnSync(program, args, { cwd: here, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
  if (done.status !== 0) {
    const output = `${done.stdout ?? ""}${done.stderr ?? ""}`.trim();
    throw new ToolError(
      `${program} ${args.join(" ")} failed: ${done.error?.message ?? `status=${done.status}`}\n${output}`,
    );
  }
}

/** Fetches the packages: "build" the bundler alone, "all" the checkers too. Stamps say what is there. */
async function install(what) {
  const wanted = createHash("sha256")
    .update(await readFile(path.join(here, "package-lock.json")))
    .digest("hex");
  for (const stamp of what === "build" ? ["build", "all"] : ["all"]) {
    const file = path.join(here, "node_modules", `.headspan-${stamp}`);
    if (existsSync(file) && (await readFile(file, "utf8")) === wanted) return;
  }
  run("npm", ["ci", "--prefer-offline", "--silent", ...(what === "build" ? ["--omit=dev"] : [])]);
  await writeFile(path.join(here, "node_modules", `.headspan-${what}`), wanted);
}

const options = { absWorkingDir: here, bundle: true, logLevel: "warning", format: "esm", charset: "utf8" };

async function buildPage(target) {
  await install("build");
  const { build } = await import("esbuild");
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  const result = await build({
    ...options,
    entryPoints: { page: "src/main.ts", style: "src/style.css" },
    target: ["chrome123", "firefox120", "safari17.5"],
    minify: true,
    metafile: true,
    entryNames: "[name]-[hash]",
    outdir: target,
  });
  const names = Object.keys(result.metafile.outputs).map((file) => path.basename(file));
  const named = (start, end) => {
    const name = names.find((candidate) => candidate.startsWith(start) && candidate.endsWith(end));
    if (!name) throw new ToolError(`not built: name=${start}*${end}, built=${names.join(" ")}`);
    return name;
  };
  const html = await readFile(path.join(here, "src/index.html"), "utf8");
  await writeFile(
    path.join(target, "index.html"),
    html.replace("page.js", named("page-", ".js")).replace("style.css", named("style-", ".css")),
  );
  await writeFile(path.join(target, "icon.svg"), await readFile(path.join(here, "src/icon.svg")));
  await writeFile(path.join(target, "files.txt"), [...names, "icon.svg", "index.html"].sort().join("\n") + "\n");
}

/** A digest of all that is ours here. */
async function fingerprint() {
  const hash = createHash("sha256");
  const add = async (directory) => {
    const entries = await readdir(directory, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = path.join(directory, entry.name);
      if (entry.name === "node_modules") continue;
      if (entry.isDirectory()) await add(file);
      else hash.update(`${path.relative(here, file)}\0`).update(await readFile(file));
    }
  };
  await add(here);
  return hash.digest("hex");
}

async function check(target) {
  const stamp = path.join(target, "web-checked");
  const current = await fingerprint();
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === current) return;
  await install("all");
  const bin = (name) => path.join(here, "node_modules", ".bin", name);
  run(bin("tsc"), ["--noEmit"]);
  run(bin("eslint"), ["."]);
  run(bin("prettier"), ["--check", "."]);
  const { build } = await import("esbuild");
  const tests = (await readdir(path.join(here, "test"))).filter((name) => name.endsWith(".test.ts"));
  const directory = path.join(target, "web-tests");
  await rm(directory, { recursive: true, force: true });
  await build({
    ...options,
    entryPoints: tests.map((name) => `test/${name}`),
    platform: "node",
    outExtension: { ".js": ".mjs" },
    sourcemap: "inline",
    outdir: directory,
  });
  run(process.execPath, ["--test", ...tests.map((name) => path.join(directory, name.replace(/\.ts$/, ".mjs")))]);
  await writeFile(stamp, current);
}

const [command, directory] = process.argv.slice(2);
try {
  if (command === "build" && directory) await buildPage(path.resolve(directory));
  else if (command === "check" && directory) await check(path.resolve(directory));
  else if (command === "install") await install("all");
  else if (command === "fmt") {
    await install("all");
    run(path.join(here, "node_modules", ".bin", "prettier"), ["--write", "."]);
  } else throw new ToolError("usage: node tool.mjs build DIRECTORY | check DIRECTORY | fmt | install");
} catch (error) {
  console.error(error instanceof ToolError ? error.message : error);
  process.exitCode = 1;
}
