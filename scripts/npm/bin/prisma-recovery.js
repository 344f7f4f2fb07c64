#!/usr/bin/env node
"use strict";
// Starts the Python program prisma-recovery, by the first means that is there. Installs nothing itself.

const { spawn, spawnSync } = require("node:child_process");
const { accessSync, constants, realpathSync, statSync } = require("node:fs");
const { delimiter, join } = require("node:path");
const { version } = require("../package.json");

const NAME = "prisma-recovery";
const PACKAGE = process.env.PRISMA_RECOVERY_PACKAGE || `${NAME}==${version}`;
const USAGE = 2;

/** The program of this name on PATH; never this very file, which npm puts there as well. */
function found(name) {
  for (const folder of (process.env.PATH || "").split(delimiter)) {
    const path = join(folder || ".", name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile() && realpathSync(path) !== realpathSync(__filename)) return path;
    } catch {
      // Not there, or not a program.
    }
  }
  return undefined;
}

/** How to start the program, and a sentence on it for standard error; undefined if nothing can. */
function launcher() {
  const own = !process.env.PRISMA_RECOVERY_PACKAGE;
  const program = own && found(NAME);
  if (program) return { argv: [program] };
  const python = own && found("python3");
  const installed = python && spawnSync(python, ["-c", "import recovery.cli, states"], { stdio: "ignore" }).status === 0;
  if (installed) return { argv: [python, "-m", "recovery.cli"] };
  const fetched = `which downloads the Python package ${PACKAGE} into its cache where it is not there yet`;
  const uvx = found("uvx");
  if (uvx) return { argv: [uvx, "--from", PACKAGE, NAME], told: `started by uvx, ${fetched}` };
  const pipx = found("pipx");
  if (pipx) return { argv: [pipx, "run", "--spec", PACKAGE, NAME], told: `started by pipx, ${fetched}` };
  return undefined;
}

const how = launcher();
if (how === undefined) {
  console.error(
    `${NAME}: this package starts a Python program, and found neither that program, nor uvx, nor pipx. ` +
      "Nothing was installed, and nothing was done.\n" +
      `  What to do: Install uv or pipx and run this again, or run: python3 -m pip install ${PACKAGE} (Python 3.11 or newer)`,
  );
  process.exit(USAGE);
}
if (how.told) console.error(`${NAME}: ${how.told}.`);
const child = spawn(how.argv[0], [...how.argv.slice(1), ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    // A terminal sends ^C to the child as well, where a second one would mean: don't wait for Prisma's command.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on("error", (error) => {
  console.error(`${NAME}: ${how.argv[0]} can't be started (${error.message}). Nothing was done.`);
  process.exit(USAGE);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
