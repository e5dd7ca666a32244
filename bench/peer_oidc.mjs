// A peer of the console: node oidc-provider, two processes that keep everything in memory. Run by bench/servers.py.
import cluster from "node:cluster";
import { Provider } from "oidc-provider";

const port = Number(process.env.PORT);
const TOKENS = 16;

class Memory {
  static rows = new Map();
  constructor(name) { this.name = name; }
  key(id) { return `${this.name}:${id}`; }
  async upsert(id, payload) { Memory.rows.set(this.key(id), payload); }
  async find(id) { return Memory.rows.get(this.key(id)); }
  async findByUserCode() { return undefined; }
  async findByUid() { return undefined; }
  async consume() {}
  async destroy(id) { Memory.rows.delete(this.key(id)); }
  async revokeByGrantId() {}
}

if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
  process.on("SIGTERM", () => { for (const each of Object.values(cluster.workers)) each.kill(); process.exit(0); });
} else {
  const client = {
    client_id: "bench", client_secret: "bench-secret", redirect_uris: ["https://client.example/"],
    grant_types: ["authorization_code", "refresh_token"], token_endpoint_auth_method: "client_secret_post",
  };
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    adapter: Memory,
    clients: [client],
    cookies: { keys: ["bench"] },
    features: { introspection: { enabled: true }, devInteractions: { enabled: false } },
    findAccount: async (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    rotateRefreshToken: false,
    ttl: { AccessToken: 3600, Grant: 86_400, RefreshToken: 86_400 },
    scopes: ["read", "offline_access"],
  });
  const found = await provider.Client.find("bench");
  const grant = new provider.Grant({ jti: "g".repeat(43), accountId: "asha", clientId: "bench" });
  grant.addOIDCScope("read offline_access");
  await grant.save(86_400);
  const base = { accountId: "asha", client: found, grantId: grant.jti, scope: "read offline_access", gty: "authorization_code" };
  for (let number = 0; number < TOKENS; number += 1) {
    const id = String(number).padStart(43, "0");
    const refresh = new provider.RefreshToken({ ...base, jti: id });
    await refresh.save(86_400);
    const access = new provider.AccessToken({ ...base, jti: id });
    access.format = "opaque";
    await access.save(86_400);
  }
  provider.listen(port, "127.0.0.1");
}
