// What is known of a show. A constant: looking it up is not part of the comparison.
const SHOW = { title: "Paper Satellites", hall: "Great Hall", priceCents: 1250 };

export function show(_showId) {
  return SHOW;
}
