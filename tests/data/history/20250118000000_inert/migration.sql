CREATE TABLE IF NOT EXISTS "Tag" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "label" TEXT
);
CREATE INDEX IF NOT EXISTS "Tag_label_idx" ON "Tag"("label");
