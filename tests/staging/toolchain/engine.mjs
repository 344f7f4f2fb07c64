#!/usr/bin/env node
// Stands where the CLI of Prisma 5 or 7 expects its native schema engine, which is downloaded at run time: the same engine
// as WebAssembly, over the `pg` driver. The CLI starts it as it starts the native one, and speaks JSON-RPC with it, one
// object a line. Prisma 7 names the URL in the arguments; Prisma 5 names the schema, in which a variable is named.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";

const given = process.argv.slice(2);

/** The values that follow an option, up to the next option. */
function values(option) {
  const after = given.slice(given.indexOf(option) + 1);
  const end = after.findIndex((word) => word.startsWith("--"));
  return given.includes(option) ? after.slice(0, end < 0 ? undefined : end) : [];
}

if (given.includes("--version")) {
  console.log("schema-engine-cli staging");
  process.exit(0);
}

const older = given.includes("-d");
const models = values(older ? "-d" : "--datamodels").map((file) => [file, readFileSync(file, "utf8")]);

function urlOf([source]) {
  if (source?.startsWith("{")) return JSON.parse(source).url;
  const variable = models.map(([, text]) => /\burl\s*=\s*env\("(\w+)"\)/.exec(text)?.[1]).find(Boolean);
  return source ?? process.env[variable];
}

const url = urlOf(values("--datasource")) ?? "";

if (given.includes("can-connect-to-database")) {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.end();
    process.exit(0);
  } catch (error) {
    const fields = { message: String(error.message), error_code: "P1001", is_panic: false, meta: null };
    console.error(JSON.stringify({ timestamp: new Date(), level: "ERROR", target: "schema_engine", fields }));
    process.exit(1);
  }
}

// Where a panic of the engine tells its reason.
globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (reason) => console.error(reason) };

const { PrismaPg } = await import("@prisma/adapter-pg");
const { bindMigrationAwareSqlAdapterFactory } = await import("@prisma/driver-adapter-utils");
const folder = dirname(createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm"));
const bindings = await import(join(folder, "schema_engine_bg.js"));
const code = readFileSync(join(folder, "schema_engine_bg.wasm"));
const { instance } = await WebAssembly.instantiate(code, { "./schema_engine_bg.js": bindings });
bindings.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

// A string, a name, a body between dollars, a comment, the end of a statement, or any other character.
const TOKEN = /[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[^]*?\$\1\$|--.*|\/\*[^]*?\*\/|;|[^]/g;

/** The script's statements, each with the `;` that ends it. A body that begins with BEGIN ATOMIC is not known here. */
function statements(script) {
  const found = [""];
  for (const [token] of script.matchAll(TOKEN)) {
    found[found.length - 1] += token;
    if (token === ";") found.push("");
  }
  return found.filter((each) => each.trim());
}

// The adapter cuts a script at every `;`, also inside a function's body. The native engine sends it whole, and since 7.4
// runs it statement by statement, each committed on its own. The adapter's own error conversion is what gets the
// database's message into the ledger.
class AsTheNativeOne extends PrismaPg {
  async connect() {
    const connection = await super.connect();
    connection.executeScript = async (script) => {
      try {
        for (const part of older ? [script] : statements(script)) await connection.client.query(part);
      } catch (error) {
        connection.onError(error);
      }
    };
    return connection;
  }
}

function start() {
  const schema = new URL(url).searchParams.get("schema") ?? "public";
  // The native engine sets the search path itself, and leaves it to the adapter here.
  const pool = { connectionString: url, options: `-c search_path="${schema}"`, max: 1, allowExitOnIdle: true };
  const adapter = new AsTheNativeOne(pool, { schema });
  // Today's engine knows no URL in a schema.
  const datamodels = models.map(([file, text]) => [file, text.replace(/^\s*(url|directUrl)\s*=.*$/gm, "")]);
  return bindings.SchemaEngine.new({ datamodels }, () => {}, bindMigrationAwareSqlAdapterFactory(adapter));
}

/** What Prisma 5 leaves to the engine: the migrations folder's files. */
function migrationsIn(baseDir) {
  const read = (file) => (existsSync(file) ? readFileSync(file, "utf8") : null);
  const entries = existsSync(baseDir) ? readdirSync(baseDir, { withFileTypes: true }) : [];
  const migrationDirectories = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
    .map((name) => {
      const value = read(join(baseDir, name, "migration.sql"));
      return { path: name, migrationFile: { path: "migration.sql", content: { tag: "ok", value } } };
    });
  const lockfile = { path: "migration_lock.toml", content: read(join(baseDir, "migration_lock.toml")) };
  return { baseDir, lockfile, shadowDbInitScript: "", migrationDirectories };
}

async function answered(method, { migrationsDirectoryPath, ...params } = {}) {
  if (migrationsDirectoryPath !== undefined) {
    params.migrationsList = migrationsIn(migrationsDirectoryPath);
    params.filters = { externalTables: [], externalEnums: [] };
  }
  if (method === "listMigrationDirectories") {
    return { migrations: params.migrationsList.migrationDirectories.map(({ path }) => path) };
  }
  engine ??= await start();
  return (await engine[method](params)) ?? {};
}

let engine;
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = line.trim() ? JSON.parse(line) : {};
  if (!method) continue;
  const answer = { jsonrpc: "2.0", id };
  try {
    answer.result = await answered(method, params);
  } catch (error) {
    const message = String(error?.message ?? error);
    const data = { is_panic: false, message, meta: error?.meta ?? null, error_code: error?.code ?? null };
    answer.error = { code: 4466, message: "An error happened. Check the data field for details.", data };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
