-- AlterTable
ALTER TABLE "places" ADD COLUMN     "latitude" DECIMAL(9,6),
ADD COLUMN     "longitude" DECIMAL(9,6);

-- CreateIndex
CREATE INDEX "places_city_status_idx" ON "places"("city", "status");
