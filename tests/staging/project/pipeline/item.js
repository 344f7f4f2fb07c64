// One line of a seed file, taken apart.

/** The six fields of an item; `fields` is how many of them are there. */
export function parse(raw) {
  const parts = raw.split("|").map((text) => text.trim() || null);
  const [name, city, latitude, longitude, energy, formality] = parts;
  const fields = parts.filter((part) => part !== null).length;
  return { name, city, latitude, longitude, energy, formality, fields };
}

/** What identifies a place to people: its name and city. */
export function slug({ name, city }) {
  const plain = `${name} ${city}`.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}
