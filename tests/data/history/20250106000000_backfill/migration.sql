-- AlterTable
ALTER TABLE "User" ADD COLUMN "handle" TEXT;

UPDATE "User" SET "handle" = lower("email") WHERE "handle" IS NULL;

-- AlterTable
ALTER TABLE "User" ALTER COLUMN "handle" SET NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX "User_handle_key" ON "User"("handle");
