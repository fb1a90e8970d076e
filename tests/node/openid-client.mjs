// A web app's part of a sign-up, played by the certified client from npm: discovery, PKCE, state, nonce.
// OPTIONS (JSON in the environment): issuer, client_id, client_secret, redirect_uri, scope, parameters (added to
// the request), push (send it by RFC 9126), token_parameters (added at redemption).
// Prints {"authorization_url": …}, reads one line with the URL that the browser came back to, and prints
// {"tokens": …, "claims": …}, or {"error": …}.
import { createInterface } from 'node:readline/promises';
import * as client from 'openid-client';

const options = JSON.parse(process.env.OPTIONS);
const say = (value) => console.log(JSON.stringify(value));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

try {
  const config = await client.discovery(
    new URL(options.issuer),
    options.client_id,
    options.client_secret,
    undefined,
    { execute: [client.allowInsecureRequests] }, // http on loopback; nothing else is loosened
  );
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const parameters = {
    redirect_uri: options.redirect_uri,
    scope: options.scope ?? 'openid profile email',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...options.parameters,
  };
  const url = options.push
    ? await client.buildAuthorizationUrlWithPAR(config, parameters)
    : client.buildAuthorizationUrl(config, parameters);
  say({ authorization_url: url.href });

  const back = new URL((await lines.next()).value);
  const tokens = await client.authorizationCodeGrant(
    config,
    back,
    { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
    options.token_parameters,
  );
  const claims = tokens.claims();
  const userinfo = options.userinfo
    ? await client.fetchUserInfo(config, tokens.access_token, claims.sub)
    : undefined;
  say({ tokens, claims, userinfo });
} catch (error) {
  const { name, code, error: oauth, error_description: description, cause } = error;
  say({ error: { name, code, oauth, description, message: error.message, cause: cause?.message ?? cause } });
}
process.exit(0);
