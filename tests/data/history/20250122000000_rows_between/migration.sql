-- CreateTable
CREATE TABLE "PurchaseTag" (
    "purchase_id" BIGINT NOT NULL,
    "tag_id" TEXT NOT NULL
);

INSERT INTO "PurchaseTag" SELECT "id", 'old' FROM "Purchase";

-- CreateIndex
CREATE UNIQUE INDEX "PurchaseTag_key" ON "PurchaseTag"("purchase_id", "tag_id");

TRUNCATE "Cache";

-- DropTable
DROP TABLE "Tag";
