-- AlterTable
ALTER TABLE "User" DROP COLUMN "country";

-- AlterTable
ALTER TABLE "User" ADD COLUMN "country" TEXT NOT NULL DEFAULT 'AT';

-- AlterTable
ALTER TABLE "User" ALTER COLUMN "country" DROP DEFAULT;
