// Run once, by the image, on an empty database: the product's user may read and write its database and no other.
db.getSiblingDB("boxoffice").createUser({
  user: "boxoffice",
  pwd: process.env.BOXOFFICE_MONGODB_PASSWORD,
  roles: [{ role: "readWrite", db: "boxoffice" }],
});
