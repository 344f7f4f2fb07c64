-- DropForeignKey
ALTER TABLE "billing"."User" DROP CONSTRAINT "User_user_id_fkey";

-- DropView
DROP VIEW "paying_users";

-- DropTrigger
DROP TRIGGER "User_touch" ON "User";
DROP FUNCTION touch_user();

-- AlterTable
ALTER TABLE "User" DROP COLUMN "age", DROP COLUMN "country", DROP COLUMN "json_table";

-- DropTable
DROP TABLE "billing"."User";

-- DropEnum
DROP TYPE "billing"."Status";
