-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "billing";

-- CreateEnum
CREATE TYPE "billing"."Status" AS ENUM ('DRAFT', 'SENT');

-- CreateTable
CREATE TABLE "billing"."User" (
    "id" UUID NOT NULL,
    "user_id" TEXT NOT NULL,
    "status" "billing"."Status" NOT NULL DEFAULT 'DRAFT',

    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "User_status_idx" ON "billing"."User"("status");

-- AddForeignKey
ALTER TABLE "billing"."User" ADD CONSTRAINT "User_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "public"."User"("id") ON DELETE CASCADE ON UPDATE CASCADE;
