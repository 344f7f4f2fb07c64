// Reads a seed file into the intake tables, one item a line. A second run of a batch adds nothing.
import { readFileSync } from "node:fs";
import { options, stableId, transaction } from "./database.js";

const { batch, source, file } = options(
  { batch: { type: "string" }, source: { type: "string" }, file: { type: "string" } },
  ["batch", "source", "file"],
);
const lines = readFileSync(file, "utf8")
  .split("\n")
  .map((text) => text.trim())
  .filter((text) => text !== "" && !text.startsWith("#"));

await transaction(async (client) => {
  const id = stableId("batch", batch);
  await client.query(
    `INSERT INTO "intake_batches" ("id", "name", "source") VALUES ($1, $2, $3)
     ON CONFLICT ("name") DO UPDATE SET "source" = EXCLUDED."source"`,
    [id, batch, source],
  );
  let added = 0;
  for (const [index, raw] of lines.entries()) {
    const done = await client.query(
      `INSERT INTO "intake_items" ("id", "batch_id", "line", "raw") VALUES ($1, $2, $3, $4)
       ON CONFLICT ("batch_id", "line") DO NOTHING`,
      [stableId("item", batch, index + 1), id, index + 1, raw],
    );
    added += done.rowCount;
  }
  return `intake: batch ${batch} from ${source}: ${added} of ${lines.length} items added`;
});
