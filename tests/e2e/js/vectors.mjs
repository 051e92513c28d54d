// Recomputes every EIP-712 digest and signer of the shared vectors with viem, which shares no
// code with this project. Prints one line of JSON; exits with 1 at the first difference.
import { readFileSync } from 'node:fs';
import { hashTypedData, recoverAddress, hashDomain, getTypesForEIP712Domain } from 'viem';

const folder = process.argv[2];
const domain = { name: 'inferproof', version: '1' };
let digests = 0;
let signatures = 0;

function same(what, got, expected) {
  if (got !== expected) {
    console.error(`${what}: got ${got}, the vector says ${expected}`);
    process.exit(1);
  }
}

// In a document an absent value is null; in its struct it is the zero of its type.
function filled(types, name, value) {
  const out = {};
  for (const field of types[name]) {
    const got = value[field.name];
    if (got === null && field.name === 'logIndex') out[field.name] = 2n ** 64n - 1n;
    else if (got === null) out[field.name] = field.type === 'bytes32' ? `0x${'00'.repeat(32)}` : 0;
    else if (types[field.type]) out[field.name] = filled(types, field.type, got);
    else out[field.name] = got;
  }
  return out;
}

for (const [file, list, field] of [
  ['statement', 'statements', 'statement'],
  ['quote', 'quotes', 'quote'],
  ['receipt', 'receipts', 'receipt'],
  ['transfer_claim', 'claims', 'claim'],
  ['transfer_receipt', 'receipts', 'receipt'],
  ['private_statement', 'statements', 'statement'],
  ['private_receipt', 'receipts', 'receipt'],
]) {
  const vector = JSON.parse(readFileSync(`${folder}/${file}.json`, 'utf8'));
  const types = { ...vector.types, EIP712Domain: getTypesForEIP712Domain({ domain }) };
  same(`${file} domain`, hashDomain({ domain, types }), vector.domainSeparator);
  for (const item of vector[list]) {
    const digest = hashTypedData({
      domain,
      types: vector.types,
      primaryType: vector.primaryType,
      message: filled(vector.types, vector.primaryType, item[field]),
    });
    same(`${file}, ${item.description}`, digest, item.digest);
    digests += 1;
    if (item.signature) {
      const signer = await recoverAddress({ hash: digest, signature: item.signature });
      same(`${file} signer`, signer.toLowerCase(), vector.key.address);
      signatures += 1;
    }
  }
}
console.log(JSON.stringify({ digests, signatures }));
