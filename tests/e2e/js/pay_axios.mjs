// Pays with @x402/axios as it is published, and prints what came back.
import axios from "axios";
import { wrapAxiosWithPaymentFromConfig } from "@x402/axios";
import { call, report, scheme, spendControls } from "./common.mjs";

const sent = [];
const api = axios.create();
api.interceptors.request.use(config => {
  sent.push(config.headers.get("PAYMENT-SIGNATURE") ?? null);
  return config;
});
wrapAxiosWithPaymentFromConfig(api, { schemes: [scheme], spendControls });
const response = await api
  .post(call.url, call.body, { headers: call.headers, transformRequest: data => data })
  .catch(error => {
    if (!error.response) throw error;
    return error.response;
  });
report(response.status, response.data, response.headers["payment-response"], sent);
