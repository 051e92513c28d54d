// What both clients share: the call to pay for, from the environment, and how it is reported.
// The devnet's dollar is in no public list of assets, so that a buyer must allow it by name.
import { ExactEvmScheme } from "@x402/evm";
import { privateKeyToAccount } from "viem/accounts";

const { URL: url, BODY: body, PAYER_KEY: key, NETWORK: network, ASSET: asset, CAP: cap } = process.env;

export const call = { url, body, headers: { "content-type": "application/json" } };
export const scheme = { network, client: new ExactEvmScheme(privateKeyToAccount(key)) };
export const spendControls = { allowedAssets: [{ network, asset, maxAmountPerPayment: cap }] };

export function report(status, body, settled, sent) {
  const settlement = settled ? JSON.parse(Buffer.from(settled, "base64").toString()) : null;
  console.log(JSON.stringify({ status, body, settlement, sent }));
}
