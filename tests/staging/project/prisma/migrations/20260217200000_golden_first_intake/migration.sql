-- CreateEnum
CREATE TYPE "IntakeTier" AS ENUM ('GOLDEN', 'STANDARD', 'REJECTED');

-- AlterTable
ALTER TABLE "intake_batches" ADD COLUMN     "promoted_at" TIMESTAMP(3),
ADD COLUMN     "source" TEXT NOT NULL DEFAULT 'manual';

-- AlterTable
ALTER TABLE "intake_items" ADD COLUMN     "score" DECIMAL(4,3),
ADD COLUMN     "tier" "IntakeTier";

-- AlterTable
ALTER TABLE "places" ADD COLUMN     "golden_item_id" TEXT;

-- CreateIndex
CREATE UNIQUE INDEX "places_golden_item_id_key" ON "places"("golden_item_id");

-- AddForeignKey
ALTER TABLE "places" ADD CONSTRAINT "places_golden_item_id_fkey" FOREIGN KEY ("golden_item_id") REFERENCES "intake_items"("id") ON DELETE SET NULL ON UPDATE CASCADE;
