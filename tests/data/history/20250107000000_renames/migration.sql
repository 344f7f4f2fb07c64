-- Renames, as people write them by hand
ALTER TABLE "User" RENAME COLUMN "seen_at" TO "last_seen_at";
ALTER TABLE "Order" RENAME TO "Purchase";
ALTER TABLE "Purchase" RENAME CONSTRAINT "Order_pkey" TO "Purchase_pkey";
ALTER INDEX "Order_notes_idx" RENAME TO "Purchase_notes_idx";
ALTER SEQUENCE "Order_id_seq" RENAME TO "Purchase_id_seq";
