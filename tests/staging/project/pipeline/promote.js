// Writes the golden items of a batch into `places`, new ones as drafts. Without --commit it only says what it would do.
import { findBatch, options, stableId, transaction } from "./database.js";
import { parse, slug } from "./item.js";

const { batch, commit, "allow-places-write": allowed } = options(
  { batch: { type: "string" }, commit: { type: "boolean" }, "allow-places-write": { type: "boolean" } },
  ["batch"],
);
if (commit && !allowed) {
  console.error("promote: --commit writes to places: confirm with --allow-places-write");
  process.exit(2);
}

await transaction(async (client) => {
  const id = await findBatch(client, batch);
  const golden = await client.query(
    `SELECT "id", "raw" FROM "intake_items" WHERE "batch_id" = $1 AND "tier" = 'GOLDEN' ORDER BY "line"`,
    [id],
  );
  if (!commit) return `promote: batch ${batch}: would write ${golden.rowCount} places`;
  for (const { id: item, raw } of golden.rows) {
    const place = parse(raw);
    await client.query(
      `INSERT INTO "places" ("id", "slug", "name", "city", "latitude", "longitude", "energy", "formality", "scored_at", "golden_item_id")
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CURRENT_TIMESTAMP, $9)
       ON CONFLICT ("slug") DO UPDATE SET "energy" = EXCLUDED."energy", "formality" = EXCLUDED."formality",
         "scored_at" = EXCLUDED."scored_at", "golden_item_id" = EXCLUDED."golden_item_id"`,
      [stableId("place", slug(place)), slug(place), place.name, place.city, place.latitude, place.longitude,
        place.energy, place.formality, item],
    );
  }
  await client.query('UPDATE "intake_batches" SET "promoted_at" = CURRENT_TIMESTAMP WHERE "id" = $1', [id]);
  return `promote: batch ${batch}: ${golden.rowCount} places written`;
});
