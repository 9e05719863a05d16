// What the environment says.
export const AMQP_URL = needed("PEER_AMQP_URL");
export const MYSQL_URL = needed("PEER_MYSQL_URL");
export const HTTP_PORT = Number(process.env.PEER_HTTP_PORT ?? "8000");

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
