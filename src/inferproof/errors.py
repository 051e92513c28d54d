"""Everything that can go wrong, as one tree of exceptions and one catalogue of reasons.

    InferproofError             base; carries a Reason and the facts behind it
    ├── Rejection               what was handed in is at fault; trying again changes nothing
    │   ├── ModelRejected       a model file or model card
    │   ├── InputRejected       an input to a model
    │   ├── ArtifactRejected    a compiled model on disk
    │   ├── ProofRejected       a proof or the statement it carries
    │   ├── ReceiptRejected     a receipt
    │   ├── PaymentRejected     an authorization to move funds
    │   ├── RequestRejected     any other request: a quote, a submission, a filter
    │   └── PolicyRejected      the caller's own limits: price, budget, payee, trust
    ├── NotFound                the named thing is not here
    ├── Conflict                it contradicts something already recorded
    ├── Unavailable             cannot be done now; the same call may succeed later
    │   └── TooMany             because this caller did too much; it says when
    ├── MissingPart             a tool or library is not installed; says how to get it
    └── Misconfigured           settings contradict the world (chain, token, keys)

A message is always the reason's template filled with facts, so one code has one wording
and a test can state it exactly. `code` is what goes over the wire; it never changes once
released. Templates say what is wrong and, where there is one, the way to mend it.
"""

import re
from enum import Enum, unique


@unique
class Reason(Enum):
    """Why something was refused. The name is the stable code, the value the message."""

    # -- model files (models/) -------------------------------------------------------------
    MODEL_TOO_LARGE = "the model file is {size} bytes, the limit is {limit}"
    MODEL_NOT_FOUND = "there is no model file at {path}"
    MODEL_NOT_A_FILE = "{path} is not a regular file"
    MODEL_UNREADABLE = "the model file cannot be read: {why}"
    MODEL_MALFORMED = "the file is not a whole ONNX model: {why}"
    MODEL_NESTED_TOO_DEEP = "the model nests messages more than {limit} levels deep"
    MODEL_TOO_MANY = "the model holds more than {limit} {what}"
    MODEL_NAME_TOO_LONG = "a name in the model is {size} bytes long, the limit is {limit}"
    MODEL_ATTRIBUTE_TOO_LONG = (
        "attribute {attribute} of operator {op} holds {size} bytes, the limit is {limit}"
    )
    MODEL_INVALID = "the ONNX checker refuses operator {op}: {why}"
    MODEL_OPSET_UNSUPPORTED = (
        "the model is written for ONNX opset {opset}; opsets {oldest} to {newest} are supported, "
        "onnx.version_converter brings it there"
    )
    MODEL_OPSET_NOT_CONVERTED = (
        "the model is written for ONNX opset {opset} and cannot be brought to opset {target}: {why}"
    )
    MODEL_UNKNOWN_DOMAIN = (
        "operator {op} is of the domain {domain}, which is not accepted; {instead}"
    )
    MODEL_UNKNOWN_OPERATOR = "ONNX opset {opset} has no operator {op}"
    MODEL_OPERATOR_REFUSED = "operator {op} is not accepted: {why}"
    MODEL_FUNCTION_REFUSED = (
        "function {function} of the model cannot be written out where it is called: {why}"
    )
    MODEL_HAS_TRAINING_INFO = "the model carries training steps; export it for inference only"
    MODEL_HAS_SUBGRAPH = "operator {op} carries a graph of its own; only flat graphs are accepted"
    MODEL_NOT_UNROLLED = (
        "operator {op}, which makes {name}, cannot be written out: its {what} depends on the "
        "model's input; {way}"
    )
    MODEL_UNROLLED_TOO_LONG = (
        "operator {op}, which makes {name}, takes the model beyond {limit} nodes when its steps "
        "are written out; export it for fewer steps"
    )
    MODEL_SPARSE_TENSOR = "tensor {name} is stored sparse; store it dense"
    MODEL_STRING_TENSOR = "tensor {name} holds strings; turn text into numbers before the model"
    MODEL_TEXT_REFUSED = "operator {op}, which makes {name}, {why}; {instead}"
    MODEL_TEXT_TOO_MANY = (
        "operator {op}, which makes {name}, has a table of {count} entries; the limit is {limit}"
    )
    MODEL_TEXTS_UNDECLARED = (
        "the model turns texts into numbers itself, and the card declares the pre-processing "
        "{kind}; declare kind features with the model's file: "
        '{{ kind = "features", model = "model.onnx" }}'
    )
    MODEL_TEXTS_KEPT = (
        "the model has texts at its edges, which are kept beside the graph and which a file of "
        "the graph alone would lack; compile the file as it is"
    )
    MODEL_LABELS = "output {name} of shape {shape} has {count} labels for its columns"
    MODEL_DTYPE_UNSUPPORTED = (
        "tensor {name} has the element type {dtype}; accepted are floats of 16, 32 and 64 bits, "
        "whole numbers of 8 to 64 bits and booleans, and such of 4 bits where DequantizeLinear "
        "reads them"
    )
    MODEL_NOT_A_TENSOR = "{name} is not declared as a tensor with a shape"
    MODEL_DYNAMIC_DIM = "the model leaves axes open: {axes}; give each a size: {options}"
    MODEL_AXIS_UNKNOWN = "the model leaves no axis {name} open; its open axes are: {known}"
    MODEL_BAD_SHAPE = "tensor {name} has the shape {shape}; sizes must be positive"
    MODEL_RANK_TOO_HIGH = "tensor {name} has {rank} dimensions, the limit is {limit}"
    MODEL_TENSOR_TOO_LARGE = "tensor {name} would hold {elements} elements, the limit is {limit}"
    MODEL_WEIGHTS_TOO_LARGE = "the model's weights take {size} bytes, the limit is {limit}"
    MODEL_ACTIVATIONS_TOO_LARGE = (
        "one run of the model computes more than {limit} intermediate elements"
    )
    MODEL_SCRATCH_TOO_LARGE = (
        "operator {op} would need a buffer of {elements} elements, the limit is {limit}"
    )
    MODEL_TOO_MUCH_WORK = "one run of the model takes more than {limit} multiply-adds"
    MODEL_TENSOR_DATA_MISMATCH = (
        "tensor {name} has the shape {shape}, but its data is for {got} elements"
    )
    MODEL_NOT_FINITE = (
        "{where} holds {what}; what is proven is finite: store a number instead, and leave out the "
        "step that fills in missing values, which no input has"
    )
    MODEL_SIZE_OPERAND = "operator {op} is given the size {value}, the limit is {limit}"
    MODEL_SHAPE_UNKNOWN = (
        "the shape of tensor {name}, made by operator {op}, is not known before the model runs"
    )
    MODEL_SHAPES_DISAGREE = "the inputs of operator {op} do not fit together: {why}"
    MODEL_OUTPUT_MISDECLARED = (
        "output {name} is declared as {declared}, but the graph computes {computed}, and runtimes "
        "refuse another type; declare the computed one, or cast to the declared one"
    )
    MODEL_TREE_TOO_DEEP = (
        "a tree of operator {op} has more than {limit} levels or leads in a circle; train it with "
        "a bound on its depth"
    )
    MODEL_DUPLICATE_NAME = "the name {name} is defined twice"
    MODEL_UNDEFINED_NAME = "the graph uses {name}, which nothing defines"
    MODEL_CYCLE = "the graph runs in a circle through operator {op}"
    MODEL_NO_INPUT = (
        "the graph has no input, so that its output is always the same; export it with the values "
        "that vary as inputs"
    )
    MODEL_NO_OUTPUT = "the graph has no output"
    MODEL_OUTPUT_NOT_COMPUTED = "output {name} does not depend on any input"
    MODEL_OUTPUT_UNKNOWN = "the model has no output {name}; its outputs are: {known}"
    MODEL_EXTERNAL_DATA_ESCAPES = (
        "tensor {name} keeps its data at {location}; external data must be a plain file "
        "below the model's own folder"
    )
    MODEL_EXTERNAL_DATA_MISSING = "tensor {name} keeps its data in {location}, which is not there"
    MODEL_EXTERNAL_DATA_MALFORMED = "the external data of tensor {name} is malformed: {why}"
    MODEL_EXTERNAL_DATA_TOO_LARGE = (
        "the model's external data takes {size} bytes, the limit is {limit}"
    )
    MODEL_PARSE_TIMEOUT = (
        "reading or running the model took longer than {seconds} seconds; it was stopped"
    )
    MODEL_PARSE_MEMORY = (
        "reading or running the model took more than {limit} bytes of memory; it was stopped"
    )
    MODEL_PARSER_CRASHED = "the process that reads or runs the model stopped unexpectedly ({how})"
    MODEL_NOT_RUNNABLE = "ONNX Runtime cannot run the model: {why}"

    EXPORT_REFUSED = "{library} or its exporter to ONNX refuses the model: {why}"
    IMPORT_RUNS_CODE = (
        "{path} is a file of {library} that runs whatever code it holds as soon as it is opened; "
        "give --trust-pickle if you or somebody you trust made it, or export the model to ONNX "
        "where it was made"
    )
    IMPORT_SAMPLE = (
        "the sample must be rows of numbers, one array of [rows, features], or for PyTorch one "
        "array for each argument with the samples first; {why}"
    )
    IMPORT_DIFFERS = (
        "the exported model is another function than the one of {library}: {share} of the "
        "sample's rows have other outputs, by up to {difference}; update library and exporter, or "
        "report it to the exporter"
    )

    # -- values and encodings (types/, protocol/) -------------------------------------------
    DIGEST_MALFORMED = "{got} is not a digest; a digest is 0x and 64 lower-case hex digits"
    ADDRESS_MALFORMED = "{got} is not an address; an address is 0x and 40 hex digits"
    NETWORK_MALFORMED = "{got} is not an EVM network in CAIP-2 form, such as eip155:8453"
    AMOUNT_MALFORMED = "{got} is not an amount; write digits with at most {decimals} decimals"
    AMOUNT_OUT_OF_RANGE = "{got} is not an amount of atomic units between 0 and 2^256 - 1"
    JSON_TOO_LARGE = "the document is {size} bytes, the limit is {limit}"
    JSON_NOT_CANONICAL = "the document is not canonical JSON"
    FIELD_MALFORMED = "field {field} of the {document} is malformed"
    KEY_MALFORMED = "the private key is not 64 hex digits of a valid secp256k1 key"
    SIGNATURE_MALFORMED = "the signature is not 65 bytes of r, s and v with a low s"

    # -- inputs (types/, inference/) ---------------------------------------------------------
    INPUT_BODY_MALFORMED = 'the request body is not JSON of the form {{"input": ...}}'
    INPUT_NOT_TEXT = "{path} is not UTF-8 text"
    INPUT_NOT_FINITE = "input {name} holds a NaN or an infinity"
    INPUT_NOT_JSON = "the input cannot be sent as JSON: {why}"

    # -- running a model (inference/session.py) ----------------------------------------------
    INPUT_RUN_FAILED = "the model fails on this input: {why}"
    OUTPUT_NOT_FINITE = (
        "for this input the model's output {name} holds NaN or infinity; "
        "give it values of the size that it was trained on"
    )

    # -- model cards (models/card.py, inference/preprocess/) ---------------------------------
    CARD_NO_CALIBRATION = (
        "the card of {model} names no calibration file; compiling needs samples: "
        "add calibration to its [files], or say from where to draw them with --range low:high"
    )
    LABELS_MALFORMED = "labels are whole numbers, one a sample; here they are {dtype} {shape}"
    CARD_UNREADABLE = "the model card file {file} cannot be read: {problem}"
    CARD_TOO_LARGE = "the model card file {file} is {size} bytes, the limit is {limit}"
    CARD_UNKNOWN_KEY = "the model card has the unknown key {key}; the keys here are: {known}"
    CARD_MISSING_KEY = "the model card lacks the key {key}"
    CARD_BAD_VALUE = "the model card's {key} is wrong: {problem}"
    CARD_LABELS = (
        "the model itself names what is in output {name}: {labels}; write these as the card's "
        "output.labels"
    )
    CARD_PATH_ESCAPES = (
        "the model card's {key} leads out of its folder; name a file that lies beside the card"
    )

    # -- raw inputs (inference/preprocess/) --------------------------------------------------
    INPUT_TYPE_MISMATCH = "input {name} must be {expected}, got {got}"
    INPUT_MISSING_FIELD = "the input lacks the field {field}"
    INPUT_UNKNOWN_FIELD = "the input has the unknown field {field}; the fields are: {known}"
    INPUT_OUT_OF_RANGE = (
        "input {name} is {value}; this model accepts {minimum} to {maximum}, {unit}"
    )
    INPUT_UNKNOWN_CATEGORY = "{value!r} is none of the categories that the model takes: {known}"
    INPUT_TOO_LARGE = "input {name} is {size} bytes, the limit is {limit}"
    INPUT_SHAPE_MISMATCH = "input {name} has shape {got}; this model takes {expected}"
    INPUT_EMPTY_TEXT = "the text holds no word; words are runs of letters a-z and digits"
    INPUT_NO_KNOWN_WORD = (
        "{known} of the text's words are known to this model, it needs {needed}; "
        "give it a text in the language and on the subject it was trained for"
    )

    # -- documents, proofs, compiled models (protocol/, verify/) ------------------------------
    DOCUMENT_FORMAT = "the file is {got}, expected {expected}"
    DOCUMENT_CHECKSUM = "the checksum of the {format} file does not match its content"
    ARTIFACT_DIGEST_MISMATCH = "the {part} of the compiled model does not have the digest it states"
    PROOF_OTHER_MODEL = "the proof is for model {got}, not for {expected}"
    PROOF_OTHER_SYSTEM = "the proof is of system {got}, the model was compiled for {expected}"
    PROOF_OTHER_VERSION = (
        "the model was compiled for {system} {got}, what checks its proofs here is {expected}"
    )
    PROOF_OUTPUTS_SHAPE = "the outputs in the proof are not those that the model declares"
    PROOF_OUTPUT_COMMITMENT = "the outputs do not have the output commitment of the statement"
    PROOF_INPUTS_SHAPE = "the inputs in the proof are not those that the model declares"
    PROOF_INPUT_COMMITMENT = "the input does not have the input commitment of the statement"
    PROOF_INPUT_VISIBILITY = "the model was compiled for {expected} input, the proof shows another"
    PROOF_INPUT_SHOWN = (
        "the proof is not about a private input: what it shows of the input, it shows to everyone, "
        "and there is no opening of it"
    )
    PROOF_OTHER_OPENING = (
        "the opening is for the input of job {got}, and does not belong to this proof of job "
        "{expected}"
    )
    PROOF_OTHER_INPUT = (
        "this input does not have the root that the statement names: the proof is about another "
        "input, or the opening holds another secret"
    )
    PROOF_INVALID = "the proof does not hold for its statement"

    # -- proof systems and compiled models (proving/) ------------------------------------------
    MODEL_OPERATOR_UNSUPPORTED = (
        "node {node} uses the operator {operator}, which proof system {system} cannot prove; "
        "{instead}"
    )
    CIRCUIT_REFUSED = "proof system {system} cannot build a circuit of this model: {why}"
    CIRCUIT_SCALAR_INPUT = (
        "input {name} is a single number without a dimension; give it the shape [1] to hash it"
    )
    CIRCUIT_INACCURATE = (
        "no quantisation within reach keeps the error below {bound} of the largest output; "
        "the best reached {best}; scale the model's values down or allow a larger error"
    )
    CIRCUIT_TOO_LARGE = "the circuit needs 2^{need} rows; at most 2^{limit} are supported"
    CALIBRATION_INPUTS = "calibration data must hold one array for each of: {expected}"
    CALIBRATION_SHAPE = "calibration array {name} has shape {got}, expected {expected}"
    CALIBRATION_EMPTY = "calibration data must hold at least one sample, of equal number per input"
    CALIBRATION_WANTED = (
        "compiling needs inputs like those that will be sent: give --calibration with an .npz of "
        "{arrays}, made for example by {example}, or say from where to draw them with "
        "--range low:high"
    )
    RANGE_MALFORMED = (
        "the range {range} is not one of an input: {why}; write low:high or name=low:high"
    )
    INPUT_NAMES = "the input must hold one array for each of: {expected}"
    INPUT_NO_VARIANT = "no model in {path} takes {got}; {known}"
    INPUT_SEVERAL_VARIANTS = "several models in {path} take this input, name one of them: {known}"
    INPUT_NOT_WHOLE = "input {name} takes whole numbers; it holds a fraction"
    INPUT_BEYOND_RANGE = (
        "{count} of the input's values lie beyond the range that the model was calibrated for, and "
        "its card refuses such inputs"
    )
    INPUT_BEYOND_CIRCUIT = (
        "the input drives the model out of the range it was calibrated for; "
        "calibrate with samples like it"
    )
    ARTIFACT_NOT_FOUND = "there is no compiled model in {path}"
    ARTIFACT_EXISTS = "{path} exists and is not a compiled model; name another folder"
    ARTIFACT_HOLDS_MODEL = (
        "{path} is a compiled model; name another folder for those of several sizes"
    )
    ARTIFACT_FILE = "file {file} of the compiled model is missing or cannot be read"
    ARTIFACT_OTHER_SYSTEM = "the compiled model is for proof system {got}, not for {expected}"
    ARTIFACT_OTHER_VERSION = (
        "the compiled model is for {system} {got}, this is {expected}; compile it again"
    )
    ARTIFACT_SETTINGS = "the circuit's settings are not those of a sound circuit: {what}"
    KEY_TOO_COSTLY = (
        "the verifying key {what}, the limit is {limit}: checking a proof under it would take too "
        "much memory or time"
    )
    KEY_RANGES = (
        "nothing shows that the weights and parameters of the verifying key are in their ranges: "
        "{why}"
    )
    CHECK_TIME_LIMIT = (
        "checking under this verifier bundle took more than {seconds} seconds of processor time "
        "and was stopped"
    )
    CHECK_MEMORY_LIMIT = (
        "checking under this verifier bundle took more than {limit} bytes of memory and was stopped"
    )
    ARTIFACT_PARTS = "the compiled model's header and its verifier bundle name different models"
    PRIVATE_KEY_MISSING = (
        "the compiled model in {path} has no private-key.json that can be read, without which "
        "nothing is proven under its key; bring the file from where the model was compiled"
    )
    OPENING_MISSING = (
        "the compiled model in {path} holds no salts of its commitments: they stay where it was "
        "compiled, and models compiled before there were any have none"
    )
    OPENING_OTHER_MODEL = "the opening is of model {got}, not of {expected}"
    OPENING_WRONG = "the opening does not open the commitment to the model's {part}"
    OPENING_PARTIAL = "the opening keeps the {part} hidden; this takes one of graph and weights"
    OPENING_NO_KEY = (
        "the verifying key of the compiled model in {path} has no secret that could be opened; "
        "keys of proof system sumcheck alone have one"
    )
    AUDIT_DIFFERS = "compiled again, the model is not the published one: {differs} differ"
    AUDIT_GRAPH = "the graph of the file is not the one that the bundle's commitment opens to"
    AUDIT_WEIGHTS = "the weights of the file are not those that the bundle's commitment opens to"
    AUDIT_KEY_GRAPH = (
        "the verifying key shows another integer graph than the file compiles to; it has other "
        "{differs}"
    )
    AUDIT_KEY_TERMS = (
        "the verifying key is not one as the file compiles to: it has {got} and not {expected}"
    )
    AUDIT_KEY_LINKS = (
        "the links in the opening do not lead from the verifying key to its present commitment: "
        "{why}"
    )
    AUDIT_KEY_COMMITMENT = (
        "the weights of the file and the secret in the opening do not make the commitment under "
        "the verifying key"
    )
    COSTS_OTHER = (
        "the measured costs in {path} are of {got}, this is {expected}; measure again with: "
        "inferproof calibrate"
    )
    ARTIFACT_NOT_WRITTEN = "the compiled model cannot be written to {path}: {why}"
    SRS_UNREADABLE = "the SRS file {path} cannot be read: {why}"
    SRS_DIGEST = "the SRS file has the SHA-256 {got}, expected {expected}"
    SRS_WRONG_SIZE = (
        "the SRS file is for 2^{got} rows; this circuit takes one for exactly 2^{expected}"
    )
    PROOF_OUTPUTS_SCALE = "the outputs in the proof are not in the circuit's scale"
    PROOF_INPUT_RANGE = "input {name} in the proof is beyond what the circuit can hold"
    NPZ_MALFORMED = "{path} is not a readable .npz file of number arrays: {why}"
    FILE_UNREADABLE = "{path} cannot be read: {why}"
    FILE_TOO_LARGE = "{path} is larger than {limit} bytes"
    FILE_NOT_WRITTEN = "{path} cannot be written: {why}"
    SYSTEM_REFUSED = "the operating system refuses {path}: {why}"
    SYSTEM_UNKNOWN = "there is no proof system {name}; known are: {known}"
    SYSTEM_NONE = "no proof system takes the model: {why}"
    PROVER_TIME_LIMIT = "the prover did not finish within {seconds} seconds and was stopped"
    PROVER_CANCELLED = "the proof was cancelled"
    PROVER_CRASHED = "the prover process ended unexpectedly ({how}); the next call starts a new one"
    PROVER_FAILED = "the prover failed: {why}"
    PROVER_CLOSED = "the pool of prover processes is closed"
    PROVER_VERSION = "package {package} is of version {got}, this release works with {expected}"
    PROVER_ANSWER = "the prover program {program} answered {command} wrongly: {why}"
    PROVER_OUTPUT_TOO_LARGE = (
        "the prover program {program} wrote more than {limit} bytes to {command} and was stopped"
    )

    # -- integer graphs (proving/sumcheck/) --------------------------------------------------
    PRIVATE_INPUT_UNSUPPORTED = "the input cannot be private: {why}"
    VISIBILITY_UNSUPPORTED = (
        "proof system {system} shows its input; it cannot prove with {got} visibility, use public, "
        "or proof system ezkl"
    )
    SRS_UNUSED = (
        "proof system {system} has no trusted set-up and uses no SRS; leave it away, or name the "
        "proof system that it is for"
    )
    NO_CONTRACT_FOR_SYSTEM = (
        "no contract checks proofs of system {system} yet; leave the verifier contract away"
    )
    PRIVACY_NOT_ITEMISED = (
        "what the key shows is itemised for models of proof system sumcheck alone"
    )
    SECURITY_NOT_ITEMISED = (
        "proof system {system} has no itemised account of its soundness; sumcheck has one"
    )
    OPTION_UNUSED = (
        "proof system {system} finds {option} itself; leave the option away, or name the proof "
        "system that it is for: sumcheck"
    )
    OPTION_OUT_OF_RANGE = "{option} is {got}; it is a number from {least} to {most}"
    PROFILE_UNKNOWN = "there is no security profile {name}; known are: {known}"
    PROFILE_NO_CONTRACT = (
        "no contract can check proofs of this model, which the profile evm is for: {why}; leave "
        "--profile away"
    )
    MODEL_NOT_PROVABLE = (
        "proof system {system} cannot prove this model: {why}; change the model, or try proof "
        "system ezkl"
    )
    MODE_ENDED = (
        "the verifying key is of mode {mode}, which has ended, because the weights follow from "
        "its proofs: no release verifies them, and the last builds that do are those of "
        "0.1.0.dev0 from before {date}; compile the model again"
    )
    COMPILE_TIME_LIMIT = (
        "compiling the model took more than {seconds} seconds of processor time, which is the "
        "limit for one of its size; it was stopped; compile a part of it, or one with fewer nodes"
    )
    COMPILE_MEMORY_LIMIT = (
        "compiling the model took more than {limit} bytes of memory, which is the limit for one of "
        "its size; it was stopped; compile a part of it, or one with smaller tensors"
    )
    GRAPH_ENCODING = "the integer graph is not in its canonical encoding: {why}"
    GRAPH_COUNT = "the integer graph has {got} {what}; {least} to {most} are allowed"
    GRAPH_TENSOR = "{name} of the integer graph is malformed: {why}"
    GRAPH_NODE = "node {node} ({operator}) of the integer graph is malformed: {why}"
    GRAPH_OUTPUT = "the integer graph puts out tensor {tensor}, which it does not have"
    GRAPH_WEIGHT = (
        "the integer graph uses weight matrix {got} where {expected} is due; "
        "each is used by one node, in rising order"
    )

    # -- lowering to integers (proving/sumcheck/lower/, reference.py, quantisation.py) ---------
    LOWERING_UNSUPPORTED = (
        "node {node} ({operator}) has no form in whole numbers: {why}; supported is {instead}"
    )
    LOWERING_ROW = (
        "row {row} of the weights of node {node} ({operator}) can reach {reach} whatever the "
        "number of bits, the limit is {limit}; scale the row down, or split it in two"
    )
    LOWERING_OVERFLOW = (
        "node {node} ({operator}) can reach {reach} in whole numbers, the limit is 536870911; "
        "split its sum, or scale its operands down"
    )
    LOWERING_TENSOR = (
        "node {node} ({operator}) needs a tensor of the shape {shape}; at most {elements} "
        "elements and {rank} dimensions are supported"
    )
    LOWERING_NOT_FINITE = (
        "output {name} is not finite on the calibration data; calibrate where it is"
    )
    LOWERING_NODES = (
        "the model takes {got} steps in whole numbers, one proof may have {limit}; leave out "
        "layers, or steps of a loop or a recurrent layer"
    )

    # -- quotes, payments, jobs (protocol/) ---------------------------------------------------
    QUOTE_SIGNATURE = "the quote is not signed by gateway {gateway}"
    QUOTE_OTHER_MODEL = "the quote is for model {got}, not for {expected}"
    QUOTE_OTHER_REQUEST = "the quote is for another request"
    QUOTE_EXPIRED = (
        "the quote does not hold at {now}; it expires at {expires_at}; ask for a new one"
    )
    PAYMENT_SIGNATURE = "the authorization is not signed by its payer {payer}"
    PAYMENT_ASSET = "the payment is in {got}, the price is in {expected}"
    PAYMENT_PAYEE = "the payment goes to {got}, the payee is {expected}"
    PAYMENT_AMOUNT = "the payment is {got} {symbol}, the price is exactly {expected} {symbol}"
    PAYMENT_NOT_YET_VALID = "the authorization is valid after {valid_after}, it is {now}"
    PAYMENT_EXPIRED = (
        "the authorization ends at {valid_before}; at {now} it must last {margin} seconds longer"
    )
    PAYMENT_TOO_LONG = (
        "the authorization ends at {valid_before}, more than {longest} seconds after {now}; "
        "sign one that ends sooner"
    )
    JOB_TRANSITION_ILLEGAL = "a job that is {state} does not allow {transition}"

    # -- the chain (chain/, testing/devnet.py) -----------------------------------------------
    CHAIN_UNREACHABLE = (
        "the chain at {url} does not answer: {why}; check the address and that the node runs"
    )
    CHAIN_RPC_ERROR = "the chain at {url} refuses {method}: {why}"
    CHAIN_ID_MISMATCH = (
        "the chain at {url} has the id {got}, the settings say {expected}; point to the right node"
    )
    CHAIN_NO_CONTRACT = "there is no contract at {address} on chain {chain_id}"
    CHAIN_CALL_REVERTED = "the contract at {address} refuses {call}: {why}"
    CHAIN_BAD_ANSWER = "the contract at {address} answers {call} with {got} bytes, not {expected}"
    TX_NONCE_USED = (
        "the number of transaction {tx} is spent: it, or another one of its sender, is in a block"
    )
    TX_REFUSED = "the chain refuses the transaction: {why}"
    TX_NOT_MINED = "transaction {tx} is not in a block after {seconds} seconds"
    TX_NOT_STORED = "the outbox holds no transaction {tx}"
    CHAIN_CHANGED = "the block that held transaction {tx} was replaced while it was looked at"
    TX_NOT_CONFIRMED = "transaction {tx} is {got} blocks deep, {needed} are required"
    TX_REVERTED = "transaction {tx} was included in block {block} and reverted"
    TOKEN_DOMAIN_MISMATCH = (
        "token {token} does not sign as name {name!r}, version {version!r} on chain {chain_id}; "
        "set the EIP-712 name and version that the token has"
    )
    TOKEN_DECIMALS_MISMATCH = "token {token} has {got} decimals, the settings say {expected}"
    AUTHORIZATION_REFUSED = "the token refuses the authorization: {why}"
    AUTHORIZATION_SIGNATURE_FORM = "the signature is {size} bytes; r, s and v take 65"
    SETTLEMENT_NO_TRANSFER = (
        "transaction {tx} does not move {value} from {payer} to {payee} under nonce {nonce}"
    )
    BATCH_CODE_UNKNOWN = (
        "the code at {address} is not the {contract} that this version ships; deploy that one"
    )
    VKA_MALFORMED = "the verifying-key artifact is not a list of 32-byte words"
    VKA_NOT_REGISTERED = (
        "the verifier at {verifier} does not know the verifying key {digest}; register it first"
    )
    VKA_DIGEST_MISMATCH = "the verifier used the verifying key {got}, not {expected}"
    VERIFIER_CODE_UNKNOWN = (
        "the code at {verifier} is not the {contract} that this version ships; its word is worth "
        "nothing"
    )
    PROGRAM_NOT_STORED = (
        "the contract at {contract} does not hold the program {digest} of the model; store it with "
        "inferproof contract store"
    )
    NO_PROGRAM = (
        "no contract can check such proofs: {why}; leave the verifier contract away, or compile "
        "with --profile evm where that is what lacks"
    )
    PROOF_REFUSED_ON_CHAIN = "the verifier contract at {verifier} rejects the proof"
    PROOF_LENGTH_ON_CHAIN = "the proof is {got} bytes, this verifying key takes {expected}"
    PROOF_PUBLIC_VALUE_RANGE = "public value {index} of the proof is not a field element"
    DEPLOYMENT_NOT_FOUND = (
        "the file {path} names no deployment on {network}; run inferproof chain deploy first"
    )
    DEPLOYMENT_LACKS_CONTRACT = "the deployment on {network} names no contract {name}"
    DEPLOYMENT_MALFORMED = "the deployment file {path} is malformed: {why}"
    DEPLOYMENT_DIFFERS = "on {network}, {contract} is not what this release contains: {why}"
    DEPLOYER_MISSING = (
        "chain {chain_id} has no CREATE2 deployer at {address}; deploy it as "
        "github.com/Arachnid/deterministic-deployment-proxy says, and try again"
    )
    CONTRACT_ARTIFACT_MALFORMED = "the contract artifact {name} of this package is damaged: {why}"
    DEVNET_NOT_STARTED = "anvil did not start: {why}"
    DEVNET_FOLDER_BUSY = "another local chain uses the folder {path}; end it, or name another one"

    # -- orders in escrow (chain/escrow.py) --------------------------------------------------
    CALL_WITHOUT_ORDER = "the call of job {job} was not paid for by an order in an escrow"
    ORDER_TIMES = "the escrow would not take the order: {why}"
    ORDER_STATUS = "order {order} is {status}, and not {expected}"
    ORDER_UNKNOWN = "the escrow at {escrow} knows no order {order}"
    ORDER_TOO_EARLY = "order {order} can be refunded from {from_time} on, and it is {now}"
    ORDER_REFUSED = "the escrow refuses {call}: {why}"
    ESCROW_CODE_UNKNOWN = (
        "the code at {address} is not the {contract} that this version ships; name the escrow of "
        "this chain, or deploy one with inferproof chain deploy"
    )
    ESCROWS_CLOSED = "this gateway serves no orders of an escrow; sign an authorization"
    ORDER_HEADER_MALFORMED = "the Inferproof-Order header is not a signed order: {problem}"
    ORDER_SIGNATURE = "the order is not signed by its buyer {buyer}"
    ORDER_ESCROW = "the order is in the escrow {got}, this gateway serves those in {expected}"
    ORDER_PRICE = "the order locks {got} {symbol}, the price is {expected} {symbol}"
    ORDER_SERVER = "the order is for the server {chosen}, and not for {server}"
    ORDER_MODEL = "the order is of model {got}, the request is to {expected}"
    ORDER_PROVIDER = (
        "an order is paid to who proves it, {server}; the provider of this model is {provider}"
    )
    ORDER_INPUT = "the request is not what the order {order} is about: {why}"
    ORDER_LATE = (
        "order {order} leaves {left} seconds until {what}, and {needed} are needed; make another "
        "with later times"
    )
    ORDER_TAKEN = (
        "order {order} is served by {server} until {until}; send it again if it is late then"
    )
    ORDER_BOND = "the order's bond is {got} {symbol}, and this server stakes {limit} at most"
    ORDER_GAS = (
        "the order brings {earned} {symbol}, and {gas} gas to serve it is worth {cost} {symbol} now"
    )
    ORDER_KEY = (
        "contracts know the model {model} by another key than its bundle's, or by none; no "
        "delivery of an order would be paid"
    )
    ORDER_CANCEL = (
        "the job serves order {order}; take that back in its escrow, while nobody has accepted it"
    )
    ORDER_LOST = "order {order} is {status}, and this server has no part in it"
    ORDERS_NOT_SERVED = (
        "the job serves an order of an escrow, and this process is given none; set {name}"
    )
    ORDER_DELIVERY_UNKNOWN = "job {job} is none that is delivered on a chain"
    ORDER_DELIVERY_NOT_DUE = "the delivery of job {job} is {state}; it is not made again"
    ORDER_DELIVERY_LATE = (
        "order {order} could be delivered until {until}; its buyer is refunded, with the bond"
    )
    ORDER_NOT_TAKEN = (
        "transaction {tx} does not accept order {order} in escrow {escrow} for the server {server}"
    )

    # -- revenue (chain/payouts.py, services/revenue/, storage/sql/payouts.py) ------------------
    PAYOUTS_CODE_UNKNOWN = (
        "the code at {address} is not the {contract} that this version ships; name the contract of "
        "this chain, or deploy one with inferproof chain deploy"
    )
    PAYOUTS_NOT_SET = (
        "no contract makes payouts; deploy one with inferproof chain deploy, and set "
        "{name} to its address"
    )
    REVENUE_NOT_KEPT = "this server keeps no ledger of revenue"
    PAYOUT_UNKNOWN = "there is no payout {number}"
    PAYOUT_NOT_DUE = "payout {number} is {state}; only one that is due is sent"
    PAYOUT_NUMBER_TAKEN = (
        "payout {number} was made meanwhile by another command; look at inferproof revenue "
        "statement, and try again"
    )
    PAYOUT_ELSEWHERE = (
        "the contract {contract} has paid payout {number} of {payer} already, and not as this "
        "database says; it seems restored from an older copy: see docs/guide/revenue.md"
    )

    # -- the market (chain/market.py) ---------------------------------------------------------
    MARKET_ROLE = (
        "{sender} has no role {role} in the market at {market}; its administrator gives it with "
        "inferproof market grant"
    )
    MARKET_ADMIN_OTHER = (
        "the market at {market} is administrated by {admin}, not by {sender}; use that key"
    )
    MARKET_BOUND = "a {what} is from {least} to {most}, and not {got}"

    # -- models on chain (chain/model_registry.py) -------------------------------------------
    REGISTRY_CODE_UNKNOWN = (
        "the code at {address} is not the {contract} that this version ships; name the registry of "
        "this chain, or deploy one with inferproof chain deploy"
    )
    COMMITMENT_TAKEN = (
        "the commitment {commitment} is registered already, under the model {model} of {owner}; "
        "compile again for another commitment"
    )
    VERSION_NOT_REGISTERED = (
        "the registry at {registry} has no version {commitment}; register it first"
    )
    MODEL_NOT_REGISTERED = (
        "the registry at {registry} has no model {model}; a model is named by the commitment of "
        "its first version"
    )
    MODEL_OWNER_OTHER = (
        "the model {model} belongs to {owner}, not to {sender}; use the key of its owner"
    )
    MODEL_NOT_OFFERED = (
        "the model {model} is not offered to {sender}; its owner offers it with "
        "inferproof registry transfer"
    )
    VERSION_INACTIVE = (
        "the registry at {registry} has the version {commitment} switched off; its owner offers it "
        "with inferproof registry update"
    )
    VERSION_NO_PRICE = (
        "the registry at {registry} has no price of the version {commitment} in {symbol}, at "
        "{token}, which this gateway is paid in; its owner sets one with inferproof registry update"
    )
    VERSION_PRICE = (
        "the registry at {registry} has the price {price} of the version {commitment}, in atomic "
        "units; this gateway sells for 1 to {most}"
    )
    VERSION_OWNER_OTHER = (
        "the registry at {registry} has the version {commitment} as {owner}'s, who is not the "
        "submission's provider {provider}; its owner submits it, or hands the model on"
    )
    REGISTRY_SILENT = (
        "the registry of models at {registry} was not heard of for {limit} seconds, and nothing is "
        "sold by what it said before; nothing was charged, come back"
    )
    REGISTRY_OTHER_KEY = (
        "the registry names the verifying key {got} for {commitment}, that of the bundle is "
        "{expected}; do not buy by what the registry says"
    )
    REGISTRATION_TOO_LONG = "the {what} of a registration has {got} {unit}, the limit is {limit}"
    REGISTRATION_METADATA = "metadata are named by their file and their URI; name both or neither"
    REGISTRATION_WAITS = (
        "the registration is sealed, but {seconds} seconds later the chain's clock does not show "
        "the {age} that it takes; run the same again today, which goes on from there"
    )
    CONTENT_ID_MALFORMED = (
        "{got} is not a content id; write a CIDv1 in base32, of a raw block or a DAG, by SHA-256"
    )
    TOKEN_PRICE_MALFORMED = (
        "{got} is not a price; write TOKEN=AMOUNT with the token's address and its atomic units "
        "below 2^128, or TOKEN=none"
    )

    # -- verifiers on chain (chain/verifier_router.py) ---------------------------------------
    ROUTER_CODE_UNKNOWN = (
        "the code at {address} is not the {contract} that this version ships; name the router of "
        "this chain"
    )
    VERIFIER_UNKNOWN = "nothing ever stood behind the selector {selector} of the router {router}"
    VERIFIER_RETIRED = (
        "the verifier behind the selector {selector} of the router {router} has ended: it takes no "
        "proofs any more"
    )
    VERIFIER_TAKEN = (
        "the selector {selector} of the router {router} names the verifier {adapter} for ever; "
        "add another one under a selector of its own"
    )
    ROUTER_OWNER_OTHER = (
        "the router {router} belongs to {owner}: {sender} can neither add nor retire verifiers"
    )
    PROOF_REFUSED_BY_ROUTER = "the router {router} does not let the proof pass: {why}"

    # -- access on chain (chain/access.py) ----------------------------------------------------
    ACCESS_CODE_UNKNOWN = (
        "the code at {address} is not the contract {contract} that this version ships; name the "
        "one of this chain, or deploy one with inferproof chain deploy"
    )
    ACCESS_OWNER_OTHER = (
        "who may consume at {access} is said by its owner {owner}; use the key of that one"
    )
    PLAN_TERMS = "the terms of the plan do not belong together: {why}"
    PLAN_NOT_FOUND = "the contract at {access} has no plan {plan}"
    PLAN_KIND = "the plan {plan} is of kind {kind}; this takes one of kind {wanted}"
    PLAN_CLOSED = "the plan {plan} is not offered now; what was bought of it stays"
    PLAN_PRICE_ABOVE = "the plan {plan} costs {price}, the limit is {limit}"
    PURCHASE_FUNDS = "{payer} has {got} of the token {token}, {price} are asked"
    PURCHASE_NOT_FOUND = (
        "the contract at {access} has no purchase {right}: nobody bought it, or it was given back"
    )
    REFUND_OVER = "{right} could be given back before {end}, in Unix seconds"
    REFUND_NOT_HELD = "{right} is given back by who bought and holds it; {sender} does not hold it"
    REFUND_USED = "{right} was used for {used} calls, and is not taken back"
    SUBSCRIPTION_PAID = (
        "{subscriber} has paid the plan {plan} until {end}, in Unix seconds; the next period is "
        "due then"
    )
    SUBSCRIPTION_OVER = (
        "{subscriber} allows no renewal of the plan {plan} now: none is left, their time is over, "
        "or it lapsed a whole period ago; subscribe again"
    )
    NOTHING_EARNED = "the contract at {access} holds nothing of the token {token} for {account}"
    NOT_A_CONSUMER = (
        "{who} may not consume at {access}; its owner allows it with inferproof access allow"
    )
    NOT_ENTITLED = "{buyer} may not call {commitment} by {right} now"

    # -- payment by what was bought before (protocol/passes.py, payments/passes/, chain/passes.py) -
    PASSES_CLOSED = "this gateway takes no calls that were bought before; sign an authorization"
    PASS_HEADER_MALFORMED = "the Inferproof-Pass header is not a claim to a call: {problem}"
    PASS_CONTRACT = (
        "the claim is to a right of the contract at {got}, this gateway takes calls at {expected}"
    )
    PASS_SIGNATURE = "the claim to a call is not signed by its buyer {buyer}"
    PASS_OTHER_REQUEST = "the claim to a call is for request {got}, this is request {expected}"
    PASS_MODEL = "the claim is to a call of {got}, the request is to {expected}"
    PASS_ENDS = (
        "the claim to a call ends at {valid_before}; at {now} it must last {margin} seconds longer"
    )
    PASS_TOO_LONG = (
        "the claim to a call ends at {valid_before}, more than {longest} seconds after {now}; sign "
        "one that ends sooner"
    )
    PASS_KIND = (
        "the right {right} is a plan of kind {kind}; a gateway takes calls of what was bought: of "
        "a pass, a pack or a subscription"
    )
    PASS_NOT_FOUND = "nobody has the right {right}: it was not bought, or it was given back"
    PASS_NOT_HELD = "the right {right} is not {buyer}'s"
    PASS_OVER = "the right {right} ended at {until}, in Unix seconds"
    PASS_USED_UP = "all {calls} calls of the right {right} are used"
    PASS_REFUSED = "the contract lets no call of the right {right} be taken: {why}"
    PASS_REVERTED = (
        "the transaction {tx}, to take a call of the right {right}, failed on chain; no call was "
        "used"
    )
    PASS_EXPIRED = "the claim to a call ended at {valid_before} before the call was taken"
    PASS_NOT_TAKEN = "transaction {tx} takes no call of the right {right} for {buyer} at {access}"
    ACCESS_SILENT = (
        "the contract of access at {access} was not heard of in {seconds:g} seconds; nothing was "
        "charged, come back"
    )

    # -- receipts and policy (verify/) --------------------------------------------------------
    RECEIPT_SIGNATURE = "the receipt is not signed by gateway {gateway}"
    RECEIPT_QUOTE = "the quote in the receipt is for another model, request or provider"
    RECEIPT_JOB = (
        "the job in the statement does not follow from payment, request and salt; "
        "expected {expected}"
    )
    RECEIPT_NONCE = "the payment's nonce is not made of the request and the salt in the receipt"
    RECEIPT_PASS = "the receipt is about {got}, its payment is a call of {expected}"
    RECEIPT_ORDER = "the receipt states the {what} {got}, its order {order} is about {expected}"
    RECEIPT_TRANSFER = (
        "the payment is a transfer of transaction {expected}, the settlement says {state} in {got}"
    )
    RECEIPT_TIMES = (
        "no order fits the receipt's times: quote and payment hold from {earliest}, "
        "and no later than {latest}"
    )
    RECEIPT_REQUEST = "the attached request is not the one that was paid for"
    RECEIPT_PROOF_MISSING = (
        "the receipt has no proof attached; fetch proof {digest} and give it with --proof"
    )
    RECEIPT_PROOF_DIGEST = "the attached proof is not the one that the receipt names"
    RECEIPT_VERIFIER_MISSING = (
        "the receipt has no verifier bundle attached; "
        "fetch the one of model {model} and give it with --verifier"
    )
    RECEIPT_STATEMENT = "the proof carries another statement than the receipt"
    RECEIPT_PREPROCESSING = "the proven input is not what pre-processing makes of the request"
    RECEIPT_CLAIMS = "assurance, sentence or claims say something else than the proof allows"
    RECEIPT_NOT_SETTLED = "the receipt says that the settlement is {state}"
    RECEIPT_SETTLEMENT = "transaction {tx} is not in block {block} of the chain"
    POLICY_GATEWAY = "gateway {gateway} is not among the trusted ones"
    POLICY_MODEL = "model {model} is not among the accepted ones"
    POLICY_NETWORK = "network {network} is not among the accepted ones"
    POLICY_TOKEN = "token {token} is not among the accepted ones"
    POLICY_ASSURANCE = "the assurance is {got}, at least {minimum} is asked for"
    POLICY_SETUP = "the {setup} set-up with SRS {srs} is not a trusted ceremony's"
    POLICY_SECURITY = "the {what} of the proof is {got}, at least {minimum} is asked for"

    # -- settings and HTTP (settings.py, app/, api/) ---------------------------------------
    SETTING_WRONG = "the setting {name} is wrong: {problem}"
    SETTING_MISSING = "the setting {name} is missing; set it in the environment"
    KEY_FILE_OPEN = "others can read the key file {path}; run: chmod 600 {path}"
    SERVICE_ENDED = "the {service} has ended; see the log and start the gateway again"
    SERVICE_STALLED = (
        "the {service} has made no step for {seconds} seconds; see the log and start the gateway "
        "again"
    )
    DISK_LOW = "{path} has {free} bytes left, {wanted} should be free; make room"
    GAS_LOW = (
        "the account {address} holds {balance} wei, one settlement may take {wanted}; send it coin"
    )
    CANNOT_LISTEN = "cannot listen on {host} port {port}: {why}"
    METRICS_ELSEWHERE = (
        "this gateway runs in several processes, each of which serves its metrics at a port of its "
        "own; see the setting INFERPROOF_METRICS_PORT"
    )
    ROUTE_UNKNOWN = "there is nothing at this path; the routes are listed in /openapi.json"
    METHOD_NOT_ALLOWED = "this path does not take {method}; it takes {allowed}"
    REQUEST_INVALID = "the request is wrong at {where}: {problem}"
    HTTP_REFUSED = "the request cannot be served: {problem}"
    BODY_TOO_LARGE = "the request body is larger than {limit} bytes"
    CONTENT_TYPE = "the request body must be {expected}, it is {got}"
    BODY_NOT_JSON = "the request body is not JSON: {problem}"
    PAYMENT_REQUIRED = (
        "this call costs {price}; sign one of the offers in the PAYMENT-REQUIRED header and send "
        "it as PAYMENT-SIGNATURE"
    )
    FACILITATOR_CLOSED = "this gateway settles no payments for other servers"
    ADMIN_ONLY = "this takes the admin token as Authorization: Bearer"
    INTERNAL_ERROR = "the gateway failed on its own account; it is logged under {request_id}"

    # -- limits (storage/limits/, services/limits/, api/, server/) ----------------------------
    RATE_MALFORMED = (
        "{got} is not a rate; write calls and their period, such as 600/minute, with second, "
        "minute, hour or day, and at most 100000 a second"
    )
    RATE_LIMITED = "more than {limit} {what} from one {whose}; try again in {retry_after} seconds"
    API_KEY_UNKNOWN = "the API key is not one of this gateway's, or was revoked"
    API_KEY_NOT_FOUND = "there is no API key {id}; inferproof keys list shows them"
    API_KEY_LABEL = "the label of an API key is 1 to 100 characters, this one has {size}"
    OVERLOADED = "{limit} requests are under way, which is the limit; come back"
    HEAD_TOO_LARGE = (
        "the head of the request is larger than {limit} bytes or has more than {fields} fields"
    )
    BODY_TOO_SLOW = (
        "the request body comes too slowly; after {seconds} seconds it must come at {rate} bytes "
        "a second"
    )
    MODEL_COMMITMENT_OWNED = (
        "the compiled model {commitment} is offered by provider {owner} as {model} already"
    )
    QUEUE_SHARE_FULL = (
        "{waiting} jobs of this {whose} are waiting, the limit is {limit}; nothing was charged, "
        "come back when some of them are done"
    )
    PAYER_EXPOSURE = (
        "{waiting} payments of this payer, {amount} {symbol} with this one, would wait for their "
        "settlement; the limit for this payer is {orders} of {most} {symbol}, and grows with each "
        "that settles; nothing was charged, come back when some are settled"
    )
    LIMITER_UNAVAILABLE = "calls cannot be counted at present; nothing was done, try again"
    REDIS_ADDRESS = "the Redis address cannot be used; write redis://:password@host:6379/0"

    # -- storage (storage/) -------------------------------------------------------------------
    STORAGE_FULL = "the disk is full; nothing was lost, try again once the operator made room"
    STORAGE_UNAVAILABLE = "the storage does not answer: {why}"
    BLOB_UNKNOWN = "there is nothing stored under {name}"
    BLOB_DAMAGED = "what is stored under {name} has changed on disk; restore it from a backup"
    ARTIFACT_NOT_HERE = (
        "the compiled model {commitment} is not on this machine; copy its folder to {path}"
    )
    DATABASE_ADDRESS = (
        "the database address cannot be used: {problem}; write "
        "postgresql+asyncpg://user:password@host/name or sqlite+aiosqlite:///path"
    )
    DATABASE_IN_USE = (
        "another process serves with the database {path}; SQLite is for one gateway process, with "
        "settler and worker inside it: stop the other one, or use PostgreSQL"
    )
    DATABASE_RESTORING = (
        "a restore of this database has not ended; run inferproof restore again with its backup"
    )
    BACKUP_DAMAGED = "{path} is no whole backup: {why}"
    NOTHING_TO_BACK_UP = "there is no gateway's data in {what}"
    RESTORE_NOT_EMPTY = (
        "the database holds rows already; a restore needs an empty one, so name another"
    )
    DATABASE_NEWER = (
        "the database is of schema {got}, which this version does not know; run a newer version"
    )

    # -- openings of a key (protocol/opening_budget.py, storage/) ---------------------------------
    OPENINGS_SPENT = (
        "of the openings of key {key} {left} are left where {wanted} are needed; make a new key of "
        "the same weights: inferproof provider rotate DIR"
    )
    OPENINGS_GIVEN = (
        "what was left of the openings of key {key} was given to another store; prove where that "
        "counts them, or have it give some back: inferproof provider openings show DIR here tells "
        "this store, give DIR --to STORE there writes them, accept FILE here counts them"
    )
    OPENINGS_ELSEWHERE = (
        "the openings of key {key} are counted neither in this user's records nor in the gateway's "
        "order book; where they are counted, write them to a file: inferproof provider openings "
        "give DIR --to {store} --out FILE; and count it here: inferproof provider openings accept "
        "FILE --gateway"
    )
    ROTATION_SPENT = (
        "the opening of key {key} that is reserved for its rotation is gone, so no new key of the "
        "same weights can be shown; compile the model anew, which gives it another identity"
    )
    ROTATIONS_SPENT = (
        "the model's key was rotated {most} times, and proofs carry no more links; compile the "
        "model anew, which gives it another identity"
    )
    OPENINGS_KEPT = (
        "the openings of key {key} are not forgotten: it can still be rotated, or have a slice back"
    )
    OPENINGS_UNKNOWN = (
        "nothing here counts the openings of key {key}, so they count as spent; prove where the "
        "key was made, or bring openings from there: inferproof provider openings show DIR here "
        "tells the store, give DIR --to STORE there writes them, accept FILE here counts them"
    )
    OPENINGS_COPIED = (
        "the count of the openings of key {key} was copied here or brought back from a backup, so "
        "they count as spent; prove where it is counted, or bring openings from there: inferproof "
        "provider openings show DIR here tells the store, give DIR --to STORE there writes them, "
        "accept FILE here counts them"
    )
    OPENINGS_OLDER = (
        "{taken} openings of key {key} are counted and {seen} were taken before: the count was "
        "brought back from a backup, so they count as spent"
    )
    OPENINGS_DAMAGED = (
        "the count of openings in {path} cannot be read, so they count as spent: {why}"
    )
    INPUT_ATTEMPTS_SPENT = (
        "the private input of this job was opened {limit} times, as often as its secret hides it; "
        "it is proven again as another job alone"
    )
    INPUT_ATTEMPTS_UNKNOWN = (
        "nothing here counted how often the private input of this job was opened, and what is not "
        "known counts as spent ({code}); it is proven again as another job alone"
    )
    OPENINGS_COUNTED = "the openings of key {key} are counted already"
    SLICE_OTHER_STORE = "the slice of openings is for the store {taker}, and this is {store}"
    SLICE_USED = "openings {first} to {last} of key {key} were counted here before"

    # -- orders (storage/, services/) ----------------------------------------------------------
    MODEL_UNKNOWN = "there is no model {model}"
    MODEL_NOT_ACTIVE = "model {model} is {status}; it takes no calls"
    MODEL_VERSION_TAKEN = "{model} is there already with other content; give it a new version"
    MODEL_OWNED = "the model id {id} belongs to provider {owner}; choose another id"
    SUBMISSION_MALFORMED = "the submission cannot be read: {why}"
    SUBMISSION_SIGNATURE = "the submission is not signed by its provider {provider}"
    SUBMISSION_MISMATCH = "the card says {what} {card}, the verifier bundle says {bundle}"
    SUBMISSION_CURRENCY = (
        "the card's price is in {currency}, of {decimals} decimals; this gateway is paid in "
        "{symbol}, of {got}"
    )
    JOB_UNKNOWN = "there is no job {job}"
    FENCE_STALE = "claim {fence} of job {job} is over; another claim was made since"
    JOB_ATTEMPTS = "the job was given up after {attempts} attempts; the last one ended so: {why}"
    JOB_DEADLINE = "no worker took the job before its deadline {deadline}"
    STATEMENT_OTHER_RUN = "the statement is about another run than the one to be proven"
    JOB_STATEMENT = "the proof system answered with a proof for another {what}"
    JOB_FAULT = "the gateway made a mistake; its operator finds it in the log"
    LEASE_EXPIRED = "the worker stopped without a word"
    RECEIPT_NOT_READY = "job {job} is {state}; only a job that is done has a receipt"
    PROOF_UNKNOWN = "there is no proof {digest}"
    VERIFICATION_UNKNOWN = "there is no verification {number}"
    QUEUE_FULL = "{depth} jobs are waiting, the limit is {limit}; nothing was charged, come back"
    PAYMENT_REPLAYED = (
        "this authorization already pays for another request; sign one with a fresh nonce"
    )
    PAYMENT_ID_REUSED = "payment id {payment_id} was used for another request; choose a new one"
    PAYMENT_ID_MALFORMED = "a payment id is 16 to 128 letters, digits, - and _"
    PAYMENT_SALT_ZERO = "the salt of the nonce is zero; draw 32 random bytes"
    PAYMENT_NONCE_BINDING = (
        "the authorization's nonce is {got}; bound to this request with this salt it is {expected}"
    )
    PAYMENT_NONCE_USED = "the authorization's nonce {nonce} is used up on the chain; sign a new one"
    PAYMENT_BALANCE = "the payer has {balance} {symbol}, the price is {price} {symbol}"
    PAYMENT_PROMISED = (
        "the payer has {balance} {symbol}, of which {promised} {symbol} are promised to orders "
        "that have not settled yet; the price is {price} {symbol}"
    )
    SETTLEMENT_REVERTED = "the settlement {tx} failed on chain; no money moved"
    SETTLEMENT_CANCELLED = "the payer cancelled the authorization before it settled"
    SETTLEMENT_EXPIRED = "the authorization ended at {valid_before} before it was sent"

    # -- payment by an earlier transfer (protocol/transfer.py, payments/transfer/method.py) ---
    TRANSFERS_CLOSED = "this gateway takes no payment by earlier transfer; sign an authorization"
    TRANSFER_HEADER_MALFORMED = "the Inferproof-Transfer header is not a transfer claim: {problem}"
    PAYMENT_TWICE = (
        "the request carries several payments; send one of PAYMENT-SIGNATURE, Inferproof-Transfer, "
        "Inferproof-Order and Inferproof-Pass"
    )
    CLAIM_SIGNATURE = "the transfer claim is not signed by its payer {payer}"
    CLAIM_OTHER_REQUEST = "the transfer claim is for request {got}, this is request {expected}"
    TX_NOT_FOUND = (
        "no block of {network} holds transaction {tx}; check its hash and its network, or send "
        "the same again once it is included"
    )
    TX_FAILED = "transaction {tx} failed in block {block}; it moved nothing"
    INSUFFICIENT_CONFIRMATIONS = (
        "transaction {tx} is {got} blocks deep, {needed} are required; send the same again later"
    )
    TRANSFER_TOO_OLD = (
        "the transfer is of {at}, more than {longest} seconds before {now}; ask the payee for it"
    )
    NO_TRANSFER_EVENT = (
        "in {where} of transaction {tx} there is no transfer of token {token} by {payer}; what an "
        "authorization moved does not count"
    )
    WRONG_RECIPIENT = "the transfer in transaction {tx} went to {got}, the payee is {expected}"
    INSUFFICIENT_AMOUNT = (
        "the transfer is of {got} {symbol}, the price is {expected} {symbol}; several transfers "
        "are not added up"
    )
    PAYMENT_ALREADY_USED = (
        "the transfer in {where} of transaction {tx} already pays for another call; pay for this "
        "one with another"
    )
    VERIFICATION_ERROR = (
        "transaction {tx} cannot be looked at now; nothing was spent, send the same again: {why}"
    )
    TRANSFER_NOT_ON_CHAIN = (
        "log {log} of transaction {tx} does not move {value} from {payer} to {payee}"
    )

    # -- the books (services/, chain/reconciliation.py) ----------------------------------------
    BOOKS_NO_STATE = (
        "the node cannot tell what {account} held after block {block}: {why}; name a node that "
        "keeps old states with --rpc, a later block with --from-block, or the balance with "
        "--opening"
    )

    # -- events of contracts (protocol/indexing.py, services/indexer/, chain/events.py) ----------
    INDEX_CHAIN_MOVED = (
        "the chain changed at block {block} while its events were read; they are read again"
    )
    INDEX_BLOCK_REFUSED = (
        "the node refuses the events of block {block}: {why}; later blocks are read meanwhile"
    )
    INDEX_NODE_BEHIND = (
        "the node is at block {head}, and block {oldest} is the oldest that the index still knows; "
        "wait until it has caught up, or run inferproof indexer rebuild where the chain began anew"
    )
    INDEX_REORG_TOO_DEEP = (
        "the chain at block {head} replaced block {oldest} too, the oldest that the index still "
        "knows; what was read before it may be wrong: run inferproof indexer rebuild, and raise "
        "INFERPROOF_INDEX_KEPT_BLOCKS"
    )
    INDEX_BAD_ANSWER = "the node's answer about events is not to be believed: {why}"
    INDEX_TAKEN = (
        "another process changed the index of chain {chain_id} meanwhile; one at a time reads it"
    )
    INDEX_NO_SOURCES = "no contract is named whose events are read; set INFERPROOF_INDEX_CONTRACTS"
    EVENTS_NOT_INDEXED = "this gateway reads no events of contracts"
    EVENTS_CONTRACT_UNKNOWN = "no events of {contract} are read here; those of {known} are"
    EVENTS_EVENT_UNKNOWN = "no contract that is read here has the event {event}; they have {known}"
    EVENTS_CURSOR_MALFORMED = (
        "{got} is not a cursor of this history; send one that an answer gave, or none"
    )
    EVENTS_CURSOR_REPLACED = (
        "the chain replaced block {block}, which the cursor stands in; go on from an earlier "
        "cursor, whose event was not provisional any more"
    )

    # -- cancelling, notifying, repeating (protocol/, services/) ---------------------------------
    JOB_CANCELLED = "the payer cancelled the job"
    CANCEL_SIGNATURE = "the cancellation is not signed by the job's payer {payer}"
    CANCEL_EXPIRED = "the cancellation held until {before}, it is {now}; sign a new one"
    OPENING_REQUEST_SIGNATURE = (
        "the request for the input's opening is not signed by the job's payer {payer}"
    )
    OPENING_REQUEST_TIME = (
        "the request for the input's opening holds until {before}, and it is {now}; sign one that "
        "ends within {limit} seconds from now"
    )
    OPENING_NONE = "the input of job {job} is not private, so there is no opening of it"
    PRIVATE_INPUT_SALT = (
        "the header {header} does not hold the request's salt, 0x and 64 lower-case hex digits"
    )
    CANCEL_CLOSED = "this gateway lets no payer cancel a job"
    STREAMS_FULL = "too many event streams are open; ask for the job itself, or come back"
    IDEMPOTENCY_KEY_MALFORMED = "an Idempotency-Key is 16 to 128 letters, digits, - and _"
    IDEMPOTENCY_KEY_REUSED = (
        "the Idempotency-Key {key} was used for another request; choose a new one"
    )
    IDEMPOTENCY_KEYS_DIFFER = (
        "the Idempotency-Key {key} is not the payment's own identifier {payment_id}; "
        "send the same one twice, or one of them"
    )
    IDEMPOTENCY_WITH_TRANSFER = (
        "a transfer pays once by itself; leave the idempotency key out, or pay by an authorization"
    )
    WEBHOOK_URL = "the webhook's address cannot be used: {problem}"
    WEBHOOK_OTHER = (
        "this payment's job was ordered with another webhook, or with none; "
        "a repeated request cannot change it"
    )
    WEBHOOK_ADDRESS = "the webhook's host {host} is at {address}, which is not a public address"
    WEBHOOK_UNREACHABLE = "the webhook's receiver does not answer: {why}"
    WEBHOOK_MALFORMED = "the webhook cannot be read: {problem}"
    WEBHOOK_STALE = (
        "the webhook was signed at {at}, it is {now}; at most {limit} seconds may lie between"
    )
    WEBHOOK_SIGNATURE = "the webhook is not signed by gateway {gateway}"
    DELIVERY_UNKNOWN = "there is no webhook delivery {number}"
    DELIVERY_NOT_DEAD = "webhook delivery {number} is {state}; only a dead one is tried again"
    CANCEL_RUNNING = "job {job} is being computed; this gateway cancels only jobs that wait"

    # -- x402 on the wire (payments/x402/) ------------------------------------------------------
    PAYMENT_HEADER_TOO_LARGE = "the payment header is {size} bytes, the limit is {limit}"
    PAYMENT_HEADER_MALFORMED = "the payment header is not an x402 payment: {problem}"
    PAYMENT_VERSION = (
        "the payment is of x402 version {got}; send one of version 2 in the header "
        "PAYMENT-SIGNATURE"
    )
    PAYMENT_SCHEME = (
        "the payment uses {got}; accepted is the scheme exact with an EIP-3009 authorization"
    )
    PAYMENT_NETWORK = "the payment is on network {got}; accepted: {accepted}"
    PAYMENT_TERMS_DIFFER = "the payment accepts {field} {accepted}, its authorization has {signed}"
    FACILITATOR_REQUEST = "the facilitator request cannot be read: {problem}"

    # -- the client (client/) --------------------------------------------------------------------
    PRICE_ABOVE_MAX = "the call costs {price}, its limit is {limit}"
    BUDGET_EXCEEDED = "the call costs {price}, and only {left} is left of the budget"
    PAYEE_NOT_ALLOWED = "the money would go to {payee}, who is not among the allowed payees"
    ASSET_NOT_ALLOWED = (
        "the price is in {symbol} at {token} on {network}, which is not among the allowed assets"
    )
    DRY_RUN = "{price} would be paid to {payee}; this is a dry run, and nothing was signed"
    CHALLENGE_MALFORMED = "the gateway's offer cannot be read: {problem}"
    CHALLENGE_OTHER_REQUEST = (
        "the gateway asks payment for request {got}, but {expected} was sent; "
        "something on the way changed it"
    )
    CHALLENGE_NO_OFFER = "none of the gateway's offers has the terms of its signed quote"
    GATEWAY_LOST = "the gateway does not answer: {why}; nothing was paid"
    GATEWAY_ANSWER = "the gateway's answer to {method} {path} cannot be read: {problem}"
    GATEWAY_REFUSED = "the gateway answers {status} {code}: {message}"
    ANSWER_PENDING = (
        "the answer of job {job} is not here yet: {why}; "
        "resume it with that id, which never pays a second time"
    )
    JOB_NO_ANSWER = "job {job} is {state} and gives no answer: {why}"
    RECEIPT_OTHER_CALL = "the receipt is about another {what} than this call"
    CALL_UNKNOWN = "this client has no call with job {job}"
    CLIENT_STATE_DAMAGED = "the client's file {path} is damaged: {why}"

    # -- missing parts (anywhere) ----------------------------------------------------------
    DEMO_BROKEN = "the demonstration went wrong: {what}"
    MISSING_LIBRARY = "{feature} needs the Python package {package}; install it with: {command}"
    MISSING_NATIVE = (
        "proof system sumcheck needs its native module, which is not built for this machine; "
        "install a wheel that holds it, or in a checkout get Rust from https://rustup.rs and run: "
        "make native"
    )
    MISSING_OPENINGS = (
        "the openings of the model's key are counted, and nothing was given that counts them; use "
        "inferproof.app.openings.local_system, or prove by inferproof prove"
    )
    MISSING_TOOL = "{feature} needs the program {tool}; {mend}"

    @property
    def code(self) -> str:
        """The stable code that goes over the wire."""
        return self.name


_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, changes of writing direction and lone surrogates: a fact may come from a stranger, and
must neither steer a terminal, nor forge a line of a log, nor fail to be written as UTF-8."""


def visible(fact: object) -> object:
    """The fact; where it is text, with every character of `_UNSEEN` spelt out."""
    if type(fact) is not str:
        return fact
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), fact)


class InferproofError(Exception):
    """A failure with a reason. `facts` fill the reason's template and go into JSON output."""

    def __init__(self, reason: Reason, **facts: object) -> None:
        self.reason = reason
        self.facts = {name: visible(fact) for name, fact in facts.items()}
        self.message = reason.value.format(**self.facts)
        super().__init__(self.message)

    @property
    def code(self) -> str:
        return self.reason.code

    def __reduce__(self) -> tuple[object, ...]:
        # Crosses process pools: rebuild from reason and facts, not from the message.
        return (_rebuild, (type(self), self.reason, self.facts))


def _rebuild(
    cls: type[InferproofError], reason: Reason, facts: dict[str, object]
) -> InferproofError:
    return cls(reason, **facts)


class Rejection(InferproofError):
    """What was handed in is at fault; trying the same again changes nothing."""


class ModelRejected(Rejection):
    """A model file or model card is refused."""


class InputRejected(Rejection):
    """An input does not fit the model."""


class ArtifactRejected(Rejection):
    """A compiled model on disk is damaged, foreign or of another version."""


class ProofRejected(Rejection):
    """A proof does not prove the statement it carries."""


class ReceiptRejected(Rejection):
    """A receipt does not hold."""


class PaymentRejected(Rejection):
    """An authorization cannot pay for this request."""


class RequestRejected(Rejection):
    """A request is malformed or not allowed."""


class PolicyRejected(Rejection):
    """The caller's own limits forbid it: price, budget, payee, trust."""


class NotFound(InferproofError):
    """The named thing is not here."""


class Conflict(InferproofError):
    """It contradicts something already recorded."""


class Unavailable(InferproofError):
    """Cannot be done now; the same call may succeed later."""


class TooMany(Unavailable):
    """This caller did too much. The same call may succeed later; others are served meanwhile."""


class MissingPart(InferproofError):
    """A tool or library is not installed. The message says how to get it."""


class Misconfigured(InferproofError):
    """Settings contradict the world; refusing to start is the safe answer."""
