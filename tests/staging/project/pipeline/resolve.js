// Scores the items of a batch and finds the place each of them means.
import { findBatch, options, transaction } from "./database.js";
import { parse, slug } from "./item.js";

const { batch } = options({ batch: { type: "string" } }, ["batch"]);

await transaction(async (client) => {
  const id = await findBatch(client, batch);
  const items = await client.query('SELECT "id", "raw" FROM "intake_items" WHERE "batch_id" = $1', [id]);
  const tiers = { GOLDEN: 0, STANDARD: 0, REJECTED: 0 };
  for (const { id: item, raw } of items.rows) {
    const place = parse(raw);
    const known = await client.query('SELECT "id" FROM "places" WHERE "slug" = $1', [slug(place)]);
    const score = place.fields / 6;
    const tier = score === 1 ? "GOLDEN" : score > 0.5 ? "STANDARD" : "REJECTED";
    tiers[tier] += 1;
    await client.query('UPDATE "intake_items" SET "tier" = $2, "score" = $3, "place_id" = $4 WHERE "id" = $1', [
      item, tier, score.toFixed(3), known.rows[0]?.id ?? null,
    ]);
  }
  return `resolve: batch ${batch}: ${tiers.GOLDEN} golden, ${tiers.STANDARD} standard, ${tiers.REJECTED} rejected`;
});
