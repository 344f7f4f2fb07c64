-- AlterTable
ALTER TABLE "places" ADD COLUMN     "energy" INTEGER,
ADD COLUMN     "formality" INTEGER,
ADD COLUMN     "scored_at" TIMESTAMP(3);

-- Both scales run from 1 to 5.
ALTER TABLE "places" ADD CONSTRAINT "places_energy_check" CHECK ("energy" BETWEEN 1 AND 5);
ALTER TABLE "places" ADD CONSTRAINT "places_formality_check" CHECK ("formality" BETWEEN 1 AND 5);

-- CreateIndex
CREATE INDEX "places_energy_formality_idx" ON "places"("energy", "formality");
