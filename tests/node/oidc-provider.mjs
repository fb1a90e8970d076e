// The certified provider from npm on 127.0.0.1 and any free port: any login signs in, and is the subject.
// OPTIONS (JSON in the environment): clients, accessTokenTtl, refreshTokenTtl (seconds), rotate, requirePar.
// Prints {"issuer": …} once it listens, and ends when its standard input does.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const options = JSON.parse(process.env.OPTIONS ?? '{}');
const server = createServer();
server.listen(options.port ?? 0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const key = { ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256', kid: randomBytes(6).toString('hex') };

function account(id) {
  return {
    accountId: id,
    claims: () => ({
      sub: id,
      name: `${id[0].toUpperCase()}${id.slice(1)} Example`,
      given_name: id,
      family_name: 'Example',
      email: `${id}@people.example`,
      email_verified: true,
      ...options.accounts?.[id],
    }),
  };
}

const provider = new Provider(issuer, {
  clients: options.clients ?? [],
  jwks: { keys: [key] },
  cookies: { keys: [randomBytes(24).toString('hex')] },
  findAccount: (_ctx, id) => account(id),
  claims: {
    openid: ['sub'],
    profile: ['name', 'given_name', 'family_name'],
    email: ['email', 'email_verified'],
  },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  features: {
    devInteractions: { enabled: true },
    pushedAuthorizationRequests: {
      enabled: true,
      requirePushedAuthorizationRequests: Boolean(options.requirePar),
    },
    dPoP: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    registration: { enabled: true },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: true },
  },
  pkce: { required: () => true },
  rotateRefreshToken: () => options.rotate ?? true,
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: () => false,
  ttl: {
    AccessToken: () => options.accessTokenTtl ?? 3600,
    AuthorizationCode: () => 60,
    Grant: () => 14 * 86400,
    IdToken: () => 600,
    Interaction: () => 600,
    RefreshToken: () => options.refreshTokenTtl ?? 14 * 86400,
    Session: () => 86400,
  },
});
provider.on('server_error', (_ctx, error) => console.error(error));
server.on('request', provider.callback());

process.stdin.on('end', () => process.exit(0)).resume();
console.log(JSON.stringify({ issuer }));
