-- CreateTable
CREATE TABLE "Country" (
    "code" CHAR(2) NOT NULL,
    "name" VARCHAR(80) NOT NULL,

    CONSTRAINT "Country_pkey" PRIMARY KEY ("code")
);

INSERT INTO "Country" ("code", "name") VALUES ('AT', 'Austria'), ('CH', 'Switzerland');

-- AlterTable
ALTER TABLE "User" ADD COLUMN "country" CHAR(2);

-- AddForeignKey
ALTER TABLE "User" ADD CONSTRAINT "User_country_fkey" FOREIGN KEY ("country") REFERENCES "Country"("code") ON DELETE SET NULL ON UPDATE CASCADE;
