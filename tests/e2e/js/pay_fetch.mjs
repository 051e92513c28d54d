// Pays with @x402/fetch as it is published, and prints what came back.
import { wrapFetchWithPaymentFromConfig } from "@x402/fetch";
import { call, report, scheme, spendControls } from "./common.mjs";

const sent = [];
const watched = async (input, init) => {
  const request = new Request(input, init);
  sent.push(request.headers.get("PAYMENT-SIGNATURE"));
  return fetch(request);
};
const pay = wrapFetchWithPaymentFromConfig(watched, { schemes: [scheme], spendControls });
const response = await pay(call.url, { method: "POST", body: call.body, headers: call.headers });
report(response.status, await response.json(), response.headers.get("PAYMENT-RESPONSE"), sent);
