-- DropForeignKey
ALTER TABLE "Purchase" DROP CONSTRAINT "Order_user_id_fkey";

-- AddForeignKey
ALTER TABLE "Purchase" ADD CONSTRAINT "Purchase_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- DropIndex
DROP INDEX "Order_user_id_total_idx";

-- CreateIndex
CREATE INDEX "Purchase_user_id_idx" ON "Purchase"("user_id");
