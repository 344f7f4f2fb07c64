-- AlterTable
ALTER TABLE "User" ADD COLUMN     "active" BOOLEAN NOT NULL DEFAULT true,
ADD COLUMN     "age" INTEGER,
ADD COLUMN     "seen_at" TIMESTAMPTZ(6),
ALTER COLUMN "name" SET DEFAULT 'nobody';

-- AlterTable
ALTER TABLE "Order" ALTER COLUMN "total" SET DATA TYPE DECIMAL(12,2),
ALTER COLUMN "notes" DROP DEFAULT;

-- AlterTable
ALTER TABLE "Order" ADD CONSTRAINT "Order_total_check" CHECK ("total" >= 0);
