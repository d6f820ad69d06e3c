// An OpenID Connect provider for tests: `oidc-provider`, with keys that the test names.
//
// Environment: NODE_DIR (where node_modules is), ISSUER, KEYS (a directory of key files), SIGN (key names by commas, the
// first one signs; each is made when it is new), TTL (seconds of an access token), REDIRECT (where the pages are).
import { createRequire } from 'node:module';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const env = process.env;
const found = createRequire(join(env.NODE_DIR, 'package.json')).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(found));

// `rs-…`, `es-…` and `ed-…`: the kind is in the name.
const kinds = {
  rs: ['RS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  es: ['ES256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ed: ['EdDSA', () => generateKeyPairSync('ed25519')],
};
const key = (name) => {
  const file = join(env.KEYS, `${name}.json`);
  const [alg, make] = kinds[name.slice(0, 2)];
  if (!existsSync(file)) {
    const jwk = make().privateKey.export({ format: 'jwk' });
    writeFileSync(file, JSON.stringify({ ...jwk, kid: name, use: 'sig', alg }));
  }
  return JSON.parse(readFileSync(file, 'utf8'));
};
const keys = env.SIGN.split(',').map(key);
const alg = keys[0].alg;

const client = (client_id, more) => ({
  client_id, client_secret: 'swordfish', id_token_signed_response_alg: alg, redirect_uris: [], response_types: [],
  grant_types: ['client_credentials'], ...more,
});
const claims = {
  deployer: { organization: 'acme', environment: 'prod', roles: ['sovereign-provisioner'] },
  root: { roles: ['pdm-admin'] },
  nobody: { organization: 'acme', roles: ['something-else'] },
};

const provider = new Provider(env.ISSUER, {
  jwks: { keys },
  cookies: { keys: ['tests'] },
  clients: [
    ...Object.keys(claims).map((id) => client(id)),
    client('pages', {
      redirect_uris: [env.REDIRECT], response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'],
    }),
  ],
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'pdm', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: Number(env.TTL), jwt: { sign: { alg } },
      }),
    },
  },
  extraTokenClaims: (ctx, token) => claims[token.clientId === 'pages' ? 'deployer' : token.clientId],
  findAccount: (ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  issueRefreshToken: () => true,
  pkce: { required: () => true },
  interactions: { url: (ctx, { uid }) => `/signed-in/${uid}` },
  // Whoever asks for our pages may have them.
  loadExistingGrant: async (ctx) => {
    const grant = new provider.Grant({ accountId: ctx.oidc.session.accountId, clientId: ctx.oidc.client.clientId });
    grant.addOIDCScope('openid offline_access');
    for (const resource of [ctx.oidc.params.resource].flat().filter(Boolean)) grant.addResourceScope(resource, 'pdm');
    await grant.save();
    return grant;
  },
  ttl: { Session: 600, Interaction: 600, Grant: 600 },
});

// The page where jane would type her password.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/signed-in/')) return next();
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'jane' }, consent: {} });
  ctx.respond = false;
});

const { hostname, port } = new URL(env.ISSUER);
provider.listen(Number(port), hostname);
