// What the three steps share: their options, one transaction, and ids that are the same in every run.
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import pg from "pg";

/** Parse the command line; options named in `required` must be there. */
export function options(known, required) {
  const { values } = parseArgs({ options: known });
  for (const name of required) {
    if (values[name] === undefined) {
      console.error(`--${name} is required`);
      process.exit(2);
    }
  }
  return values;
}

/** Run `work(client)` in one transaction and print what it returns. A failure changes nothing and exits 1. */
export async function transaction(work) {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  try {
    await client.connect();
    await client.query("BEGIN");
    const said = await work(client);
    await client.query("COMMIT");
    console.log(said);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    await client.end();
  }
}

/** An id made from what the row is about, so that a second run finds the first one's row. */
export function stableId(...parts) {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 24);
}

/** Find a batch by name, or fail. */
export async function findBatch(client, name) {
  const found = await client.query('SELECT "id" FROM "intake_batches" WHERE "name" = $1', [name]);
  if (found.rowCount === 0) throw new Error(`no batch ${name}: run intake first`);
  return found.rows[0].id;
}
