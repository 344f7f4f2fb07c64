-- AlterEnum
ALTER TYPE "PlaceStatus" ADD VALUE 'CLOSED';
