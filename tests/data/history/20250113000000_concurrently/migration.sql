CREATE INDEX CONCURRENTLY "Purchase_total_idx" ON "Purchase"("total");
