// Pays with @x402/fetch as it is published, from a page of another origin than the gateway's, and
// reports to the page's own server what the browser let it see.
import { wrapFetchWithPaymentFromConfig } from "@x402/fetch";
import { ExactEvmScheme } from "@x402/evm";
import { privateKeyToAccount } from "viem/accounts";

const { url, body, key, network, asset, cap } = globalThis.call;
const report = value => fetch("/report", { method: "POST", body: JSON.stringify(value) });

try {
  const pay = wrapFetchWithPaymentFromConfig(fetch.bind(globalThis), {
    schemes: [{ network, client: new ExactEvmScheme(privateKeyToAccount(key)) }],
    spendControls: { allowedAssets: [{ network, asset, maxAmountPerPayment: cap }] },
  });
  const response = await pay(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  const settled = response.headers.get("PAYMENT-RESPONSE");
  await report({
    origin: location.origin,
    status: response.status,
    body: await response.json(),
    settlement: settled === null ? null : JSON.parse(atob(settled)),
  });
} catch (error) {
  await report({ origin: location.origin, status: 0, error: String(error) });
}
